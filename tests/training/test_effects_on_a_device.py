"""Side effects, first steps after a thaw and optimizer state on a device: nobody waits, and all is told as here."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from freeze_gui.data.sources import Batch
from freeze_gui.freezing.methods import METHODS
from freeze_gui.runs.recorder import RunRecorder
from freeze_gui.training import trainer
from freeze_gui.training.config import load_config
from freeze_gui.training.control import RunControl
from freeze_gui.training.events import RunEnded, StepDone
from freeze_gui.training.loop import Loop
from tests.support.runs import network_config
from tests.support.stand_in_device import StandInDevice
from tests.support.tasks import task_data, task_network
from tests.training.test_told_later import model_file, told_on_both

SGD = {"name": "SGD", "lr": 0.01}


def waits_in_steps(config: dict[str, Any]) -> list[list[str]]:
    """Return what each step of a run on the device waits for."""
    config["train"]["device"] = "cuda"
    device, found = StandInDevice(), []

    class Counted(Loop):
        def step(self, step: int, group: tuple[Batch, ...]) -> None:
            with device.counted() as waits:
                super().step(step, group)
            found.append(waits)

    with pytest.MonkeyPatch.context() as patch, device.there():
        patch.setattr(trainer, "Loop", Counted)
        ended = list(trainer.Trainer(load_config(config)).events())[-1]
    assert isinstance(ended, RunEnded)
    assert ended.status == "completed", ended.error
    return found


def ended_on_both(config: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the summary of a run here, and of one on the device."""
    found = []
    for device in ("cpu", "cuda"):
        config["train"]["device"] = device
        read = load_config(config)
        recorder = RunRecorder(read)
        with StandInDevice().there():
            for event in trainer.Trainer(read).events():
                recorder.handle(event)
        assert recorder.status == "completed", recorder.ended
        found.append(recorder.summary())
    return found[0], found[1]


@pytest.mark.parametrize("zero_grad", ["none", "zero"])
@pytest.mark.parametrize("method", ["grad_zero", "grad_none", "requires_grad", "exclude", "lr_zero", "restore"])
def test_no_step_waits_where_gradients_are_clipped(method: str, zero_grad: str) -> None:
    freeze = {"norm": "eval", "from_step": 2}
    config = network_config(method, {**SGD, "zero_grad": zero_grad}, freeze, steps=9, clip_grad_norm=0.2)
    assert waits_in_steps(config)[5:] == [[]] * 4


CASES = [
    *[(method, optimizer) for method in METHODS for optimizer in (
        {"name": "SGD", "lr": 0.01, "momentum": 0.9}, {"name": "AdamW", "lr": 0.01},
        {"name": "Adam", "lr": 0.01, "foreach": False},
    )],
    *[("grad_zero", {"name": name, "lr": 0.01}) for name in ("SGD", "RMSprop", "Adagrad", "Adadelta", "Rprop")],
]  # fmt: skip


@pytest.mark.parametrize("thaw", ["keep_state", "reset_state"])
@pytest.mark.parametrize(("method", "optimizer"), CASES, ids=str)
def test_the_first_step_after_a_thaw_waits_for_nothing(method: str, optimizer: dict[str, Any], thaw: str) -> None:
    freeze = {"norm": "eval", "from_step": 2, "to_step": 6, "thaw": thaw}
    assert waits_in_steps(network_config(method, optimizer, freeze, steps=9))[4:] == [[]] * 5


TASKS = {"method": "grad_none", "norm": "eval", "task": [{"task": "a", "layers": ["first", "norm"]}]}


@pytest.mark.parametrize("tasks", [["a"], ["a", "b"]], ids=str)
def test_the_optimizer_state_of_every_step_comes_without_a_wait(tasks: list[str], tmp_path: Path) -> None:
    config = network_config("grad_none", {"name": "Adam"}, steps=9)
    config["freeze"], config["data"] = TASKS, {"source": task_data(tmp_path, tasks)}
    config["model"]["source"] = task_network(tmp_path)
    assert waits_in_steps(config)[4:] == [[]] * 5


@pytest.mark.parametrize("optimizer", [{"name": "Adam"}, {"name": "SGD", "lr": 0.1, "momentum": 0.9}, SGD], ids=str)
@pytest.mark.parametrize("measure_every", [1, 3])
def test_the_optimizer_state_of_each_step_is_that_on_the_cpu(
    optimizer: dict[str, Any], measure_every: int, tmp_path: Path
) -> None:
    config = network_config("grad_none", optimizer, steps=9, measure_every=measure_every)
    config["freeze"], config["data"] = TASKS, {"source": task_data(tmp_path, ["a", "b", "b"])}
    config["model"]["source"] = task_network(tmp_path)
    tables = []
    for device in ("cpu", "cuda"):
        config["train"]["device"] = device
        with StandInDevice().there():
            events = list(trainer.Trainer(load_config(config)).events())
        tables.append([event.optimizer_state for event in events if isinstance(event, StepDone | RunEnded)])
    assert [table is None for table in tables[0]] == [step % measure_every > 0 for step in range(9)] + [False]
    for here, there in zip(*tables, strict=True):
        np.testing.assert_array_equal(here, there)
    if optimizer["name"] == "Adam":   # `last` learns in every step, and `first` in two of three
        assert [table[[-1, 0], 0].tolist() for table in tables[1] if table is not None][-1] == [9, 6]


@pytest.mark.parametrize(("clears", "are_left"), [(True, False), (False, True)])
def test_gradients_that_are_left_over_are_found_without_a_wait(clears: bool, are_left: bool, tmp_path: Path) -> None:
    forward = "[p.grad.zero_() for p in self.parameters() if p.grad is not None]" if clears else "pass"
    config = network_config("exclude", SGD, {"layers": ["first", "middle"], "from_step": 1}, steps=9)
    config["model"]["source"] = model_file(tmp_path, forward)
    assert waits_in_steps(config)[4:] == [[]] * 5
    here, there = ended_on_both(config)
    assert here["side_effects"] == there["side_effects"]
    assert any(effect["kind"] == "gradients_accumulate" for effect in there["side_effects"]) == are_left


def test_a_state_that_stays_as_it_is_is_looked_at_without_a_wait(tmp_path: Path) -> None:
    """A layer that the loss does not depend on has a gradient and momentum of zero."""
    config = network_config("grad_zero", {**SGD, "momentum": 0.9}, {"layers": ["middle"], "from_step": 2}, steps=9)
    config["model"]["source"] = model_file(tmp_path, "return self.last(self.first(x) + 0 * self.middle(self.first(x)))")
    assert waits_in_steps(config)[5:] == [[]] * 4
    here, there = ended_on_both(config)
    assert here["side_effects"] == there["side_effects"]
    assert not any(effect["kind"] == "state_evolving" for effect in there["side_effects"])


@pytest.mark.parametrize("train", [{}, {"clip_grad_norm": 0.2, "accumulate": 2}], ids=["plain", "clipped"])
@pytest.mark.parametrize("zero_grad", ["none", "zero", "never"])
@pytest.mark.parametrize("method", METHODS)
def test_effects_and_thaws_are_those_on_the_cpu(method: str, zero_grad: str, train: dict[str, Any]) -> None:
    phases = [
        {"layers": ["first", "norm"], "from": 2, "to": 5}, {"layers": ["middle"], "from": 3, "to": 7},
        {"layers": ["first"], "from": 6, "to": 11},
    ]  # fmt: skip
    config = network_config(method, {"name": "RMSprop", "lr": 0.01, "zero_grad": zero_grad}, steps=12, **train)
    config["freeze"] = {"method": method, "phase": phases}
    here, there = ended_on_both(config)
    assert here["side_effects"] == there["side_effects"]
    assert here["thaws"] == there["thaws"]
    assert {report["step"] for report in there["thaws"]} <= {5, 7, 11}


def test_a_state_that_evolves_in_the_only_step_of_a_freeze_is_known_when_the_next_step_is_judged() -> None:
    """RMSprop's third step is 1 / √(1 − 0.99³) rates: a jump, unless the layer went on as if it had paused."""
    here, there = ended_on_both(network_config("lr_zero", {"name": "RMSprop"}, {"from_step": 2, "to_step": 3}, steps=5))
    assert here["side_effects"] == there["side_effects"]
    assert {"state_evolving", "thaw_jump"} <= {effect["kind"] for effect in there["side_effects"]}


@pytest.mark.parametrize(("behind", "forward", "train"), [
    ("the end", "pass", {"steps": 6}),
    ("an evaluation", "pass", {"steps": 9, "eval_every": 6}),
    ("a step that fails", "if self.calls == 7: raise ValueError('the seventh batch')", {"steps": 9}),
    ("its own loss", "x = x * float('nan') if self.calls == 6 else x", {"steps": 9}),
], ids=lambda value: value if isinstance(value, str) else "")  # fmt: skip
def test_the_first_step_after_a_thaw_is_told_whatever_comes_behind_it(
    behind: str, forward: str, train: dict[str, Any], tmp_path: Path
) -> None:
    config = network_config("restore", {**SGD, "momentum": 0.9}, {"layers": ["first"], "to_step": 5}, **train)
    config["model"]["source"] = model_file(tmp_path, forward)
    *_, thaws, _ = told_on_both(config)[-1]
    assert [(report.layer, report.step) for report in thaws] == [("first", 5)]


def test_a_run_that_is_stopped_tells_the_first_step_after_a_thaw() -> None:
    config = network_config("restore", SGD, {"to_step": 5}, steps=20, device="cuda")
    control, ended = RunControl(), None
    with StandInDevice().there():
        for event in trainer.Trainer(load_config(config), control).events():
            if isinstance(event, StepDone) and event.step == 4:   # told when step 5 was taken
                control.stop()
            ended = event
    assert isinstance(ended, RunEnded)
    assert (ended.status, ended.steps) == ("stopped", 6)
    assert {report.step for report in ended.thaws} == {5}


def test_the_effects_of_a_step_that_fails_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise ValueError("the optimizer's step")

    monkeypatch.setattr(torch.optim.SGD, "step", fail)
    found = told_on_both(network_config("exclude", SGD, {"layers": ["middle"]}, steps=3, clip_grad_norm=0.2))
    status, _, steps, _, effects, *_ = found[-1]
    assert (status, steps) == ("failed", 0)
    assert [effect.kind for effect in effects] == ["clip_inflated", "no_saving"]


def test_a_step_that_has_begun_behind_one_that_diverges_has_no_effects(tmp_path: Path) -> None:
    config = network_config("requires_grad", SGD, {"layers": ["first"]}, steps=9)
    forward = """
                if self.calls == 4:
                    x = x * float("inf")
                if self.calls == 5:   # in no group
                    self.last = nn.Linear(8, 3).to(x.device)
    """
    config["model"]["source"] = model_file(tmp_path, forward.strip())
    status, _, steps, _, effects, *_ = told_on_both(config)[-1]
    assert (status, steps) == ("diverged", 4)
    assert effects == ()
