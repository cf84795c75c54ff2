"""How the rows of the tree look: places, boxes, arrows, marks, colours and texts, made once and then copied.

Places and pictures are asked of the style, so that a row is what style, sheet and font make of it, and a click that Qt
takes for one on the box meets the box.
"""

from __future__ import annotations

from typing import get_args

from PySide6.QtCore import QPoint, QRect, QSize, Qt
from PySide6.QtGui import QColor, QIcon, QPainter, QPixmap, QStaticText, QTransform
from PySide6.QtWidgets import QStyle, QStyleOptionViewItem, QTreeView

from freeze_gui.gui.marks import state_mark
from freeze_gui.gui.palette import disabled_words, on_selected
from freeze_gui.gui.row_states import Tone
from freeze_gui.gui.theme import current_theme

Element, Part, Flag = QStyle.PrimitiveElement, QStyle.SubElement, QStyle.StateFlag
Has = QStyleOptionViewItem.ViewItemFeature

_TONES = (*(tone for tone in get_args(Tone) if tone != "none"), "text", "accent")
_BOXES = {
    Qt.CheckState.Checked: Flag.State_On,
    Qt.CheckState.Unchecked: Flag.State_Off,
    Qt.CheckState.PartiallyChecked: Flag.State_NoChange,
}
_AROUND_BOX_PX = 1   # its round corners reach beyond it
_KEPT_TEXTS = 4000
_WIDE_PX = 1000   # more than stands beside each other in a cell


class RowLook:
    """The look of rows in one view, for one height, theme, font and screen; it is made anew for another.

    Attributes
    ----------
    font
        Of all words.
    box_at, mark_at
        Where in a cell the pictures are of the box for the tick and of the mark of a state.
    text_at, text_after_box_at, text_after_mark_at, text_top
        Where in a cell words begin: alone, after each of the two, and how far down.
    boxes
        Pictures of the box by tick and by whether the row is under the pointer.
    arrows
        Pictures of the arrow by whether the row is open.
    marks
        Pictures by tone, for those that have a mark.
    colors
        By tone and by whether the row is selected.
    """

    def __init__(self, view: QTreeView, height: int) -> None:
        self.font, self._metrics = view.font(), view.fontMetrics()
        self._texts: dict[tuple[str, int, Qt.TextElideMode], tuple[QStaticText, int]] = {}
        margin = view.style().pixelMetric(QStyle.PixelMetric.PM_FocusFrameHMargin, None, view) + 1   # Qt's, about words
        box = _ask(view, height, Part.SE_ItemViewItemCheckIndicator, Has.HasCheckIndicator)
        self.box_at = box.adjusted(-_AROUND_BOX_PX, -_AROUND_BOX_PX, _AROUND_BOX_PX, _AROUND_BOX_PX)
        self.mark_at = _ask(view, height, Part.SE_ItemViewItemDecoration, Has.HasDecoration)
        self.text_at, self.text_after_box_at, self.text_after_mark_at = (
            _ask(view, height, Part.SE_ItemViewItemText, beside).left() + margin
            for beside in (Has.None_, Has.HasCheckIndicator, Has.HasDecoration)
        )
        self.text_top = (height - self._metrics.height()) // 2
        self.boxes = {
            (tick, hovered): _picture(
                view, Element.PE_IndicatorItemViewItemCheck, box.size(),
                flag | Flag.State_MouseOver if hovered else flag, _AROUND_BOX_PX,
            )
            for tick, flag in _BOXES.items() for hovered in (False, True)
        }  # fmt: skip
        self.arrows = {
            is_open: _picture(
                view, Element.PE_IndicatorBranch, QSize(view.indentation(), height),
                Flag.State_Item | Flag.State_Children | (Flag.State_Open if is_open else Flag.State_None),
            )
            for is_open in (False, True)
        }  # fmt: skip
        mode = QIcon.Mode.Normal if view.isEnabled() else QIcon.Mode.Disabled
        marks = {tone: mark for tone in _TONES if (mark := state_mark(tone)) is not None}
        ratio = view.devicePixelRatioF()
        self.marks = {tone: mark.pixmap(self.mark_at.size(), ratio, mode) for tone, mark in marks.items()}
        self.colors = _colors(view.isEnabled())

    def text(
        self, text: str, room: int, cut: Qt.TextElideMode = Qt.TextElideMode.ElideRight
    ) -> tuple[QStaticText, int]:
        """Return a text laid out and cut to the pixels that it has, and its width."""
        found = self._texts.get((text, room, cut))
        if found is None:
            if len(self._texts) >= _KEPT_TEXTS:
                self._texts.clear()
            made = QStaticText(self._metrics.elidedText(text, cut, room))
            made.setTextFormat(Qt.TextFormat.PlainText)
            made.prepare(QTransform(), self.font)
            self._texts[text, room, cut] = found = made, self._metrics.horizontalAdvance(made.text())
        return found


def _colors(enabled: bool) -> dict[tuple[str, bool], QColor]:
    theme = current_theme()
    plain = {tone: getattr(theme, tone) if enabled else disabled_words(theme) for tone in _TONES}
    return {
        (tone, selected): QColor(on_selected(theme, color) if selected else color)
        for tone, color in plain.items()
        for selected in (False, True)
    }


def _ask(view: QTreeView, height: int, part: QStyle.SubElement, beside: QStyleOptionViewItem.ViewItemFeature) -> QRect:
    """Ask the style where a part of a cell is that has this beside its words."""
    option = _option(view, QSize(_WIDE_PX, height))
    option.features = Has.HasDisplay | beside
    option.text = "x"
    return view.style().subElementRect(part, option, view)


def _picture(
    view: QTreeView, element: QStyle.PrimitiveElement, size: QSize, state: QStyle.StateFlag, around: int = 0
) -> QPixmap:
    """Return a part of a row as the style paints it."""
    option, ratio = _option(view, size), view.devicePixelRatioF()
    option.state |= state
    option.rect = QRect(QPoint(around, around), size)
    picture = QPixmap((size + QSize(2 * around, 2 * around)) * ratio)
    picture.setDevicePixelRatio(ratio)
    picture.fill(Qt.GlobalColor.transparent)
    painter = QPainter(picture)
    view.style().drawPrimitive(element, option, painter, view)
    painter.end()
    return picture


def _option(view: QTreeView, size: QSize) -> QStyleOptionViewItem:
    option = QStyleOptionViewItem()
    option.initFrom(view)
    option.state = Flag.State_Enabled if view.isEnabled() else Flag.State_None
    option.rect = QRect(QPoint(), size)
    option.font, option.decorationSize = view.font(), view.iconSize()
    option.displayAlignment = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter
    option.decorationAlignment = Qt.AlignmentFlag.AlignCenter
    option.showDecorationSelected = True
    option.widget = view   # whose sheet tells the size of the box
    return option
