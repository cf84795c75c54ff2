"""What a run holds to prove by: copies of what is frozen, and what is kept in a step to name causes and jumps by."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import accumulate, chain

import numpy as np
import torch
from numpy.typing import NDArray

from freeze_gui.freezing.effective import effective_weights
from freeze_gui.freezing.frozen_group import bytes_at_once
from freeze_gui.freezing.plan import FreezePlan
from freeze_gui.freezing.replay import replayed_at_once
from freeze_gui.freezing.watched import every_tensor
from freeze_gui.training.config import OptimizerSettings
from freeze_gui.training.trials import Trials

_PUT_BACK = {"restore", "paused"}
"""Methods that keep the values of what is frozen."""

_SEEN = {"grad_zero", "restore", "lr_zero", "eval_only"}
"""Methods under which the optimizer sees a gradient of what is frozen."""

_OUT_OF_REACH = {"requires_grad", "no_grad", "detach"}
"""Methods under which backward writes none; one that was there before stays until it is dropped."""

_SCRATCH = 2
"""Times its size that the step of one parameter takes for a moment: Adam's root and quotient; plain SGD takes none."""

_REPLAYED = 2
"""Times its size that a parameter is there while its step is replayed: its weight and gradient."""


Flags = NDArray[np.bool_]


@dataclass(frozen=True)
class Copies:
    """Bytes of copies: what lasts from step to step, and what is there from backward to the end of a step at most."""

    lasting: int
    in_step: int


def copies_held(
    trials: Trials, plan: FreezePlan, optimizer: OptimizerSettings, state: int, device: torch.device
) -> Copies:
    """Return what is held around the step that holds most, on a model that may be on the meta device.

    Parameters
    ----------
    trials, plan, optimizer
        The model, what is frozen of it, and what trains it.
    state
        Bytes of optimizer state of the whole model.
    device
        Where the run takes place.
    """
    held = _Held(trials, plan, optimizer, state, device)
    situations = _situations(plan, held.layers)
    return max((held.copies(*one) for one in situations), key=lambda copies: copies.lasting + copies.in_step)


def _situations(plan: FreezePlan, layers: dict[str, int]) -> Iterator[tuple[Flags, Flags]]:
    """Yield what is frozen and what has just thawed, at the start and wherever the plan changes that.

    One flag a layer in each, in the places that `layers` gives them: sets of so many paths would be united and taken
    apart anew at each of hundreds of changes.
    """
    flags: dict[int, Flags] = {}   # of the sets of the plan, each looked up once

    def frozen_at(step: int, task: str | None) -> Flags:
        found = np.zeros(len(layers), bool)
        for modules in plan.sets_at(step, task):
            if id(modules) not in flags:
                flags[id(modules)] = np.zeros(len(layers), bool)
                flags[id(modules)][[layers[path] for path in modules if path in layers]] = True
            found |= flags[id(modules)]
        return found

    tasks = [None, *dict.fromkeys(task for task, _ in plan.tasks)]
    changes = {edge for phase in plan.phases for edge in (phase.start, phase.stop) if edge is not None}
    for step in sorted({0} | changes):
        now = [frozen_at(step, task) for task in tasks]
        before = [*now, *(frozen_at(max(step - 1, 0), task) for task in tasks)]
        yield from ((frozen, was_frozen & ~frozen) for frozen in now for was_frozen in before)


class _Held:
    """The sizes of what a model's modules own, and what becomes of it under one plan.

    Attributes
    ----------
    layers
        Path of each layer → its place among the flags of a situation.
    """

    def __init__(
        self, trials: Trials, plan: FreezePlan, optimizer: OptimizerSettings, state: int, device: torch.device
    ) -> None:
        module = trials.loaded.module
        tensors, effective = every_tensor(module), effective_weights(module)
        size = {watched.name: _bytes(watched.read()) for watched in tensors}
        for watched in effective:   # as large as the largest of its parts, in all parametrizations of torch
            size[watched.name] = max((size.get(part, 0) for part in watched.parts), default=0)
        every = [*tensors, *effective]
        self._size = np.array([size[watched.name] for watched in every], np.int64)   # (tensors,), as all that follow
        role = np.array([watched.role for watched in every])
        self._weights, self._buffers, self._effective = role == "parameter", role == "buffer", role == "effective"
        # a tensor is frozen with one of its layers, and what is computed from others with all that own those
        owners = [watched.made_of or (watched.layer, *watched.tied_layers) for watched in every]
        self._needed = np.array([len(watched.made_of) or 1 for watched in every])
        self.layers = {path: place for place, path in enumerate(dict.fromkeys(chain.from_iterable(owners)))}
        self._owners = np.array([self.layers[path] for path in chain.from_iterable(owners)], np.int64)
        self._first_owner = np.array([0, *accumulate(map(len, owners))][:-1], np.int64)
        parameters = [_bytes(p) for p in module.parameters()]
        self._state_share = state / max(sum(parameters), 1)
        self._on_cpu = device.type == "cpu"
        self._is_told_later = device.type == "cuda"   # in the next step
        self._puts_back = plan.method in _PUT_BACK
        has_begun = plan.moment != "step_start" or plan.tasks or any(p.start for p in plan.phases)
        has_old_gradient = plan.method in _OUT_OF_REACH and optimizer.zero_grad != "none" and has_begun
        self._is_seen = plan.method in _SEEN or bool(has_old_gradient)   # by the optimizer
        # a rate of 0 moves nothing, except by these two
        self._may_step = self._is_seen and not self._puts_back and (
            plan.method != "lr_zero" or optimizer.name in ("Rprop", "ASGD")
        )
        # moved by the optimizer, or by its module's forward, which writes it or a part of it
        written = {fact.name for fact in trials.facts if fact.written_in}
        self._may_move = np.array([not written.isdisjoint({watched.name, *watched.parts}) for watched in every], bool)
        self._may_move |= self._may_step & ~self._buffers
        self._has_state = self._is_seen or bool(has_begun)   # when it thaws
        self._scratch = 0 if optimizer.name == "SGD" or optimizer.hyper.get("fused") else _SCRATCH
        # on a GPU an optimizer steps all at once
        self._step = self._scratch * (max(parameters, default=0) if self._on_cpu else sum(parameters) // 2)

    def copies(self, frozen: Flags, thawed: Flags) -> Copies:
        """Return what is held while `frozen` are, in a step in which `thawed` are trained again for the first time."""
        owned = self._owned(frozen)
        weights, buffers, effective = owned & self._weights, owned & self._buffers, owned & self._effective
        moving = owned & self._may_move
        first = self._owned(thawed) & self._weights
        # from the start of the window, from the last step, and a method's own
        lasting = self._sum(owned) + self._sum(moving) + self._puts_back * self._sum(weights)
        # buffers before the step, and of parameters all that a replay takes: weights, gradients, and their state
        before = self._sum(buffers) + self._kept(weights, True) * self._is_seen
        at_thaw = self._kept(first, self._has_state) + max(self._step, self._replay(first))
        compared = self._at_once(moving if self._on_cpu else owned)
        computed = self._sum(moving & effective if self._on_cpu else effective) + self._at_once(effective)
        replayed = self._replay(weights) if self._may_step else 0
        looked_at = max(compared, computed, replayed)
        if self._is_told_later:   # all of it lasts until then, and with it what everything was after the step
            # and what weights were at the last looks before the step and of all, while a window is young or they move
            return Copies(lasting + self._sum(owned) + 2 * self._sum(weights) + before, max(at_thaw, looked_at))
        return Copies(lasting, before + max(at_thaw, self._sum(moving & buffers) + looked_at))

    def _owned(self, layers: Flags) -> Flags:
        """Return one flag a tensor: whether it is frozen with these layers."""
        if not len(self._size):
            return np.zeros(0, bool)
        found: Flags = np.add.reduceat(layers[self._owners], self._first_owner, dtype=np.int64) >= self._needed
        return found

    def _kept(self, weights: Flags, with_state: bool) -> int:
        return int((2 + self._state_share * with_state) * self._sum(weights))

    def _replay(self, weights: Flags) -> int:
        """Return the bytes of the copies that a replay takes, of as many parameters as are replayed at once."""
        at_once = replayed_at_once(self._largest(weights), self._sum(weights), self._on_cpu)
        return int((_REPLAYED + self._scratch + self._state_share) * at_once)

    def _sum(self, tensors: Flags) -> int:
        return int(self._size[tensors].sum())

    def _largest(self, tensors: Flags) -> int:
        return int(self._size[tensors].max(initial=0))

    def _at_once(self, tensors: Flags) -> int:
        return bytes_at_once(self._largest(tensors), self._sum(tensors), self._on_cpu)


def _bytes(tensor: torch.Tensor) -> int:
    return tensor.numel() * tensor.element_size()   # a sparse one knows no `nbytes`
