from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.optim import lr_scheduler

from freeze_gui.errors import UserError
from freeze_gui.training.config import load_config
from freeze_gui.training.schedule import Schedule, SchedulerSettings
from tests.support.network import batches, build
from tests.support.runs import network_config, run_watched, same_bits

STEPS = 20
FROZEN = ("first.", "norm.", "middle.")
Make = Callable[[torch.optim.Optimizer], Any]
SCHEDULERS: dict[str, tuple[dict[str, Any], Make]] = {
    "StepLR": ({"step_size": 3, "gamma": 0.5}, lambda o: lr_scheduler.StepLR(o, 3, 0.5)),
    "CosineAnnealingLR": ({"T_max": 8}, lambda o: lr_scheduler.CosineAnnealingLR(o, 8)),
    "OneCycleLR": ({"max_lr": 0.2}, lambda o: lr_scheduler.OneCycleLR(o, 0.2, total_steps=STEPS)),
    "LambdaLR": ({"warmup_steps": 6}, lambda o: lr_scheduler.LambdaLR(o, lambda step: min(1.0, (step + 1) / 6))),
}
OPTIMIZERS = {"SGD": {"lr": 0.1, "momentum": 0.9}, "Adam": {"lr": 0.01}, "AdamW": {"lr": 0.01}}


def plain_loop(
    optimizer_of: Callable[[nn.Module], torch.optim.Optimizer], make: Make, window: tuple[int, int]
) -> list[dict[str, Tensor]]:
    """Train with a scheduler of torch and gradients dropped in the steps of `window`: the optimizer stays as it was."""
    torch.manual_seed(0)
    model, data = build(), batches()
    torch.manual_seed(0)
    optimizer = optimizer_of(model)
    scheduler = make(optimizer)
    states = []
    for step in range(STEPS):
        optimizer.zero_grad()
        x, y = data[step % len(data)]
        F.cross_entropy(model(x), y).backward()   # type: ignore[no-untyped-call]
        if window[0] <= step < window[1]:
            for name, parameter in model.named_parameters():
                if name.startswith(FROZEN):
                    parameter.grad = None
        optimizer.step()
        scheduler.step()
        states.append({name: tensor.detach().clone() for name, tensor in model.state_dict().items()})
    return states


@pytest.mark.parametrize("name", SCHEDULERS)
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("method", ["exclude", "requires_grad", "grad_none"])
def test_a_freeze_and_a_thaw_under_a_scheduler_have_the_bits_of_an_optimizer_that_was_never_touched(
    name: str, optimizer: str, method: str
) -> None:
    given, make = SCHEDULERS[name]
    hyper = OPTIMIZERS[optimizer]
    expected = plain_loop(lambda m: getattr(torch.optim, optimizer)(m.parameters(), **hyper), make, (5, 14))
    settings = {"name": optimizer, **hyper, "scheduler": {"name": name, **given}}
    config = network_config(method, settings, {"from_step": 5, "to_step": 14})
    states, _, recorder = run_watched(config)
    assert recorder.status == "completed", recorder.ended
    for step, (state, plain) in enumerate(zip(states, expected, strict=True)):
        assert same_bits(state, plain), f"step {step}"


@pytest.mark.parametrize(("name", "given", "moves"), [
    ("StepLR", {"step_size": 3, "gamma": 0.5}, False),
    ("LambdaLR", {"warmup_steps": 6}, False),
    ("CosineAnnealingLR", {"T_max": 8}, False),
    ("CosineAnnealingLR", {"T_max": 8, "eta_min": 0.01}, True),
    ("OneCycleLR", {"max_lr": 0.2}, True),
])  # fmt: skip
def test_a_scheduler_makes_of_a_learning_rate_of_0_what_it_makes_of_it_in_plain_pytorch(
    name: str, given: dict[str, Any], moves: bool
) -> None:
    def make(optimizer: torch.optim.Optimizer) -> Any:
        if name == "OneCycleLR":
            return lr_scheduler.OneCycleLR(optimizer, 0.2, total_steps=STEPS)
        if name == "CosineAnnealingLR":
            return lr_scheduler.CosineAnnealingLR(optimizer, **given)
        return SCHEDULERS[name][1](optimizer)

    def with_groups(model: nn.Module) -> torch.optim.Optimizer:
        parts: list[list[nn.Parameter]] = [[], []]
        for key, parameter in model.named_parameters():
            parts[key.startswith(FROZEN)].append(parameter)
        groups: list[dict[str, Any]] = [{"params": parts[0]}, {"params": parts[1], "lr": 0.0}]
        return torch.optim.SGD(groups, lr=0.1)

    expected = plain_loop(with_groups, make, (0, 0))
    settings = {"name": "SGD", "lr": 0.1, "scheduler": {"name": name, **given}}
    states, _, recorder = run_watched(network_config("lr_zero", settings))
    assert all(same_bits(state, plain) for state, plain in zip(states, expected, strict=True))
    tensor = next(t for t in recorder.summary()["tensors"] if t["name"] == "middle.0.weight")
    assert tensor["moved"] == moves
    assert [cause["cause"] for cause in tensor["causes"]] == (["gradient"] if moves else [])


def test_every_factor_has_the_rates_that_torch_gives_a_group_of_its_own() -> None:
    weights = [nn.Parameter(torch.zeros(2)) for _ in range(2)]
    groups: list[dict[str, Any]] = [{"params": [weights[0]]}, {"params": [weights[1]], "lr": 0.1 * 0.3}]
    plain = torch.optim.SGD(groups, lr=0.1)
    torchs = lr_scheduler.OneCycleLR(plain, [0.5, 0.5 * 0.3], total_steps=12)
    schedule = Schedule(SchedulerSettings("OneCycleLR", {"max_lr": 0.5}), "SGD", {"lr": 0.1}, (1.0, 0.3), 12)
    groups = [{"params": [weights[0]]}, {"params": [weights[1]], "lr_factor": 0.3}]
    ours = torch.optim.SGD(groups, lr=0.1)
    for _ in range(11):
        schedule.apply(ours)
        assert [group["lr"] for group in ours.param_groups] == [group["lr"] for group in plain.param_groups]
        assert [group["momentum"] for group in ours.param_groups] == [group["momentum"] for group in plain.param_groups]
        plain.step()
        torchs.step()
        schedule.step()


def test_one_cycle_keeps_its_last_rate_in_a_run_that_goes_on_longer() -> None:
    schedule = Schedule(SchedulerSettings("OneCycleLR", {"total_steps": 5}), "Adam", {"lr": 0.1}, (1.0,), 300)
    optimizer = torch.optim.Adam([nn.Parameter(torch.zeros(2))], lr=0.1)
    for _ in range(40):
        schedule.step()
    schedule.apply(optimizer)
    assert optimizer.param_groups[0]["lr"] == pytest.approx(0.1 / 25 / 1e4)


def test_a_plateau_lowers_the_rate_after_so_many_evaluations_without_progress() -> None:
    schedule = Schedule(SchedulerSettings("ReduceLROnPlateau", {"patience": 1}), "SGD", {"lr": 1.0}, (1.0,), 10)
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(2))], lr=1.0)
    rates = []
    for loss in (3.0, 2.0, 2.0, 2.0, 2.0, 2.0):
        schedule.step()
        schedule.evaluated(loss)
        schedule.apply(optimizer)
        rates.append(optimizer.param_groups[0]["lr"])
    assert rates == pytest.approx([1.0, 1.0, 1.0, 0.1, 0.1, 0.01])


def test_a_plateau_without_validation_data_says_what_is_missing() -> None:
    settings = {"name": "SGD", "lr": 0.1, "scheduler": "ReduceLROnPlateau"}
    _, _, recorder = run_watched(network_config("requires_grad", settings))
    assert recorder.ended is not None
    assert "no validation part" in str(recorder.ended.error)


@pytest.mark.parametrize(("scheduler", "words"), [
    ("Step", ["optimizer.scheduler = 'Step'", "did you mean StepLR?"]),
    ("ExponentialLR", ["must be one of none, StepLR"]),
    ({"name": "StepLR", "gamma": -1.0}, ["optimizer.scheduler.gamma = -1.0", "must not be negative"]),
    ({"gamma": 1}, ["optimizer.scheduler.name is missing"]),
    ({"name": "StepLR", "gama": 0.1}, ["optimizer.scheduler.gama", "did you mean gamma?"]),
    ({"name": "StepLR", "gamma": "x"}, ["optimizer.scheduler.gamma = 'x'", "finite number"]),
    ({"name": "StepLR", "step_size": 0}, ["step_size = 0", "at least 1"]),
    ({"name": "OneCycleLR", "pct_start": 2.0}, ["OneCycleLR does not take these values"]),
    (3, ["optimizer.scheduler = 3", "StepLR", "or a table"]),
])  # fmt: skip
def test_a_wrong_scheduler_is_named(scheduler: object, words: list[str]) -> None:
    with pytest.raises(UserError) as caught:
        load_config({"model": {"source": "builtin:digits-cnn"}, "optimizer": {"scheduler": scheduler}})
    assert all(word in str(caught.value) for word in words)


def test_the_summary_says_the_learning_rate_of_every_step() -> None:
    settings = {"name": "SGD", "lr": 0.1, "scheduler": {"name": "StepLR", "step_size": 2, "gamma": 0.5}}
    summary = run_watched(network_config("exclude", settings, {"to_step": 3}, steps=6))[2].summary()
    assert summary["learning_rate"] == [0.1, 0.1, 0.05, 0.05, 0.025, 0.025]
    constant = run_watched(network_config("exclude", {"name": "Adam"}, None, steps=2))[2].summary()
    assert constant["learning_rate"] == [0.001, 0.001]
