from __future__ import annotations

import time

import pytest

from freeze_gui.gui.redraw import PATIENCE_S, Redraw, newest_column


def test_new_steps_in_the_same_column_of_pixels_wait_a_moment_and_another_column_does_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    redraw = Redraw()
    assert redraw.is_due("view", 10, 3, True)
    assert not redraw.is_due("view", 11, 3, True)
    assert redraw.is_due("view", 12, 4, True)
    now[0] += PATIENCE_S
    assert redraw.is_due("view", 13, 4, True)
    assert not redraw.is_due("view", 13, 4, True)   # nothing is new
    assert redraw.is_due("another view", 13, 4, True)


def test_the_end_of_a_run_is_drawn_to_its_last_step() -> None:
    redraw = Redraw()
    redraw.is_due("view", 10, 3, True)
    assert not redraw.is_due("view", 11, 3, True)
    assert redraw.is_due("view", 11, 3, False)
    assert not redraw.is_due("view", 11, 3, False)


def test_what_is_forgotten_is_drawn_again() -> None:
    redraw = Redraw()
    redraw.is_due("view", 10, 3, False)
    redraw.forget()
    assert redraw.is_due("view", 10, 3, False)


def test_steps_lie_in_columns_and_all_beyond_an_edge_in_one() -> None:
    assert [newest_column(step, (0.0, 100.0), 50) for step in (0, 1, 2, 99, 100, 5_000)] == [0, 0, 1, 49, 50, 50]
    assert newest_column(5, (10.0, 20.0), 50) == -1
