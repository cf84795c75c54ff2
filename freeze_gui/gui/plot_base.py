"""What every curve plot of the window has in common: colours, zoom, markers, cursor, and the line for "nothing yet"."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import QEvent, QObject, QPointF, Qt, Signal, Slot
from PySide6.QtGui import QColor, QFocusEvent, QFontMetricsF, QKeyEvent, QPainter, QPaintEvent, QPen, QResizeEvent
from PySide6.QtWidgets import QGraphicsSimpleTextItem, QLabel, QWidget

from freeze_gui.gui.export_actions import PLOT_ACTIONS, export_wishes
from freeze_gui.gui.line_item import LineItem
from freeze_gui.gui.plot_axes import StepAxis, ValueAxis
from freeze_gui.gui.redraw import Redraw
from freeze_gui.gui.theme import current_theme, theme_manager

TITLE_PX = 18


def line_pen(color: str, dash: Sequence[float] | None = None) -> QPen:
    """Return an opaque pen of one pixel: anything wider or half transparent is many times slower to draw."""
    pen: QPen = pg.mkPen(color, width=1)
    if dash:
        pen.setDashPattern(list(dash))
    return pen


class StepViewBox(pg.ViewBox):   # type: ignore[misc]
    """Wheel zooms steps, wheel over an axis zooms that axis, dragging moves, double click shows all again.

    Signals
    -------
    reset_requested()
        Double click.
    """

    reset_requested = Signal()

    def wheelEvent(self, event: Any, axis: int | None = None) -> None:
        """Zoom along the steps unless the pointer is over an axis."""
        super().wheelEvent(event, 0 if axis is None else axis)

    def mouseDoubleClickEvent(self, event: Any) -> None:
        """Ask to show everything."""
        self.reset_requested.emit()
        event.accept()


class StepPlot(pg.PlotWidget):   # type: ignore[misc]
    """A plot over steps.

    Attributes
    ----------
    follows_x, follows_y
        Whether all steps and all values are shown, until a person chooses others.
    live
        Whether more will come: then what would not be seen is drawn later.

    Signals
    -------
    step_hovered(object)
        The pointer is over this step (a float), or has left (None).
    reset_requested()
        Double click or the key A: show everything again.
    x_zoomed(float, float)
        A person chose other steps to see.
    """

    step_hovered = Signal(object)
    reset_requested = Signal()
    x_zoomed = Signal(float, float)

    def __init__(self, name: str, title: str, left: pg.AxisItem | None = None, parent: QWidget | None = None) -> None:
        self.view_box = StepViewBox(enableMenu=False)
        axes = {"bottom": StepAxis("bottom"), "left": left or ValueAxis("left"), "right": ValueAxis("right")}
        super().__init__(parent, viewBox=self.view_box, axisItems=axes, background=None)
        self.setObjectName(name)
        self.setAccessibleName(title)
        self.setFrameShape(self.Shape.NoFrame)
        self.title = title
        self.follows_x = self.follows_y = True
        self.live = False
        self.redraw = Redraw()
        item = self.getPlotItem()
        item.hideAxis("right")   # it is there for whoever needs it
        for axis in axes.values():
            axis.enableAutoSIPrefix(False)   # there are no units: it lays an empty name out at each change of range
        item.hideButtons()
        item.setMenuEnabled(False)   # pyqtgraph's menu offers exports that write nothing for some of the items
        item.layout.setContentsMargins(0, TITLE_PX, 12, 0)
        # not pyqtgraph's own title: its width is a minimum, and pushes the axes out of a narrow plot
        self.heading = QGraphicsSimpleTextItem(item)
        self.heading.setPos(4, 0)
        self.view_box.disableAutoRange()
        self.view_box.setDefaultPadding(0.0)
        self.markers = LineItem("pairs")
        self.view_box.addItem(self.markers, ignoreBounds=True)
        self.marker_labels: list[pg.TextItem] = []
        self.cursor_line = pg.InfiniteLine(angle=90, movable=False)
        self.cursor_line.hide()
        self.view_box.addItem(self.cursor_line, ignoreBounds=True)
        self.message = QLabel(self)
        self.message.setProperty("muted", True)
        self.message.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.message.setWordWrap(True)
        self.message.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self.message.hide()
        self._marker_key: object = None
        self.view_box.reset_requested.connect(self.reset_requested)
        self.view_box.sigRangeChangedManually.connect(self.on_zoomed)
        self.scene().sigMouseMoved.connect(self.on_mouse_moved)
        export_wishes().offer(self, PLOT_ACTIONS)
        theme_manager().changed.connect(self.on_theme_changed)
        StepPlot.restyle(self)

    def restyle(self) -> None:
        """Take the colours of the theme in use."""
        theme = current_theme()
        self.setBackground(theme.plot_background)
        item = self.getPlotItem()
        font = self.font()
        self.heading.setFont(font)
        self.heading.setBrush(QColor(theme.text))
        self._fit_heading()
        font.setPointSizeF(max(font.pointSizeF() - 1, 7))
        for axis_name in ("left", "bottom", "right"):
            axis = item.getAxis(axis_name)
            axis.setTextPen(theme.muted)
            axis.setTickFont(font)
            axis.setStyle(tickLength=-4)
        item.getAxis("bottom").setStyle(hideOverlappingLabels=False)   # the last step keeps its number
        self._hide_axes(not self.message.isHidden())
        self.markers.set_pen(line_pen(theme.muted, (2, 3)))
        self.cursor_line.setPen(line_pen(theme.text))
        self._marker_key = None

    def set_title(self, title: str) -> None:
        """Say what is drawn."""
        if title != self.title:
            self.title = title
            self.setAccessibleName(title)
            self._fit_heading()

    def _fit_heading(self) -> None:
        """Leave out what stands in brackets where there is no room, then cut the rest."""
        metrics, room = QFontMetricsF(self.heading.font()), max(self.width() - 16.0, 8.0)
        text = self.title if metrics.horizontalAdvance(self.title) <= room else self.title.split(" (")[0]
        self.heading.setText(metrics.elidedText(text, Qt.TextElideMode.ElideRight, room))

    def show_message(self, text: str) -> None:
        """Show one line in the middle, or none for an empty text; axes have no numbers while there is nothing."""
        if text == self.message.text() and self.message.isHidden() == (not text):
            return
        self.message.setText(text)
        self.message.setVisible(bool(text))
        self._hide_axes(bool(text))

    def _hide_axes(self, hidden: bool) -> None:
        theme = current_theme()
        for axis_name in ("left", "bottom", "right"):
            axis = self.getPlotItem().getAxis(axis_name)
            axis.setStyle(showValues=not hidden)
            axis.setPen(line_pen(theme.plot_background if hidden else theme.border))

    def show_steps(self, start: float, stop: float) -> None:
        """Show these steps."""
        if self.view_box.viewRange()[0] != [start, stop] and stop > start:
            self.view_box.setXRange(start, stop, padding=0)

    def set_cursor(self, step: float | None) -> None:
        """Draw the cursor that all plots share."""
        if step is None:
            self.cursor_line.hide()
        else:
            self.cursor_line.setValue(step)
            self.cursor_line.show()

    def set_markers(self, markers: Sequence[tuple[int, str]]) -> None:
        """Draw a line with words at each moment; the words of crowded moments are left out."""
        start, stop = self.view_box.viewRange()[0]
        low, high = self.view_box.viewRange()[1]
        key = (len(markers), markers[-1] if markers else None, start, stop, low, high, self.width())
        if key == self._marker_key:
            return
        self._marker_key = key
        steps = np.array(sorted({step for step, _ in markers}), float)
        ends = [low - 10 * (high - low), high + 10 * (high - low)]
        self.markers.set_points(np.repeat(steps, 2), np.tile(ends, len(steps)))
        gap = (stop - start) * 110 / max(self.width(), 1)
        worded: list[tuple[int, str]] = []
        for step, text in markers:
            if start <= step <= stop and (not worded or step - worded[-1][0] >= gap) and text:
                worded.append((step, text))
        while len(self.marker_labels) < len(worded):
            label = pg.TextItem(anchor=(0, 0))
            label.setFont(self.getPlotItem().getAxis("left").style["tickFont"])
            self.marker_labels.append(label)
            self.view_box.addItem(label, ignoreBounds=True)
        for at, label in enumerate(self.marker_labels):
            label.setVisible(at < len(worded))
            if at < len(worded):
                label.setText(worded[at][1], color=QColor(current_theme().muted))
                label.setAnchor((1, 0) if worded[at][0] > start + 0.8 * (stop - start) else (0, 0))
                label.setPos(worded[at][0], high)

    def reset_view(self) -> None:
        """Show everything from now on."""
        self.follows_x = self.follows_y = True

    @Slot(object)
    def on_zoomed(self, mouse_enabled: object) -> None:
        """Stay where a person moved the view to."""
        start, stop = self.view_box.viewRange()[0]
        self.follows_x = self.follows_y = False
        self.x_zoomed.emit(start, stop)

    @Slot(QPointF)
    def on_mouse_moved(self, position: QPointF) -> None:
        """Tell the step under the pointer."""
        inside = self.view_box.sceneBoundingRect().contains(position)
        self.step_hovered.emit(self.view_box.mapSceneToView(position).x() if inside else None)

    @Slot(object)
    def on_theme_changed(self, theme: object) -> None:
        """Take the new colours."""
        self.restyle()

    def leaveEvent(self, event: QEvent) -> None:
        """Take the cursor away."""
        super().leaveEvent(event)
        self.step_hovered.emit(None)

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Keep the message in the middle."""
        super().resizeEvent(event)
        if isinstance(getattr(self, "message", None), QObject):   # Qt resizes during construction too
            self.message.setGeometry(16, TITLE_PX, self.width() - 32, self.height() - 2 * TITLE_PX)
            self._fit_heading()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """A shows everything again, plus and minus zoom, the arrows move along the steps."""
        moves = {Qt.Key.Key_Left: -0.1, Qt.Key.Key_Right: 0.1}
        zooms = {Qt.Key.Key_Plus: 0.8, Qt.Key.Key_Equal: 0.8, Qt.Key.Key_Minus: 1.25}
        key, (start, stop) = Qt.Key(event.key()), self.view_box.viewRange()[0]
        if key == Qt.Key.Key_A:
            self.reset_requested.emit()
        elif key in moves or key in zooms:
            middle = (start + stop) / 2 + moves.get(key, 0.0) * (stop - start)
            half = (stop - start) / 2 * zooms.get(key, 1.0)
            self.view_box.setXRange(middle - half, middle + half, padding=0)
            self.on_zoomed(None)
        else:
            super().keyPressEvent(event)

    def focusInEvent(self, event: QFocusEvent) -> None:
        """Show the frame of the focus."""
        super().focusInEvent(event)
        self.viewport().update()

    def focusOutEvent(self, event: QFocusEvent) -> None:
        """Take the frame away."""
        super().focusOutEvent(event)
        self.viewport().update()

    def paintEvent(self, event: QPaintEvent) -> None:
        """Paint the plot, and a thin frame while it has the keyboard."""
        super().paintEvent(event)
        if self.hasFocus():
            painter = QPainter(self.viewport())
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            painter.setPen(QPen(QColor(current_theme().accent), 1))
            painter.drawRoundedRect(self.viewport().rect().toRectF().adjusted(0.5, 0.5, -0.5, -0.5), 4, 4)
            painter.end()
