"""How the rows of the tree are painted: in one go from ready values, where Qt would ask for some 35 of them a row."""

from __future__ import annotations

from PySide6.QtCore import QModelIndex, QPersistentModelIndex, QRect, QRectF, Qt
from PySide6.QtGui import QColor, QCursor, QPainter
from PySide6.QtWidgets import QStyle, QStyleOptionViewItem, QTreeView

from freeze_gui.gui.layer_cells import DELTA, FREEZE, PARAMS, STATE, STATISTICS, LayerCells
from freeze_gui.gui.layer_look import RowLook
from freeze_gui.gui.theme import current_theme

Index = QModelIndex | QPersistentModelIndex

_KIND_GAP, _LEAST_KIND_PX = 5, 36   # less is a letter and a dot
_BOTH_ENDS = Qt.TextElideMode.ElideMiddle   # long names of a block often begin alike and differ in their last letters
_BARS_SIDE, _BARS_ABOVE, _BARS_BELOW = 6, 5, 4   # pixels around the bars in their cell
_BAR_TONES = ("leaked", "frozen", "held")
_HAS_CHILDREN, _IS_OPEN = QStyle.StateFlag.State_Children.value, QStyle.StateFlag.State_Open.value
_NO_ROW = -1


class RowPainter:
    """Paints the rows of one paint of a view, as far as its area reaches.

    Parameters
    ----------
    view, area
        The tree, and the part of its viewport that is painted.
    cells, look
        What the rows say, and how they look.
    """

    def __init__(self, view: QTreeView, area: QRect, cells: LayerCells, look: RowLook) -> None:
        self._view, self._cells, self._look = view, cells, look
        ends = [(left := view.columnViewportPosition(at), left + view.columnWidth(at)) for at in range(STATISTICS + 1)]
        self._columns = [
            (at, left, right) for at, (left, right) in enumerate(ends) if left <= area.right() and right > area.left()
        ]
        self._first_left, self._indent = ends[FREEZE][0], view.indentation()
        viewport = view.viewport()
        hovered = view.indexAt(viewport.mapFromGlobal(QCursor.pos())) if viewport.underMouse() else QModelIndex()
        current = view.currentIndex() if view.hasFocus() else QModelIndex()
        self._hovered = hovered.internalId() if hovered.isValid() else _NO_ROW
        self._current = current.internalId() if current.isValid() else _NO_ROW
        self._selection = view.selectionModel() if view.selectionModel().hasSelection() else None

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        """Paint one row."""
        at, top, height = index.internalId(), option.rect.top(), option.rect.height()
        selected = self._selection is not None and self._selection.isSelected(index)
        if selected or at in (self._hovered, self._current):
            self._paint_back(painter, option, at, selected)
        painter.setFont(self._look.font)   # Qt's is the viewport's, which a style sheet may leave behind
        for column, left, right in self._columns:
            if column == FREEZE:
                begin = self._first_left + self._indent * (self._cells.depth(at) + 1)
                state = option.state.value
                if state & _HAS_CHILDREN:
                    painter.drawPixmap(begin - self._indent, top, self._look.arrows[bool(state & _IS_OPEN)])
                self._paint_name(painter, at, selected, begin, right, top)
            elif column == PARAMS:
                self._paint_number(painter, self._cells.text(at, PARAMS), selected, left, right, top)
            elif column == DELTA:
                self._paint_bars(painter, at, selected, QRect(left, top, right - left, height))
            elif column == STATE:
                self._paint_state(painter, at, selected, left, right, top)
            else:
                words = self._cells.text(at, STATISTICS)
                self._paint_words(painter, words, "muted", selected, left + self._look.text_at, right, top)

    def _paint_back(self, painter: QPainter, option: QStyleOptionViewItem, at: int, selected: bool) -> None:
        """Let the style paint what lies below a row that is selected or under the pointer, and show the current one."""
        back = QStyleOptionViewItem(option)
        if selected:
            back.state |= QStyle.StateFlag.State_Selected
        if at == self._hovered:
            back.state |= QStyle.StateFlag.State_MouseOver
        self._view.style().drawPrimitive(QStyle.PrimitiveElement.PE_PanelItemViewItem, back, painter, self._view)
        if at == self._current and not selected:
            painter.setPen(QColor(current_theme().accent))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawRect(option.rect.adjusted(0, 0, -1, -1))

    def _paint_name(self, painter: QPainter, at: int, selected: bool, left: int, right: int, top: int) -> None:
        """Paint box, name and, where there is room, the kind."""
        look, node, tick = self._look, self._cells.tree.nodes[at], self._cells.check_state(at)
        if tick is None:
            begin, tone = left + look.text_at, "muted"
        else:
            begin, tone = left + look.text_after_box_at, "text"
            box = look.boxes[tick, at == self._hovered]
            painter.drawPixmap(left + look.box_at.left(), top + look.box_at.top(), box)
        end = begin + self._paint_words(painter, node.name, tone, selected, begin, right, top, _BOTH_ENDS) + _KIND_GAP
        if node.kind != node.name and right - end >= _LEAST_KIND_PX:
            self._paint_words(painter, node.kind, "muted", selected, end, right, top)

    def _paint_number(self, painter: QPainter, text: str, selected: bool, left: int, right: int, top: int) -> None:
        """Paint a number, which ends at the right."""
        if text:
            end = right - self._look.text_at
            number, width = self._look.text(text, end - left - self._look.text_at)
            painter.setPen(self._look.colors["muted", selected])
            painter.drawStaticText(end - width, top + self._look.text_top, number)

    def _paint_bars(self, painter: QPainter, at: int, selected: bool, cell: QRect) -> None:
        """Paint how far a layer has moved from its start, over the run, on a scale that all rows share."""
        heights = self._cells.bars(at)
        if heights is None:
            return
        tone = self._cells.state(at).tone
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(self._look.colors[tone if tone in _BAR_TONES else "accent", selected])
        area = QRectF(cell).adjusted(_BARS_SIDE, _BARS_ABOVE, -_BARS_SIDE, -_BARS_BELOW)
        left, base, most, step = area.left(), area.bottom(), area.height(), area.width() / max(len(heights), 1)
        bars = []
        for place, value in enumerate(heights.tolist()):
            height = max(1.0, value * most)   # zero is a line at the bottom, never a gap
            bars.append(QRectF(left + place * step, base - height, max(step - 1, 1), height))
        painter.drawRects(bars)

    def _paint_state(self, painter: QPainter, at: int, selected: bool, left: int, right: int, top: int) -> None:
        """Paint the mark and the words of what happens to the layer, in their colour."""
        look, state = self._look, self._cells.state(at)
        begin, mark = left + look.text_at, look.marks.get(state.tone)
        if mark is not None:
            painter.drawPixmap(left + look.mark_at.left(), top + look.mark_at.top(), mark)
            begin = left + look.text_after_mark_at
        self._paint_words(painter, state.words, state.tone, selected, begin, right, top)

    def _paint_words(
        self, painter: QPainter, words: str, tone: str, selected: bool, left: int, right: int, top: int,
        cut: Qt.TextElideMode = Qt.TextElideMode.ElideRight,
    ) -> int:
        """Paint words, cut where there is no room, and return their width."""
        room = right - self._look.text_at - left
        if not words or room <= 0:
            return 0
        text, width = self._look.text(words, room, cut)
        painter.setPen(self._look.colors[tone, selected])
        painter.drawStaticText(left, top + self._look.text_top, text)
        return width
