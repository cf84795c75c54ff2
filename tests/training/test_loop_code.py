"""The code is run as it stands, beside a loop that is written out by hand."""

from __future__ import annotations

from itertools import product
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import mse_loss

from freeze_gui.training.config import RunConfig, load_config
from freeze_gui.training.loop_code import loop_code
from freeze_gui.training.schedule import SCHEDULERS, Schedule

STEPS = 5


def config(method: str = "requires_grad", optimizer: dict[str, Any] | None = None, **train: Any) -> RunConfig:
    return load_config({
        "model": {"source": "builtin:five-linear"}, "freeze": {"method": method},
        "optimizer": {"name": "SGD", "lr": 0.1, **(optimizer or {})}, "train": {"steps": STEPS, **train},
    })  # fmt: skip


def batches(count: int, scale: float = 1.0) -> list[list[tuple[Tensor, Tensor]]]:
    torch.manual_seed(1)
    return [[(torch.randn(4, 3), scale * torch.randn(4, 2)) for _ in range(count)] for _ in range(STEPS)]


def run(code: str, accumulate: int = 1, scale: float = 1.0) -> tuple[nn.Linear, list[float]]:
    """Run the code on one small layer; return it and the learning rate of each step."""
    torch.manual_seed(0)
    model = nn.Linear(3, 2)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    rates: list[float] = []
    optimizer.register_step_pre_hook(lambda *_: rates.append(optimizer.param_groups[0]["lr"]))
    exec(code, {
        "torch": torch, "model": model, "optimizer": optimizer, "loss_function": mse_loss, "device": "cpu",
        "steps": batches(accumulate, scale),
    })  # fmt: skip
    return model, rates


def test_nothing_set_needs_no_loop() -> None:
    assert loop_code(config()) == ""


def test_clipping_and_accumulation_give_the_bits_of_a_loop_written_by_hand() -> None:
    model, _ = run(loop_code(config(clip_grad_norm=0.5, accumulate=3)), 3, 50.0)
    torch.manual_seed(0)
    other = nn.Linear(3, 2)
    optimizer = torch.optim.SGD(other.parameters(), lr=0.1)
    for group in batches(3, 50.0):
        optimizer.zero_grad()
        for inputs, targets in group:
            (mse_loss(other(inputs), targets) / 3).backward()   # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(other.parameters(), 0.5)
        optimizer.step()
    assert torch.equal(model.weight, other.weight)


@pytest.mark.parametrize("name", [name for name in SCHEDULERS if name not in ("none", "ReduceLROnPlateau")])
def test_a_scheduler_gives_every_step_the_rate_of_the_program(name: str) -> None:
    settings = config(optimizer={"scheduler": name})
    _, rates = run(loop_code(settings))
    schedule = Schedule(settings.optimizer.scheduler, "SGD", {"lr": 0.1}, (1.0,), STEPS)
    expected = []
    for _ in range(STEPS):
        expected.append(schedule.rate)
        schedule.step()
    assert rates == pytest.approx(expected, rel=1e-12)


def test_given_values_stand_in_the_code() -> None:
    settings = config(optimizer={"scheduler": {"name": "StepLR", "step_size": 2, "gamma": 0.5}})
    _, rates = run(loop_code(settings))
    assert rates == pytest.approx([0.1, 0.1, 0.05, 0.05, 0.025])


@pytest.mark.parametrize(
    ("amp", "clip", "accumulate", "scheduler", "method"),
    list(product(
        ("none", "bf16", "fp16"), (None, 0.5), (1, 2), ("none", "OneCycleLR", "ReduceLROnPlateau"),
        ("grad_none", "detach"),
    )),
)
def test_every_combination_runs_and_trains(
    amp: str, clip: float | None, accumulate: int, scheduler: str, method: str
) -> None:
    train = {"amp": amp, "accumulate": accumulate} | ({} if clip is None else {"clip_grad_norm": clip})
    code = loop_code(config(method, {"scheduler": scheduler}, **train))
    if not code:
        assert (amp, clip, accumulate, scheduler) == ("none", None, 1, "none")
        return
    torch.manual_seed(0)
    before = nn.Linear(3, 2).weight
    model, _ = run(code, accumulate)
    assert torch.isfinite(model.weight).all()
    assert not torch.equal(model.weight, before)
    assert max(len(line) for line in code.splitlines()) <= 100
