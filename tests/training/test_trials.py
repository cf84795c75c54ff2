from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from freeze_gui.freezing.reach import reach
from freeze_gui.models.loaded import LoadedModel
from freeze_gui.models.shapes import Call
from freeze_gui.training.config import OptimizerSettings
from freeze_gui.training.cost_forecast import CostForecast, forecast_step
from freeze_gui.training.trials import _MOST_KEPT, Trials

ADAM, NONE = OptimizerSettings("Adam"), frozenset[str]()
FRONT, MIDDLE = frozenset({"front"}), frozenset({"norm"})


class Counting(nn.Module):
    """Counts how often anybody runs it, its copies included."""

    runs = 0

    def __init__(self) -> None:
        super().__init__()
        self.front, self.norm, self.back = nn.Linear(6, 5), nn.BatchNorm1d(5), nn.Linear(5, 3)

    def forward(self, inputs: Tensor) -> Tensor:
        Counting.runs += 1
        return self.back(self.norm(self.front(inputs)))   # type: ignore[no-any-return]


@pytest.fixture
def trials() -> Trials:
    Counting.runs = 0
    return Trials(LoadedModel(Counting(), "file:x.py:f", None, (6,), "mse", "random", ()))


def test_a_trial_is_taken_once_however_often_it_is_asked_for(trials: Trials) -> None:
    for _ in range(3):
        trials.reach(FRONT, "no_grad", "eval", None)
        trials.cost(FRONT, "no_grad", ADAM, 4)
    assert Counting.runs == 3   # one to see what learns, one step with and one without the freeze


@pytest.mark.parametrize(
    "other", [(NONE, "no_grad", "leave"), (MIDDLE, "requires_grad", "leave"), (MIDDLE, "no_grad", "eval")]
)
def test_another_freeze_method_or_policy_is_tried_anew_and_found_as_without_keeping(
    trials: Trials, other: tuple[frozenset[str], str, str]
) -> None:
    for asked in ((MIDDLE, "no_grad", "leave"), other):
        assert trials.reach(*asked, None) == reach(trials.loaded, *asked, None)
    assert trials.reach(MIDDLE, "no_grad", "leave", None) != trials.reach(*other, None)


def test_with_nothing_frozen_method_and_policy_change_nothing(trials: Trials) -> None:
    assert trials.reach(NONE, "no_grad", "eval", None) is trials.reach(NONE, "requires_grad", "leave", None)
    assert Counting.runs == 1


@pytest.mark.parametrize(
    "other",
    [
        (FRONT, "requires_grad", OptimizerSettings("SGD"), 4),
        (FRONT, "requires_grad", OptimizerSettings("Adam", hyper={"amsgrad": True}), 4),
        (FRONT, "requires_grad", ADAM, 8),
        (FRONT, "restore", ADAM, 4),
        (frozenset({"front", "norm"}), "requires_grad", ADAM, 4),
    ],
)
def test_another_optimizer_batch_method_or_freeze_costs_what_it_costs_alone(trials: Trials, other: Any) -> None:
    for asked in ((FRONT, "requires_grad", ADAM, 4), other):
        frozen, free = forecast_step(trials.loaded, *asked), forecast_step(trials.loaded, NONE, *asked[1:])
        assert frozen is not None
        assert free is not None
        assert trials.cost(*asked) == CostForecast(frozen, free)
    assert trials.cost(FRONT, "requires_grad", ADAM, 4) != trials.cost(*other)


def test_inputs_of_their_own_are_tried_every_time(trials: Trials) -> None:
    for rows in (4, 8):
        calls = (Call((torch.empty(rows, 6, device="meta"),), {}),)
        found = trials.step(NONE, "requires_grad", ADAM, 1, calls)
        assert found is not None
        assert found.saved_activation_bytes == forecast_saved(trials, rows)


def forecast_saved(trials: Trials, rows: int) -> int | None:
    found = forecast_step(trials.loaded, NONE, "requires_grad", ADAM, rows)
    return None if found is None else found.saved_activation_bytes


def test_what_was_asked_for_last_is_kept_and_the_rest_in_bounds(trials: Trials) -> None:
    for batch in range(2, _MOST_KEPT + 4):
        trials.step(NONE, "requires_grad", ADAM, batch)
        trials.step(NONE, "requires_grad", ADAM, 2)
    assert Counting.runs == _MOST_KEPT + 2   # batches of 2 were never forgotten
    assert len(trials._kept) == _MOST_KEPT
