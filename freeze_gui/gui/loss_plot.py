"""Loss of every step, loss and accuracy of the evaluations, and a changing learning rate, for one run or several."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyqtgraph as pg
from numpy.typing import NDArray
from PySide6.QtCore import Slot
from PySide6.QtWidgets import QWidget

from freeze_gui.gui.line_item import LineItem
from freeze_gui.gui.log_scale import smooth
from freeze_gui.gui.palette import mix
from freeze_gui.gui.plot_base import StepPlot, line_pen
from freeze_gui.gui.redraw import newest_column
from freeze_gui.gui.theme import current_theme
from freeze_gui.gui.traces import reduced_line
from freeze_gui.runs.history import Floats, History, HistoryView

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


class _Lines:
    def __init__(self, plot: LossPlot) -> None:
        self.faint = LineItem()
        self.loss = LineItem()
        self.accuracy = LineItem()
        self.rate = LineItem()
        for item in (self.faint, self.loss):
            plot.view_box.addItem(item, ignoreBounds=True)
        for item in (self.rate, self.accuracy):
            plot.right_box.addItem(item, ignoreBounds=True)

    def style(self, series: LossSeries) -> None:
        background = current_theme().plot_background
        self.faint.set_pen(line_pen(mix(series.color, background, 0.65)))
        self.loss.set_pen(line_pen(series.color, series.dash))
        self.accuracy.set_pen(line_pen(series.accuracy_color, series.dash or ACCURACY_DASH))
        self.rate.set_pen(line_pen(mix(series.color, background, 0.45), RATE_DASH))

    def set_visible(self, visible: bool) -> None:
        for item in (self.faint, self.loss, self.accuracy, self.rate):
            item.setVisible(visible)


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
        self.lines: list[_Lines] = []
        self.evaluated = _Points(self.view_box, "o")
        self.accuracies = _Points(self.right_box, "d")
        self.empty_text = "Loss and accuracy"
        self.keep = 0.0
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
            self.lines.append(_Lines(self))
        for at, lines in enumerate(self.lines):
            lines.set_visible(at < len(self.series))
        self._style()

    def set_smoothing(self, keep: float) -> None:
        """Draw a causal mean with this weight of the past; 0 draws what was measured."""
        self.keep = keep
        self.redraw.forget()

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
        if not any(steps or evaluations for steps, evaluations in counts):
            self._show_nothing()
            return True
        self.show_message("")
        rated = any(s.history is not None and changing_rate(s.history.view()) is not None for s in self.series)
        self.set_title(TITLE_WITH_RATE if rated else TITLE)
        parts = [self._draw(lines, one, width) for lines, one in zip(self.lines, self.series, strict=False)]
        self._show_evaluations()
        losses = np.concatenate(parts) if parts else np.zeros(0)
        heights = loss_range(losses)
        if self.follows_y and np.isfinite(losses).any() and self.view_box.viewRange()[1] != [*heights]:
            self.view_box.setYRange(*heights, padding=0)   # lays the axis out anew, also where nothing changes
        return True

    def _draw(self, lines: _Lines, one: LossSeries, width: int) -> Floats:
        """Replace the data of one run's lines; return the losses shown."""
        if one.history is None:
            lines.set_visible(False)
            return np.zeros(0)
        lines.set_visible(True)
        view = one.history.view()
        start, stop = self.view_box.viewRange()[0]
        x, y = reduced_line(view.loss_step, smooth(view.loss, self.keep), (start, stop), width)
        lines.loss.set_points(x, y)
        raw = reduced_line(view.loss_step, view.loss, (start, stop), width) if self.keep else (x[:0], y[:0])
        lines.faint.set_points(*raw)
        at, losses, accuracy = _evaluations(one.history)
        lines.accuracy.set_points(at, accuracy)
        rate = changing_rate(view)
        lines.rate.setVisible(rate is not None)
        if rate is not None:
            lines.rate.set_points(*rate_heights(view.loss_step, rate, (start, stop), width))
        return np.concatenate((raw[1], y, losses))

    def _show_evaluations(self) -> None:
        found = [(one, *_evaluations(one.history)) for one in self.series if one.history is not None]
        self.evaluated.show([(at, losses, one.color) for one, at, losses, _ in found])
        self.accuracies.show([(at, accuracy, one.accuracy_color) for one, at, _, accuracy in found])

    def _style(self) -> None:
        for points in (self.evaluated, self.accuracies):
            points.forget_colors()
        for lines, one in zip(self.lines, self.series, strict=False):
            lines.style(one)
        self.redraw.forget()

    def _show_nothing(self) -> None:
        for lines in self.lines:
            lines.set_visible(False)
        for points in (self.evaluated, self.accuracies):
            points.show([])
        self.view_box.setYRange(0, 1, padding=0)
        self.show_message(self.empty_text)

    @Slot()
    def on_view_resized(self) -> None:
        """Lay the accuracy's view over the loss's."""
        self.right_box.setGeometry(self.view_box.sceneBoundingRect())


def _evaluations(history: History) -> tuple[Floats, Floats, Floats]:
    """Return steps, losses and accuracies, NaN where there is none; each of shape (evaluations,)."""
    found = np.array([[np.nan if value is None else value for value in one] for one in history.evaluations], float)
    steps, losses, accuracies = found.reshape(-1, 3).T
    return steps, losses, accuracies


def changing_rate(view: HistoryView) -> Floats | None:
    """Return the learning rate of every step, shape (steps,), None where no scheduler has changed it so far."""
    rate = view.learning_rate
    return rate if len(rate) and bool((rate != rate[0]).any()) else None


def rate_heights(
    step: NDArray[np.int64], rate: Floats, x_range: tuple[float, float], width: int
) -> tuple[Floats, Floats]:
    """Return (x, y) of the steps of a learning rate, as shares of its largest value; each holds until the next."""
    x, y = reduced_line(step, rate / max(float(rate.max()), 1e-300), x_range, width)
    return np.repeat(x, 2)[1:], np.repeat(y, 2)[:-1]


def loss_range(losses: Floats) -> tuple[float, float]:
    """Return the heights between which these losses are drawn: from zero up, with some room above.

    They are whole pieces of at least a thirty-second of the losses, so that one that is a little larger than all before
    does not have the axis laid out anew.
    """
    finite = losses[np.isfinite(losses)]
    if not len(finite):
        return 0.0, 1.0
    low, high = max(min(float(finite.min()), 0.0), -1e300), min(float(finite.max()), 1e300)   # room for room
    span = max(high - low, 1e-9)
    piece, room = 2.0 ** (math.floor(math.log2(span)) - 4), 0.05 * span
    return (low if low == 0 else math.floor((low - room) / piece) * piece), math.ceil((high + room) / piece) * piece
