"""Curves of a layer metric over steps on a log axis with an honest zero."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import QRectF, Qt, Slot
from PySide6.QtGui import QColor, QPen
from PySide6.QtWidgets import QGraphicsRectItem, QWidget

from freeze_gui.gui.curve_lines import CurveLines, draw
from freeze_gui.gui.curve_marks import CurveMarks
from freeze_gui.gui.growing_traces import GrowingTraces, Piece, by_history
from freeze_gui.gui.heatmap_legend import METRIC_TITLES
from freeze_gui.gui.line_dots import stands_apart
from freeze_gui.gui.line_item import Points
from freeze_gui.gui.lines_item import LinesItem
from freeze_gui.gui.log_scale import LogScale, fit
from freeze_gui.gui.palette import mix
from freeze_gui.gui.plot_axes import LogAxis
from freeze_gui.gui.plot_base import StepPlot, line_pen
from freeze_gui.gui.redraw import newest_column
from freeze_gui.gui.theme import current_theme
from freeze_gui.gui.traces import Series, Trace

EMPTY_TEXTS = {
    "weight_delta": "How far each layer has moved from where it started",
    "update_norm": "How far each layer moves in a step",
    "grad_norm": "How strong each layer's gradient is",
}
NO_PEN = QPen(Qt.PenStyle.NoPen)


class LayerPlot(StepPlot):
    """One metric of a few series: at most some ten lines.

    Frozen stretches are dotted and pale, leaks are marked with triangles, exact zeros lie in a strip named ``0``, and
    steps without a gradient are a gap with a mark in a strip named ``none``.
    """

    def __init__(self, metric: str, name: str, parent: QWidget | None = None) -> None:
        self.shown_metric = metric   # not `metric`, which Qt calls of each widget when the font changes
        self.axis = LogAxis()
        self.lines: list[CurveLines] = []
        self.series: list[Series] = []
        super().__init__(name, METRIC_TITLES[metric], self.axis, parent)
        self.zero_strip, self.none_strip = QGraphicsRectItem(), QGraphicsRectItem()   # Qt paints them without Python
        for strip in (self.zero_strip, self.none_strip):
            strip.setPen(NO_PEN)
            strip.setZValue(-10)
            self.view_box.addItem(strip, ignoreBounds=True)
        self.lines_item = LinesItem(self.view_box)
        self.leaks = pg.ScatterPlotItem(symbol="t", size=8, pxMode=True)
        self.bad = pg.ScatterPlotItem(symbol="x", size=8, pxMode=True)
        for marks in (self.leaks, self.bad):
            marks.setZValue(10)
            self.view_box.addItem(marks, ignoreBounds=True)
        self._leak_marks, self._bad_marks = CurveMarks(self.leaks), CurveMarks(self.bad)
        self.empty_text = EMPTY_TEXTS[metric]
        self.keep = 0.0
        self._is_clear = True
        self._growing: list[GrowingTraces] = []
        self._scale: LogScale | None = None
        self._place: tuple[tuple[float, float], int, int] | None = None   # steps, width and height that are drawn
        self.view_box.sigXRangeChanged.connect(self.on_steps_changed)
        self.restyle()
        self._show_nothing()

    def set_series(self, series: Sequence[Series]) -> None:
        """Draw these lines from the next refresh on."""
        if list(series) == self.series:
            return
        before = {(id(s.history), s.layer) for s in self.series}
        self.series = list(series)
        if not before & {(id(s.history), s.layer) for s in self.series}:
            self._scale = None   # nothing is left that the old scale was for
        self._growing = by_history(self.series)
        while len(self.lines) < len(self.series):
            self.lines.append(CurveLines(self.lines_item))
        for lines, one in zip(self.lines, self.series, strict=False):
            lines.style(one)
        self._forget()

    def set_smoothing(self, keep: float) -> None:
        """Draw a causal mean with this weight of the past; 0 draws what was measured."""
        self.keep = keep
        self._forget()

    def restyle(self) -> None:
        """Take the colours of the theme in use."""
        super().restyle()
        if not hasattr(self, "bad"):
            return   # called by the base class before the items are there
        theme = current_theme()
        self.zero_strip.setBrush(QColor(mix(theme.plot_background, theme.text, 0.06)))
        self.none_strip.setBrush(QColor(mix(theme.plot_background, theme.frozen, 0.14)))
        self.leaks.setPen(line_pen(theme.plot_background))
        self.leaks.setBrush(theme.leaked)
        self.bad.setPen(line_pen(theme.leaked))
        self._forget()

    def refresh(self) -> bool:
        """Draw what has arrived since the last call, and return whether there was anything to draw."""
        if not self.isVisible():
            return False
        start, stop = self.view_box.viewRange()[0]
        width = max(int(self.view_box.width()), 50)
        rows = [series.history.rows for series in self.series]
        newest = [newest_column(series.history.newest_step, (start, stop), width) for series in self.series]
        key = start, stop, width, self.view_box.height(), self.keep, self.follows_y
        if not self.redraw.is_due(key, rows, newest, self.live):
            return False
        if any(rows):
            self.show_message("")
            self._draw((start, stop), width)
        else:
            self._show_nothing()
        return True

    def _forget(self) -> None:
        """Draw everything anew with the next refresh."""
        self.redraw.forget()
        self._place = None

    def _draw(self, x_range: tuple[float, float], width: int) -> None:
        """Draw what is new where that is enough, else everything."""
        place = x_range, width, int(self.view_box.height())
        if place != self._place or not self._go_on(x_range, width):
            self._place = place
            self._clear(x_range)
            self._go_on(x_range, width)

    def _clear(self, x_range: tuple[float, float] = (0.0, 1.0)) -> None:
        """Draw nothing, and all anew over these steps from now on."""
        for lines in self.lines:
            for line in lines.all:
                line.clear()
        for growing in self._growing:
            growing.forget()
        self._leak_marks.start(x_range, len(self.series))
        self._bad_marks.start(x_range, len(self.series))
        self._is_clear = True
        self.lines_item.update()

    def _go_on(self, x_range: tuple[float, float], width: int) -> bool:
        """Draw what is new; return False where all is to be drawn anew, since the rest does not stay as it is."""
        pieces, before = [], self._scale
        for growing in self._growing:
            if growing.has_new:
                piece = growing.piece(self.shown_metric, x_range, width, self.keep)
                if piece is None:
                    return False
                pieces.append(piece)
        scale = self._fit([piece.line for piece in pieces])
        if scale != before and not self._is_clear:
            return False
        self._is_clear = False
        self.lines_item.setVisible(True)
        for piece in pieces:
            apart = stands_apart(piece.line.x, x_range, width)
            self._mark(piece, draw(self.lines[: len(self.series)], piece, apart, scale), scale)
            x = piece.line.x[max(piece.known - 1, 0) :]
            self.lines_item.paint_again(float(x[0]), float(x[-1]))
        self._leak_marks.show()
        self._bad_marks.show()
        return True

    def _mark(self, piece: Piece, y: Points, scale: LogScale) -> None:
        """Mark leaks on their lines, and what is no number at the top."""
        line, lanes = piece.line, piece.lanes
        self._leak_marks.go_on(piece, lanes, line.leaked, np.where(np.isnan(y), scale.none_y, y))
        bad = np.logical_or.reduce(line.bad)[None]   # one cross for all lines of a run
        self._bad_marks.go_on(piece, lanes[:1], bad, np.full(bad.shape, scale.nan_y))

    def _fit(self, lines: Sequence[Trace]) -> LogScale:
        """Bring axis and strips in line with the data; the scale only grows while the lines stay."""
        parts = [values for one in lines for values in (one.values, one.measured)]
        shown = [values[(values > 0) & np.isfinite(values)] for values in parts]
        has_none = any(bool(one.missing.any()) for one in lines)
        has_nan = any(bool(one.bad.any()) for one in lines)
        floor, top = (self._scale.floor, self._scale.top) if self._scale else (-3.0, 0.0)
        least = min((float(part.min()) for part in shown if len(part)), default=10.0**floor)
        largest = max((float(part.max()) for part in shown if len(part)), default=10.0**top)
        scale = fit(least, largest, has_none, has_nan, int(self.view_box.height()), self._scale)
        if scale != self._scale:
            self._scale = self.axis.scale_shown = scale
            self._place_strips(scale)
            self.axis.picture = None
            self.axis.update()
        if self.follows_y and self.view_box.viewRange()[1] != [scale.low, scale.high]:
            self.view_box.setYRange(scale.low, scale.high, padding=0)
        return scale

    @Slot(object, object)
    def on_steps_changed(self, view_box: object, steps: object) -> None:
        """Let the strips reach over the steps that are seen now."""
        if self._scale is not None:
            self._place_strips(self._scale)

    def _place_strips(self, scale: LogScale) -> None:
        (start, stop), height = self.view_box.viewRange()[0], scale.strip
        for strip, middle in ((self.zero_strip, scale.zero_y), (self.none_strip, scale.none_y)):
            strip.setRect(QRectF(start, middle - 0.5 * height, stop - start, height))
        self.zero_strip.setVisible(True)
        self.none_strip.setVisible(scale.has_none)

    def _show_nothing(self) -> None:
        self._scale = None
        self._clear()
        self.lines_item.setVisible(False)   # it would still be part of every painting
        self._leak_marks.show()
        self._bad_marks.show()
        self.zero_strip.setVisible(False)
        self.none_strip.setVisible(False)
        self.view_box.setYRange(0, 1, padding=0)
        self.show_message(self.empty_text)
