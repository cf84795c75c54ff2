"""Dots on a line: they tell what was measured from what merely joins it."""

from __future__ import annotations

from bisect import bisect_left

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import Qt
from PySide6.QtGui import QColor, QPainter, QPen

from freeze_gui.gui.line_item import Points
from freeze_gui.gui.traces import pixel_steps

APART_PX = 6.0
"""Points that lie closer together have no dot: there the line itself tells what was measured."""

_DOT_PX = 3.0


def stands_apart(x: Points, x_range: tuple[float, float], width: int) -> NDArray[np.bool_]:
    """Return which points lie so far behind the one before that it can be seen, shape (points,).

    Of the two points of a pixel it is the first. The very first of all takes its distance from the next one.

    Parameters
    ----------
    x
        Steps of the points, shape (points,).
    x_range, width
        Steps that are seen, and on how many pixels.
    """
    each = _points_each(x)
    far = x[each::each] - x[:-each:each] >= APART_PX * pixel_steps(x_range, width)
    apart = np.zeros(len(x), bool)
    apart[each::each] = far
    apart[0] = far[0] if len(far) else True
    return apart


def stands_alone(x: Points, y: Points) -> NDArray[np.bool_]:
    """Return which points of lines have a gap on both sides, so that no line is seen; `y` has shape (lines, points).

    Of the two points of a pixel it is the first.
    """
    each = _points_each(x)
    there = ~np.isnan(y[:, ::each])
    if len(x) > each and not (there[:, 1:] ^ there[:, :-1]).any():
        return np.zeros(y.shape, bool)   # whole lines, most often so
    single = there.copy()
    single[:, 1:] &= ~there[:, :-1]
    single[:, :-1] &= ~there[:, 1:]
    if each == 1:
        return single
    alone = np.zeros(y.shape, bool)
    alone[:, ::each] = single
    return alone


def _points_each(x: Points) -> int:
    """Return how many points there are at each x: two where each stands for a pixel."""
    return 2 if len(x) > 1 and x[0] == x[1] else 1


class LineDots:
    """The dots of a line that grows; they are as large at every zoom."""

    def __init__(self) -> None:
        self._pen = QPen()
        self.clear()

    @property
    def points(self) -> list[tuple[float, float]]:
        """Where they lie."""
        return list(zip(self._x, self._y, strict=True))

    @property
    def are_none(self) -> bool:
        """Whether there is none."""
        return not self._x

    @property
    def are_settled(self) -> bool:
        """Whether all of them stay."""
        return len(self._x) == self._settled

    def clear(self) -> None:
        """Draw none."""
        self._x: list[float] = []
        self._y: list[float] = []
        self._settled = 0

    def go_on(self, x: Points, y: Points, settled: int) -> None:
        """Put these in the place of those that did not stay; the first `settled` of them do."""
        self._x[self._settled :], self._y[self._settled :] = x.tolist(), y.tolist()
        self._settled += settled

    def set_color(self, color: QColor) -> None:
        """Draw in this colour."""
        self._pen = QPen(color, _DOT_PX, c=Qt.PenCapStyle.SquareCap)   # round ones take Qt eight times as long
        self._pen.setCosmetic(True)

    def paint(self, painter: QPainter, start: float, stop: float) -> None:
        """Paint those between two values of x: of the others Qt would work out the outline, too."""
        shown = slice(bisect_left(self._x, start), bisect_left(self._x, stop))
        if shown.start < shown.stop:
            painter.setPen(self._pen)
            x, y = np.array(self._x[shown]), np.array(self._y[shown])
            painter.drawPointsNp(x, y)   # type: ignore[arg-type]   # PySide6's types forget arrays
