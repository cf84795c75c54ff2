from __future__ import annotations

import threading
import time

from freeze_gui.freezing.plan import FreezePlan
from freeze_gui.training.control import RunControl


def test_stop_wakes_a_paused_run() -> None:
    control = RunControl()
    control.pause()
    answers: list[bool] = []
    thread = threading.Thread(target=lambda: answers.append(control.wait_for_turn(-1e9)))
    thread.start()
    control.stop()
    thread.join(5)
    assert answers == [False]


def test_a_pace_spaces_the_steps() -> None:
    control = RunControl()
    control.set_pace(20)
    began = time.perf_counter()
    assert control.wait_for_turn(began)
    assert time.perf_counter() - began >= 0.05


def test_a_pace_does_not_delay_a_stop() -> None:
    control = RunControl()
    control.set_pace(0.01)
    threading.Timer(0.05, control.stop).start()
    began = time.perf_counter()
    assert not control.wait_for_turn(began)
    assert time.perf_counter() - began < 5


def test_only_the_newest_plan_is_taken_and_once() -> None:
    control = RunControl()
    control.submit_plan(FreezePlan(method="detach"))
    control.submit_plan(FreezePlan(method="restore"))
    taken = control.take_plan()
    assert taken is not None
    assert taken.method == "restore"
    assert control.take_plan() is None


def test_pausing_a_stopping_run_changes_nothing() -> None:
    control = RunControl()
    control.stop()
    control.pause()
    assert not control.is_paused


def test_who_must_not_wait_does_not_even_where_the_pause_comes_while_it_asks() -> None:
    control = RunControl()

    class PausedMeanwhile(threading.Event):
        def is_set(self) -> bool:
            was = super().is_set()
            self.clear()
            return was

    control._go = PausedMeanwhile()
    control._go.set()
    asked = threading.Thread(target=control.is_my_turn, args=(-1e9,), daemon=True)
    asked.start()
    asked.join(5)
    stayed = asked.is_alive()
    control.stop()
    asked.join(5)
    assert not stayed
