"""Why a frozen parameter moved in an optimizer step: the step is replayed on copies, never guessed from the plan.

Three replays with the same optimizer class and hyper-parameters: with the gradient as it was, which must give the bits
that were seen; with a zero gradient and no decay, which shows momentum alone; with a zero gradient, decay and fresh
state, which shows decay alone. Parameters that lie in the same memory are replayed together, in the memory's copy.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from freeze_gui.freezing.bits import differ, is_zero

_DECAY = ("weight_decay", "lambd")   # lambd: the decay of ASGD
_FIRST_MOMENTS = ("momentum_buffer", "exp_avg")

Place = tuple[torch.Size, tuple[int, ...], int]
"""Where a tensor lies in its storage: size, strides, offset."""


@dataclass(frozen=True)
class Suspect:
    """A frozen parameter that the coming step may move: its value, gradient and optimizer state before the step."""

    optimizer: type[torch.optim.Optimizer]
    hyper: dict[str, Any]
    value: torch.Tensor
    gradient: torch.Tensor
    state: dict[str, Any]
    fresh: bool   # this step's backward wrote the gradient
    group: int    # identity of its param_group

    @classmethod
    def take(
        cls, optimizer: torch.optim.Optimizer, group: dict[str, Any], parameter: nn.Parameter, fresh: bool
    ) -> Suspect:
        """Copy what the replay needs."""
        assert parameter.grad is not None
        hyper = _copied({key: value for key, value in group.items() if key != "params"})
        state = _copied(optimizer.state.get(parameter, {}))
        value, gradient = _copy(parameter.detach()), _copy(parameter.grad.detach())
        return cls(type(optimizer), hyper, value, gradient, state, fresh, id(group))

    def was_moved(self, now: torch.Tensor) -> bool:
        """Tell whether any bit changed since the copy was taken."""
        return differ([(self.value, now)])[0]


@dataclass(frozen=True)
class SharedMemory:
    """A frozen tensor whose memory other parameters share, before a step that may move it through them.

    Attributes
    ----------
    storage, place
        A copy of the memory, and where in it the frozen tensor lies.
    members
        The parameters in it that the step may move, and their places, in the optimizer's order.
    """

    storage: torch.UntypedStorage
    place: Place
    dtype: torch.dtype
    members: tuple[tuple[Suspect, Place], ...]

    @classmethod
    def take(
        cls, tensor: torch.Tensor, members: Iterable[tuple[nn.Parameter, Suspect]]
    ) -> SharedMemory:
        """Copy the memory of `tensor`; `members` are parameters in it, and what was kept of each."""
        placed = tuple((suspect, place_of(parameter)) for parameter, suspect in members)
        return cls(_copied_memory(tensor.untyped_storage()), place_of(tensor), tensor.dtype, placed)

    def after_step(self) -> torch.Tensor:
        """Return the frozen tensor as the step leaves it when all members move in one memory."""
        storage = _copied_memory(self.storage)
        copies = []
        for suspect, place in self.members:
            copy = nn.Parameter(_in_memory(storage, place, suspect.value))
            copy.grad = _copy(suspect.gradient)
            copies.append(copy)
        if copies:
            groups: dict[int, dict[str, Any]] = {}   # one that steps all at once takes turns between those of a group
            for (suspect, _), copy in zip(self.members, copies, strict=True):
                groups.setdefault(suspect.group, {**suspect.hyper, "params": []})["params"].append(copy)
            optimizer = _make(self.members[0][0], list(groups.values()))
            for (suspect, _), copy in zip(self.members, copies, strict=True):
                if suspect.state:
                    optimizer.state[copy] = _copied(suspect.state)
            _step(optimizer)
        like = torch.empty(0, dtype=self.dtype, device=storage.device)
        return _in_memory(storage, self.place, like)


Marks = dict[int, tuple[int, int]]
"""Identity of a parameter → a mark of its gradient; a parameter without gradient has none."""


def gradient_marks(parameters: Iterable[nn.Parameter]) -> Marks:
    """Return a mark for each gradient that exists; backward changes the mark of those that it writes."""
    return {id(p): (id(grad), grad._version) for p in parameters if (grad := p.grad) is not None}


def freshly_written(parameters: Iterable[nn.Parameter], marks: Marks) -> set[int]:
    """Return the identities of the parameters whose gradient was written since `marks` were taken.

    To be asked right after backward: clipping and unscaling write into every gradient, stale ones too.
    """
    now = gradient_marks(parameters)
    return {key for key, mark in now.items() if marks.get(key) != mark}


def causes_of_step(suspect: Suspect, now: torch.Tensor) -> list[str]:
    """Name the causes that took `suspect` to the value `now` in one optimizer step."""
    if differ([(_replay(suspect, suspect.gradient, suspect.state, suspect.hyper), now)])[0]:
        return ["other_writer"]
    if not is_zero(suspect.gradient):
        return ["gradient" if suspect.fresh else "stale_gradient"]
    zero = torch.zeros_like(suspect.gradient)
    without_decay = {key: 0.0 if key in _DECAY else value for key, value in suspect.hyper.items()}
    by_momentum = _replay(suspect, zero, suspect.state, without_decay)
    by_decay = _replay(suspect, zero, {}, suspect.hyper)
    moved = differ([(by_momentum, suspect.value), (by_decay, suspect.value)])
    found = [cause for cause, did in zip(("momentum", "weight_decay"), moved, strict=True) if did]
    if found:
        return found
    # neither alone reaches half an ULP where both together do; ASGD decays by a step size that its state keeps
    has_moment = any(suspect.state.get(key) is not None for key in _FIRST_MOMENTS)
    return ["momentum", "weight_decay"] if has_moment else ["weight_decay"]


def causes_in_shared_memory(shared: SharedMemory, own: Suspect | None, now: torch.Tensor) -> list[str]:
    """Name the causes that took a tensor to the value `now`, when others lie in its memory; `own` if it had a gradient.

    A step of all parameters in the memory must give the bits that were seen.
    """
    together = shared.after_step()
    if differ([(together, now)])[0]:
        return ["other_writer"]
    before = _in_memory(shared.storage, shared.place, torch.empty(0, dtype=shared.dtype, device=now.device))
    alone = before if own is None else _replay(own, own.gradient, own.state, own.hyper)
    by_itself, through_others = differ([(alone, before), (together, alone)])
    causes = causes_of_step(own, alone) if own is not None and by_itself else []
    return [*causes, *(["shared_storage"] if through_others else [])]


def fresh_step(suspect: Suspect) -> torch.Tensor:
    """Return where a fresh optimizer would take the parameter with the same gradient."""
    return _replay(suspect, suspect.gradient, {}, suspect.hyper)


def place_of(tensor: torch.Tensor) -> Place:
    """Return where `tensor` lies in its storage."""
    return tensor.size(), tensor.stride(), int(tensor.storage_offset())


def _replay(
    suspect: Suspect, gradient: torch.Tensor, state: dict[str, Any], hyper: dict[str, Any]
) -> torch.Tensor:
    """Take one step of the same optimizer on a copy and return where it ends."""
    copy = nn.Parameter(_copy(suspect.value))
    copy.grad = _copy(gradient)
    optimizer = _make(suspect, [{**hyper, "params": [copy]}])
    if state:
        optimizer.state[copy] = _copied(state)
    _step(optimizer)
    return copy.detach()


def _make(suspect: Suspect, groups: Sequence[dict[str, Any]]) -> torch.optim.Optimizer:
    """Build the same optimizer; Adagrad fills its state from its arguments, not from its groups."""
    known = inspect.signature(suspect.optimizer).parameters
    given = {key: value for key, value in groups[0].items() if key in known and key != "params"}
    return suspect.optimizer(list(groups), **given)


def _step(optimizer: torch.optim.Optimizer) -> None:
    """Take the step without the hooks that anybody has put on every optimizer: a replay is nobody's step."""
    step: Any = type(optimizer).step
    if getattr(step, "hooked", False):
        step = step.__wrapped__
    with torch.no_grad():
        step(optimizer)


def _in_memory(storage: torch.UntypedStorage, place: Place, like: torch.Tensor) -> torch.Tensor:
    size, stride, offset = place
    return torch.empty(0, dtype=like.dtype, device=like.device).set_(storage, offset, size, stride)


def _copied_memory(storage: torch.UntypedStorage) -> torch.UntypedStorage:
    copy: torch.UntypedStorage = storage.clone()   # type: ignore[no-untyped-call]
    return copy


def _copy(tensor: torch.Tensor) -> torch.Tensor:
    """Clone with the same strides: sums and matrix products depend on the layout in their last bits."""
    if tensor.layout != torch.strided:
        return tensor.clone()
    copy = torch.empty_strided(tensor.size(), tensor.stride(), dtype=tensor.dtype, device=tensor.device)
    return copy.copy_(tensor)


def _copied(state: dict[str, Any]) -> dict[str, Any]:
    return {key: _copy(value) if isinstance(value, torch.Tensor) else value for key, value in state.items()}
