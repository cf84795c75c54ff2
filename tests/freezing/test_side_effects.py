from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from freeze_gui.freezing.context import FreezeContext
from freeze_gui.freezing.methods import METHODS
from freeze_gui.freezing.side_effects import SideEffectWatch
from tests.support.runs import network_config, run_watched

CUTTING = {"no_grad", "detach"}
RECORDED = {"grad_none", "grad_zero", "exclude", "restore", "lr_zero", "eval_only"}   # the flags stay on


def effects(
    method: str, layers: list[str], optimizer: dict[str, Any] | None = None, **more: Any
) -> dict[str, list[str]]:
    """Run 12 steps of the small network and return kind → layers."""
    train = {key: more.pop(key) for key in ("clip_grad_norm",) if key in more}
    freeze = {"layers": layers, **more}
    config = network_config(method, optimizer or {"name": "Adam", "lr": 0.01}, freeze, steps=12, **train)
    summary = run_watched(config)[2].summary()
    assert summary["status"] == "completed", summary["error"]
    assert all(effect["text"].endswith(".") for effect in summary["side_effects"])
    return {effect["kind"]: effect["layers"] for effect in summary["side_effects"]}


@pytest.mark.parametrize("method", METHODS)
def test_a_block_frozen_in_the_middle_cuts_upstream_exactly_where_the_graph_ends(method: str) -> None:
    cut = effects(method, ["middle"]).get("upstream_cut")
    assert cut == (["first", "norm"] if method in CUTTING else None)


@pytest.mark.parametrize("method", METHODS)
def test_freezing_from_the_input_on_saves_activations_unless_the_flags_stay_on(method: str) -> None:
    found = effects(method, ["first", "norm", "middle"]).get("no_saving")
    assert found == (["first", "norm", "middle.0"] if method in RECORDED else None)


@pytest.mark.parametrize("method", ["requires_grad", "filter"])
def test_flags_off_in_the_middle_save_nothing(method: str) -> None:
    assert effects(method, ["middle"])["no_saving"] == ["middle.0"]


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("zero_grad", ["none", "zero"])
def test_state_evolves_exactly_for_what_is_in_a_group_and_has_a_gradient(method: str, zero_grad: str) -> None:
    found = effects(method, ["middle"], {"name": "Adam", "zero_grad": zero_grad}, from_step=3).get("state_evolving")
    flags_off_but_zeroed = method in {"requires_grad", *CUTTING} and zero_grad == "zero"
    evolves = method in {"grad_zero", "lr_zero", "restore", "eval_only"} or flags_off_but_zeroed
    assert found == (["middle.0"] if evolves else None)


def test_an_optimizer_without_state_has_none_that_evolves() -> None:
    assert "state_evolving" not in effects("lr_zero", ["middle"], {"name": "SGD", "lr": 0.1})


@pytest.mark.parametrize("method", METHODS)
def test_frozen_gradients_inflate_the_clipping_norm_where_they_are_left_in_place(method: str) -> None:
    found = effects(method, ["middle"], clip_grad_norm=0.1).get("clip_inflated")
    assert found == (["middle.0"] if method in {"exclude", "restore", "lr_zero", "eval_only"} else None)


def test_without_clipping_nothing_is_inflated() -> None:
    assert "clip_inflated" not in effects("lr_zero", ["middle"])


@pytest.mark.parametrize("method", METHODS)
def test_gradients_pile_up_where_no_optimizer_clears_them(method: str) -> None:
    assert effects(method, ["middle"]).get("gradients_accumulate") == (["middle.0"] if method == "exclude" else None)


def test_a_thaw_with_the_momentum_of_restored_steps_jumps_and_a_reset_one_does_not() -> None:
    # ten restored steps pile up to (1 − 0.9¹⁰) / 0.1 = 6.5 gradients of momentum that the weights never followed
    sgd = {"name": "SGD", "lr": 0.001, "momentum": 0.9}
    window = {"from_step": 0, "to_step": 10}
    assert effects("restore", ["middle"], sgd, **window)["thaw_jump"] == ["middle.0"]
    assert "thaw_jump" not in effects("restore", ["middle"], sgd, thaw="reset_state", **window)
    assert "thaw_jump" not in effects("grad_none", ["middle"], sgd, **window)


def test_a_trainable_layer_in_no_group_is_a_dead_thaw() -> None:
    model = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2), nn.Linear(2, 2))
    optimizer = torch.optim.SGD([*model[0].parameters(), *model[1].parameters()], lr=0.1)
    context = FreezeContext(model, optimizer)
    watch = SideEffectWatch(context, clipping=False)
    context.frozen = frozenset({"0"})
    watch.before_forward()
    model(torch.ones(1, 2)).sum().backward()
    watch.after_backward((), {id(p) for p in model.parameters()})
    found = {effect.kind: effect.layers for effect in watch.side_effects()}
    assert found["dead_thaw"] == ("2",)


def test_nothing_frozen_has_no_side_effects() -> None:
    assert effects("requires_grad", []) == {}
