"""The small table of values that goes with the pointer."""

from __future__ import annotations

from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QCursor
from PySide6.QtWidgets import QLabel, QWidget


class ReadoutBox(QLabel):
    """Floats over its parent beside the pointer; hidden while it has nothing to say."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self._around = parent
        self.setTextFormat(Qt.TextFormat.RichText)
        self.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self.hide()

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
