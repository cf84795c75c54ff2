"""The heatmap of a run: one row a layer, one column a step, frozen and leaked as states of their own."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PySide6.QtCore import QPointF, QRect, QSize, Signal, Slot
from PySide6.QtGui import QFontMetrics, QPainter, QPaintEvent, QResizeEvent
from PySide6.QtWidgets import QApplication, QWidget

from freeze_gui.gui import heatmap_labels as labels
from freeze_gui.gui.export_actions import PLOT_ACTIONS, export_wishes
from freeze_gui.gui.heatmap_geometry import RowGeometry, columns_rect
from freeze_gui.gui.heatmap_legend import HeatmapLegend
from freeze_gui.gui.heatmap_picture import HeatmapPicture
from freeze_gui.gui.heatmap_pointer import RowPointer
from freeze_gui.gui.readout import cell_text
from freeze_gui.gui.redraw import Redraw, newest_column
from freeze_gui.gui.theme import current_theme, theme_manager
from freeze_gui.runs.history import METRICS, History

EMPTY_TEXT = "Press Run: curves appear here within two seconds"
TALLEST_ROW = 34


class HeatmapView(QWidget):
    """Draws one metric of a `History`; call `refresh` to draw what has arrived since.

    Signals
    -------
    layer_clicked(str)
        A row was clicked, or chosen with the keyboard; carries the layer's path.
    step_hovered(object)
        The pointer is over this step (a float), or has left (None).
    reset_requested()
        Double click: show all steps again.
    outdated()
        A compact heatmap shows an old picture: to be drawn by `refresh` when there is time, as there are many of them.
    """

    layer_clicked = Signal(str)
    step_hovered = Signal(object)
    reset_requested = Signal()
    outdated = Signal()

    def __init__(self, parent: QWidget | None = None, *, compact: bool = False) -> None:
        super().__init__(parent)
        self.setObjectName("heatmapView")
        self.setAccessibleName("Heatmap of layers over steps")
        font = self.font()
        font.setPointSizeF(max(font.pointSizeF() - 1, 7))
        self.setFont(font)
        self.legend = HeatmapLegend(self)
        self.legend.hide()
        self.empty_text = EMPTY_TEXT
        self.live = False   # whether more will come: then what would not be seen is drawn later
        self.redraw = Redraw()
        self._compact = compact
        self._metric = METRICS[0]
        self._picture: HeatmapPicture | None = None
        self._history: History | None = None
        self._fixed: tuple[float, float] | None = None
        self._filter: tuple[str, ...] | None = None
        self._shown_rows: list[int] = []   # rows of the history that are shown, top to bottom
        self._shown_layers: tuple[str, ...] = ()
        self._x_range: tuple[float, float] | None = None
        self._cursor: float | None = None
        self.pointer = RowPointer(self, self.cells)
        self.pointer.layer_clicked.connect(self.layer_clicked)
        self.pointer.step_hovered.connect(self.on_hovered)
        self.pointer.reset_requested.connect(self.on_reset)
        export_wishes().offer(self, PLOT_ACTIONS)
        theme_manager().changed.connect(self.on_theme_changed)

    def set_history(self, history: History | None) -> None:
        """Show another run, or none."""
        if history is self._history and (history is None) == (self._picture is None):
            return
        self._history = history
        self._x_range = None
        self._restart()

    def set_empty_text(self, text: str) -> None:
        """Say this while there is no history."""
        if text != self.empty_text:
            self.empty_text = text
            self.update()

    def set_metric(self, metric: str) -> None:
        """Show ``weight_delta``, ``update_norm`` or ``grad_norm``."""
        if metric not in METRICS:
            raise ValueError(f"{metric!r} is not one of {', '.join(METRICS)}")
        if metric != self._metric:
            self._metric = metric
            self._restart()

    def set_levels(self, low: float, high: float | None) -> None:
        """Fix the colour scale to values from `low` to `high`, as several runs share it; `high` None frees it."""
        new = None if high is None else (float(np.log10(low)), float(np.log10(high)))
        if new != self._fixed:
            self._fixed = new
            self._redraw()

    def set_selected(self, paths: Sequence[str]) -> None:
        """Highlight the rows of these layers."""
        if frozenset(paths) != self.pointer.selected:
            self.pointer.selected = frozenset(paths)
            self.update()

    def set_row_filter(self, layers: Sequence[str] | None) -> None:
        """Show only these layers, in the order of the history; None shows all."""
        self._filter = None if layers is None else tuple(layers)
        self._choose_rows()
        self._redraw()

    def set_x_range(self, start: float | None, stop: float | None = None) -> None:
        """Show the steps from `start` to `stop`; None shows the whole run."""
        new = None if start is None or stop is None else (start, stop)
        if new != self._x_range:
            self._x_range = new
            self._redraw()

    def set_cursor(self, step: float | None) -> None:
        """Draw the cursor that all plots share."""
        if step != self._cursor:
            self._cursor = step
            self.update()

    def refresh(self) -> bool:
        """Draw what has arrived since the last call, and return whether there was anything to draw."""
        if self._picture is None or self._history is None or not self.isVisible():
            return False
        rect = self.plot_rect()
        place = rect.getRect(), self.x_range()
        newest = newest_column(self._history.newest_step, self.x_range(), self.width())
        is_due = self.redraw.is_due(place, self._history.steps, newest, self.live)
        if not is_due and self._picture.is_drawn_for(self._view_key(rect)):
            return False
        self._picture.codes.look()
        self._draw(rect)
        return True

    # ------------------------------------------------------------------------------------------------- geometry

    def sizeHint(self) -> QSize:
        """Return a size at which ten or so layers read well."""
        return QSize(320, 140) if self._compact else QSize(640, 260)

    def minimumSizeHint(self) -> QSize:
        """Return the least size at which something is seen."""
        return QSize(96, 56) if self._compact else QSize(280, 122)

    @property
    def content(self) -> tuple[History | None, str, list[int]]:
        """What is drawn: the history, the metric, and which of its layers."""
        return self._history, self._metric, list(self._shown_rows)

    @property
    def shown_layers(self) -> tuple[str, ...]:
        """Paths of the rows that are shown, top to bottom."""
        return self._shown_layers

    def plot_rect(self) -> QRect:
        """Return where the cells lie, in this widget."""
        line = QFontMetrics(self.font()).height()
        below = line + 6 + (0 if self._compact else self.legend.sizeHint().height() + 4)
        height = max(self.height() - below - 2, 1)
        if self._shown_rows:
            height = min(height, TALLEST_ROW * len(self._shown_rows))
        left = labels.label_width(self._shown_layers, height, self.width(), self.font(), 0.5 if self._compact else 0.36)
        return QRect(left, 2, max(self.width() - left - 10, 1), height)

    def x_range(self) -> tuple[float, float]:
        """Return the first step shown and the step after the last."""
        if self._x_range is not None:
            return self._x_range
        if self._history is None or self._picture is None:
            return 0.0, 1.0
        return 0.0, float(max(self._history.total_steps, self._picture.codes.end_step, 1))

    def cells(self) -> RowGeometry:
        """Return where rows and steps lie now."""
        return RowGeometry(self.plot_rect(), self.x_range(), self._shown_layers)

    def describe(self, position: QPointF) -> str:
        """Return what the cell at this position says: layer, step, value, state; empty beside the cells."""
        cells = self.cells()
        layer, step = cells.layer_at(position), cells.step_at(position.x())
        if layer is None or step is None or self._picture is None or self._history is None:
            return layer or ""
        row = self._picture.codes.row_of_step(step)
        if row is None:
            return f"{layer} · step {int(step)} · still to come"
        return cell_text(self._history, layer, row, self._metric)

    # ------------------------------------------------------------------------------------------------- drawing

    def _restart(self) -> None:
        self._picture = None if self._history is None else HeatmapPicture(self._history, self._metric)
        self._choose_rows()
        self.legend.setVisible(bool(self._shown_rows) and not self._compact)
        self.legend.place(self.size(), self.plot_rect)
        self._redraw()

    def _choose_rows(self) -> None:
        layers = self._history.layers if self._history else ()
        wanted = None if self._filter is None else set(self._filter)
        self._shown_rows = [row for row, path in enumerate(layers) if wanted is None or path in wanted]
        self._shown_layers = tuple(layers[row] for row in self._shown_rows)

    def _redraw(self) -> None:
        if self._picture is not None:
            self._picture.forget()
        if not self._compact:
            self.refresh()
        self.update()

    def levels(self) -> tuple[float, float]:
        """Return the ends of the colour scale in use, as powers of ten."""
        if self._fixed is not None:
            return self._fixed
        return self._picture.codes.own_levels if self._picture is not None else (-3.0, 0.0)

    @property
    def fixed_levels(self) -> tuple[float, float] | None:
        """The ends of a colour scale that was set from outside; None where the run's own values decide."""
        return self._fixed

    def _view_key(self, rect: QRect) -> object:
        """Return all that decides which column a step falls in, and which colour a value takes."""
        return rect.getRect(), self.devicePixelRatioF(), self.x_range(), self.levels(), id(self._filter)

    def _draw(self, rect: QRect) -> None:
        """Bring the picture up to date, and have what is new of it painted."""
        if self._picture is None or not self._shown_rows:
            return
        ratio, levels = self.devicePixelRatioF(), self.levels()
        size = round(rect.width() * ratio), round(rect.height() * ratio)
        first, last = self._picture.draw(
            self._view_key(rect), size, self.x_range(), levels, self._shown_rows, current_theme()
        )
        self.legend.set_scale(self._metric, levels)
        if (first, last) == (0, size[0]):
            self.update()
        elif last > first:
            self.update(columns_rect(rect, first / ratio, last / ratio))

    def paintEvent(self, event: QPaintEvent) -> None:
        """Paint cells, labels, axis, markers, selection, cursor and the words at the pointer."""
        painter = QPainter(self)
        if self._picture is None or not self._shown_rows or self._history is None:
            painter.setFont(QApplication.font())
            labels.paint_message(painter, self.rect(), self.empty_text)
            painter.end()
            return
        rect, dirty = self.plot_rect(), event.rect()
        if not self._picture.is_drawn_for(self._view_key(rect)):
            if self._compact:
                self.outdated.emit()
            else:
                self._picture.codes.look()
                self._draw(rect)
        if self._picture.image is not None:
            painter.drawImage(rect, self._picture.image)
        if dirty.left() < rect.left():   # new columns alone leave the labels as they are
            labels.paint_row_labels(painter, rect, self._shown_layers, self.pointer.selected)
        if dirty.bottom() > rect.bottom():
            labels.paint_axis(painter, rect, self.x_range())
        labels.paint_marked_rows(painter, rect, self._shown_layers, self.pointer.selected, self.pointer.focused_row)
        labels.paint_wedges(painter, rect, self.x_range(), self._history.markers)
        if self._cursor is not None:
            labels.paint_cursor(painter, rect, self.cells().x_of(self._cursor))
        if (at := self.pointer.hover) is not None and (text := self.describe(at)):
            labels.paint_tooltip(painter, self.rect(), at.toPoint(), text)
        painter.end()

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Put the legend at the bottom."""
        self.legend.place(self.size(), self.plot_rect)

    @Slot(object)
    def on_theme_changed(self, theme: object) -> None:
        """Draw again in the new colours."""
        self._redraw()

    @Slot(object)
    def on_hovered(self, step: float | None) -> None:
        """Move the cursor, and tell the other plots the step."""
        self.set_cursor(step)
        self.step_hovered.emit(step)

    @Slot()
    def on_reset(self) -> None:
        """Show all steps, and ask the other plots to."""
        self.set_x_range(None)
        self.reset_requested.emit()
