"""The left side of the window: find box, tree, and the line that says what the ticks come to."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from PySide6.QtCore import QItemSelection, QPoint, Signal, Slot
from PySide6.QtWidgets import QLabel, QVBoxLayout, QWidget

from freeze_gui.gui import ticks
from freeze_gui.gui.find_bar import FindBar
from freeze_gui.gui.forecaster import ForecastText
from freeze_gui.gui.freeze_actions import FreezeActions
from freeze_gui.gui.layer_cells import DELTA, FREEZE
from freeze_gui.gui.layer_model import LayerModel
from freeze_gui.gui.layer_view import LayerView
from freeze_gui.gui.tab_order import order_tabs
from freeze_gui.gui.timeline_state import Timeline
from freeze_gui.gui.timeline_words import ticks_words
from freeze_gui.models.layer_tree import LayerNode, LayerTree

if TYPE_CHECKING:
    from freeze_gui.runs.recorder import RunRecorder

MOST_SELECTED = 8
SPARK_PERIOD_S = 0.25


class LayerPanel(QWidget):
    """Tree of layers with ticks, find box and status line.

    Attributes
    ----------
    model
        The rows and the ticks.
    actions_
        What the Freeze menu and the context menu offer.

    Signals
    -------
    selection_changed(object)
        Other rows are selected; carries the paths of their layers, at most 8.
    """

    selection_changed = Signal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setMinimumWidth(468)   # below it names are cut
        self.model = LayerModel(self)
        self._sparks_at = 0.0
        self._method = "requires_grad"
        self._forecast = ForecastText()
        self._build()
        self.actions_ = FreezeActions(self.model, self.selected_nodes, self)
        self._connect()

    # ------------------------------------------------------------------------------------------------- content

    def set_tree(self, tree: LayerTree, timeline: Timeline) -> None:
        """Show another model."""
        self.find_bar.forget()
        self.model.set_tree(tree, timeline)
        self.tree_view.show_statistics(bool(self.model.cells.values.statistics.any()))
        self.actions_.fill_blocks()
        self.tree_view.open_first_levels()
        self.show_status()

    def set_policy(self, method: str, norm: str) -> None:
        """Take another freezing method and norm policy into account."""
        self._method = method
        self.model.set_policy(method, norm)
        self.show_status()

    @Slot(object)
    def set_forecast(self, text: ForecastText) -> None:
        """Say what the ticks will do and save."""
        self._forecast = text
        self.show_status()

    def set_recorder(self, recorder: RunRecorder | None, obeys: bool = True) -> None:
        """Show what this run does in the rows; `obeys` says whether it takes ticks while it goes on."""
        self.model.set_recorder(recorder, obeys)
        self._draw_sparks()

    def refresh(self) -> None:
        """Take in what the run did since; the bars are redrawn four times a second at most."""
        changed = self.model.refresh()   # the end of a run is a change: its last bars are always drawn
        if changed or time.perf_counter() - self._sparks_at >= SPARK_PERIOD_S:
            self._draw_sparks()

    def selected_nodes(self) -> list[LayerNode]:
        """Return the selected rows from top to bottom."""
        indexes = self.tree_view.selectionModel().selectedRows(FREEZE)
        nodes = [self.model.node(index) for index in indexes]
        return sorted((node for node in nodes if node is not None), key=_place)

    def selected_layers(self) -> list[str]:
        """Return the layers of the selected rows, in row order, at most 8."""
        if self.model.tree is None:
            return []
        found = dict.fromkeys(
            layer for node in self.selected_nodes() for layer in self.model.tree.layers_below(node)
        )
        return list(found)[:MOST_SELECTED]

    @Slot(str)
    def select_layer(self, path: str) -> None:
        """Select the row of a layer and bring it into view."""
        node = self.model.tree.row_of_layer.get(path) if self.model.tree is not None else None
        if node is not None:
            self.tree_view.choose(self.find_bar.row(node.index))

    # ------------------------------------------------------------------------------------------------- set-up

    def _build(self) -> None:
        self.phase_label = QLabel(self)
        self.phase_label.setObjectName("phaseLabel")
        self.phase_label.setProperty("muted", True)
        self.phase_label.setWordWrap(True)
        self.phase_label.setToolTip("Choose another phase in the tab Timeline, and the ticks are that phase's")
        self.phase_label.hide()
        self.tree_view = LayerView(self.model, self)
        self.find_bar = FindBar(self.model, self.tree_view, self)
        self.status_label = QLabel(self)
        self.status_label.setObjectName("layerStatus")
        self.status_label.setWordWrap(True)
        self.cost_label = QLabel(self)
        self.cost_label.setObjectName("layerCost")
        self.cost_label.setProperty("muted", True)
        self.cost_label.setWordWrap(True)
        self.cost_label.setToolTip("Forecast of one step: what it holds, and how much less than with nothing frozen")
        self.cost_label.hide()
        self.warning_label = QLabel(self)
        self.warning_label.setObjectName("layerWarning")
        self.warning_label.setProperty("warning", True)
        self.warning_label.setWordWrap(True)
        self.warning_label.hide()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(8, 8, 0, 8)
        layout.setSpacing(6)
        layout.addWidget(self.find_bar)
        layout.addWidget(self.phase_label)
        layout.addWidget(self.tree_view, 1)
        layout.addWidget(self.status_label)
        layout.addWidget(self.cost_label)
        layout.addWidget(self.warning_label)
        order_tabs(self.find_bar, self.tree_view)

    def _connect(self) -> None:
        self.model.layers_changed.connect(self.show_status)
        self.model.plan.changed.connect(self.show_phase)
        self.tree_view.selectionModel().selectionChanged.connect(self.on_selection_changed)
        self.tree_view.customContextMenuRequested.connect(self.show_context_menu)

    @Slot()
    def show_phase(self) -> None:
        """Say which phase the ticks belong to, where there is a choice."""
        text = ticks_words(self.model.plan.timeline)
        self.phase_label.setText(text)
        self.phase_label.setVisible(bool(text))

    @Slot(QItemSelection, QItemSelection)
    def on_selection_changed(self, selected: QItemSelection, deselected: QItemSelection) -> None:
        """Pass on which layers the plots should show."""
        self.selection_changed.emit(self.selected_layers())

    @Slot(QPoint)
    def show_context_menu(self, position: QPoint) -> None:
        """Offer what can be done with the row under the pointer."""
        self.actions_.menu.popup(self.tree_view.viewport().mapToGlobal(position))

    @Slot()
    def show_status(self) -> None:
        """Say what the ticks come to."""
        tree = self.model.tree
        if tree is None:
            return
        alone = not self.model.plan.timeline.is_schedule   # of phases only the forecast can tell
        self.status_label.setText(("" if alone else "these ticks: ") + ticks.status_line(tree, self.model.layers))
        found = ticks.warnings(tree, self.model.layers, self._method) if alone else []
        text = "\n".join(found or self._forecast.leaks)
        self.warning_label.setText(text)
        self.warning_label.setVisible(bool(text))
        self.cost_label.setText(("" if alone else "where most is frozen: ") + self._forecast.cost)
        self.cost_label.setVisible(bool(self._forecast.cost))

    def _draw_sparks(self) -> None:
        self._sparks_at = time.perf_counter()
        self.model.take_sparks()
        self.tree_view.repaint_column(DELTA)


def _place(node: LayerNode) -> int:
    return node.index
