"""The cells of a heatmap as an image that grows with its run: only what is new is laid out again."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PySide6.QtGui import QImage

from freeze_gui.gui import heatmap_codes as codes
from freeze_gui.gui.heatmap_legend import lookup_table
from freeze_gui.gui.palette import Theme
from freeze_gui.runs.history import History


class HeatmapPicture:
    """Draws one metric of a history.

    Attributes
    ----------
    codes
        The cells.
    image
        What was drawn last, None before.
    """

    def __init__(self, history: History, metric: str) -> None:
        self.codes = codes.HeatmapCodes(history, metric)
        self.image: QImage | None = None
        self._pixels = np.zeros((0, 0), np.uint32)   # what the image shows; its memory
        self._drawn_for: object = None
        self._drawn_rows = 0

    def forget(self) -> None:
        """Draw everything again next time."""
        self._drawn_for = None

    def is_drawn_for(self, key: object) -> bool:
        """Return whether the image was drawn for this key and may lack new steps only."""
        return self._drawn_for == key

    def draw(
        self,
        key: object,
        size: tuple[int, int],
        x_range: tuple[float, float],
        levels: tuple[float, float],
        rows: Sequence[int],
        theme: Theme,
    ) -> tuple[int, int]:
        """Bring the image up to date; return the first column that was drawn, and the one after the last.

        Parameters
        ----------
        key
            All that decides which column a step falls in, and which colour a value takes; where it is the one of the
            last call, only columns with new rows are laid out again.
        size
            Width and height in pixels.
        x_range
            First step shown, and the step after the last.
        levels
            Ends of the colour scale as powers of ten.
        rows
            Layers of the history that are shown, top to bottom.
        theme
            Whose colours.
        """
        (width, height), (start, stop) = size, x_range
        table = lookup_table(theme)
        first, last = 0, self.codes.end_column(width, start, stop)
        if self.is_drawn_for(key) and self._pixels.shape == (height, width) and self.image is not None:
            # from the last row that was drawn: it reaches to the new ones, or to the newest step
            first = self.codes.column_of_row(max(self._drawn_rows - 1, 0), width, start, stop)
            first = max(first - 1, 0)
            changed = first, last
        else:
            self._pixels = np.full((height, width), table[codes.EMPTY])
            self.image = QImage(self._pixels.data, width, height, 4 * width, QImage.Format.Format_RGB32)
            changed = 0, width
        if last > first:
            fresh = self.codes.columns(levels, width, start, stop, first, last)
            if len(rows) < fresh.shape[1]:
                fresh = fresh[:, list(rows)]
            self._pixels[:, first:last] = table[codes.to_pixels(fresh.T, height, first)]
        self._drawn_for, self._drawn_rows = key, self.codes.rows
        return changed
