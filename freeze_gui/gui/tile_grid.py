"""Tiles of one size in rows, each at a place that does not depend on which of the others are there already."""

from __future__ import annotations

from PySide6.QtCore import QRect, QSize
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QWidget

GAP_PX = 8


class TileGrid(QWidget):
    """Fills its width and height with the places of tiles, of which only those in sight need to have one.

    Parameters
    ----------
    least
        Least size of a tile: the grid is never lower than its rows then are.
    """

    def __init__(self, least: QSize, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._least = least
        self._tiles: dict[int, QWidget] = {}
        self._count, self._rows, self._per_row = 0, 1, 1

    def set_places(self, count: int, per_row: int) -> None:
        """Have so many places, so many of them in a row."""
        self._count, self._rows, self._per_row = count, max(-(-count // per_row), 1), per_row
        self.setMinimumHeight(self._rows * (self._least.height() + GAP_PX) - GAP_PX)
        self._lay_out()

    def clear(self) -> None:
        """Let go of all tiles; they stay where they are."""
        self._tiles = {}

    def put(self, at: int, tile: QWidget) -> None:
        """Put a tile in the place with this number."""
        tile.setGeometry(self.place(at))
        self._tiles[at] = tile

    def places(self, top: int, bottom: int) -> range:
        """Return the places between two heights, and those of one more row on each side."""
        row_px = (self._full_height() + GAP_PX) / self._rows
        first, last = max(int(top / row_px) - 1, 0), int(bottom / row_px) + 1
        return range(min(first * self._per_row, self._count), min((last + 1) * self._per_row, self._count))

    def place(self, at: int) -> QRect:
        """Return where the tile with this number lies; what is left of a pixel goes to the tiles before it."""
        row, column = divmod(at, self._per_row)
        left, right = (_edge(self.width(), self._per_row, number) for number in (column, column + 1))
        top, bottom = (_edge(self._full_height(), self._rows, number) for number in (row, row + 1))
        return QRect(left, top, right - left - GAP_PX, bottom - top - GAP_PX)

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Lay the tiles out anew."""
        self._lay_out()

    def _lay_out(self) -> None:
        for at, tile in self._tiles.items():
            tile.setGeometry(self.place(at))

    def _full_height(self) -> int:
        """Return the height that it has, or will have: Qt makes what scrolls as high as it must be a turn later."""
        around = self.parentWidget()
        return max(self.minimumHeight(), around.height() if around is not None else self.height())


def _edge(length: int, count: int, number: int) -> int:
    """Return where tile `number` of `count` begins along a side of this length, a gap behind each of them."""
    return (length + GAP_PX) * number // count
