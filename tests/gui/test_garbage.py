"""Tests of what the window's own garbage collections take, and of what they leave alone."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Iterator

import pytest
from PySide6.QtCore import QObject

from freeze_gui.gui.garbage import MANY, WORTH_A_LOOK, GarbageGuard


class Cycle:
    """What only a collection can take apart."""

    def __init__(self) -> None:
        self.itself = self


@pytest.fixture
def guard(qapp: QObject) -> Iterator[GarbageGuard]:
    """Return a guard that collects when it is told to, with nothing young around it."""
    parent = QObject()
    guard = GarbageGuard(parent)
    guard._timer.stop()
    gc.collect()
    yield guard
    guard.close()


def test_what_has_become_garbage_since_the_last_time_is_collected(guard: GarbageGuard) -> None:
    cycle = weakref.ref(Cycle())
    fresh: list[list[object]] = [[] for _ in range(gc.get_threshold()[0] + 1)]   # fewer are not worth a look
    guard.collect()
    assert cycle() is None
    del fresh


def test_a_collection_waits_until_there_is_enough_to_look_through(guard: GarbageGuard) -> None:
    cycle = weakref.ref(Cycle())
    guard.collect()
    assert cycle() is not None


def test_older_objects_are_looked_through_when_the_young_ones_have_been_often_enough(guard: GarbageGuard) -> None:
    living = Cycle()
    cycle = weakref.ref(living)
    gc.collect(0)   # it is no longer young
    del living
    made: list[list[object]] = []   # what is given back meanwhile would not count
    for _ in range(2 * gc.get_threshold()[1]):
        made += [[] for _ in range(gc.get_threshold()[0] + 1)]
        guard.collect()
    assert cycle() is None


def test_what_an_import_makes_is_set_aside_without_a_look(guard: GarbageGuard) -> None:
    aside = gc.get_freeze_count()
    cycle = weakref.ref(Cycle())
    made: list[list[object]] = [[] for _ in range(MANY + 1)]
    guard.collect()
    assert gc.get_freeze_count() > aside + MANY
    assert gc.get_count()[0] < MANY
    assert cycle() is not None
    assert len(made) > MANY


def grown_old(count: int) -> list[list[object]]:
    """Return so many objects that have outlived a full collection."""
    made: list[list[object]] = [[] for _ in range(count)]
    gc.collect()
    return made


def test_what_is_kept_for_good_is_looked_through_once_more_and_set_aside(guard: GarbageGuard) -> None:
    aside = gc.get_freeze_count()
    living = Cycle()
    cycle = weakref.ref(living)
    kept = grown_old(WORTH_A_LOOK)
    del living
    guard.collect()
    assert cycle() is None
    assert gc.get_freeze_count() > aside + WORTH_A_LOOK
    aside = gc.get_freeze_count()
    guard.collect()
    assert gc.get_freeze_count() == aside   # not again before there is as much of it
    assert len(kept) == WORTH_A_LOOK


def test_nothing_is_set_aside_while_a_run_goes_on_or_where_there_is_little(guard: GarbageGuard) -> None:
    aside = gc.get_freeze_count()
    few = grown_old(WORTH_A_LOOK - 5000)
    guard.collect()
    assert gc.get_freeze_count() == aside
    more = grown_old(5000)
    guard.is_busy = lambda: True
    guard.collect()
    assert gc.get_freeze_count() == aside
    assert len(few) + len(more) == WORTH_A_LOOK
