"""One run as it is seen from outside the loop: its history, its state, and its summary when it has ended."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from freeze_gui.runs.history import History
from freeze_gui.runs.step_block import StepBlock
from freeze_gui.runs.summary import summarise
from freeze_gui.training.config import RunConfig
from freeze_gui.training.events import (
    Evaluated,
    LayerRecord,
    PlanApplied,
    Progress,
    RunEnded,
    RunEvent,
    RunStarted,
    StepDone,
)

_FINDINGS = ("forecast", "scenario", "claims")


@dataclass(frozen=True)
class TrainableCount:
    """From `step` on, this many parameter elements are trainable."""

    step: int
    count: int


class RunRecorder:
    """Collects the events of one run. One thread calls `handle`; any thread may read.

    Attributes
    ----------
    label
        Name of the run in tables and legends.
    config
        What was asked for.
    status
        ``waiting``, ``loading``, ``running``, or the status of `RunEnded`.
    progress
        What is being loaded before the first step.
    started, ended
        The records of those names, None until they come.
    history
        What was measured; None until the run started.
    frozen
        One flag a layer: frozen now; the array is replaced, never written.
    leaked
        One count a layer: steps at which it moved although frozen.
    optimizer_state
        The newest, as in `StepDone`; None before the first.
    first_step, tasks
        The first step that was taken, not 0 in a resumed run; the task of each step.
    findings
        What the summary says of forecast and claims; empty until the summary is made.
    """

    def __init__(self, config: RunConfig, label: str | None = None) -> None:
        self.config = config
        self.label = label or config.freeze.method
        self.status = "waiting"
        self.progress: Progress | None = None
        self.started: RunStarted | None = None
        self.ended: RunEnded | None = None
        self.history: History | None = None
        self.frozen: NDArray[np.bool_] = np.zeros(0, bool)
        self.leaked: NDArray[np.int64] = np.zeros(0, np.int64)
        self.trainable: list[TrainableCount] = []
        self.optimizer_state: NDArray[np.float64] | None = None
        self.first_step = 0
        self.tasks: list[str | None] = []
        self.findings: Mapping[str, Any] = {}
        self._frozen_windows: dict[int, list[tuple[int, int]]] = {}
        self._last_flags: NDArray[np.bool_] | None = None
        self._open_windows: tuple[frozenset[int], int, int] = (frozenset(), 0, 0)   # layers, [from, to)

    @property
    def layers(self) -> tuple[LayerRecord, ...]:
        """The layers of the run, empty until it started."""
        return self.started.layers if self.started else ()

    def handle(self, event: RunEvent) -> None:
        """Take in the next event of the run."""
        match event:
            case Progress():
                self.progress = event
                self.status = "loading" if self.started is None else self.status
            case RunStarted():
                self._start(event)
            case PlanApplied():
                self._apply(event)
            case StepDone():
                self._step(event)
            case Evaluated():
                if self.history is not None:
                    self.history.evaluations.append((event.step, event.loss, event.accuracy))
            case RunEnded():
                if event.optimizer_state is not None:
                    self.optimizer_state = event.optimizer_state
                self.ended, self.status = event, event.status

    def extend(self, block: StepBlock) -> None:
        """Take in many steps of a run that started, as `handle` would one by one."""
        if self.history is None or not len(block.step):
            return
        self.leaked += block.leaked.sum(axis=0)
        self._close_windows()
        for layer, start, stop in block.frozen_windows():
            self._add_window(layer, start, stop)
        if not self.tasks:
            self.first_step = int(block.step[0])
        self.tasks += block.task
        if len(block.state_step):
            self.optimizer_state = block.optimizer_state[-1].astype(np.float64)
        self.history.extend(block)

    def summary(self, most_norms: int | None = None) -> dict[str, Any]:
        """Return the run's summary as specified for JSON, with at most so many norms; None is all of them.

        Raises
        ------
        RuntimeError
            When the run has not ended.
        """
        if self.ended is None:
            raise RuntimeError("a run that has not ended has no summary")
        summary = summarise(self, most_norms)
        if self.history is not None:
            self.history.give_back()
        self.findings = {key: summary[key] for key in _FINDINGS if key in summary}
        return summary

    def frozen_windows(self, layer: int) -> list[tuple[int, int]]:
        """Return the [from, to) windows in which the layer was frozen."""
        layers, start, stop = self._open_windows
        windows = list(self._frozen_windows.get(layer, ()))
        if layer not in layers:
            return windows
        if windows and windows[-1][1] >= start:   # goes on, or was closed since `layers` was read
            start = windows.pop()[0]
        return [*windows, (start, stop)]

    def _start(self, event: RunStarted) -> None:
        self.frozen = np.zeros(len(event.layers), bool)
        self.leaked = np.zeros(len(event.layers), np.int64)
        self.history = History(tuple(layer.path for layer in event.layers), event.total_steps)
        self.started, self.status, self.progress = event, "running", None

    def _apply(self, event: PlanApplied) -> None:
        first = not self.trainable   # what is frozen from the start is no change, in a resumed run as well
        if first or self.trainable[-1].count != event.trainable_parameters:
            self.trainable.append(TrainableCount(event.step, event.trainable_parameters))
        if self.history is not None and not first and not event.by_task:
            froze = int((event.frozen & ~self.frozen).sum())
            thawed = int((self.frozen & ~event.frozen).sum())
            words = [f"{froze} froze"] * bool(froze) + [f"{thawed} thawed"] * bool(thawed)
            if words:
                self.history.markers.append((event.step, ", ".join(words)))
        self.frozen = event.frozen

    def _step(self, event: StepDone) -> None:
        if self.history is None:
            return
        for layer in event.leaked:
            self.leaked[layer] += 1
        self._extend_windows(event)
        if not self.tasks:
            self.first_step = event.step
        self.tasks.append(event.task)
        if event.optimizer_state is not None:
            self.optimizer_state = event.optimizer_state
        self.history.append(event)

    def _extend_windows(self, event: StepDone) -> None:
        """Note which layers were frozen at this step; the flags array is shared between steps with the same plan."""
        layers, start, stop = self._open_windows
        if event.frozen is not self._last_flags or event.step != stop:
            self._close_windows()
            self._last_flags, start = event.frozen, event.step
            layers = frozenset(np.flatnonzero(event.frozen).tolist())
        self._open_windows = layers, start, event.step + 1   # one change: other threads read it

    def _close_windows(self) -> None:
        layers, start, stop = self._open_windows
        for layer in layers:
            self._add_window(layer, start, stop)
        self._open_windows, self._last_flags = (frozenset(), 0, 0), None

    def _add_window(self, layer: int, start: int, stop: int) -> None:
        windows = self._frozen_windows.setdefault(layer, [])
        if windows and windows[-1][1] == start:
            windows[-1] = (windows[-1][0], stop)
        else:
            windows.append((start, stop))
