"""Lines of a plot that grow at their ends: what is new is painted, not all again."""

from __future__ import annotations

import math

import numpy as np
import pyqtgraph as pg
from numpy.typing import NDArray
from PySide6.QtCore import QRectF, Slot
from PySide6.QtGui import QPainter, QPainterPath, QPen
from PySide6.QtWidgets import QGraphicsObject, QStyleOptionGraphicsItem, QWidget

from freeze_gui.gui.line_dots import LineDots
from freeze_gui.gui.line_item import Points, without_flat_parts

_MOST_SINGLE = 64
"""So many points are put into a path one by one, which is faster than all at once."""

_BESIDE_PX = 3.0
"""Painted again beside what is new: a line of one pixel may reach into the next one, half a dot over two."""

_NONE = np.zeros(0)


class Line:
    """A line of one pixel through points, with a gap where a height is NaN; its end may still change.

    Attributes
    ----------
    path, dots
        What is drawn.
    """

    def __init__(self, owner: LinesItem, height: float) -> None:
        self._owner = owner
        self.height = height
        self.dots = LineDots()
        self._pen = QPen()
        self.clear()

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to draw."""
        return not self.path.elementCount()

    def clear(self) -> None:
        """Draw nothing."""
        self.path = self._settled = QPainterPath()
        self.dots.clear()
        self._ends_with_gap = True

    def go_on(self, x: Points, y: Points, settled: int, dotted: NDArray[np.bool_] | None = None) -> None:
        """Put these points in the place of those that did not stay; the first `settled` of them do.

        Those that are `dotted`, shape (points,), have a dot.
        """
        if settled:
            self._ends_with_gap = _extend(self._settled, self._ends_with_gap, x[:settled], y[:settled])
        self.path = QPainterPath(self._settled)
        _extend(self.path, self._ends_with_gap, x[settled:], y[settled:])
        if dotted is not None:
            self.dots.go_on(x[dotted], y[dotted], int(np.count_nonzero(dotted[:settled])))
        elif not self.dots.are_settled:
            self.dots.go_on(_NONE, _NONE, 0)

    def set_pen(self, pen: QPen) -> None:
        """Draw with this pen, of one pixel."""
        self._pen = QPen(pen)
        self._pen.setWidthF(0)   # that is one pixel, whatever the scale
        self.dots.set_color(pen.color())
        self._owner.update()

    def paint(self, painter: QPainter, start: float, stop: float) -> None:
        """Paint the line, and its dots between two values of x."""
        if not self.path.isEmpty():
            painter.setPen(self._pen)
            painter.drawPath(self.path)
        if not self.dots.are_none:
            self.dots.paint(painter, start, stop)


class LinesItem(QGraphicsObject):
    """All lines of a view, painted one after another.

    An item for each line, as Qt has them, is painted anew over all its width whenever its path changes; here a line
    that goes on has only the strip painted in which its end lies.
    """

    def __init__(self, view_box: pg.ViewBox) -> None:
        super().__init__()
        self.lines: list[Line] = []
        self._view_box = view_box
        self._rect = QRectF(view_box.viewRect())
        self.setFlag(self.GraphicsItemFlag.ItemUsesExtendedStyleOption)   # else all that is seen counts as exposed
        view_box.addItem(self, ignoreBounds=True)
        view_box.sigRangeChanged.connect(self.on_range_changed)

    def add(self, height: float = 0.0) -> Line:
        """Return another line, painted over those that are there and not higher."""
        line = Line(self, height)
        self.lines = sorted([*self.lines, line], key=lambda one: one.height)
        return line

    def paint_again(self, start: float, stop: float) -> None:
        """Have the lines painted between two values of x."""
        strip, beside = QRectF(self._rect), self._beside()
        strip.setLeft(start - beside)
        strip.setRight(stop + beside)
        self.update(strip & self._rect)

    def boundingRect(self) -> QRectF:
        """Return all that is seen."""
        return self._rect

    def paint(self, painter: QPainter, option: QStyleOptionGraphicsItem, widget: QWidget | None = None) -> None:
        """Paint the lines."""
        beside = self._beside()
        start, stop = option.exposedRect.left() - beside, option.exposedRect.right() + beside
        for line in self.lines:
            line.paint(painter, start, stop)

    def _beside(self) -> float:
        """Return how many steps are painted beside what is new."""
        return _BESIDE_PX * self._rect.width() / max(float(self._view_box.width()), 1.0)

    @Slot(object, object)
    def on_range_changed(self, view_box: object, ranges: object) -> None:
        """Reach over what is seen now."""
        self.prepareGeometryChange()
        self._rect = QRectF(self._view_box.viewRect())


def _extend(path: QPainterPath, after_gap: bool, x: Points, y: Points) -> bool:
    """Add points to a path, and return whether it ends with a gap, as it did before where `after_gap` is set.

    Points between two of the same height are left out: what is frozen or zero is one piece.
    """
    if not path.elementCount() and np.count_nonzero(~np.isnan(y)) > _MOST_SINGLE:
        path.addPath(_path_of(x, y))
        return math.isnan(y[-1])
    before, last_x, last = (math.nan,) * 3 if after_gap else _end_of(path)
    for to_x, to_y in zip(x.tolist(), y.tolist(), strict=True):
        if to_y == last and to_x == last_x:
            continue   # least and largest of a pixel are the same
        if math.isnan(to_y):
            pass   # a gap
        elif math.isnan(last):
            path.moveTo(to_x, to_y)
        elif to_y == last == before:
            path.setElementPositionAt(path.elementCount() - 1, to_x, to_y)
        else:
            path.lineTo(to_x, to_y)
        before, last_x, last = last, to_x, to_y
    return math.isnan(last)


def _end_of(path: QPainterPath) -> tuple[float, float, float]:
    """Return the height of the last point but one, NaN where there is a gap between them, then x and y of the last."""
    last = path.elementAt(path.elementCount() - 1)
    before = math.nan if last.isMoveTo() else path.elementAt(path.elementCount() - 2).y
    return before, last.x, last.y


def _path_of(x: Points, y: Points) -> QPainterPath:
    """Return the path that comes of putting in the points one by one, which leaves out those that are there already."""
    new = np.append(True, (x[1:] != x[:-1]) | (y[1:] != y[:-1]))
    x, y = without_flat_parts(x[new], y[new])
    at = np.flatnonzero(~np.isnan(y))
    path: QPainterPath = pg.arrayToQPath(x[at], y[at], connect=np.diff(at, append=at[-1]) == 1)
    return path
