"""A label that cuts its words where there is no room, and tells them in full in its tooltip."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QSize, Qt
from PySide6.QtGui import QHelpEvent, QPainter, QPaintEvent
from PySide6.QtWidgets import QLabel, QSizePolicy, QToolTip, QWidget


class ElidedLabel(QLabel):
    """Shows its text on one line, as much of it as there is room for.

    Attributes
    ----------
    least
        What is shown where not even the first few letters have room; empty to cut the text all the same.
    """

    def __init__(self, mode: Qt.TextElideMode, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.least = ""
        self._mode = mode
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)

    def minimumSizeHint(self) -> QSize:
        """Return next to no width: the words are cut instead."""
        return QSize(12, super().minimumSizeHint().height())

    def shown_text(self) -> str:
        """Return the words that have room."""
        metrics, room = self.fontMetrics(), self.width()
        if self.least and metrics.horizontalAdvance(self.text()[:8]) > room:
            return self.least
        return metrics.elidedText(self.text(), self._mode, room)

    def event(self, event: QEvent) -> bool:
        """Tell words that are cut, unless there is a longer tooltip."""
        if event.type() == QEvent.Type.ToolTip and not self.toolTip() and self.shown_text() != self.text():
            assert isinstance(event, QHelpEvent)
            QToolTip.showText(event.globalPos(), self.text(), self)
            return True
        return super().event(event)

    def paintEvent(self, event: QPaintEvent) -> None:
        """Paint what has room."""
        painter = QPainter(self)
        painter.setPen(self.palette().color(self.foregroundRole()))
        painter.drawText(self.rect(), self.alignment(), self.shown_text())
        painter.end()
