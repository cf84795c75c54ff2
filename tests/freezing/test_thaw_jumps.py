"""When the first step after a thaw is too far, judged by closed forms for one weight with a gradient of 1."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from freeze_gui.freezing.explain import case_of_effect, explain
from freeze_gui.freezing.explained_effects import FRESH_JUMP
from freeze_gui.freezing.freezer import Freezer
from freeze_gui.freezing.thaw_jumps import ThawReport, reset_helps, times_too_far
from tests.freezing.drive import drive, effects, plan

LR = 0.01


class OneWeight(nn.Module):
    """The loss has a gradient of `slope` at every step: the weight learns nothing from its own steps."""

    def __init__(self, slope: float) -> None:
        super().__init__()
        self.held, self.other = nn.Linear(1, 1, bias=False), nn.Linear(1, 1)
        self.slope = slope

    def forward(self, x: Tensor) -> Tensor:
        here = self.held.weight
        found: Tensor = torch.sqrt(1 + self.slope * (here - here.detach())) + 0 * self.other(x)
        return found   # squared and summed by the loop


def thawed(
    name: str,
    method: str,
    window: tuple[int, int],
    thaw: str = "keep_state",
    slope: float = 1.0,
    zero_grad: str = "zero",
    **hyper: Any,
) -> tuple[Freezer, ThawReport]:
    model = OneWeight(slope)
    optimizer = getattr(torch.optim, name)(model.parameters(), lr=LR, **hyper)
    wanted = plan(["held"], *window, method=method, thaw=thaw)
    freezer = drive(model, optimizer, wanted, torch.ones(1, 1), steps=window[1] + 1, zero_grad=zero_grad)
    (report,) = (r for r in freezer.thaws() if r.layer == "held")
    return freezer, report


def text_of(freezer: Freezer) -> str:
    (text,) = (effect.text for effect in freezer.side_effects() if effect.kind == "thaw_jump")
    return text


def test_rmsprop_after_many_zeros_leaps_ten_rates_as_a_fresh_one_does_and_no_reset_helps() -> None:
    freezer, report = thawed("RMSprop", "requires_grad", (20, 1020))
    # v = 0.99¹⁰⁰⁰ (1 − 0.99²⁰) 0.99 + 0.01, of which the root divides
    divisor = (0.99**1001 * (1 - 0.99**20) + 0.01) ** 0.5
    assert report.over_lr == pytest.approx(1 / divisor, rel=1e-3)
    assert report.over_fresh == pytest.approx(0.1 / divisor, rel=1e-3)
    assert effects(freezer)["thaw_jump"] == ("held",)
    assert "10.0 times the learning rate" in text_of(freezer)
    assert "reset_state does not help" in text_of(freezer)


@pytest.mark.parametrize(("method", "window", "thaw"), [
    ("grad_none", (5, 10), "reset_state"),   # had a state, and forgot it
    ("grad_none", (0, 10), "keep_state"),    # never had one
])  # fmt: skip
def test_the_first_step_of_a_fresh_state_is_too_far_for_rmsprop_alone(
    method: str, window: tuple[int, int], thaw: str
) -> None:
    freezer, report = thawed("RMSprop", method, window, thaw)
    assert report.over_lr == pytest.approx(10.0, rel=1e-3)   # 1 / √0.01
    assert effects(freezer)["thaw_jump"] == ("held",)
    for name in ("Adam", "AdamW", "Adamax", "NAdam", "Adagrad", "Rprop"):
        freezer, report = thawed(name, method, window, thaw)
        assert report.over_lr == pytest.approx(1.0, abs=0.1), name
        assert "thaw_jump" not in effects(freezer), name


@pytest.mark.parametrize("name", ["RMSprop", "Adam"])
def test_a_layer_that_goes_on_with_the_state_of_its_freeze_does_not_leap(name: str) -> None:
    freezer, report = thawed(name, "grad_none", (2, 8))
    if name == "RMSprop":   # its third step: 1 / √(1 − 0.99³), far beyond one rate, as without a freeze
        assert report.over_lr == pytest.approx((1 - 0.99**3) ** -0.5, rel=1e-3)
    assert "thaw_jump" not in effects(freezer)


def test_a_state_that_followed_live_gradients_makes_rmsprop_step_as_usual() -> None:
    freezer, report = thawed("RMSprop", "lr_zero", (0, 700))
    assert report.over_lr == pytest.approx((1 - 0.99**701) ** -0.5, rel=1e-3)   # about 1
    assert "state_evolving" in effects(freezer)
    assert "thaw_jump" not in effects(freezer)


def test_plain_sgd_moves_by_the_gradient_and_a_large_one_is_no_leap() -> None:
    freezer, report = thawed("SGD", "grad_none", (0, 5), slope=50.0)
    assert report.over_lr == pytest.approx(50.0, rel=1e-3)
    assert report.over_fresh == pytest.approx(1.0)
    assert "thaw_jump" not in effects(freezer)


@pytest.mark.parametrize(("zero_grad", "applied"), [("none", 1), ("zero", 1), ("never", 6)])
def test_the_sum_of_an_excluded_layers_gradients_is_applied_where_nothing_clears_it_after_the_thaw(
    zero_grad: str, applied: int
) -> None:
    _, report = thawed("SGD", "exclude", (0, 5), zero_grad=zero_grad)   # a gradient of 1 in each of six steps
    assert report.over_lr == pytest.approx(applied, rel=1e-3)


def test_kept_up_momentum_is_told_in_steps_of_a_fresh_optimizer_and_cured_by_a_reset() -> None:
    freezer, report = thawed("SGD", "restore", (0, 20), momentum=0.9)
    assert report.over_fresh == pytest.approx((1 - 0.9**21) / 0.1, rel=1e-4)
    assert "8.9 times a fresh optimizer's" in text_of(freezer)
    assert "Thaw with reset_state" in text_of(freezer)


def test_radam_is_measured_by_its_rate_because_its_first_steps_are_plain_ones() -> None:
    # with a gradient of 0.001 a fresh RAdam moves by 0.001 lr, and a rectified one by about lr: no leap
    freezer, report = thawed("RAdam", "lr_zero", (0, 300), slope=0.001)
    assert report.over_fresh is not None
    assert report.over_fresh > 100
    assert "state_evolving" in effects(freezer)
    assert "thaw_jump" not in effects(freezer)


def test_the_measure_is_the_rate_where_steps_are_of_its_size_and_a_fresh_step_elsewhere() -> None:
    report = ThawReport(3, "a", 0.5, 0.1, 5.0, 2.0)
    assert times_too_far(report, "Adam") == 5.0
    assert times_too_far(report, "SGD") == 2.0
    assert times_too_far(ThawReport(3, "a", 0.5, 0.0, None, None), "Adam") == 0.0
    assert [reset_helps(times) for times in (None, 1.0, 2.0)] == [False, False, True]


def test_the_explanation_gives_the_cure_that_helps() -> None:
    fresh = explain("thaw_jump", case_of_effect(("a",), [ThawReport(9, "a", 0.1, 0.01, 10.0, 1.0)], "RMSprop"))
    kept = explain("thaw_jump", case_of_effect(("a",), [ThawReport(9, "a", 0.03, 0.01, 3.0, 3.0)], "Adam"))
    assert fresh is not None
    assert kept is not None
    assert "10 times the learning rate" in fresh.happened
    assert "At step 9" in fresh.happened
    assert fresh.code == FRESH_JUMP.code
    assert not set("{}") & set(fresh.happened + fresh.why + fresh.cure)
    assert "  " not in fresh.happened + fresh.why + fresh.cure
    assert "3 times the learning rate" in kept.happened
    assert "reset_state" in kept.cure


@pytest.mark.parametrize("warmed", [False, True])
def test_the_warm_up_of_the_explanation_keeps_rmsprop_near_its_rate(warmed: bool) -> None:
    weight = nn.Parameter(torch.zeros(1))
    optimizer = torch.optim.RMSprop([weight], lr=0.1)
    largest = 0.0
    for step in range(300):
        if warmed:
            exec(FRESH_JUMP.code, {"optimizer": optimizer, "step": step})
        weight.grad = torch.ones(1) if step >= 100 else None   # thaws at step 100, as the code has it
        before = weight.item()
        optimizer.step()
        largest = max(largest, abs(weight.item() - before))
    assert largest == pytest.approx(0.1 * (1 - 0.99**100) ** -0.5 if warmed else 1.0, rel=1e-3)


@pytest.mark.parametrize("rates", [(0.1, 0.001), (0.001, 0.1)])
def test_each_parameter_of_a_layer_is_held_against_its_own_rate(rates: tuple[float, float]) -> None:
    model = nn.Sequential(nn.Linear(1, 1), nn.Linear(1, 1))
    pairs = zip(model[0].parameters(), rates, strict=True)
    groups: list[dict[str, Any]] = [{"params": [p], "lr": rate} for p, rate in pairs]
    optimizer = torch.optim.Adam([*groups, {"params": model[1].parameters()}], lr=LR)
    freezer = drive(model, optimizer, plan(["0"], 0, 2, method="grad_none"), torch.ones(1, 1), steps=3)
    (report,) = freezer.thaws()
    assert report.over_lr == pytest.approx(1.0, rel=1e-3)   # the first step of Adam is one rate, whatever the gradient
    assert report.lr in rates
    assert report.largest_update == pytest.approx(max(rates), rel=1e-3)
    assert "thaw_jump" not in effects(freezer)


@pytest.mark.parametrize("rates", [(0.1, 0.001), (0.001, 0.1)])
def test_a_jump_of_one_rate_is_not_held_against_the_fresh_step_of_another(rates: tuple[float, float]) -> None:
    model = nn.Sequential(nn.Linear(1, 1), nn.Linear(1, 1))
    steady, leaping = model[0].parameters()
    leap = [1e-6]
    steady.register_hook(torch.ones_like)   # type: ignore[no-untyped-call]
    leaping.register_hook(lambda gradient: torch.full_like(gradient, leap[0]))   # type: ignore[no-untyped-call]

    def grow(step: int) -> None:
        if step == 19:   # in the 20 steps that are put back the optimizer saw tiny gradients
            leap[0] = 1.0

    pairs = zip([steady, leaping], rates, strict=True)
    groups: list[dict[str, Any]] = [{"params": [p], "lr": rate} for p, rate in pairs]
    optimizer = torch.optim.Adam([*groups, {"params": model[1].parameters()}], lr=LR, betas=(0.5, 0.9999))
    freezer = drive(model, optimizer, plan(["0"], 0, 20, method="restore"), torch.ones(1, 1), steps=21, after=grow)
    (report,) = freezer.thaws()
    expected = 0.5 / (1 - 0.5**21) / (0.0001 / (1 - 0.9999**21)) ** 0.5
    assert report.lr == rates[1]
    assert report.over_lr == pytest.approx(expected, rel=1e-3)
    assert report.over_fresh == pytest.approx(expected, rel=1e-3)   # a fresh first step of Adam is one rate
    assert "Thaw with reset_state" in text_of(freezer)
