from __future__ import annotations

import numpy as np
import pytest
from pytestqt.qtbot import QtBot

from freeze_gui.gui.measuring_label import MeasuringLabel, how_often
from freeze_gui.runs.recorder import RunRecorder
from freeze_gui.training.events import StepDone
from tests.gui.recorded_runs import started_run


def run_measured_at(steps: int, measured: set[int]) -> RunRecorder:
    run, norms = started_run("run", steps, ["a", "b"]), np.ones(2)
    for step in range(steps):
        found = norms if step in measured else None
        overhead_s = 0.004 if step in measured else 0.001
        run.handle(StepDone(step, 1.0, None, found, found, found, np.zeros(2, bool), (), 0.01, overhead_s, 0.1))
    return run


@pytest.mark.parametrize(
    ("every", "words"),
    [(1, "every step"), (2, "every 2nd step"), (3, "every 3rd step"), (11, "every 11th step"), (32, "every 32nd step"),
     (101, "every 101st step"), (1024, "every 1,024th step")],
)
def test_an_interval_is_said_as_people_say_it(every: int, words: str) -> None:
    assert how_often(every) == words


def test_the_share_is_that_of_the_recent_steps_and_the_interval_that_of_now(qtbot: QtBot) -> None:
    label = MeasuringLabel()
    qtbot.addWidget(label)
    label.set_run(run_measured_at(50, set(range(50))))
    assert label.text() == "overhead 40.0 % · norms at every step"
    # the last 256 of 600 steps hold 32 measured ones, 344 and 592 among them: (32·4 + 224·1) / 2560
    label.set_run(run_measured_at(600, {*range(100), *range(104, 600, 8)}))
    assert label.text() == "overhead 13.8 % · norms at every 8th step"
    label.set_run(run_measured_at(600, {*range(100), *range(104, 600, 8), 595, 599}))   # the plan changed, and the end
    assert "every 8th step" in label.text()


def test_tasks_that_alternate_are_each_measured_at_the_interval(qtbot: QtBot) -> None:
    label, run, norms = MeasuringLabel(), started_run("run", 600, ["a", "b"]), np.ones(2)
    qtbot.addWidget(label)
    for step in range(600):
        found = norms if step < 100 or step % 32 in (0, 1) else None
        task = f"task{step % 2}"
        run.handle(StepDone(step, 1.0, task, found, found, found, np.zeros(2, bool), (), 0.01, 0.001, 0.1))
        if step == 99:
            label.set_run(run)
            assert label.text() == "overhead 10.0 % · norms at every step"
    label.refresh()
    assert label.text() == "overhead 10.0 % · norms at every 32nd step"


def test_updates_that_gave_way_are_named_and_those_of_a_diverged_run_are_not(qtbot: QtBot) -> None:
    label, run, one, nothing = MeasuringLabel(), run_measured_at(3, {0, 1, 2}), np.ones(2), np.full(2, np.nan)
    qtbot.addWidget(label)
    run.handle(StepDone(3, 1.0, None, one, nothing, one, np.zeros(2, bool), (), 0.01, 0.001, 0.1))
    label.set_run(run)
    assert label.text().endswith("every step · no updates, memory is short")
    run.handle(StepDone(4, 1.0, None, nothing, nothing, nothing, np.zeros(2, bool), (), 0.01, 0.001, 0.1))
    label.refresh()
    assert label.text().endswith("every step")


def test_nothing_is_said_before_the_first_step(qtbot: QtBot) -> None:
    label = MeasuringLabel()
    qtbot.addWidget(label)
    label.set_run(run_measured_at(3, {0}))
    for run in (None, started_run("run", 5, ["a"])):
        label.set_run(run)
        assert label.text() == label.toolTip() == ""
