"""What a freeze did to the rest of the run, found in what happened and never from the name of the method.

Most effects follow from which modules are frozen and which run, so the structure is looked at in the first step of each
set of frozen modules and each task: which layers ran, whether autograd recorded them, and which got a gradient.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from freeze_gui.freezing.bits import apart, differ, parts, read
from freeze_gui.freezing.causes import Suspect, fresh_step
from freeze_gui.freezing.context import FreezeContext
from freeze_gui.freezing.structure import Structure, with_own_forward
from freeze_gui.freezing.thaw_jumps import JUMP, ThawReport, reset_helps, steps_are_of_lr, times_too_far
from freeze_gui.freezing.verdict import Kept

_KEPT_THAWS = 8
"""Reports kept of one layer, besides any that is larger: layers of tasks thaw at every other step."""

TEXTS = {
    "upstream_cut": "These layers ran and got no gradient, because a frozen layer after them cuts the graph: they do "
    "not learn. Freeze by requires_grad = False, which lets gradients through",
    "state_evolving": "The optimizer keeps updating its state for these frozen layers (momentum, moments, step count), "
    "so that a thaw goes on from another state than that of the freeze. Set their gradients to None, or thaw with "
    "reset_state",
    "clip_inflated": "The gradients of these frozen layers count in the clipping norm and shrink everyone else's step. "
    "Drop them (grad = None) before clipping, or clip the trainable parameters only",
    "gradients_accumulate": "No optimizer clears the gradients of these layers, which grow from step to step. A thaw "
    "applies the whole sum at once unless zero_grad() runs between thaw and step. Turn requires_grad off as well, or "
    "call model.zero_grad()",
    "no_saving": "Autograd records these frozen layers all the same, so freezing them saves no activation memory. Turn "
    "requires_grad off, and freeze from the input on",
    "dead_thaw": "These layers are trainable, and no param_group holds them: they get gradients and never move. Call "
    "optimizer.add_param_group when they thaw",
    "thaw_jump": "The first step after the thaw was far larger than a usual one",
}
"""What happened and why, and the cure, for each kind; a jump is told with its size and one of the cures below."""

_RESET = "Thaw with reset_state, or lower the learning rate for the first steps"
_WARM_UP = (
    "A fresh optimizer goes about as far, or further, so reset_state does not help: warm the learning rate up after "
    "the thaw"
)


@dataclass(frozen=True)
class SideEffect:
    """Something that the freeze did to the rest of the run, with what happened and the cure."""

    kind: str
    layers: tuple[str, ...]
    text: str


class SideEffectWatch:
    """Collects side effects; the freezer calls its moments in the order of the methods below."""

    def __init__(self, context: FreezeContext, clipping: bool) -> None:
        self._context = context
        self._clipping = clipping
        self._found: dict[str, dict[str, None]] = {kind: {} for kind in TEXTS}   # kind → layers, in order
        self._task: str | None = None
        self._looked_at: set[tuple[frozenset[str], str | None]] = set()
        self._own_forward = with_own_forward(context.modules)
        self._structure: Structure | None = None
        self._uncleared: dict[int, tuple[str, nn.Parameter]] = {}   # frozen, in no group, with a gradient of earlier
        self._left_over: set[int] = set()        # those whose gradient the forward has left as it was
        self._suspects: list[Kept] = []
        self._evolved: set[str] = set()          # layers whose optimizer state changed since they froze
        self._thawed: dict[str, bool] = {}       # layers before their first step → did their state change meanwhile
        self._first_steps: dict[str, list[tuple[nn.Parameter, Suspect]]] = {}
        self._thaws: dict[str, list[ThawReport]] = {}
        self._jumps: dict[str, ThawReport] = {}   # layer → its largest jump

    def begin_step(self, task: str | None) -> None:
        """Note which task the step belongs to: other layers may run in another one."""
        self._task = task

    def frozen(self, modules: frozenset[str]) -> None:
        """Note layers that freeze now."""
        self._evolved -= modules
        for path in modules:
            self._thawed.pop(path, None)

    def thawed(self, modules: frozenset[str]) -> None:
        """Note layers whose first step after a thaw is still to come."""
        self._thawed |= {path: path in self._evolved for path, _ in self._parameters(modules)}

    def before_forward(self) -> None:
        """Listen to the forward in the first step of each set of frozen modules and each task."""
        situation = self._context.frozen, self._task
        if self._context.frozen and situation not in self._looked_at:
            self._looked_at.add(situation)
            self._structure = Structure(self._context, self._own_forward)
        if self._uncleared:
            self._listen_for_left_over()

    def after_backward(self, fresh: set[int]) -> None:
        """Look at the gradients that clipping and the optimizer are going to see.

        Parameters
        ----------
        fresh
            Identities of the parameters whose gradient this step's backward wrote.
        """
        grouped = {id(p) for group in self._context.optimizer.param_groups for p in group["params"]}
        if self._structure is not None:
            self._structure.close()
            self._look_at(self._structure, fresh)
            self._structure = None
        if dead := fresh - grouped:
            self._look_for_dead(dead)
            self._look_for_growth(dead)
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
        self._suspects = []   # copies of weights and more: not to be held through the next forward
        for path, moved in self._first_steps.items():
            report = _thaw_report(step, path, moved)
            reports = self._thaws.setdefault(path, [])
            if len(reports) < _KEPT_THAWS or report.largest_update > max(r.largest_update for r in reports):
                reports.append(report)
            went_on = not self._thawed.pop(path) and all(suspect.state for _, suspect in moved)
            times = times_too_far(report, self._optimizer)
            if times > JUMP and not went_on:   # what a layer had before the freeze is its own, however far it goes
                self._found["thaw_jump"][path] = None
                before = self._jumps.get(path)
                if before is None or times > times_too_far(before, self._optimizer):
                    self._jumps[path] = report
        self._first_steps = {}

    def side_effects(self) -> tuple[SideEffect, ...]:
        """Return what was found so far."""
        return tuple(
            SideEffect(kind, tuple(layers), self._text(kind)) for kind, layers in self._found.items() if layers
        )

    def thaws(self) -> tuple[ThawReport, ...]:
        """Return the first step of each layer after each thaw, by step; of many thaws the first and the largest."""
        return tuple(sorted((r for reports in self._thaws.values() for r in reports), key=lambda r: r.step))

    @property
    def _optimizer(self) -> str:
        return type(self._context.optimizer).__name__

    def _text(self, kind: str) -> str:
        if kind != "thaw_jump":
            return f"{TEXTS[kind]}."
        largest = max(self._jumps.values(), key=lambda report: times_too_far(report, self._optimizer))
        times = f"{times_too_far(largest, self._optimizer):.1f} times"
        size = f"{times} the learning rate" if steps_are_of_lr(self._optimizer) else f"{times} a fresh optimizer's"
        cure = _RESET if reset_helps(largest.over_fresh) else _WARM_UP
        return f"{TEXTS[kind]}: the largest was {size}. {cure}."

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
        # of a block that is frozen in part, its own tensors alone, the output is recorded for what lies in it
        whole = {id(module) for module in self._context.wholly_frozen()}
        for path, recorded in structure.recorded.items():
            if recorded and id(self._context.modules[path]) in whole:
                self._found["no_saving"][path] = None

    def _look_for_dead(self, dead: Collection[int]) -> None:
        """Note who owns these parameters, which learn and are in no group, unless a frozen layer does.

        The modules are those of now: a model may put new ones in the place of others.
        """
        frozen = {id(p) for _, p in self._parameters(self._context.frozen)}
        for path, module in self._context.model.named_modules():
            for p in module._parameters.values():
                if id(p) in dead and id(p) not in frozen and path not in self._context.frozen:
                    self._found["dead_thaw"][path] = None

    def _listen_for_left_over(self) -> None:
        """Look at the end of the step's first forward what is left of earlier gradients: it may clear them itself."""

        def listen(model: nn.Module, inputs: Any, output: Any) -> None:
            hook.remove()
            left = {key: p.grad for key, (_, p) in self._uncleared.items() if p.grad is not None}
            is_left = read([[parts(gradient)[-1].any() for gradient in left.values()]])[0]
            self._left_over = {key for key, counts in zip(left, is_left, strict=True) if counts}

        hook = self._context.model.register_forward_hook(listen)

    def _look_for_growth(self, dead: Collection[int]) -> None:
        """Note frozen layers whose gradients were added to what an earlier step had left."""
        found = self._found["gradients_accumulate"]
        own = [(path, p) for path, p in self._parameters(self._context.frozen) if id(p) in dead]
        found |= {path: None for path, p in own if id(p) in self._left_over}
        self._uncleared |= {id(p): (path, p) for path, p in own}
        self._uncleared = {key: kept for key, kept in self._uncleared.items() if kept[0] not in found}
        self._left_over = set()

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
    pairs = list(moved)
    steps = [apart(p, suspect.value) for p, suspect in pairs]
    fresh_steps = [apart(fresh_step(suspect), suspect.value) for _, suspect in pairs]
    made, fresh = ([max(0.0, float(one)) for one in row] for row in read([steps, fresh_steps]))   # a NaN is passed over
    rates = [float(suspect.hyper["lr"]) for _, suspect in pairs]
    # a tied parameter may have the rate of another layer: each is held against its own
    times, lr = max((one / lr if lr else -1.0, lr) for one, lr in zip(made, rates, strict=True))
    largest, largest_fresh = (
        max(one for one, rate in zip(row, rates, strict=True) if rate == lr) for row in (made, fresh)
    )   # fmt: skip
    over_fresh = largest / largest_fresh if largest_fresh else None
    return ThawReport(step, path, max(made), lr, times if lr else None, over_fresh)


def _state_changed(before: dict[str, Any], after: dict[str, Any]) -> bool:
    if before.keys() != after.keys():
        return True
    pairs = [(value, after[key]) for key, value in before.items() if isinstance(value, torch.Tensor)]
    numbers = any(value != after[key] for key, value in before.items() if not isinstance(value, torch.Tensor))
    return numbers or any(differ(pairs) if pairs else [])


__all__ = ["JUMP", "TEXTS", "SideEffect", "SideEffectWatch", "ThawReport"]
