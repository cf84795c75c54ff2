"""From one layer's history to the few points that its line is drawn from; no Qt."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from freeze_gui.gui.log_scale import smooth, taps
from freeze_gui.runs.history import Floats, History, HistoryView, bin_starts, reduce_columns
from freeze_gui.runs.pyramid import HAS_BAD, HAS_MISSING, HAS_TRAINED, HAS_ZERO, LEAKED, Bins
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
    """A line reduced to a pixel width; every array has shape (points,).

    Attributes
    ----------
    x, values
        Steps, and the values as measured: `NO_GRADIENT` and NaN among them.
    frozen, leaked, missing, bad
        Frozen at this point; leaked, without a gradient, NaN or infinite anywhere in what the point stands for.
    """

    x: Floats
    values: Floats
    frozen: NDArray[np.bool_]
    leaked: NDArray[np.bool_]
    missing: NDArray[np.bool_]
    bad: NDArray[np.bool_]


def trace(view: HistoryView, metric: str, layer: int, x_range: tuple[float, float], width: int, keep: float) -> Trace:
    """Return one layer's line over the steps of `x_range`; see `traces`."""
    return traces(view, metric, [layer], x_range, width, keep)[0]


def traces(
    view: HistoryView, metric: str, layers: Sequence[int], x_range: tuple[float, float], width: int, keep: float
) -> list[Trace]:
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
    """
    rows = visible_rows(view.step, x_range)
    pixel = (x_range[1] - x_range[0]) / max(width, 1)
    if rows.stop - rows.start <= 2 * width:
        return [_exact(view, metric, layer, rows, keep) for layer in layers]
    bins = view.reduced(metric, rows, pixel, np.array(layers))
    if len(bins.row) > 2 * width:
        bins = bins.grouped(_pixel_starts(view.step[bins.row], x_range[0], pixel))
    step = np.repeat(view.step[bins.row].astype(np.float64), 2)
    found = _of_bins(bins, step)
    if keep:
        found = [
            _smoothed(one, view, metric, layer, rows, bins.row, keep)
            for one, layer in zip(found, layers, strict=True)
        ]
    return found


def marked(x: Floats, flags: NDArray[np.bool_], most: int) -> NDArray[np.int64]:
    """Return which of the flagged points have a mark: the first in each of `most` equal stretches of the line's steps.

    Thinned out by their number instead, marks would crowd where more steps were measured.
    """
    at = np.flatnonzero(flags)
    if len(at) <= 1:
        return at
    stretch = np.minimum((x[at] - x[0]) / max(x[-1] - x[0], 1.0) * most, most - 1).astype(np.int64)
    return at[np.unique(stretch, return_index=True)[1]]


def _exact(view: HistoryView, metric: str, layer: int, rows: slice, keep: float) -> Trace:
    """Return a point a row."""
    before = max(rows.start - taps(keep), 0)   # causal, and the past beyond counts for nothing
    whole = np.array(view.metric(metric)[before : rows.stop, layer])
    values = smooth(whole, keep)[rows.start - before :]
    whole = whole[rows.start - before :]
    return Trace(
        view.step[rows].astype(np.float64), np.array(values), view.frozen[rows, layer], view.leaked[rows, layer],
        whole == NO_GRADIENT, ~np.isfinite(whole),
    )  # fmt: skip


def _of_bins(bins: Bins, step: Floats) -> list[Trace]:
    """Return two points a bin of each layer; where nothing in a bin is a number they say what there is instead."""
    marks = bins.marks.T   # (layers, bins), and so below
    low = np.where(marks & HAS_ZERO, 0.0, bins.low.T)
    nothing = np.where(marks & HAS_MISSING, NO_GRADIENT, np.nan)
    both = np.where(np.isinf(low), nothing, low), _high(low, bins.high.T, nothing)
    values = np.stack(both, axis=-1).reshape(len(low), len(step))
    flags = marks & HAS_TRAINED == 0, bins.state.T == LEAKED, marks & HAS_MISSING != 0, marks & HAS_BAD != 0
    return [Trace(step, *parts) for parts in zip(values, *(np.repeat(flag, 2, axis=1) for flag in flags), strict=True)]


def _high(low: Floats, high: Floats, nothing: Floats) -> Floats:
    return np.where(np.isfinite(high), high, np.where(np.isinf(low), nothing, low))


def _smoothed(
    one: Trace, view: HistoryView, metric: str, layer: int, rows: slice, starts: NDArray[np.int64], keep: float
) -> Trace:
    """Return the same line with the least and the largest mean of each bin."""
    before = max(rows.start - taps(keep), 0)
    values = smooth(np.array(view.metric(metric)[before : rows.stop, layer]), keep)[rows.start - before :]
    none = ~np.isfinite(values) | (values == NO_GRADIENT)
    low = np.minimum.reduceat(np.where(none, np.inf, values), starts - rows.start)
    high = np.maximum.reduceat(np.where(none, -np.inf, values), starts - rows.start)
    both = np.column_stack((low, high)).ravel()
    return replace(one, values=np.where(np.isfinite(both), both, one.values))


def _pixel_starts(step: NDArray[np.int64], start: float, pixel: float) -> NDArray[np.int64]:
    """Return where the steps of another pixel begin."""
    at = np.floor((step - start) / pixel)
    return np.concatenate(([0], np.flatnonzero(np.diff(at)) + 1))


def reduced_line(
    step: NDArray[np.int64], values: Floats, x_range: tuple[float, float], width: int
) -> tuple[Floats, Floats]:
    """Return (x, y) of a plain series, such as the loss, reduced to minimum and maximum a pixel."""
    rows = visible_rows(step, x_range)
    x, y = step[rows].astype(np.float64), values[rows]
    if len(x) <= 2 * width:
        return x, y
    low, high = reduce_columns(np.where(np.isfinite(y), y, np.nan)[:, None], width)
    return np.repeat(x[bin_starts(len(x), width)], 2), np.column_stack((low[:, 0], high[:, 0])).ravel()


def visible_rows(step: NDArray[np.int64], x_range: tuple[float, float]) -> slice:
    """Return the rows whose steps lie in `x_range`, and one more on each side."""
    first = max(int(np.searchsorted(step, x_range[0], "left")) - 1, 0)
    return slice(first, min(int(np.searchsorted(step, x_range[1], "right")) + 1, len(step)))
