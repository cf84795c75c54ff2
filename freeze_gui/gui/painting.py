"""Has a window painted once a turn of the event loop, after all that changes it in this turn."""

from __future__ import annotations

from PySide6.QtCore import QCoreApplication, QEvent, QObject, Qt
from PySide6.QtWidgets import QWidget

_PAINT = QEvent.Type(QEvent.registerEventType())


class PaintOnce(QObject):
    """Holds a window's painting back until everything else that is posted has been dealt with.

    A change in a graphics scene, such as a plot's, has the whole window painted at once
    (`_q_processDirtyItems` of Qt 6.10): once a plot, in the middle of a layout, and all again after it.
    """

    def __init__(self, window: QWidget) -> None:
        super().__init__(window)
        self._window = window
        self._is_held = self._paints = False
        window.installEventFilter(self)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Hold the request to paint back."""
        if event.type() != QEvent.Type.UpdateRequest or self._paints:
            return False
        if not self._is_held:
            self._is_held = True
            QCoreApplication.postEvent(self, QEvent(_PAINT), Qt.EventPriority.LowEventPriority.value)
        return True

    def event(self, event: QEvent) -> bool:
        """Have the window painted now."""
        if event.type() != _PAINT:
            return super().event(event)
        self._is_held, self._paints = False, True
        QCoreApplication.sendEvent(self._window, QEvent(QEvent.Type.UpdateRequest))
        self._paints = False
        return True
