from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
from PySide6.QtCore import QObject
from pytestqt.qtbot import QtBot

from freeze_gui.gui import turns
from freeze_gui.gui.turns import InTurns


def pieces(done: list[int], count: int = 5) -> Iterator[None]:
    for number in range(count):
        done.append(number)
        yield


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every look at the clock take as long as a turn may."""
    now = iter(range(10_000))
    monkeypatch.setattr("freeze_gui.gui.turns.time.thread_time", lambda: next(now) * turns.AT_ONCE_S)


def test_short_work_is_done_at_once(qtbot: QtBot) -> None:
    done: list[int] = []
    owner = QObject()
    InTurns(owner).start(pieces(done))
    assert done == [0, 1, 2, 3, 4]


@pytest.mark.usefixtures("clock")
def test_long_work_is_done_over_several_turns_of_the_event_loop(qtbot: QtBot) -> None:
    done: list[int] = []
    owner = QObject()
    work = InTurns(owner)
    work.start(pieces(done))
    assert len(done) < 5
    qtbot.waitUntil(lambda: done == [0, 1, 2, 3, 4])
    qtbot.waitUntil(lambda: not work._timer.isActive())   # nothing turns without a need


@pytest.mark.usefixtures("clock")
def test_new_work_takes_the_place_of_what_was_left_of_the_old_one(qtbot: QtBot) -> None:
    old: list[int] = []
    new: list[int] = []
    owner = QObject()
    work = InTurns(owner)
    work.start(pieces(old))
    before = len(old)
    work.start(pieces(new))
    qtbot.waitUntil(lambda: new == [0, 1, 2, 3, 4])
    assert len(old) == before


def test_work_for_later_begins_with_the_next_turn(qtbot: QtBot) -> None:
    done: list[int] = []
    owner = QObject()
    InTurns(owner).start_later(pieces(done))
    assert not done
    qtbot.waitUntil(lambda: len(done) == 5)


def test_a_piece_may_start_other_work(qtbot: QtBot) -> None:
    done: list[int] = []
    owner = QObject()
    work = InTurns(owner)

    def first() -> Iterator[None]:
        work.start(pieces(done))
        yield
        done.append(-1)   # forgotten: the other work took its place

    work.start(first())
    qtbot.waitUntil(lambda: len(done) == 5)
    assert -1 not in done


def test_the_clock_counts_this_threads_work_and_not_its_waiting(qtbot: QtBot) -> None:
    done: list[int] = []

    def waiting() -> Iterator[None]:
        for number in range(3):
            time.sleep(2 * turns.AT_ONCE_S)
            done.append(number)
            yield

    owner = QObject()
    InTurns(owner).start(waiting())
    assert done == [0, 1, 2]


@pytest.mark.usefixtures("clock")
def test_what_is_asked_for_again_and_again_begins_once_nobody_has_asked_for_a_while(qtbot: QtBot) -> None:
    done: list[int] = []
    owner = QObject()
    work = InTurns(owner)
    for _ in range(5):
        work.start_later(pieces(done), 60_000)
    qtbot.wait(20)
    assert not done
    work.start_later(pieces(done), 10)
    qtbot.waitUntil(lambda: bool(done))
    assert work._timer.interval() == 0   # the pieces after the first one do not wait
    qtbot.waitUntil(lambda: len(done) == 5)


def test_later_turns_are_shorter_than_what_is_done_at_once(qtbot: QtBot, monkeypatch: pytest.MonkeyPatch) -> None:
    seconds = iter(range(10_000))
    monkeypatch.setattr("freeze_gui.gui.turns.time.thread_time", lambda: next(seconds) * turns.PIECE_S)
    done: list[int] = []
    owner = QObject()
    work = InTurns(owner)
    work.start(pieces(done, 9))
    assert len(done) == round(turns.AT_ONCE_S / turns.PIECE_S)
    assert work.is_working
    before = len(done)
    work.go_on()
    assert len(done) == before + 1
    qtbot.waitUntil(lambda: not work.is_working)
    assert len(done) == 9
