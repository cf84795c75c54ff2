"""Several runs side by side: small heatmaps on one colour scale, two against each other, and overlaid curves."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from PySide6.QtCore import Qt, Signal, Slot
from PySide6.QtGui import QResizeEvent, QShowEvent
from PySide6.QtWidgets import QComboBox, QPushButton, QSplitter, QStackedWidget, QVBoxLayout, QWidget

from freeze_gui.gui.compare_difference import DifferenceView
from freeze_gui.gui.compare_overlays import CompareOverlays
from freeze_gui.gui.compare_parts import CompareStatus, EmptyPage, headed_by
from freeze_gui.gui.compare_tiles import CompareTiles
from freeze_gui.gui.elided_label import ElidedLabel
from freeze_gui.gui.heatmap_legend import METRIC_TITLES
from freeze_gui.gui.tab_order import order_tabs
from freeze_gui.gui.turns import InTurns
from freeze_gui.runs.differences import differing_layers

if TYPE_CHECKING:
    from freeze_gui.runs.recorder import RunRecorder

SHORT_PX = 620
TITLE = "Layers × steps, one scale for all runs"
_TILES, _DIFFERENCE = 0, 1


class CompareView(QWidget):
    """Draws several runs; call `refresh` to draw what has arrived since.

    Attributes
    ----------
    status, tiles_view, difference, overlays
        Its parts.
    comparing, in_turns
        Whether these runs are a comparison that goes on, and whether they take turns: set by whoever knows.

    Signals
    -------
    layer_clicked(str)
        A row of a heatmap was chosen; carries the layer's path.
    run_chosen(object)
        A tile was clicked; carries its recorder.
    comparison_wanted(), latest_wanted(), cancel_wanted()
        A button of the empty view, or the one beside the progress, was pressed.
    """

    layer_clicked = Signal(str)
    run_chosen = Signal(object)
    comparison_wanted = Signal()
    latest_wanted = Signal()
    cancel_wanted = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.recorders: list[RunRecorder] = []
        self.numbers: list[int] = []
        self.comparing = self.in_turns = self._diff_only = False
        self._chosen: list[RunRecorder] = []
        self._filtered_for: object = None
        self._turn = 0
        self._turns = InTurns(self)
        self.status = CompareStatus(self)
        self.tiles_view = CompareTiles(self)
        self.difference = DifferenceView(self)
        self.overlays = CompareOverlays(self)
        self.empty_page = EmptyPage(self)
        self._lay_out()
        self._connect()

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
        self._filtered_for, self._chosen = None, []
        self.status.set_runs(self.recorders)
        for part in (self.tiles_view, self.difference, self.overlays):
            part.set_runs(self.recorders, self.numbers)
        self.difference_button.setEnabled(len(self.recorders) > 1)
        self._turn_to(_TILES)
        self._pages.setCurrentIndex(int(bool(self.recorders)))
        self._show_all_steps()
        self._turns.start_later(self._refreshed())   # what chose the runs has had this turn

    def set_count(self, count: int) -> None:
        """Say in the empty view how the runs of the window, which are so many, come side by side."""
        self.empty_page.set_count(count)

    def set_selected(self, paths: Sequence[str]) -> None:
        """Highlight these layers, and overlay the curves of the first."""
        self.tiles_view.set_selected(paths)
        self.difference.map.set_selected(paths)
        if paths:
            self.overlays.show_layer(paths[0])

    def set_diff_only(self, diff_only: bool) -> None:
        """Hide the layers that are equal in all runs."""
        self._diff_only, self._filtered_for = diff_only, None
        self.refresh()

    def refresh(self) -> None:
        """Draw what has arrived since the last call; costs next to nothing when hidden or when nothing is new."""
        if not self.isVisible():
            return
        if not self.comparing:
            self._turns.start(self._refreshed())
            return
        self.status.refresh(self.comparing, self.in_turns)
        if self._turns.is_working:   # the first pictures of these runs are still being drawn
            return
        self._filter_rows()
        self._turn = (self._turn + 1) % 4   # heatmaps and plots in turns, so that no frame is long
        if self._turn == 0:
            self.tiles_view.refresh()
            self.difference.refresh()
        else:
            self.overlays.refresh(self._turn - 1)

    def _refreshed(self) -> Iterator[None]:
        """Do a refresh in small pieces."""
        self.status.refresh(self.comparing, self.in_turns)
        yield
        self._filter_rows()
        yield
        if self.tiles_view.isVisible():
            yield from self.tiles_view.refreshed()
        self.difference.refresh()
        yield
        yield from self.overlays.refreshed()

    @Slot()
    def reset_view(self) -> None:
        """Show all steps and all values again."""
        self._show_all_steps()
        self.refresh()

    def _show_all_steps(self) -> None:
        self.overlays.reset_view()
        self.tiles_view.set_x_range(None)
        self.difference.map.set_x_range(None)

    @Slot(float, float)
    def show_steps(self, start: float, stop: float) -> None:
        """Show these steps in every view."""
        self.overlays.show_steps(start, stop)
        self.tiles_view.set_x_range(start, stop)
        self.difference.map.set_x_range(start, stop)
        self.refresh()

    @Slot(object)
    def show_cursor(self, step: float | None) -> None:
        """Draw the one cursor in every view."""
        for part in (self.overlays, self.tiles_view, self.difference.map):
            part.set_cursor(step)

    @Slot(str)
    def show_layer(self, path: str) -> None:
        """Overlay the curves of this layer."""
        self.overlays.show_layer(path)

    @Slot()
    def show_tiles(self) -> None:
        """Show all runs side by side."""
        self._chosen = []
        self.tiles_view.mark(())
        self._turn_to(_TILES)
        self.refresh()

    def show_pair(self, one: RunRecorder, other: RunRecorder) -> None:
        """Show one of the runs less another."""
        places = {id(recorder): at for at, recorder in enumerate(self.recorders)}
        self.difference.show_pair(places[id(one)], places[id(other)])
        self._turn_to(_DIFFERENCE)
        self.refresh()

    @Slot()
    def on_difference_clicked(self) -> None:
        """Show two runs, or all again."""
        if self.difference_button.isChecked():
            self._turn_to(_DIFFERENCE)
            self.refresh()
        else:
            self.show_tiles()

    @Slot(int, bool)
    def on_tile_chosen(self, at: int, beside: bool) -> None:
        """Show a run, or with Ctrl put it against another."""
        recorder = self.recorders[at]
        if not beside:
            self.run_chosen.emit(recorder)
            return
        if any(recorder is other for other in self._chosen):
            self._chosen.remove(recorder)
        else:
            self._chosen.append(recorder)
        self.tiles_view.mark(self._chosen)
        if len(self._chosen) == 2:
            self.show_pair(*self._chosen)

    @Slot(str, str)
    def on_difference_found(self, sentence: str, detail: str) -> None:
        """Say where two runs part."""
        self.title.setText(sentence)
        self.title.setToolTip(f"{sentence}\n{detail}" if detail else sentence)

    @Slot(int)
    def on_metric_chosen(self, index: int) -> None:
        """Show the chosen metric in every heatmap."""
        self.tiles_view.set_metric(self.metric_box.itemData(index))
        self.difference.map.set_metric(self.metric_box.itemData(index))

    def showEvent(self, event: QShowEvent) -> None:
        """Draw what arrived while the view was hidden: nothing else may come."""
        super().showEvent(event)
        self.refresh()

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Save height where there is little."""
        super().resizeEvent(event)
        self.tiles_view.set_short(self.height() < SHORT_PX)

    def _lay_out(self) -> None:
        self.metric_box = QComboBox(self)
        self.metric_box.setObjectName("compareMetricBox")
        self.metric_box.setAccessibleName("Metric of the heatmaps")
        for metric, title in METRIC_TITLES.items():
            self.metric_box.addItem(title, metric)
        self.difference_button = QPushButton("Two runs", self)
        self.difference_button.setObjectName("differenceButton")
        self.difference_button.setCheckable(True)
        self.difference_button.setToolTip("Show where two runs differ; Ctrl+click two tiles or two rows of the table")
        self._content = QStackedWidget(self)
        self._content.addWidget(self.tiles_view)
        self._content.addWidget(self.difference)
        top = QWidget(self)
        column = QVBoxLayout(top)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(8)
        self.title = ElidedLabel(Qt.TextElideMode.ElideRight, self)
        self.title.setObjectName("compareTitle")
        column.addLayout(headed_by(self.title, self.difference_button, self.metric_box))
        column.addWidget(self.status)
        column.addWidget(self._content, 1)
        splitter = QSplitter(Qt.Orientation.Vertical, self, handleWidth=8, childrenCollapsible=False)
        splitter.addWidget(top)
        splitter.addWidget(self.overlays)
        splitter.setSizes([560, 400])
        splitter.setStretchFactor(0, 3)
        splitter.setStretchFactor(1, 2)
        self._pages = QStackedWidget(self)
        self._pages.addWidget(self.empty_page)
        self._pages.addWidget(splitter)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(8, 8, 8, 8)
        layout.addWidget(self._pages)
        self.tiles_view.comes_after = self.status.cancel_button
        order_tabs(self.difference_button, self.metric_box, self.status, self.difference, self.overlays)

    def _connect(self) -> None:
        self.empty_page.comparison_wanted.connect(self.comparison_wanted)
        self.empty_page.latest_wanted.connect(self.latest_wanted)
        self.status.cancel_wanted.connect(self.cancel_wanted)
        self.metric_box.currentIndexChanged.connect(self.on_metric_chosen)
        self.difference_button.clicked.connect(self.on_difference_clicked)
        self.tiles_view.tile_chosen.connect(self.on_tile_chosen)
        for part in (self.tiles_view, self.difference):
            part.layer_clicked.connect(self.layer_clicked)
            part.layer_clicked.connect(self.show_layer)
        for view in (self.tiles_view, self.difference, self.overlays):
            view.step_hovered.connect(self.show_cursor)
            view.reset_requested.connect(self.reset_view)
        self.difference.found.connect(self.on_difference_found)
        self.overlays.x_zoomed.connect(self.show_steps)

    def _turn_to(self, page: int) -> None:
        self.difference_button.setChecked(page == _DIFFERENCE)
        if page == _TILES:
            self.title.setText(TITLE)
            self.title.setToolTip("")
        else:
            self.difference.say_again()
        self._content.setCurrentIndex(page)

    def _filter_rows(self) -> None:
        """Look again for equal layers when another run has ended, and not at every step."""
        key = self._diff_only, [recorder.ended is None for recorder in self.recorders]
        if key == self._filtered_for:
            return
        self._filtered_for = key
        self.tiles_view.set_row_filter(differing_layers(self.recorders) if self._diff_only else None)
