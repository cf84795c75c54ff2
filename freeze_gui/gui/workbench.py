"""The runs of the window: starts them, shows them, and passes wishes from panel to panel."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject, Signal, Slot

from freeze_gui.errors import UserError
from freeze_gui.gui.compare_choices import DEFAULT, known_step_s, known_steps
from freeze_gui.gui.compare_dialog import CompareDialog
from freeze_gui.gui.compare_words import ended_words, equality_words, unique_labels
from freeze_gui.gui.frame_parts import FrameParts
from freeze_gui.gui.live_plan import LivePlan
from freeze_gui.gui.model_desk import ModelDesk
from freeze_gui.gui.redraw import is_seen
from freeze_gui.gui.run_controller import RunController
from freeze_gui.gui.run_labels import name_apart, telling_label
from freeze_gui.gui.settings import Settings
from freeze_gui.gui.side_by_side import SideBySide
from freeze_gui.runs.claims import scenario_of
from freeze_gui.runs.grid import Axes, grid
from freeze_gui.runs.recorder import RunRecorder
from freeze_gui.runs.scenario_cards import label_of
from freeze_gui.runs.words import counted
from freeze_gui.training.config import RunConfig

if TYPE_CHECKING:
    from freeze_gui.gui.main_window import MainWindow


class Workbench(QObject):
    """Connects the panels of one window, the model desk and the run controller.

    Attributes
    ----------
    desk, controller
        What is open, and what runs.
    plan, beside
        Takes ticks to the run that goes on; puts runs side by side.
    runs
        Every run of this window, in order.
    shown
        The run in plots, verdict and tree.
    last_summary
        Of the last run or comparison that has ended.

    Signals
    -------
    said(str)
        One sentence for the status bar.
    """

    said = Signal(str)

    def __init__(self, window: MainWindow, settings: Settings) -> None:
        super().__init__(window)
        self.runs: list[RunRecorder] = []
        self.shown: RunRecorder | None = None
        self.last_summary: dict[str, Any] | None = None
        self._window, self._settings = window, settings
        self.desk = ModelDesk(window, settings)
        self.controller = RunController(self)
        self.plan = LivePlan(self.desk, self.controller, self)
        self.beside = SideBySide(window, self)
        self._run_when_open = False
        self._axes, self._in_turns, self._takes_turns = DEFAULT, False, False
        panels = (
            window.timeline_panel, window.layer_panel, window.verdict_panel, window.state_panel, window.runs_table,
            window.measuring_label,
        )   # fmt: skip
        self._parts = FrameParts((window.run_plots, window.compare_view), panels)
        self._connect()

    @Slot()
    def run(self) -> None:
        """Start a run with what form and tree say."""
        config = self._checked_config()
        if config is not None:
            self.desk.with_trust(config, self._start)

    @Slot()
    def choose_comparison(self) -> None:
        """Ask what to compare."""
        config = self._checked_config()
        if config is None:
            return
        steps, step_s = known_steps(config, self.runs), known_step_s(config, self.runs)
        dialog = CompareDialog(config, self._axes, steps, step_s, self._window)
        dialog.turns_box.setChecked(self._in_turns)
        dialog.comparison_chosen.connect(self.compare)
        dialog.finished.connect(dialog.deleteLater)
        dialog.open()

    @Slot(object, bool)
    def compare(self, axes: Axes, in_turns: bool = False) -> None:
        """Run what these axes make from the same start, one after another or in turns."""
        config = self._checked_config()
        if config is not None:
            self._axes, self._in_turns = axes, in_turns
            self.desk.with_trust(config, self._start_comparison)

    @Slot(object)
    def on_run_started(self, recorder: RunRecorder) -> None:
        """Show the new run."""
        self.said.emit(f"{recorder.label}: running")   # what was said of the run before is no longer true
        self.plan.forget()
        self._add_runs([recorder])
        if self._window.tabs.currentWidget() is not self._window.timeline_panel:   # its playhead shows the run as well
            self._window.show_run_tab()
        self._window.layer_panel.tree_view.setFocus()   # ticks go on while the run does

    @Slot(object)
    def on_comparison_started(self, recorders: list[RunRecorder]) -> None:
        """Show the new runs side by side."""
        self.said.emit(f"comparing {counted(len(recorders), 'run')}")
        self._add_runs(recorders)
        self.beside.begin(recorders, in_turns=self._takes_turns)

    @Slot(object)
    def on_run_ended(self, summary: dict[str, Any]) -> None:
        """Say how the run ended."""
        self.last_summary = summary
        label = self.controller.recorders[0].label
        self.said.emit(f"{label}: {summary['status'].replace('_', ' ')} after {counted(summary['steps'], 'step')}")

    @Slot(object)
    def on_comparison_ended(self, summary: dict[str, Any]) -> None:
        """Say that all runs are done or how many are, and which of them are one and the same."""
        self.last_summary = summary
        self.beside.end()
        self.said.emit(f"{ended_words(summary)}{equality_words(summary['equal_groups'])}")

    @Slot()
    def on_ticked(self) -> None:
        """Draw what has arrived."""
        window = self._window
        if self.controller.is_comparing:
            self.beside.follow()
        elif self.controller.is_running:
            self.plan.submit()
            recorder = self.controller.recorders[0]
            if recorder.started is not None:
                self.desk.learn_epoch(recorder.config, recorder.started.epoch_steps)
        if self.controller.is_running and not is_seen(window):
            return
        stage = [(run.status, run.history is not None and run.history.steps > 0) for run in self.controller.recorders]
        for part in self._parts.next(self.controller.is_running, stage):
            part.refresh()

    @Slot(int)
    def on_run_selected(self, row: int) -> None:
        """Show the chosen run."""
        if 0 <= row < len(self.runs) and self.runs[row] is not self.shown:
            self.show_run(self.runs[row])

    def show_run(self, recorder: RunRecorder | None) -> None:
        """Show this run in plots, verdict and tree."""
        self.shown = recorder
        self._window.run_plots.set_run(recorder, self._number_of(recorder) if recorder else 0)
        self._window.verdict_panel.set_run(recorder)
        self._window.state_panel.set_run(recorder)
        self._window.measuring_label.set_run(recorder)
        self._window.layer_panel.set_recorder(recorder, self.plan.is_for(recorder))
        self._window.timeline_panel.set_run(recorder)

    def take_in(self, recorders: list[RunRecorder], *, look: bool) -> None:
        """Put runs out of files beside those of the window, and show the last one where it is to be looked at."""
        shown = self.shown
        name_apart(recorders, self.runs)
        self._put(recorders)
        self.look_at(recorders[-1] if look or shown is None else shown)

    def look_at(self, recorder: RunRecorder) -> None:
        """Show a run of the window and choose it in the table."""
        self._window.runs_table.select_run(self.runs.index(recorder))
        if self.shown is not recorder:
            self.show_run(recorder)

    def close(self) -> None:
        """End everything that goes on beside the window."""
        self.controller.close()
        self.desk.close()

    @Slot()
    def on_model_opened(self) -> None:
        """Keep the run on show; begin the run that waited for the model."""
        self.show_run(self.shown)
        self._show_state()
        if self._run_when_open:
            self._run_when_open = False
            self.run()

    @Slot()
    def on_open_failed(self) -> None:
        """Forget the run that waited for the model."""
        self._run_when_open = False
        self._show_state()

    def _connect(self) -> None:
        window, desk, controller, panel = self._window, self.desk, self.controller, self._window.run_panel
        desk.model_opened.connect(self.on_model_opened)
        desk.open_failed.connect(self.on_open_failed)
        desk.loading_changed.connect(self._show_state)
        for speaker in (desk, self.plan):
            speaker.said.connect(self.said)
        panel.run_wanted.connect(self.run)
        panel.comparison_wanted.connect(self.choose_comparison)
        panel.stop_wanted.connect(controller.stop)
        panel.pause_wanted.connect(controller.toggle_pause)
        panel.step_wanted.connect(controller.single_step)
        panel.pace_chosen.connect(self.on_pace_chosen)
        controller.run_started.connect(self.on_run_started)
        controller.run_ended.connect(self.on_run_ended)
        controller.comparison_started.connect(self.on_comparison_started)
        controller.comparison_ended.connect(self.on_comparison_ended)
        controller.ticked.connect(self.on_ticked)
        controller.state_changed.connect(self._show_state)
        window.timeline_panel.preset_wanted.connect(window.layer_panel.actions_.choose_schedule)
        window.layer_panel.model.plan.plan_changed.connect(self.plan.on_plan_changed)
        window.layer_panel.selection_changed.connect(window.run_plots.set_selected)
        window.layer_panel.selection_changed.connect(window.compare_view.set_selected)
        window.run_plots.layer_clicked.connect(window.layer_panel.select_layer)
        window.compare_view.layer_clicked.connect(window.layer_panel.select_layer)
        window.compare_view.comparison_wanted.connect(self.choose_comparison)
        window.compare_view.cancel_wanted.connect(controller.stop)
        window.runs_table.run_selected.connect(self.on_run_selected)
        window.runs_panel.diff_only_toggled.connect(window.compare_view.set_diff_only)

    @Slot(object)
    def on_pace_chosen(self, pace: float | None) -> None:
        """Take another pace."""
        self.controller.set_pace(pace)

    def _checked_config(self) -> RunConfig | None:
        """Return the configuration, or say what is wrong with it; a model typed just now is opened first."""
        panel = self._window.run_panel
        if self.controller.is_running or self.desk.is_loading:
            return None
        if not self.desk.is_up_to_date:
            self._run_when_open = True
            self.desk.show_model(panel.form.model_source())
            return None
        try:
            config = self.desk.config()
        except UserError as error:
            panel.show_form_error(str(error))
            return None
        panel.show_error("")
        return config

    def _start(self) -> None:
        config = self.desk.config()
        self._settings.last_config = config.to_dict()
        scenario = scenario_of(config)
        label = config.freeze.method if scenario is None else label_of(scenario)
        self.controller.start(config, telling_label(label, config, self.runs))

    def _start_comparison(self) -> None:
        runs = grid(self.desk.config(), self._axes)
        self.compare_runs([run.config for run in runs], [run.label for run in runs], in_turns=self._in_turns)

    def compare_runs(self, configs: list[RunConfig], labels: list[str], *, in_turns: bool = False) -> None:
        """Run these from one start; labels that are there already get a number."""
        unique = unique_labels(labels, [run.label for run in self.runs])
        self._takes_turns = in_turns
        self.controller.compare(configs, unique, in_turns=in_turns)

    def _add_runs(self, recorders: list[RunRecorder]) -> None:
        self._put(recorders)
        self._window.runs_table.select_run(len(self.runs) - len(recorders))
        self.show_run(recorders[0])

    def _put(self, recorders: list[RunRecorder]) -> None:
        """Take runs into the table; side by side they stand when a person or a comparison puts them there."""
        self.runs += recorders
        self._window.runs_table.set_runs(self.runs)
        self._window.compare_view.set_count(len(self.runs))

    def _number_of(self, recorder: RunRecorder) -> int:
        """Return the place of a run among all: it decides the run's colour and dash, wherever it is drawn."""
        return self.runs.index(recorder)

    @Slot()
    def _show_state(self) -> None:
        controller = self.controller
        self._window.show_state(
            running=controller.is_running,
            paused=controller.is_paused,
            comparing=controller.is_comparing,
            loading=self.desk.is_loading,
        )
