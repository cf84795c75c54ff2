from __future__ import annotations

import pytest

from freeze_gui.freezing.forecast import forecast
from freeze_gui.freezing.methods import METHODS
from freeze_gui.freezing.plan import FreezePlan, Phase
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
