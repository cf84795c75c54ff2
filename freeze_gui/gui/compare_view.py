"""Several runs side by side: small heatmaps on one colour scale, and overlaid curves of one layer and of the loss."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from PySide6.QtCore import Qt, Signal, Slot
from PySide6.QtGui import QResizeEvent, QShowEvent
from PySide6.QtWidgets import (
    QComboBox,
    QFrame,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QScrollArea,
    QSplitter,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from freeze_gui.gui.card import Card
from freeze_gui.gui.curves import LayerPlot
from freeze_gui.gui.heatmap_legend import METRIC_TITLES, HeatmapLegend
from freeze_gui.gui.loss_plot import LossPlot, LossSeries
from freeze_gui.gui.plot_base import StepPlot
from freeze_gui.gui.readout import runs_readout_html
from freeze_gui.gui.readout_box import ReadoutBox
from freeze_gui.gui.run_look import run_color, run_dash
from freeze_gui.gui.run_tile import RunTile
from freeze_gui.gui.runs_table import RunsTable
from freeze_gui.gui.theme import theme_manager
from freeze_gui.gui.traces import Series

if TYPE_CHECKING:
    from freeze_gui.runs.recorder import RunRecorder

__all__ = ["CompareView", "RunsTable"]

MOST_IN_A_ROW = 4
TILE_PX = 136
"""Least width of a tile; where there is room for more than `MOST_IN_A_ROW` of twice this width, a row has more."""
SHORT_PX = 620
NO_RUNS = "Which way of freezing really holds?"
NO_RUNS_HINT = "Each method runs from the same weights, seed and batches; the runs appear here side by side."


class CompareView(QWidget):
    """Draws several runs; call `refresh` to draw what has arrived since.

    Signals
    -------
    layer_clicked(str)
        A row of a heatmap was chosen; carries the layer's path.
    comparison_wanted()
        The button of the empty view was pressed.
    """

    layer_clicked = Signal(str)
    comparison_wanted = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.recorders: list[RunRecorder] = []
        self.numbers: list[int] = []
        self.tiles: list[RunTile] = []
        self.weight_delta_plot = LayerPlot("weight_delta", "compareWeightDeltaPlot", self)
        self.grad_norm_plot = LayerPlot("grad_norm", "compareGradNormPlot", self)
        self.loss_plot = LossPlot("compareLossPlot", self)
        self._lines_for: object = None
        self._build()

    @property
    def plots(self) -> tuple[StepPlot, ...]:
        """The plots with a cursor and steps below them."""
        return self.weight_delta_plot, self.grad_norm_plot, self.loss_plot

    def set_runs(self, recorders: Sequence[RunRecorder], numbers: Sequence[int] | None = None) -> None:
        """Show these runs, in this order; those that wait have an empty place.

        Parameters
        ----------
        recorders
            The runs.
        numbers
            The number of each among all runs of the window, which decides its colour and dash; None counts from 0.
        """
        self.recorders = list(recorders)
        self.numbers = list(range(len(self.recorders)) if numbers is None else numbers)
        self._lines_for = None
        while len(self.tiles) < len(self.recorders):
            tile = RunTile(self)
            tile.heatmap.layer_clicked.connect(self.layer_clicked)
            tile.heatmap.layer_clicked.connect(self.show_layer)
            tile.heatmap.step_hovered.connect(self.show_cursor)
            tile.heatmap.reset_requested.connect(self.reset_view)
            self.tiles.append(tile)
        for at, recorder in enumerate(self.recorders):
            self.tiles[at].set_run(recorder, self.numbers[at])
        self._per_row = 0
        self._place_tiles()
        self._pages.setCurrentIndex(int(bool(self.recorders)))
        self.reset_view()

    def set_selected(self, paths: Sequence[str]) -> None:
        """Highlight these layers, and overlay the curves of the first."""
        for tile in self.tiles:
            tile.heatmap.set_selected(paths)
        if paths:
            self.show_layer(paths[0])

    def refresh(self) -> None:
        """Draw what has arrived since the last call; costs next to nothing when hidden or when nothing is new."""
        if not self.isVisible():
            return
        self._fill_layer_box()
        self._choose_lines()
        self._share_levels()
        for tile in self.tiles[: len(self.recorders)]:
            tile.refresh()
        stop = max((_last_step(recorder) for recorder in self.recorders), default=1)
        for plot in self.plots:
            if plot.follows_x:
                plot.show_steps(0.0, float(stop))
            plot.refresh()

    @Slot()
    def reset_view(self) -> None:
        """Show all steps and all values again."""
        for plot in self.plots:
            plot.reset_view()
        for tile in self.tiles:
            tile.heatmap.set_x_range(None)
        self.refresh()

    @Slot(float, float)
    def show_steps(self, start: float, stop: float) -> None:
        """Show these steps in every view."""
        for plot in self.plots:
            plot.follows_x = False
            if plot is not self.sender():
                plot.show_steps(start, stop)
        for tile in self.tiles:
            tile.heatmap.set_x_range(start, stop)
        self.refresh()

    @Slot(object)
    def show_cursor(self, step: float | None) -> None:
        """Draw the one cursor in every view."""
        for plot in self.plots:
            plot.set_cursor(step)
        for tile in self.tiles:
            tile.heatmap.set_cursor(step)
        from_plot = isinstance(self.sender(), StepPlot)
        self.readout.show_html(self._readout(step) if from_plot and step is not None else "")

    @Slot(str)
    def show_layer(self, path: str) -> None:
        """Overlay the curves of this layer."""
        at = self.layer_box.findData(path)
        if at >= 0:
            self.layer_box.setCurrentIndex(at)

    # ------------------------------------------------------------------------------------------------- set-up

    def _build(self) -> None:
        self.metric_box = QComboBox(self)
        self.metric_box.setAccessibleName("Metric of the heatmaps")
        for metric, title in METRIC_TITLES.items():
            self.metric_box.addItem(title, metric)
        self.layer_box = QComboBox(self)
        self.layer_box.setObjectName("compareLayerBox")
        self.layer_box.setAccessibleName("Layer of the curves")
        self.layer_box.setMinimumContentsLength(16)
        self.layer_box.setMaxVisibleItems(30)
        self.legend = HeatmapLegend(self)
        self._grid = QGridLayout()
        self._grid.setContentsMargins(0, 0, 0, 0)
        self._grid.setSpacing(8)
        self._per_row = 0
        tiles = QWidget(self)
        tiles.setLayout(self._grid)
        self.tiles_area = QScrollArea(self)
        self.tiles_area.setFrameShape(QFrame.Shape.NoFrame)
        self.tiles_area.setWidgetResizable(True)
        self.tiles_area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.tiles_area.setFocusPolicy(Qt.FocusPolicy.NoFocus)   # the heatmaps in it have the keyboard
        self.tiles_area.setMinimumSize(MOST_IN_A_ROW * TILE_PX, 104)
        self.tiles_area.setWidget(tiles)

        top = QWidget(self)
        column = QVBoxLayout(top)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(8)
        column.addLayout(_heading("Layers × steps, one scale for all runs", self.metric_box))
        column.addWidget(self.tiles_area, 1)
        column.addWidget(self.legend)
        bottom = QWidget(self)
        column = QVBoxLayout(bottom)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(8)
        column.addLayout(_heading("One layer in every run", self.layer_box))
        row = QHBoxLayout()
        row.setSpacing(8)
        for plot in self.plots:
            row.addWidget(Card(plot, 4, bottom), 1)
            plot.setMinimumHeight(104)
            plot.empty_text = ""
        column.addLayout(row, 1)
        splitter = QSplitter(Qt.Orientation.Vertical, self)
        splitter.setHandleWidth(8)
        splitter.setChildrenCollapsible(False)
        splitter.addWidget(top)
        splitter.addWidget(bottom)
        splitter.setSizes([560, 400])
        splitter.setStretchFactor(0, 3)
        splitter.setStretchFactor(1, 2)
        self._pages = QStackedWidget(self)
        self._pages.addWidget(self._empty_page())
        self._pages.addWidget(splitter)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(8, 8, 8, 8)
        layout.addWidget(self._pages)
        self.readout = ReadoutBox(self)
        self.metric_box.currentIndexChanged.connect(self.on_metric_chosen)
        self.layer_box.currentIndexChanged.connect(self.on_layer_chosen)
        for plot in self.plots:
            plot.step_hovered.connect(self.show_cursor)
            plot.reset_requested.connect(self.reset_view)
            plot.x_zoomed.connect(self.show_steps)
        theme_manager().changed.connect(self.on_theme_changed)

    def _empty_page(self) -> QWidget:
        page = QWidget(self)
        words, hint = QLabel(NO_RUNS, page), QLabel(NO_RUNS_HINT, page)
        words.setProperty("title", True)
        hint.setProperty("muted", True)
        hint.setWordWrap(True)
        self.compare_button = QPushButton("Compare methods…", page)
        self.compare_button.setObjectName("emptyCompareButton")
        self.compare_button.clicked.connect(self.comparison_wanted)
        column = QVBoxLayout(page)
        column.setSpacing(8)
        column.addStretch(1)
        for label in (words, hint):
            label.setAlignment(Qt.AlignmentFlag.AlignCenter)
            column.addWidget(label)
        column.addSpacing(4)
        column.addWidget(self.compare_button, 0, Qt.AlignmentFlag.AlignHCenter)
        column.addStretch(1)
        return page

    def showEvent(self, event: QShowEvent) -> None:
        """Draw what arrived while the view was hidden: nothing else may come."""
        super().showEvent(event)
        self.refresh()

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Use the width for more tiles in a row, and save height where there is little."""
        super().resizeEvent(event)
        self.legend.set_short(self.height() < SHORT_PX)
        self._place_tiles()

    def _place_tiles(self) -> None:
        count = len(self.recorders)
        per_row = tiles_per_row(count, max(MOST_IN_A_ROW, self.width() // (2 * TILE_PX)))
        if per_row == self._per_row:
            return
        for column in range(self._grid.columnCount()):
            self._grid.setColumnStretch(column, int(column < per_row))
        self._per_row = per_row
        for at, tile in enumerate(self.tiles):
            self._grid.removeWidget(tile)
            tile.setVisible(at < count)
            if at < count:
                self._grid.addWidget(tile, at // per_row, at % per_row)
                self._grid.setColumnStretch(at % per_row, 1)

    @Slot(int)
    def on_metric_chosen(self, index: int) -> None:
        """Show the chosen metric in every heatmap."""
        for tile in self.tiles:
            tile.heatmap.set_levels(1.0, None)
            tile.heatmap.set_metric(self.metric_box.itemData(index))
        self.refresh()

    @Slot(int)
    def on_layer_chosen(self, index: int) -> None:
        """Overlay the chosen layer."""
        self.refresh()

    @Slot(object)
    def on_theme_changed(self, theme: object) -> None:
        """Take the new colours."""
        self._lines_for = None
        for at, recorder in enumerate(self.recorders):
            self.tiles[at].set_run(recorder, self.numbers[at])
        self.refresh()

    # ------------------------------------------------------------------------------------------------- content

    def _fill_layer_box(self) -> None:
        layers = list(dict.fromkeys(path for recorder in self.recorders for path in _layers(recorder)))
        if layers == [self.layer_box.itemData(at) for at in range(self.layer_box.count())]:
            return
        before = self.layer_box.currentData()
        self.layer_box.blockSignals(True)
        self.layer_box.clear()
        for path in layers:
            self.layer_box.addItem(path or "(model)", path)
        self.layer_box.setCurrentIndex(max(self.layer_box.findData(before), 0) if layers else -1)
        self.layer_box.blockSignals(False)

    def _choose_lines(self) -> None:
        path = self.layer_box.currentData()
        key = path, [id(recorder.history) for recorder in self.recorders]
        if key == self._lines_for:
            return
        self._lines_for = key
        lines, losses = [], []
        for number, recorder in zip(self.numbers, self.recorders, strict=True):
            color, dash, history = run_color(number), run_dash(number), recorder.history
            losses.append(LossSeries(recorder.label, color, color, dash, history))
            if history is not None and path in history.layers:
                lines.append(Series(recorder.label, color, dash, history, history.layers.index(path)))
        for plot in (self.weight_delta_plot, self.grad_norm_plot):
            plot.set_series(lines)
        self.loss_plot.set_series(losses)

    def _readout(self, step: float) -> str:
        path = self.layer_box.currentData()
        lines = [
            (recorder.label, run_color(number), history, history.layers.index(path) if path in history.layers else None)
            for number, recorder in zip(self.numbers, self.recorders, strict=True)
            if (history := recorder.history) is not None
        ]
        return runs_readout_html(lines, step)

    def _share_levels(self) -> None:
        """Give every heatmap the scale that holds the data of all."""
        tiles = self.tiles[: len(self.recorders)]
        own = [levels for tile in tiles if (levels := tile.heatmap.own_levels()) is not None]
        if not own:
            return
        low, high = min(levels[0] for levels in own), max(levels[1] for levels in own)
        for tile in tiles:
            tile.heatmap.set_levels(low, high)
        self.legend.set_scale(self.metric_box.currentData(), tiles[0].heatmap.levels())


def tiles_per_row(count: int, most: int = MOST_IN_A_ROW) -> int:
    """Return how many heatmaps stand side by side: up to `most`, and rows as even as can be."""
    rows = -(-count // most)
    return -(-count // rows) if rows else 1


def _heading(text: str, box: QComboBox) -> QHBoxLayout:
    line = QHBoxLayout()
    line.setSpacing(8)
    label = QLabel(text)
    label.setProperty("title", True)
    line.addWidget(label, 1)
    line.addWidget(box)
    return line


def _layers(recorder: RunRecorder) -> tuple[str, ...]:
    return recorder.history.layers if recorder.history is not None else ()


def _last_step(recorder: RunRecorder) -> int:
    history = recorder.history
    return max(history.total_steps, history.steps, 1) if history is not None else 1
