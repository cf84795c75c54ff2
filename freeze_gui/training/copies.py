"""What a run holds to prove by: copies of what is frozen, and what is kept in a step to name causes and jumps by."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import torch

from freeze_gui.freezing.effective import effective_weights
from freeze_gui.freezing.frozen_group import bytes_at_once
from freeze_gui.freezing.plan import FreezePlan
from freeze_gui.freezing.watched import Watched, every_tensor
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

_FIRST_STEP, _REPLAYED = 2, 4
"""Times its size that a parameter is there while its step is replayed: its weight and gradient; where a cause is looked
for, zeros and an earlier end as well."""


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
    frozen = _Frozen(trials, plan, optimizer, state, device)
    return max((frozen.copies(*one) for one in _situations(plan)), key=lambda copies: copies.lasting + copies.in_step)


def _situations(plan: FreezePlan) -> Iterator[tuple[frozenset[str], frozenset[str]]]:
    """Yield what is frozen and what has just thawed, at the start and wherever the plan changes that."""
    tasks = [None, *dict.fromkeys(task for task, _ in plan.tasks)]
    changes = {edge for phase in plan.phases for edge in (phase.start, phase.stop) if edge is not None}
    for step in sorted({0} | changes):
        now = [plan.frozen_at(step, task) for task in tasks]
        before = [*now, *(plan.frozen_at(max(step - 1, 0), task) for task in tasks)]
        yield from ((frozen, was_frozen - frozen) for frozen in now for was_frozen in before)


class _Frozen:
    """The sizes of what a model's modules own, and what becomes of it under one plan."""

    def __init__(
        self, trials: Trials, plan: FreezePlan, optimizer: OptimizerSettings, state: int, device: torch.device
    ) -> None:
        module = trials.loaded.module
        self._tensors, self._effective = every_tensor(module), effective_weights(module)
        self._size = {watched.name: _bytes(watched.read()) for watched in self._tensors}
        for watched in self._effective:   # as large as the largest of its parts, in all parametrizations of torch
            self._size[watched.name] = max((self._size.get(part, 0) for part in watched.parts), default=0)
        self._written = {fact.name for fact in trials.facts if fact.written_in}
        parameters = [_bytes(p) for p in module.parameters()]
        self._state_share = state / max(sum(parameters), 1)
        self._on_cpu = device.type == "cpu"
        self._puts_back = plan.method in _PUT_BACK
        has_begun = plan.moment != "step_start" or plan.tasks or any(p.start for p in plan.phases)
        has_old_gradient = plan.method in _OUT_OF_REACH and optimizer.zero_grad != "none" and has_begun
        self._is_seen = plan.method in _SEEN or bool(has_old_gradient)   # by the optimizer
        # a rate of 0 moves nothing, except by these two
        self._may_step = self._is_seen and not self._puts_back and (
            plan.method != "lr_zero" or optimizer.name in ("Rprop", "ASGD")
        )
        self._has_state = self._is_seen or bool(has_begun)   # when it thaws
        self._scratch = 0 if optimizer.name == "SGD" or optimizer.hyper.get("fused") else _SCRATCH
        # on a GPU an optimizer steps all at once
        self._step = self._scratch * (max(parameters, default=0) if self._on_cpu else sum(parameters) // 2)

    def copies(self, frozen: frozenset[str], thawed: frozenset[str]) -> Copies:
        """Return what is held while `frozen` are, in a step in which `thawed` are trained again for the first time."""
        owned, effective = _owned(self._tensors, frozen), _owned(self._effective, frozen)
        weights, buffers = _of(owned, "parameter"), _of(owned, "buffer")
        moving = [watched for watched in (*owned, *effective) if self._may_move(watched)]
        first = _of(_owned(self._tensors, thawed), "parameter")
        # from the start of the window, from the last step, and a method's own
        lasting = self._sum((*owned, *effective, *moving)) + self._puts_back * self._sum(weights)
        # buffers before the step, and of parameters all that a replay takes: weights, gradients, and their state
        before = self._sum(buffers) + self._kept(weights, True) * self._is_seen
        at_thaw = self._kept(first, self._has_state) + max(self._step, self._replay(first, _FIRST_STEP))
        compared = self._at_once(moving if self._on_cpu else (*owned, *effective))
        computed = self._sum(_of(moving if self._on_cpu else effective, "effective")) + self._at_once(effective)
        replayed = self._replay(weights, _REPLAYED) if self._may_step else 0
        after = self._sum(_of(moving, "buffer")) + max(compared, computed, replayed)
        return Copies(lasting, before + max(at_thaw, after))

    def _may_move(self, watched: Watched) -> bool:
        """Tell whether a frozen tensor may: the optimizer sees it, or its module's forward writes it or a part."""
        by_optimizer = self._may_step and watched.role != "buffer"
        return by_optimizer or not self._written.isdisjoint({watched.name, *watched.parts})

    def _kept(self, weights: Sequence[Watched], with_state: bool) -> int:
        return int((2 + self._state_share * with_state) * self._sum(weights))

    def _replay(self, weights: Sequence[Watched], times: int) -> int:
        """Return the bytes of the copies that the replays of one parameter's step take, the largest one's."""
        largest = max((self._size[watched.name] for watched in weights), default=0)
        return int((times + self._scratch + self._state_share) * largest)

    def _sum(self, tensors: Iterable[Watched]) -> int:
        return sum(self._size[watched.name] for watched in tensors)

    def _at_once(self, tensors: Sequence[Watched]) -> int:
        return bytes_at_once([self._size[watched.name] for watched in tensors], self._on_cpu)


def _bytes(tensor: torch.Tensor) -> int:
    return tensor.numel() * tensor.element_size()   # a sparse one knows no `nbytes`


def _owned(tensors: Iterable[Watched], modules: frozenset[str]) -> list[Watched]:
    return [watched for watched in tensors if watched.owners_in(modules)]


def _of(tensors: Iterable[Watched], role: str) -> list[Watched]:
    return [watched for watched in tensors if watched.role == role]
