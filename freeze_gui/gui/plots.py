"""The picture of one run: heatmap over curves over loss, with one cursor and one range of steps."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from PySide6.QtCore import Signal, Slot
from PySide6.QtGui import QShowEvent
from PySide6.QtWidgets import QWidget

from freeze_gui.gui.chips import ChipStrip
from freeze_gui.gui.curves import LayerPlot
from freeze_gui.gui.heatmap import EMPTY_TEXT, HeatmapView
from freeze_gui.gui.heatmap_legend import METRIC_TITLES
from freeze_gui.gui.line_choice import color_numbers, lines_to_show
from freeze_gui.gui.loss_plot import LossPlot, LossSeries
from freeze_gui.gui.plot_base import StepPlot
from freeze_gui.gui.plots_layout import choice_box, lay_out
from freeze_gui.gui.readout import readout_html
from freeze_gui.gui.readout_box import ReadoutBox
from freeze_gui.gui.run_look import run_color
from freeze_gui.gui.run_verdict import why_empty
from freeze_gui.gui.tab_order import order_tabs
from freeze_gui.gui.theme import current_theme, series_color, theme_manager
from freeze_gui.gui.traces import Series

if TYPE_CHECKING:
    from freeze_gui.runs.recorder import RunRecorder

SMOOTHING = (("no smoothing", 0.0), ("EMA 0.6", 0.6), ("EMA 0.9", 0.9))


class RunPlots(QWidget):
    """Draws one run; call `refresh` to draw what has arrived since.

    Attributes
    ----------
    heatmap, weight_delta_plot, grad_norm_plot, loss_plot
        The views.
    pinned
        Layers that stay when the selection changes.

    Signals
    -------
    layer_clicked(str)
        A row of the heatmap was chosen; carries the layer's path.
    """

    layer_clicked = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.heatmap = HeatmapView(self)
        self.weight_delta_plot = LayerPlot("weight_delta", "weightDeltaPlot", self)
        self.grad_norm_plot = LayerPlot("grad_norm", "gradNormPlot", self)
        self.loss_plot = LossPlot("lossPlot", self)
        self.pinned: list[str] = []
        self._recorder: RunRecorder | None = None
        self._number = 0
        self._selected: tuple[str, ...] = ()
        self._colors: dict[str, int] = {}
        self._known_layers: tuple[str, ...] = ()
        self._turn, self._calm = 0, False   # calm: nothing has been asked for since all views were drawn
        metrics = [(title, metric) for metric, title in METRIC_TITLES.items()]
        self.metric_box = choice_box("metricBox", "Metric of the heatmap", metrics, self)
        self.smoothing_box = choice_box("smoothingBox", "Smoothing of the curves", SMOOTHING, self)
        self.chips = ChipStrip(self)
        self.readout = ReadoutBox(self)
        lay_out(self)
        order_tabs(self.metric_box, self.smoothing_box, self.heatmap, self.chips, *self.plots)
        self._connect()

    @property
    def plots(self) -> tuple[StepPlot, ...]:
        """The three plots with a cursor and steps below them."""
        return self.weight_delta_plot, self.grad_norm_plot, self.loss_plot

    def set_run(self, recorder: RunRecorder | None, number: int = 0) -> None:
        """Show another run, which has this number among all, or none."""
        self._recorder, self._number = recorder, number
        self._known_layers = ()
        self.reset_view()
        self._take_history()
        self.refresh()

    def set_selected(self, paths: Sequence[str]) -> None:
        """Draw the curves of these layers, the first 8 of them, beside the pinned ones."""
        if tuple(paths) != self._selected:
            self._selected = tuple(paths)
            self._choose_lines()
            self.refresh()

    def showEvent(self, event: QShowEvent) -> None:
        """Draw what arrived while the plots were hidden: nothing else may come."""
        super().showEvent(event)
        self._calm = False
        self.refresh()

    def refresh(self) -> None:
        """Draw what has arrived since the last call; costs next to nothing when hidden or when nothing is new."""
        if not self.isVisible():
            return
        history = self._recorder.history if self._recorder else None
        if history is None:
            self.heatmap.set_empty_text(why_empty(self._recorder) if self._recorder else EMPTY_TEXT)
        if history is not None and history.layers != self._known_layers:
            self._take_history()
        live = self._recorder is not None and self._recorder.ended is None
        views: tuple[HeatmapView | StepPlot, ...] = (self.heatmap, *self.plots)
        if not (live and self._calm):   # what a person asked for is drawn at once, in every view
            self._calm = True
            for view in views:
                self._refresh_view(view, live)
            return
        for _ in views:   # beside the training each frame draws one view: frames are short
            self._turn = (self._turn + 1) % len(views)
            if self._refresh_view(views[self._turn], live):
                return

    def _refresh_view(self, view: HeatmapView | StepPlot, live: bool) -> bool:
        """Draw one view, if there is anything to draw."""
        view.live = live
        if isinstance(view, HeatmapView):
            return view.refresh()
        if view.follows_x:
            view.show_steps(*self._all_steps())
        drawn = view.refresh()
        history = self._recorder.history if self._recorder else None
        view.set_markers(history.markers if history else ())
        return bool(drawn)

    @Slot()
    def reset_view(self) -> None:
        """Show all steps and all values again."""
        self._calm = False
        for plot in self.plots:
            plot.reset_view()
        self.heatmap.set_x_range(None)
        self.refresh()

    @Slot(float, float)
    def show_steps(self, start: float, stop: float) -> None:
        """Show these steps in every view."""
        sender = self.sender()
        self._calm = False
        for plot in self.plots:
            plot.follows_x = False
            if plot is not sender:
                plot.show_steps(start, stop)
        self.heatmap.set_x_range(start, stop)
        self.refresh()

    @Slot(object)
    def show_cursor(self, step: float | None) -> None:
        """Draw the one cursor in every view, and the values of the shown layers at it."""
        for plot in self.plots:
            plot.set_cursor(step)
        sender = self.sender()
        if sender is not self.heatmap:
            self.heatmap.set_cursor(step)
        self._show_readout(step if sender is not self.heatmap else None)

    # ------------------------------------------------------------------------------------------------- set-up

    def _connect(self) -> None:
        self.metric_box.currentIndexChanged.connect(self.on_metric_chosen)
        self.smoothing_box.currentIndexChanged.connect(self.on_smoothing_chosen)
        self.heatmap.layer_clicked.connect(self.layer_clicked)
        self.heatmap.step_hovered.connect(self.show_cursor)
        self.heatmap.reset_requested.connect(self.reset_view)
        self.chips.pin_toggled.connect(self.toggle_pin)
        for plot in self.plots:
            plot.step_hovered.connect(self.show_cursor)
            plot.reset_requested.connect(self.reset_view)
            plot.x_zoomed.connect(self.show_steps)
        theme_manager().changed.connect(self.on_theme_changed)
        self.on_theme_changed(current_theme())

    @Slot(int)
    def on_metric_chosen(self, index: int) -> None:
        """Show the chosen metric in the heatmap."""
        self.heatmap.set_metric(self.metric_box.itemData(index))

    @Slot(int)
    def on_smoothing_chosen(self, index: int) -> None:
        """Smooth the curves as chosen."""
        keep = self.smoothing_box.itemData(index)
        for plot in (self.weight_delta_plot, self.grad_norm_plot, self.loss_plot):
            plot.set_smoothing(keep)
        self._calm = False
        self.refresh()

    @Slot(str)
    def toggle_pin(self, path: str) -> None:
        """Pin a layer, or let it go."""
        if path in self.pinned:
            self.pinned.remove(path)
        else:
            self.pinned.append(path)
        self._choose_lines()
        self.refresh()

    @Slot(object)
    def on_theme_changed(self, theme: object) -> None:
        """Take the new colours."""
        self._choose_lines()
        self._show_loss()
        self.refresh()

    # ------------------------------------------------------------------------------------------------- content

    def _take_history(self) -> None:
        history = self._recorder.history if self._recorder else None
        self._known_layers = history.layers if history else ()
        self.heatmap.set_history(history)
        self._show_loss()
        self._choose_lines()

    def _show_loss(self) -> None:
        if self._recorder is None or self._recorder.history is None:
            self.loss_plot.set_series([])
            return
        color = run_color(self._number)   # no dash: there is no other run to tell it from
        series = LossSeries(self._recorder.label, color, color, None, self._recorder.history)
        self.loss_plot.set_series([series])

    def shown_layers(self) -> list[str]:
        """Return the layers whose curves are drawn: pinned ones and the selection, or a sample where there is none."""
        return lines_to_show(self._known_layers, self.pinned, self._selected)

    def _choose_lines(self) -> None:
        shown = self.shown_layers()
        self._colors = color_numbers(shown, self._colors)
        self._calm = False
        history = self._recorder.history if self._recorder else None
        row_of = {path: row for row, path in enumerate(self._known_layers)}
        lines = [
            Series(path, series_color(self._colors[path]), None, history, row_of[path])
            for path in shown
            if history is not None
        ]
        self.weight_delta_plot.set_series(lines)
        self.grad_norm_plot.set_series(lines)
        self.heatmap.set_selected([*self.pinned, *self._selected])
        left_out = len(set(self._selected) & set(self._known_layers) - set(shown))
        note = f"and {left_out} more selected" if left_out else ""
        chips = [(path, series_color(self._colors[path]), path in self.pinned) for path in shown]
        self.chips.set_chips(chips, note)

    def _all_steps(self) -> tuple[float, float]:
        history = self._recorder.history if self._recorder else None
        if history is None:
            return 0.0, 1.0
        return 0.0, float(max(history.total_steps, history.steps, 1))

    def _show_readout(self, step: float | None) -> None:
        history = self._recorder.history if self._recorder else None
        lines = self.weight_delta_plot.series
        html = ""
        if history is not None and step is not None:
            html = readout_html(history, [(s.label, s.color, s.layer) for s in lines], step)
        self.readout.show_html(html)
