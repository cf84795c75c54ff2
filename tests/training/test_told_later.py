"""On a device a step is told when the next one is under way; whatever happens meanwhile, all that was taken is told."""

from __future__ import annotations

from itertools import accumulate
from pathlib import Path
from textwrap import dedent
from typing import Any

import numpy as np
import pytest
import torch

from freeze_gui.training.config import load_config
from freeze_gui.training.control import RunControl
from freeze_gui.training.events import Evaluated, PlanApplied, RunEnded, StepDone
from freeze_gui.training.trainer import Trainer
from tests.support.runs import network_config
from tests.support.stand_in_device import StandInDevice

SGD = {"name": "SGD", "lr": 0.01, "momentum": 0.9}


def told(config: dict[str, Any]) -> list[Any]:
    """Run, and return what was told in which order: the loss of each step, and all else by its kind and step."""
    found: list[Any] = []
    for event in Trainer(load_config(config)).events():
        if isinstance(event, StepDone):
            found.append((event.step, event.loss, event.frozen.tolist(), event.leaked, event.grad_norm is None))
        elif isinstance(event, PlanApplied | Evaluated):
            found.append((type(event).__name__, event.step))
        elif isinstance(event, RunEnded):
            reports = event.side_effects, event.thaws, event.norm_reports
            found.append((event.status, event.error, event.steps, event.tensors, *reports))
    return found


def told_on_both(config: dict[str, Any]) -> list[Any]:
    """Return what was told, which must be the same here and on a device, NaN included."""
    here = told(config)
    with StandInDevice().there():
        config["train"]["device"] = "cuda"
        there = told(config)
    assert list(map(repr, there)) == list(map(repr, here))
    return here


def model_file(folder: Path, forward: str, more: str = "") -> str:
    """Write a network of the three known layers and `more`, `forward` in front of its own; return it as a source."""
    text = f"""
        import torch
        from torch import nn
        class Net(nn.Module):
            def __init__(self):
                super().__init__()
                self.first, self.middle, self.last = nn.Linear(6, 8), nn.Linear(8, 8), nn.Linear(8, 3)
                self.calls = 0
                {more}
            def forward(self, x):
                self.calls += 1
                {forward}
                return self.last(torch.relu(self.middle(torch.relu(self.first(x)))))
        def build():
            return Net()
        """
    (folder / "net.py").write_text(dedent(text))
    return f"file:{folder / 'net.py'}:build"


@pytest.mark.parametrize("train", [{"eval_every": 2}, {"measure_every": 3}, {"amp": "fp16"}], ids=str)
@pytest.mark.parametrize("moment", ["step_start", "after_backward"])
def test_steps_plans_and_evaluations_come_in_the_order_in_which_they_happen(moment: str, train: dict[str, Any]) -> None:
    phases = [{"layers": ["first", "norm"], "from": 2, "to": 5}, {"layers": ["middle"], "from": 3}]
    config = network_config("grad_zero", SGD, steps=9, **train)
    config["freeze"] = {"method": "grad_zero", "moment": moment, "phase": phases}
    found = told_on_both(config)
    assert [event[0] for event in found if isinstance(event[0], int)] == list(range(9))


def test_an_evaluation_is_told_behind_the_step_that_it_follows() -> None:
    config = network_config("grad_zero", SGD, steps=4, eval_every=2)
    config["model"], config["data"] = {"source": "builtin:digits-cnn", "weights": "none"}, {"source": "digits"}
    config["freeze"] = {"layers": ["stem"]}
    order = [event[0] for event in told_on_both(config)[:-1]]
    assert order == ["PlanApplied", 0, 1, "Evaluated", 2, 3, "Evaluated"]


def test_a_step_is_told_although_the_next_one_fails(tmp_path: Path) -> None:
    config = network_config("requires_grad", SGD, {"layers": ["first"]}, steps=9)
    forward = "if self.calls == 5: raise ValueError('the fifth batch')"
    config["model"]["source"] = model_file(tmp_path, forward)
    found = told_on_both(config)
    assert [event[0] for event in found if isinstance(event[0], int)] == [0, 1, 2, 3]
    status, error, steps, *_ = found[-1]
    assert (status, steps) == ("failed", 4)
    assert "the fifth batch" in error


def test_a_run_ends_at_the_first_step_whose_loss_is_not_finite(tmp_path: Path) -> None:
    config = network_config("requires_grad", SGD, {"layers": ["first"]}, steps=9)
    forward = "x = x * float('inf') if self.calls == 4 else x"
    config["model"]["source"] = model_file(tmp_path, forward)
    found = told_on_both(config)
    assert [event[0] for event in found if isinstance(event[0], int)] == [0, 1, 2, 3]
    assert found[-1][0] == "diverged"
    assert found[-1][2] == 4


def test_a_step_whose_loss_is_not_finite_is_the_reason_where_the_next_one_fails_for_it(tmp_path: Path) -> None:
    config = network_config("requires_grad", SGD, {"layers": ["first"]}, steps=9)
    forward = "x = x * float('inf') if self.calls == 4 else x; assert self.last.weight.isfinite().all()"
    config["model"]["source"] = model_file(tmp_path, forward)
    found = told_on_both(config)
    assert [event[0] for event in found if isinstance(event[0], int)] == [0, 1, 2, 3]
    assert found[-1][0] == "diverged"


def test_the_norms_of_a_frozen_layer_are_those_right_after_a_step_though_the_next_forward_writes_as_well(
    tmp_path: Path,
) -> None:
    config = network_config("requires_grad", SGD, {"layers": ["first"]}, steps=9)
    config["model"]["source"] = model_file(tmp_path, "if self.calls > 4: self.first.weight.data.add_(self.calls)")
    config["train"]["device"] = "cuda"
    with StandInDevice().there():
        steps = [event for event in Trainer(load_config(config)).events() if isinstance(event, StepDone)]
    updates = [0, 0, 0, 0, 5, 6, 7, 8, 9]   # of each of 48 weights
    for step, change, distance in zip(steps, updates, accumulate(updates), strict=True):
        assert step.update_norm is not None
        assert step.weight_delta is not None
        assert step.update_norm[0] == pytest.approx(change * 48**0.5)
        assert step.weight_delta[0] == pytest.approx(distance * 48**0.5)


def test_the_norms_of_a_layer_are_those_right_after_its_last_frozen_step_though_it_has_thawed_and_moved_on(
    tmp_path: Path,
) -> None:
    frozen = {"phase": [{"layers": ["first"], "to": 6}, {"layers": ["middle"]}]}
    config = network_config("requires_grad", SGD, steps=9) | {"freeze": {"method": "requires_grad", **frozen}}
    config["model"]["source"] = model_file(tmp_path, "if self.calls > 5: self.first.weight.data.add_(self.calls)")
    config["train"]["device"] = "cuda"
    with StandInDevice().there():
        steps = [event for event in Trainer(load_config(config)).events() if isinstance(event, StepDone)]
    updates = [0, 0, 0, 0, 0, 6]   # of each of 48 weights
    for step, change, distance in zip(steps, updates, accumulate(updates), strict=False):
        assert step.leaked == ((0,) if change else ())
        assert step.update_norm is not None
        assert step.weight_delta is not None
        assert step.update_norm[0] == pytest.approx(change * 48**0.5)
        assert step.weight_delta[0] == pytest.approx(distance * 48**0.5)


def test_a_frozen_parameter_that_the_model_drops_is_measured_where_it_was(tmp_path: Path) -> None:
    config = network_config("requires_grad", SGD, {"layers": ["first"]}, steps=9)
    config["model"]["source"] = model_file(tmp_path, "self.first.bias = None if self.calls > 4 else self.first.bias")
    found = told_on_both(config)
    assert found[-1][0] == "completed"
    assert [event[0] for event in found[:-1] if event[0] != "PlanApplied" and event[3]] == [4]   # leaked


@pytest.mark.parametrize("moment", ["step_start", "after_backward"])
def test_a_run_that_diverges_right_before_the_plan_changes_tells_nothing_of_that_change(
    moment: str, tmp_path: Path
) -> None:
    phases = [{"layers": ["first"], "to": 4}, {"layers": ["middle", "norm"], "from": 4}]
    config = network_config("grad_zero", SGD, steps=9)
    config["freeze"] = {"method": "grad_zero", "moment": moment, "phase": phases}
    forward = "self.calls += 1; x = self.norm(x * float('inf') if self.calls == 8 else x)"
    config["model"]["source"] = model_file(tmp_path, forward, "self.norm = nn.BatchNorm1d(6)")
    found = told_on_both(config)
    assert [event for event in found if event[0] == "PlanApplied"] == [("PlanApplied", 0)]
    status, _, steps, tensors, *_ = found[-1]
    assert (status, steps) == ("diverged", 4)
    assert {tensor.layer: tensor.frozen_steps for tensor in tensors}["first"] == ((0, 4),)
    assert not any(tensor.frozen_steps for tensor in tensors if tensor.layer != "first")


@pytest.mark.parametrize("moment", ["step_start", "after_backward"])
@pytest.mark.parametrize(("method", "thaw"), [("filter", "keep_state"), ("grad_zero", "reset_state")])
def test_a_run_that_diverges_right_before_state_is_dropped_tells_of_that_state(
    method: str, thaw: str, moment: str, tmp_path: Path
) -> None:
    phases = [{"layers": ["first"], "to": 4}, {"layers": ["middle"], "from": 4}]
    config = network_config(method, {"name": "Adam", "lr": 0.01}, steps=9)
    config["freeze"] = {"method": method, "moment": moment, "thaw": thaw, "phase": phases}
    config["model"]["source"] = model_file(tmp_path, "x = x * float('inf') if self.calls == 4 else x")
    states: list[Any] = []
    with StandInDevice().there():
        for config["train"]["device"] in ("cpu", "cuda"):
            ended = list(Trainer(load_config(config)).events())[-1]
            assert isinstance(ended, RunEnded)
            assert (ended.status, ended.steps) == ("diverged", 4)
            states.append(ended.optimizer_state)
    np.testing.assert_array_equal(*states)


def test_the_last_step_may_be_the_one_whose_loss_is_not_finite(tmp_path: Path) -> None:
    config = network_config("requires_grad", SGD, {"layers": ["first"]}, steps=4)
    config["model"]["source"] = model_file(tmp_path, "x = x * float('inf') if self.calls == 4 else x")
    assert told_on_both(config)[-1][0] == "diverged"


def test_whoever_lets_a_run_wait_sees_every_step_that_it_took() -> None:
    config = network_config("requires_grad", SGD, steps=9)
    config["train"]["device"] = "cuda"
    control, steps, paused_at = RunControl(), [], -1
    with StandInDevice().there():
        trainer = Trainer(load_config(config), control)
        for event in trainer.events():
            if not isinstance(event, StepDone):
                continue
            steps.append(event.step)
            if event.step == 3:
                control.pause()
                paused_at = trainer._steps
            if event.step == paused_at - 1:   # else this would wait for ever
                control.resume()
    assert paused_at == 5
    assert steps == list(range(9))


def test_a_run_that_is_stopped_tells_all_that_it_took_and_goes_on_from_there() -> None:
    config = network_config("requires_grad", SGD, steps=9)
    config["train"]["device"] = "cuda"
    with StandInDevice().there():
        whole = Trainer(load_config(config))
        losses = [event.loss for event in whole.events() if isinstance(event, StepDone)]
        control, first = RunControl(), []
        trainer = Trainer(load_config(config), control)
        for event in trainer.events():
            if isinstance(event, StepDone):
                first.append(event.loss)
                control.stop()
        checkpoint = trainer.checkpoint()
        assert checkpoint is not None
        assert checkpoint.step == len(first) < 9
        rest = Trainer(load_config(config), None, checkpoint)
        second = [event.loss for event in rest.events() if isinstance(event, StepDone)]
        assert first + second == losses
        ended, last = rest.checkpoint(), whole.checkpoint()
        assert ended is not None
        assert last is not None
        assert all(torch.equal(value, last.tensors[name]) for name, value in ended.tensors.items())


PHASED: dict[str, Any] = {"method": "grad_zero", "phase": [
    {"layers": ["first", "norm"], "from": 2, "to": 5}, {"layers": ["middle"], "from": 3},
]}  # fmt: skip
PLATEAU = {"name": "SGD", "lr": 0.5, "scheduler": {"name": "ReduceLROnPlateau", "patience": 0}}


@pytest.mark.parametrize("changes", [
    {"freeze": PHASED},
    {"model": {"source": "builtin:digits-cnn"}, "data": {"source": "digits", "batch_size": 512},
     "freeze": {"layers": ["stem"], "to_step": 3}, "optimizer": PLATEAU},
], ids=["phases", "evaluations"])  # fmt: skip
def test_a_checkpoint_of_any_moment_goes_on_to_the_same_bits(changes: dict[str, Any]) -> None:
    config = network_config("requires_grad", SGD, steps=7, eval_every=2, device="cuda") | changes
    with StandInDevice().there():
        trainer = Trainer(load_config(config))
        kinds = (StepDone, PlanApplied, Evaluated)
        found = [trainer.checkpoint() for event in trainer.events() if isinstance(event, kinds)]
        last = trainer.checkpoint()
        assert last is not None
        for checkpoint in found:
            assert checkpoint is not None
            rest = Trainer(load_config(config), None, checkpoint)
            steps = [event.step for event in rest.events() if isinstance(event, StepDone)]
            assert steps == [*range(checkpoint.step, 7)]
            ended = rest.checkpoint()
            assert ended is not None
            assert ended.metrics == last.metrics
            assert all(torch.equal(value, last.tensors[name]) for name, value in ended.tensors.items())
