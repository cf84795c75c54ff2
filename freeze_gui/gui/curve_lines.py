"""The lines that draw a series: what trains, what is frozen, what was measured before smoothing."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from freeze_gui.gui.growing_traces import Piece
from freeze_gui.gui.line_dots import stands_alone
from freeze_gui.gui.line_item import Points
from freeze_gui.gui.lines_item import LinesItem
from freeze_gui.gui.log_scale import LogScale
from freeze_gui.gui.palette import mix
from freeze_gui.gui.plot_base import line_pen
from freeze_gui.gui.theme import current_theme
from freeze_gui.gui.traces import Series, Trace

FROZEN_DASH = (3, 3)


class CurveLines:
    """The lines of one series.

    Attributes
    ----------
    faint, main, frozen, none
        What was measured, where that is smoothed; what trains; what is frozen; where there is no gradient.
    """

    def __init__(self, item: LinesItem) -> None:
        self.faint, self.none, self.frozen, self.main = (item.add(height) for height in (-5, 0, 1, 2))   # means on top
        self.all = self.faint, self.none, self.frozen, self.main

    def style(self, series: Series) -> None:
        """Take the colours of this series."""
        theme = current_theme()
        pale = mix(series.color, theme.plot_background, 0.25)
        self.faint.set_pen(line_pen(mix(series.color, theme.plot_background, 0.7)))
        self.main.set_pen(line_pen(series.color, series.dash))
        self.frozen.set_pen(line_pen(pale, series.dash or FROZEN_DASH))
        self.none.set_pen(line_pen(pale))


def draw(lines: Sequence[CurveLines], piece: Piece, apart: NDArray[np.bool_], scale: LogScale) -> Points:
    """Draw what is new of these lines of a plot on this scale; return the heights of its points, (lines, points).

    Points that were measured far `apart`, shape (points,), have a dot, but for those in a strip: there is no room.
    """
    new, settled = slice(piece.known, None), piece.settled - piece.known
    x = piece.line.x[new]
    gap = np.full((len(lines), len(x)), np.nan)
    y = scale.y(piece.line.values, piece.lanes[:, None], len(lines))
    of_kinds = _heights(piece, y, scale, len(lines))
    for kind, (heights, dotted) in enumerate(zip(of_kinds, _dots(piece.line, apart, of_kinds), strict=True)):
        ends: Points = gap if heights is None else heights[:, new]
        is_gap = np.logical_and.reduce(np.isnan(ends), axis=1).tolist()
        for at, lane in enumerate(piece.lanes):
            line = lines[lane].all[kind]
            if not (is_gap[at] and line.is_empty):   # most lines of a kind are empty and stay so
                line.go_on(x, ends[at], settled, None if dotted is None else dotted[at, new])
    return y


def _heights(piece: Piece, y: Points, scale: LogScale, lanes: int) -> list[Points | None]:
    """Return the heights of `CurveLines.all`, each of shape (lines, points); None where there is nothing of a kind."""
    one, lane = piece.line, piece.lanes[:, None]
    faint, none, frozen, main = None, None, None, y
    if one.measured is not one.values:
        faint = scale.y(one.measured, lane, lanes)
    if one.missing.any():
        none = np.where(one.missing, scale.lane_y(scale.none_y, lane, lanes), np.nan)
    if one.frozen.any():
        main, frozen = np.where(one.frozen, np.nan, y), np.where(_with_neighbours(one), y, np.nan)
    return [faint, none, frozen, main]


def _dots(one: Trace, apart: NDArray[np.bool_], of_kinds: list[Points | None]) -> list[NDArray[np.bool_] | None]:
    """Return which points of `CurveLines.all` have a dot: what no line joins, and what was measured far apart."""
    dots = [None if y is None else stands_alone(one.x, y) for y in of_kinds]
    faint, _, frozen, main = dots
    if frozen is not None:
        frozen &= one.frozen   # it reaches to points of the main line, which have their dots there
    if apart.any():   # else they lie close: most often so
        measured = apart & (one.measured > 0) & np.isfinite(one.measured)
        if faint is not None:   # the others are means
            faint |= measured
        elif main is not None:
            main |= measured & ~one.frozen
            if frozen is not None:
                frozen |= measured & one.frozen
    return [dotted if dotted is not None and dotted.any() else None for dotted in dots]


def _with_neighbours(one: Trace) -> NDArray[np.bool_]:
    """Return what is frozen and the points beside it, which the frozen line reaches so that nothing is cut."""
    around = one.frozen.copy()
    around[:, :-1] |= one.frozen[:, 1:]
    around[:, 1:] |= one.frozen[:, :-1]
    return around
