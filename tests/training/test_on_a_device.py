"""What the program does on CUDA, as far as it can be seen without one: on a stand-in that computes on the CPU."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from freeze_gui.freezing.methods import METHODS
from freeze_gui.training.config import load_config
from freeze_gui.training.events import PlanApplied, StepDone
from freeze_gui.training.trainer import Trainer
from tests.support.runs import network_config, run_watched, same_bits
from tests.support.stand_in_device import StandInDevice

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


def waits_by_step(config: dict[str, Any], device: StandInDevice) -> dict[int, list[str]]:
    """Return what each step waits for, except for those at which the plan changes."""
    config["train"]["device"] = "cuda"
    found: dict[int, list[str]] = {}
    with device.there():
        events, is_new = Trainer(load_config(config)).events(), True
        while True:
            with device.counted() as waits:
                event = next(events, None)
            if event is None:
                return found
            if isinstance(event, StepDone) and not is_new:
                found[event.step] = waits
            is_new = isinstance(event, PlanApplied)
    return found


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
def test_a_step_waits_for_the_device_once_for_its_loss_and_all_else(
    layers: list[str], measure_every: int, optimizer: dict[str, Any], device: StandInDevice
) -> None:
    freeze = {"layers": layers, "norm": "eval", "from_step": 2}
    config = network_config("grad_none", optimizer, freeze, steps=12, measure_every=measure_every)
    waits = waits_by_step(config, device)
    assert {step: len(of_step) for step, of_step in waits.items() if step > 4} == dict.fromkeys(range(5, 12), 1)
