"""Paints a row of the library: a small heatmap, the label, the verdict in its colour, and what else is known."""

from __future__ import annotations

import time
from pathlib import Path

from PySide6.QtCore import QModelIndex, QObject, QPersistentModelIndex, QRect, QSize, Qt
from PySide6.QtGui import QColor, QFont, QFontMetrics, QImage, QPainter
from PySide6.QtWidgets import QApplication, QLineEdit, QStyle, QStyledItemDelegate, QStyleOptionViewItem, QWidget

from freeze_gui.gui.heatmap_legend import lookup_table, pixels_to_image
from freeze_gui.gui.library_model import CARD_ROLE, THUMBNAIL_ROLE
from freeze_gui.gui.library_reader import THUMBNAIL, Thumbnail
from freeze_gui.gui.library_words import facts, verdict_words, when
from freeze_gui.gui.palette import mix
from freeze_gui.gui.theme import current_theme, theme_manager
from freeze_gui.runs.store_files import RunCard

ROW_PX = 68
_PICTURE = QSize(THUMBNAIL[0] // 2, THUMBNAIL[1] // 2)
_MARGIN, _GAP = 10, 12
Index = QModelIndex | QPersistentModelIndex


class LibraryDelegate(QStyledItemDelegate):
    """Paints rows, and puts the field for a new label over the old one."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._images: dict[tuple[str, Path], tuple[int, QImage]] = {}

    def sizeHint(self, option: QStyleOptionViewItem, index: Index) -> QSize:
        """Return the height of a row."""
        return QSize(_MARGIN * 2 + _PICTURE.width() + 200, ROW_PX)

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        """Paint a row."""
        card: RunCard = index.data(CARD_ROLE)
        self.initStyleOption(option, index)
        option.text = ""
        style = option.widget.style() if option.widget is not None else QApplication.style()   # the window's sheet
        style.drawControl(QStyle.ControlElement.CE_ItemViewItem, option, painter, option.widget)
        rect: QRect = option.rect
        painter.save()
        self._paint_picture(painter, picture_rect(rect), index.data(THUMBNAIL_ROLE))
        _paint_words(painter, words_rect(rect), option.font, card)
        painter.restore()

    def createEditor(self, parent: QWidget, option: QStyleOptionViewItem, index: Index) -> QWidget:
        """Return a field for the label."""
        editor = QLineEdit(parent)
        editor.setObjectName("libraryLabelEdit")
        editor.setAccessibleName("Label of the run")
        return editor

    def updateEditorGeometry(self, editor: QWidget, option: QStyleOptionViewItem, index: Index) -> None:
        """Put the field where the label is."""
        words = words_rect(option.rect)
        height, line = editor.sizeHint().height(), QFontMetrics(option.font).height()
        top = _lines(words, line, index.data(CARD_ROLE))[0] - (height - line) // 2
        editor.setGeometry(words.x() - 8, max(top, option.rect.y()), min(words.width(), 360), height)

    def _paint_picture(self, painter: QPainter, rect: QRect, thumbnail: Thumbnail | None) -> None:
        theme = current_theme()
        if thumbnail is not None and thumbnail.pixels is not None:
            painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
            painter.drawImage(rect, self._image(thumbnail))
        else:
            painter.fillRect(rect, QColor(mix(theme.plot_background, theme.text, 0.045)))
        painter.setPen(QColor(theme.border))
        painter.drawRect(rect.adjusted(0, 0, -1, -1))

    def _image(self, thumbnail: Thumbnail) -> QImage:
        """Return the picture in the theme in use, made once."""
        assert thumbnail.pixels is not None
        key = current_theme().name, thumbnail.path
        steps, image = self._images.get(key, (-1, QImage()))
        if steps != thumbnail.steps:
            image = pixels_to_image(thumbnail.pixels, lookup_table(theme_manager().theme))
            self._images[key] = thumbnail.steps, image
        return image


def picture_rect(row: QRect) -> QRect:
    """Return where the small picture is in a row."""
    return QRect(row.x() + _MARGIN, row.y() + (row.height() - _PICTURE.height()) // 2, *_PICTURE.toTuple())


def words_rect(row: QRect) -> QRect:
    """Return where the words are in a row."""
    left = picture_rect(row).right() + 1 + _GAP
    return QRect(left, row.y() + 8, row.right() - _MARGIN - left, row.height() - 16)


def _lines(rect: QRect, height: int, card: RunCard) -> tuple[int, int]:
    """Return the top of the first line and the way from one to the next: two or three share the height of a row."""
    if card.tags or card.notes:
        return rect.y(), (rect.height() - height) // 2
    step = height + 4
    return rect.y() + (rect.height() - height - step) // 2, step


def _paint_words(painter: QPainter, rect: QRect, font: QFont, card: RunCard) -> None:
    """Paint label and verdict, then model, method and steps, then tags and notes where there are any."""
    theme = current_theme()
    bold = QFont(font)
    bold.setBold(True)
    plain, strong = QFontMetrics(font), QFontMetrics(bold)
    top, step = _lines(rect, plain.height(), card)
    tone, verdict = verdict_words(card)
    moment = when(card.started, time.time())
    room = rect.width() - plain.horizontalAdvance(moment) - _GAP
    verdict_width = strong.horizontalAdvance(verdict)
    label = strong.elidedText(card.label, Qt.TextElideMode.ElideRight, max(room - verdict_width - _GAP, 40))
    _text(painter, rect, top, bold, theme.text, label)
    _text(painter, rect, top, font, theme.muted, moment, right=True)
    after = rect.adjusted(strong.horizontalAdvance(label) + _GAP, 0, 0, 0)
    _text(painter, after, top, font if tone == "muted" else bold, getattr(theme, tone), verdict)
    line = plain.elidedText(facts(card), Qt.TextElideMode.ElideRight, rect.width())
    _text(painter, rect, top + step, font, theme.muted, line)
    if card.tags or card.notes:
        _paint_tags_and_notes(painter, rect, top + 2 * step, font, card)


def _paint_tags_and_notes(painter: QPainter, rect: QRect, top: int, font: QFont, card: RunCard) -> None:
    theme, metrics, left = current_theme(), QFontMetrics(font), rect.x()
    for tag in card.tags:
        width = metrics.horizontalAdvance(tag) + 12
        if left + width > rect.right() - 40:
            break
        chip = QRect(left, top - 1, width, metrics.height() + 2)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(mix(theme.panel, theme.accent, 0.32)))
        painter.drawRoundedRect(chip, 4, 4)
        _text(painter, chip.adjusted(6, 0, 0, 0), top, font, theme.text, tag)
        left += width + 6
    rest = QRect(left, rect.y(), rect.right() - left, rect.height())
    notes = metrics.elidedText(" ".join(card.notes.split()), Qt.TextElideMode.ElideRight, max(rest.width(), 0))
    _text(painter, rest, top, font, theme.text, notes)


def _text(
    painter: QPainter, rect: QRect, top: int, font: QFont, color: str, text: str, *, right: bool = False
) -> None:
    painter.setFont(font)
    painter.setPen(QColor(color))
    side = Qt.AlignmentFlag.AlignRight if right else Qt.AlignmentFlag.AlignLeft
    line = QRect(rect.x(), top, rect.width(), QFontMetrics(font).height())
    painter.drawText(line, side | Qt.AlignmentFlag.AlignVCenter, text)
