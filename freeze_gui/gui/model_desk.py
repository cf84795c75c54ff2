"""The model on the desk: what is open, its ticks and its configuration, and what they are forecast to do."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Signal, Slot

from freeze_gui.errors import UserError
from freeze_gui.gui.configuration import Configuration
from freeze_gui.gui.file_trust import TrustGate
from freeze_gui.gui.form_choices import builtin_choices, usual_weights
from freeze_gui.gui.model_opener import ModelOpener, OpenedModel, classes_of
from freeze_gui.gui.plan_ahead import PlanAhead
from freeze_gui.gui.settings import FIRST_MODEL, Settings
from freeze_gui.gui.timeline_state import Timeline
from freeze_gui.models.loaded import ModelChoice
from freeze_gui.runs.words import counted
from freeze_gui.training.config import RunConfig, load_config

if TYPE_CHECKING:
    from freeze_gui.gui.main_window import MainWindow


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
        self._ahead = PlanAhead(window, self)
        self._gate = TrustGate(settings, window)
        self._configuration = Configuration()
        self._wanted_ticks: Configuration | None = None
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

    @property
    def timeline(self) -> Timeline:
        """The ticks and phases of now."""
        return self._tree_panel.model.plan.timeline

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
            self._wanted_ticks = self._configuration.with_timeline(self.timeline, self.opened.tree)
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
        self.said.emit(f"{opened.loaded.source}: {counted(len(opened.tree.layers), 'layer')}, "
                       f"{counted(opened.tree.root.parameters, 'parameter')}{stays}")

    @Slot(str)
    def on_open_failed(self, text: str) -> None:
        """Say why, and keep the model that is open."""
        self._wanted_ticks, self._source = None, ""   # Run tries what the form names once more
        self.said.emit("")
        self._window.run_panel.show_error(text)
        self.open_failed.emit()

    @Slot()
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
        if self.is_loading:
            self.said.emit(f"opening {self._source} … (Stop keeps the model that is open)")

    @Slot()
    def cancel_opening(self) -> None:
        """Wait no longer for the model that is being opened."""
        if self.is_loading:
            self.said.emit(f"{self._source} was not opened")
            self._wanted_ticks = None
            self.opener.cancel()
            self._stay()

    def _refused(self) -> None:
        self._window.run_panel.show_error("The file was not run, so its model is not open.")
        self._stay()

    def _stay(self) -> None:
        """Name the model in the form that is open."""
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
        content = self._configuration.merged(self._form.values(), self.timeline, self.opened.tree)
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
            self._ahead.forecast_nothing()
            return
        self._window.run_panel.take_form_error_away()
        assert self.opened is not None
        self._ahead.forecast(config, self.opened)

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
        self._ahead.close()

    def _connect(self) -> None:
        panel, opener = self._window.run_panel, self.opener
        opener.opened.connect(self.on_opened)
        opener.failed.connect(self.on_open_failed)
        opener.loading_changed.connect(self.loading_changed)
        opener.models_listed.connect(self.on_models_listed)
        panel.model_chosen.connect(self.show_model)
        panel.stop_wanted.connect(self.cancel_opening)
        panel.data_chosen.connect(self.on_data_chosen)
        panel.policy_changed.connect(self.on_policy_changed)
        self._form.optimizer_changed.connect(self.refresh_plan)
        self._form.steps_edit.valueChanged.connect(self.refresh_plan)
        self._tree_panel.model.plan.plan_changed.connect(self.refresh_plan)
        self._ahead.epochs_found.connect(self.refresh_plan)
        self.on_policy_changed("requires_grad", "leave")

    def learn_epoch(self, config: RunConfig, epoch_steps: int | None) -> None:
        """Remember how long an epoch of these data is."""
        if self._ahead.learn_epoch(config, epoch_steps):
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
        self._ahead.show_span(config, self.opened)

    @Slot()
    def refresh_plan(self) -> None:
        """Lay the phases over the run anew, and forecast it."""
        self.show_span()
        self.forecast()
