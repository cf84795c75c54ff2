"""The drawing of a timeline under pointer and keyboard: it shows bars and emits the wishes to change them."""

from __future__ import annotations

from dataclasses import dataclass

from PySide6.QtCore import QEvent, QPointF, QSize, Qt, Signal, Slot
from PySide6.QtGui import QFocusEvent, QHelpEvent, QKeyEvent, QMouseEvent, QMoveEvent, QPainter, QPaintEvent
from PySide6.QtWidgets import QToolTip, QWidget

from freeze_gui.gui.export_actions import PLOT_ACTIONS, export_wishes
from freeze_gui.gui.theme import current_theme, theme_manager
from freeze_gui.gui.timeline_geometry import AXIS_HEIGHT, ROW_HEIGHT, Geometry, Part
from freeze_gui.gui.timeline_paint import Actual, Picture, paint
from freeze_gui.gui.timeline_state import Bar, Span, Timeline, moved, selecting, stopping_at, with_bar
from freeze_gui.gui.timeline_words import EMPTY, description, factor_words, window_words

FEWEST_ROWS = 3
_CLICK_PX = 3
_LEAP = 10
_CURSORS = {
    "start": Qt.CursorShape.SizeHorCursor,
    "stop": Qt.CursorShape.SizeHorCursor,
    "body": Qt.CursorShape.OpenHandCursor,
    "row": Qt.CursorShape.ArrowCursor,
}


@dataclass(frozen=True)
class _Drag:
    """A bar in hand: which part of it, where it was taken hold of, and what it was before."""

    part: Part
    x: float
    before: Timeline
    began: bool = False


class TimelineView(QWidget):
    """A row for each phase and task, over the steps of the run.

    Attributes
    ----------
    timeline
        What is shown; during a drag what it would be if the bar were let go.

    Signals
    -------
    edited(object, str, str)
        A bar was changed: the new `Timeline`, the name of the change, and the key of changes that are one step.
    selected(int)
        Another bar was chosen.
    exact_wanted()
        The exact numbers of the selected bar are wanted.
    removal_wanted()
        The selected bar is to go.
    """

    edited = Signal(object, str, str)
    selected = Signal(int)
    exact_wanted = Signal()
    removal_wanted = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("timelineView")
        self.setAccessibleName("Timeline: what is frozen when")
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setMouseTracking(True)
        self.timeline = Timeline()
        self._names: list[str] = [""]
        self._span = Span(1)
        self._actual: Actual | None = None
        self._drag: _Drag | None = None
        self._set_height()
        export_wishes().offer(self, PLOT_ACTIONS)
        theme_manager().changed.connect(self.on_theme_changed)

    @property
    def geometry_(self) -> Geometry:
        """Where steps and rows lie now."""
        return Geometry(self.width(), self._span)

    @property
    def content(self) -> tuple[Timeline, list[str], Span, Actual | None]:
        """What is drawn: bars and tasks, their names, the length of the run, and what the run on show did."""
        return self.timeline, self._names, self._span, self._actual

    def set_content(self, timeline: Timeline, names: list[str], span: Span) -> None:
        """Show other bars; one that is being dragged is let go."""
        self.timeline, self._names, self._span, self._drag = timeline, names, span, None
        self.setAccessibleDescription(description(timeline, names, span))
        self._set_height()
        self.update()

    def set_actual(self, actual: Actual | None) -> None:
        """Show what the run on show really did."""
        if actual != self._actual:
            self._actual = actual
            self.update()

    @Slot(object)
    def on_theme_changed(self, theme: object) -> None:
        """Paint in the new colours."""
        self.update()

    def sizeHint(self) -> QSize:
        """Return room for all rows."""
        return QSize(400, self.minimumHeight())

    # ------------------------------------------------------------------------------------------------- painting

    def paintEvent(self, event: QPaintEvent) -> None:
        """Draw everything: a few rows."""
        theme = current_theme()
        painter = QPainter(self)
        painter.fillRect(self.rect(), theme.panel)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        dragging = self._drag is not None and self._drag.began
        picture = Picture(
            self.geometry_, self.timeline, self._names, self._actual, -self.y(), self.hasFocus(), dragging
        )
        paint(painter, picture, self.height(), theme)
        if self.timeline.is_empty:
            area = self.rect().adjusted(0, int(AXIS_HEIGHT + ROW_HEIGHT), 0, 0)
            painter.setPen(theme.muted)
            painter.drawText(area, Qt.AlignmentFlag.AlignCenter | Qt.TextFlag.TextWordWrap, EMPTY)
        painter.end()

    def moveEvent(self, event: QMoveEvent) -> None:
        """Keep the axis in view while the rows are scrolled."""
        self.update()

    def focusInEvent(self, event: QFocusEvent) -> None:
        """Show that keys act on the selected bar."""
        super().focusInEvent(event)
        self.update()

    def focusOutEvent(self, event: QFocusEvent) -> None:
        """Show that they act elsewhere."""
        super().focusOutEvent(event)
        self.update()

    def _set_height(self) -> None:
        rows = max(len(self.timeline.bars) + len(self.timeline.tasks), FEWEST_ROWS)
        self.setMinimumHeight(int(AXIS_HEIGHT + rows * ROW_HEIGHT) + 2)

    # -------------------------------------------------------------------------------------------------- pointer

    def part_at(self, at: QPointF) -> tuple[int | None, Part]:
        """Return the bar at a point of the drawing, and what of its row is there."""
        row = self.geometry_.row_at(at.y(), len(self.timeline.bars))
        if row is None or at.y() < AXIS_HEIGHT - self.y():
            return None, "row"
        return row, self.geometry_.part_at(self.timeline.bars[row], at.x())

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Choose the row under the pointer, and take hold of its bar."""
        row, part = self.part_at(event.position())
        if event.button() != Qt.MouseButton.LeftButton or row is None:
            return
        self._choose(row)
        if part != "row":
            self._drag = _Drag(part, event.position().x(), self.timeline)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Draw the bar along, or show what could be taken hold of."""
        drag = self._drag
        if drag is None:
            self.setCursor(_CURSORS[self.part_at(event.position())[1]])
            return
        pixels = event.position().x() - drag.x
        if not drag.began and abs(pixels) < _CLICK_PX:
            return
        self._drag = _Drag(drag.part, drag.x, drag.before, True)
        if drag.part == "body":
            self.setCursor(Qt.CursorShape.ClosedHandCursor)
        self.timeline = with_bar(drag.before, self.geometry_.dragged(drag.before.bar, drag.part, pixels))
        self.update()

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        """Let the bar go: this is when it changes."""
        drag, self._drag = self._drag, None
        if drag is None or event.button() != Qt.MouseButton.LeftButton:
            return
        after, self.timeline = self.timeline, drag.before
        self.update()
        if after != drag.before:
            verb = "move" if drag.part == "body" else "resize"
            self.edited.emit(after, f"{verb} phase {after.selected + 1}", "")
        self.setCursor(_CURSORS[self.part_at(event.position())[1]])

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        """Ask for the exact numbers."""
        row, _ = self.part_at(event.position())
        if row is not None:
            self._choose(row)
            self.exact_wanted.emit()

    def event(self, event: QEvent) -> bool:
        """Tell in full what a row says in short."""
        if event.type() == QEvent.Type.ToolTip and isinstance(event, QHelpEvent):
            row = self.geometry_.row_at(event.pos().y(), len(self._names))
            text = self._tip(row) if row is not None else ""
            QToolTip.showText(event.globalPos(), text, self)
            return True
        return super().event(event)

    def _tip(self, row: int) -> str:
        if row >= len(self.timeline.bars):
            return f"In the steps of {self.timeline.tasks[row - len(self.timeline.bars)].task}: {self._names[row]}"
        bar = self.timeline.bars[row]
        words = [self._names[row], window_words(bar)] + [factor_words(bar)] * bool(factor_words(bar))
        return f"Phase {row + 1}: " + "\n".join(words)

    # ------------------------------------------------------------------------------------------------- keyboard

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Choose with Up and Down, move with Left and Right, extend with Shift, Enter for numbers, Delete to remove."""
        key = event.key()
        if key in (Qt.Key.Key_Up, Qt.Key.Key_Down):
            self._choose(self.timeline.selected + (1 if key == Qt.Key.Key_Down else -1))
        elif key in (Qt.Key.Key_Left, Qt.Key.Key_Right):
            self._nudge(1 if key == Qt.Key.Key_Right else -1, event.modifiers())
        elif key in (Qt.Key.Key_Return, Qt.Key.Key_Enter, Qt.Key.Key_F2):
            self.exact_wanted.emit()
        elif key in (Qt.Key.Key_Delete, Qt.Key.Key_Backspace):
            self.removal_wanted.emit()
        elif key == Qt.Key.Key_Escape and self._drag is not None:
            self.timeline, self._drag = self._drag.before, None
            self.update()
        else:
            super().keyPressEvent(event)

    def _nudge(self, units: int, modifiers: Qt.KeyboardModifier) -> None:
        """Move the selected bar, or its end with Shift, by a unit, or by ten with Ctrl."""
        bar, number = self.timeline.bar, self.timeline.selected + 1
        units *= _LEAP if modifiers & Qt.KeyboardModifier.ControlModifier else 1
        if modifiers & Qt.KeyboardModifier.ShiftModifier:
            stop = self._span.units(bar.unit) if bar.stop is None else bar.stop
            self._wish(bar, stopping_at(bar, stop + units, self._span), f"extend phase {number}")
        else:
            self._wish(bar, moved(bar, units, self._span), f"move phase {number}")

    def _wish(self, before: Bar, after: Bar, text: str) -> None:
        if after != before:
            self.edited.emit(with_bar(self.timeline, after), text, text)

    def _choose(self, row: int) -> None:
        chosen = selecting(self.timeline, row)
        if chosen != self.timeline:
            self.timeline = chosen
            self.update()
            self.selected.emit(chosen.selected)
