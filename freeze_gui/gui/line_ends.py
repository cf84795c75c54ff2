"""A plain series, such as the loss, reduced to the points of its line: all of them, or what is new; no Qt."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from freeze_gui.gui.traces import is_exact, pixel_starts, pixel_steps, visible_rows
from freeze_gui.runs.history import Floats

_LARGEST = 1e128
"""Qt leaves a point out of a path from here on, without a word: a loss of float64 that diverges comes that far."""

Values = Callable[[slice], Floats]
"""Returns the values of some rows."""


@dataclass(frozen=True)
class LineEnd:
    """The newest points of a line.

    Attributes
    ----------
    x, y
        Shape (points,); NaN where there is no number, or none that can be drawn.
    known
        So many of them stayed as they were: they are here for what lies beside the next one.
    settled
        So many of them stay as they are, however many rows come.
    """

    x: Floats
    y: Floats
    known: int
    settled: int

    def as_steps(self) -> LineEnd:
        """Return the line whose values hold until the next one."""
        first = max(self.known - 1, 0)
        x, y = as_steps(self.x[first:], self.y[first:])
        return LineEnd(x, y, min(self.known, 1), max(2 * (self.settled - first) - 1, 0))


class LineEnds:
    """The ends of a line that grows; where other steps are seen, or with other pixels, it is to be begun anew."""

    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        """Let everything be new."""
        self._settled, self._is_exact = -1, True

    def next(self, step: NDArray[Any], values: Values, x_range: tuple[float, float], width: int) -> LineEnd | None:
        """Return what is new, see `reduced_line`; None where all is to be forgotten first: it is in bins from now on.

        Parameters
        ----------
        step, values
            Of every row, not only of the new ones.
        x_range, width
            The same in each call.
        """
        seen = visible_rows(step, x_range)
        exact = is_exact(seen, width)
        if self._settled >= 0 and exact != self._is_exact:
            return None
        rows = slice(max(seen.start, self._settled), seen.stop)
        starts = _starts(step, rows, exact, x_range, width)
        x, y = _points(step, values(rows), rows, starts, exact)
        each, known = 1 if exact else 2, self._settled >= 0
        if len(starts) > 1:
            self._settled, self._is_exact = int(starts[-2]), exact
        return LineEnd(x, y, each if known else 0, each * max(len(starts) - 1, 0))


def reduced_line(
    step: NDArray[Any], values: Floats, x_range: tuple[float, float], width: int
) -> tuple[Floats, Floats]:
    """Return (x, y) of the line over the steps of `x_range`, with at most two points a pixel: least and largest.

    Parameters
    ----------
    step, values
        Shape (rows,).
    x_range
        First and last step seen; one row beyond each edge is kept, so that the line leaves the picture.
    width
        Pixels.
    """
    rows = visible_rows(step, x_range)
    exact = is_exact(rows, width)
    return _points(step, values[rows], rows, _starts(step, rows, exact, x_range, width), exact)


def as_steps(x: Floats, y: Floats) -> tuple[Floats, Floats]:
    """Return (x, y) of the line through the same points whose values hold until the next one."""
    return np.repeat(x, 2)[1:], np.repeat(y, 2)[:-1]


def _starts(
    step: NDArray[Any], rows: slice, exact: bool, x_range: tuple[float, float], width: int
) -> NDArray[np.int64]:
    """Return the first row of each point, or of the two of each pixel."""
    if exact:
        return np.arange(rows.start, rows.stop)
    return pixel_starts(step[rows], x_range[0], pixel_steps(x_range, width)) + np.int64(rows.start)


def _points(
    step: NDArray[Any], values: Floats, rows: slice, starts: NDArray[np.int64], exact: bool
) -> tuple[Floats, Floats]:
    x, y = step[starts].astype(np.float64), np.where(np.abs(values) < _LARGEST, values, np.nan)
    if exact:
        return x, y
    bins = starts - rows.start
    both = np.fmin.reduceat(y, bins), np.fmax.reduceat(y, bins)   # NaN only where there is nothing else
    return np.repeat(x, 2), np.column_stack(both).ravel()
