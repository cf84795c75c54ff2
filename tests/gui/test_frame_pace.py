from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from freeze_gui.gui.frame_pace import DRAWING_SHARE, SLOWEST_TICK_MS, TICK_MS, FramePace


@pytest.fixture
def spend(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Return a function that lets the thread have used so many more milliseconds of the processor."""
    used = [0.0]
    monkeypatch.setattr(time, "thread_time", lambda: used[0])
    return lambda cost_ms: used.__setitem__(0, used[0] + cost_ms / 1000)


def paced(pace: FramePace, spend: Callable[[float], None], costs_ms: list[float]) -> list[int]:
    times = []
    for cost_ms in costs_ms:
        pace.begin()
        spend(cost_ms)
        times.append(pace.end())
        spend(1000.0)   # what the thread does between two frames is not drawing
    return times


def test_frames_take_their_share_of_the_time_and_no_more(spend: Callable[[float], None]) -> None:
    last = paced(FramePace(), spend, [3.0] * 60)[-1]
    assert 3.0 / last == pytest.approx(DRAWING_SHARE, rel=0.01)


def test_cheap_frames_come_thirty_times_a_second_and_dear_ones_still_four_times(
    spend: Callable[[float], None]
) -> None:
    assert set(paced(FramePace(), spend, [0.5] * 20)) == {TICK_MS}
    assert paced(FramePace(), spend, [500.0] * 20)[-1] == SLOWEST_TICK_MS


def test_one_dear_frame_among_cheap_ones_is_forgotten(spend: Callable[[float], None]) -> None:
    assert paced(FramePace(), spend, [0.5] * 20 + [30.0] + [0.5] * 20)[-1] == TICK_MS
