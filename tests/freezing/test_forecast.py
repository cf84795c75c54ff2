from __future__ import annotations

import pytest
from torch import nn

from freeze_gui.freezing.basis import Basis
from freeze_gui.freezing.facts import facts_of
from freeze_gui.freezing.forecast import forecast, forecast_steps
from freeze_gui.freezing.methods import METHODS
from freeze_gui.freezing.plan import FreezePlan, Phase
from freeze_gui.freezing.rules import rule_of
from freeze_gui.training.optimizers import hyper_parameters
from tests.freezing.law import RULES, expected_causes, gradient_classes
from tests.freezing.test_law import CELLS, MOMENTS, STEPS
from tests.support.network import Net


def test_every_cell_of_the_law_is_forecast() -> None:
    model = Net()
    for method, rule_name, zero_grad, moment in CELLS:
        rule = RULES[rule_name]
        start, after_backward = MOMENTS[moment]
        for norm in ("leave", "eval"):
            plan = FreezePlan(
                (Phase(frozenset({"norm", "middle", "middle.0", "middle.1", "middle.2"}), start),),
                method=method,
                norm=norm,
                moment="after_backward" if after_backward else "step_start",
            )
            hyper = {**hyper_parameters(rule.name), **rule.hyper}
            found = forecast(model, plan, rule.name, hyper, zero_grad, STEPS)
            assert found is not None
            causes = {tensor.name: set(tensor.causes) for tensor in found}
            classes = gradient_classes(method, zero_grad, STEPS, start, after_backward)
            cell = (method, rule_name, zero_grad, moment, norm)
            assert causes["middle.0.weight"] == expected_causes(method, rule, classes, start), cell
            statistics = set() if norm == "eval" or method == "eval_only" else {"running_statistics"}
            assert causes["norm.running_mean"] == causes["norm.num_batches_tracked"] == statistics, cell
            assert set(causes) == {name for name in model.state_dict() if name.startswith(("norm", "middle"))}


def test_an_unknown_optimizer_cannot_be_forecast() -> None:
    assert forecast(Net(), FreezePlan(), "Lion", {}, "none", 10) is None


def test_nothing_frozen_forecasts_nothing() -> None:
    assert forecast(Net(), FreezePlan(), "Adam", hyper_parameters("Adam"), "none", 10) == ()


@pytest.mark.parametrize("method", METHODS)
def test_a_window_that_never_opens_forecasts_nothing(method: str) -> None:
    plan = FreezePlan((Phase(frozenset({"last"}), 10),), method=method)
    assert forecast(Net(), plan, "Adam", hyper_parameters("Adam"), "none", 10) == ()


@pytest.mark.parametrize("first", [0, 1000])
def test_what_fades_while_a_layer_is_frozen_is_not_sure_in_a_run_that_is_gone_on_with(first: int) -> None:
    # Adam's first moment is 0.9 ** 997 of what it was: any step before that moved the weight, none after need to
    rule = rule_of("Adam", {**hyper_parameters("Adam"), "lr": 0.01})
    assert rule is not None
    model = nn.Sequential(nn.utils.parametrizations.spectral_norm(nn.Linear(4, 4)), nn.Linear(4, 3))
    modules = tuple(path for path, _ in model.named_modules())
    plan = FreezePlan((Phase(frozenset(path for path in modules if path[:1] == "0"), 3),), method="grad_zero")
    basis = Basis(plan, rule, "none", facts_of(model), modules)
    found = {tensor.name: tensor for tensor in forecast_steps(basis, 2000, first)}
    for name, cause in (("0.bias", "momentum"), ("0.parametrizations.weight.0._u", "forward_write")):
        told = (found[name].causes, found[name].unsure)
        assert told == ((frozenset(), {cause}) if first else ({cause}, frozenset()))


def test_a_layer_that_thaws_and_freezes_again_after_the_run_was_gone_on_with_has_fresh_momentum() -> None:
    rule = rule_of("Adam", {**hyper_parameters("Adam"), "lr": 0.01})
    assert rule is not None
    last = frozenset({"last"})
    plan = FreezePlan((Phase(last, 3, 1500), Phase(last, 1600)), method="grad_zero")
    model = Net()
    basis = Basis(plan, rule, "none", facts_of(model), tuple(path for path, _ in model.named_modules()))
    assert all(tensor.causes == {"momentum"} for tensor in forecast_steps(basis, 2000, 1000))
