from __future__ import annotations

import pytest
from torch import nn

from freeze_gui.gui import timeline_words as words
from freeze_gui.gui.timeline_state import Bar, TaskBar, Timeline, whole_run
from freeze_gui.models.layer_tree import build_tree

A = frozenset({"0"})


@pytest.mark.parametrize(
    ("bar", "text"),
    [
        (Bar(A), "the whole run"),
        (Bar(A, 0, 1000), "steps 0–1,000"),
        (Bar(A, 100), "steps 100–end"),
        (Bar(A, 2, 5, "epoch"), "epochs 2–5"),
    ],
)
def test_a_window_is_said_in_few_words(bar: Bar, text: str) -> None:
    assert words.window_words(bar) == text


def test_a_bar_is_named_as_a_person_wrote_it_or_in_the_fewest_names() -> None:
    tree = build_tree(nn.Sequential(nn.Linear(1, 1), nn.Sequential(nn.Linear(1, 1), nn.Linear(1, 1))))
    assert words.names_of(Bar(frozenset({"1.0", "1.1"})), tree) == "1"
    assert words.names_of(Bar(frozenset({"1.0"}), patterns=("re:1.0",)), tree) == "re:1.0"
    assert words.names_of(Bar(frozenset({"0", "1.0", "1.1"})), tree) == "everything"
    assert words.names_of(Bar(), tree) == "no layers ticked"


def test_the_tree_says_which_phase_its_ticks_belong_to_where_there_is_a_choice() -> None:
    assert words.ticks_words(whole_run(A)) == ""
    assert words.ticks_words(Timeline((Bar(A, 0, 4),))) == "Ticks: the one phase, steps 0–4"
    three = Timeline((Bar(), Bar(A, 100, 200), Bar()), selected=1)
    assert words.ticks_words(three) == "Ticks: phase 2 of 3, steps 100–200"
    tasks = (TaskBar("t", A, ("0",)),)
    assert words.ticks_words(Timeline(tasks=tasks)) == "Ticks: beside the tasks, the whole run"


def test_the_table_has_a_row_for_each_phase_and_task() -> None:
    timeline = Timeline((Bar(A, 0, 4, lr_factor=0.5),), (TaskBar("t", A, ("0",)),))
    assert words.table_rows(timeline, ["0", "0"], [[], [(0, 2), (5, 9)]]) == [
        ("1", "0", "0", "4", "step", "0.5", "never"),
        ("t", "0", "0", "end", "its steps", "1", "0–2, 5–9"),
    ]
    assert words.table_rows(timeline, ["0", "0"], None)[0][-1] == ""


def test_of_many_steps_by_turns_the_first_few_are_named() -> None:
    by_turns = [(step, step + 1) for step in range(0, 20, 2)]
    assert words.spans_words(by_turns) == "0–1, 2–3, 4–5 and 7 more"
    assert words.spans_words(by_turns[:3]) == "0–1, 2–3, 4–5"
