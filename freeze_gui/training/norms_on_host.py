"""Sums of squares of gradients, updates and distances on the CPU, in one walk through the memory.

Large parameters are read where they lie, 1,024 rows at a time: a megabyte, with its two copies and its difference,
stays in the cache of a core. Small ones are gathered first, by one call for all. Another thread gains nothing: right
after a step torch's own threads still spin on the other cores.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from freeze_gui.training.norm_rows import ROW, Piece, chunks, numbers_of, order_of, pieces_of

_CHUNK = 1024
_LARGE = 64
"""Rows from which on a parameter is measured where it lies; a call for each costs less than copying them."""
_TRUSTED = {torch.float32: (1e-24, 1e30), torch.float64: (1e-280, 1e280)}
"""Sums of squares outside may have lost something to under- or overflow, and are taken again in wider numbers."""

Rows = NDArray[np.floating]
Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
Source = Rows | torch.Tensor
"""Rows of a parameter: an array where numpy can read it in place, else a tensor that is copied chunk by chunk."""


class NormsOnHost:
    """Keeps the weights at the start and at the step before, and adds up squares.

    Parameters
    ----------
    parameters
        On any device; what is not on the CPU is copied there, chunk by chunk.
    with_updates
        Whether to keep the weights of the step before as well; without them updates are NaN.
    """

    def __init__(self, parameters: Sequence[nn.Parameter], with_updates: bool = True) -> None:
        self._parameters = list(parameters)
        wide = any(p.dtype in (torch.float64, torch.complex128) for p in parameters)
        self._dtype = torch.float64 if wide else torch.float32
        self._low, self._high = _TRUSTED[self._dtype]
        self._orders = [order_of(p) for p in parameters]
        self._large, self._small = pieces_of([p.numel() * (1 + p.is_complex()) for p in parameters], _LARGE)
        pieces = [*self._large, *self._small]
        self._rows = pieces[-1].stop if pieces else 0
        self._starts = np.array([piece.start for piece in pieces], dtype=np.int64)
        self._piece_parameter = np.array([piece.parameter for piece in pieces], dtype=np.int64)
        self._squares = np.zeros((3, self._rows))
        self._behind = self._small[0].start if self._small else self._rows   # where the small pieces lie
        gathered = torch.zeros(self._rows - self._behind, ROW, dtype=self._dtype)
        self._gathered: Rows = gathered.numpy()
        self._targets = [self._target(gathered, piece) for piece in self._small]
        self._chunk = torch.empty(_CHUNK, ROW, dtype=self._dtype)
        self._scratch: Rows = torch.empty(_CHUNK, ROW, dtype=self._dtype).numpy()
        self._in_place: dict[int, tuple[int, Source]] = {}   # parameter → address, and its rows there
        self._start: Rows = torch.zeros(self._rows, ROW, dtype=self._dtype).numpy()
        self._copy_to(self._start)
        self._previous = self._start.copy() if with_updates else None

    def replace(self, at: int, parameter: nn.Parameter) -> None:
        """Look from now on at a parameter of the same shape that has taken the place of another."""
        self._parameters[at] = parameter

    def remember(self) -> None:
        """Take the weights now as those before the next step."""
        if self._previous is not None:
            self._copy_to(self._previous)

    @torch.no_grad()
    def look_at_gradients(self) -> None:
        """Add up the gradients now."""
        out = self._squares[0]
        out[:] = 0.0
        grads = [p.grad for p in self._parameters]
        with np.errstate(all="ignore"):   # what overflows is taken again
            for piece in self._large:
                if (gradient := grads[piece.parameter]) is not None:
                    source = self._source(numbers_of(gradient, self._orders[piece.parameter]), piece)
                    for at, end in chunks(piece.start, piece.stop, _CHUNK):
                        self._add_up(self._read(source, at - piece.start, end - piece.start), out[at:end])
            present = [at for at, piece in enumerate(self._small) if grads[piece.parameter] is not None]
            if present:
                self._gather(present, grads)
                self._add_up(self._gathered, out[self._behind :])
        if len(present) < len(self._small):   # rows of the others hold something old
            for piece in self._small:
                if grads[piece.parameter] is None:
                    out[piece.start : piece.stop] = 0.0

    @torch.no_grad()
    def squares(self, still: Flags, extra: torch.Tensor) -> tuple[Floats, Floats]:
        """Return sums of squares, shape (3, parameters), of gradients, updates and distances; remember the weights.

        The gradients are those that `look_at_gradients` saw.

        Parameters
        ----------
        still
            Parameters, shape (parameters,), that have not moved since the call before: their weights are not read.
        extra
            A few numbers, which are returned as they are.
        """
        with np.errstate(all="ignore"):   # what overflows is taken again
            self._look_at_weights(still)
        found = np.zeros((3, len(self._parameters)))
        if self._rows:
            by_piece = np.add.reduceat(self._squares, self._starts, axis=1)
            for row in range(3):
                found[row] = np.bincount(self._piece_parameter, by_piece[row], len(self._parameters))
        if self._previous is None:
            found[1, ~still] = np.nan
        return found, extra.double().numpy(force=True)

    @torch.no_grad()
    def _copy_to(self, copies: Rows) -> None:
        for piece in self._large:
            source = self._weights(piece)
            for at, end in chunks(piece.start, piece.stop, _CHUNK):
                copies[at:end] = self._read(source, at - piece.start, end - piece.start)
        self._gather(range(len(self._small)), self._parameters)
        copies[self._behind :] = self._gathered

    def _look_at_weights(self, still: Flags) -> None:
        for piece in self._large:
            if still[piece.parameter]:
                self._squares[1, piece.start : piece.stop] = 0.0
                continue
            source = self._weights(piece)
            for at, end in chunks(piece.start, piece.stop, _CHUNK):
                self._compare(self._read(source, at - piece.start, end - piece.start), at, end)
        self._gather(range(len(self._small)), self._parameters)
        for at, end in chunks(self._behind, self._rows, _CHUNK):
            self._compare(self._gathered[at - self._behind : end - self._behind], at, end)

    def _compare(self, now: Rows, at: int, end: int) -> None:
        """Add up what lies between `now` and the copies, and make it the copy of the step before."""
        scratch = self._scratch[: end - at]
        np.subtract(now, self._start[at:end], out=scratch)
        self._add_up(scratch, self._squares[2, at:end])
        if self._previous is not None:
            np.subtract(now, self._previous[at:end], out=scratch)
            self._add_up(scratch, self._squares[1, at:end])
            self._previous[at:end] = now

    def _add_up(self, rows: Rows, out: Floats) -> None:
        """Write the sum of squares of each row, shape (n, 256), to `out`, shape (n,)."""
        found = np.vecdot(rows, rows)
        out[:] = found
        if np.minimum.reduce(found) > self._low and np.maximum.reduce(found) < self._high:
            return
        doubtful = np.flatnonzero(~((self._low < out) & (out < self._high)))
        if rows[doubtful].any():   # most often they are zeros, and right
            wide = rows[doubtful].astype(np.float64)
            out[doubtful] = np.vecdot(wide, wide)

    def _gather(self, places: Sequence[int], tensors: Sequence[torch.Tensor | None]) -> None:
        """Copy small pieces side by side, in one call."""
        sources = []
        for at in places:
            piece = self._small[at]
            tensor = tensors[piece.parameter]
            assert tensor is not None
            if not piece.whole or tensor.is_complex() or tensor.is_sparse:
                numbers = numbers_of(tensor, self._orders[piece.parameter])[piece.first : piece.last]
                tensor = numbers.view_as(self._targets[at])
            sources.append(tensor)
        if sources:
            torch._foreach_copy_([self._targets[at] for at in places], sources)

    def _target(self, gathered: torch.Tensor, piece: Piece) -> torch.Tensor:
        """Return where a small piece is copied to, in the shape of what is copied."""
        target = gathered.view(-1)[(piece.start - self._behind) * ROW :][: piece.last - piece.first]
        parameter = self._parameters[piece.parameter]
        return target.view(parameter.shape) if piece.whole and not parameter.is_complex() else target

    def _weights(self, piece: Piece) -> Source:
        """Return the rows of a large parameter; kept until its memory is another."""
        parameter = self._parameters[piece.parameter]
        address, source = self._in_place.get(piece.parameter, (0, None))
        if source is None or address != parameter.data_ptr():
            numbers = numbers_of(parameter, self._orders[piece.parameter])
            source = self._source(numbers, piece)
            if numbers.data_ptr() == parameter.data_ptr():   # and no copy
                self._in_place[piece.parameter] = parameter.data_ptr(), source
        return source

    def _source(self, numbers: torch.Tensor, piece: Piece) -> Source:
        rows = numbers[piece.first : piece.last].view(-1, ROW)
        return rows.numpy() if rows.dtype == self._dtype and rows.device.type == "cpu" else rows

    def _read(self, source: Source, start: int, stop: int) -> Rows:
        if isinstance(source, np.ndarray):
            return source[start:stop]
        chunk = self._chunk[: stop - start]
        chunk.copy_(source[start:stop])
        found: Rows = chunk.numpy()
        return found
