"""What did happen: did each frozen tensor hold still, bit by bit, and if not, why?"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from freeze_gui.freezing.compared import Place
from freeze_gui.freezing.context import FreezeContext
from freeze_gui.freezing.effective import effective_weights
from freeze_gui.freezing.frozen_group import FrozenGroup, grouped
from freeze_gui.freezing.memory import aliases_of
from freeze_gui.freezing.replay import SharedMemory, Suspect
from freeze_gui.freezing.taken_step import TakenStep, Written
from freeze_gui.freezing.values import Values
from freeze_gui.freezing.watched import Cause, Watched, every_tensor
from freeze_gui.models.layer_tree import own_tensors

Kept = tuple[str, nn.Parameter, Suspect]
"""Layer, parameter, and what was kept of it before a step that may move it."""


@dataclass(frozen=True)
class TensorVerdict:
    """What happened to one parameter or buffer while it was frozen.

    Attributes
    ----------
    name, role, layer
        Full name; ``parameter``, ``buffer``, or ``effective`` for a weight that is computed from others; path of its
        layer.
    tied_layers
        Paths of further layers that own the same tensor, or parts of what an effective weight is made of.
    frozen_steps
        Frozen windows as [from, to) pairs of steps.
    moved, moved_steps, first_moved_step
        Whether any bit moved inside the windows, in how many steps, and in which first.
    max_abs_change
        Largest distance of an element from its value when its window began.
    causes
        One entry a cause, the one with most steps first.
    """

    name: str
    role: str
    layer: str
    frozen_steps: tuple[tuple[int, int], ...] = ()
    moved: bool = False
    moved_steps: int = 0
    first_moved_step: int | None = None
    max_abs_change: float = 0.0
    causes: tuple[Cause, ...] = ()
    tied_layers: tuple[str, ...] = ()

    @property
    def layers(self) -> tuple[str, ...]:
        """Every layer that owns the tensor: when it moves, each of them that is frozen has leaked."""
        return (self.layer, *self.tied_layers)


class FrozenWatch:
    """Compares every parameter and buffer of every frozen layer, bit by bit, at every step of its frozen window.

    The freezer calls `begin` where a freeze takes effect, `before_step` and `after_step` at those moments of each step,
    and `end` where a layer thaws. Between them hooks on the whole model look before and after each forward, so that
    what the forward writes is told from what anybody else does.
    """

    def __init__(self, context: FreezeContext) -> None:
        self._context = context
        self._all = every_tensor(context.model)
        self._effective = effective_weights(context.model)
        self._layers = [path for path, module in context.modules.items() if own_tensors(module)]
        self._frozen: list[FrozenGroup] = []
        self._frozen_effective: list[FrozenGroup] = []
        self._suspects: dict[int, Suspect] = {}
        self._shared: dict[int, SharedMemory] = {}
        self._aliases: dict[int, list[nn.Parameter]] = {}   # watched tensor → other parameters in its memory
        self._written: list[Written] = []                   # before the step
        self._hooks: list[torch.utils.hooks.RemovableHandle] = []
        self._homes = _homes(context.model)
        self._taken: TakenStep | None = None   # the last step, until it is settled
        self._held: list[tuple[Sequence[Place], Values]] = []   # after the step that was settled last
        self._step = 0

    def begin(self, modules: frozenset[str], step: int) -> None:
        """Take the values of all tensors of `modules` as those that must hold."""
        self._step = step
        self._follow_replaced()   # while it was not frozen, nobody looked
        new = [w for w in self._all if w.began is None and w.owners_in(modules)]
        self._frozen += grouped(new, step)
        new = [w for w in self._effective if w.began is None and w.owners_in(self._context.frozen)]
        self._frozen_effective += grouped(new, step)
        self._aliases = aliases_of(self._members(), self._context.model)
        if not self._hooks:
            self._hooks = [
                self._context.model.register_forward_pre_hook(self._on_forward_begins),
                self._context.model.register_forward_hook(self._on_forward_ends),
            ]

    def end(self, step: int) -> None:
        """Close the windows of all tensors that no frozen module owns any more."""
        self._frozen = self._still_frozen(self._frozen, step)
        self._frozen_effective = self._still_frozen(self._frozen_effective, step)
        if not self._frozen:
            for hook in self._hooks:
                hook.remove()
            self._hooks = []

    def before_step(self, step: int, fresh: set[int]) -> list[Kept]:
        """Find what was written before the step, and keep what a replay of the optimizer on moved tensors needs.

        Parameters
        ----------
        step
            The step that is about to be taken.
        fresh
            Identities of the parameters whose gradient this step's backward wrote: any other's is stale.

        Returns
        -------
        list
            Layer, parameter and what was kept, for each frozen parameter that the optimizer may move.
        """
        self._step = step
        self._look("other_writer")
        for group in self._frozen:
            if group.holds_buffers:
                group.see()
        kept: list[Kept] = []
        able = [
            (watched, tensor)
            for watched in self._members()
            if isinstance(tensor := watched.read(), nn.Parameter) and tensor.grad is not None
        ]
        if not able and not self._aliases:
            return kept
        aliases = [p for others in self._aliases.values() for p in others]
        suspects = Suspect.take_all(self._context.optimizer, [*(tensor for _, tensor in able), *aliases], fresh)
        for watched, tensor in able:
            if suspect := suspects.get(id(tensor)):
                self._suspects[id(watched)] = suspect
                kept += [(layer, tensor, suspect) for layer in watched.owners_in(self._context.frozen)]
        for watched in self._members() if self._aliases else ():
            if others := self._aliases.get(id(watched)):
                tensor = watched.read()
                in_memory = {id(p): p for p in (tensor, *others) if isinstance(p, nn.Parameter)}
                members = [(in_memory[key], suspect) for key, suspect in suspects.items() if key in in_memory]
                self._shared[id(watched)] = SharedMemory.take(tensor, members)
        return kept

    def after_step(self) -> torch.Tensor | None:
        """Compare all frozen tensors after a step.

        Returns
        -------
        Tensor or None
            Where they are on a GPU, numbers (n,) on it that `settle` needs: a loop reads them with those of its own, in
            the next step if it likes.
        """
        groups = [*self._frozen, *self._frozen_effective]
        self._taken = TakenStep(groups, self._context.frozen, self._written, self._suspects, self._shared)
        self._written, self._suspects, self._shared = [], {}, {}
        return self._taken.unread

    def settle(self, step: int, numbers: Iterable[float]) -> list[str]:
        """Note what moved in the step, and why; return the layers of it.

        To be called before the optimizer's next step; other layers may have been frozen and thawed meanwhile.

        Parameters
        ----------
        step
            The step that was taken last.
        numbers
            Those that `after_step` returned, read from their device.
        """
        taken, self._taken = self._taken, None
        if taken is None:   # nothing had ever been frozen
            return []
        moves = taken.moves(numbers)
        self._held = taken.held
        causes: dict[str, list[str]] = {}   # name → why it moved
        for move in moves:   # what is computed from other tensors comes behind them
            watched = move.watched
            if watched.compute is None:
                found = taken.causes(move)
            else:
                found = [cause for part in watched.parts for cause in causes.get(part, [])]
            causes[watched.name] = list(dict.fromkeys(found or ["other_writer"]))
            watched.moved(step, move.change, move.distance, causes[watched.name])
        leaked = {layer for move in moves for layer in move.watched.owners_in(taken.frozen)}
        return [layer for layer in self._layers if layer in leaked] if leaked else []

    def held(self) -> dict[tuple[int, str], torch.Tensor]:
        """Return what each frozen tensor was after the step that was settled last, as `Freezer.held` does."""
        return {
            (id(slots), key): tensor
            for places, values in self._held
            for (slots, key), tensor in zip(places, values.tensors(), strict=True)
        }

    def verdicts(self, steps: int) -> tuple[TensorVerdict, ...]:
        """Return the verdict on every tensor after `steps` steps."""
        return tuple(_verdict(watched, steps) for watched in self._all)

    def effective_weights(self, steps: int) -> tuple[TensorVerdict, ...]:
        """Return the verdict on every weight that is computed from other tensors."""
        return tuple(_verdict(watched, steps) for watched in self._effective)

    def _on_forward_begins(self, model: nn.Module, inputs: Any) -> None:
        self._follow_replaced()
        self._look("other_writer")

    def _on_forward_ends(self, model: nn.Module, inputs: Any, output: Any) -> None:
        self._follow_replaced()
        self._look("forward_write")

    def _follow_replaced(self) -> None:
        """Look from now on at a module that has taken the place of a watched one."""
        for path in self._homes.keys() & self._context.frozen:
            parent, name, module = self._homes[path]
            now = parent._modules.get(name)
            if now is not module and now is not None:
                self._homes[path] = (parent, name, now)
                for watched in self._all:
                    if watched.layer == path:
                        watched.owner = now
                for group in self._frozen:
                    group.follow()

    def _look(self, cause: str) -> None:
        """Note which frozen parameters were written since the last look, and by what, as far as is known yet.

        Buffers are looked at right before the step alone: the forward writes them, and so does its repetition within
        backward when activations are recomputed.
        """
        for group in self._frozen:
            if not group.holds_buffers:
                which = group.written(self._step)
                if which is not None:
                    self._written.append((cause, group.members, which))

    def _members(self) -> list[Watched]:
        return [watched for group in self._frozen for watched in group.members]

    def _still_frozen(self, groups: Sequence[FrozenGroup], step: int) -> list[FrozenGroup]:
        """Close the windows of tensors that no frozen module owns any more; return the groups of all others."""
        found = []
        for group in groups:
            staying = []
            for watched in group.members:
                if watched.owners_in(self._context.frozen):
                    staying.append(watched)
                else:
                    watched.end(step)
            if len(staying) < len(group.members) and staying:
                group.keep(staying)
            if staying:
                found.append(group)
        return found


def _homes(model: nn.Module) -> dict[str, tuple[nn.Module, str, nn.Module]]:
    """Return for each layer the module around it, its name there, and the layer itself."""
    return {
        f"{path}.{name}" if path else name: (parent, name, module)
        for path, parent in model.named_modules()
        for name, module in parent._modules.items()
        if module is not None and own_tensors(module)
    }


def _verdict(watched: Watched, steps: int) -> TensorVerdict:
    return TensorVerdict(
        watched.name,
        watched.role,
        watched.layer,
        watched.windows_until(steps),
        watched.moved_steps > 0,
        watched.moved_steps,
        watched.first_moved_step,
        watched.max_abs_change,
        tuple(sorted(watched.causes.values(), key=lambda cause: -cause.steps)),
        tuple(watched.tied_layers),
    )


__all__ = ["Cause", "FrozenWatch", "Kept", "TensorVerdict"]
