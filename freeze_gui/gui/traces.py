"""From one layer's history to the few points that its line is drawn from; no Qt."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from freeze_gui.gui.log_scale import smooth
from freeze_gui.runs.history import Floats, History, HistoryView, bin_starts, reduce_columns
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
    """Return one layer's line over the steps of `x_range`, with at most two points a pixel: minimum and maximum.

    Parameters
    ----------
    view
        What was measured.
    metric, layer
        Which values.
    x_range
        First and last step seen; one row beyond each edge is kept, so that lines leave the picture.
    width
        Pixels.
    keep
        Weight of the past for smoothing, 0 for none.
    """
    rows = visible_rows(view.step, x_range)
    step = view.step[rows].astype(np.float64)
    whole = view.metric(metric)[:, layer]
    values = np.array(smooth(whole[: rows.stop], keep)[rows])   # causal: what comes later does not matter
    frozen, leaked = view.frozen[rows, layer], view.leaked[rows, layer]
    missing, bad = whole[rows] == NO_GRADIENT, ~np.isfinite(whole[rows])
    if len(step) <= 2 * width:
        return Trace(step, values, frozen, leaked, missing, bad)
    starts = bin_starts(len(step), width)
    low, high = reduce_columns(np.where(bad, np.nan, values)[:, None], width)

    def twice(flags: NDArray[np.bool_], how: np.ufunc) -> NDArray[np.bool_]:
        return np.repeat(how.reduceat(flags, starts), 2)

    return Trace(
        np.repeat(step[starts], 2),
        np.column_stack((low[:, 0], high[:, 0])).ravel(),
        twice(frozen, np.logical_and),
        twice(leaked, np.logical_or),
        twice(missing, np.logical_or),
        twice(bad, np.logical_or),
    )


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
    return slice(first, int(np.searchsorted(step, x_range[1], "right")) + 1)
