"""Where the rows and steps of a heatmap lie, and where keys lead from row to row."""

from __future__ import annotations

import math
from dataclasses import dataclass

from PySide6.QtCore import QPointF, QRect, Qt

_MOVES = {Qt.Key.Key_Up: -1, Qt.Key.Key_Down: 1, Qt.Key.Key_PageUp: -10, Qt.Key.Key_PageDown: 10}


@dataclass(frozen=True)
class RowGeometry:
    """Rows of layers over the steps [x_range) in a rectangle of pixels."""

    rect: QRect
    x_range: tuple[float, float]
    layers: tuple[str, ...]

    def layer_at(self, position: QPointF) -> str | None:
        """Return the layer whose row or label is at this position."""
        rect, layers = self.rect, self.layers
        if not layers or not rect.top() <= position.y() < rect.top() + rect.height():
            return None
        return layers[int((position.y() - rect.top()) * len(layers) / rect.height())]

    def step_at(self, x: float) -> float | None:
        """Return the step at this horizontal position, None beside the cells."""
        rect, (start, stop) = self.rect, self.x_range
        if not rect.left() <= x < rect.left() + rect.width():
            return None
        return start + (x - rect.left()) / rect.width() * (stop - start)

    def x_of(self, step: float) -> int | None:
        """Return the column of pixels of a step, None where it is not shown."""
        rect, (start, stop) = self.rect, self.x_range
        x = rect.left() + round((step - start) / (stop - start) * rect.width())
        return x if rect.left() <= x <= rect.right() else None


def columns_rect(rect: QRect, first: float, last: float) -> QRect:
    """Return the whole pixels of `rect` from one of its columns up to another, which may lie between two pixels."""
    left = math.floor(first)
    return QRect(rect.left() + left, rect.top(), math.ceil(last) - left, rect.height())


def row_after_key(key: Qt.Key, row: int, count: int) -> int | None:
    """Return the row that a key leads to from `row` among `count`, None for a key that does not move."""
    moves = {**_MOVES, Qt.Key.Key_Home: -count, Qt.Key.Key_End: count}
    if key not in moves or not count:
        return None
    return min(max(row + moves[key], 0), count - 1)
