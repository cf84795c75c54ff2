"""Whether what is new in a view would be seen if it were drawn again."""

from __future__ import annotations

import math
import time

from PySide6.QtWidgets import QWidget

PATIENCE_S = 0.5
"""Values that share the newest column of pixels are drawn this often; another column is drawn at once."""


class Redraw:
    """Remembers for what a view was drawn."""

    def __init__(self) -> None:
        self._key: object = None
        self._counts: object = None
        self._columns: object = None
        self._drawn_s = -math.inf

    def forget(self) -> None:
        """Have the view drawn next time, whatever comes."""
        self._key = None

    def is_due(self, key: object, counts: object, columns: object, live: bool) -> bool:
        """Return whether to draw now, and take it as done then.

        Parameters
        ----------
        key
            All that decides about the picture except for the data.
        counts
            How much has been measured.
        columns
            In which columns of pixels the newest of it lies.
        live
            Whether more will come: else all that is there is drawn.
        """
        now, same = time.monotonic(), key == self._key
        if same and counts == self._counts:
            return False
        if same and live and columns == self._columns and now - self._drawn_s < PATIENCE_S:
            return False
        self._key, self._counts, self._columns, self._drawn_s = key, counts, columns, now
        return True


def newest_column(step: int, x_range: tuple[float, float], width: int) -> int:
    """Return the column of pixels of a step; all beyond the edges are one."""
    start, stop = x_range
    return min(max(math.floor((step - start) / max(stop - start, 1e-9) * width), -1), width)


def is_seen(window: QWidget) -> bool:
    """Return whether anything of the window is on a screen: it may be minimized, or covered by others."""
    handle = window.windowHandle()
    return handle is not None and handle.isExposed() and not window.isMinimized()
