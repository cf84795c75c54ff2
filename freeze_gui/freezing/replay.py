"""Steps of an optimizer taken again, on copies: all frozen parameters of a step together, as the step took them.

The classes of torch.optim work on each element or each parameter by itself, so that a parameter comes to the same bits
alone, among some, and among all.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

_DECAY = ("weight_decay", "lambd")   # lambd: the decay of ASGD
MOST = 32 * 1024 * 1024
"""Elements whose steps are taken again at once on a GPU, where calls are dear."""
MOST_ON_CPU = 2**18
"""Elements there: larger ones gain nothing."""

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
    def take_all(
        cls, optimizer: torch.optim.Optimizer, parameters: Iterable[nn.Parameter], fresh: set[int]
    ) -> dict[int, Suspect]:
        """Copy what the replay needs of those that have a gradient and are in a group, in the optimizer's order.

        Parameters
        ----------
        fresh
            Identities of those whose gradient this step's backward wrote.

        Returns
        -------
        dict
            By the identity of the parameter.
        """
        wanted = {id(p) for p in parameters if p.grad is not None}
        found: dict[int, Suspect] = {}
        for group in optimizer.param_groups if wanted else ():
            if own := [p for p in group["params"] if id(p) in wanted]:
                hyper = _copied({key: value for key, value in group.items() if key != "params"})
                for p in own:
                    state = _copied(optimizer.state.get(p, {}))
                    value, gradient = _copy(p.detach()), _copy(p.grad.detach())
                    found[id(p)] = cls(type(optimizer), hyper, value, gradient, state, id(p) in fresh, id(group))
        return found


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
        placed = tuple((suspect, _place_of(parameter)) for parameter, suspect in members)
        return cls(_copied_memory(tensor.untyped_storage()), _place_of(tensor), tensor.dtype, placed)

    def before_step(self) -> torch.Tensor:
        """Return the frozen tensor as it was before the step."""
        return self._tensor(self.storage)

    def after_step(self) -> torch.Tensor:
        """Return the frozen tensor as the step leaves it when all members move in one memory."""
        storage = _copied_memory(self.storage)
        suspects = [suspect for suspect, _ in self.members]
        copies = [nn.Parameter(_in_memory(storage, place, suspect.value)) for suspect, place in self.members]
        if copies:
            _step(suspects, copies)
        return self._tensor(storage)

    def _tensor(self, storage: torch.UntypedStorage) -> torch.Tensor:
        return _in_memory(storage, self.place, torch.empty(0, dtype=self.dtype, device=storage.device))


def replayed(
    suspects: Sequence[Suspect], *, with_gradient: bool = True, with_state: bool = True, with_decay: bool = True
) -> Iterator[torch.Tensor]:
    """Yield where a step of the same optimizer on a copy of each ends, some at a time so that copies stay few.

    Parameters
    ----------
    with_gradient, with_state, with_decay
        Whether with its gradient, or a zero one; with its state, or a fresh one; with its decay, or none.
    """
    for some in _pieces(suspects):
        yield from _ends(some, with_gradient, with_state, with_decay)


def replayed_at_once(largest: int, together: int, on_cpu: bool) -> int:
    """Return the most bytes of parameters whose steps are replayed at once, of those of these bytes."""
    return min(together, max(4 * (MOST_ON_CPU if on_cpu else MOST), largest))


def _pieces(suspects: Iterable[Suspect]) -> Iterator[list[Suspect]]:
    """Cut into pieces of a bounded number of elements, or of one parameter."""
    piece: list[Suspect] = []
    elements = 0
    for suspect in suspects:
        size = suspect.value.numel()
        if piece and elements + size > (MOST_ON_CPU if suspect.value.is_cpu else MOST):
            yield piece
            piece, elements = [], 0
        piece.append(suspect)
        elements += size
    if piece:
        yield piece


def _ends(
    suspects: Sequence[Suspect], with_gradient: bool, with_state: bool, with_decay: bool
) -> list[torch.Tensor]:
    """Take one step on copies of all; nothing of it is left but where they end."""
    copies = [nn.Parameter(_copy(suspect.value)) for suspect in suspects]
    _step(suspects, copies, with_gradient, with_state, with_decay)
    return [copy.detach() for copy in copies]


def _step(
    suspects: Sequence[Suspect],
    copies: Sequence[nn.Parameter],
    with_gradient: bool = True,
    with_state: bool = True,
    with_decay: bool = True,
) -> None:
    """Take one step on copies of the values, each in a group of its own optimizer's."""
    groups: dict[int, dict[str, Any]] = {}   # one that steps all at once takes turns between those of a group
    for suspect, copy in zip(suspects, copies, strict=True):
        copy.grad = _copy(suspect.gradient) if with_gradient else torch.zeros_like(suspect.gradient)
        if suspect.group not in groups:
            hyper = suspect.hyper if with_decay else _without_decay(suspect.hyper)
            groups[suspect.group] = {**hyper, "params": []}
        groups[suspect.group]["params"].append(copy)
    make: Any = suspects[0].optimizer
    first = next(iter(groups.values()))   # Adagrad fills its state from its arguments, not from its groups
    given = {key: first[key] for key in _arguments(make) if key in first}
    optimizer: torch.optim.Optimizer = make(list(groups.values()), **given)
    if with_state:
        for suspect, copy in zip(suspects, copies, strict=True):
            if suspect.state:
                optimizer.state[copy] = _copied(suspect.state)
    # a replay is nobody's step: the hooks that anybody has put on every optimizer are not called
    step: Any = make.step
    if getattr(step, "hooked", False):
        step = step.__wrapped__
    with torch.no_grad():
        step(optimizer)


@functools.cache
def _arguments(optimizer: type[Any]) -> tuple[str, ...]:
    """Return what the class takes beside the parameters."""
    return tuple(key for key in inspect.signature(optimizer).parameters if key != "params")


def _without_decay(hyper: dict[str, Any]) -> dict[str, Any]:
    return {key: 0.0 if key in _DECAY else value for key, value in hyper.items()}


def _place_of(tensor: torch.Tensor) -> Place:
    """Return where `tensor` lies in its storage."""
    return tensor.size(), tensor.stride(), int(tensor.storage_offset())


def _in_memory(storage: torch.UntypedStorage, place: Place, like: torch.Tensor) -> torch.Tensor:
    size, stride, offset = place
    return torch.empty(0, dtype=like.dtype, device=like.device).set_(storage, offset, size, stride)


def _copied_memory(storage: torch.UntypedStorage) -> torch.UntypedStorage:
    copy: torch.UntypedStorage = storage.clone()   # type: ignore[no-untyped-call]
    return copy


def _copy(tensor: torch.Tensor) -> torch.Tensor:
    """Clone with the same strides: sums and matrix products depend on the layout in their last bits."""
    if tensor.layout != torch.strided or tensor.is_contiguous():
        return tensor.clone()
    copy = torch.empty_strided(tensor.size(), tensor.stride(), dtype=tensor.dtype, device=tensor.device)
    return copy.copy_(tensor)


def _copied(state: dict[str, Any]) -> dict[str, Any]:
    return {key: _copy(value) if isinstance(value, torch.Tensor) else value for key, value in state.items()}
