"""Sums of squares of small parameters on the CPU: gathered side by side by one call for all, added up by one more.

A call for each would cost more than copying them. Gradients, updates and distances of all lie in one array, which is
small where a model is large: most numbers of a network are in few of its tensors.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import nn

from freeze_gui.training.norm_rows import SMALL_ROW, Floats, Order, Piece, Rows, are_sound, mend, numbers_of, room

_GRADIENT, _UPDATE, _DISTANCE = range(3)


class NormsGathered:
    """Keeps the weights of small parameters at the start and at the step before, and adds up squares.

    Parameters
    ----------
    parameters
        All parameters of the run; the list is looked at anew each time.
    orders
        How the dimensions of each lie in memory.
    pieces
        The small ones.
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
        self._parameters, self._orders, self._pieces = parameters, orders, pieces
        rows = pieces[-1].stop if pieces else 0
        self._numbers = room((3, rows, SMALL_ROW), dtype)   # rows are filled up with zeros
        self._starts = np.array([piece.start for piece in pieces], dtype=np.int64)
        self._owners = [piece.parameter for piece in pieces]
        self._all_whole = all(piece.whole and not parameters[piece.parameter].is_complex() for piece in pieces)
        self._targets = {kind: self._places(self._numbers[kind]) for kind in (_GRADIENT, _DISTANCE)}
        self._gather(_DISTANCE, parameters)
        self._start = self._numbers[_DISTANCE].copy()
        self._previous = self._start.copy() if with_updates else None

    def remember(self) -> None:
        """Take the weights now as those before the next step."""
        if self._previous is not None:
            self._gather(_DISTANCE, self._parameters)
            np.copyto(self._previous, self._numbers[_DISTANCE])

    def look_at_gradients(self, grads: Sequence[torch.Tensor | None]) -> None:
        """Copy the gradients, one for each parameter, now."""
        self._gather(_GRADIENT, grads)

    def squares(self) -> Floats:
        """Return sums of squares of gradients, updates and distances, shape (3, pieces), and remember the weights."""
        self._gather(_DISTANCE, self._parameters)
        now = distance = self._numbers[_DISTANCE]
        if self._previous is not None:
            np.subtract(now, self._previous, out=self._numbers[_UPDATE])
            np.copyto(self._previous, now)
        np.subtract(now, self._start, out=distance)
        sums = np.vecdot(self._numbers, self._numbers).astype(np.float64)
        if not are_sound(sums, self._numbers.itemsize):
            for line, numbers in zip(sums, self._numbers, strict=True):
                mend(line, numbers)
        return np.add.reduceat(sums, self._starts, axis=1)

    def _gather(self, kind: int, tensors: Sequence[torch.Tensor | None]) -> None:
        """Copy small pieces side by side, in one call; what is None is 0."""
        found = [tensors[at] for at in self._owners]
        targets, sources = self._targets[kind], [tensor for tensor in found if tensor is not None]
        if len(sources) < len(found):
            self._numbers[kind] = 0.0
            targets = [target for target, tensor in zip(targets, found, strict=True) if tensor is not None]
        if not self._all_whole or any(tensor.is_sparse for tensor in sources):
            there = [piece for piece, tensor in zip(self._pieces, found, strict=True) if tensor is not None]
            sources = [self._part(piece, tensor) for piece, tensor in zip(there, sources, strict=True)]
        if sources:
            torch._foreach_copy_(targets, sources)

    def _part(self, piece: Piece, tensor: torch.Tensor) -> torch.Tensor:
        """Return the numbers of a piece in the shape of what they are copied to."""
        if piece.whole and not tensor.is_complex() and not tensor.is_sparse:
            return tensor
        numbers = numbers_of(tensor, self._orders[piece.parameter])[piece.first : piece.last]
        return numbers.view(self._shape(piece))

    def _places(self, numbers: Rows) -> list[torch.Tensor]:
        """Return where each small piece is copied to."""
        flat = torch.from_numpy(numbers).view(-1)
        return [
            flat[piece.start * SMALL_ROW :][: piece.last - piece.first].view(self._shape(piece))
            for piece in self._pieces
        ]

    def _shape(self, piece: Piece) -> Sequence[int]:
        """Return the shape in which a piece is copied: that of its parameter where it can be."""
        parameter = self._parameters[piece.parameter]
        return parameter.shape if piece.whole and not parameter.is_complex() else (piece.last - piece.first,)
