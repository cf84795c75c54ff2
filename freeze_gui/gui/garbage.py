"""Collects garbage from a timer of the window's thread alone.

A collection in a training thread, or in the middle of a paint event, would take Qt's objects apart where they are used.
"""

from __future__ import annotations

import gc

from PySide6.QtCore import QObject, QTimer, Slot

PERIOD_MS = 1000
MANY = 100_000
"""To look through so many objects takes some 20 ms."""


class GarbageGuard(QObject):
    """Switches Python's own collections off and collects from a timer instead, until it is closed.

    What has come since the last time is looked through, and what is older more and more seldom, by Python's own limits.
    Where it is more than `MANY` objects at once, the import of a large package has made them, torchvision's half a
    million: they stay anyway, and are set aside, which takes no time. Looking through them would stop the window.
    """

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self._was_enabled = gc.isenabled()
        gc.disable()
        self._timer = QTimer(self, interval=PERIOD_MS)
        self._timer.timeout.connect(self.collect)
        self._timer.start()

    @Slot()
    def collect(self) -> None:
        """Collect what it is time for."""
        if gc.get_count()[0] > MANY:
            gc.freeze()
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
