"""A step may be settled right behind it, or as on CUDA after the next one's backward: what is told must be the same."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils import parametrizations

from tests.freezing.drive import STEPS, drive, plan

INPUTS = torch.randn(5, 6, generator=torch.Generator().manual_seed(0))


class Embedded(nn.Module):
    """Rows longer than 0.1 are cut in each forward."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.last = nn.Embedding(9, 4, max_norm=0.1), nn.Linear(24, 3)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.last(self.first((x.abs() * 2).long().clamp(max=8)).flatten(1))
        return out


class Shared(nn.Module):
    """Three layers, the last of which lies in the memory of the first from the second forward on."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.middle, self.last = nn.Linear(6, 6), nn.Linear(6, 6), nn.Linear(6, 3)

    def forward(self, x: Tensor) -> Tensor:
        self.last.weight.data = self.first.weight.data[:3]
        out: Tensor = self.last(torch.relu(self.middle(torch.relu(self.first(x)))))
        return out


class Restless(nn.Module):
    """Its forward writes into weights past torch's count, in every call, and puts a new bias in the place of one."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.last = nn.Linear(6, 8), nn.Linear(8, 3)
        self.calls = 0

    def forward(self, x: Tensor) -> Tensor:
        self.calls += 1
        self.first.weight.data.mul_(1.001)
        if self.calls == 4:
            self.first.bias = nn.Parameter(self.first.bias.detach() + 1)
        out: Tensor = self.last(self.first(x))
        return out


def network() -> nn.Module:
    first = nn.Sequential(nn.Linear(6, 8), nn.BatchNorm1d(8))
    return nn.Sequential(first, nn.ReLU(), nn.Linear(8, 3))


def normed(norm: Callable[..., nn.Module]) -> Callable[[], nn.Module]:
    return lambda: nn.Sequential(norm(nn.Linear(6, 8)), nn.ReLU(), nn.Linear(8, 3))


def tied() -> nn.Module:
    model = nn.Sequential(nn.Linear(6, 6), nn.Linear(6, 6), nn.Linear(6, 3))
    model[1].weight = model[0].weight
    return model


MODELS: dict[str, tuple[Callable[[], nn.Module], list[str]]] = {
    "network": (network, ["0", "0.0", "0.1"]),
    "weight norm": (normed(parametrizations.weight_norm), ["0"]),
    "spectral norm": (normed(parametrizations.spectral_norm), ["0"]),
    "tied": (tied, ["0"]),
    "embedded": (Embedded, ["first"]),
    "shared": (Shared, ["first"]),
    "restless": (Restless, ["first"]),
}


def told(model: str, method: str, hyper: dict[str, Any], window: tuple[int, int | None], late: bool) -> list[Any]:
    """Return all that is told of a run."""
    torch.manual_seed(1)
    make, frozen = MODELS[model]
    module = make()
    paths = [path for path, _ in module.named_modules() if any(path == f or path.startswith(f"{f}.") for f in frozen)]
    optimizer = torch.optim.AdamW if "betas" in hyper else torch.optim.SGD
    wanted = plan(paths, *window, method=method)
    freezer = drive(module, optimizer(module.parameters(), **hyper), wanted, INPUTS, late=late, zero_grad="zero")
    return [
        [dataclasses.astuple(verdict) for verdict in (*freezer.verdicts(STEPS), *freezer.effective_weights(STEPS))],
        freezer.side_effects(),
        freezer.thaws(),
        freezer.norm_reports(STEPS),
    ]


@pytest.mark.parametrize("window", [(0, None), (2, 5)], ids=str)
@pytest.mark.parametrize(
    "hyper",
    [{"lr": 0.01, "momentum": 0.9, "weight_decay": 0.1}, {"lr": 0.01, "betas": (0.9, 0.99)}],
    ids=["SGD", "AdamW"],
)
@pytest.mark.parametrize("method", ["requires_grad", "grad_zero", "restore", "exclude", "eval_only"])
@pytest.mark.parametrize("model", MODELS)
def test_what_is_told_of_a_step_does_not_depend_on_when_it_is_asked_for(
    model: str, method: str, hyper: dict[str, Any], window: tuple[int, int | None]
) -> None:
    at_once, late = (told(model, method, hyper, window, is_late) for is_late in (False, True))
    assert repr(late) == repr(at_once)   # NaN equals NaN
    assert method != "eval_only" or any(verdict[4] for verdict in at_once[0])   # something moved
