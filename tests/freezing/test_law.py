from __future__ import annotations

import itertools
import random

import pytest

from freeze_gui.freezing.methods import METHODS
from tests.freezing.law import RULES, expected_causes, gradient_classes
from tests.support.runs import network_config, run_watched

STEPS = 6
MOMENTS = {"from the start": (0, False), "mid-run": (3, False), "after backward": (3, True), "first, after": (0, True)}
CELLS = list(itertools.product(METHODS, RULES, ("none", "zero", "never"), MOMENTS))
DRAWN = random.Random(7).sample(CELLS, 400)   # of 2,400; all of them hold, and take two minutes


def check_cell(method: str, rule_name: str, zero_grad: str, moment: str, norm: str = "leave") -> None:
    """Run one cell of the law and compare movement and causes of the frozen layer's tensors with it."""
    rule = RULES[rule_name]
    frozen_from, after_backward = MOMENTS[moment]
    freeze = {
        "layers": ["norm", "middle"],
        "from_step": frozen_from,
        "norm": norm,
        "moment": "after_backward" if after_backward else "step_start",
    }
    optimizer = {"name": rule.name, "zero_grad": zero_grad, **rule.hyper}
    _, _, recorder = run_watched(network_config(method, optimizer, freeze, steps=STEPS))
    summary = recorder.summary()
    assert summary["status"] == "completed", summary["error"]
    tensors = {tensor["name"]: tensor for tensor in summary["tensors"]}
    classes = gradient_classes(method, zero_grad, STEPS, frozen_from, after_backward)
    expected = expected_causes(method, rule, classes, frozen_from)
    for name in ("middle.0.weight", "middle.0.bias", "norm.weight"):
        found = {cause["cause"] for cause in tensors[name]["causes"]}
        assert found == expected, name
        assert tensors[name]["moved"] == bool(expected), name
        assert tensors[name]["frozen_steps"] == [[frozen_from, STEPS]]
    # statistics obey their own law: they move exactly when the forward runs in training mode
    still = norm == "eval" or method == "eval_only"
    first = 1 if after_backward else 0   # a freeze after backward comes after that step's forward
    statistics = tensors["norm.running_mean"]
    assert statistics["moved_steps"] == (0 if still else STEPS - frozen_from - first)
    assert {cause["cause"] for cause in statistics["causes"]} == (set() if still else {"running_statistics"})


@pytest.mark.parametrize("cell", DRAWN, ids=" | ".join)
def test_a_frozen_layer_moves_exactly_when_the_law_says_and_for_that_reason(cell: tuple[str, str, str, str]) -> None:
    check_cell(*cell)


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("norm", ["leave", "eval"])
def test_dropping_gradients_never_raises_a_false_alarm(rule: str, norm: str) -> None:
    for moment in MOMENTS:
        check_cell("grad_none", rule, "zero", moment, norm)


@pytest.mark.slow
def test_every_cell_of_the_law_holds() -> None:
    for cell in CELLS:
        for norm in ("leave", "eval"):
            check_cell(*cell, norm=norm)
