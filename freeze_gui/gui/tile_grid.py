"""Tiles of one size in rows, each at a place that does not depend on which of the others are there already."""

from __future__ import annotations

from PySide6.QtCore import QRect, QSize
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QWidget

GAP_PX = 8


class TileGrid(QWidget):
    """Fills its width and height with the places of tiles.

    Parameters
    ----------
    least
        Least size of a tile: the grid is never lower than its rows then are.
    """

    def __init__(self, least: QSize, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._least = least
        self._tiles: list[QWidget] = []
        self._rows = self._per_row = 1

    def set_places(self, count: int, per_row: int) -> None:
        """Have so many places, so many of them in a row."""
        self._rows, self._per_row = max(-(-count // per_row), 1), per_row
        self.setMinimumHeight(self._rows * (self._least.height() + GAP_PX) - GAP_PX)
        self._lay_out()

    def clear(self) -> None:
        """Let go of all tiles; they stay where they are."""
        self._tiles = []

    def add(self, tile: QWidget) -> None:
        """Put a tile in the next place."""
        tile.setGeometry(self.place(len(self._tiles)))
        self._tiles.append(tile)

    def place(self, at: int) -> QRect:
        """Return where the tile with this number lies; what is left of a pixel goes to the tiles before it."""
        row, column = divmod(at, self._per_row)
        left, right = (_edge(self.width(), self._per_row, number) for number in (column, column + 1))
        top, bottom = (_edge(self.height(), self._rows, number) for number in (row, row + 1))
        return QRect(left, top, right - left - GAP_PX, bottom - top - GAP_PX)

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Lay the tiles out anew."""
        self._lay_out()

    def _lay_out(self) -> None:
        for at, tile in enumerate(self._tiles):
            tile.setGeometry(self.place(at))


def _edge(length: int, count: int, number: int) -> int:
    """Return where tile `number` of `count` begins along a side of this length, a gap behind each of them."""
    return (length + GAP_PX) * number // count
