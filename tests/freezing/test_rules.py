from __future__ import annotations

from typing import Any

import pytest
import torch

from freeze_gui.freezing.rules import rule_of, with_cycled_momentum
from freeze_gui.training.optimizers import hyper_parameters, optimizer_names


@pytest.mark.parametrize("name", optimizer_names())
def test_the_law_knows_every_optimizer_that_can_be_chosen_but_the_sparse_one(name: str) -> None:
    assert (rule_of(name, hyper_parameters(name)) is None) == (name == "SparseAdam")


@pytest.mark.parametrize("name", [name for name in optimizer_names() if name != "SparseAdam"])
def test_what_a_rule_does_with_a_zero_gradient_is_what_torch_does(name: str) -> None:
    rule = rule_of(name, hyper_parameters(name))
    assert rule is not None
    assert moves_on_zero(name, live_first=False) == rule.decay
    assert moves_on_zero(name, live_first=True) == (rule.decay or rule.momentum)


@pytest.mark.parametrize("name", ["SGD", "AdamW", "ASGD", "Muon"])
def test_the_share_that_decay_takes_of_a_weight_is_what_torch_takes(name: str) -> None:
    hyper = {**hyper_parameters(name), "lr": 0.1, "weight_decay": 0.25}
    rule = rule_of(name, hyper)
    assert rule is not None
    assert rule.decay_share is not None
    weight = torch.nn.Parameter(torch.ones(2, 2, dtype=torch.float64))
    weight.grad = torch.zeros_like(weight)
    getattr(torch.optim, name)([weight], lr=0.1, weight_decay=0.25).step()
    assert float(1 - weight.detach()[0, 0]) == pytest.approx(rule.decay_share, rel=1e-3)


def test_adagrads_accumulator_divides_its_decay() -> None:
    rule = rule_of("Adagrad", {"lr": 0.1, "weight_decay": 1e-4, "initial_accumulator_value": 4.0})
    assert rule is not None
    weight = torch.nn.Parameter(torch.ones(1, dtype=torch.float64))
    weight.grad = torch.zeros_like(weight)
    torch.optim.Adagrad([weight], lr=0.1, weight_decay=1e-4, initial_accumulator_value=4.0).step()
    assert float(1 - weight.detach()) == pytest.approx(rule.decay_share, rel=1e-3)


@pytest.mark.parametrize("name", ["SGD", "Adam"])
def test_a_cycled_optimizer_has_the_momentum_that_torch_gives_it(name: str) -> None:
    starts: dict[str, dict[str, Any]] = {"SGD": {"momentum": 0.0}, "Adam": {"betas": (0.0, 0.999)}}
    start = starts[name]
    weight = torch.nn.Parameter(torch.ones(1))
    optimizer = getattr(torch.optim, name)([weight], lr=0.1, **start)
    assert rule_of(name, start) is not None
    torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=0.1, total_steps=10)
    group = optimizer.param_groups[0]
    found = with_cycled_momentum({"lr": 0.1, **start}, {})
    given, torchs = (found["momentum"], group["momentum"]) if name == "SGD" else (found["betas"][0], group["betas"][0])
    assert bool(given) == bool(torchs)
    assert with_cycled_momentum(start, {"cycle_momentum": False}) == start


def moves_on_zero(name: str, live_first: bool) -> bool:
    weight = torch.nn.Parameter(torch.ones(2, 2))
    optimizer = getattr(torch.optim, name)([weight])
    if live_first:
        weight.grad = torch.ones(2, 2)
        optimizer.step()
    before = weight.detach().clone()
    weight.grad = torch.zeros(2, 2)
    optimizer.step()
    return not torch.equal(weight.detach(), before)
