"""How cells of the tree are painted: the kind of a module beside its name, and its weight delta as small bars."""

from __future__ import annotations

from PySide6.QtCore import QModelIndex, QPersistentModelIndex, QRectF, Qt
from PySide6.QtGui import QColor, QFontMetrics, QPainter
from PySide6.QtWidgets import QApplication, QStyle, QStyledItemDelegate, QStyleOptionViewItem

from freeze_gui.gui.layer_cells import KIND_ROLE, LEFT, SPARK_ROLE
from freeze_gui.gui.theme import current_theme

Index = QModelIndex | QPersistentModelIndex
_GAP = 8


class NameDelegate(QStyledItemDelegate):
    """Paints the kind of the module, muted, after the name where there is room."""

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        """Paint one cell."""
        shown = QStyleOptionViewItem(option)
        self.initStyleOption(shown, index)
        style = shown.widget.style() if shown.widget is not None else QApplication.style()
        style.drawControl(QStyle.ControlElement.CE_ItemViewItem, shown, painter, shown.widget)
        kind, name = index.data(KIND_ROLE), shown.text
        if not kind or kind == name:
            return
        room = style.subElementRect(QStyle.SubElement.SE_ItemViewItemText, shown, shown.widget)
        metrics = QFontMetrics(shown.font)
        room.setLeft(room.left() + metrics.horizontalAdvance(str(name)) + _GAP)
        if room.width() < 24:
            return
        painter.save()
        painter.setPen(QColor(current_theme().muted))
        text = metrics.elidedText(str(kind), Qt.TextElideMode.ElideRight, room.width())
        painter.drawText(room, LEFT, text)
        painter.restore()


class SparkDelegate(QStyledItemDelegate):
    """Paints how far a layer has moved from its start, over the run, as bars on a scale that all rows share."""

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        """Paint one cell."""
        super().paint(painter, option, index)
        spark = index.data(SPARK_ROLE)
        if spark is None:
            return
        values, tone = spark
        theme = current_theme()
        color = getattr(theme, tone) if tone in ("leaked", "frozen", "held") else theme.accent
        area = QRectF(option.rect).adjusted(6, 5, -6, -4)
        step = area.width() / max(len(values), 1)
        painter.save()
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(color))
        bars = []
        for place, value in enumerate(values.tolist()):
            height = max(1.0, value * area.height())   # zero is a line at the bottom, never a gap
            bars.append(QRectF(area.left() + place * step, area.bottom() - height, max(step - 1, 1), height))
        painter.drawRects(bars)
        painter.restore()
