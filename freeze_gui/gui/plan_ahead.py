"""The run that the form asks for, before it starts: its phases laid over its length, and its forecast."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Signal

from freeze_gui.gui.forecaster import Forecaster, Forecasting
from freeze_gui.gui.model_opener import OpenedModel
from freeze_gui.gui.timeline_epochs import EpochLengths
from freeze_gui.gui.timeline_state import span_of
from freeze_gui.training.config import RunConfig

if TYPE_CHECKING:
    from freeze_gui.gui.main_window import MainWindow


class PlanAhead(QObject):
    """Keeps timeline, tree and verdict pane in step with a configuration.

    Signals
    -------
    epochs_found()
        It is known by now how long an epoch is.
    """

    epochs_found = Signal()

    def __init__(self, window: MainWindow, parent: QObject) -> None:
        super().__init__(parent)
        self._window = window
        self._plan = window.layer_panel.model.plan
        self._forecaster = Forecaster(self)
        self._epochs = EpochLengths(self)
        self._epochs.found.connect(self.epochs_found)
        self._forecaster.forecast_made.connect(window.layer_panel.set_forecast)
        self._forecaster.forecast_made.connect(window.verdict_panel.set_forecast)

    def forecast(self, config: RunConfig, opened: OpenedModel) -> None:
        """Have it worked out what the run will do and save."""
        self._window.code_panel.show_loop(config)
        self._forecaster.ask(Forecasting(opened.trials, opened.tree, config, self._epochs.of(config)))

    def forecast_nothing(self) -> None:
        """Take the forecast back: what form and tree say is half-typed, or there is no model yet."""
        self._forecaster.ask(None)

    def show_span(self, config: RunConfig, opened: OpenedModel) -> None:
        """Lay the phases over the run."""
        train = config.train
        if train.epochs is not None or any(phase.unit == "epoch" for phase in config.freeze.phases):
            self._epochs.look_up(config, opened.loaded)
        self._plan.set_span(span_of(train.steps, train.epochs, self._epochs.of(config)))

    def learn_epoch(self, config: RunConfig, epoch_steps: int | None) -> bool:
        """Remember how long an epoch of these data is; return whether that is news."""
        return self._epochs.learn(config, epoch_steps)

    def close(self) -> None:
        """Wait for what goes on beside the window."""
        self._forecaster.close()
        self._epochs.close()
