"""How parameters lie in flat copies: in rows of 256 numbers, large ones by themselves, small ones side by side."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import torch

ROW = 256

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
        A parameter that fills so many rows is large, and a piece of its own.

    Returns
    -------
    tuple of list
        Large pieces, of full rows; and, in the rows behind them, small ones: whole parameters, and what is left of
        large ones.
    """
    large: list[Piece] = []
    left: list[tuple[int, int]] = []   # parameter and its first number that no large piece has
    at = 0
    for parameter, size in enumerate(sizes):
        rows = size // ROW if size // ROW >= least_rows else 0
        if rows:
            large.append(Piece(parameter, 0, rows * ROW, at, at + rows, rows * ROW == size))
            at += rows
        if rows * ROW < size:
            left.append((parameter, rows * ROW))
    small: list[Piece] = []
    for parameter, first in left:
        stop = at - (first - sizes[parameter]) // ROW
        small.append(Piece(parameter, first, sizes[parameter], at, stop, first == 0))
        at = stop
    return large, small


def chunks(start: int, stop: int, most: int) -> Iterable[tuple[int, int]]:
    """Cut the rows [start, stop) into [from, to) of at most `most`."""
    return ((at, min(at + most, stop)) for at in range(start, stop, most))


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
