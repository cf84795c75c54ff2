"""What tells of side effects, of first steps after a thaw and of the optimizer's state waits for no device."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from freeze_gui.training.config import load_config
from freeze_gui.training.events import StepDone
from freeze_gui.training.trainer import Trainer
from tests.support.runs import network_config
from tests.support.tasks import task_data, task_network

pytestmark = pytest.mark.gpu

SGD = {"name": "SGD", "lr": 0.01}
ADAM = {"name": "Adam", "lr": 0.01}


def told_under_error_mode(config: dict[str, Any]) -> list[int]:
    """Return the steps of a run of 12 of which none from step 5 on may wait; the last one has the run's end behind it.

    What waits for an event does not count.
    """
    config["train"] |= {"device": "cuda", "steps": 12, "eval_every": 10**6}
    steps = (event.step for event in Trainer(load_config(config)).events() if isinstance(event, StepDone))
    told = [next(steps) for _ in range(4)]
    torch.cuda.set_sync_debug_mode("error")
    try:
        told += [next(steps) for _ in range(7)]
    finally:
        torch.cuda.set_sync_debug_mode("default")
    return [*told, *steps]


@pytest.mark.parametrize(("method", "optimizer", "freeze"), [
    ("grad_zero", SGD, {}),                       # clipping sees gradients of zero,
    ("grad_zero", SGD | {"zero_grad": "zero"}, {}),
    ("lr_zero", SGD, {}),                         # and others
    ("exclude", SGD, {}),                         # gradients are left over
    ("restore", ADAM, {"to_step": 7}),            # a first step after a thaw
    ("grad_none", ADAM, {"to_step": 7, "thaw": "reset_state"}),
    ("exclude", SGD | {"momentum": 0.9}, {"to_step": 7}),
], ids=str)  # fmt: skip
def test_no_step_waits_for_what_tells_of_side_effects(
    method: str, optimizer: dict[str, Any], freeze: dict[str, Any]
) -> None:
    config = network_config(method, optimizer, {"norm": "eval", **freeze}, clip_grad_norm=0.2)
    assert told_under_error_mode(config) == list(range(12))


@pytest.mark.parametrize("tasks", [["a"], ["a", "b"]], ids=str)
def test_no_measured_step_waits_for_what_the_optimizer_keeps(tasks: list[str], tmp_path: Path) -> None:
    config = network_config("grad_none", ADAM)
    config["freeze"] = {"method": "grad_none", "norm": "eval", "task": [{"task": "a", "layers": ["first", "norm"]}]}
    config["model"]["source"], config["data"] = task_network(tmp_path), {"source": task_data(tmp_path, tasks)}
    assert told_under_error_mode(config) == list(range(12))
