"""Sums of squares of large parameters on the CPU, read where they lie, in one walk through the memory.

A megabyte at a time, with its two copies and its distance from the start, stays in the cache of a core while all that
is asked of it is computed. The update takes the place of the weights before the step until they are those of now: what
is written there anyway needs no room of its own in the cache.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from freeze_gui.training.norm_rows import (
    CHUNK,
    LARGE_ROW,
    Flags,
    Floats,
    Order,
    Piece,
    Rows,
    are_sound,
    array_of,
    chunks,
    mend,
    numbers_of,
    room,
)

Place = tuple[int, tuple[int, ...]]
"""Address and strides of a tensor."""


@dataclass(frozen=True, slots=True)
class _Chunk:
    """The copies of some rows, room for their distance, and their sums of squares.

    `sums` has a line for updates, if these are measured, and one for distances, shape (1 or 2, rows).
    """

    start: Rows
    previous: Rows
    distance: Rows
    sums: Floats


class NormsInPlace:
    """Keeps the weights of large parameters at the start and at the step before, and adds up squares.

    Parameters
    ----------
    parameters
        All parameters of the run; the list is looked at anew each time.
    orders
        How the dimensions of each lie in memory.
    pieces
        The large ones.
    dtype
        Of the copies, float32 or float64.
    with_updates
        Whether to keep the weights of the step before as well; without them updates are 0.
    """

    def __init__(
        self,
        parameters: Sequence[nn.Parameter],
        orders: Sequence[Order],
        pieces: Sequence[Piece],
        dtype: torch.dtype,
        with_updates: bool,
    ) -> None:
        self._parameters, self._orders, self._pieces, self._dtype = parameters, orders, pieces, dtype
        self._with_updates = with_updates
        rows = pieces[-1].stop if pieces else 0
        self._sums = np.zeros((3, rows))
        first = 1 if with_updates else 2
        self._starts = np.array([piece.start for piece in pieces], dtype=np.int64)
        self._known: dict[int, tuple[Place, list[Rows]]] = {}   # parameter → its chunks where it lay
        self._copied = torch.empty(min(rows, CHUNK), LARGE_ROW, dtype=dtype)
        distance: Rows = torch.empty_like(self._copied).numpy()
        start, previous = (room((count, LARGE_ROW), dtype) for count in (rows, rows if with_updates else 0))
        self._chunks = [
            [
                _Chunk(start[at:end], previous[at:end], distance[: end - at], self._sums[first:, at:end])
                for at, end in chunks(piece.start, piece.stop, CHUNK)
            ]
            for piece in pieces
        ]
        for piece, parts in zip(pieces, self._chunks, strict=True):
            for chunk, now in zip(parts, self._weights(piece), strict=True):
                np.copyto(chunk.start, now)
        self.remember()

    def remember(self) -> None:
        """Take the weights now as those before the next step."""
        if self._with_updates:
            for piece, parts in zip(self._pieces, self._chunks, strict=True):
                for chunk, now in zip(parts, self._weights(piece), strict=True):
                    np.copyto(chunk.previous, now)

    def look_at_gradients(self, grads: Sequence[torch.Tensor | None]) -> None:
        """Add up the gradients, one for each parameter, now."""
        for piece in self._pieces:
            gradient = grads[piece.parameter]
            if gradient is None:
                self._sums[0, piece.start : piece.stop] = 0.0
                continue
            at = piece.start
            for rows in self._parts(gradient, piece, piece.stop - piece.start):
                sums = self._sums[0, at : at + len(rows)]
                np.vecdot(rows, rows, out=sums)
                if not are_sound(sums, rows.itemsize):
                    mend(sums, rows)
                at += len(rows)

    def squares(self, still: Flags) -> Floats:
        """Return sums of squares of gradients, updates and distances, shape (3, pieces), and remember the weights.

        What is `still`, one for each parameter, is not read.
        """
        for piece, parts in zip(self._pieces, self._chunks, strict=True):
            if still[piece.parameter]:
                self._sums[1, piece.start : piece.stop] = 0.0
                continue
            for chunk, now in zip(parts, self._weights(piece), strict=True):
                self._compare(now, chunk)
        return np.add.reduceat(self._sums, self._starts, axis=1)

    def _compare(self, now: Rows, chunk: _Chunk) -> None:
        """Add up what lies between `now` and the copies, and make it the copy of the step before."""
        sums, distance, previous = chunk.sums, chunk.distance, chunk.previous
        np.subtract(now, chunk.start, out=distance)
        np.vecdot(distance, distance, out=sums[-1])
        if self._with_updates:
            update = np.subtract(now, previous, out=previous)
            np.vecdot(update, update, out=sums[0])
        if not are_sound(sums, distance.itemsize):
            mend(sums[-1], distance)
            if self._with_updates:
                mend(sums[0], update)
        if self._with_updates:
            np.copyto(previous, now)

    def _weights(self, piece: Piece) -> Iterable[Rows]:
        """Return the chunks of a large parameter; kept until it lies elsewhere, or otherwise, as transposed."""
        parameter = self._parameters[piece.parameter]
        place = parameter.data_ptr(), parameter.stride()
        before, known = self._known.get(piece.parameter, (None, None))
        if known is not None and before == place:
            return known
        found = self._parts(parameter, piece, CHUNK)
        if isinstance(found, list) and found[0].ctypes.data == place[0]:   # in place, and no copy
            self._known[piece.parameter] = place, found
        return found

    def _parts(self, tensor: torch.Tensor, piece: Piece, most: int) -> Iterable[Rows]:
        """Return the rows of a piece, `most` at a time; or chunk after chunk, copied, where numpy cannot read."""
        order = self._orders[piece.parameter]
        array = array_of(tensor, order, self._dtype)
        if array is not None:
            array = array[: piece.last].reshape(-1, LARGE_ROW)
            return [array[at:end] for at, end in chunks(0, len(array), most)]
        rows = numbers_of(tensor, order)[: piece.last].view(-1, LARGE_ROW)
        return (self._copy(rows[at:end]) for at, end in chunks(0, len(rows), CHUNK))

    def _copy(self, rows: torch.Tensor) -> Rows:
        copied: Rows = self._copied[: len(rows)].copy_(rows).numpy()
        return copied
