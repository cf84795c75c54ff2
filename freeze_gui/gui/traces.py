"""From one layer's history to the few points that its line is drawn from; no Qt."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from freeze_gui.gui.log_scale import smooth_rows
from freeze_gui.runs.history import Floats, History, HistoryView
from freeze_gui.runs.pyramid import HAS_BAD, HAS_MISSING, HAS_TRAINED, HAS_ZERO, LEAKED, Bins, settled_rows
from freeze_gui.training.events import NO_GRADIENT


@dataclass(frozen=True)
class Series:
    """One line: a layer of a run.

    Attributes
    ----------
    label
        Words for legend and read-out.
    color, dash
        How the line is told apart.
    history, layer
        Where its values come from.
    """

    label: str
    color: str
    dash: tuple[float, ...] | None
    history: History
    layer: int


@dataclass(frozen=True)
class Trace:
    """A line reduced to a pixel width, or several: `row` and `x` are (points,), all else that or (lines, points).

    Attributes
    ----------
    row
        The first row of the history that each point stands for.
    x, values
        Steps, and the values, smoothed where that was asked for: `NO_GRADIENT` and NaN among them.
    measured
        The values before smoothing; `values` itself where there is none.
    frozen, leaked, missing, bad
        Frozen at this point; leaked, without a gradient, NaN or infinite anywhere in what the point stands for.
    """

    row: NDArray[np.int64]
    x: Floats
    values: Floats
    measured: Floats
    frozen: NDArray[np.bool_]
    leaked: NDArray[np.bool_]
    missing: NDArray[np.bool_]
    bad: NDArray[np.bool_]


def trace(view: HistoryView, metric: str, layer: int, x_range: tuple[float, float], width: int, keep: float) -> Trace:
    """Return one layer's line over the steps of `x_range`; see `traces`."""
    one = traces(view, metric, [layer], x_range, width, keep)
    return Trace(
        one.row, one.x, one.values[0], one.measured[0], one.frozen[0], one.leaked[0], one.missing[0], one.bad[0]
    )


def traces(
    view: HistoryView, metric: str, layers: Sequence[int], x_range: tuple[float, float], width: int, keep: float,
    first: int = 0,
) -> Trace:   # fmt: skip
    """Return the lines of some layers over the steps of `x_range`, with at most two points a pixel: least and largest.

    Parameters
    ----------
    view
        What was measured.
    metric, layers
        Which values.
    x_range
        First and last step seen; one row beyond each edge is kept, so that lines leave the picture.
    width
        Pixels.
    keep
        Weight of the past for smoothing, 0 for none.
    first
        The row to begin with: what was drawn already is left out. Either 0 or the row of a point, see `settled_row`.
    """
    seen, columns = visible_rows(view.step, x_range), np.array(layers)
    rows = slice(max(seen.start, first), seen.stop)
    if is_exact(seen, width):
        return _exact(view, metric, columns, rows, keep)
    pixel = pixel_steps(x_range, width)
    bins = view.reduced(metric, rows, pixel, columns)
    bins = bins.grouped(pixel_starts(view.step[bins.row], x_range[0], pixel))
    found = _of_bins(bins, view.step[bins.row].astype(np.float64))
    return _smoothed(found, view, metric, columns, rows, bins.row, keep) if keep else found


def is_exact(seen: slice, width: int) -> bool:
    """Return whether every row that is seen has a point of its own."""
    return bool(seen.stop - seen.start <= 2 * width)


def pixel_steps(x_range: tuple[float, float], width: int) -> float:
    """Return how many steps share a pixel."""
    return (x_range[1] - x_range[0]) / max(width, 1)


def settled_row(row: NDArray[np.int64], seen: slice, x_range: tuple[float, float], width: int) -> int:
    """Return the row of the last point but one that stays as it is, however many rows come; -1 where there is none.

    Parameters
    ----------
    row
        Of the points that are drawn, see `Trace`.
    seen
        Rows that were seen when they were reduced.
    """
    if is_exact(seen, width):
        starts, final = row, len(row)
    else:   # a point is final where the next one begins in bins that stay
        starts, staying = row[::2], settled_rows(seen.stop, pixel_steps(x_range, width))
        final = int(np.searchsorted(starts, staying, "right")) - 1
    return int(starts[final - 2]) if final >= 2 else -1


def marked(x: Floats, flags: NDArray[np.bool_], most: int) -> NDArray[np.int64]:
    """Return which of the flagged points have a mark: the first in each of `most` equal stretches of the line's steps.

    Thinned out by their number instead, marks would crowd where more steps were measured.
    """
    at = np.flatnonzero(flags)
    if len(at) <= 1:
        return at
    return at[np.unique(stretches(x[at], (float(x[0]), float(x[-1])), most), return_index=True)[1]]


def stretches(x: Floats, x_range: tuple[float, float], most: int) -> NDArray[np.int64]:
    """Return in which of so many equal stretches of `x_range` each point lies."""
    start, stop = x_range
    found: NDArray[np.int64] = ((x - start) * (most / max(stop - start, 1.0))).astype(np.int64)
    return found.clip(0, most - 1)


def _exact(view: HistoryView, metric: str, layers: NDArray[np.int64], rows: slice, keep: float) -> Trace:
    """Return a point a row."""
    measured = view.metric(metric)[rows][:, layers].T
    return Trace(
        np.arange(rows.start, rows.stop), view.step[rows].astype(np.float64),
        _means(view, metric, layers, rows, keep) if keep else measured, measured,
        view.frozen[rows][:, layers].T, view.leaked[rows][:, layers].T, measured == NO_GRADIENT, ~np.isfinite(measured),
    )  # fmt: skip


def _of_bins(bins: Bins, step: Floats) -> Trace:
    """Return two points a bin of each layer; where nothing in a bin is a number they say what there is instead."""
    marks = bins.marks.T   # (layers, bins), and so below
    low = np.where(marks & HAS_ZERO, 0.0, bins.low.T)
    nothing = np.where(marks & HAS_MISSING, NO_GRADIENT, np.nan)
    values = _side_by_side(np.where(np.isinf(low), nothing, low), _high(low, bins.high.T, nothing))
    flags = marks & HAS_TRAINED == 0, bins.state.T == LEAKED, marks & HAS_MISSING != 0, marks & HAS_BAD != 0
    return Trace(
        np.repeat(bins.row, 2), np.repeat(step, 2), values, values, *(np.repeat(flag, 2, axis=1) for flag in flags)
    )


def _high(low: Floats, high: Floats, nothing: Floats) -> Floats:
    return np.where(np.isfinite(high), high, np.where(np.isinf(low), nothing, low))


def _side_by_side(low: Floats, high: Floats) -> Floats:
    """Return the two of each bin beside each other; (lines, bins) to (lines, 2 bins)."""
    return np.stack((low, high), axis=-1).reshape(len(low), -1)


def _smoothed(
    found: Trace, view: HistoryView, metric: str, layers: NDArray[np.int64], rows: slice, starts: NDArray[np.int64],
    keep: float,
) -> Trace:   # fmt: skip
    """Return the same lines with the least and the largest mean of each bin."""
    values = _means(view, metric, layers, rows, keep)
    none = ~np.isfinite(values) | (values == NO_GRADIENT)
    low = np.minimum.reduceat(np.where(none, np.inf, values), starts - rows.start, axis=1)
    high = np.maximum.reduceat(np.where(none, -np.inf, values), starts - rows.start, axis=1)
    both = _side_by_side(low, high)
    return replace(found, values=np.where(np.isfinite(both), both, found.measured))


def _means(view: HistoryView, metric: str, layers: NDArray[np.int64], rows: slice, keep: float) -> Floats:
    """Return the smoothed values of some layers, shape (layers, rows)."""
    whole = view.metric(metric)
    return np.stack([smooth_rows(whole[:, layer], rows, keep) for layer in layers])


def pixel_starts(step: NDArray[Any], start: float, pixel: float) -> NDArray[np.int64]:
    """Return where the steps of another pixel begin."""
    at = np.floor((step - start) / pixel)
    return np.concatenate(([0], np.flatnonzero(np.diff(at)) + 1))


def visible_rows(step: NDArray[Any], x_range: tuple[float, float]) -> slice:
    """Return the rows whose steps lie in `x_range`, and one more on each side."""
    # sought as whole numbers: for any other numpy first makes a float of every step of the run
    first = max(int(np.searchsorted(step, math.ceil(x_range[0]), "left")) - 1, 0)
    return slice(first, min(int(np.searchsorted(step, math.floor(x_range[1]), "right")) + 1, len(step)))
