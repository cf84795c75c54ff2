"""One layer in every run: its curves over each other, and the loss of all runs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from PySide6.QtCore import Qt, Signal, Slot
from PySide6.QtWidgets import QComboBox, QHBoxLayout, QVBoxLayout, QWidget

from freeze_gui.gui.card import Card
from freeze_gui.gui.compare_parts import headed_by
from freeze_gui.gui.curves import LayerPlot
from freeze_gui.gui.elided_label import ElidedLabel
from freeze_gui.gui.loss_plot import LossPlot, LossSeries
from freeze_gui.gui.plot_base import StepPlot
from freeze_gui.gui.readout import runs_readout_html
from freeze_gui.gui.readout_box import ReadoutBox
from freeze_gui.gui.run_look import run_color, run_dash
from freeze_gui.gui.tab_order import order_tabs
from freeze_gui.gui.theme import theme_manager
from freeze_gui.gui.traces import Series
from freeze_gui.gui.turns import InTurns

if TYPE_CHECKING:
    from freeze_gui.runs.recorder import RunRecorder

MOST_LINES = 100
"""Of more runs only the latest that have begun are drawn: no two of so many in a row share both colour and dash."""


class CompareOverlays(QWidget):
    """Three plots, and the box that chooses the layer; runs are told apart by colour and dash.

    Signals
    -------
    step_hovered(object), reset_requested(), x_zoomed(float, float)
        Those of the plots.
    """

    step_hovered = Signal(object)
    reset_requested = Signal()
    x_zoomed = Signal(float, float)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._recorders: list[RunRecorder] = []
        self._numbers: list[int] = []
        self._lines_for: object = None
        self._listed: tuple[str, ...] = ()
        self.weight_delta_plot = LayerPlot("weight_delta", "compareWeightDeltaPlot", self)
        self.grad_norm_plot = LayerPlot("grad_norm", "compareGradNormPlot", self)
        self.loss_plot = LossPlot("compareLossPlot", self)
        self.layer_box = QComboBox(self)
        self.layer_box.setObjectName("compareLayerBox")
        self.layer_box.setAccessibleName("Layer of the curves")
        self.layer_box.setMinimumContentsLength(16)
        self.layer_box.setMaxVisibleItems(30)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(8)
        self.title = ElidedLabel(Qt.TextElideMode.ElideRight, self)
        column.addLayout(headed_by(self.title, self.layer_box))
        row = QHBoxLayout()
        row.setSpacing(8)
        for plot in self.plots:
            row.addWidget(Card(plot, 4, self), 1)
            plot.setMinimumHeight(104)
            plot.empty_text = "no steps yet"
            plot.step_hovered.connect(self.on_hovered)
            plot.reset_requested.connect(self.reset_requested)
            plot.x_zoomed.connect(self.x_zoomed)
        column.addLayout(row, 1)
        order_tabs(self.layer_box, *self.plots)
        self.readout = ReadoutBox(parent or self)   # it needs more room than there is between the plots' edges
        self.layer_box.currentIndexChanged.connect(self.on_layer_chosen)
        self._turns = InTurns(self)
        theme_manager().changed.connect(self.on_theme_changed)

    @property
    def plots(self) -> tuple[StepPlot, ...]:
        """The plots with a cursor and steps below them."""
        return self.weight_delta_plot, self.grad_norm_plot, self.loss_plot

    def set_runs(self, recorders: Sequence[RunRecorder], numbers: Sequence[int]) -> None:
        """Show these runs, each in the colour and dash of its number."""
        self._recorders, self._numbers, self._lines_for = list(recorders), list(numbers), None
        self.title.setText("One layer in every run" if len(recorders) <= MOST_LINES else
                           f"One layer in the latest {MOST_LINES} of {len(recorders):,} runs")

    def refresh(self, which: int | None = None) -> None:
        """Draw what has arrived since the last call, in all plots or in one; costs little when nothing is new."""
        if self.isVisible():
            self._turns.start(self.refreshed(which))

    def refreshed(self, which: int | None = None) -> Iterator[None]:
        """Do a refresh in small pieces."""
        plots = self.plots if which is None else self.plots[which : which + 1]
        self._fill_layer_box()
        yield from self._choose_lines()
        stop = max((_last_step(recorder) for recorder in self._recorders), default=1)
        live = any(recorder.ended is None for recorder in self._recorders)
        for plot in plots:
            plot.live = live
            if plot.follows_x:
                plot.show_steps(0.0, float(stop))
            plot.refresh()
            yield

    def reset_view(self) -> None:
        """Show all steps and all values again."""
        for plot in self.plots:
            plot.reset_view()

    def show_steps(self, start: float, stop: float) -> None:
        """Show these steps in every plot."""
        for plot in self.plots:
            plot.follows_x = False
            plot.show_steps(start, stop)

    def set_cursor(self, step: float | None) -> None:
        """Draw the cursor in every plot."""
        for plot in self.plots:
            plot.set_cursor(step)
        if step is None:
            self.readout.show_html("")

    def show_layer(self, path: str) -> None:
        """Overlay the curves of this layer."""
        at = self.layer_box.findData(path)
        if at >= 0:
            self.layer_box.setCurrentIndex(at)

    @Slot(object)
    def on_hovered(self, step: float | None) -> None:
        """Tell every view the step, and list what the runs have there."""
        self.step_hovered.emit(step)
        self.readout.show_html(self._readout(step) if step is not None else "")

    @Slot(int)
    def on_layer_chosen(self, index: int) -> None:
        """Overlay the chosen layer."""
        self.refresh()

    @Slot(object)
    def on_theme_changed(self, theme: object) -> None:
        """Take the new colours."""
        self._lines_for = None
        self.refresh()

    def _fill_layer_box(self) -> None:
        layers = tuple(dict.fromkeys(path for recorder in self._recorders for path in _layers(recorder)))
        if layers == self._listed:
            return
        self._listed = layers
        before = self.layer_box.currentData()
        self.layer_box.blockSignals(True)
        self.layer_box.clear()
        for path in layers:
            self.layer_box.addItem(path or "(model)", path)
        self.layer_box.setCurrentIndex(max(self.layer_box.findData(before), 0) if layers else -1)
        self.layer_box.blockSignals(False)

    def _drawn(self) -> list[tuple[int, RunRecorder]]:
        """Return the runs that have lines, each with its number."""
        runs = list(zip(self._numbers, self._recorders, strict=True))
        if len(runs) <= MOST_LINES:
            return runs
        return [(number, recorder) for number, recorder in runs if recorder.history is not None][-MOST_LINES:]

    def _choose_lines(self) -> Iterator[None]:
        path, drawn = self.layer_box.currentData(), self._drawn()
        key = path, [(id(recorder.history), recorder.label) for _, recorder in drawn]
        if key == self._lines_for:
            return
        lines, losses = [], []
        for number, recorder in drawn:
            color, dash, history = run_color(number), run_dash(number), recorder.history
            losses.append(LossSeries(recorder.label, color, color, dash, history))
            if history is not None and path in history.layers:
                lines.append(Series(recorder.label, color, dash, history, history.layers.index(path)))
        for plot in (self.weight_delta_plot, self.grad_norm_plot):
            plot.set_series(lines)
            yield
        self.loss_plot.set_series(losses)
        self._lines_for = key   # only now: in the middle another refresh may begin
        yield

    def _readout(self, step: float) -> str:
        path = self.layer_box.currentData()
        lines = [
            (recorder.label, run_color(number), history, history.layers.index(path) if path in history.layers else None)
            for number, recorder in self._drawn()
            if (history := recorder.history) is not None
        ]
        return runs_readout_html(lines, step, self.readout.lines)


def _layers(recorder: RunRecorder) -> tuple[str, ...]:
    return recorder.history.layers if recorder.history is not None else ()


def _last_step(recorder: RunRecorder) -> int:
    history = recorder.history
    return max(history.total_steps, history.steps, 1) if history is not None else 1
