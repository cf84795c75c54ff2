"""Curves of a layer metric over steps on a log axis with an honest zero."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import QRectF, Qt, Slot
from PySide6.QtGui import QColor, QPen
from PySide6.QtWidgets import QGraphicsRectItem, QWidget

from freeze_gui.gui.heatmap_legend import METRIC_TITLES
from freeze_gui.gui.line_item import LineItem
from freeze_gui.gui.log_scale import LogScale, fit
from freeze_gui.gui.palette import mix
from freeze_gui.gui.plot_axes import LABEL_PX
from freeze_gui.gui.plot_base import StepPlot, line_pen, show_marks
from freeze_gui.gui.redraw import newest_column
from freeze_gui.gui.theme import current_theme
from freeze_gui.gui.traces import Series, Trace, marked, traces

EMPTY_TEXTS = {
    "weight_delta": "How far each layer has moved from where it started",
    "update_norm": "How far each layer moves in a step",
    "grad_norm": "How strong each layer's gradient is",
}
FROZEN_DASH = (3, 3)
MOST_MARKS = 12
NO_PEN = QPen(Qt.PenStyle.NoPen)


class LogAxis(pg.AxisItem):   # type: ignore[misc]   # pyqtgraph ships no types
    """Ticks of a `LogScale`: powers of ten, and words for the strips below them."""

    def __init__(self) -> None:
        super().__init__("left")
        self.scale_shown = LogScale()
        self._strips_joined = False   # in a low plot one word stands for both strips
        self.setWidth(44)

    def tickValues(self, minVal: float, maxVal: float, size: float) -> list[tuple[float, list[float]]]:
        """Return ticks with words, then those without."""
        scale = self.scale_shown
        worded, between = scale.ticks(minVal, maxVal, max(int(size // 28), 2))
        line = LABEL_PX * (maxVal - minVal) / max(size, 1.0)
        worded = [y for y in worded if y <= scale.zero_y + 1e-9 or y >= scale.zero_y + line]   # no number into a word
        self._strips_joined = scale.has_none and scale.zero_y - scale.none_y < line
        if self._strips_joined:
            worded = [y for y in worded if abs(y - scale.zero_y) > 1e-9]
        return [(1.0, worded), (0.1, between)]

    def tickStrings(self, values: list[float], scale: float, spacing: float) -> list[str]:
        """Return the words; none for ticks between powers of ten."""
        return [self._word(y) if spacing == 1.0 else "" for y in values]

    def _word(self, y: float) -> str:
        joined = self._strips_joined and abs(y - self.scale_shown.none_y) < 1e-9
        return "0/none" if joined else self.scale_shown.value_text(y)


class _Lines:
    """The items that draw one series: what trains, what is frozen, what was measured before smoothing."""

    def __init__(self, plot: StepPlot) -> None:
        self.faint = LineItem()
        self.main = LineItem()
        self.frozen = LineItem()
        self.none = LineItem()
        self.drawn: tuple[LogScale, int, Trace] | None = None   # for what: while it stays, they are left alone
        for item, height in zip(self.items, (-5, 2, 1, 0), strict=True):   # no raw line hides another's mean
            item.setZValue(height)
            plot.view_box.addItem(item, ignoreBounds=True)

    @property
    def items(self) -> tuple[LineItem, ...]:
        return self.faint, self.main, self.frozen, self.none

    def style(self, series: Series) -> None:
        theme = current_theme()
        pale = mix(series.color, theme.plot_background, 0.25)
        self.faint.set_pen(line_pen(mix(series.color, theme.plot_background, 0.7)))
        self.main.set_pen(line_pen(series.color, series.dash))
        self.frozen.set_pen(line_pen(pale, series.dash or FROZEN_DASH))
        self.none.set_pen(line_pen(pale))

    def hide(self) -> None:
        self.drawn = None
        for item in self.items:
            item.setVisible(False)


class LayerPlot(StepPlot):
    """One metric of a few series: at most some ten lines.

    Frozen stretches are dotted and pale, leaks are marked with triangles, exact zeros lie in a strip named ``0``, and
    steps without a gradient are a gap with a mark in a strip named ``none``.
    """

    def __init__(self, metric: str, name: str, parent: QWidget | None = None) -> None:
        self.metric = metric
        self.axis = LogAxis()
        self.lines: list[_Lines] = []
        self.series: list[Series] = []
        super().__init__(name, METRIC_TITLES[metric], self.axis, parent)
        self.zero_strip, self.none_strip = QGraphicsRectItem(), QGraphicsRectItem()   # Qt paints them without Python
        for strip in (self.zero_strip, self.none_strip):
            strip.setPen(NO_PEN)
            strip.setZValue(-10)
            self.view_box.addItem(strip, ignoreBounds=True)
        self.leaks = pg.ScatterPlotItem(symbol="t", size=8, pxMode=True)
        self.bad = pg.ScatterPlotItem(symbol="x", size=8, pxMode=True)
        for marks in (self.leaks, self.bad):
            marks.setZValue(10)
            self.view_box.addItem(marks, ignoreBounds=True)
        self.empty_text = EMPTY_TEXTS[metric]
        self.keep = 0.0
        self._kept: dict[tuple[object, ...], Trace] = {}   # one run of many goes on
        self._scale: LogScale | None = None
        self.view_box.sigXRangeChanged.connect(self.on_steps_changed)
        self.restyle()
        self._show_nothing()

    def set_series(self, series: Sequence[Series]) -> None:
        """Draw these lines from the next refresh on."""
        if list(series) == self.series:
            return
        before = {(id(s.history), s.layer) for s in self.series}
        self.series, self._kept = list(series), {}
        if not before & {(id(s.history), s.layer) for s in self.series}:
            self._scale = None   # nothing is left that the old scale was for
        while len(self.lines) < len(self.series):
            self.lines.append(_Lines(self))
        for lines, one in zip(self.lines, self.series, strict=False):
            lines.style(one)
        self.redraw.forget()

    def set_smoothing(self, keep: float) -> None:
        """Draw a causal mean with this weight of the past; 0 draws what was measured."""
        self.keep = keep
        self.redraw.forget()

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
        self.redraw.forget()

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

    def _draw(self, x_range: tuple[float, float], width: int) -> None:
        lines = self._traces(x_range, width, self.keep)
        raws: Sequence[Trace | None] = self._traces(x_range, width, 0.0) if self.keep else [None] * len(lines)
        scale = self._fit(lines + [raw for raw in raws if raw is not None])
        for lane, items in enumerate(self.lines):
            if lane >= len(lines):
                items.hide()
                continue
            self._draw_lines(items, lines[lane], raws[lane], scale, lane)
        self._mark_leaks(lines, scale)
        bad = np.unique(np.concatenate([one.x[marked(one.x, one.bad, MOST_MARKS)] for one in lines]))
        show_marks(self.bad, bad, np.full(len(bad), scale.nan_y))

    def _traces(self, x_range: tuple[float, float], width: int, keep: float) -> list[Trace]:
        """Return the line of each series; those of one history are found at once, those with nothing new kept."""
        keys = [(keep, id(one.history), one.layer, one.history.rows, x_range, width) for one in self.series]
        found = {key: self._kept[key] for key in keys if key in self._kept}
        for history in {id(one.history): one.history for one in self.series}.values():
            new = [at for at, one in enumerate(self.series) if one.history is history and keys[at] not in found]
            if new:
                layers = [self.series[at].layer for at in new]
                lines = traces(history.view(), self.metric, layers, x_range, width, keep)
                found |= {keys[at]: line for at, line in zip(new, lines, strict=True)}
        self._kept = {key: one for key, one in self._kept.items() if key[0] != keep} | found
        return [found[key] for key in keys]

    def _draw_lines(self, lines: _Lines, one: Trace, raw: Trace | None, scale: LogScale, lane: int) -> None:
        lanes = len(self.series)
        if lines.drawn is not None and lines.drawn[:2] == (scale, lanes) and lines.drawn[2] is one:
            return   # with the same line before smoothing: both have one key
        lines.drawn = scale, lanes, one
        y, is_frozen, trains = scale.y(one.values, lane, lanes), bool(one.frozen.any()), not one.frozen.all()
        lines.main.setVisible(trains)
        if trains:
            lines.main.set_points(one.x, np.where(one.frozen, np.nan, y) if is_frozen else y)
        lines.frozen.setVisible(is_frozen)
        if is_frozen:
            around = one.frozen.copy()   # the frozen line reaches to the points beside it, so that nothing is cut
            around[:-1] |= one.frozen[1:]
            around[1:] |= one.frozen[:-1]
            lines.frozen.set_points(one.x, np.where(around, y, np.nan))
        lines.faint.setVisible(raw is not None)
        if raw is not None:
            lines.faint.set_points(raw.x, scale.y(raw.values, lane, lanes))
        lines.none.setVisible(bool(one.missing.any()))
        if one.missing.any():
            lines.none.set_points(one.x, np.where(one.missing, scale.lane_y(scale.none_y, lane, lanes), np.nan))

    def _mark_leaks(self, traces: list[Trace], scale: LogScale) -> None:
        xs, ys = [np.zeros(0)], [np.zeros(0)]
        for lane, one in enumerate(traces):
            at = marked(one.x, one.leaked, MOST_MARKS)
            if len(at):
                y = scale.y(one.values[at], lane, len(traces))
                xs.append(one.x[at])
                ys.append(np.where(np.isnan(y), scale.none_y, y))
        show_marks(self.leaks, np.concatenate(xs), np.concatenate(ys))

    def _fit(self, traces: Sequence[Trace]) -> LogScale:
        """Bring axis and strips in line with the data; the scale only grows while the lines stay."""
        shown = [one.values[(one.values > 0) & np.isfinite(one.values)] for one in traces]
        has_none = any(bool(one.missing.any()) for one in traces)
        has_nan = any(bool(one.bad.any()) for one in traces)
        least = min((float(part.min()) for part in shown if len(part)), default=1e-3)
        largest = max((float(part.max()) for part in shown if len(part)), default=1.0)
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
        for lines in self.lines:
            lines.hide()
        for marks in (self.leaks, self.bad):
            marks.setVisible(False)
        self.zero_strip.setVisible(False)
        self.none_strip.setVisible(False)
        self.view_box.setYRange(0, 1, padding=0)
        self.show_message(self.empty_text)
