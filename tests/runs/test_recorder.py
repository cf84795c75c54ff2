from __future__ import annotations

import json
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from freeze_gui.freezing.verdict import Cause, TensorVerdict
from freeze_gui.runs.execute import execute
from freeze_gui.runs.recorder import RunRecorder, TrainableCount
from freeze_gui.training.config import load_config
from freeze_gui.training.events import (
    NO_GRADIENT,
    Cost,
    Evaluated,
    LayerRecord,
    PlanApplied,
    Progress,
    RunEnded,
    RunStarted,
    StepDone,
)
from tests.gui.recorded_runs import started_run

CONFIG = load_config({"model": {"source": "builtin:digits-cnn"}, "freeze": {"method": "grad_zero"}})
NEITHER, FIRST, BOTH = (np.array(flags) for flags in ([False, False], [True, False], [True, True]))
STARTED = RunStarted((LayerRecord("a", "Linear", 6), LayerRecord("b", "Linear", 3)), 6, "cpu", 3, {"python": "3"})


def step(number: int, frozen: np.ndarray, leaked: tuple[int, ...] = ()) -> StepDone:
    norms = np.array([NO_GRADIENT if frozen[0] else 1.0, 2.0])
    loss, times = 1.0 / (number + 1), (0.01, 0.001)
    return StepDone(number, loss, None, norms, np.abs(norms), np.abs(norms), frozen, leaked, *times, learning_rate=0.1)


def recorded(*events: object) -> RunRecorder:
    recorder = RunRecorder(CONFIG)
    for event in (STARTED, *events):
        recorder.handle(event)   # type: ignore[arg-type]
    return recorder


def test_the_state_follows_the_run() -> None:
    recorder = RunRecorder(CONFIG)
    seen = [recorder.status]
    for event in (Progress("loading", 1, 2), STARTED, step(0, NEITHER), RunEnded("diverged", "why", 1)):
        recorder.handle(event)
        seen.append(recorder.status)
    assert seen == ["waiting", "loading", "running", "running", "diverged"]
    assert recorder.progress is None
    assert recorder.label == "grad_zero"


def test_frozen_windows_are_half_open_and_join_neighbouring_steps() -> None:
    flags = [NEITHER, FIRST, FIRST, BOTH, NEITHER, FIRST]
    recorder = recorded(*(step(number, frozen) for number, frozen in enumerate(flags)))
    assert recorder.frozen_windows(0) == [(1, 4), (5, 6)]
    assert recorder.frozen_windows(1) == [(3, 4)]


def test_frozen_windows_do_not_depend_on_whether_flags_are_shared_between_steps() -> None:
    recorder = recorded(*(step(number, FIRST.copy()) for number in range(4)))
    assert recorder.frozen_windows(0) == [(0, 4)]


def test_trainable_counts_are_kept_at_the_first_step_and_each_change() -> None:
    recorder = recorded(
        PlanApplied(0, FIRST, 3), step(0, FIRST), PlanApplied(2, FIRST, 3), PlanApplied(4, NEITHER, 9), step(4, NEITHER)
    )
    assert recorder.trainable == [TrainableCount(0, 3), TrainableCount(4, 9)]


def test_moments_of_freezing_and_thawing_are_marked_but_not_the_start() -> None:
    recorder = recorded(PlanApplied(0, FIRST, 3), PlanApplied(2, BOTH, 0), PlanApplied(5, NEITHER, 9))
    assert recorder.history is not None
    assert [number for number, _ in recorder.history.markers] == [2, 5]
    assert "1" in recorder.history.markers[0][1]
    assert "2" in recorder.history.markers[1][1]


def test_leaks_are_counted_per_layer() -> None:
    recorder = recorded(step(0, FIRST, (0,)), step(1, FIRST, (0,)), step(2, BOTH, (0, 1)))
    assert recorder.leaked.tolist() == [3, 1]


def test_a_run_that_has_not_ended_has_no_summary() -> None:
    with pytest.raises(RuntimeError, match="has not ended"):
        recorded().summary()


def test_a_run_that_never_began_has_an_empty_summary() -> None:
    recorder = RunRecorder(CONFIG)
    recorder.handle(RunEnded("failed", "no such file", 0))
    summary = recorder.summary()
    assert (summary["status"], summary["error"], summary["steps"]) == ("failed", "no such file", 0)
    assert summary["loss"] == summary["layers"] == summary["tensors"] == summary["evaluations"] == []


def test_the_summary_says_what_happened() -> None:
    moved = TensorVerdict("a.weight", "parameter", "a", ((0, 2),), True, 1, 1, 0.5, (Cause("momentum", 1, 0.5),))
    held = TensorVerdict("a.bias", "parameter", "a", ((0, 2),))
    summary = recorded(
        PlanApplied(0, FIRST, 3), step(0, FIRST), step(1, FIRST, (0,)), PlanApplied(2, NEITHER, 9), step(2, NEITHER),
        Evaluated(3, 0.25, 0.5), RunEnded("completed", None, 3, (moved, held), (), Cost(36, 72, 100, None)),
    ).summary()
    assert (summary["format"], summary["status"], summary["steps"]) == (1, "completed", 3)
    assert summary["loss"] == [1.0, 0.5, 1 / 3]
    assert summary["evaluations"] == [{"step": 3, "loss": 0.25, "accuracy": 0.5}]
    assert summary["trainable_parameters"] == [{"step": 0, "count": 3}, {"step": 2, "count": 9}]
    first, second = summary["layers"]
    assert (first["path"], first["kind"], first["parameters"]) == ("a", "Linear", 6)
    assert (first["frozen_steps"], first["verdict"]) == ([[0, 2]], "leaked")
    assert first["grad_norm"] == [None, None, 1.0]   # no gradient is null, never zero
    assert (second["frozen_steps"], second["verdict"]) == ([], "trained")
    tensor = summary["tensors"][0]
    assert (tensor["name"], tensor["role"], tensor["layer"], tensor["frozen_steps"]) == (
        "a.weight", "parameter", "a", [[0, 2]],
    )
    assert (tensor["moved"], tensor["moved_steps"], tensor["first_moved_step"]) == (True, 1, 1)
    assert tensor["causes"] == [{"cause": "momentum", "steps": 1, "max_abs_change": 0.5}]
    assert summary["cost"]["gradient_bytes"] == 36
    assert summary["cost"]["step_ms_median"] == pytest.approx(10.0)
    json.dumps(summary, allow_nan=False)


def test_the_newest_optimizer_state_is_kept_and_the_end_brings_the_last() -> None:
    early, late = np.full((2, 3), 1.0), np.full((2, 3), 2.0)
    recorder = recorded(replace(step(0, NEITHER), optimizer_state=early), step(1, NEITHER))
    assert recorder.optimizer_state is early
    recorder.handle(RunEnded("completed", None, 2, optimizer_state=late))
    assert recorder.optimizer_state is late


def test_findings_are_there_once_the_summary_is_made() -> None:
    recorder = recorded(step(0, NEITHER), RunEnded("completed", None, 1))
    assert not recorder.findings
    summary = recorder.summary()
    assert recorder.findings == {key: summary[key] for key in ("forecast", "scenario", "claims") if key in summary}


def test_steps_of_tasks_are_no_moments_of_freezing_but_a_phase_beside_them_is() -> None:
    config = load_config({
        "model": {"source": "builtin:two-task"},
        "freeze": {
            "phase": [{"layers": ["output"], "from": 4, "to": 7}],
            "task": [
                {"task": "task1", "layers": ["hidden_task2"]}, {"task": "task2", "layers": ["hidden_task1"]}
            ],
        },
        "train": {"steps": 10, "device": "cpu"},
    })  # fmt: skip
    recorder = execute(config)
    assert recorder.history is not None
    assert [step for step, _ in recorder.history.markers] == [4, 7]


def test_windows_are_those_of_the_flags_at_each_step_while_the_run_goes_on() -> None:
    run, plans = started_run(), np.random.default_rng(0).random((60, 4)) < 0.5
    frozen, norms = np.repeat(plans, 3, axis=0), np.ones(4)
    each = list(plans)   # arrays that the three steps of a plan share
    for step in range(len(frozen)):
        flags = each[step // 3]
        run.handle(StepDone(step, 1.0, None, norms, norms, norms, flags, (), 0.01, 0.001, 0.1))
        for layer in range(4):
            windows = run.frozen_windows(layer)
            at = [number for start, stop in windows for number in range(start, stop)]
            assert all(one[1] < other[0] for one, other in pairwise(windows))   # neighbours are one window
            assert at == np.flatnonzero(frozen[: step + 1, layer]).tolist()
