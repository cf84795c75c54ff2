"""Sums of squares of gradients, updates and distances on a GPU, by a few grouped calls that wait for nothing."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

_GROUP = 32 * 1024 * 1024
"""Numbers that are subtracted by one call: what it takes beside the copies is 128 MB, or the largest parameter."""

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]


class NormsOnDevice:
    """Keeps the weights at the start and at the step before, and adds up squares, in float64.

    Parameters
    ----------
    parameters
        All on one device, which has float64.
    with_updates
        Whether to keep the weights of the step before as well; without them updates are NaN.
    """

    def __init__(self, parameters: Sequence[nn.Parameter], with_updates: bool = True) -> None:
        self._parameters = list(parameters)
        self._sizes = [p.numel() for p in parameters]
        self._start = [_real(p).clone() for p in parameters]
        self._previous = [start.clone() for start in self._start] if with_updates else None
        self._squares = np.zeros((3, len(parameters)))
        self._gradients: list[int] = []   # parameters that have one
        self._gradient_norms: list[torch.Tensor] = []
        self._places: list[tuple[int, int]] = []   # of the numbers of the last `measure`
        self._still = np.zeros(len(parameters), bool)

    def replace(self, at: int, parameter: nn.Parameter) -> None:
        """Look from now on at a parameter of the same shape that has taken the place of another."""
        self._parameters[at] = parameter

    def remember(self) -> None:
        """Take the weights now as those before the next step."""
        if self._previous:
            torch._foreach_copy_(self._previous, [_real(p) for p in self._parameters])

    @torch.no_grad()
    def look_at_gradients(self) -> list[bool]:
        """Add up the gradients now, the sums stay on the device; and return which parameters have none."""
        grads = {at: _real(p.grad) for at, p in enumerate(self._parameters) if p.grad is not None}
        self._gradients, self._gradient_norms = list(grads), list(_norms(list(grads.values())))
        return [at not in grads for at in range(len(self._parameters))]

    @torch.no_grad()
    def measure(self, still: Flags) -> torch.Tensor | None:
        """Return norms (n,) of gradients, updates and distances, which `squares` understands; remember the weights.

        The gradients are those that `look_at_gradients` saw.

        Parameters
        ----------
        still
            Parameters, shape (parameters,), that have not moved since the call before: their weights are not read.
        """
        found = list(self._gradient_norms)
        places = [(0, at) for at in self._gradients]
        for group in self._groups(np.flatnonzero(~still).tolist()):
            now = [_real(self._parameters[at]) for at in group]
            found.extend(_norms(torch._foreach_sub(now, [self._start[at] for at in group])))
            places.extend((2, at) for at in group)
            if self._previous is not None:
                previous = [self._previous[at] for at in group]
                found.extend(_norms(torch._foreach_sub(now, previous)))
                places.extend((1, at) for at in group)
                torch._foreach_copy_(previous, now)
        self._places, self._still = places, still
        return torch.stack(found) if found else None

    def squares(self, numbers: Sequence[float] = ()) -> Floats:
        """Return the sums of squares of the last `measure`, shape (3, parameters).

        Parameters
        ----------
        numbers
            Those that it returned, read from the device.
        """
        self._squares[:2] = 0.0   # the distance of what holds still stays as it was
        if self._places:
            self._squares[tuple(zip(*self._places, strict=True))] = np.square(numbers)
        if self._previous is None:
            self._squares[1, ~self._still] = np.nan
        return self._squares.copy()

    def _groups(self, parameters: Sequence[int]) -> list[list[int]]:
        """Cut a list of parameters into groups of about `_GROUP` numbers."""
        groups: list[list[int]] = []
        size = 0
        for at in parameters:
            if not groups or size + self._sizes[at] > _GROUP:
                groups.append([])
                size = 0
            groups[-1].append(at)
            size += self._sizes[at]
        return groups


def bytes_on_device(parameters: Sequence[nn.Parameter]) -> tuple[int, int]:
    """Return the bytes that are held without updates, and how many more with them."""
    sizes = [p.numel() * max(p.element_size(), 4) for p in parameters]   # half ones as float32
    differences = min(sum(sizes), max([4 * _GROUP, *sizes]))
    return sum(sizes) + differences, sum(sizes)


def _norms(tensors: Sequence[torch.Tensor]) -> Sequence[torch.Tensor]:
    """Return the norm of each tensor."""
    return torch._foreach_norm(list(tensors), 2, dtype=torch.float64) if tensors else []


def _real(tensor: torch.Tensor) -> torch.Tensor:
    """Return `tensor` as real and dense numbers, half ones as float32: their differences need more digits."""
    tensor = tensor.detach()
    if tensor.is_sparse:
        tensor = tensor.to_dense()
    if tensor.is_complex():
        return torch.view_as_real(tensor.resolve_conj())
    return tensor.float() if tensor.dtype in (torch.float16, torch.bfloat16) else tensor
