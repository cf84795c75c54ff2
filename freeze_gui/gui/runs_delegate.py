"""How a cell of the table of runs is painted: a verdict keeps its colour, a number may have a bar."""

from __future__ import annotations

from PySide6.QtCore import QModelIndex, QPersistentModelIndex, QRect, Qt
from PySide6.QtGui import QColor, QPainter, QPalette
from PySide6.QtWidgets import QStyledItemDelegate, QStyleOptionViewItem

from freeze_gui.gui.compare_table_model import BAR_ROLE, RUN
from freeze_gui.gui.palette import on_selected
from freeze_gui.gui.theme import current_theme

Index = QModelIndex | QPersistentModelIndex
_BAR_PX = 3


class RunsDelegate(QStyledItemDelegate):
    """Draws the cells of the table of runs."""

    def initStyleOption(self, option: QStyleOptionViewItem, index: Index) -> None:
        """Cut names in their middle, and give words with a colour of their own that colour in a selected row too."""
        super().initStyleOption(option, index)
        if index.column() == RUN:
            option.textElideMode = Qt.TextElideMode.ElideMiddle   # what tells names apart is at their ends
        color = index.data(Qt.ItemDataRole.ForegroundRole)
        if isinstance(color, QColor):
            palette = QPalette(option.palette)
            words = QColor(on_selected(current_theme(), color.name()))
            palette.setColor(QPalette.ColorRole.HighlightedText, words)
            option.palette = palette

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        """Paint the cell, then the bar over its lower edge."""
        super().paint(painter, option, index)
        share = index.data(BAR_ROLE)
        if share is None:
            return
        theme, cell = current_theme(), option.rect
        track = QRect(cell.left() + 8, cell.bottom() - _BAR_PX, cell.width() - 16, _BAR_PX)
        painter.fillRect(track, QColor(theme.grid))
        track.setWidth(max(round(track.width() * share), 1))
        painter.fillRect(track, QColor(theme.accent))
