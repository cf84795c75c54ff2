"""Collects garbage from a timer of the window's thread alone.

A collection in a training thread, or in the middle of a paint event, would take Qt's objects apart where they are used.
"""

from __future__ import annotations

import gc

from pyqtgraph.util.garbage_collector import GarbageCollector
from PySide6.QtCore import QObject

PERIOD_S = 1.0


class GarbageGuard(QObject):
    """Switches Python's own collections off and collects from a timer instead, until it is closed."""

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self._was_enabled = gc.isenabled()
        self._collector = GarbageCollector(PERIOD_S)
        self._collector.timer.setParent(self)

    def close(self) -> None:
        """Let Python collect by itself again, if it did."""
        self._collector.timer.stop()
        if self._was_enabled:
            gc.enable()
