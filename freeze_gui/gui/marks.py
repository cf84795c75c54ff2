"""Small marks in the colour of a state: a tick for held, a cross for leaked, a snowflake for frozen."""

from __future__ import annotations

from PySide6.QtCore import QSize
from PySide6.QtGui import QColor, QIcon, QPainter, QPixmap

from freeze_gui.gui.theme import current_theme, icon

_NAMES = {"held": "held", "leaked": "leaked", "frozen": "snowflake", "muted": "unlock", "warning": "warning"}
_cache: dict[tuple[str, str], QIcon] = {}


def state_mark(tone: str) -> QIcon | None:
    """Return the mark of a state in its colour, None where a state has no mark."""
    name = _NAMES.get(tone)
    return tinted(name, getattr(current_theme(), tone)) if name is not None else None


def tinted(name: str, color: str) -> QIcon:
    """Return an icon of the program in one colour."""
    if (name, color) not in _cache:
        made = QIcon()
        for size in (16, 32):
            pixmap = QPixmap(icon(name).pixmap(QSize(size, size), 1.0))
            painter = QPainter(pixmap)
            painter.setCompositionMode(QPainter.CompositionMode.CompositionMode_SourceIn)
            painter.fillRect(pixmap.rect(), QColor(color))
            painter.end()
            made.addPixmap(pixmap)
        _cache[name, color] = made
    return _cache[name, color]
