"""Each cure is run in a plain PyTorch script that has the trouble: without the cure it is there, with it it is gone."""

from __future__ import annotations

import ast
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import mse_loss

import freeze_gui
from freeze_gui.freezing.advice import ForecastWarning
from freeze_gui.freezing.explain import (
    EXPLANATIONS,
    Case,
    case_of_cause,
    case_of_effect,
    explain,
    layer_names,
)
from freeze_gui.freezing.side_effects import TEXTS, ThawReport
from freeze_gui.freezing.verdict import Cause, TensorVerdict

PLAIN = "loss.backward()\noptimizer.step()"
ZEROED = "loss.backward()\nfor p in layer.parameters():\n    p.grad.zero_()\noptimizer.step()"

Cure = str | None


class Script:
    """A training script with the names that the cures take; `layer` lies between a first layer and a head."""

    def __init__(self, layer: nn.Module | None = None, **hyper: Any) -> None:
        torch.manual_seed(0)
        self.layer: Any = layer or nn.Linear(4, 4)
        self.head: Any = nn.Linear(4, 4)
        self.model = nn.Sequential(nn.Linear(3, 4), self.layer, self.head)
        kind = hyper.pop("optimizer", torch.optim.SGD)
        self.optimizer: torch.optim.Optimizer = kind(self.model.parameters(), **{"lr": 0.1, **hyper})
        self.inputs, self.targets = torch.randn(8, 3), torch.randn(8, 4)
        self.loss = torch.zeros(())

    def run(self, code: str, step: int = 0) -> None:
        names = {**vars(self), "torch": torch, "loss_function": mse_loss, "step": step}
        exec(code, names)
        self.optimizer, self.loss = names["optimizer"], names["loss"]

    def train(
        self, steps: int = 4, code: str = PLAIN, zero_grad: str = "none", first: Cure = None, last: Cure = None
    ) -> None:
        for step in range(steps):
            if first:
                self.run(first, step)
            if zero_grad != "never":
                self.optimizer.zero_grad(set_to_none=zero_grad == "none")
            self.loss = mse_loss(self.model(self.inputs), self.targets)
            self.run(code, step)
            if last:
                self.run(last, step)

    def flags_off(self) -> None:
        self.layer.requires_grad_(False)

    def moves(self, **how: Any) -> bool:
        return moved(self.layer, lambda: self.train(**how))


def tensors(module: nn.Module) -> list[Tensor]:
    return [tensor.detach().clone() for tensor in (*module.parameters(), *module.buffers())]


def moved(module: nn.Module, action: Callable[[], None]) -> bool:
    before = tensors(module)
    action()
    return not all(torch.equal(*pair) for pair in zip(before, tensors(module), strict=True))


def gradient(cure: Cure) -> bool:
    script = Script()
    script.layer.eval()
    return script.moves(code=cure or PLAIN)


def stale_gradient(cure: Cure) -> bool:
    script = Script()
    script.train()
    script.flags_off()
    script.run(cure or "")
    return script.moves(zero_grad="never")


def momentum(cure: Cure) -> bool:
    script = Script(optimizer=torch.optim.Adam)
    script.train()
    return script.moves(code=cure or ZEROED)


def weight_decay(cure: Cure) -> bool:
    script = Script(weight_decay=0.1)
    script.train()
    script.flags_off()
    script.run(cure or "")
    return script.moves(zero_grad="zero")


def running_statistics(cure: Cure) -> bool:
    script = Script(nn.BatchNorm1d(4))
    script.flags_off()
    return script.moves(first=cure or "model.train()")


def forward_write(cure: Cure) -> bool:
    script = Script(nn.utils.parametrizations.spectral_norm(nn.Linear(4, 4)))
    script.flags_off()
    script.run(cure or "")
    return script.moves()


def shared_storage(cure: Cure) -> bool:
    script = Script()
    script.layer.weight.data = script.head.weight.data
    script.flags_off()
    script.run(cure or "")
    return script.moves()


def other_writer(cure: Cure) -> bool:
    script = Script()
    script.flags_off()

    def write(layer: Any, *values: object) -> None:
        layer.weight.data.mul_(0.9)

    script.layer.register_forward_hook(write)
    whole = cure or f"loss = loss_function(model(inputs), targets)\n{PLAIN}"
    return moved(script.layer, lambda: script.run(whole))


def upstream_cut(cure: Cure) -> bool:
    script = Script()
    if cure is None:   # the cured script goes without it: the code says so
        script.layer.register_forward_hook(lambda layer, inputs, output: output.detach())
    holds = not script.moves(code=f"{cure or 'loss.backward()'}\noptimizer.step()")
    assert holds
    return script.model[0].weight.grad is None


def state_evolving(cure: Cure) -> bool:
    script = Script(optimizer=torch.optim.Adam)
    script.train()
    state = script.optimizer.state[next(script.layer.parameters())]
    before = state["exp_avg"].clone(), float(state["step"])
    script.train(code=cure or ZEROED)
    return not torch.equal(before[0], state["exp_avg"]) or before[1] != float(state["step"])


def _differs_from_a_paused_run(script: Script, ideal: Script) -> bool:
    return not torch.equal(script.head.weight, ideal.head.weight)


def clip_inflated(cure: Cure) -> bool:
    drop = "for p in layer.parameters():\n    p.grad = None\n"
    clip = "torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)\n"
    script, ideal = Script(), Script()
    for one in (script, ideal):
        one.targets = 100 * one.targets
    ideal.train(code=f"loss.backward()\n{drop}{clip}optimizer.step()")
    script.train(code=cure or f"loss.backward()\n{clip}{drop}optimizer.step()")
    return _differs_from_a_paused_run(script, ideal)


def gradients_accumulate(cure: Cure) -> bool:
    script = Script()
    frozen = set(script.layer.parameters())
    script.optimizer = torch.optim.SGD([p for p in script.model.parameters() if p not in frozen], lr=0.0)
    script.train(code=cure or PLAIN)
    weight = next(script.layer.parameters())
    (once,) = torch.autograd.grad(mse_loss(script.model(script.inputs), script.targets), weight)
    return not torch.equal(weight.grad, once)


def no_saving(cure: Cure) -> bool:
    return _kept_elements(cure, frozen=True) >= _kept_elements(None, frozen=False)


def _kept_elements(cure: Cure, *, frozen: bool) -> int:
    """Count what a forward of three convolutions keeps for its backward, parameters left out."""
    script = Script()
    model = script.model = nn.Sequential(*(nn.Conv1d(2, 2, 1) for _ in range(3)))
    script.layer = model[1]
    if frozen:
        script.flags_off()
    script.run(cure or "")
    own = {parameter.data_ptr() for parameter in model.parameters()}
    kept: list[int] = []
    with torch.autograd.graph.saved_tensors_hooks(
        lambda tensor: kept.append(0 if tensor.data_ptr() in own else tensor.numel()), lambda tensor: tensor
    ):
        model(torch.randn(1, 2, 5))
    return sum(kept)


def dead_thaw(cure: Cure) -> bool:
    script = Script()
    frozen = set(script.layer.parameters())
    script.optimizer = torch.optim.SGD([p for p in script.model.parameters() if p not in frozen], lr=0.1)
    script.run(cure or "")
    return not script.moves()


def thaw_jump(cure: Cure) -> bool:
    script = Script(momentum=0.9)
    values = tensors(script.layer)
    for _ in range(20):   # frozen by putting the values back
        script.train(1)
        for parameter, value in zip(script.layer.parameters(), values, strict=True):
            parameter.data.copy_(value)
    script.run(cure or "")
    script.train(1)
    weight = next(script.layer.parameters())
    assert weight.grad is not None
    return not torch.allclose(weight, values[0] - 0.1 * weight.grad)   # a fresh SGD moves by lr × gradient


def adamw_decays(cure: Cure) -> bool:
    script = Script(optimizer=torch.optim.AdamW)
    script.run(cure or "")
    return script.moves(code=PLAIN if cure else ZEROED, zero_grad="zero")


def gradients_pile_up(cure: Cure) -> bool:
    script = Script()
    frozen = set(script.layer.parameters())
    script.optimizer = torch.optim.SGD([p for p in script.model.parameters() if p not in frozen], lr=0.1)
    script.run(cure or "")
    script.train()
    return next(script.layer.parameters()).grad is not None


def everything_frozen(cure: Cure) -> bool:
    script = Script()
    script.model.requires_grad_(False)
    script.run(cure or "")
    try:
        return not moved(script.head, script.train)
    except RuntimeError:
        return True


def head_frozen(cure: Cure) -> bool:
    script = Script()
    script.head.requires_grad_(False)
    script.run(cure or "")
    return not moved(script.head, script.train)


def tied_tensors(cure: Cure) -> bool:
    script = Script()
    script.head.weight = script.layer.weight
    script.flags_off()
    script.run(cure or "")
    script.optimizer = torch.optim.SGD(script.model.parameters(), lr=0.1)
    before = script.head.weight.detach().clone()
    assert not script.moves()
    return torch.equal(before, script.head.weight)


def parametrized(cure: Cure, make: Callable[[nn.Module], nn.Module] = nn.utils.parametrizations.spectral_norm) -> bool:
    script = Script(make(nn.Linear(4, 4)))
    script.flags_off()

    def weight() -> Tensor:
        mode = script.layer.training
        script.layer.eval()   # to look at it without moving it
        script.layer(torch.zeros(1, 4))
        value: Tensor = script.layer.weight.detach().clone()
        script.layer.train(mode)
        return value

    before = weight()
    script.train(first=cure or "model.train()")
    return not torch.equal(before, weight())


def clipping_sees_frozen(cure: Cure) -> bool:
    drop = "for p in layer.parameters():\n    p.grad = None\n"
    clip = "torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)\n"
    script, ideal = Script(), Script()
    script.optimizer = torch.optim.SGD(
        [
            {"params": [*script.model[0].parameters(), *script.head.parameters()]},
            {"params": script.layer.parameters(), "lr": 0.0},
        ],
        lr=0.1,
    )
    for one in (script, ideal):
        one.targets = 100 * one.targets
    ideal.train(code=f"loss.backward()\n{drop}{clip}optimizer.step()")
    script.train(code=cure or f"loss.backward()\n{clip}optimizer.step()")
    return _differs_from_a_paused_run(script, ideal)


def scheduler_overwrites_lr_zero(cure: Cure) -> bool:
    script = Script()
    script.optimizer = torch.optim.SGD(
        [{"params": script.head.parameters()}, {"params": script.layer.parameters(), "lr": 0.0}], lr=0.1
    )
    scheduler = torch.optim.lr_scheduler.OneCycleLR(script.optimizer, max_lr=0.1, total_steps=10)
    script.run(cure or "")

    def train() -> None:
        for _ in range(4):
            script.train(1)
            scheduler.step()

    return moved(script.layer, train)


def unknown_optimizer(cure: Cure) -> bool:
    script = Script(optimizer=torch.optim.Adam)
    script.train()
    script.run(cure or "")
    return script.moves(code=ZEROED)


def nothing_to_train(cure: Cure) -> bool:
    script = Script()
    script.layer = script.head
    if cure is None:
        script.head.register_forward_hook(lambda layer, inputs, output: output.detach())
    try:
        return script.moves(code=f"{cure or 'loss.backward()'}\noptimizer.step()")
    except RuntimeError:
        return True


def never_in_effect(cure: Cure) -> bool:
    code = EXPLANATIONS["never_in_effect"].code
    late = code.replace("0, 100", "1000, 1100")
    assert late != code
    return Script().moves(first=cure or late)


def rates_overlap(cure: Cure) -> bool:
    script = Script()
    two = 'optimizer = torch.optim.SGD([{"params": layer.parameters(), "lr": lr} for lr in (0.1, 0.01)])'
    try:
        script.run(cure or two)
    except ValueError as error:
        return "more than one parameter group" in str(error)
    rates = {id(p): group["lr"] for group in script.optimizer.param_groups for p in group["params"]}
    assert set(rates) == {id(p) for p in script.model.parameters()}
    return {rates[id(p)] for p in script.layer.parameters()} != {0.01}


def momentum_dropped(cure: Cure) -> bool:
    script, ideal = Script(momentum=0.9), Script(momentum=0.9)
    for one in (script, ideal):
        one.train()
        one.flags_off()
    if cure:
        script.run(cure)
    else:
        script.optimizer = torch.optim.SGD([*script.head.parameters()], lr=0.1, momentum=0.9)
    script.train(1)
    ideal.train(1)
    return _differs_from_a_paused_run(script, ideal)


def thaw_fails(cure: Cure) -> bool:
    script = Script(momentum=0.9, fused=True)
    script.flags_off()
    script.train(2)
    script.layer.requires_grad_(True)
    if cure:
        script.run(cure)
    try:
        return not script.moves()
    except TypeError as error:
        return "got NoneType" in str(error)


def eval_only_freezes_nothing(cure: Cure) -> bool:
    script = Script()
    script.run(cure or "layer.eval()")
    return script.moves()


TROUBLES: dict[str, Callable[[Cure], bool]] = {
    trouble.__name__: trouble
    for trouble in (
        gradient, stale_gradient, momentum, weight_decay, running_statistics, forward_write, shared_storage,
        other_writer, upstream_cut, state_evolving, clip_inflated, gradients_accumulate, no_saving, dead_thaw,
        thaw_jump, adamw_decays, gradients_pile_up, everything_frozen, head_frozen, tied_tensors, parametrized,
        clipping_sees_frozen, scheduler_overwrites_lr_zero, unknown_optimizer, nothing_to_train, never_in_effect,
        rates_overlap, momentum_dropped, thaw_fails, eval_only_freezes_nothing,
    )
}  # fmt: skip
TROUBLES["frozen_in_the_middle"] = no_saving


@pytest.mark.parametrize("kind", EXPLANATIONS)
def test_without_the_cure_the_trouble_is_there_and_with_it_it_is_gone(kind: str) -> None:
    assert TROUBLES[kind](None)
    assert not TROUBLES[kind](EXPLANATIONS[kind].code)


def test_the_cure_of_a_computed_weight_holds_the_older_kind_of_spectral_norm_too() -> None:
    assert parametrized(None, nn.utils.spectral_norm)
    assert not parametrized(EXPLANATIONS["parametrized"].code, nn.utils.spectral_norm)


@pytest.mark.filterwarnings("ignore:.*weight_norm:FutureWarning")
@pytest.mark.parametrize("make", [nn.utils.parametrizations.weight_norm, nn.utils.weight_norm])
def test_the_cure_of_a_computed_weight_runs_and_holds_where_it_is_a_weight_norm(make: Any) -> None:
    assert not parametrized(EXPLANATIONS["parametrized"].code, make)


@pytest.mark.parametrize("cured", [False, True])
def test_an_embedding_without_max_norm_keeps_its_rows(cured: bool) -> None:
    script = Script()
    script.layer = nn.Embedding(5, 3, max_norm=0.1)
    script.flags_off()
    script.run(EXPLANATIONS["forward_write"].code if cured else "layer.eval()")
    assert moved(script.layer, lambda: script.layer(torch.tensor([1, 2]))) != cured


def test_every_warning_that_the_program_gives_has_an_explanation() -> None:
    texts = [path.read_text(encoding="utf-8") for path in Path(freeze_gui.__file__).parent.rglob("*.py")]
    calls = [node for text in texts for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Call)]
    kinds = {
        call.args[0].value
        for call in calls
        if isinstance(call.func, ast.Name) and call.func.id in ("warning", "ForecastWarning") and call.args
        if isinstance(call.args[0], ast.Constant)
    }
    assert {"rates_overlap", "never_in_effect", "everything_frozen"} <= kinds   # the search finds what there is
    assert kinds <= set(EXPLANATIONS)


def test_every_side_effect_has_an_explanation() -> None:
    assert set(TEXTS) <= set(EXPLANATIONS)


@pytest.mark.parametrize("kind", EXPLANATIONS)
def test_an_explanation_reads_whole_with_and_without_a_run(kind: str) -> None:
    ahead, after = explain(kind), explain(kind, Case(("conv1",), "Adam", 12, 3, 0.25, 3.5))
    assert ahead is not None
    assert after is not None
    for text in (ahead, after):
        for part in (text.happened, text.why, text.cure):
            assert part[0].isalpha() or part.startswith("“")
            assert part.endswith((".", "”", "”."))
            assert not set("{}") & set(part)
            assert "  " not in part
    assert "the frozen layers" in ahead.happened or "{layers}" not in EXPLANATIONS[kind].happened


def test_an_unknown_kind_has_no_explanation() -> None:
    assert explain("no_such_thing") is None


def test_a_case_tells_the_first_step_only_where_one_cause_did_it_all() -> None:
    def tensor(layer: str, first: int, *causes: Cause) -> TensorVerdict:
        return TensorVerdict(f"{layer}.weight", "parameter", layer, ((0, 9),), True, 5, first, 1.0, causes)

    alone = [tensor("a", 4, Cause("momentum", 5, 0.5)), tensor("b", 7, Cause("momentum", 2, 0.25))]
    assert case_of_cause("momentum", alone, "Adam") == Case(("a", "b"), "Adam", 4, 5, 0.5)
    mixed = [tensor("a", 4, Cause("momentum", 4, 0.5), Cause("gradient", 1, 2.0))]
    assert case_of_cause("gradient", mixed, "Adam") == Case(("a",), "Adam", None, 1, 2.0)
    text = explain("momentum", case_of_cause("momentum", alone, "Adam"))
    assert text is not None
    for word in ("At step 4", "a and b", "Adam", "5 steps", "0.5"):
        assert word in text.happened


def test_a_thaw_jump_says_how_large_it_was() -> None:
    thaws = [ThawReport(10, "a", 0.3, 0.1, 3.0, 3.0), ThawReport(20, "b", 0.1, 0.1, 1.0, None)]
    case = case_of_effect(("a", "b"), thaws, "SGD")
    text = explain("thaw_jump", case)
    assert text is not None
    assert "At step 10" in text.happened
    assert "3 times" in text.happened


def test_many_layers_are_counted_and_few_are_named() -> None:
    assert layer_names(["a"]) == "a"
    assert layer_names(["a", "b", "c"]) == "a, b and c"
    assert layer_names(["a", "b", "c", "d"]) == "a, b and 2 more layers"
    warning = ForecastWarning("head_frozen", ("",), "")
    assert layer_names(warning.layers) == "the model itself"
