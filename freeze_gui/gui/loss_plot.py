"""Loss of every step, loss and accuracy of the evaluations, and a changing learning rate, for one run or several."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import Slot
from PySide6.QtWidgets import QWidget

from freeze_gui.gui.growing_line import GrowingLine
from freeze_gui.gui.lines_item import LinesItem
from freeze_gui.gui.log_scale import smooth_rows
from freeze_gui.gui.loss_values import Evaluations, RateScale, evaluations, loss_range
from freeze_gui.gui.palette import mix
from freeze_gui.gui.plot_base import StepPlot, line_pen
from freeze_gui.gui.redraw import newest_column
from freeze_gui.gui.theme import current_theme
from freeze_gui.runs.history import Floats, History

ACCURACY_DASH = (4.0, 3.0)
RATE_DASH = (1.0, 2.0)
TITLE = "loss · accuracy ◆ (right axis)"
TITLE_WITH_RATE = "loss · accuracy ◆, learning rate ┈ (right axis)"


@dataclass(frozen=True)
class LossSeries:
    """The loss of one run, with the colours of its lines; `history` None while it waits."""

    label: str
    color: str
    accuracy_color: str
    dash: tuple[float, ...] | None
    history: History | None


class _RunLines:
    """The lines of one run: its loss, or the mean of it and, faint, what was measured; learning rate and accuracy."""

    def __init__(self, losses: LinesItem, shares: LinesItem) -> None:
        self.faint, self.loss = GrowingLine(losses, -1), GrowingLine(losses)
        self.rate, self.accuracy = GrowingLine(shares, -1), GrowingLine(shares)
        self.rate_scale = RateScale()

    def style(self, series: LossSeries) -> None:
        """Take the colours of this run."""
        background = current_theme().plot_background
        self.faint.line.set_pen(line_pen(mix(series.color, background, 0.65)))
        self.loss.line.set_pen(line_pen(series.color, series.dash))
        self.accuracy.line.set_pen(line_pen(series.accuracy_color, series.dash or ACCURACY_DASH))
        self.rate.line.set_pen(line_pen(mix(series.color, background, 0.45), RATE_DASH))

    def clear(self) -> None:
        """Draw nothing, and all anew from now on."""
        for line in (self.faint, self.loss, self.rate, self.accuracy):
            line.clear()
        self.rate_scale = RateScale()

    def go_on(
        self, history: History, evaluated: Evaluations, x_range: tuple[float, float], width: int, keep: float
    ) -> list[Floats]:
        """Draw what is new of a run; return the least and the largest of the losses that are drawn by now."""
        view, place = history.view(), (x_range, width)
        self.loss.go_on(view.loss_step, lambda rows: smooth_rows(view.loss, rows, keep), *place)
        if keep:
            self.faint.go_on(view.loss_step, lambda rows: view.loss[rows], *place)
        self.accuracy.go_on(evaluated.step, lambda rows: evaluated.accuracy[rows], *place)
        top = self.rate_scale.top
        self.rate_scale.look(view.learning_rate)
        if self.rate_scale.changes:
            if self.rate_scale.top != top:   # each height is another one
                self.rate.clear()
            top = self.rate_scale.top
            self.rate.go_on(view.loss_step, lambda rows: view.learning_rate[rows] / top, *place, holds=True)
        return [self.loss.heights, self.faint.heights]


class _Points:
    """The evaluations of all runs as one item: an item a run costs a hundred times as much to style and to paint."""

    def __init__(self, box: pg.ViewBox, symbol: str) -> None:
        self.item = pg.ScatterPlotItem(symbol=symbol, size=7, pxMode=True)
        self._colors: list[str] = []
        box.addItem(self.item, ignoreBounds=True)

    def show(self, parts: Sequence[tuple[Floats, Floats, str]]) -> None:
        """Show the finite points, each part in its colour; a part is x, y and a colour."""
        kept = [(x[good], y[good], color) for x, y, color in parts if (good := np.isfinite(y)).any()]
        x, y = (np.concatenate([part[at] for part in kept]) if kept else np.zeros(0) for at in (0, 1))
        colors = [color for part_x, _, color in kept for _ in range(len(part_x))]
        self.item.setVisible(bool(colors))
        if colors != self._colors or not all(map(np.array_equal, (x, y), self.item.getData())):
            self._colors = colors
            brushes = {color: pg.mkBrush(color) for color in colors}
            self.item.setData(x, y, pen=line_pen(current_theme().plot_background),
                              brush=[brushes[color] for color in colors])

    def forget_colors(self) -> None:
        """Take the colours of the theme with the next points."""
        self._colors = []


class LossPlot(StepPlot):
    """Loss on the left axis, accuracy from 0 to 1 on the right one, where a learning rate that changes is drawn too."""

    def __init__(self, name: str = "lossPlot", parent: QWidget | None = None) -> None:
        self.right_box = pg.ViewBox(enableMenu=False, enableMouse=False, defaultPadding=0.0)
        super().__init__(name, TITLE, parent=parent)
        self.series: list[LossSeries] = []
        self.lines: list[_RunLines] = []
        self.losses_item, self.shares_item = LinesItem(self.view_box), LinesItem(self.right_box)
        self.evaluated = _Points(self.view_box, "o")
        self.accuracies = _Points(self.right_box, "d")
        self.empty_text = "Loss and accuracy"
        self.keep = 0.0
        self._place: tuple[tuple[float, float], int] | None = None   # steps and width that are drawn
        self._evaluations: list[Evaluations] = []   # of each of `series`, as they are drawn
        item = self.getPlotItem()
        item.getAxis("left").setWidth(44)
        item.showAxis("right")
        self.right_box.setZValue(-5)
        self.right_box.setAcceptedMouseButtons(pg.QtCore.Qt.MouseButton.NoButton)
        item.scene().addItem(self.right_box)
        item.getAxis("right").linkToView(self.right_box)
        self.right_box.setXLink(self.view_box)
        self.right_box.setYRange(-0.02, 1.04, padding=0)
        self.view_box.sigResized.connect(self.on_view_resized)
        self._show_nothing()

    def set_series(self, series: Sequence[LossSeries]) -> None:
        """Draw these runs from the next refresh on."""
        if list(series) == self.series:
            return
        self.series = list(series)
        while len(self.lines) < len(self.series):
            self.lines.append(_RunLines(self.losses_item, self.shares_item))
        self._style()

    def set_smoothing(self, keep: float) -> None:
        """Draw a causal mean with this weight of the past; 0 draws what was measured."""
        self.keep = keep
        self._forget()

    def restyle(self) -> None:
        """Take the colours of the theme in use."""
        super().restyle()
        self._style()

    def refresh(self) -> bool:
        """Draw what has arrived since the last call, and return whether there was anything to draw."""
        if not self.isVisible():
            return False
        histories = [one.history for one in self.series if one.history is not None]
        counts = [(history.steps, len(history.evaluations)) for history in histories]
        (start, stop), width = self.view_box.viewRange()[0], max(int(self.view_box.width()), 50)
        newest = [newest_column(history.newest_step, (start, stop), width) for history in histories]
        if not self.redraw.is_due((start, stop, width, self.keep, self.follows_y), counts, newest, self.live):
            return False
        if not any(steps or evaluated for steps, evaluated in counts):
            self._show_nothing()
            return True
        self.show_message("")
        losses = self._draw((start, stop), width)
        self.set_title(TITLE_WITH_RATE if any(lines.rate_scale.changes for lines in self.lines) else TITLE)
        heights = loss_range(losses)
        if self.follows_y and np.isfinite(losses).any() and self.view_box.viewRange()[1] != [*heights]:
            self.view_box.setYRange(*heights, padding=0)   # lays the axis out anew, also where nothing changes
        return True

    def _draw(self, x_range: tuple[float, float], width: int) -> Floats:
        """Draw what is new, everything where other steps are seen, or with other pixels; return losses.

        The least and the largest of those that are drawn are among them.
        """
        if (x_range, width) != self._place:
            self._clear()
            self._place = x_range, width
        counts = [len(one.history.evaluations) if one.history else 0 for one in self.series]
        if counts != [len(found.step) for found in self._evaluations]:
            self._show_evaluations([evaluations(one.history) for one in self.series])
        losses = [found.loss for found in self._evaluations]
        for lines, one, found in zip(self.lines, self.series, self._evaluations, strict=False):
            if one.history is not None:
                losses += lines.go_on(one.history, found, x_range, width, self.keep)
        return np.concatenate(losses)

    def _clear(self) -> None:
        for lines in self.lines:
            lines.clear()
        self._evaluations = []

    def _forget(self) -> None:
        """Draw everything anew with the next refresh."""
        self.redraw.forget()
        self._place = None

    def _show_evaluations(self, found: list[Evaluations]) -> None:
        self._evaluations, both = found, list(zip(self.series, found, strict=True))
        self.evaluated.show([(some.step, some.loss, one.color) for one, some in both])
        self.accuracies.show([(some.step, some.accuracy, one.accuracy_color) for one, some in both])

    def _style(self) -> None:
        for points in (self.evaluated, self.accuracies):
            points.forget_colors()
        for lines, one in zip(self.lines, self.series, strict=False):
            lines.style(one)
        self._forget()

    def _show_nothing(self) -> None:
        self._clear()
        self._place = None
        for points in (self.evaluated, self.accuracies):
            points.show([])
        self.set_title(TITLE)
        self.view_box.setYRange(0, 1, padding=0)
        self.show_message(self.empty_text)

    @Slot()
    def on_view_resized(self) -> None:
        """Lay the accuracy's view over the loss's."""
        self.right_box.setGeometry(self.view_box.sceneBoundingRect())
