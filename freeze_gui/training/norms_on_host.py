"""Sums of squares of gradients, updates and distances on the CPU: large parameters in place, small ones gathered.

Another thread gains nothing: right after a step torch's own threads still spin on the other cores.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import nn

from freeze_gui.training.norm_rows import (
    LARGE_ROW,
    SMALL_ROW,
    Flags,
    Floats,
    Piece,
    columns,
    order_of,
    pieces_of,
)
from freeze_gui.training.norms_gathered import NormsGathered
from freeze_gui.training.norms_in_place import NormsInPlace

_LARGE = 32
"""Long rows from which on a parameter is measured where it lies; calls for each cost less than copying it."""


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
        self._parameters, self._with_updates = list(parameters), with_updates
        orders = [order_of(p) for p in parameters]
        dtype, large, small = _layout(parameters)
        self._of_large, self._of_small = (
            columns(np.array([piece.parameter for piece in pieces], dtype=np.int64), len(parameters))
            for pieces in (large, small)
        )
        self._any_large, self._any_small = bool(large), bool(small)
        self._found = np.zeros((3, len(parameters)))
        with torch.no_grad():
            self._large = NormsInPlace(self._parameters, orders, large, dtype, with_updates)
            self._small = NormsGathered(self._parameters, orders, small, dtype, with_updates)

    def replace(self, at: int, parameter: nn.Parameter) -> None:
        """Look from now on at a parameter of the same shape that has taken the place of another."""
        self._parameters[at] = parameter

    @torch.no_grad()
    def remember(self) -> None:
        """Take the weights now as those before the next step."""
        self._large.remember()
        self._small.remember()

    @torch.no_grad()
    def look_at_gradients(self) -> list[bool]:
        """Look at the gradients now, and return which parameters have none."""
        grads = [p.grad for p in self._parameters]
        self._small.look_at_gradients(grads)
        if self._any_large:
            with np.errstate(all="ignore"):   # what overflows is taken again
                self._large.look_at_gradients(grads)
        return [gradient is None for gradient in grads]

    @torch.no_grad()
    def measure(self, still: Flags) -> None:
        """Add up the squares of gradients, updates and distances for `squares`; remember the weights.

        The gradients are those that `look_at_gradients` saw.

        Parameters
        ----------
        still
            Parameters, shape (parameters,), that have not moved since the call before: large ones are not read.
        """
        found = np.zeros((3, len(self._parameters)))
        with np.errstate(all="ignore"):   # what overflows is taken again
            if self._any_large:
                found[:, self._of_large] = self._large.squares(still)
            if self._any_small:
                found[:, self._of_small] += self._small.squares()
        if not self._with_updates:
            found[1, ~still] = np.nan
        self._found = found

    def squares(self, numbers: Sequence[float] = ()) -> Floats:
        """Return the sums of squares of the last `measure`, shape (3, parameters)."""
        return self._found


def bytes_on_host(parameters: Sequence[nn.Parameter]) -> tuple[int, int]:
    """Return the bytes that are held without updates, and how many more with them, but for a few megabytes."""
    dtype, large, small = _layout(parameters)
    of_large = large[-1].stop * LARGE_ROW * dtype.itemsize if large else 0
    of_small = small[-1].stop * SMALL_ROW * dtype.itemsize if small else 0
    return of_large + 4 * of_small, of_large + of_small   # of small ones the start, and room for all that is asked


def _layout(parameters: Sequence[nn.Parameter]) -> tuple[torch.dtype, list[Piece], list[Piece]]:
    """Return the number format of the copies, and the large and small pieces."""
    is_wide = any(p.dtype in (torch.float64, torch.complex128) for p in parameters)
    sizes = [p.numel() * (1 + p.is_complex()) for p in parameters]
    return (torch.float64 if is_wide else torch.float32, *pieces_of(sizes, _LARGE))
