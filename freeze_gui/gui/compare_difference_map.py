"""The map of what two runs differ by: one row a layer, one column a step, the sign in the colour."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from PySide6.QtCore import QPointF, QRect, QSize, Signal, Slot
from PySide6.QtGui import QColor, QFontMetrics, QImage, QPainter, QPaintEvent
from PySide6.QtWidgets import QWidget

from freeze_gui.gui import compare_difference_codes as codes
from freeze_gui.gui.export_actions import PLOT_ACTIONS, export_wishes
from freeze_gui.gui.heatmap import TALLEST_ROW
from freeze_gui.gui.heatmap_geometry import RowGeometry
from freeze_gui.gui.heatmap_labels import (
    label_width,
    paint_axis,
    paint_marked_rows,
    paint_message,
    paint_row_labels,
    paint_tooltip,
)
from freeze_gui.gui.heatmap_legend import pixels_to_image
from freeze_gui.gui.heatmap_pointer import RowPointer
from freeze_gui.gui.theme import current_theme, theme_manager
from freeze_gui.runs.differences import LayerDifference, layer_difference

if TYPE_CHECKING:
    from freeze_gui.runs.recorder import RunRecorder

NO_PAIR = "Choose two runs above, or Ctrl+click two rows of the table"
NOTHING_YET = "waits for a step that both runs have measured"


class DifferenceMap(QWidget):
    """Draws the first run's metric less the second's; call `refresh` to draw what has arrived since.

    Attributes
    ----------
    difference
        What is drawn; None without two runs.
    levels
        Ends of the scale as powers of ten, None where nothing differs.

    Signals
    -------
    layer_clicked(str), step_hovered(object), reset_requested()
        As those of `HeatmapView`.
    levels_changed()
        The scale is another one.
    """

    layer_clicked = Signal(str)
    step_hovered = Signal(object)
    reset_requested = Signal()
    levels_changed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("differenceMap")
        font = self.font()
        font.setPointSizeF(max(font.pointSizeF() - 1, 7))
        self.setFont(font)
        self.difference: LayerDifference | None = None
        self.levels: tuple[float, float] | None = None
        self._pair: tuple[RunRecorder, RunRecorder] | None = None
        self._metric = "weight_delta"
        self._seen: tuple[str, list[tuple[int, bool]], int] | None = None
        self._codes = np.zeros((0, 0), np.uint8)
        self._image: tuple[object, QImage] | None = None
        self._x_range: tuple[float, float] | None = None
        self._cursor: float | None = None
        self.pointer = RowPointer(self, self.cells)
        self.pointer.layer_clicked.connect(self.layer_clicked)
        self.pointer.step_hovered.connect(self.step_hovered)
        self.pointer.reset_requested.connect(self.reset_requested)
        self.set_pair(None)
        export_wishes().offer(self, PLOT_ACTIONS)
        theme_manager().changed.connect(self.on_theme_changed)

    def set_pair(self, pair: tuple[RunRecorder, RunRecorder] | None) -> None:
        """Show the first of these runs less the second."""
        self._pair, self._seen = pair, None
        self.say_pair()
        self.refresh()

    def say_pair(self) -> None:
        """Say for readers of the screen which runs these are."""
        words = f"{self._pair[0].label} less {self._pair[1].label}" if self._pair else NO_PAIR
        self.setAccessibleName(f"Map of differences, layers over steps: {words}")

    def set_metric(self, metric: str) -> None:
        """Show ``weight_delta``, ``update_norm`` or ``grad_norm``."""
        self._metric = metric
        self.refresh()

    def set_selected(self, paths: Sequence[str]) -> None:
        """Highlight the rows of these layers."""
        self.pointer.selected = frozenset(paths)
        self.update()

    def set_x_range(self, start: float | None, stop: float | None = None) -> None:
        """Show the steps from `start` to `stop`; None shows all."""
        self._x_range = None if start is None or stop is None else (start, stop)
        self.update()

    def set_cursor(self, step: float | None) -> None:
        """Draw the cursor that all views share."""
        if step != self._cursor:
            self._cursor = step
            self.update()

    def refresh(self) -> None:
        """Take in what has arrived since the last call; costs next to nothing when nothing is new."""
        # not their numbers of rows: a run that is behind may have more of them
        reached = [run.history.newest_measured if run.history is not None else -1 for run in self._pair or ()]
        runs = [(id(run), run.ended is None) for run in self._pair or ()]   # at its end a run may have unmeasured steps
        seen = (self._metric, runs, min(reached, default=-1))
        if seen == self._seen:
            return
        goes_on = self._seen is not None and self._seen[:2] == seen[:2]   # what was there stays as it is
        self._seen = seen
        self.difference = layer_difference(*self._pair, self._metric) if self._pair else None
        values = self.difference.values if self.difference else np.zeros((0, 0))
        before, self.levels = self.levels, codes.levels_of(values)
        known = len(self._codes) if goes_on and before == self.levels else 0
        new = codes.encode(values[known:], self.levels or (-3.0, 0.0))
        self._codes = np.concatenate((self._codes[:known], new)) if known else new
        self._image = None
        if before != self.levels:
            self.levels_changed.emit()
        self.update()

    # ------------------------------------------------------------------------------------------------- geometry

    def sizeHint(self) -> QSize:
        """Return a size at which ten or so layers read well."""
        return QSize(560, 200)

    def minimumSizeHint(self) -> QSize:
        """Return the least size at which something is seen."""
        return QSize(240, 80)

    @property
    def content(self) -> tuple[tuple[RunRecorder, RunRecorder] | None, str]:
        """What is drawn: the first of these runs less the second, and the metric."""
        return self._pair, self._metric

    @property
    def shown_layers(self) -> tuple[str, ...]:
        """Paths of the rows, top to bottom; none before the first step of both."""
        return self.difference.layers if self.difference is not None and len(self.difference.steps) else ()

    def plot_rect(self) -> QRect:
        """Return where the cells lie, in this widget."""
        layers, metrics = self.shown_layers, QFontMetrics(self.font())
        height = max(min(self.height() - metrics.height() - 8, TALLEST_ROW * max(len(layers), 1)), 1)
        left = label_width(layers, height, self.width(), self.font())
        return QRect(left, 2, max(self.width() - left - 10, 1), height)

    def x_range(self) -> tuple[float, float]:
        """Return the first step shown and the step after the last."""
        if self._x_range is not None:
            return self._x_range
        totals = [max(run.history.total_steps, run.history.steps) for run in self._pair or () if run.history]
        return 0.0, float(max(totals, default=1) or 1)

    def cells(self) -> RowGeometry:
        """Return where rows and steps lie now."""
        return RowGeometry(self.plot_rect(), self.x_range(), self.shown_layers)

    def layer_at(self, position: QPointF) -> str | None:
        """Return the layer whose row or label is at this position."""
        return self.cells().layer_at(position)

    def step_at(self, x: float) -> float | None:
        """Return the step at this horizontal position, None beside the cells."""
        return self.cells().step_at(x)

    def describe(self, position: QPointF) -> str:
        """Return what the cell at this position says; empty beside the cells."""
        layer, step = self.layer_at(position), self.step_at(position.x())
        if layer is None or step is None or self.difference is None or self._pair is None:
            return layer or ""
        row = int(np.searchsorted(self.difference.steps, step, "right")) - 1
        if row < 0 or step >= self.difference.end_step:
            return f"{layer} · step {int(step)} · not measured"
        value = float(self.difference.values[row, self.difference.layers.index(layer)])
        words = f"{layer} · step {self.difference.steps[row]} · "
        if np.isnan(value):
            return words + "only one of the two has a gradient"
        if value == 0.0:
            return words + "equal"
        larger = self._pair[0 if value > 0 else 1].label
        return words + f"{abs(value):.3g} more in {larger}"

    # ------------------------------------------------------------------------------------------------- drawing

    def paintEvent(self, event: QPaintEvent) -> None:
        """Paint cells, labels, axis, selection, cursor and the words at the pointer."""
        painter = QPainter(self)
        layers = self.shown_layers
        if not layers:
            paint_message(painter, self.rect(), NOTHING_YET if self._pair else NO_PAIR)
            painter.end()
            return
        rect = self.plot_rect()
        painter.drawImage(rect, self._picture(rect))
        painter.setPen(QColor(current_theme().border))   # equal cells have the colour of the card: where do they end?
        painter.drawRect(rect.adjusted(-1, -1, 0, 0))
        paint_row_labels(painter, rect, layers, self.pointer.selected)
        paint_marked_rows(painter, rect, layers, self.pointer.selected, self.pointer.focused_row)
        paint_axis(painter, rect, self.x_range())
        if self._cursor is not None and (x := self.cells().x_of(self._cursor)) is not None:
            painter.setPen(QColor(current_theme().text))
            painter.drawLine(x, rect.top(), x, rect.bottom())
        if (at := self.pointer.hover) is not None and (text := self.describe(at)):
            paint_tooltip(painter, self.rect(), at.toPoint(), text)
        painter.end()

    def _picture(self, rect: QRect) -> QImage:
        """Return the cells as a picture, made anew only where anything about it has changed."""
        ratio, theme = self.devicePixelRatioF(), current_theme()
        key = (rect.getRect(), ratio, self.x_range(), theme.name)
        if self._image is None or self._image[0] != key:
            assert self.difference is not None
            width, height = round(rect.width() * ratio), round(rect.height() * ratio)
            cells = codes.columns(
                self._codes, self.difference.steps, self.difference.end_step, width, *self.x_range()
            )
            self._image = key, pixels_to_image(codes.to_pixels(cells.T, height), codes.color_table(theme))
        return self._image[1]

    @Slot(object)
    def on_theme_changed(self, theme: object) -> None:
        """Draw again in the new colours."""
        self.update()
