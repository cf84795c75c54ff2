from __future__ import annotations

import numpy as np
import pytest

from freeze_gui.runs.recorder import RunRecorder
from freeze_gui.runs.step_block import StepBlock
from freeze_gui.training.config import load_config
from freeze_gui.training.events import StepDone
from tests.support.events import differences, events

CONFIG = load_config({"model": {"source": "builtin:digits-cnn"}})


def block_of(steps: list[StepDone]) -> StepBlock:
    """Put records together by hand, as `StepBlock` says."""
    layers = len(steps[0].frozen)
    measured = [s for s in steps if s.grad_norm is not None]
    reads = [s for s in steps if s.optimizer_state is not None]
    norms = [[s.grad_norm, s.update_norm, s.weight_delta] for s in measured]
    return StepBlock(
        step=np.array([s.step for s in steps]),
        loss=np.array([s.loss for s in steps]),
        step_s=np.array([s.step_s for s in steps]),
        overhead_s=np.array([s.overhead_s for s in steps]),
        learning_rate=np.array([s.learning_rate for s in steps]),
        task=[s.task for s in steps],
        frozen=np.array([s.frozen for s in steps]),
        leaked=np.array([[row in s.leaked for row in range(layers)] for s in steps]),
        measured=np.array([s.grad_norm is not None for s in steps]),
        norms=np.array(norms, np.float64).reshape(len(measured), 3, layers),   # type: ignore[arg-type]   # not rounded
        state_step=np.array([s.step for s in reads], np.int64),
        optimizer_state=np.array([s.optimizer_state for s in reads], np.float32).reshape(len(reads), layers, 3),
    )


@pytest.mark.parametrize("tasks", [False, True])
@pytest.mark.parametrize("every", [1, 3, 1000])
@pytest.mark.parametrize("size", [1, 2, 5, 300, 900])
def test_many_steps_at_once_leave_what_the_same_steps_leave_one_by_one(size: int, every: int, tasks: bool) -> None:
    one_by_one, at_once = RunRecorder(CONFIG), RunRecorder(CONFIG)
    came = list(events(5, 700, every=every, tasks=tasks, first=20))
    for event in came:
        one_by_one.handle(event)
    for event in came:
        if not isinstance(event, StepDone):
            at_once.handle(event)
    steps = [event for event in came if isinstance(event, StepDone)]
    for at in range(0, len(steps), size):
        at_once.extend(block_of(steps[at : at + size]))
    assert differences(at_once, one_by_one, rounded=False) == []
    assert at_once.leaked.sum() == sum(len(step.leaked) for step in steps) > 0


@pytest.mark.parametrize("count", [0, 1, 4, 5, 12])
def test_the_rest_of_a_block_is_the_block_of_the_rest(count: int) -> None:
    steps = [event for event in events(3, 12, every=4, tasks=True) if isinstance(event, StepDone)]
    rest = block_of(steps).after(count)
    if count == len(steps):
        assert not len(rest.step) and not len(rest.norms) and not len(rest.state_step)
        return
    for name, values in vars(block_of(steps[count:])).items():
        assert np.array_equal(getattr(rest, name), values), name
