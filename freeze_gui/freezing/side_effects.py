"""What a freeze did to the rest of the run, found in what happened and never from the name of the method.

Most effects follow from which modules are frozen, so the structure is looked at in the first step of each set of frozen
modules: which layers ran, in which order, whether autograd recorded them, and which got a gradient.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from freeze_gui.freezing.bits import differ, largest_difference
from freeze_gui.freezing.causes import Marks, Suspect, fresh_step, gradient_mark
from freeze_gui.freezing.context import FreezeContext

JUMP = 1.5
"""A first step after a thaw is a jump from this many times the step of a fresh optimizer on."""

TEXTS = {
    "upstream_cut": "These layers ran and got no gradient, because a frozen layer after them cuts the graph: they do "
    "not learn. Freeze by requires_grad = False, which lets gradients through",
    "state_evolving": "The optimizer keeps updating momentum and moments of these frozen layers, so that a thaw starts "
    "from a state that belongs to no step they took. Set their gradients to None, or thaw with reset_state",
    "clip_inflated": "The gradients of these frozen layers count in the clipping norm and shrink everyone else's step. "
    "Drop them (grad = None) before clipping, or clip the trainable parameters only",
    "gradients_accumulate": "No optimizer clears the gradients of these layers, which grow from step to step and would "
    "all be applied at a thaw. Turn requires_grad off as well, or call model.zero_grad()",
    "no_saving": "Autograd records these frozen layers all the same, so the freeze saves no activation memory. Turn "
    "requires_grad off, and freeze from the input on",
    "dead_thaw": "These layers are trainable, and no param_group holds them: they get gradients and never move. Call "
    "optimizer.add_param_group when they thaw",
    "thaw_jump": "The first step after the thaw was far larger than a first step of a fresh optimizer. Thaw with "
    "reset_state, or lower the learning rate for the first steps",
}
"""One sentence on what happened and why, and one with the cure, for each kind."""


@dataclass(frozen=True)
class SideEffect:
    """Something that the freeze did to the rest of the run, with what happened and the cure."""

    kind: str
    layers: tuple[str, ...]
    text: str


@dataclass(frozen=True)
class ThawReport:
    """The first step of a layer after it thawed.

    Attributes
    ----------
    step, layer
        Which step that was, and the layer's path.
    largest_update
        The largest change of one element.
    lr
        The learning rate of the layer's group in that step.
    over_lr, over_fresh
        `largest_update` as a multiple of `lr`, and of the largest change that a fresh optimizer would have made with
        the same gradient; None where that is zero.
    """

    step: int
    layer: str
    largest_update: float
    lr: float
    over_lr: float | None
    over_fresh: float | None


class SideEffectWatch:
    """Collects side effects; the freezer calls its moments in the order of the methods below."""

    def __init__(self, context: FreezeContext, clipping: bool) -> None:
        self._context = context
        self._clipping = clipping
        self._trainable = {id(p) for p in context.model.parameters() if p.requires_grad}
        self._found: dict[str, dict[str, None]] = {kind: {} for kind in TEXTS}   # kind → layers, in order
        self._looked_at: set[frozenset[str]] = {frozenset()}
        self._calls: dict[str, bool] = {}   # layers that ran in this step, in order → did autograd record them
        self._hooks: list[torch.utils.hooks.RemovableHandle] = []
        self._thawed: list[tuple[str, nn.Parameter]] = []
        self._suspects: list[tuple[str, nn.Parameter, Suspect]] = []
        self._first_steps: list[tuple[str, nn.Parameter, Suspect]] = []
        self._largest_jump = 0.0

    def thawed(self, modules: frozenset[str]) -> None:
        """Note layers whose first step after a thaw is the coming one."""
        self._thawed = list(self._parameters(modules))

    def before_forward(self) -> None:
        """Listen to the forward in the first step of each set of frozen modules."""
        self._calls = {}
        if self._context.frozen not in self._looked_at:
            for path, module in self._context.modules.items():
                if module._parameters:
                    self._hooks.append(module.register_forward_hook(self._listener(path)))

    def after_backward(self, marks: Marks) -> None:
        """Look at the gradients that clipping and the optimizer are going to see."""
        grouped = self._grouped()
        if self._hooks:
            self._look_at_structure(marks, grouped)
        for path, p in self._parameters(self._context.frozen):
            is_there = p.grad is not None and id(p) not in grouped
            if is_there and id(p) in marks and marks[id(p)] != gradient_mark(p):
                self._found["gradients_accumulate"][path] = None
        if self._clipping:
            self._look_at_clipping()

    def before_step(self, suspects: Iterable[tuple[str, nn.Parameter, Suspect]]) -> None:
        """Keep what the first step after a thaw is compared with; `suspects` are what the optimizer may move."""
        self._suspects = [entry for entry in suspects if entry[0] not in self._found["state_evolving"]]
        groups = {id(p): group for group in self._context.optimizer.param_groups for p in group["params"]}
        self._first_steps = [
            (path, p, Suspect.take(self._context.optimizer, groups[id(p)], p, fresh=True))
            for path, p in self._thawed
            if p.grad is not None and id(p) in groups
        ]
        self._thawed = []

    def after_step(self) -> None:
        """Compare optimizer states with those before the step, and thawed layers with a fresh first step."""
        for path, p, suspect in self._suspects:
            if _state_changed(suspect.state, self._context.optimizer.state.get(p, {})):
                self._found["state_evolving"][path] = None
        for path, p, suspect in self._first_steps:
            fresh = largest_difference(fresh_step(suspect), suspect.value)
            ratio = largest_difference(p, suspect.value) / fresh if fresh > 0 else 0.0
            if ratio > JUMP:
                self._found["thaw_jump"][path] = None
                self._largest_jump = max(self._largest_jump, ratio)
        self._first_steps = []

    def side_effects(self) -> tuple[SideEffect, ...]:
        """Return what was found so far."""
        return tuple(
            SideEffect(kind, tuple(layers), self._text(kind)) for kind, layers in self._found.items() if layers
        )

    def _text(self, kind: str) -> str:
        if kind != "thaw_jump":
            return f"{TEXTS[kind]}."
        return f"{TEXTS[kind]}; the largest was {self._largest_jump:.1f} times as large."

    def _parameters(self, modules: Collection[str]) -> Iterable[tuple[str, nn.Parameter]]:
        """Yield layer and parameter in the model's order: a set's own order is another in every process."""
        for path, module in self._context.modules.items():
            for p in module._parameters.values():
                if p is not None and path in modules:
                    yield path, p

    def _grouped(self) -> set[int]:
        return {id(p) for group in self._context.optimizer.param_groups for p in group["params"]}

    def _listener(self, path: str) -> Any:
        def listen(module: nn.Module, inputs: object, output: Any) -> None:
            tensor = output[0] if isinstance(output, tuple) and output else output
            self._calls[path] = isinstance(tensor, torch.Tensor) and tensor.requires_grad

        return listen

    def _look_at_structure(self, marks: Marks, grouped: set[int]) -> None:
        for hook in self._hooks:
            hook.remove()
        self._hooks = []
        frozen = self._context.frozen
        self._looked_at.add(frozen)
        order = list(self._calls)
        last_frozen = max((order.index(path) for path in order if path in frozen), default=-1)
        for position, path in enumerate(order):
            own = [p for _, p in self._parameters([path]) if id(p) in self._trainable]
            if path in frozen or not own:
                continue
            learned = any(marks.get(id(p)) != gradient_mark(p) for p in own if p.grad is not None)
            if position < last_frozen and not learned:
                self._found["upstream_cut"][path] = None
        ran_frozen = [path for path in order if path in frozen]
        if ran_frozen and all(self._calls[path] for path in ran_frozen):
            self._found["no_saving"] |= dict.fromkeys(ran_frozen)
        for path, p in self._parameters(self._context.modules):
            if path not in frozen and id(p) in self._trainable and id(p) not in grouped and p.requires_grad:
                self._found["dead_thaw"][path] = None

    def _look_at_clipping(self) -> None:
        new = [
            (path, p.grad)
            for path, p in self._parameters(self._context.frozen)
            if p.grad is not None and path not in self._found["clip_inflated"]
        ]
        if new:
            nonzero = torch.stack([gradient.any() for _, gradient in new]).tolist()
            for (path, _), counts in zip(new, nonzero, strict=True):
                if counts:
                    self._found["clip_inflated"][path] = None


def _state_changed(before: dict[str, Any], after: dict[str, Any]) -> bool:
    if before.keys() != after.keys():
        return True
    pairs = [(value, after[key]) for key, value in before.items() if isinstance(value, torch.Tensor)]
    numbers = any(value != after[key] for key, value in before.items() if not isinstance(value, torch.Tensor))
    return numbers or any(differ(pairs) if pairs else [])
