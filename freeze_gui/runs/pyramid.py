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

_TOGETHER = 64
"""So many rows are taken into the levels together, since numpy takes as long for 8; readers see the rest as rows."""

FEW_ROWS = 64
"""So few, such as the newest, are not worth the search for bins: each is a bin of its own."""

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
        done, count = done // _TOGETHER * _TOGETHER, count // _TOGETHER * _TOGETHER
        if done == count:
            return
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
        """Return the bins that are there with so many rows, level by level."""
        rows = rows // _TOGETHER * _TOGETHER
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
    if window.stop - window.start <= FEW_ROWS:
        every = np.arange(window.start, window.stop)
        return Bins(every, *_of_cells(*(values[window][:, layers] for values in _cells(rows, metric))))
    parts: list[tuple[NDArray[Any], ...]] = []
    taken, first = np.zeros(0, bool), 0   # bins of the level above, from number `first` on, that are chosen
    for size, level in zip(reversed(SIZES), reversed(levels), strict=True):
        begin, end = -(-window.start // size), min(window.stop // size, len(level))
        if end <= begin or size - 1 > most_steps:
            continue   # no bin lies in the window, or none fits; so it was above
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


def settled_rows(rows: int, most_steps: float) -> int:
    """Return how many of so many rows lie in bins that `reduced` will not choose otherwise when more rows come."""
    if most_steps < SIZES[0]:
        return rows
    largest = SIZES[-1] if most_steps >= SIZES[-1] else _TOGETHER
    return min((rows - 1) // largest * largest, rows - FEW_ROWS - 1)   # where the newest bin ends is not known yet


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
    kind = (norms == NO_GRADIENT).view(np.uint8)
    kind |= ~np.isfinite(norms) * np.uint8(HAS_BAD)
    kind |= (norms == 0.0) * np.uint8(HAS_ZERO)
    positive = kind == 0
    kind |= frozen * np.uint8(_FROZEN)
    kind |= leaked * np.uint8(_LEAKED)
    return np.where(positive, norms, np.inf), np.where(positive, norms, -np.inf), _STATES[kind], _MARKS[kind]


def _state_of(kind: int) -> int:
    """Return the state of a cell of a kind: bits `HAS_MISSING`, `HAS_BAD`, `HAS_ZERO`, `_FROZEN` and `_LEAKED`."""
    if kind & _LEAKED:
        return LEAKED
    if kind & _FROZEN:
        return FROZEN_NO_GRADIENT if kind & HAS_MISSING else FROZEN
    return next((state for bit, state in _UNUSUAL if kind & bit), POSITIVE)


_FROZEN, _LEAKED = 8, 16
_UNUSUAL = ((HAS_BAD, NAN), (HAS_MISSING, MISSING), (HAS_ZERO, ZERO))
_STATES = np.array([_state_of(kind) for kind in range(32)], np.uint8)
_MARKS = np.array([kind & 7 | (HAS_FROZEN if kind & _FROZEN else HAS_TRAINED) for kind in range(32)], np.uint8)


def _of_rows(rows: Records) -> tuple[Norms, Norms, Bytes, Bytes]:
    """Return low, high, state and marks of bins of rows; records of shape (bins, rows a bin).

    Nearly always the cells of a bin are of one kind, all positive or all the same number, so that the first of them
    speaks for all; what is left is looked at cell by cell.
    """
    norms, frozen, leaked = rows["norms"], rows["frozen"], rows["leaked"]   # the first with 3 norms of each layer
    least, most = norms.min(axis=1), norms.max(axis=1)
    alike = ((least > 0) & (most < np.inf)) | (least == most)
    alike &= ((frozen == frozen[:, :1]) & (leaked == leaked[:, :1])).all(axis=1)[:, None]
    low, high, state, marks = _of_cells(
        norms[:, 0], *(np.broadcast_to(flags[:, 0, None], least.shape) for flags in (frozen, leaked))
    )
    positive = np.isfinite(low)
    low, high = np.where(positive, least, low), np.where(positive, most, high)
    bins, metrics, layers = np.nonzero(~alike)
    if len(bins):
        mixed = _of_cells(norms[bins, :, metrics, layers], frozen[bins, :, layers], leaked[bins, :, layers])
        at = bins, metrics, layers
        low[at], high[at], state[at] = mixed[0].min(axis=1), mixed[1].max(axis=1), mixed[2].max(axis=1)
        marks[at] = np.bitwise_or.reduce(mixed[3], axis=1)
    return low, high, state, marks


def _of_bins(bins: Records) -> tuple[Norms, Norms, Bytes, Bytes]:
    """Return the same of bins of bins."""
    low, high = bins["low"].min(axis=1), bins["high"].max(axis=1)
    return low, high, bins["state"].max(axis=1), np.bitwise_or.reduce(bins["marks"], axis=1)
