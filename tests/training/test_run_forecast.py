from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
import torch
from torch import nn

from freeze_gui.freezing.basis import TensorForecast
from freeze_gui.freezing.freezer import Freezer
from freeze_gui.freezing.plan import resolve
from freeze_gui.models.layer_tree import build_tree
from freeze_gui.models.loaded import LoadedModel
from freeze_gui.models.sources import open_model
from freeze_gui.training.config import load_config
from freeze_gui.training.run_forecast import RunForecast, forecast_run
from freeze_gui.training.trials import Trials
from tests.support.network import Net
from tests.support.runs import network_config


def loaded(model: nn.Module, shape: tuple[int, ...] | None = (6,), tasks: tuple[str, ...] = ()) -> LoadedModel:
    return LoadedModel(model, "file:x.py:f", None, shape, "cross_entropy", "random", (), tasks)


def forecast(
    model: LoadedModel,
    method: str,
    layers: list[str],
    optimizer: dict[str, Any] | None = None,
    freeze: dict[str, Any] | None = None,
    **train: Any,
) -> RunForecast:
    settings = network_config(method, optimizer or {"name": "Adam"}, {"layers": layers, **(freeze or {})}, **train)
    if freeze and "phase" in freeze:
        del settings["freeze"]["layers"]
    config = load_config(settings)
    plan = resolve(config.freeze, build_tree(model.module))
    return forecast_run(config, Trials(model), plan, config.train.steps or 0)


def kinds(found: RunForecast) -> dict[str, tuple[str, ...]]:
    for warning in found.warnings:   # one sentence on what and why, one with the cure
        assert warning.text.endswith(".")
        assert warning.text.count(". ") >= 1
    return {warning.kind: warning.layers for warning in found.warnings}


def causes(found: RunForecast) -> Mapping[str, set[str]]:
    assert found.tensors is not None
    return {tensor.name: set(tensor.causes) for tensor in found.tensors}


NET = loaded(Net())
FRONT = ["first", "norm"]


def test_a_freeze_from_the_input_on_that_holds_is_nothing_to_warn_of() -> None:
    assert kinds(forecast(NET, "requires_grad", FRONT)) == {}


WARNINGS: list[tuple[str, str, list[str], dict[str, Any], dict[str, Any], tuple[str, ...]]] = [
    ("frozen_in_the_middle", "requires_grad", ["middle"], {}, {}, ("middle.0",)),
    ("adamw_decays", "grad_zero", ["first"], {"name": "AdamW"}, {}, ("first",)),
    ("gradients_pile_up", "exclude", ["first"], {}, {}, ("first",)),
    ("everything_frozen", "grad_none", ["*"], {}, {}, ("first", "norm", "middle.0", "last")),
    ("head_frozen", "requires_grad", ["last"], {}, {}, ("last",)),
    ("clipping_sees_frozen", "restore", ["first"], {}, {"clip_grad_norm": 1.0}, ("first",)),
    ("clipping_sees_frozen", "exclude", ["first"], {}, {"clip_grad_norm": 1.0}, ("first",)),
    ("scheduler_overwrites_lr_zero", "lr_zero", ["first"], {"scheduler": "OneCycleLR"}, {}, ("first",)),
    ("unknown_optimizer", "requires_grad", ["first"], {"name": "SparseAdam"}, {}, ("first",)),
    ("upstream_cut", "no_grad", ["middle"], {}, {}, ("first", "norm")),
    ("upstream_cut", "detach", ["middle"], {}, {}, ("first", "norm")),
    ("nothing_to_train", "detach", ["last"], {}, {}, ("last",)),
    ("nothing_to_train", "requires_grad", ["*"], {}, {}, ("first", "norm", "middle.0", "last")),
    ("eval_only_freezes_nothing", "eval_only", ["first"], {}, {}, ("first",)),
]


NEED_A_TRIAL = {"frozen_in_the_middle", "upstream_cut", "nothing_to_train", "adamw_decays", "clipping_sees_frozen"}
"""They hold only if a layer runs, or in front of another, which the order of the modules does not tell."""


@pytest.mark.parametrize("known_input", [True, False])
@pytest.mark.parametrize(("kind", "method", "layers", "optimizer", "train", "expected"), WARNINGS)
def test_each_trap_is_warned_of(
    kind: str,
    method: str,
    layers: list[str],
    optimizer: dict[str, Any],
    train: dict[str, Any],
    expected: tuple[str, ...],
    known_input: bool,
) -> None:
    model = NET if known_input else loaded(Net(), None)   # nothing can be tried without knowing what goes in
    found = kinds(forecast(model, method, layers, {"name": "Adam", **optimizer}, **train))
    if known_input or kind not in NEED_A_TRIAL:
        assert found[kind] == expected
    else:
        assert kind not in found


def test_the_same_circumstances_without_the_trap_are_not_warned_of() -> None:
    assert "adamw_decays" not in kinds(forecast(NET, "grad_zero", FRONT, {"name": "Adam"}))
    assert "clipping_sees_frozen" not in kinds(forecast(NET, "requires_grad", FRONT, clip_grad_norm=1.0))
    assert "clipping_sees_frozen" not in kinds(forecast(NET, "grad_zero", FRONT, clip_grad_norm=1.0))
    step_lr = {"name": "Adam", "scheduler": "StepLR"}
    assert "scheduler_overwrites_lr_zero" not in kinds(forecast(NET, "lr_zero", FRONT, step_lr))
    assert "upstream_cut" not in kinds(forecast(NET, "no_grad", FRONT))
    assert "head_frozen" not in kinds(forecast(NET, "requires_grad", ["*"]))


def test_stale_gradients_are_seen_by_clipping() -> None:
    never = {"name": "Adam", "zero_grad": "never"}
    assert kinds(forecast(NET, "requires_grad", ["first"], never, {"from_step": 3}, clip_grad_norm=1.0)) == {
        "clipping_sees_frozen": ("first",)
    }
    # from the start there never was a gradient
    assert kinds(forecast(NET, "requires_grad", ["first"], never, clip_grad_norm=1.0)) == {}


def test_a_window_after_the_end_and_a_task_that_the_model_does_not_have_never_take_effect() -> None:
    assert kinds(forecast(NET, "grad_none", ["first"], freeze={"from_step": 20}, steps=20)) == {
        "never_in_effect": ("first",)
    }
    two = open_model("builtin:two-task")
    task = {"phase": [{"layers": ["output"], "from": 90}], "task": [{"task": "task3", "layers": ["hidden_task1"]}]}
    found = kinds(forecast(two, "grad_none", [], freeze=task))
    assert found["never_in_effect"] == ("hidden_task1", "output")


def test_a_rebuilt_optimizer_drops_everyones_momentum_when_there_is_some() -> None:
    middle = {"from_step": 3}
    assert "momentum_dropped" in kinds(forecast(NET, "filter", ["first"], freeze=middle))
    assert "momentum_dropped" not in kinds(forecast(NET, "filter", ["first"]))
    assert "momentum_dropped" not in kinds(forecast(NET, "filter", ["first"], {"name": "SGD"}, middle))


@pytest.mark.parametrize("method", ["restore", "lr_zero", "grad_zero"])
def test_a_thaw_after_a_state_that_went_on_may_jump(method: str) -> None:
    window = {"to_step": 10}
    assert "thaw_jump" in kinds(forecast(NET, method, ["first"], freeze=window))
    assert "thaw_jump" not in kinds(forecast(NET, method, ["first"]))
    assert "thaw_jump" not in kinds(forecast(NET, method, ["first"], freeze={**window, "thaw": "reset_state"}))
    assert "thaw_jump" not in kinds(forecast(NET, method, ["first"], {"name": "Adagrad"}, window))
    assert "thaw_jump" not in kinds(forecast(NET, "grad_none", ["first"], freeze=window))


def test_tied_tensors_and_parametrizations_are_named() -> None:
    tied = nn.Sequential(nn.Linear(6, 6, bias=False), nn.Tanh(), nn.Linear(6, 6, bias=False), nn.Linear(6, 3))
    tied[2].weight = tied[0].weight
    assert kinds(forecast(loaded(tied), "requires_grad", ["0"]))["tied_tensors"] == ("0", "2")


@pytest.mark.parametrize("norm", ["leave", "eval"])
@pytest.mark.parametrize("known_input", [True, False])
def test_the_vectors_of_both_kinds_of_spectral_norm_move_unless_the_layer_is_in_eval_mode(
    norm: str, known_input: bool
) -> None:
    def vectors(method: str) -> list[TensorForecast]:
        kinds_of = (nn.utils.parametrizations.spectral_norm, nn.utils.spectral_norm)
        made = nn.Sequential(*(kind(nn.Linear(6, 6)) for kind in kinds_of), nn.Linear(6, 3))
        found = forecast(loaded(made, (6,) if known_input else None), method, ["0", "1"], freeze={"norm": norm})
        assert {"0", "1"} <= set(kinds(found)["parametrized"])
        told = [t for t in found.tensors or () if t.name.endswith(("_u", "_v"))]
        assert len(told) == 4
        return told

    if known_input:
        assert all(t.causes == {"forward_write"} for t in vectors("requires_grad"))
    else:
        assert all(t.unsure == {"forward_write"} and not t.causes for t in vectors("requires_grad"))
    assert not any(t.causes | t.unsure for t in vectors("eval_only"))


def test_layers_of_another_task_stand_in_front_of_nothing() -> None:
    model = open_model("builtin:two-task")
    tasks = [{"task": "task1", "layers": ["hidden_task2"]}, {"task": "task2", "layers": ["hidden_task1"]}]
    assert kinds(forecast(model, "requires_grad", [], freeze={"task": tasks, "layers": []})) == {}


@pytest.mark.parametrize(
    ("zero_grad", "leaks"), [("none", set()), ("zero", {"momentum"}), ("never", {"stale_gradient"})]
)
def test_the_two_tasks_leak_under_adam_only_where_old_gradients_stay(zero_grad: str, leaks: set[str]) -> None:
    # the other task's layer is not in the forward: what the step sees is what zero_grad left
    model = open_model("builtin:two-task")
    tasks = [{"task": "task1", "layers": ["hidden_task2"]}, {"task": "task2", "layers": ["hidden_task1"]}]
    for method in ("requires_grad", "eval_only", "restore"):
        optimizer = {"name": "Adam", "zero_grad": zero_grad}
        found = causes(forecast(model, method, [], optimizer, {"task": tasks, "layers": []}))
        expected = set() if method == "restore" else leaks
        assert found == {"hidden_task1.weight": expected, "hidden_task2.weight": expected}, method


def test_one_cycle_gives_sgd_a_momentum_that_it_was_not_given() -> None:
    optimizer = {"name": "SGD", "lr": 0.1, "zero_grad": "zero"}
    window = {"from_step": 3}
    assert causes(forecast(NET, "grad_zero", ["middle"], optimizer, window))["middle.0.weight"] == set()
    cycled = {**optimizer, "scheduler": "OneCycleLR"}
    assert causes(forecast(NET, "grad_zero", ["middle"], cycled, window))["middle.0.weight"] == {"momentum"}
    steady = {**optimizer, "scheduler": {"name": "OneCycleLR", "cycle_momentum": False}}
    assert causes(forecast(NET, "grad_zero", ["middle"], steady, window))["middle.0.weight"] == set()


def test_a_weight_of_zeros_cannot_decay_where_its_values_are_known() -> None:
    def net() -> nn.Sequential:
        front = nn.Linear(6, 6)
        nn.init.zeros_(front.bias)
        return nn.Sequential(front, nn.Linear(6, 3))

    decaying = {"name": "AdamW", "zero_grad": "zero"}
    assert causes(forecast(loaded(net()), "grad_zero", ["0"], decaying))["0.bias"] == set()
    assert causes(forecast(loaded(net().to("meta")), "grad_zero", ["0"], decaying))["0.bias"] == {"weight_decay"}
    late = forecast(loaded(net()), "grad_zero", ["0"], decaying, {"from_step": 2})
    assert causes(late)["0.bias"] == {"weight_decay", "momentum"}


def test_decay_that_is_smaller_than_the_rounding_of_half_precision_moves_nothing() -> None:
    def decays(dtype: torch.dtype, lr: float) -> set[str]:
        model = loaded(nn.Sequential(nn.Linear(6, 6), nn.Linear(6, 3)).to(dtype))
        return causes(forecast(model, "grad_zero", ["0"], {"name": "AdamW", "lr": lr}))["0.weight"]

    assert decays(torch.float32, 1e-3) == {"weight_decay"}   # 1e-5 of the weight, and half an ULP is 3e-8 to 6e-8 of it
    assert decays(torch.float32, 1e-7) == set()              # 1e-9
    assert decays(torch.bfloat16, 1e-3) == set()             # half an ULP is 2e-3 to 4e-3


def test_what_the_author_froze_has_no_gradient_and_what_is_not_in_the_forward_neither() -> None:
    class Idle(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a, self.unused, self.out = nn.Linear(6, 6), nn.Linear(6, 6), nn.Linear(6, 3)
            self.a.weight.requires_grad_(False)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            found: torch.Tensor = self.out(self.a(x))
            return found

    found = causes(forecast(loaded(Idle()), "eval_only", ["a", "unused"]))
    assert found == {"a.weight": set(), "a.bias": {"gradient"}, "unused.weight": set(), "unused.bias": set()}


def test_a_tensor_under_two_names_is_frozen_as_a_whole_but_by_wrapping_one_of_its_layers() -> None:
    model = nn.Sequential(nn.Linear(6, 6, bias=False), nn.Tanh(), nn.Linear(6, 6, bias=False), nn.Linear(6, 3))
    model[0].weight = model[2].weight
    assert causes(forecast(loaded(model), "requires_grad", ["0"])) == {"0.weight": set()}
    assert causes(forecast(loaded(model), "detach", ["0"])) == {"0.weight": {"gradient"}}   # the other one trains it


def test_a_weight_that_its_parent_uses_without_calling_the_layer_is_not_held_by_wrapping_the_layer() -> None:
    class Parent(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.attention, self.out = nn.MultiheadAttention(6, 2, batch_first=True), nn.Linear(6, 3)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            h = x[:, None]
            found: torch.Tensor = self.out(self.attention(h, h, h)[0][:, 0])
            return found

    found = causes(forecast(loaded(Parent()), "no_grad", ["attention.out_proj"]))
    assert found["attention.out_proj.weight"] == {"gradient"}


def test_a_forecast_says_what_a_step_saves() -> None:
    found = forecast(NET, "requires_grad", FRONT)
    assert found.cost is not None
    assert found.cost.share("gradient_bytes") < 1


def test_a_forecast_touches_neither_model_nor_random_numbers() -> None:
    model = Net()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    state = torch.get_rng_state()
    forecast(loaded(model), "no_grad", ["middle"])
    assert torch.equal(torch.get_rng_state(), state)
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())
    assert all(p.grad is None and p.requires_grad for p in model.parameters())
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in model.modules())


def test_a_long_run_is_forecast_as_fast_as_a_short_one() -> None:
    phases = {"phase": [{"layers": ["first"], "from": 10, "to": 900_000}, {"layers": ["middle"], "from": 500_000}]}
    found = forecast(NET, "grad_zero", [], freeze=phases, steps=1_000_000)
    assert causes(found)["first.weight"] == causes(found)["middle.0.weight"] == {"momentum"}


def test_the_modules_of_the_forecast_are_those_of_the_freezer() -> None:
    # a freezer of the same plan wraps the same modules: what was tried is what will be
    config = load_config(network_config("detach", {"name": "SGD"}, {"layers": ["middle"]}))
    model = Net()
    plan = resolve(config.freeze, build_tree(model))
    freezer = Freezer(model, torch.optim.SGD(model.parameters()), plan)
    freezer.begin_step(0, None)
    hooked = {path for path, module in model.named_modules() if module._forward_hooks and path}
    assert hooked == plan.frozen_at(0)


def test_a_head_that_starts_at_zero_lets_no_gradient_through_in_the_first_step() -> None:
    head = nn.Linear(6, 3)
    nn.init.zeros_(head.weight)
    model = loaded(nn.Sequential(nn.Linear(6, 6), head))
    found = forecast(model, "eval_only", ["0"], {"name": "AdamW"}, steps=1)
    assert found.tensors is not None
    (weight,) = (tensor for tensor in found.tensors if tensor.name == "0.weight")
    assert weight.causes == frozenset()
    assert weight.unsure >= {"gradient", "weight_decay"}   # a gradient of zeros leaves decay, and round-off may be seen
    assert causes(forecast(model, "eval_only", ["0"], {"name": "AdamW"}, steps=2))["0.weight"] == {"gradient"}


def test_a_step_of_several_micro_batches_has_the_tasks_of_all_of_them() -> None:
    model = open_model("builtin:two-task")
    tasks = [{"task": "task1", "layers": ["hidden_task2"]}]
    optimizer = {"name": "SGD", "lr": 0.1}
    one = causes(forecast(model, "eval_only", [], optimizer, {"task": tasks, "layers": []}))
    both = causes(forecast(model, "eval_only", [], optimizer, {"task": tasks, "layers": []}, accumulate=2))
    assert (one, both) == ({"hidden_task2.weight": set()}, {"hidden_task2.weight": {"gradient"}})
