"""What the program does on CUDA, as far as it can be seen without one: on a stand-in that computes on the CPU."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from textwrap import dedent
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from freeze_gui.data.sources import Batch
from freeze_gui.freezing.methods import METHODS
from freeze_gui.training.batches import loss_of
from freeze_gui.training.config import load_config
from freeze_gui.training.evaluation import evaluate
from freeze_gui.training.events import PlanApplied, StepDone
from freeze_gui.training.trainer import Trainer
from tests.support.runs import network_config, run_watched, same_bits
from tests.support.stand_in_device import DEVICE, StandInDevice
from tests.training.test_told_later import model_file

WINDOW = {"from_step": 3, "to_step": 8}

OPTIMIZERS = [   # of their own accord they work on all tensors at once on the device, and on one after the other here
    {"name": "SGD", "lr": 0.01, "momentum": 0.9}, {"name": "AdamW", "lr": 0.01},
    {"name": "Adam", "lr": 0.01, "foreach": False},
]  # fmt: skip


@pytest.fixture
def device() -> StandInDevice:
    """Return the device, which is there inside of ``with device.there()``."""
    return StandInDevice()


def compare_with_the_cpu(config: dict[str, Any], device: StandInDevice) -> None:
    """Run on the CPU and on the device: all must be the same, and sums that are taken otherwise within a millionth."""
    states, _, recorder = run_watched(config)
    with device.there():
        config["train"]["device"] = "cuda"
        states_there, _, recorder_there = run_watched(config)
    assert recorder.status == "completed", recorder.ended
    assert recorder_there.status == "completed", recorder_there.ended
    assert all(same_bits(ours, theirs) for ours, theirs in zip(states, states_there, strict=True))
    ours, theirs = recorder.summary(), recorder_there.summary()
    for key in ("loss", "tensors", "side_effects", "evaluations"):
        assert ours[key] == theirs[key]
    for here, there in zip(ours["layers"], theirs["layers"], strict=True):
        assert here["verdict"] == there["verdict"]
        for norm in ("grad_norm", "update_norm", "weight_delta"):
            a, b = np.array(here[norm], float), np.array(there[norm], float)
            np.testing.assert_allclose(a, b, rtol=1e-6, err_msg=f"{norm} of {here['path']}")


def waits_by_step(config: dict[str, Any], device: StandInDevice) -> tuple[dict[int, list[str]], list[int]]:
    """Return what each step waits for that does so, and those that leak.

    The last step has the end of the run behind it, and is left out.
    """
    config["train"]["device"] = "cuda"
    found: dict[int, list[str]] = {}
    leaking, of_step = [], list[str]()
    with device.there():
        events = Trainer(load_config(config)).events()
        while True:
            with device.counted() as waits:
                event = next(events, None)
            of_step = [*of_step, *waits] if isinstance(event, StepDone | PlanApplied) else []
            if event is None:
                break
            if isinstance(event, StepDone):
                found[event.step], of_step = of_step, []
                leaking += [event.step] if event.leaked else []
    assert max(found) == config["train"]["steps"] - 1
    return {step: waits for step, waits in found.items() if waits and step < max(found)}, leaking


@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=lambda optimizer: optimizer["name"])
@pytest.mark.parametrize("method", METHODS)
def test_a_run_on_the_device_is_that_on_the_cpu(
    method: str, optimizer: dict[str, Any], device: StandInDevice
) -> None:
    compare_with_the_cpu(network_config(method, optimizer, WINDOW, steps=11), device)


@pytest.mark.parametrize("train", [
    {"accumulate": 2, "clip_grad_norm": 0.2}, {"amp": "bf16"}, {"amp": "fp16", "clip_grad_norm": 0.2},
    {"measure_every": 3}, {"eval_every": 4},
], ids=str)  # fmt: skip
def test_whatever_else_a_run_does_it_does_on_the_device_as_well(
    train: dict[str, Any], device: StandInDevice
) -> None:
    optimizer = {"name": "AdamW", "lr": 0.01}
    config = network_config("grad_zero", optimizer, {**WINDOW, "norm": "eval"}, steps=11, **train)
    compare_with_the_cpu(config, device)


@pytest.mark.parametrize("measure_every", [1, 3])
@pytest.mark.parametrize("layers", [[], ["first", "norm", "middle"]], ids=["none frozen", "frozen"])
@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=lambda optimizer: optimizer["name"])
def test_no_step_waits_for_the_device(
    layers: list[str], measure_every: int, optimizer: dict[str, Any], device: StandInDevice
) -> None:
    """Not where layers freeze or thaw, either."""
    freeze = {"layers": layers, "norm": "eval", "from_step": 2, "to_step": 9}
    config = network_config("grad_none", optimizer, freeze, steps=12, measure_every=measure_every)
    assert waits_by_step(config, device) == ({}, [])


@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=lambda optimizer: optimizer["name"])
@pytest.mark.parametrize("method", METHODS)
def test_one_step_alone_waits_for_the_device_where_running_statistics_move(
    method: str, optimizer: dict[str, Any], device: StandInDevice
) -> None:
    """Weights that move as well are told of with them: by ``grad_zero`` and ``eval_only``."""
    config = network_config(method, optimizer, {"from_step": 2, "to_step": 8}, steps=11)
    assert waits_by_step(config, device) == ({2: ["tolist"]}, [2, 3, 4, 5, 6, 7])


@pytest.mark.parametrize(("method", "optimizer"), [
    ("grad_zero", {"name": "AdamW", "lr": 0.01}),
    ("grad_zero", {"name": "SGD", "lr": 0.01, "momentum": 0.9, "weight_decay": 0.1}),
    ("lr_zero", {"name": "Rprop"}),
    ("requires_grad", {"name": "SGD", "lr": 0.01, "zero_grad": "never"}),
    ("no_grad", {"name": "Adam", "lr": 0.01, "zero_grad": "never"}),
    ("eval_only", {"name": "Adam", "lr": 0.01}),
], ids=str)  # fmt: skip
def test_a_leak_by_the_optimizer_is_waited_for_once(
    method: str, optimizer: dict[str, Any], device: StandInDevice
) -> None:
    """It is replayed in each step, without a wait."""
    freeze = {"layers": ["first", "middle"], "norm": "eval", "from_step": 2, "to_step": 8}
    config = network_config(method, optimizer, freeze, steps=11)
    assert waits_by_step(config, device) == ({2: ["tolist"]}, [2, 3, 4, 5, 6, 7])


@pytest.mark.parametrize(("measure_every", "later"), [(1, [5, 8]), (20, [])])
def test_the_norms_of_a_layer_that_moves_after_it_held_still_are_waited_for(
    measure_every: int, later: list[int], device: StandInDevice, tmp_path: Path
) -> None:
    config = network_config("grad_none", {"name": "SGD", "lr": 0.01}, {"layers": ["first"], "from_step": 1}, steps=10)
    forward = "if self.calls % 3 == 0: self.first.weight.data.mul_(0.5)"
    config["model"]["source"] = model_file(tmp_path, forward)
    config["train"]["measure_every"] = measure_every
    waits, leaking = waits_by_step(config, device)
    assert leaking == [2, 5, 8]
    assert list(waits) == [2, *later]


def test_a_stale_gradient_of_what_the_rebuilt_optimizer_has_not_moves_nothing_and_nobody_waits(
    device: StandInDevice
) -> None:
    optimizer = {"name": "SGD", "lr": 0.01, "zero_grad": "never"}
    config = network_config("filter", optimizer, {"norm": "eval", "from_step": 2, "to_step": 8}, steps=11)
    assert waits_by_step(config, device) == ({}, [])


def test_tasks_that_take_turns_wait_for_the_first_move_of_each_alone(device: StandInDevice) -> None:
    """The plan thaws and freezes in every step."""
    tasks = [{"task": "task1", "layers": ["hidden_task2"]}, {"task": "task2", "layers": ["hidden_task1"]}]
    config = {
        "model": {"source": "builtin:two-task"},
        "freeze": {"method": "requires_grad", "task": tasks},
        "optimizer": {"name": "AdamW", "lr": 0.01, "zero_grad": "zero"},
        "train": {"steps": 12, "measure_every": 1},
    }
    assert waits_by_step(config, device) == ({1: ["tolist"], 2: ["tolist"]}, list(range(1, 12)))


def test_a_class_that_the_model_has_not_is_said_before_the_device_meets_it(
    device: StandInDevice, tmp_path: Path
) -> None:
    data = "import torch\ndef batches():\n    return [(torch.ones(2, 6), torch.tensor([1, 3]))]\n"
    (tmp_path / "data.py").write_text(data)
    config = network_config("grad_none", {"name": "SGD", "lr": 0.01})
    config["data"]["source"] = f"file:{tmp_path / 'data.py'}:batches"
    config["train"]["device"] = "cuda"
    with device.there():
        _, _, recorder = run_watched(config)
    assert recorder.status == "failed"
    assert "The data hold class 3, and the model's output has 3 classes (0 to 2)" in str(recorder.ended)


@pytest.mark.parametrize("loss", ["mse", "cross_entropy"])
def test_an_evaluation_waits_for_each_batch_before_the_next_one_is_drawn(loss: str, device: StandInDevice) -> None:
    """Batches go onto CUDA without waiting, and a data file may fill the same pinned memory with its next one."""
    waits: list[int] = []

    class Refilled(list[Batch]):
        def __iter__(self) -> Iterator[Batch]:
            inputs = torch.empty(4, 6)
            for value in range(3):
                inputs.fill_(value)
                before = len(device.waits)
                yield Batch(inputs, torch.zeros(4, 2) if loss == "mse" else torch.zeros(4, dtype=torch.long))
                waits.append(len(device.waits) - before)

    with device.there():
        model = nn.Linear(6, 2).to(DEVICE)
        assert evaluate(model, Refilled(), loss, DEVICE) is not None
    assert len(waits) == 3
    assert min(waits) > 0


def test_a_batch_without_samples_has_no_class_that_the_model_has_not(device: StandInDevice) -> None:
    with device.there():
        loss = loss_of("cross_entropy", torch.zeros(0, 3).to(DEVICE), torch.zeros(0, dtype=torch.long), DEVICE)
        assert np.isnan(float(loss))


MODELS = {
    "parametrized": """
        class Net(nn.Module):
            def __init__(self):
                super().__init__()
                self.first = weight_norm(nn.Linear(6, 8))
                self.middle = spectral_norm(nn.Linear(8, 8))
                self.last = nn.Linear(8, 3)
            def forward(self, x):
                return self.last(torch.relu(self.middle(torch.relu(self.first(x)))))
        """,
    "tied": """
        class Net(nn.Module):
            def __init__(self):
                super().__init__()
                self.first, self.middle, self.last = nn.Linear(6, 6), nn.Linear(6, 6), nn.Linear(6, 3)
                self.middle.weight = self.first.weight
            def forward(self, x):
                return self.last(torch.relu(self.middle(torch.relu(self.first(x)))))
        """,
    "aliased": """
        class Net(nn.Module):
            def __init__(self):
                super().__init__()
                self.first, self.middle, self.last = nn.Linear(6, 6), nn.Linear(6, 6), nn.Linear(6, 3)
            def forward(self, x):   # on its way to the device each parameter gets memory of its own
                self.last.weight.data = self.first.weight.data[:3]
                return self.last(torch.relu(self.middle(torch.relu(self.first(x)))))
        """,
    "sparse": """
        class Net(nn.Module):
            def __init__(self):
                super().__init__()
                self.first, self.middle, self.last = nn.Embedding(9, 4, sparse=True), nn.Linear(24, 8), nn.Linear(8, 3)
            def forward(self, x):
                return self.last(torch.relu(self.middle(self.first((x.abs() * 2).long().clamp(max=8)).flatten(1))))
        """,
    "replaced": """
        class Net(nn.Module):
            def __init__(self):
                super().__init__()
                self.first, self.middle, self.last = nn.Linear(6, 8), nn.Linear(8, 8), nn.Linear(8, 3)
                self.calls = 0
            def forward(self, x):
                self.calls += 1
                if self.calls == 5:
                    self.middle.weight.data = self.middle.weight.data * 0.5
                if self.calls == 6:
                    self.middle.bias = nn.Parameter(self.middle.bias.detach() + 1)
                return self.last(torch.relu(self.middle(torch.relu(self.first(x)))))
        """,
}
"""Networks of three layers, of which two are frozen."""


@pytest.mark.parametrize("method", ["requires_grad", "grad_zero", "restore", "eval_only"])
@pytest.mark.parametrize("model", MODELS)
def test_unusual_tensors_are_followed_on_the_device_as_here(
    model: str, method: str, device: StandInDevice, tmp_path: Path
) -> None:
    names = "from torch.nn.utils.parametrizations import spectral_norm, weight_norm"
    text = f"import torch\nfrom torch import nn\n{names}\n{dedent(MODELS[model])}\ndef build():\n    return Net()\n"
    (tmp_path / "net.py").write_text(text)
    config = network_config(method, {"name": "SGD", "lr": 0.01, "momentum": 0.9}, WINDOW, steps=11)
    config["model"]["source"] = f"file:{tmp_path / 'net.py'}:build"
    config["freeze"]["layers"] = ["first", "middle"]
    compare_with_the_cpu(config, device)
