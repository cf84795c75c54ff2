"""Least and largest values of 8, 64 and 512 neighbouring rows, kept while a run goes on.

What is seen of a long run has a few thousand columns of pixels: from the pyramid they are put together in a time that
does not grow with the run, and no spike, leak or NaN of one row is lost.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from freeze_gui.runs.growing import GrowingRecords, Records
from freeze_gui.training.events import NO_GRADIENT

SIZES = (8, 64, 512)
"""Rows of a bin in each level."""

_FACTOR = 8
_AT_ONCE = 64

FROZEN, FROZEN_NO_GRADIENT, MISSING, ZERO, POSITIVE, NAN, LEAKED = 1, 2, 3, 4, 8, 240, 241
"""What a cell is. Where several share a pixel, the largest is shown: ordered by what must not be lost."""

HAS_MISSING, HAS_BAD, HAS_ZERO, HAS_TRAINED, HAS_FROZEN = 1, 2, 4, 8, 16
"""Bits: what is anywhere among the cells of a bin; bad is NaN or infinite."""

Norms = NDArray[np.float64]
Bytes = NDArray[np.uint8]
Flags = NDArray[np.bool_]


@dataclass(frozen=True)
class Bins:
    """Neighbouring rows taken together; all arrays but `row` have the shape (bins, layers).

    Attributes
    ----------
    row
        The first row of each bin, shape (bins,).
    low, high
        Least and largest of the values that are positive and finite; +inf and -inf where there are none.
    state
        The largest of the constants ``FROZEN`` to ``LEAKED`` among the cells.
    marks
        The bits ``HAS_…``.
    """

    row: NDArray[np.int64]
    low: Norms
    high: Norms
    state: Bytes
    marks: Bytes

    def grouped(self, starts: NDArray[np.int64]) -> Bins:
        """Return fewer bins: each from one of `starts` to the next."""
        return Bins(
            self.row[starts],
            np.minimum.reduceat(self.low, starts, axis=0),
            np.maximum.reduceat(self.high, starts, axis=0),
            np.maximum.reduceat(self.state, starts, axis=0),
            np.bitwise_or.reduceat(self.marks, starts, axis=0),
        )


class Pyramid:
    """The levels of one history; its writer calls `update` after each row."""

    def __init__(self, layers: int) -> None:
        cells = (3, layers)
        dtype = [("low", "f8", cells), ("high", "f8", cells), ("state", "u1", cells), ("marks", "u1", cells)]
        self._levels = [GrowingRecords(dtype) for _ in SIZES]

    def update(self, rows: Records, done: int, count: int) -> None:
        """Bring all levels up to `count` rows, of which `done` are in already.

        Parameters
        ----------
        rows
            Records with ``norms``, ``frozen`` and ``leaked``.

        Raises
        ------
        OSError
            When the disk is full.
        """
        below: Records = rows
        for size, level in zip(SIZES, self._levels, strict=True):
            begin, end = done // size, count // size
            if begin == end:
                return
            level.reserve(end)
            for at in range(begin, end, _AT_ONCE):   # a run that is opened comes with thousands of rows
                to = min(at + _AT_ONCE, end)
                part = below[at * _FACTOR : to * _FACTOR].reshape(to - at, _FACTOR)
                found = _of_rows(part) if below is rows else _of_bins(part)
                for name, values in zip(("low", "high", "state", "marks"), found, strict=True):
                    level.records[name][at:to] = values
            level.give_back(end)
            below = level.records

    def levels(self, rows: int) -> tuple[Records, ...]:
        """Return the bins that are full with so many rows, level by level."""
        return tuple(level.records[: rows // size] for size, level in zip(SIZES, self._levels, strict=True))


def reduced(
    step: NDArray[np.int64],
    rows: Records,
    levels: tuple[Records, ...],
    metric: int,
    window: slice,
    most_steps: float,
    layers: NDArray[np.int64] | slice = slice(None),
) -> Bins:
    """Return the rows of `window` in bins of at most so many steps, or of one row where rows are farther apart.

    Parameters
    ----------
    step
        Step of each row, shape (rows,): they need not lie equally far apart.
    rows, levels
        Those of the history.
    metric
        Which of the three norms.
    window
        Rows from `start` to `stop`.
    most_steps
        Steps that a bin may span, such as those of a pixel.
    layers
        Which columns.
    """
    if window.stop - window.start <= SIZES[1]:   # so few, such as the newest: not worth the search for bins
        every = np.arange(window.start, window.stop)
        return Bins(every, *_of_cells(*(values[window][:, layers] for values in _cells(rows, metric))))
    parts: list[tuple[NDArray[Any], ...]] = []
    taken, first = np.zeros(0, bool), 0   # bins of the level above, from number `first` on, that are chosen
    for size, level in zip(reversed(SIZES), reversed(levels), strict=True):
        begin = -(-window.start // size)
        end = max(min(window.stop // size, len(level)), begin)
        edges = step[np.minimum(np.arange(begin, end + 1) * size, len(step) - 1)]
        above = _inside(taken, first, np.arange(begin, end))
        fits = np.diff(edges) <= most_steps
        chosen = begin + np.flatnonzero(fits & ~above)
        if len(chosen):
            parts.append((chosen * size, *(_cut(level[name][:, metric], chosen, layers) for name in _FIELDS)))
        taken, first = fits | above, begin
    alone = window.start + np.flatnonzero(~_inside(taken, first, np.arange(window.start, window.stop)))
    if len(alone) or not parts:
        parts.append((alone, *_of_cells(*(_cut(values, alone, layers) for values in _cells(rows, metric)))))
    if len(parts) == 1:
        return Bins(*parts[0])
    order = np.argsort(np.concatenate([part[0] for part in parts]), kind="stable")
    return Bins(*(np.concatenate(some)[order] for some in zip(*parts, strict=True)))


_FIELDS = ("low", "high", "state", "marks")


def _cells(rows: Records, metric: int) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    """Return the norms of one metric, and the flags frozen and leaked."""
    return rows["norms"][:, metric], rows["frozen"], rows["leaked"]


def _inside(taken: Flags, first: int, bins: NDArray[np.int64]) -> Flags:
    """Return which of these bins lie in a bin of the level above that is taken already."""
    above = bins // _FACTOR - first
    known = (above >= 0) & (above < len(taken))
    found = np.zeros(len(bins), bool)
    found[known] = taken[above[known]]
    return found


def _cut(values: NDArray[Any], rows: NDArray[np.int64], layers: NDArray[np.int64] | slice) -> NDArray[Any]:
    """Return these rows and columns; neighbouring rows as one slice, which is much faster."""
    if len(rows) and rows[-1] - rows[0] + 1 == len(rows):
        return values[rows[0] : rows[-1] + 1][:, layers]
    return values[rows][:, layers]


def _of_cells(norms: Norms, frozen: Flags, leaked: Flags) -> tuple[Norms, Norms, Bytes, Bytes]:
    """Return low, high, state and marks of single cells; `frozen` and `leaked` have the shape of `norms`."""
    missing, bad, zero = norms == NO_GRADIENT, ~np.isfinite(norms), norms == 0.0
    none = missing | bad | zero
    state = np.where(zero, ZERO, POSITIVE).astype(np.uint8)
    state[missing] = MISSING
    state[bad] = NAN
    state = np.where(frozen, np.uint8(FROZEN) + missing, state)   # frozen without a gradient is one more
    state[leaked] = LEAKED
    marks = missing * np.uint8(HAS_MISSING) | bad * np.uint8(HAS_BAD) | zero * np.uint8(HAS_ZERO)
    marks |= np.where(frozen, np.uint8(HAS_FROZEN), np.uint8(HAS_TRAINED))
    return np.where(none, np.inf, norms), np.where(none, -np.inf, norms), state, marks


def _of_rows(rows: Records) -> tuple[Norms, Norms, Bytes, Bytes]:
    """Return low, high, state and marks of bins of rows; records of shape (bins, rows a bin)."""
    norms = rows["norms"]   # (bins, rows, 3, layers)
    flags = (np.broadcast_to(rows[name][:, :, None], norms.shape) for name in ("frozen", "leaked"))
    low, high, state, marks = _of_cells(norms, *flags)
    return low.min(axis=1), high.max(axis=1), state.max(axis=1), np.bitwise_or.reduce(marks, axis=1)


def _of_bins(bins: Records) -> tuple[Norms, Norms, Bytes, Bytes]:
    """Return the same of bins of bins."""
    low, high = bins["low"].min(axis=1), bins["high"].max(axis=1)
    return low, high, bins["state"].max(axis=1), np.bitwise_or.reduce(bins["marks"], axis=1)
