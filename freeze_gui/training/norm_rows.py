"""How parameters lie in flat copies: in rows, large ones by themselves, small ones side by side.

A sum of squares over a row is taken in the numbers' own width, the sums of rows are added up in
float64.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

LARGE_ROW, SMALL_ROW = 1024, 256
"""Numbers in a row: long ones are added up faster, short ones are filled up with fewer zeros."""

CHUNK = 256
"""Long rows that are worked on at a time: a megabyte of float32."""

_TRUSTED = {4: (1e-24, 1e30), 8: (1e-280, 1e280)}
"""Bytes of a number → sums of squares outside may have lost something to under- or overflow."""

Rows = NDArray[np.floating]
Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
Order = tuple[int, ...]


@dataclass(frozen=True)
class Piece:
    """Numbers [first, last) of a parameter, which fill the rows [start, stop) of the copies, the last one in part.

    `whole` where these are all of its numbers.
    """

    parameter: int
    first: int
    last: int
    start: int
    stop: int
    whole: bool


def pieces_of(sizes: Sequence[int], least_rows: int) -> tuple[list[Piece], list[Piece]]:
    """Give every parameter its rows.

    Parameters
    ----------
    sizes
        Numbers in each parameter.
    least_rows
        A parameter that fills so many long rows is large, and a piece of its own.

    Returns
    -------
    tuple of list
        Large pieces, of full long rows; and small ones, in short rows of their own: whole parameters, and what is left
        of large ones. A parameter has at most one of each.
    """
    large: list[Piece] = []
    small: list[Piece] = []
    large_rows = small_rows = 0
    for parameter, size in enumerate(sizes):
        rows = size // LARGE_ROW if size // LARGE_ROW >= least_rows else 0
        first = rows * LARGE_ROW
        if rows:
            large.append(Piece(parameter, 0, first, large_rows, large_rows + rows, first == size))
            large_rows += rows
        if first < size:
            stop = small_rows - (first - size) // SMALL_ROW
            small.append(Piece(parameter, first, size, small_rows, stop, first == 0))
            small_rows = stop
    return large, small


def chunks(start: int, stop: int, most: int) -> Iterator[tuple[int, int]]:
    """Cut the rows [start, stop) into [from, to) of at most `most`."""
    return ((at, min(at + most, stop)) for at in range(start, stop, most))


def room(shape: tuple[int, ...], dtype: torch.dtype) -> Rows:
    """Return zeros. Unlike torch, NumPy asks Linux for large pages: a walk through many copies is a tenth faster."""
    return np.zeros(shape, np.float64 if dtype == torch.float64 else np.float32)


def columns(which: NDArray[np.int64], count: int) -> NDArray[np.int64] | slice:
    """Return an index for `which` of so many columns: a slice, which is faster, where it is all of them in order."""
    return slice(None) if np.array_equal(which, np.arange(count)) else which


def are_sound(sums: Floats, number_bytes: int) -> bool:
    """Tell whether sums of squares of numbers of so many bytes have lost nothing to under- or overflow."""
    low, high = _TRUSTED[number_bytes]
    return bool(np.minimum.reduce(sums, axis=None) > low and np.maximum.reduce(sums, axis=None) < high)


def mend(sums: Floats, rows: Rows) -> None:
    """Take those of the sums of squares, shape (n,), of `rows`, shape (n, numbers), again that may have lost something.

    A chunk at a time: of a large embedding most rows may have a gradient of zero, or an update.
    """
    low, high = _TRUSTED[rows.itemsize]
    for at, end in chunks(0, len(sums), CHUNK):
        doubtful = at + np.flatnonzero(~((low < sums[at:end]) & (sums[at:end] < high)))
        if rows[doubtful].any():   # most often they are zeros, and right
            wide = rows[doubtful].astype(np.float64)
            sums[doubtful] = np.vecdot(wide, wide)


def order_of(tensor: torch.Tensor) -> Order:
    """Return the dimensions from the outermost in memory to the innermost."""
    return tuple(sorted(range(tensor.dim()), key=tensor.stride, reverse=True))


def numbers_of(tensor: torch.Tensor, order: Order) -> torch.Tensor:
    """Return the numbers of `tensor` as a vector, its dimensions walked in `order`; complex numbers as pairs.

    A view wherever the numbers lie so, without gaps: in any contiguous or channels-last tensor with its own order.
    """
    tensor = tensor.detach()
    if tensor.is_sparse:
        tensor = tensor.to_dense()
    tensor = tensor.permute(order)
    return (torch.view_as_real(tensor.resolve_conj()) if tensor.is_complex() else tensor).reshape(-1)


def array_of(tensor: torch.Tensor, order: Order, dtype: torch.dtype) -> NDArray[np.floating] | None:
    """Return `numbers_of` a tensor as an array, a view wherever that is one; None where numpy cannot read it."""
    if tensor.dtype != dtype or not tensor.is_cpu or tensor.is_sparse:
        return None
    found: NDArray[np.floating] = tensor.numpy(force=True).transpose(order).reshape(-1)
    return found
