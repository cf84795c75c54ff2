"""What a freeze did to the rest of the run, found in what happened and never from the name of the method.

Most effects follow from which modules are frozen and which run, so the structure is looked at in the first step of each
set of frozen modules and each task: which layers ran, whether autograd recorded them, and which got a gradient.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from itertools import compress
from typing import Any

import torch
from numpy.typing import NDArray
from torch import nn

from freeze_gui.freezing.bits import Number, Row, any_nonzero, flags
from freeze_gui.freezing.context import FreezeContext
from freeze_gui.freezing.looks import Looks, Take
from freeze_gui.freezing.replay import Suspect
from freeze_gui.freezing.side_effect_texts import TEXTS, SideEffect, text_of_jump
from freeze_gui.freezing.structure import Structure, with_own_forward
from freeze_gui.freezing.thaw_jumps import ThawReport, Thaws, distances, thaw_report
from freeze_gui.freezing.verdict import Kept


@dataclass
class _Window:
    """One freeze of a layer: whether its optimizer state was seen to change meanwhile."""

    has_evolved: bool = False


class SideEffectWatch:
    """Collects side effects; the freezer calls its moments in the order of the methods below.

    Parameters
    ----------
    context, clipping
        What is frozen now, and whether the loop clips gradients.
    looks
        Where a step is looked at: an effect is found when the numbers of the step have come.
    """

    def __init__(self, context: FreezeContext, clipping: bool, looks: Looks) -> None:
        self._context = context
        self._looks = looks
        self._clipping = clipping
        self._found: dict[str, dict[str, None]] = {kind: {} for kind in TEXTS}   # kind → layers, in order
        self._task: str | None = None
        self._looked_at: set[tuple[frozenset[str], str | None]] = set()
        self._own_forward = with_own_forward(context.modules)
        self._structure: Structure | None = None
        self._uncleared: dict[int, tuple[str, nn.Parameter]] = {}   # frozen, in no group, with a gradient of earlier
        self._left_over: dict[int, Number] = {}   # whether the forward has left anything of it
        self._suspects: list[Kept] = []
        self._windows: dict[str, _Window] = {}   # layer → its last freeze
        self._thawed: dict[str, _Window] = {}    # layers before their first step
        self._first_steps: dict[int, tuple[nn.Parameter, Suspect]] = {}   # of parameters, by their identity
        self._thaws = Thaws()

    def begin_step(self, task: str | None) -> None:
        """Note which task the step belongs to: other layers may run in another one."""
        self._task = task

    def frozen(self, modules: frozenset[str]) -> None:
        """Note layers that freeze now."""
        for path in modules:
            self._windows[path] = _Window()
            self._thawed.pop(path, None)

    def thawed(self, modules: frozenset[str]) -> None:
        """Note layers whose first step after a thaw is still to come."""
        self._thawed |= {path: self._windows[path] for path, _ in self._parameters(modules)}

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
        self._suspects = [entry for entry in suspects if not self._windows[entry[0]].has_evolved]
        if self._thawed:
            thawed = {id(p): p for _, p in self._parameters(self._thawed)}
            kept = Suspect.take_all(self._context.optimizer, thawed.values(), set(thawed))
            self._first_steps = {key: (thawed[key], suspect) for key, suspect in kept.items()}

    def after_step(self, step: int) -> None:
        """Compare optimizer states with those before the step, and thawed layers with a fresh first step."""
        self._look_at_states()
        if self._first_steps:
            self._look_at_first_steps(step)
            self._first_steps = {}

    def side_effects(self) -> tuple[SideEffect, ...]:
        """Return what was found so far."""
        return tuple(
            SideEffect(kind, tuple(layers), self._text(kind)) for kind, layers in self._found.items() if layers
        )

    def thaws(self) -> tuple[ThawReport, ...]:
        """Return the first step of each layer after each thaw, by step; of many thaws the first and the largest."""
        return self._thaws.reports()

    @property
    def _optimizer(self) -> str:
        return type(self._context.optimizer).__name__

    def _text(self, kind: str) -> str:
        if kind != "thaw_jump":
            return f"{TEXTS[kind]}."
        return text_of_jump(self._thaws.largest_jump(self._optimizer), self._optimizer)

    def _parameters(self, modules: Collection[str]) -> Iterable[tuple[str, nn.Parameter]]:
        """Yield layer and parameter in the model's order: a set's own order is another in every process."""
        for path, module in self._context.modules.items():
            if path in modules:
                for p in module._parameters.values():
                    if p is not None:
                        yield path, p

    def _look_for(self, kind: str, paths: Sequence[str], row: Row | None = None) -> None:
        """Find an effect in each layer at `paths` whose number is not zero; without a row in all of them."""
        found = self._found[kind]
        self._looks.add(
            [True] * len(paths) if row is None else row,
            lambda numbers: found.update(dict.fromkeys(compress(paths, numbers))),
        )

    def _look_at(self, structure: Structure, fresh: Collection[int]) -> None:
        frozen, cut_off = self._context.frozen, []
        held = {id(p) for _, p in self._parameters(frozen)}   # a tied tensor may belong to a layer in front as well
        for path in self._context.modules:
            own = [p for _, p in self._parameters([path]) if p.requires_grad and id(p) not in held]
            cut = any(id(p) in structure.cut_off for p in own)
            if cut and path not in frozen and not any(id(p) in fresh for p in own):
                cut_off.append(path)
        self._look_for("upstream_cut", cut_off)
        # of a block that is frozen in part, its own tensors alone, the output is recorded for what lies in it
        whole = {id(module) for module in self._context.wholly_frozen()}
        modules = self._context.modules
        recorded = [path for path, is_so in structure.recorded.items() if is_so and id(modules[path]) in whole]
        self._look_for("no_saving", recorded)

    def _look_for_dead(self, dead: set[int]) -> None:
        """Note who owns these parameters, which learn and are in no group, unless a frozen layer does.

        The modules are those of now: a model may put new ones in the place of others.
        """
        alive = dead - {id(p) for _, p in self._parameters(self._context.frozen)}
        if alive:
            slots = {path: module._parameters.values() for path, module in self._context.model.named_modules()}
            owners = [path for path, own in slots.items() if not alive.isdisjoint(map(id, own))]
            self._look_for("dead_thaw", [path for path in owners if path not in self._context.frozen])

    def _listen_for_left_over(self) -> None:
        """Look at the end of the step's first forward what is left of earlier gradients: it may clear them itself."""
        found = self._found["gradients_accumulate"]
        self._uncleared = {key: kept for key, kept in self._uncleared.items() if kept[0] not in found}
        if not self._uncleared:
            return

        def listen(model: nn.Module, inputs: Any, output: Any) -> None:
            hook.remove()
            left = {key: p.grad for key, (_, p) in self._uncleared.items()}
            self._left_over = {key: any_nonzero(gradient) for key, gradient in left.items() if gradient is not None}

        hook = self._context.model.register_forward_hook(listen)

    def _look_for_growth(self, dead: Collection[int]) -> None:
        """Look for frozen layers whose gradients were added to what an earlier step had left."""
        own = [(path, p) for path, p in self._parameters(self._context.frozen) if id(p) in dead]
        grown = [(path, self._left_over[id(p)]) for path, p in own if id(p) in self._left_over]
        self._look_for("gradients_accumulate", [path for path, _ in grown], [is_left for _, is_left in grown])
        found = self._found["gradients_accumulate"]
        self._uncleared |= {id(p): (path, p) for path, p in own if path not in found}
        self._left_over = {}

    def _look_at_clipping(self) -> None:
        found = self._found["clip_inflated"]
        new = [
            (path, any_nonzero(p.grad))
            for path, p in self._parameters(self._context.frozen)
            if p.grad is not None and path not in found
        ]
        self._look_for("clip_inflated", [path for path, _ in new], [counts for _, counts in new])

    def _look_at_states(self) -> None:
        changed = [
            (path, flag)
            for path, p, suspect in self._suspects
            for flag in _changes(suspect.state, self._context.optimizer.state.get(p, {}))
        ]
        self._suspects = []   # copies of weights and more: not to be held through the next forward
        paths = [(path, self._windows[path]) for path, _ in changed]

        def take(numbers: NDArray[Any]) -> None:
            for path, window in compress(paths, numbers):
                self._found["state_evolving"][path] = None
                window.has_evolved = True

        self._looks.add([flag for _, flag in changed], take)

    def _look_at_first_steps(self, step: int) -> None:
        found = dict(zip(self._first_steps, distances(self._first_steps.values()), strict=True))
        layers: dict[str, list[int]] = {}
        for path, p in self._parameters(self._thawed):
            if id(p) in found:
                layers.setdefault(path, []).append(id(p))
        for path, own in layers.items():
            suspects = [self._first_steps[key][1] for key in own]
            row = [number for key in own for number in found[key]]
            self._looks.add(row, self._taking_first_step(step, path, suspects))

    def _taking_first_step(self, step: int, path: str, suspects: Sequence[Suspect]) -> Take:
        """Return what takes the `distances` of a layer's parameters."""
        window, optimizer = self._thawed.pop(path), self._optimizer
        had_state = all(suspect.state for suspect in suspects)
        rates = [float(suspect.hyper["lr"]) for suspect in suspects]

        def take(numbers: NDArray[Any]) -> None:
            report = thaw_report(step, path, rates, numbers)
            went_on = had_state and not window.has_evolved
            if self._thaws.add(report, optimizer, may_jump=not went_on):   # what it had before the freeze is its own
                self._found["thaw_jump"][path] = None

        return take


def _changes(before: dict[str, Any], after: dict[str, Any]) -> list[Number]:
    """Tell whether the state of a parameter changed: it did where any of these is not zero."""
    if before.keys() != after.keys():
        return [True]
    pairs = [(value, after[key]) for key, value in before.items() if isinstance(value, torch.Tensor)]
    if any(value != after[key] for key, value in before.items() if not isinstance(value, torch.Tensor)):
        return [True]
    found = flags(pairs)
    return [True] if any(flag is True for flag in found) else [flag for flag in found if flag is not False]


__all__ = ["TEXTS", "SideEffect", "SideEffectWatch", "ThawReport"]
