"""A strip of colour chips with layer names: the legend of the curves, and where a layer is pinned."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QSize, Qt, Signal, Slot
from PySide6.QtGui import QColor, QIcon, QPainter, QPixmap
from PySide6.QtWidgets import QHBoxLayout, QLabel, QSizePolicy, QToolButton, QWidget

from freeze_gui.gui.theme import current_theme, theme_manager

_AROUND_NAME = 34
"""Pixels that a chip needs beside its name: dot, padding, and the gap to the next one; with less Qt cuts it again."""


def widest_name(widths: Sequence[int], room: int) -> int:
    """Return the width, in pixels, to which names are cut so that all fit: only the longest lose anything."""
    left, count = room, len(widths)
    for width in sorted(widths):
        if width * count > left:
            return max(left // count, 0)
        left, count = left - width, count - 1
    return max(widths, default=0)


def short_names(paths: Sequence[str]) -> list[str]:
    """Return the end of each dotted path, as many parts of it as tell it from the others."""
    parts = [path.split(".") for path in paths]
    names = []
    for at, mine in enumerate(parts):
        others = [other for place, other in enumerate(parts) if place != at]
        count = next((n for n in range(1, len(mine)) if all(mine[-n:] != other[-n:] for other in others)), len(mine))
        names.append(".".join(mine[-count:]) or "(model)")
    return names


def color_dot(color: str, size: int = 12, pinned: bool = False) -> QIcon:
    """Return a round spot of `color`; a pinned one has a hole."""
    pixmap = QPixmap(2 * size, 2 * size)
    pixmap.fill(Qt.GlobalColor.transparent)
    painter = QPainter(pixmap)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(QColor(color))
    painter.drawEllipse(4, 4, 2 * size - 8, 2 * size - 8)
    if pinned:
        painter.setBrush(QColor(current_theme().panel))
        painter.drawEllipse(size - 3, size - 3, 6, 6)
    painter.end()
    pixmap.setDevicePixelRatio(2.0)
    return QIcon(pixmap)


class ChipStrip(QWidget):
    """One button a shown layer; pressing it pins the layer, so that it stays when the selection changes.

    Signals
    -------
    pin_toggled(str)
        A chip was pressed; carries the layer's path.
    """

    pin_toggled = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._row = QHBoxLayout(self)
        self._row.setContentsMargins(0, 0, 0, 0)
        self._row.setSpacing(0)
        self._buttons: list[QToolButton] = []
        self._shown: tuple[tuple[str, str, bool], ...] = ()
        self.note = QLabel(self)
        self.note.setProperty("muted", True)
        self._row.addWidget(self.note)
        self._row.addStretch(1)
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        theme_manager().changed.connect(self.on_theme_changed)

    def set_chips(self, chips: Sequence[tuple[str, str, bool]], note: str) -> None:
        """Show (path, colour, pinned) of each layer, and words at the end."""
        self.note.setText(note)
        self.note.setVisible(bool(note))
        if tuple(chips) == self._shown:
            return
        self._shown = tuple(chips)
        while len(self._buttons) < len(chips):
            button = QToolButton(self)
            button.setProperty("flat", True)
            button.setCheckable(True)
            button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
            button.setIconSize(QSize(12, 12))
            button.setSizePolicy(QSizePolicy.Policy.Maximum, QSizePolicy.Policy.Fixed)
            button.clicked.connect(self.on_clicked)
            self._row.insertWidget(len(self._buttons), button)
            self._buttons.append(button)
        self._fill()

    def resizeEvent(self, event: object) -> None:
        """Shorten the names to what there is room for."""
        self._fill()

    @Slot()
    def on_clicked(self) -> None:
        """Pass on which layer was meant."""
        sender = self.sender()
        if isinstance(sender, QToolButton):
            self.pin_toggled.emit(sender.property("path"))

    @Slot(object)
    def on_theme_changed(self, theme: object) -> None:
        """Forget the old colours; the owner sets new chips."""
        self._shown = ()

    def _fill(self) -> None:
        metrics = self.fontMetrics()
        paths = [path for path, _, _ in self._shown]
        room = self.width() - self.note.sizeHint().width() - 8 - _AROUND_NAME * len(paths)
        for names in ([path or "(model)" for path in paths], short_names(paths)):
            widths = [metrics.horizontalAdvance(name) + 1 for name in names]
            if sum(widths) <= room:
                break   # whole paths have room
        most = widest_name(widths, room)
        for at, button in enumerate(self._buttons):
            button.setVisible(at < len(self._shown))
            if at >= len(self._shown):
                continue
            path, color, pinned = self._shown[at]
            button.setText(metrics.elidedText(names[at], Qt.TextElideMode.ElideLeft, max(most, 24)))
            button.setIcon(color_dot(color, pinned=pinned))
            button.setChecked(pinned)
            button.setProperty("path", path)
            button.setToolTip(f"{path}: {'pinned; press to let go' if pinned else 'press to pin'}")
            button.setAccessibleName(f"{path}, {'pinned' if pinned else 'not pinned'}")
