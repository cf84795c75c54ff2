"""From a history to the small numbers that a heatmap is painted from; no Qt.

Each cell (a layer at a step) becomes one code. Codes are ordered by what must not be lost: where several steps or
layers share a pixel, the largest code wins, so the maximum of a bin is also its message. A spike or a leak of one step
among ten thousand survives.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from freeze_gui.runs import pyramid
from freeze_gui.runs.history import History, HistoryView
from freeze_gui.runs.pyramid import FROZEN, FROZEN_NO_GRADIENT, LEAKED, MISSING, NAN, ZERO, Bins

__all__ = ["FROZEN", "FROZEN_NO_GRADIENT", "LEAKED", "MISSING", "NAN", "ZERO"]   # what a cell is, and its code

Codes = NDArray[np.uint8]

EMPTY = 0
SCALE_FIRST, SCALE_LAST = 8, 239
# only in pixels, never in cells: the second colour of a pattern, and the gap between rows
MISSING_HATCH, FROZEN_HATCH, NAN_HATCH, LEAKED_HATCH, GAP = 250, 251, 252, 253, 254

MOST_DECADES = 6.0
"""The colour scale spans at most this many decades below its top; what is smaller takes the lowest colour."""

_MOST_LOOKED_AT = 8192
"""Of more new rows, as of a run that is opened, not every cell is looked at."""


def encode(bins: Bins, low: float, high: float) -> Codes:
    """Return the code of each bin, shape (bins, layers).

    Parameters
    ----------
    bins
        Cells, or bins of them; the largest value of a bin decides its colour.
    low, high
        Ends of the colour scale as powers of ten.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        share = (np.log10(bins.high.astype(np.float32)) - low) / max(high - low, 1e-9)
    finite = np.nan_to_num(share, nan=0.0, posinf=1.0, neginf=0.0)
    codes = (SCALE_FIRST + 0.5 + np.clip(finite, 0.0, 1.0) * (SCALE_LAST - SCALE_FIRST)).astype(np.uint8)
    return np.where(bins.state == pyramid.POSITIVE, codes, bins.state)


def decades(view: HistoryView, metric: str, rows: slice) -> tuple[float, float] | None:
    """Return the least and the largest power of ten among the cells that take a colour of the scale, None if none.

    Of many rows it is that of the pyramid's bins.
    """
    if rows.stop - rows.start <= _MOST_LOOKED_AT:
        low = high = view.metric(metric)[rows]
        colored = (low > 0.0) & (low < math.inf) & ~(view.frozen[rows] | view.leaked[rows])
    else:
        bins = view.reduced(metric, rows, math.inf)
        low, high = bins.low, bins.high
        colored = (bins.state >= pyramid.POSITIVE) & (bins.state < LEAKED) & np.isfinite(low)
    if not colored.any():
        return None
    return math.log10(float(low[colored].min())), math.log10(float(high[colored].max()))


def nice_levels(least: float, largest: float) -> tuple[float, float]:
    """Widen a range of powers of ten to half decades, so that the scale changes rarely while a run goes on."""
    high = math.ceil(2 * largest) / 2
    low = max(math.floor(2 * least) / 2, high - MOST_DECADES)
    return (low, high) if high > low else (high - 0.5, high)


class HeatmapCodes:
    """Lays the rows of one metric of a history out over columns of pixels.

    Attributes
    ----------
    range
        Least and largest power of ten seen so far, None while there is none.
    end_step
        The step after the newest that `look` has seen: up to there the last measured row stands for those after it.
    """

    def __init__(self, history: History, metric: str) -> None:
        self.history = history
        self.metric = metric
        self.range: tuple[float, float] | None = None
        self._view = history.view()
        self._steps: NDArray[np.int64] = np.zeros(0, np.int64)
        self.end_step = 0

    @property
    def rows(self) -> int:
        """Rows that `look` has seen."""
        return len(self._steps)

    @property
    def own_levels(self) -> tuple[float, float]:
        """The scale that suits these data, in powers of ten."""
        return nice_levels(*self.range) if self.range else (-3.0, 0.0)

    def look(self) -> None:
        """Take note of what is new in the history."""
        if self.history.rows:
            self.end_step = self.history.newest_step + 1
        if self.history.rows == len(self._steps):
            return
        view = self.history.view()
        new = decades(view, self.metric, slice(len(self._steps), len(view.step)))
        if new is not None:
            self.range = new if self.range is None else (min(self.range[0], new[0]), max(self.range[1], new[1]))
        self._view, self._steps = view, view.step
        self.end_step = max(self.end_step, int(view.step[-1]) + 1)   # a step may have come in between

    def columns(
        self,
        levels: tuple[float, float],
        width: int,
        start: float,
        stop: float,
        first_column: int = 0,
        last_column: int | None = None,
    ) -> Codes:
        """Return codes over `width` pixel columns that show the steps [start, stop), of what `look` has seen.

        Returns
        -------
        ndarray
            Of the columns [first_column, last_column), shape (last_column - first_column, layers).
        """
        count = (width if last_column is None else last_column) - first_column
        out = np.zeros((max(count, 0), len(self.history.layers)), np.uint8)
        steps = self._steps
        if not len(steps) or stop <= start or not len(out):
            return out
        scale = width / (stop - start)
        # sought as whole numbers: for any other numpy first makes a float of every step of the run
        begin = max(int(np.searchsorted(steps, math.floor(start + first_column / scale), "right")) - 1, 0)
        end = int(np.searchsorted(steps, math.ceil(start + (first_column + len(out)) / scale), "left"))
        if end <= begin:
            return out
        bins = self._view.reduced(self.metric, slice(begin, end), 1.0 / scale)
        at = np.floor((steps[bins.row] - start) * scale + 1e-9).astype(np.int64) - first_column
        skip = int(len(at) > 1 and at[0] < 0 and at[1] == 0)   # what begins before the edge and ends there is not seen
        at = np.clip(at[skip:], 0, len(out) - 1)
        firsts = np.concatenate(([0], np.flatnonzero(np.diff(at)) + 1))
        reduced = encode(bins.grouped(firsts + skip), *levels)
        from_column = at[firsts]
        last = min(max(math.ceil((self.end_step - start) * scale - 1e-9) - first_column, from_column[-1] + 1), len(out))
        columns = np.arange(from_column[0], last)
        out[columns] = reduced[np.searchsorted(from_column, columns, "right") - 1]
        return out

    def column_of_row(self, row: int, width: int, start: float, stop: float) -> int:
        """Return the pixel column in which a measured row begins, limited to [0, width]."""
        if row >= len(self._steps):
            return width
        return min(max(math.floor((int(self._steps[row]) - start) * width / (stop - start)), 0), width)

    def end_column(self, width: int, start: float, stop: float) -> int:
        """Return the first pixel column that is still empty, limited to [0, width]."""
        return min(max(math.ceil((self.end_step - start) * width / (stop - start) - 1e-9), 0), width)

    def row_of_step(self, step: float) -> int | None:
        """Return the measured row that stands for `step`, None before the first and after the last."""
        if not len(self._steps) or step < self._steps[0] or step >= self.end_step:
            return None
        return int(np.searchsorted(self._steps, step, "right")) - 1


def to_pixels(cells: Codes, height: int, first_column: int = 0) -> Codes:
    """Stretch or squeeze (layers, columns) to (height, columns) and draw the patterns in.

    Hatches mark missing gradients, stripes mark leaks and a checker marks NaN, so that no state rests on colour alone.
    Rows of 8 pixels and more are set apart by a gap of one pixel. `first_column` is where in the picture `cells` begin,
    so that patterns go on.
    """
    layers, width = cells.shape
    if layers == 0 or height <= 0:
        return np.zeros((max(height, 0), width), np.uint8)
    if layers > height:
        pixels = np.maximum.reduceat(cells, np.arange(height) * layers // height, axis=0)
    else:
        pixels = cells[np.arange(height) * layers // height]
    y, x = np.arange(height)[:, None], np.arange(first_column, first_column + width)[None, :]
    present = np.bincount(cells.ravel(order="K"), minlength=256) > 0
    for code, hatch, period, wide in (
        (MISSING, MISSING_HATCH, 6, 1),
        (FROZEN_NO_GRADIENT, FROZEN_HATCH, 6, 1),
        (LEAKED, LEAKED_HATCH, 6, 2),
    ):
        if present[code]:
            pattern = np.arange(period + width + height) % period < wide
            striped = np.lib.stride_tricks.sliding_window_view(pattern[first_column % period :], width)[:height]
            pixels[(pixels == code) & striped] = hatch
    if present[NAN]:
        pixels[(pixels == NAN) & ((x // 3 + y // 3) % 2 == 0)] = NAN_HATCH
    if height >= 8 * layers:
        rows = np.arange(1, layers)
        gaps = -(-rows * height // layers)   # first pixel row of each layer but the first
        pixels[gaps] = np.where(pixels[gaps] == EMPTY, EMPTY, GAP)
    return pixels
