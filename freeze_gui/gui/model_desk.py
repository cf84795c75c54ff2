"""The model on the desk: what is open, its ticks and its configuration, and what they are forecast to do."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Signal, Slot

from freeze_gui.errors import UserError
from freeze_gui.freezing.plan import FreezePlan, FreezeSettings
from freeze_gui.gui.configuration import Configuration, plan_of
from freeze_gui.gui.file_trust import TrustGate
from freeze_gui.gui.forecaster import Forecaster, Forecasting
from freeze_gui.gui.form_choices import builtin_choices, usual_weights
from freeze_gui.gui.model_opener import ModelOpener, OpenedModel, classes_of
from freeze_gui.gui.settings import Settings
from freeze_gui.gui.timeline_epochs import EpochLengths
from freeze_gui.gui.timeline_state import Timeline, phases_of, span_of
from freeze_gui.models.loaded import ModelChoice
from freeze_gui.training.config import RunConfig, load_config
from freeze_gui.training.rates import rate_factors

if TYPE_CHECKING:
    from freeze_gui.gui.main_window import MainWindow

FIRST_MODEL = "builtin:digits-cnn"


class ModelDesk(QObject):
    """Opens models, keeps form and tree in step, and makes configurations of them.

    Attributes
    ----------
    opened
        The model in the tree; None before one is open.

    Signals
    -------
    model_opened(), open_failed()
        Another model is in the tree; or it could not be opened, and the form says why.
    loading_changed()
        A model is being opened, or no longer.
    said(str)
        One sentence for the status bar.
    """

    model_opened = Signal()
    open_failed = Signal()
    loading_changed = Signal()
    said = Signal(str)

    def __init__(self, window: MainWindow, settings: Settings) -> None:
        super().__init__(window)
        self.opened: OpenedModel | None = None
        self._window, self._settings = window, settings
        self._form, self._tree_panel = window.run_panel.form, window.layer_panel
        self.opener = ModelOpener(self)
        self._forecaster = Forecaster(self)
        self._gate = TrustGate(settings, window)
        self._configuration = Configuration()
        self._wanted_ticks: Configuration | None = None
        self._epochs = EpochLengths(self)
        self._source = ""
        self._listed = False
        self._connect()

    @property
    def is_loading(self) -> bool:
        """Whether a model is being opened."""
        return self.opener.is_loading

    @property
    def is_up_to_date(self) -> bool:
        """Whether the model that the form names is the one that is open."""
        return self._form.model_source() == self._source

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
            timeline = self._tree_panel.model.plan.timeline
            self._wanted_ticks = self._configuration.with_timeline(timeline, self.opened.tree)
            self._open(self._source)

    @Slot(object)
    def on_opened(self, opened: OpenedModel) -> None:
        """Show the model in the tree, with its ticks."""
        panel, tree_panel = self._window.run_panel, self._tree_panel
        changed = self.opened is None or self.opened.loaded.source != opened.loaded.source
        before = self.opened.loaded.default_data if self.opened is not None and changed else ""
        self.opened, wanted = opened, self._wanted_ticks
        if self._form.data_source() in ("", before):
            self._form.set_data_source(opened.loaded.default_data)
        panel.show_error("")
        self._configuration = wanted or Configuration({"freeze": {"layers": list(opened.loaded.default_layers)}})
        self._wanted_ticks = None
        try:
            timeline = self._configuration.timeline(opened.tree)
        except UserError as error:
            panel.show_error(str(error))
            self._configuration, timeline = Configuration(), Timeline()
        tree_panel.set_tree(opened.tree, timeline)
        self.refresh_plan()
        self.model_opened.emit()
        stays = "; all other settings stay (Model › Default settings resets them)" if before and not wanted else ""
        self.said.emit(f"{opened.loaded.source}: {len(opened.tree.layers)} layers, "
                       f"{opened.tree.root.parameters:,} parameters{stays}")

    @Slot(str)
    def on_open_failed(self, text: str) -> None:
        """Say why, and keep the model that is open."""
        self._wanted_ticks, self._source = None, ""   # Run tries what the form names once more
        self._window.run_panel.show_error(text)
        self.open_failed.emit()

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
        if self.opened is not None:
            self._source = self.opened.loaded.source
            self._form.set_model_source(self._source)
        self.open_failed.emit()

    def config(self) -> RunConfig:
        """Return what form and tree say, checked.

        Raises
        ------
        UserError
            When a value is wrong.
        """
        if self.opened is None:
            raise UserError("No model is open: choose one first")
        timeline = self._tree_panel.model.plan.timeline
        content = self._configuration.merged(self._form.values(), timeline, self.opened.tree)
        try:
            return load_config(content)
        except UserError as error:
            raise UserError(str(error).removeprefix("config: ")) from None

    @Slot(str, str)
    def on_policy_changed(self, method: str, norm: str) -> None:
        """Show the code of the method, and what the norm policy means for the rows."""
        self._window.code_panel.show_method(method)
        self._tree_panel.set_policy(method, norm)
        self.forecast()

    @Slot()
    def forecast(self) -> None:
        """Have it worked out what the next run will do and save."""
        try:
            config = self.config()
        except UserError:
            self._forecaster.ask(None)   # half-typed, or no model yet
            return
        assert self.opened is not None
        self._window.code_panel.show_loop(config)
        known = self._epochs.of(config)
        self._forecaster.ask(Forecasting(self.opened.trials, self.opened.tree, config, known))

    def open_path(self, path: Path) -> None:
        """Open what a person dropped or chose: a configuration or a Python file."""
        if path.suffix.lower() == ".toml":
            try:
                self.show_config(load_config(path))
            except UserError as error:
                self._window.run_panel.show_error(str(error))
        else:
            self._window.run_panel.show_error(f"{path.name}: not a configuration, whose name ends in .toml")

    def with_trust(self, config: RunConfig, then: Callable[[], None]) -> None:
        """Call `then` once every Python file of the configuration may be run."""
        self._gate.ask([config.model.source, config.data.source or ""], then, self._refused)

    def remember(self) -> None:
        """Keep what form and tree say for the next time."""
        try:
            self._settings.last_config = self.config().to_dict()
        except UserError:
            return   # half-typed values are not kept

    def close(self) -> None:
        """Wait for what goes on beside the window."""
        self.opener.close()
        self._forecaster.close()
        self._epochs.close()

    def _connect(self) -> None:
        panel, opener = self._window.run_panel, self.opener
        opener.opened.connect(self.on_opened)
        opener.failed.connect(self.on_open_failed)
        opener.loading_changed.connect(self.loading_changed)
        opener.models_listed.connect(self.on_models_listed)
        panel.model_chosen.connect(self.show_model)
        panel.data_chosen.connect(self.on_data_chosen)
        panel.policy_changed.connect(self.on_policy_changed)
        self._form.optimizer_changed.connect(self.refresh_plan)
        self._form.steps_edit.valueChanged.connect(self.refresh_plan)
        self._tree_panel.model.plan.plan_changed.connect(self.refresh_plan)
        self._epochs.found.connect(self.refresh_plan)
        self._forecaster.forecast_made.connect(self._tree_panel.set_forecast)
        self._forecaster.forecast_made.connect(self._window.verdict_panel.set_forecast)
        self.on_policy_changed("requires_grad", "leave")

    def plan(self, freeze: FreezeSettings, epoch_steps: int | None) -> FreezePlan:
        """Return the plan of a run that goes on with the ticks and phases of now.

        Raises
        ------
        UserError
            When a phase counts epochs and nobody knows how long one is.
        """
        assert self.opened is not None
        return plan_of(freeze, self._tree_panel.model.plan.timeline, self.opened.tree, epoch_steps)

    def changes_rates(self, running: RunConfig) -> bool:
        """Tell whether the phases of now ask for other learning rates than a run that goes on began with."""
        assert self.opened is not None
        tree = self.opened.tree
        freeze = replace(running.freeze, phases=phases_of(self._tree_panel.model.plan.timeline, tree))
        return rate_factors(running.optimizer, freeze, tree) != rate_factors(running.optimizer, running.freeze, tree)

    def learn_epoch(self, config: RunConfig, epoch_steps: int | None) -> None:
        """Remember how long an epoch of these data is."""
        if self._epochs.learn(config, epoch_steps):
            self.refresh_plan()

    @Slot()
    def show_span(self) -> None:
        """Lay the phases over the run that the form asks for."""
        if self.opened is None:
            return
        try:
            config = self.config()
        except UserError:
            return   # half-typed
        if config.train.epochs is not None or any(phase.unit == "epoch" for phase in config.freeze.phases):
            self._epochs.look_up(config, self.opened.loaded)
        known = self._epochs.of(config)
        self._tree_panel.model.plan.set_span(span_of(config.train.steps, config.train.epochs, known))

    @Slot()
    def refresh_plan(self) -> None:
        """Lay the phases over the run anew, and forecast it."""
        self.show_span()
        self.forecast()
