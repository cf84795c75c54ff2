"""Collects garbage from a timer of the window's thread alone.

A collection in a training thread, or in the middle of a paint event, would take Qt's objects apart where they are used.
"""

from __future__ import annotations

import gc
from collections.abc import Callable

from PySide6.QtCore import QObject, QTimer, Slot

PERIOD_MS = 1000
MANY = 40_000
"""To look through so many objects takes some 20 ms where they were made just now, and 40 ms where they are old."""
WORTH_A_LOOK = 15_000
"""So many objects take some 15 ms: the window keeps some 400 of each run."""


class GarbageGuard(QObject):
    """Switches Python's own collections off and collects from a timer instead, until it is closed.

    What has come since the last time is looked through, and what is older more and more seldom, by Python's own limits.
    What is kept for good is set aside, or looking through it would stop the window: several hundred runs take 200 ms.

    - Where there are more than `WORTH_A_LOOK` objects and no run goes on, they are looked through once more and what is
      left is set aside. While a run goes on its model would be set aside with them.
    - Where there are more than `MANY`, nothing is looked through: the import of a large package has made most of them,
      torchvision's half a million, and they stay anyway.

    Attributes
    ----------
    is_busy
        Tells whether a run goes on.
    """

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self.is_busy: Callable[[], bool] = lambda: False
        self._was_enabled = gc.isenabled()
        gc.disable()
        self._oldest, self._collections = 0, -1
        self._before = self._older()   # was there before the window
        self._timer = QTimer(self, interval=PERIOD_MS)
        self._timer.timeout.connect(self.collect)
        self._timer.start()

    @Slot()
    def collect(self) -> None:
        """Collect what it is time for."""
        older = self._older()
        self._before = min(self._before, older)   # somebody else may have set it aside
        count = gc.get_count()[0] + older - self._before
        if count > MANY or (count > WORTH_A_LOOK and not self.is_busy()):
            if count <= MANY:
                gc.collect()
            gc.freeze()
            self._before, self._collections = 0, -1   # there are no older ones now
            return
        limits = gc.get_threshold()
        for generation, limit in enumerate(limits):
            if gc.get_count()[generation] <= limit:   # counts collections of the younger one since its own last
                break
            gc.collect(generation)

    def close(self) -> None:
        """Let Python collect by itself again, if it did."""
        self._timer.stop()
        if self._was_enabled:
            gc.enable()

    def _older(self) -> int:
        """Return how many objects have been looked through already and not been set aside.

        To count the oldest takes 2 ms: it is done when a collection can have added to them.
        """
        collections = sum(generation["collections"] for generation in gc.get_stats()[1:])
        if collections != self._collections:
            self._collections, self._oldest = collections, len(gc.get_objects(generation=2))
        return self._oldest + len(gc.get_objects(generation=1))
