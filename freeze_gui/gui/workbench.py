"""What the window is working on: the open model, the ticks, the runs so far. Passes wishes from panel to panel."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject, Signal, Slot

from freeze_gui.errors import UserError
from freeze_gui.freezing.plan import FreezePlan, freeze_now
from freeze_gui.gui import ticks
from freeze_gui.gui.compare_dialog import DEFAULT, CompareDialog
from freeze_gui.gui.configuration import Configuration
from freeze_gui.gui.file_trust import TrustGate
from freeze_gui.gui.forecaster import Forecaster, Forecasting
from freeze_gui.gui.form_choices import builtin_choices, usual_weights
from freeze_gui.gui.model_opener import ModelOpener, OpenedModel, classes_of
from freeze_gui.gui.run_controller import RunController
from freeze_gui.gui.settings import Settings
from freeze_gui.models.loaded import ModelChoice
from freeze_gui.runs.comparison import configs_for_methods
from freeze_gui.runs.recorder import RunRecorder
from freeze_gui.training.config import RunConfig, load_config

if TYPE_CHECKING:
    from freeze_gui.gui.main_window import MainWindow

FIRST_MODEL = "builtin:digits-cnn"
MOST_SIDE_BY_SIDE = 8


class Workbench(QObject):
    """Connects the panels of one window, the run controller and the model opener.

    Attributes
    ----------
    opened
        The model in the tree; None before one is open.
    runs
        Every run of this window, in order.
    shown
        The run in plots, verdict and tree.

    Signals
    -------
    said(str)
        One sentence for the status bar.
    """

    said = Signal(str)

    def __init__(self, window: MainWindow, settings: Settings) -> None:
        super().__init__(window)
        self.opened: OpenedModel | None = None
        self.runs: list[RunRecorder] = []
        self.shown: RunRecorder | None = None
        self.last_summary: dict[str, Any] | None = None
        self._window, self._settings = window, settings
        self._form = window.run_panel.form
        self.controller = RunController(self)
        self.opener = ModelOpener(self)
        self.forecaster = Forecaster(self)
        self._gate = TrustGate(settings, window)
        self._configuration = Configuration()
        self._wanted_ticks: Configuration | None = None
        self._source = ""
        self._run_when_open = self._compared = self._listed = False
        self._last_methods = list(DEFAULT)
        self._comparing_now: RunRecorder | None = None
        self._connect()

    def begin(self) -> None:
        """Show the configuration of last time, or the first one."""
        self._form.set_models(builtin_choices())
        content = self._settings.last_config
        try:
            config = load_config(content) if content else None
        except UserError:
            config = None   # written by another version
        trusted = config is None or self._gate.trusts([config.model.source, config.data.source or ""])
        if config is not None and trusted:
            self.show_config(config)
        else:
            self.show_model(FIRST_MODEL)

    # ------------------------------------------------------------------------------------------------- models

    @Slot(str)
    def show_model(self, source: str) -> None:
        """Open another model and take what suits it."""
        self._form.set_model_source(source, usual_weights(source))
        self._wanted_ticks = None
        self._open(source)

    def show_config(self, config: RunConfig) -> None:
        """Put a checked configuration into the form and open its model."""
        content = config.to_dict()
        self._form.show_values(content)
        source = config.model.source
        self._form.set_model_source(source, config.model.weights or usual_weights(source))
        self._form.set_data_source(config.data.source or "")
        self._wanted_ticks = Configuration(content)
        self._open(source)

    @Slot(str)
    def on_data_chosen(self, source: str) -> None:
        """Give the tree a head of the size that the data need."""
        if self.opened is not None and classes_of(source) != self.opened.num_classes:
            layers = self._window.layer_panel.model.layers
            self._wanted_ticks = self._configuration.with_layers(ticks.patterns(self.opened.tree, layers))
            self._open(self._source)

    @Slot(object)
    def on_opened(self, opened: OpenedModel) -> None:
        """Show the model in the tree, with its ticks."""
        panel, tree_panel = self._window.run_panel, self._window.layer_panel
        changed = self.opened is None or self.opened.loaded.source != opened.loaded.source
        before = self.opened.loaded.default_data if self.opened is not None and changed else ""
        self.opened, wanted = opened, self._wanted_ticks
        if self._form.data_source() in ("", before):
            self._form.set_data_source(opened.loaded.default_data)
        panel.show_error("")
        self._configuration = wanted or Configuration().with_layers(opened.loaded.default_layers)
        self._wanted_ticks = None
        try:
            layers = self._configuration.layers_at_start(opened.tree)
        except UserError as error:
            panel.show_error(str(error))
            self._configuration, layers = Configuration(), frozenset()
        tree_panel.set_tree(opened.tree, layers)
        self._show_schedule()
        self.forecast()
        self.show_run(self.shown)
        self._show_state()
        self.said.emit(f"{opened.loaded.source}: {len(opened.tree.layers)} layers, "
                       f"{opened.tree.root.parameters:,} parameters")
        if self._run_when_open:
            self._run_when_open = False
            self.run()

    @Slot(str)
    def on_open_failed(self, text: str) -> None:
        """Say why, and keep the model that is open."""
        self._run_when_open = False
        self._wanted_ticks = None
        self._window.run_panel.show_error(text)
        self._show_state()

    def list_models_once(self) -> None:
        """Look for torchvision's models; the import of torchvision is why they come later."""
        if not self._listed:
            self._listed = True
            self.opener.list_models()

    @Slot(object)
    def on_models_listed(self, choices: list[ModelChoice]) -> None:
        """Offer torchvision's models too; one that was typed meanwhile is opened."""
        self._form.set_models(choices)
        self._window.run_panel.on_model_text(self._form.model_source())

    def _open(self, source: str) -> None:
        self._source = source
        self._gate.ask([source], self._open_now, self._refused)

    def _open_now(self) -> None:
        data = self._form.data_source()
        usual = self.opened is not None and data == self.opened.loaded.default_data
        changing = self.opened is not None and self._source != self.opened.loaded.source
        self.opener.open(self._source, "" if usual and changing else data)   # the new model brings its own usual data

    def _refused(self) -> None:
        panel = self._window.run_panel
        panel.show_error("The file was not run, so its model is not open.")
        self._run_when_open = False
        if self.opened is not None:
            self._form.set_model_source(self.opened.loaded.source)

    # ------------------------------------------------------------------------------------------------- runs

    def config(self) -> RunConfig:
        """Return what form and tree say, checked.

        Raises
        ------
        UserError
            When a value is wrong.
        """
        if self.opened is None:
            raise UserError("No model is open: choose one first")
        layers = ticks.patterns(self.opened.tree, self._window.layer_panel.model.layers)
        content = self._configuration.merged(self._form.values(), layers)
        try:
            return load_config(content)
        except UserError as error:
            raise UserError(str(error).removeprefix("config: ")) from None

    @Slot()
    def run(self) -> None:
        """Start a run with what form and tree say."""
        config = self._checked_config()
        if config is not None:
            sources = [config.model.source, config.data.source or ""]
            self._gate.ask(sources, self._start, self._refused)

    @Slot()
    def choose_comparison(self) -> None:
        """Ask which methods to compare."""
        if self._checked_config() is None:
            return
        dialog = CompareDialog(self._last_methods, self._window)
        dialog.methods_chosen.connect(self.compare)
        dialog.finished.connect(dialog.deleteLater)
        dialog.open()

    @Slot(object)
    def compare(self, methods: list[str]) -> None:
        """Run these methods one after another from the same start."""
        config = self._checked_config()
        if config is None:
            return
        self._last_methods = methods
        sources = [config.model.source, config.data.source or ""]
        if self._gate.trusts(sources):
            self.controller.compare(configs_for_methods(config, methods))
        else:
            self._gate.ask(sources, self.choose_comparison, self._refused)

    @Slot(object)
    def on_run_started(self, recorder: RunRecorder) -> None:
        """Show the new run."""
        self._add_runs([recorder])
        self._window.show_run_tab()
        self._window.layer_panel.tree_view.setFocus()   # ticks go on while the run does

    @Slot(object)
    def on_comparison_started(self, recorders: list[RunRecorder]) -> None:
        """Show the new runs side by side."""
        self._compared, self._comparing_now = True, None
        self._add_runs(recorders)
        self._window.compare_view.set_runs(recorders)
        self._window.show_compare_tab()

    @Slot(object)
    def on_run_ended(self, summary: dict[str, Any]) -> None:
        """Say how the run ended."""
        self.last_summary = summary
        text = f"{summary['config']['freeze']['method']}: {summary['status'].replace('_', ' ')}"
        self.said.emit(f"{text} after {summary['steps']:,} steps")

    @Slot(object)
    def on_comparison_ended(self, summary: dict[str, Any]) -> None:
        """Say that all runs are done."""
        self.last_summary = summary
        self.said.emit(f"compared {len(summary['runs'])} methods")

    @Slot()
    def on_ticked(self) -> None:
        """Draw what has arrived."""
        window = self._window
        if self.controller.is_comparing:
            self._follow_comparison()
        for view in (window.run_plots, window.compare_view, window.layer_panel, window.verdict_panel):
            view.refresh()
        window.runs_table.refresh()

    @Slot(int)
    def on_run_selected(self, row: int) -> None:
        """Show the chosen run."""
        if 0 <= row < len(self.runs) and self.runs[row] is not self.shown:
            self.show_run(self.runs[row])

    def show_run(self, recorder: RunRecorder | None) -> None:
        """Show this run in plots, verdict and tree."""
        self.shown = recorder
        self._window.run_plots.set_run(recorder)
        self._window.verdict_panel.set_run(recorder)
        self._window.layer_panel.set_recorder(recorder)

    @Slot(object)
    def on_layers_changed(self, layers: frozenset[str]) -> None:
        """A tick replaces a schedule from a file; during a run the next step obeys it."""
        self._configuration = self._configuration.with_layers(())
        self._show_schedule()
        self.forecast()
        if self.opened is None or not self.controller.is_running:
            return
        if self.controller.is_comparing:
            self.said.emit("The comparison goes on with the ticks that it began with; the next run takes the new ones")
            return
        freeze = self.controller.recorders[0].config.freeze
        plan = FreezePlan(method=freeze.method, norm=freeze.norm, moment=freeze.moment, thaw=freeze.thaw)
        self.controller.submit_plan(freeze_now(plan, ticks.modules_to_freeze(self.opened.tree, layers)))

    @Slot(str, str)
    def on_policy_changed(self, method: str, norm: str) -> None:
        """Show the code of the method, and what the norm policy means for the rows."""
        self._window.code_panel.show_method(method)
        self._window.layer_panel.set_policy(method, norm)
        self.forecast()

    @Slot()
    def forecast(self) -> None:
        """Have it worked out what the next run will do and save."""
        try:
            config = self.config()
        except UserError:
            self.forecaster.ask(None)   # half-typed, or no model yet
            return
        assert self.opened is not None
        layers = self._window.layer_panel.model.layers
        modules = ticks.modules_to_freeze(self.opened.tree, layers)
        self.forecaster.ask(Forecasting(self.opened.loaded, modules, config))

    def open_path(self, path: Path) -> None:
        """Open what a person dropped or chose: a configuration or a Python file."""
        if path.suffix.lower() == ".toml":
            try:
                self.show_config(load_config(path))
            except UserError as error:
                self._window.run_panel.show_error(str(error))
        else:
            self._window.run_panel.show_error(f"{path.name}: not a configuration, whose name ends in .toml")

    def remember(self) -> None:
        """Keep what form and tree say for the next time."""
        try:
            self._settings.last_config = self.config().to_dict()
        except UserError:
            return   # half-typed values are not kept

    def close(self) -> None:
        """End everything that goes on beside the window."""
        self.controller.close()
        self.opener.close()
        self.forecaster.close()

    # ------------------------------------------------------------------------------------------------- helpers

    def _connect(self) -> None:
        panel, controller, opener = self._window.run_panel, self.controller, self.opener
        opener.opened.connect(self.on_opened)
        opener.failed.connect(self.on_open_failed)
        opener.loading_changed.connect(self._show_state)
        opener.models_listed.connect(self.on_models_listed)
        panel.model_chosen.connect(self.show_model)
        panel.data_chosen.connect(self.on_data_chosen)
        panel.policy_changed.connect(self.on_policy_changed)
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
        self._window.layer_panel.layers_changed.connect(self.on_layers_changed)
        self._window.layer_panel.selection_changed.connect(self._window.run_plots.set_selected)
        self._window.layer_panel.selection_changed.connect(self._window.compare_view.set_selected)
        self._window.run_plots.layer_clicked.connect(self._window.layer_panel.select_layer)
        self._window.compare_view.layer_clicked.connect(self._window.layer_panel.select_layer)
        self._window.runs_table.run_selected.connect(self.on_run_selected)
        self._form.optimizer_changed.connect(self.forecast)
        self.forecaster.forecast_made.connect(self._window.layer_panel.set_forecast)
        self.on_policy_changed("requires_grad", "leave")

    @Slot(object)
    def on_pace_chosen(self, pace: float | None) -> None:
        """Take another pace."""
        self.controller.set_pace(pace)

    def _checked_config(self) -> RunConfig | None:
        """Return the configuration, or say what is wrong with it; a model typed just now is opened first."""
        panel = self._window.run_panel
        if self.controller.is_running or self.opener.is_loading:
            return None
        if self._form.model_source() != self._source:
            self._run_when_open = True
            self.show_model(self._form.model_source())
            return None
        try:
            config = self.config()
        except UserError as error:
            panel.show_error(str(error))
            return None
        panel.show_error("")
        return config

    def _start(self) -> None:
        config = self.config()
        self._settings.last_config = config.to_dict()
        same = sum(recorder.config.freeze.method == config.freeze.method for recorder in self.runs)
        self.controller.start(config, f"{config.freeze.method} #{same + 1}" if same else None)

    def _add_runs(self, recorders: list[RunRecorder]) -> None:
        self.runs += recorders
        self._window.runs_table.set_runs(self.runs)
        self._window.runs_table.select_run(len(self.runs) - len(recorders))
        if not self._compared:
            self._window.compare_view.set_runs(self.runs[-MOST_SIDE_BY_SIDE:])
        self.show_run(recorders[0])

    def _follow_comparison(self) -> None:
        """Show the run that a comparison has come to."""
        begun = [recorder for recorder in self.controller.recorders if recorder.status != "waiting"]
        if begun and begun[-1] is not self._comparing_now:
            self._comparing_now = begun[-1]
            self._window.runs_table.select_run(self.runs.index(begun[-1]))

    def _show_schedule(self) -> None:
        self._window.layer_panel.set_scheduled(self._configuration.has_schedule)

    @Slot()
    def _show_state(self) -> None:
        controller = self.controller
        self._window.show_state(
            running=controller.is_running,
            paused=controller.is_paused,
            comparing=controller.is_comparing,
            loading=self.opener.is_loading,
        )
