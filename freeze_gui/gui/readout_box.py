"""The small table of values that goes with the pointer."""

from __future__ import annotations

from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QCursor
from PySide6.QtWidgets import QLabel, QWidget

MOST_LINES = 24
"""More would be laid out for longer than the pointer rests, and nobody reads them."""


class ReadoutBox(QLabel):
    """Floats over its parent beside the pointer; hidden while it has nothing to say."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self._around = parent
        self.setTextFormat(Qt.TextFormat.RichText)
        self.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self.hide()

    @property
    def lines(self) -> int:
        """How many lines of a table have room below its first two."""
        line = self.fontMetrics().height() + 2
        return max(min((self._around.height() - 24) // line - 2, MOST_LINES), 3)

    def show_html(self, html: str) -> None:
        """Show this text beside the pointer, inside the parent; hide for an empty one."""
        self.setVisible(bool(html))
        if not html:
            return
        self.setText(html)
        self.adjustSize()
        around = self._around
        at = around.mapFromGlobal(QCursor.pos()) + QPoint(20, 12)
        if at.x() + self.width() > around.width() - 4:
            at.setX(max(at.x() - self.width() - 40, 4))
        at.setY(max(min(at.y(), around.height() - self.height() - 4), 4))
        self.move(at)
        self.raise_()
