"""A line of a plot that costs no Python when it is painted."""

from __future__ import annotations

from typing import Literal

import numpy as np
import pyqtgraph as pg
from numpy.typing import NDArray
from PySide6.QtGui import QPen
from PySide6.QtWidgets import QGraphicsPathItem

Points = NDArray[np.float64]
_NONE = np.zeros(0)


class LineItem(QGraphicsPathItem):
    """A line of one pixel through points of a plot.

    pyqtgraph's own curve asks for its bounds and for the size of a pixel, in Python, several times while it is painted:
    of a frame with ten lines that took ten times as long as the lines themselves.

    Parameters
    ----------
    connect
        ``"finite"`` leaves a gap where a number is not finite, ``"pairs"`` draws pieces of two points.
    """

    def __init__(self, connect: Literal["finite", "pairs"] = "finite") -> None:
        super().__init__()
        self._connect = connect
        self._points = _NONE, _NONE

    @property
    def points(self) -> tuple[Points, Points]:
        """The points as they were given, x and y."""
        return self._points

    def set_points(self, x: Points, y: Points) -> None:
        """Draw the line through these points, each of shape (points,)."""
        self._points = x, y
        if self._connect == "finite":
            x, y = without_flat_parts(x, y)
        self.setPath(pg.arrayToQPath(x, y, connect=self._connect))

    def set_pen(self, pen: QPen) -> None:
        """Draw with this pen, of one pixel."""
        thin = QPen(pen)
        thin.setWidthF(0)   # that is one pixel, too; with any other width Qt strokes the path to learn its bounds
        self.setPen(thin)


def without_flat_parts(x: Points, y: Points) -> tuple[Points, Points]:
    """Return the points without those between two of the same height: what is frozen or zero is one piece."""
    kept = np.ones(len(y), bool)
    same = y[1:] == y[:-1]
    kept[1:-1] = ~(same[1:] & same[:-1])
    return x[kept], y[kept]
