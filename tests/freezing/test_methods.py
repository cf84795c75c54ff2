from __future__ import annotations

import itertools
from typing import Any

import pytest
import torch
from torch import nn

from freeze_gui.errors import UserError
from freeze_gui.freezing.methods import METHODS, PausedIdeal
from freeze_gui.freezing.plan import FreezePlan, Phase
from freeze_gui.training.config import load_config
from tests.freezing.drive import drive
from tests.support.plain import plain_run
from tests.support.runs import network_config, run_watched, same_bits

FROZEN = range(5, 14)


@pytest.mark.parametrize(
    ("name", "hyper"),
    [("SGD", {"lr": 0.1, "momentum": 0.9}), ("AdamW", {"lr": 0.01, "weight_decay": 0.1}), ("Rprop", {"lr": 0.01})],
)
@pytest.mark.parametrize("zero_grad", ["none", "zero", "never"])
@pytest.mark.parametrize("after_backward", [False, True])
@pytest.mark.parametrize("norm", ["leave", "eval"])
def test_the_paused_ideal_has_the_bits_of_a_plain_loop_that_drops_gradients_and_puts_everything_back(
    name: str, hyper: dict[str, Any], zero_grad: str, after_backward: bool, norm: str
) -> None:
    plain = plain_run("paused", name, hyper, zero_grad=zero_grad, after_backward=after_backward, norm=norm)
    moment = "after_backward" if after_backward else "step_start"
    freeze = {"from_step": 5, "to_step": 14, "moment": moment, "norm": norm}
    states, _, recorder = run_watched(
        network_config("paused", {"name": name, **hyper, "zero_grad": zero_grad}, freeze)
    )
    assert recorder.summary()["loss"] == plain.losses
    assert all(same_bits(ours, theirs) for ours, theirs in zip(states, plain.states, strict=True))


@pytest.mark.parametrize("moment", ["step_start", "after_backward"])
def test_the_paused_ideal_holds_every_tensor_where_momentum_decay_and_statistics_would_move_it(moment: str) -> None:
    config = network_config(
        "paused", {"name": "AdamW", "lr": 0.01, "zero_grad": "zero"}, {"from_step": 5, "to_step": 14, "moment": moment}
    )
    states, _, recorder = run_watched(config)
    summary = recorder.summary()
    frozen = [name for name in states[0] if not name.startswith("last")]
    assert {"norm.running_mean", "norm.num_batches_tracked", "first.weight"} <= set(frozen)
    # frozen after backward: what the forward of that step did to the statistics was done before
    first = states[FROZEN[0]] if moment == "after_backward" else states[FROZEN[0] - 1]
    assert all(torch.equal(states[step][name], first[name]) for step in FROZEN for name in frozen)
    assert not any(tensor["moved"] for tensor in summary["tensors"])
    assert {tensor["name"] for tensor in summary["forecast"]["tensors"]} == set(frozen)
    assert summary["forecast"]["disagreements"] == []
    assert not any(tensor["causes"] for tensor in summary["forecast"]["tensors"])


def test_the_paused_ideal_leaves_the_optimizers_state_as_it_was() -> None:
    config = network_config("paused", {"name": "Adam", "lr": 0.01}, {"from_step": 6})
    _, _, recorder = run_watched(config)
    steps = {row["name"]: row["step"] for row in recorder.summary()["optimizer_state"]}
    assert steps["first.weight"] == steps["norm.bias"] == 6
    assert steps["last.weight"] == 20


def test_the_paused_ideal_is_no_method_that_is_offered() -> None:
    assert PausedIdeal.id not in METHODS
    assert len(METHODS) == 10
    assert load_config({"model": {"source": "x"}, "freeze": {"method": "paused"}}).freeze.method == "paused"
    with pytest.raises(UserError) as error:
        load_config({"model": {"source": "x"}, "freeze": {"method": "pause"}})
    assert "paused" not in str(error.value).partition("must be")[2]


BY_PARAMETER = ("requires_grad", "grad_none", "grad_zero", "exclude", "filter", "restore", "lr_zero", "paused")


@pytest.mark.parametrize("method", BY_PARAMETER)
@pytest.mark.parametrize("windows", [((1, 3), (2, 5)), ((1, 5), (2, 3)), ((2, 5), (1, 3)), ((1, 3), (3, 5))])
def test_a_tied_weight_is_frozen_as_long_as_one_of_its_layers_and_trains_after(
    method: str, windows: tuple[tuple[int, int], tuple[int, int]]
) -> None:
    torch.manual_seed(0)
    first, second = nn.Linear(4, 4), nn.Linear(4, 4)
    second.weight = first.weight
    model = nn.Sequential(first, second, nn.Linear(4, 2))
    phases = tuple(Phase(frozenset({name}), *window) for name, window in zip("01", windows, strict=True))
    weights = [first.weight.detach().clone()]
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    freezer = drive(
        model, optimizer, FreezePlan(phases, (), method=method), torch.randn(8, 4), steps=8,
        after=lambda step: weights.append(first.weight.detach().clone()),
    )  # fmt: skip
    tied = freezer.verdicts(8)[0]
    assert (tied.name, tied.moved) == ("0.weight", False)
    assert tied.frozen_steps in (((1, 5),), ((1, 3), (3, 5)))
    if method not in ("restore", "paused"):   # these put it back only after `weights` was taken
        moved = [not torch.equal(a, b) for a, b in itertools.pairwise(weights)]
        assert moved == [step not in range(1, 5) for step in range(8)]
