"""The runs of the window: starts them, shows them, and passes wishes from panel to panel."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject, QTimer, Signal, Slot

from freeze_gui.errors import UserError
from freeze_gui.gui.compare_choices import DEFAULT, known_step_s, known_steps
from freeze_gui.gui.compare_dialog import CompareDialog
from freeze_gui.gui.compare_words import equality_words, unique_labels
from freeze_gui.gui.model_desk import ModelDesk
from freeze_gui.gui.run_controller import RunController
from freeze_gui.gui.settings import Settings
from freeze_gui.gui.timeline_state import Timeline
from freeze_gui.runs.claims import scenario_of
from freeze_gui.runs.grid import Axes, grid
from freeze_gui.runs.recorder import RunRecorder
from freeze_gui.runs.scenario_cards import label_of
from freeze_gui.training.config import RunConfig

if TYPE_CHECKING:
    from freeze_gui.gui.main_window import MainWindow

MOST_SIDE_BY_SIDE = 8


class Workbench(QObject):
    """Connects the panels of one window, the model desk and the run controller.

    Attributes
    ----------
    desk, controller
        What is open, and what runs.
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
        self._run_when_open = self._compared = self._plan_waits = self._pair_selected = False
        self._axes, self._in_turns = DEFAULT, False
        self._comparing_now: RunRecorder | None = None
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
        self._plan_waits = False
        self._add_runs([recorder])
        if self._window.tabs.currentWidget() is not self._window.timeline_panel:   # its playhead shows the run as well
            self._window.show_run_tab()
        self._window.layer_panel.tree_view.setFocus()   # ticks go on while the run does

    @Slot(object)
    def on_comparison_started(self, recorders: list[RunRecorder]) -> None:
        """Show the new runs side by side."""
        self._compared, self._comparing_now = True, None
        self._add_runs(recorders)
        self._show_side_by_side(recorders)
        self._window.show_compare_tab()

    @Slot(object)
    def on_run_ended(self, summary: dict[str, Any]) -> None:
        """Say how the run ended."""
        self.last_summary = summary
        text = f"{summary['config']['freeze']['method']}: {summary['status'].replace('_', ' ')}"
        self.said.emit(f"{text} after {summary['steps']:,} steps")

    @Slot(object)
    def on_comparison_ended(self, summary: dict[str, Any]) -> None:
        """Say that all runs are done, and which of them are one and the same."""
        self.last_summary = summary
        self._window.compare_view.comparing = False
        self._window.compare_view.refresh()
        self.said.emit(f"compared {len(summary['runs'])} runs{equality_words(summary['equal_groups'])}")

    @Slot()
    def on_ticked(self) -> None:
        """Draw what has arrived."""
        window = self._window
        if self.controller.is_comparing:
            self._follow_comparison()
        elif self.controller.is_running:
            self._submit_plan()
            recorder = self.controller.recorders[0]
            if recorder.started is not None:
                self.desk.learn_epoch(recorder.config, recorder.started.epoch_steps)
        views = (window.run_plots, window.compare_view, window.timeline_panel, window.layer_panel, window.verdict_panel)
        window.state_panel.refresh()
        for view in views:
            view.refresh()
        window.runs_table.refresh()

    @Slot(int)
    def on_run_selected(self, row: int) -> None:
        """Show the chosen run."""
        if 0 <= row < len(self.runs) and self.runs[row] is not self.shown:
            self.show_run(self.runs[row])

    @Slot(object)
    def on_rows_selected(self, rows: list[int]) -> None:
        """Put two selected runs against each other; fewer or more end that."""
        view = self._window.compare_view
        if len(rows) == 2:
            pair = [self.runs[row] for row in rows]
            if any(run not in view.recorders for run in pair):
                self._show_side_by_side(pair)
            view.show_pair(*pair)
            self._window.show_compare_tab()
        elif self._pair_selected:
            view.show_tiles()
        self._pair_selected = len(rows) == 2

    @Slot(object)
    def on_side_by_side_wanted(self, rows: list[int]) -> None:
        """Show these runs beside each other, whenever they were made."""
        self._show_side_by_side([self.runs[row] for row in sorted(rows)])
        self._window.show_compare_tab()

    @Slot(object)
    def on_tile_chosen(self, recorder: RunRecorder) -> None:
        """Show the run of a tile in table, verdict and tree."""
        self._window.runs_table.select_run(self._number_of(recorder))

    def show_run(self, recorder: RunRecorder | None) -> None:
        """Show this run in plots, verdict and tree."""
        self.shown = recorder
        self._window.run_plots.set_run(recorder, self._number_of(recorder) if recorder else 0)
        self._window.verdict_panel.set_run(recorder)
        self._window.state_panel.set_run(recorder)
        self._window.layer_panel.set_recorder(recorder)
        self._window.timeline_panel.set_run(recorder)

    def take_in(self, recorders: list[RunRecorder], *, look: bool) -> None:
        """Put runs out of files beside those of the window, and show the last one where it is to be looked at."""
        shown = self.shown
        self.runs += recorders
        self._window.runs_table.set_runs(self.runs)
        self.look_at(recorders[-1] if look or shown is None else shown)
        QTimer.singleShot(0, self._show_latest_side_by_side)   # a dozen runs at once would stop the window too long

    def look_at(self, recorder: RunRecorder) -> None:
        """Show a run of the window and choose it in the table."""
        self._window.runs_table.select_run(self.runs.index(recorder))
        if self.shown is not recorder:
            self.show_run(recorder)

    @Slot(object)
    def on_plan_changed(self, timeline: Timeline) -> None:
        """Have the next step of a run obey ticks and phases."""
        if not self.controller.is_running:
            return
        if self.controller.is_comparing:
            self.said.emit("The comparison goes on with the ticks that it began with; the next run takes the new ones")
            return
        self._plan_waits = True
        self._submit_plan()

    def _submit_plan(self) -> None:
        """Hand a changed plan to the run; one that counts epochs waits until the run knows how long they are."""
        recorder = self.controller.recorders[0]
        started = recorder.started
        if not self._plan_waits or self.desk.opened is None:
            return
        try:
            plan = self.desk.plan(recorder.config.freeze, started.epoch_steps if started is not None else None)
        except UserError as error:
            if started is not None:
                self._plan_waits = False
                self.said.emit(str(error))
            return
        self._plan_waits = False
        self.controller.submit_plan(plan)
        if self.desk.changes_rates(recorder.config):
            self.said.emit("Learning rates are set when a run begins: the new factors count from the next run on")

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
        desk.said.connect(self.said)
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
        window.layer_panel.model.plan.plan_changed.connect(self.on_plan_changed)
        window.layer_panel.selection_changed.connect(window.run_plots.set_selected)
        window.layer_panel.selection_changed.connect(window.compare_view.set_selected)
        window.run_plots.layer_clicked.connect(window.layer_panel.select_layer)
        window.compare_view.layer_clicked.connect(window.layer_panel.select_layer)
        window.compare_view.comparison_wanted.connect(self.choose_comparison)
        window.compare_view.cancel_wanted.connect(controller.stop)
        window.compare_view.run_chosen.connect(self.on_tile_chosen)
        window.runs_table.run_selected.connect(self.on_run_selected)
        window.runs_table.selection_changed.connect(self.on_rows_selected)
        window.runs_panel.side_by_side_wanted.connect(self.on_side_by_side_wanted)
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
            panel.show_error(str(error))
            return None
        panel.show_error("")
        return config

    def _start(self) -> None:
        config = self.desk.config()
        self._settings.last_config = config.to_dict()
        scenario = scenario_of(config)
        label = config.freeze.method if scenario is None else label_of(scenario)
        self.controller.start(config, *unique_labels([label], [run.label for run in self.runs]))

    def _start_comparison(self) -> None:
        runs = grid(self.desk.config(), self._axes)
        self.compare_runs([run.config for run in runs], [run.label for run in runs], in_turns=self._in_turns)

    def compare_runs(self, configs: list[RunConfig], labels: list[str], *, in_turns: bool = False) -> None:
        """Run these from one start; labels that are there already get a number."""
        unique = unique_labels(labels, [run.label for run in self.runs])
        self.controller.compare(configs, unique, in_turns=in_turns)

    def _add_runs(self, recorders: list[RunRecorder]) -> None:
        self.runs += recorders
        self._window.runs_table.set_runs(self.runs)
        self._window.runs_table.select_run(len(self.runs) - len(recorders))
        self._show_latest_side_by_side()
        self.show_run(recorders[0])

    @Slot()
    def _show_latest_side_by_side(self) -> None:
        """Show the latest runs beside each other, unless a person has chosen which by a comparison."""
        if not self._compared:
            self._show_side_by_side(self.runs[-MOST_SIDE_BY_SIDE:])

    def _show_side_by_side(self, recorders: list[RunRecorder]) -> None:
        controller = self.controller
        self._window.compare_view.comparing = controller.is_comparing and recorders == controller.recorders
        self._window.compare_view.set_runs(recorders, [self._number_of(recorder) for recorder in recorders])

    def _number_of(self, recorder: RunRecorder) -> int:
        """Return the place of a run among all: it decides the run's colour and dash, wherever it is drawn."""
        return self.runs.index(recorder)

    def _follow_comparison(self) -> None:
        """Show the run that a comparison has come to."""
        begun = [recorder for recorder in self.controller.recorders if recorder.status != "waiting"]
        if begun and begun[-1] is not self._comparing_now:
            self._comparing_now = begun[-1]
            if self._pair_selected:
                return   # a person looks at two runs
            self._window.runs_table.select_run(self.runs.index(begun[-1]))

    @Slot()
    def _show_state(self) -> None:
        controller = self.controller
        self._window.show_state(
            running=controller.is_running,
            paused=controller.is_paused,
            comparing=controller.is_comparing,
            loading=self.desk.is_loading,
        )
