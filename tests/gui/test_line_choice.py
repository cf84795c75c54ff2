from __future__ import annotations

from freeze_gui.gui.line_choice import MOST_SELECTED, color_numbers, lines_to_show

LAYERS = [f"layer{number}" for number in range(20)]


def test_pinned_lines_come_first_and_the_selection_fills_up_to_its_limit() -> None:
    shown = lines_to_show(LAYERS, ["layer19", "of another model"], [*LAYERS[:12], "layer19"])
    assert shown == ["layer19", *LAYERS[:MOST_SELECTED]]


def test_without_a_choice_a_few_layers_from_the_first_to_the_last_are_shown() -> None:
    shown = lines_to_show(LAYERS, [], ["of another model"])
    assert shown[0] == "layer0" and shown[-1] == "layer19" and 2 < len(shown) < MOST_SELECTED
    assert lines_to_show(["only"], [], []) == ["only"] and lines_to_show([], [], []) == []


def test_a_line_keeps_its_colour_and_a_new_one_takes_the_first_that_is_free() -> None:
    first = color_numbers(["a", "b", "c"], {})
    assert first == {"a": 0, "b": 1, "c": 2}
    assert color_numbers(["c", "d", "a"], first) == {"a": 0, "c": 2, "d": 1}
