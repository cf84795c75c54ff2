"""What a frozen module cuts off, and what is recorded all the same, in models that need more than layers in a row."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from freeze_gui.freezing.freezer import Freezer
from freeze_gui.freezing.plan import FreezePlan
from tests.freezing.drive import drive, effects, plan

INPUTS = torch.randn(8, 4, generator=torch.Generator().manual_seed(1))
CUTTING = ["no_grad", "detach"]


def found(model: nn.Module, wanted: FreezePlan) -> dict[str, tuple[str, ...]]:
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    return effects(drive(model, optimizer, wanted, INPUTS, steps=3))


def frozen_by_its_author() -> nn.Module:
    return nn.Linear(4, 4).requires_grad_(False)


def without_parameters() -> nn.Module:
    return nn.BatchNorm1d(4, affine=False)


@pytest.mark.parametrize("method", CUTTING)
@pytest.mark.parametrize("make", [frozen_by_its_author, without_parameters, nn.Dropout, nn.Tanh])
def test_a_frozen_module_without_a_parameter_that_learns_cuts_like_any_other(make: Any, method: str) -> None:
    model = nn.Sequential(nn.Linear(4, 4), make(), nn.Linear(4, 2))
    assert found(model, plan(["1"], method=method))["upstream_cut"] == ("0",)
    assert model[0].weight.grad is None


@pytest.mark.parametrize("method", ["requires_grad", "grad_none", "restore"])
@pytest.mark.parametrize("make", [frozen_by_its_author, without_parameters, nn.Dropout])
def test_methods_that_let_gradients_through_cut_nothing(make: Any, method: str) -> None:
    model = nn.Sequential(nn.Linear(4, 4), make(), nn.Linear(4, 2))
    assert "upstream_cut" not in found(model, plan(["1"], method=method))


class CutsItself(nn.Linear):
    """Gives a plain number to the next layer, as one does that looks up the nearest entry of a table."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x).detach()


@pytest.mark.parametrize("method", ["requires_grad", "grad_none", "detach"])
def test_a_module_that_cuts_in_its_own_forward_is_not_blamed_on_the_freeze(method: str) -> None:
    model = nn.Sequential(nn.Linear(4, 4), CutsItself(4, 4), nn.Linear(4, 2))
    assert "upstream_cut" not in found(model, plan(["1"], method=method))


def test_a_forward_that_somebody_wrapped_before_the_run_is_not_the_work_of_the_freeze() -> None:
    model = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 4), nn.Linear(4, 2))
    model[1].forward = torch.no_grad()(model[1].forward)
    assert "upstream_cut" not in found(model, plan(["1"], method="grad_none"))


class Trunk(nn.Module):
    """A stem for each task, and one trunk."""

    def __init__(self) -> None:
        super().__init__()
        self.one, self.two, self.trunk, self.last = (nn.Linear(4, 4) for _ in range(4))
        self.task = "one"

    def forward(self, x: Tensor) -> Tensor:
        stem = self.one if self.task == "one" else self.two
        found: Tensor = self.last(self.trunk(stem(x).tanh()).tanh())
        return found


def tasks_of(method: str, layers: list[str]) -> dict[str, tuple[str, ...]]:
    """Train on the tasks in turn under one frozen set."""
    model = Trunk()
    freezer = Freezer(model, torch.optim.Adam(model.parameters(), lr=0.01), plan(layers, method=method))
    for step, model.task in enumerate(["one", "two", "one", "two"]):
        freezer.begin_step(step, model.task)
        freezer.optimizer.zero_grad()
        freezer.before_forward()
        model(INPUTS).square().sum().backward()
        freezer.after_backward(step)
        freezer.before_step(step)
        freezer.optimizer.step()
        freezer.after_step(step)
        freezer.settle(step)
    return effects(freezer)


@pytest.mark.parametrize("method", CUTTING)
def test_what_is_cut_is_looked_for_in_each_task_though_the_frozen_set_stays(method: str) -> None:
    assert tasks_of(method, ["trunk"])["upstream_cut"] == ("one", "two")


def test_what_saves_nothing_is_looked_for_in_each_task_though_the_frozen_set_stays() -> None:
    assert tasks_of("grad_none", ["one", "two"])["no_saving"] == ("one", "two")


def row() -> nn.Sequential:
    return nn.Sequential(*(nn.Linear(4, 4) for _ in range(4)))


def test_the_layer_that_saves_nothing_is_named_beside_one_that_does() -> None:
    # from the input on 0 needs no record; the gradients of 1 pass through 2
    assert found(row(), plan(["0", "2"]))["no_saving"] == ("2",)
    assert found(row(), plan(["2"]))["no_saving"] == ("2",)
    assert "no_saving" not in found(row(), plan(["0", "1"]))


class Scaled(nn.Module):
    """A parameter of the model's own beside its layers."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(4))
        self.first, self.last = nn.Linear(4, 4), nn.Linear(4, 2)

    def forward(self, x: Tensor) -> Tensor:
        found: Tensor = self.last(self.first(x) * self.scale)
        return found


@pytest.mark.parametrize("method", ["requires_grad", "grad_none"])
def test_a_models_output_says_nothing_of_the_parameters_of_its_own(method: str) -> None:
    assert "no_saving" not in found(Scaled(), plan([""], method=method))
    block = nn.Sequential(nn.Linear(4, 4), Scaled())
    assert "no_saving" not in found(block, plan(["1"], method=method))


def test_a_block_that_is_frozen_whole_is_named_with_its_own_parameters() -> None:
    block = nn.Sequential(nn.Linear(4, 4), Scaled())
    assert found(block, plan(["1", "1.first", "1.last"]))["no_saving"] == ("1.first", "1.last", "1")


def test_a_layer_without_parameters_has_nothing_to_save() -> None:
    model = nn.Sequential(nn.Linear(4, 4), nn.BatchNorm1d(4, affine=False), nn.Linear(4, 2))
    assert "no_saving" not in found(model, plan(["1"]))
