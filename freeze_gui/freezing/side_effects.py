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

from freeze_gui.freezing.bits import differ, largest_difference, parts
from freeze_gui.freezing.causes import Suspect, fresh_step
from freeze_gui.freezing.context import FreezeContext
from freeze_gui.freezing.structure import Structure
from freeze_gui.freezing.verdict import Kept

JUMP = 1.5
"""A first step after a thaw is a jump from this many times the step of a fresh optimizer on, if it comes from a state
that went on while the layer was frozen; what a layer had before the freeze is no jump when it goes on with it."""

_KEPT_THAWS = 8
"""Reports kept of one layer, besides any that is larger: layers of tasks thaw at every other step."""

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
        self._found: dict[str, dict[str, None]] = {kind: {} for kind in TEXTS}   # kind → layers, in order
        self._looked_at: set[frozenset[str]] = {frozenset()}
        self._structure: Structure | None = None
        self._suspects: list[Kept] = []
        self._evolved: set[str] = set()          # layers whose optimizer state changed since they froze
        self._thawed: dict[str, bool] = {}       # layers before their first step → did their state change meanwhile
        self._first_steps: dict[str, list[tuple[nn.Parameter, Suspect]]] = {}
        self._thaws: dict[str, list[ThawReport]] = {}

    def frozen(self, modules: frozenset[str]) -> None:
        """Note layers that freeze now."""
        self._evolved -= modules
        for path in modules:
            self._thawed.pop(path, None)

    def thawed(self, modules: frozenset[str]) -> None:
        """Note layers whose first step after a thaw is still to come."""
        self._thawed |= {path: path in self._evolved for path, _ in self._parameters(modules)}

    def before_forward(self) -> None:
        """Listen to the forward in the first step of each set of frozen modules."""
        if self._context.frozen not in self._looked_at:
            self._looked_at.add(self._context.frozen)
            self._structure = Structure(self._context)

    def after_backward(self, had_gradient: Collection[int], fresh: set[int]) -> None:
        """Look at the gradients that clipping and the optimizer are going to see.

        Parameters
        ----------
        had_gradient, fresh
            Identities of the parameters that had a gradient before this step's backward, and of those that it wrote.
        """
        grouped = {id(p) for group in self._context.optimizer.param_groups for p in group["params"]}
        if self._structure is not None:
            self._structure.close()
            self._look_at(self._structure, fresh)
            self._structure = None
        if dead := fresh - grouped:
            self._look_for_dead(dead)
        for path, p in self._parameters(self._context.frozen):
            if p.grad is not None and id(p) not in grouped and id(p) in had_gradient and id(p) in fresh:
                self._found["gradients_accumulate"][path] = None
        if self._clipping:
            self._look_at_clipping()

    def before_step(self, suspects: Iterable[Kept]) -> None:
        """Keep what the first step after a thaw is compared with; `suspects` are what the optimizer may move."""
        self._suspects = [entry for entry in suspects if entry[0] not in self._evolved]
        if not self._thawed:
            return
        groups = {id(p): group for group in self._context.optimizer.param_groups for p in group["params"]}
        for path, p in self._parameters(self._thawed):
            if p.grad is not None and id(p) in groups:
                suspect = Suspect.take(self._context.optimizer, groups[id(p)], p, fresh=True)
                self._first_steps.setdefault(path, []).append((p, suspect))

    def after_step(self, step: int) -> None:
        """Compare optimizer states with those before the step, and thawed layers with a fresh first step."""
        for path, p, suspect in self._suspects:
            if _state_changed(suspect.state, self._context.optimizer.state.get(p, {})):
                self._found["state_evolving"][path] = None
                self._evolved.add(path)
        for path, moved in self._first_steps.items():
            report = _thaw_report(step, path, moved)
            reports = self._thaws.setdefault(path, [])
            if len(reports) < _KEPT_THAWS or report.largest_update > max(r.largest_update for r in reports):
                reports.append(report)
            if self._thawed.pop(path) and report.over_fresh is not None and report.over_fresh > JUMP:
                self._found["thaw_jump"][path] = None
        self._first_steps = {}

    def side_effects(self) -> tuple[SideEffect, ...]:
        """Return what was found so far."""
        return tuple(
            SideEffect(kind, tuple(layers), self._text(kind)) for kind, layers in self._found.items() if layers
        )

    def thaws(self) -> tuple[ThawReport, ...]:
        """Return the first step of each layer after each thaw, by step; of many thaws the first and the largest."""
        return tuple(sorted((r for reports in self._thaws.values() for r in reports), key=lambda r: r.step))

    def _text(self, kind: str) -> str:
        if kind != "thaw_jump":
            return f"{TEXTS[kind]}."
        jumps = [r.over_fresh for path in self._found[kind] for r in self._thaws[path] if r.over_fresh is not None]
        return f"{TEXTS[kind]}; the largest was {max(jumps):.1f} times as large."

    def _parameters(self, modules: Collection[str]) -> Iterable[tuple[str, nn.Parameter]]:
        """Yield layer and parameter in the model's order: a set's own order is another in every process."""
        for path, module in self._context.modules.items():
            if path in modules:
                for p in module._parameters.values():
                    if p is not None:
                        yield path, p

    def _look_at(self, structure: Structure, fresh: Collection[int]) -> None:
        frozen = self._context.frozen
        held = {id(p) for _, p in self._parameters(frozen)}   # a tied tensor may belong to a layer in front as well
        for path in self._context.modules:
            own = [p for _, p in self._parameters([path]) if p.requires_grad and id(p) not in held]
            cut = any(id(p) in structure.cut_off for p in own)
            if cut and path not in frozen and not any(id(p) in fresh for p in own):
                self._found["upstream_cut"][path] = None
        ran_frozen = [path for path in structure.recorded if path in frozen]
        if ran_frozen and all(structure.recorded[path] for path in ran_frozen):
            self._found["no_saving"] |= dict.fromkeys(ran_frozen)

    def _look_for_dead(self, dead: Collection[int]) -> None:
        """Note who owns these parameters, which learn and are in no group, unless a frozen layer does.

        The modules are those of now: a model may put new ones in the place of others.
        """
        frozen = {id(p) for _, p in self._parameters(self._context.frozen)}
        for path, module in self._context.model.named_modules():
            for p in module._parameters.values():
                if id(p) in dead and id(p) not in frozen and path not in self._context.frozen:
                    self._found["dead_thaw"][path] = None

    def _look_at_clipping(self) -> None:
        new = [
            (path, parts(p.grad)[-1])
            for path, p in self._parameters(self._context.frozen)
            if p.grad is not None and path not in self._found["clip_inflated"]
        ]
        if new:
            nonzero = torch.stack([gradient.any() for _, gradient in new]).tolist()
            for (path, _), counts in zip(new, nonzero, strict=True):
                if counts:
                    self._found["clip_inflated"][path] = None


def _thaw_report(step: int, path: str, moved: Iterable[tuple[nn.Parameter, Suspect]]) -> ThawReport:
    largest = fresh = lr = 0.0
    for p, suspect in moved:
        largest = max(largest, largest_difference(p, suspect.value))
        fresh = max(fresh, largest_difference(fresh_step(suspect), suspect.value))
        lr = float(suspect.hyper["lr"])
    return ThawReport(step, path, largest, lr, largest / lr if lr else None, largest / fresh if fresh else None)


def _state_changed(before: dict[str, Any], after: dict[str, Any]) -> bool:
    if before.keys() != after.keys():
        return True
    pairs = [(value, after[key]) for key, value in before.items() if isinstance(value, torch.Tensor)]
    numbers = any(value != after[key] for key, value in before.items() if not isinstance(value, torch.Tensor))
    return numbers or any(differ(pairs) if pairs else [])
