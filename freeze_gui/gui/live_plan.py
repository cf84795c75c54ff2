"""Ticks and phases that are changed while a run goes on: the run's next step obeys them."""

from __future__ import annotations

from dataclasses import replace

from PySide6.QtCore import QObject, Signal, Slot

from freeze_gui.errors import UserError
from freeze_gui.gui.configuration import plan_of
from freeze_gui.gui.model_desk import ModelDesk
from freeze_gui.gui.run_controller import RunController
from freeze_gui.gui.timeline_state import Timeline, phases_of
from freeze_gui.models.layer_tree import LayerTree
from freeze_gui.runs.recorder import RunRecorder
from freeze_gui.training.config import RunConfig
from freeze_gui.training.rates import rate_factors


class LivePlan(QObject):
    """Hands changed plans to the run that goes on.

    Signals
    -------
    said(str)
        One sentence for the status bar.
    """

    said = Signal(str)

    def __init__(self, desk: ModelDesk, controller: RunController, parent: QObject) -> None:
        super().__init__(parent)
        self._desk, self._controller = desk, controller
        self._waits = False

    def forget(self) -> None:
        """Begin with a new run, which has the plan of now."""
        self._waits = False

    def is_for(self, recorder: RunRecorder | None) -> bool:
        """Tell whether this run takes ticks: it goes on here, and is no part of a comparison."""
        controller = self._controller
        return controller.is_running and not controller.is_comparing and recorder is controller.recorders[0]

    @Slot(object)
    def on_plan_changed(self, timeline: Timeline) -> None:
        """Have the next step of a run obey ticks and phases."""
        if not self._controller.is_running:
            return
        if self._controller.is_comparing:
            self.said.emit("The comparison goes on with the ticks that it began with; the next run takes the new ones")
            return
        self._waits = True
        self.submit()

    def submit(self) -> None:
        """Hand a changed plan to the run; one that counts epochs waits until the run knows how long they are."""
        opened, timeline = self._desk.opened, self._desk.timeline
        if not self._waits or opened is None:
            return
        recorder = self._controller.recorders[0]
        started = recorder.started
        try:
            epoch_steps = started.epoch_steps if started is not None else None
            plan = plan_of(recorder.config.freeze, timeline, opened.tree, epoch_steps)
        except UserError as error:
            if started is not None:
                self._waits = False
                self.said.emit(str(error))
            return
        self._waits = False
        self._controller.submit_plan(plan)
        if _changes_rates(recorder.config, timeline, opened.tree):
            self.said.emit("Learning rates are set when a run begins: the new factors count from the next run on")


def _changes_rates(running: RunConfig, timeline: Timeline, tree: LayerTree) -> bool:
    """Tell whether the phases of now ask for other learning rates than a run that goes on began with."""
    freeze = replace(running.freeze, phases=phases_of(timeline, tree))
    return rate_factors(running.optimizer, freeze, tree) != rate_factors(running.optimizer, running.freeze, tree)
