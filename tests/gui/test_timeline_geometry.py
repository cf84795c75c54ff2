from __future__ import annotations

import time

import pytest

from freeze_gui.gui.timeline_geometry import AXIS_HEIGHT, ROW_HEIGHT, Geometry, actual_spans, axis_marks
from freeze_gui.gui.timeline_state import Bar, Span

PAGE = Geometry(700, Span(300, 20))   # labels take 0.3 · 700 = 210 pixels, the right margin 22: 468 for 300 steps


def test_steps_are_evenly_spaced_between_labels_and_margin() -> None:
    assert [PAGE.x_of(step) for step in (0, 150, 300)] == [210, 444, 678]
    assert PAGE.step_width == pytest.approx(1.56)
    assert PAGE.x_of(5000) == 678   # beyond the run: at its end


def test_a_pointer_is_over_an_end_within_six_pixels_of_it() -> None:
    bar = Bar(start=100, stop=200)   # 366 to 522
    found = [PAGE.part_at(bar, x) for x in (350, 361, 371, 380, 514, 518, 527, 540)]
    assert found == ["row", "start", "start", "body", "body", "stop", "stop", "row"]


def test_the_ends_of_a_short_bar_leave_its_middle_free() -> None:
    bar = Bar(start=100, stop=104)   # six pixels wide
    assert [PAGE.part_at(bar, x) for x in (366, 369.1, 372)] == ["start", "body", "stop"]


def test_rows_lie_below_the_axis() -> None:
    assert PAGE.row_at(AXIS_HEIGHT - 1, 2) is None
    assert PAGE.row_at(AXIS_HEIGHT + ROW_HEIGHT + 1, 2) == 1
    assert PAGE.row_at(AXIS_HEIGHT + 2 * ROW_HEIGHT + 1, 2) is None


def test_a_dragged_end_stops_at_the_nearest_step() -> None:
    bar = Bar(start=100, stop=200)
    assert PAGE.dragged(bar, "stop", 1.56 * 30.4).stop == 230
    assert PAGE.dragged(bar, "start", -1.56 * 30.6).start == 69
    assert PAGE.dragged(bar, "body", 1.56 * 12) == Bar(start=112, stop=212)
    assert PAGE.dragged(bar, "stop", 1000).stop is None


def test_an_end_in_epochs_stops_at_the_nearest_epoch() -> None:
    bar = Bar(start=2, stop=5, unit="epoch")   # steps 40 to 100
    assert PAGE.dragged(bar, "stop", 1.56 * 29).stop == 6   # 129 is nearer to 120 than to 140
    assert PAGE.dragged(bar, "stop", 1.56 * 31).stop == 7


def test_an_end_beyond_the_run_is_taken_hold_of_at_its_edge() -> None:
    assert PAGE.dragged(Bar(start=0, stop=900), "stop", -156).stop == 200


@pytest.mark.parametrize(
    ("total", "width", "marks"),
    [(300, 468, [0, 50, 100, 150, 200, 250, 300]), (3, 468, [0, 1, 2, 3]), (20, 130, [0, 10, 20])],
)
def test_the_axis_has_round_numbers_with_room_between_them(total: int, width: float, marks: list[int]) -> None:
    assert axis_marks(total, width) == marks


def test_what_was_frozen_is_told_apart_for_all_layers_and_for_some() -> None:
    every, some = actual_spans([[(0, 10), (20, 30)], [(5, 25)]], 28)
    assert every == [(5, 10), (20, 25)]
    assert some == [(0, 5), (10, 20), (25, 28)]
    assert actual_spans([[], []], 10) == ([], [])


def test_thousands_of_steps_by_turns_are_told_apart_in_no_time() -> None:
    by_turns = [(step, step + 1) for step in range(0, 20_000, 2)]
    began = time.perf_counter()
    every, some = actual_spans([by_turns] * 10, 20_000)
    assert time.perf_counter() - began < 1.0   # some 0.1 s here: a bound against quadratic work, not a benchmark
    assert (len(every), some) == (10_000, [])
