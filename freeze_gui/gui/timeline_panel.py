"""The tab Timeline: the drawing, its presets and buttons, the exact numbers, and the same as a table."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from PySide6.QtCore import Qt, Signal, Slot
from PySide6.QtGui import QResizeEvent, QShowEvent
from PySide6.QtWidgets import (
    QFrame,
    QGridLayout,
    QHBoxLayout,
    QPushButton,
    QScrollArea,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from freeze_gui.freezing.presets import has_body
from freeze_gui.gui.timeline_form import PhaseForm
from freeze_gui.gui.timeline_geometry import AXIS_HEIGHT, ROW_HEIGHT, Spans, actual_spans
from freeze_gui.gui.timeline_paint import Actual
from freeze_gui.gui.timeline_state import Bar, Layers, Timeline, adding, removing, selecting, with_bar
from freeze_gui.gui.timeline_table import PhaseTable
from freeze_gui.gui.timeline_view import TimelineView
from freeze_gui.gui.timeline_words import names_of, table_rows

if TYPE_CHECKING:
    from freeze_gui.gui.layer_model import LayerModel
    from freeze_gui.models.layer_tree import LayerTree
    from freeze_gui.runs.recorder import RunRecorder

_PRESETS = (
    ("gradualButton", "Gradual unfreezing", "gradual", "The head trains first; block after block thaws"),
    ("headFirstButton", "Head first", "head_first", "Half of the run for the head alone, then the last block too"),
    ("wholeRunButton", "Whole run", "whole_run", "One phase: the ticks hold from the first step to the last"),
)
ACTUAL_PERIOD_S = 0.25
_NARROW = 712
_LEAST_WIDTH = 460


class TimelinePanel(QWidget):
    """Shows and edits the phases of the window's timeline.

    Signals
    -------
    preset_wanted(str)
        A schedule was chosen by name.
    """

    preset_wanted = Signal(str)

    def __init__(self, layers: LayerModel, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setMinimumWidth(_LEAST_WIDTH)   # the buttons make two lines before small screens are too small
        self._layers = layers
        self._plan = layers.plan
        self._recorder: RunRecorder | None = None
        self._names: dict[Bar, str] = {}
        self._named: LayerTree | None = None   # whose names these are
        self._has_body = False
        self._rows_at = 0.0
        self._rows: list[tuple[Spans, Spans]] = []
        self._stale = True
        self._seen: object = None
        self.view = TimelineView(self)
        self.table = PhaseTable(self)
        self.form = PhaseForm(self)
        self._make_buttons()
        self._lay_out()
        self._connect()

    def set_run(self, recorder: RunRecorder | None) -> None:
        """Show what this run really froze."""
        self._recorder, self._seen = recorder, None
        self.refresh()

    @Slot()
    def on_changed(self) -> None:
        """Show other bars; at once where they can be seen, else when they will be."""
        self._stale = True
        self.refresh()

    def refresh(self) -> None:
        """Draw what has changed; nothing while the tab is hidden."""
        if not self.isVisible():
            return
        if self._stale:
            self._show_bars()
        recorder = self._recorder
        history = recorder.history if recorder is not None else None
        seen = (id(recorder), recorder.status, history.steps) if recorder and history else None
        if seen != self._seen or self._stale:
            stale = self._stale or self._seen is None or (recorder is not None and recorder.ended is not None)
            self._seen, self._stale = seen, False
            actual = self._actual(at_once=stale)
            self.view.set_actual(actual)
            self._fill_table(actual)

    def showEvent(self, event: QShowEvent) -> None:
        """Draw what has changed while the tab was hidden."""
        super().showEvent(event)
        self.refresh()

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Put the presets below the other buttons where there is little room."""
        super().resizeEvent(event)
        if (event.oldSize().width() < _NARROW) != (self.width() < _NARROW):
            self._place_presets()

    # -------------------------------------------------------------------------------------------------- content

    def _show_bars(self) -> None:
        tree = self._layers.tree
        if tree is not self._named:
            self._named, self._names = tree, {}
            self._has_body = tree is not None and has_body(tree)
        timeline, span = self._plan.timeline, self._plan.span
        self.view.set_content(timeline, self._all_names(), span)
        self.form.show_bar(timeline.bar, span)
        for button in self.preset_buttons[:2]:
            button.setEnabled(self._has_body)
        self.remove_button.setEnabled(not (len(timeline.bars) == 1 and timeline.bar == Bar()))

    def _all_names(self) -> list[str]:
        tree, timeline = self._layers.tree, self._plan.timeline
        if tree is None:
            return [""] * (len(timeline.bars) + len(timeline.tasks))
        kept = self._names
        self._names = {bar: kept[bar] if bar in kept else names_of(bar, tree) for bar in timeline.bars}
        return [self._names[bar] for bar in timeline.bars] + [", ".join(task.patterns) for task in timeline.tasks]

    def _actual(self, at_once: bool) -> Actual | None:
        """Return what the run on show froze of the layers of each row; None where it is another model's.

        The playhead goes with every step; the rest is worked out anew four times a second, or at once.
        """
        recorder, timeline = self._recorder, self._plan.timeline
        history = recorder.history if recorder is not None else None
        tree = self._layers.tree
        if recorder is None or history is None or tree is None or history.layers != tree.layers:
            return None
        place = {layer: row for row, layer in enumerate(history.layers)}
        steps = history.steps

        def spans(layers: Layers) -> tuple[Spans, Spans]:
            return actual_spans([list(recorder.frozen_windows(place[layer])) for layer in layers], steps)

        if at_once or time.perf_counter() - self._rows_at >= ACTUAL_PERIOD_S:
            self._rows_at = time.perf_counter()
            self._rows = [spans(bar.layers) for bar in timeline.bars] + [spans(task.layers) for task in timeline.tasks]
        return Actual(self._rows, steps, recorder.ended is None)

    def _fill_table(self, actual: Actual | None) -> None:
        if not self.table.isVisible():
            return
        seen = [every for every, _ in actual.rows] if actual is not None else None
        self.table.show_rows(table_rows(self._plan.timeline, self._all_names(), seen), self._plan.timeline.selected)

    # ---------------------------------------------------------------------------------------------------- edits

    @Slot(object, str, str)
    def on_edited(self, timeline: Timeline, text: str, merge: str) -> None:
        """Take what was dragged or moved by keys."""
        self._plan.change(timeline, text, merge)

    @Slot(object, str)
    def on_numbers(self, bar: Bar, text: str) -> None:
        """Take exact numbers for the selected bar."""
        self._plan.change(with_bar(self._plan.timeline, bar), text)

    @Slot(int)
    def on_selected(self, place: int) -> None:
        """Let the ticks be those of another bar."""
        self._plan.show(selecting(self._plan.timeline, place))
        middle = self.view.geometry_.row_top(place) + ROW_HEIGHT / 2
        self.scroll_area.ensureVisible(0, int(middle), 0, int(ROW_HEIGHT / 2 + AXIS_HEIGHT))   # below the axis

    @Slot(int)
    def on_row_chosen(self, row: int) -> None:
        """Select the bar of a row of the table."""
        if row < len(self._plan.timeline.bars):
            self.on_selected(row)

    @Slot()
    def add_phase(self) -> None:
        """Add a phase with the ticks as they are."""
        self._plan.change(adding(self._plan.timeline, self._plan.span), "add a phase")
        self.view.setFocus()

    @Slot()
    def remove_phase(self) -> None:
        """Take the selected phase out."""
        self._plan.change(removing(self._plan.timeline), "remove a phase")

    @Slot()
    def choose_preset(self) -> None:
        """Pass on which schedule is wanted."""
        self.preset_wanted.emit(str(self.sender().property("preset")))

    @Slot(bool)
    def show_table(self, wanted: bool) -> None:
        """Show the phases as a table, or as a drawing again."""
        self.stack.setCurrentIndex(int(wanted))
        self.on_changed()

    # --------------------------------------------------------------------------------------------------- set-up

    def _make_buttons(self) -> None:
        self.add_button = self._button("addPhaseButton", "Add phase from ticks", "Another phase with the same ticks")
        self.remove_button = self._button("removePhaseButton", "Remove", "Take the selected phase out (Delete)")
        self.table_button = self._button("phaseTableButton", "As table", "The phases as a table, for reading aloud")
        self.table_button.setCheckable(True)
        self.preset_buttons: list[QPushButton] = []
        for name, text, preset, tip in _PRESETS:
            button = self._button(name, text, tip)
            button.setProperty("preset", preset)
            self.preset_buttons.append(button)

    def _button(self, name: str, text: str, tip: str) -> QPushButton:
        button = QPushButton(text, self)
        button.setObjectName(name)
        button.setToolTip(tip)
        return button

    def _lay_out(self) -> None:
        edits, self._presets = QWidget(self), QWidget(self)
        for box, buttons in ((edits, [self.add_button, self.remove_button]), (self._presets, self.preset_buttons)):
            line = QHBoxLayout(box)
            line.setContentsMargins(0, 0, 0, 0)
            line.setSpacing(8)
            for button in buttons:
                line.addWidget(button)
        self._buttons = QGridLayout()
        self._buttons.setHorizontalSpacing(20)
        self._buttons.setVerticalSpacing(8)
        self._buttons.setColumnStretch(2, 1)
        self._buttons.addWidget(edits, 0, 0)
        self._buttons.addWidget(self.table_button, 0, 3)
        self._place_presets()
        self.scroll_area = scroll = QScrollArea(self)
        scroll.setWidgetResizable(True)
        scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        scroll.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        scroll.setWidget(self.view)
        self.stack = QStackedWidget(self)
        self.stack.addWidget(scroll)
        self.stack.addWidget(self.table)
        card = QFrame(self)
        card.setProperty("card", True)
        inside = QVBoxLayout(card)
        inside.setContentsMargins(4, 4, 4, 4)
        inside.addWidget(self.stack)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(8, 8, 8, 8)
        layout.setSpacing(8)
        layout.addLayout(self._buttons)
        layout.addWidget(card, 1)
        layout.addWidget(self.form)

    def _place_presets(self) -> None:
        """Lay the presets beside the other buttons, or below them."""
        self._buttons.removeWidget(self._presets)
        if self.width() < _NARROW:
            self._buttons.addWidget(self._presets, 1, 0, 1, 4, Qt.AlignmentFlag.AlignLeft)
        else:
            self._buttons.addWidget(self._presets, 0, 1)

    def _connect(self) -> None:
        self._plan.changed.connect(self.on_changed)
        self._plan.span_changed.connect(self.on_changed)
        self.view.edited.connect(self.on_edited)
        self.view.selected.connect(self.on_selected)
        self.view.exact_wanted.connect(self.form.go_to_numbers)
        self.view.removal_wanted.connect(self.remove_phase)
        self.form.edited.connect(self.on_numbers)
        self.add_button.clicked.connect(self.add_phase)
        self.remove_button.clicked.connect(self.remove_phase)
        self.table_button.toggled.connect(self.show_table)
        self.table.row_chosen.connect(self.on_row_chosen)
        for button in self.preset_buttons:
            button.clicked.connect(self.choose_preset)
