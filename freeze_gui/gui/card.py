"""A quiet surface with round corners that a plot lies on."""

from __future__ import annotations

from PySide6.QtWidgets import QFrame, QVBoxLayout, QWidget


class Card(QFrame):
    """Holds one widget; the style sheet draws what carries the property ``card``."""

    def __init__(self, content: QWidget, margin: int = 4, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setProperty("card", True)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(margin, margin, margin, margin)
        layout.addWidget(content)
