"""Equality of tensors bit by bit: -0.0 differs from 0.0, and a NaN equals itself."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

_INTEGERS = {1: torch.int8, 2: torch.int16, 4: torch.int32, 8: torch.int64}
NUMPY_KNOWS = {torch.float16, torch.float32, torch.float64, torch.int32, torch.int64}
SMALL = 16384
"""Elements up to which numpy's calls take half the time of torch's: buffers of norm layers move at every step."""
_LARGE = 65536
"""Elements from which on eight bytes at a time take some 0.6 of the time of `torch.equal`, which goes one by one."""
_PIECE = 2**18
"""Elements of a large tensor that are compared by size at a time."""

Number = bool | float | torch.Tensor
"""A number that is known, or still on a GPU."""

Row = NDArray[Any] | list[Number]
"""Several numbers of one kind."""


def bits(tensor: torch.Tensor) -> torch.Tensor:
    """Return `tensor` seen as whole numbers of the same size; shares its memory where it can."""
    tensor = tensor.detach()
    if tensor.is_complex():
        tensor = torch.view_as_real(tensor.resolve_conj())
    return tensor.view(_INTEGERS[tensor.element_size()]) if tensor.is_floating_point() else tensor


def parts(tensor: torch.Tensor) -> list[torch.Tensor]:
    """Return the dense tensors that hold `tensor`, its values last; more than one for a sparse tensor."""
    tensor = tensor.detach()
    if tensor.layout == torch.sparse_coo:
        return [tensor._indices(), tensor._values()]
    if tensor.layout in (torch.sparse_csr, torch.sparse_bsr):
        return [tensor.crow_indices(), tensor.col_indices(), tensor.values()]
    if tensor.layout in (torch.sparse_csc, torch.sparse_bsc):
        return [tensor.ccol_indices(), tensor.row_indices(), tensor.values()]
    return [tensor]


def differ(pairs: Sequence[tuple[torch.Tensor, torch.Tensor]]) -> list[bool]:
    """Tell for each pair whether any bit, or shape or number format, differs, with one read from the device for all."""
    return [bool(flag) for flag in read([flags(pairs)])[0]]


def flags(pairs: Iterable[tuple[torch.Tensor, torch.Tensor]]) -> list[Number]:
    """Tell for each pair what `differ` tells, where it is on a GPU by a flag there, for which nobody has waited."""
    return [_flag(a, b) for a, b in pairs]


def read(rows: Sequence[Row]) -> list[NDArray[Any]]:
    """Return rows of numbers, with one read from the device for all that are still there."""
    there = unread(rows)
    return [np.asarray(row) for row in rows] if there is None else filled(rows, there.tolist())


def unread(rows: Sequence[Row]) -> torch.Tensor | None:
    """Return all numbers of the rows that are still on a device, in one tensor (n,) there; None without any.

    Optimizers keep some of their state on the machine's side: the numbers of a row may come from either.
    """
    there = [[one for one in row if isinstance(one, torch.Tensor)] for row in rows if isinstance(row, list)]
    device = next((one.device for tensors in there for one in tensors), None)
    if device is None:
        return None
    stacked = [torch.stack([one.to(device) for one in tensors]) for tensors in there if tensors]
    return torch.cat([tensors.to(wide(device)) for tensors in stacked])


def filled(rows: Sequence[Row], numbers: Iterable[float]) -> list[NDArray[Any]]:
    """Return rows of numbers in which those that `unread` gave have come from the device."""
    come = iter(numbers)
    return [
        np.array([next(come) if isinstance(one, torch.Tensor) else one for one in row])
        if isinstance(row, list) else row
        for row in rows
    ]  # fmt: skip


def wide(device: torch.device) -> torch.dtype:
    """Return the widest float that a device has."""
    return torch.float32 if device.type == "mps" else torch.float64


def any_differs(a: torch.Tensor, b: torch.Tensor) -> bool | torch.Tensor:
    """Tell whether any of these whole numbers, as `bits` gives them, differs; on a GPU by a flag there."""
    if not a.is_cpu:
        return torch.ne(a, b).any()
    if a.numel() > _LARGE and _is_in_eights(a) and _is_in_eights(b):
        a, b = (one.view(-1).view(torch.int64) for one in (a, b))
    return not torch.equal(a, b)


def _is_in_eights(numbers: torch.Tensor) -> bool:
    """Tell whether the memory of a tensor can be read eight bytes at a time."""
    size = numbers.element_size()
    places = numbers.numel() * size, int(numbers.storage_offset()) * size
    return numbers.is_contiguous() and not any(place % 8 for place in places)


def any_nonzero(tensor: torch.Tensor) -> bool | torch.Tensor:
    """Tell whether any element is not zero; on a GPU by a flag there."""
    values = parts(tensor)[-1]
    return bool(values.any()) if values.is_cpu else values.any()


def is_zero(tensor: torch.Tensor) -> bool:
    """Tell whether every element is exactly zero, of either sign."""
    return not bool(any_nonzero(tensor))


def may_be(flag: Number, answer: bool) -> bool:
    """Tell whether a flag has this value as far as is known: one that is still on a GPU may."""
    return isinstance(flag, torch.Tensor) or bool(flag) == answer


def any_of(some: Sequence[Number]) -> bool | torch.Tensor:
    """Tell whether any of these flags is set; on a GPU by a flag there, unless one is known to be."""
    there = [flag for flag in some if isinstance(flag, torch.Tensor)]
    if len(there) < len(some) and any(flag for flag in some if not isinstance(flag, torch.Tensor)):
        return True
    return torch.stack(there).any() if there else False


def apart(a: torch.Tensor, b: torch.Tensor) -> float | torch.Tensor:
    """Return the largest absolute difference of an element, which may be on a GPU.

    NaN where a NaN or another shape leaves nothing to say.
    """
    if not _alike(a, b):
        return float("nan")
    if a.layout != torch.strided:
        a, b = parts(a)[-1], parts(b)[-1]
        if not _alike(a, b):
            return float("nan")
    if a.numel() == 0:
        return 0.0
    if a.is_complex():
        a, b = torch.view_as_real(a.resolve_conj()), torch.view_as_real(b.resolve_conj())
    if a.is_cpu and a.numel() <= SMALL and a.dtype in NUMPY_KNOWS:
        with np.errstate(all="ignore"):   # infinity less infinity is NaN here as well
            return float(np.abs(np.subtract(a.detach().numpy(), b.detach().numpy(), dtype=np.float64)).max())
    order = sorted(range(a.dim()), key=a.stride, reverse=True)   # as it lies in memory
    flat_a, flat_b = (one.detach().permute(order).reshape(-1) for one in (a, b))
    most = _PIECE if a.is_cpu else 64 * _PIECE   # a wide copy of all of a large tensor would take twice its memory
    pairs = zip(torch.split(flat_a, most), torch.split(flat_b, most), strict=True)
    largest = torch.stack([x.to(wide(a.device), copy=True).add_(y, alpha=-1).abs_().max() for x, y in pairs]).max()
    return float(largest) if a.is_cpu else largest


def _flag(a: torch.Tensor, b: torch.Tensor) -> bool | torch.Tensor:
    if not _alike(a, b):
        return True
    if a.layout != torch.strided:
        return any_of([_flag(*pair) for pair in zip(parts(a), parts(b), strict=True)])
    return any_differs(bits(a), bits(b))


def _alike(a: torch.Tensor, b: torch.Tensor) -> bool:
    return a.shape == b.shape and a.dtype == b.dtype and a.device == b.device and a.layout == b.layout
