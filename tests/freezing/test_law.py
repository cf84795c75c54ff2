from __future__ import annotations

import itertools
import random
from typing import Any

import pytest

from freeze_gui.freezing.methods import METHODS
from tests.freezing.law import (
    RULES,
    expected_causes,
    expected_in_tasks,
    expected_in_windows,
    gradient_classes,
    under_one_cycle,
)
from tests.support.runs import network_config, run_watched

STEPS = 6
MOMENTS = {"from the start": (0, False), "mid-run": (3, False), "after backward": (3, True), "first, after": (0, True)}
CELLS = list(itertools.product(METHODS, RULES, ("none", "zero", "never"), MOMENTS))
DRAWN = random.Random(7).sample(CELLS, 400)   # of 2,400; all of them hold, and take two minutes


def assert_forecast_came_true(summary: dict[str, Any]) -> None:
    forecast = summary["forecast"]
    assert forecast["known"]
    assert forecast["compared"]
    assert forecast["disagreements"] == []


def causes_of(summary: dict[str, Any], name: str) -> set[str]:
    tensor = next(tensor for tensor in summary["tensors"] if tensor["name"] == name)
    return {cause["cause"] for cause in tensor["causes"]}


def check_cell(
    method: str, rule_name: str, zero_grad: str, moment: str, norm: str = "leave", fused: bool = False
) -> None:
    """Run one cell of the law and compare movement and causes of the frozen layer's tensors with it."""
    rule = RULES[rule_name]
    frozen_from, after_backward = MOMENTS[moment]
    freeze = {
        "layers": ["norm", "middle"],
        "from_step": frozen_from,
        "norm": norm,
        "moment": "after_backward" if after_backward else "step_start",
    }
    optimizer = {"name": rule.name, "zero_grad": zero_grad, **rule.hyper, **({"fused": True} if fused else {})}
    _, _, recorder = run_watched(network_config(method, optimizer, freeze, steps=STEPS))
    summary = recorder.summary()
    assert summary["status"] == "completed", summary["error"]
    tensors = {tensor["name"]: tensor for tensor in summary["tensors"]}
    assert_forecast_came_true(summary)
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
@pytest.mark.timeout(1800)
def test_every_cell_of_the_law_holds() -> None:
    for cell in CELLS:
        for norm in ("leave", "eval"):
            check_cell(*cell, norm=norm)


WINDOWS = {
    "twice": [(2, 4), (6, 9)],
    "from the start, and again": [(0, 3), (5, 10)],
    "one step at a time": [(1, 2), (3, 4), (5, 6)],
}
SCHEDULERS: dict[str, Any] = {
    "none": "none",
    "StepLR": {"name": "StepLR", "step_size": 2, "gamma": 0.5},
    "CosineAnnealingLR": "CosineAnnealingLR",
    "LambdaLR": {"name": "LambdaLR", "warmup_steps": 4},
    "OneCycleLR": {"name": "OneCycleLR"},
}
PHASED = random.Random(11).sample(
    list(itertools.product(METHODS, RULES, ("none", "zero", "never"), WINDOWS, SCHEDULERS, (1, 4), (False, True))), 160
)


@pytest.mark.parametrize("cell", PHASED, ids=lambda cell: " | ".join(map(str, cell)))
def test_freezing_again_under_a_scheduler_and_with_accumulation_obeys_the_same_law(
    cell: tuple[str, str, str, str, str, int, bool]
) -> None:
    method, rule_name, zero_grad, windows_name, scheduler, accumulate, after_backward = cell
    rule, windows = RULES[rule_name], WINDOWS[windows_name]
    scheduled = SCHEDULERS[scheduler]
    if scheduler == "OneCycleLR":
        cycles = not rule.name.startswith(("Ada", "ASGD", "Rprop")) or rule.name in ("Adam", "AdamW", "Adamax")
        scheduled = {**scheduled, "cycle_momentum": cycles}
    config = network_config(
        method,
        {"name": rule.name, "zero_grad": zero_grad, "scheduler": scheduled, **rule.hyper},
        {
            "phase": [{"layers": ["middle"], "from": start, "to": stop} for start, stop in windows],
            "moment": "after_backward" if after_backward else "step_start",
        },
        steps=11,
        accumulate=accumulate,
    )
    del config["freeze"]["layers"]
    summary = run_watched(config)[2].summary()
    assert summary["status"] == "completed", summary["error"]
    expected = expected_in_windows(method, rule, zero_grad, windows, after_backward)
    if scheduler == "OneCycleLR":
        # where the freeze falls after backward the rate of 0 lasts for that step
        one_step_each = after_backward and windows_name == "one step at a time"
        cycled = rule if method == "lr_zero" and one_step_each else under_one_cycle(rule, method)
        expected = expected_in_windows(method, cycled, zero_grad, windows, after_backward)
    assert causes_of(summary, "middle.0.weight") == expected
    assert_forecast_came_true(summary)


@pytest.mark.parametrize(
    ("moment", "steps", "leaks"),
    [("after_backward", 1, set()), ("after_backward", 2, {"gradient"}), ("step_start", 1, {"gradient"})],
)
def test_a_rate_of_0_that_a_scheduler_overwrites_lasts_for_the_step_in_which_it_was_set_after_backward(
    moment: str, steps: int, leaks: set[str]
) -> None:
    window = {"layers": ["middle"], "from_step": 2, "to_step": 2 + steps, "moment": moment}
    optimizer = {"name": "SGD", "lr": 0.1, "scheduler": {"name": "OneCycleLR", "cycle_momentum": False}}
    summary = run_watched(network_config("lr_zero", optimizer, window, steps=STEPS))[2].summary()
    assert causes_of(summary, "middle.0.weight") == leaks
    assert_forecast_came_true(summary)


TASKS = random.Random(13).sample(list(itertools.product(METHODS, RULES, ("none", "zero", "never"))), 100)


@pytest.mark.parametrize("cell", TASKS, ids=" | ".join)
def test_the_layer_of_another_task_sees_what_its_own_last_step_left(cell: tuple[str, str, str]) -> None:
    method, rule_name, zero_grad = cell
    rule = RULES[rule_name]
    tasks = [{"task": "task1", "layers": ["hidden_task2"]}, {"task": "task2", "layers": ["hidden_task1"]}]
    config = {
        "model": {"source": "builtin:two-task"},
        "freeze": {"method": method, "task": tasks},
        "optimizer": {"name": rule.name, "zero_grad": zero_grad, **rule.hyper},
        "train": {"steps": 8, "device": "cpu"},
    }
    summary = run_watched(config)[2].summary()
    assert summary["status"] == "completed", summary["error"]
    expected = expected_in_tasks(method, rule, zero_grad)
    assert causes_of(summary, "hidden_task1.weight") == expected
    assert causes_of(summary, "hidden_task2.weight") == expected
    assert_forecast_came_true(summary)
