from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import nn

from freeze_gui.training.state_norms import FIRST, SECOND, STEP, StateNorms


def model_after_two_steps(name: str, **hyper: Any) -> tuple[nn.Module, torch.optim.Optimizer]:
    """Give `a` the gradients 3 and 1 and `b` none at all."""
    model = nn.Module()
    model.a = nn.Parameter(torch.zeros(4))
    model.b = nn.Parameter(torch.zeros(2))
    optimizer: torch.optim.Optimizer = getattr(torch.optim, name)(model.parameters(), lr=0.1, **hyper)
    for gradient in (3.0, 1.0):
        model.a.grad = torch.full((4,), gradient)
        optimizer.step()
    return model, optimizer


@pytest.mark.parametrize(("name", "hyper", "expected"), [
    # exp_avg = 0.9·(0.1·3) + 0.1·1, exp_avg_sq = 0.999·(0.001·9) + 0.001·1; the norm of 4 equal numbers is twice one
    ("Adam", {}, (2.0, 2 * (0.9 * 0.3 + 0.1), 2 * (0.999 * 0.009 + 0.001))),
    ("SGD", {"momentum": 0.9}, (math.nan, 2 * (0.9 * 3 + 1), math.nan)),
    ("SGD", {}, (math.nan, math.nan, math.nan)),
    ("Adamax", {}, (2.0, 2 * (0.9 * 0.3 + 0.1), 2 * 0.999 * 3.0)),
    ("Adagrad", {}, (2.0, math.nan, 2 * (9 + 1))),
    ("RMSprop", {}, (2.0, math.nan, 2 * (0.99 * 0.01 * 9 + 0.01))),
])  # fmt: skip
def test_step_and_moments_are_those_of_the_closed_form(
    name: str, hyper: dict[str, Any], expected: tuple[float, float, float]
) -> None:
    model, optimizer = model_after_two_steps(name, **hyper)
    norms = StateNorms(model)
    assert norms.names == ("a", "b")
    table = norms.measure(optimizer.state).read()
    assert table[0, [STEP, FIRST, SECOND]].tolist() == pytest.approx(expected, nan_ok=True, rel=1e-5)


def test_a_parameter_that_never_had_a_gradient_has_no_state_which_is_not_a_state_of_zero() -> None:
    model, optimizer = model_after_two_steps("Adam")
    assert all(math.isnan(value) for value in StateNorms(model).measure(optimizer.state).read()[1])
    model.b.grad = torch.zeros(2)
    optimizer.step()
    assert StateNorms(model).measure(optimizer.state).read()[1].tolist() == [1.0, 0.0, 0.0]


def test_half_precision_moments_are_measured_in_single_precision() -> None:
    model = nn.Module()
    model.a = nn.Parameter(torch.zeros(100_000, dtype=torch.float16))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    model.a.grad = torch.full((100_000,), 10.0, dtype=torch.float16)
    optimizer.step()
    table = StateNorms(model).measure(optimizer.state).read()
    assert table[0, FIRST] == pytest.approx(10 * math.sqrt(100_000), rel=1e-5)
