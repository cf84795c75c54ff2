"""What the training thread does from beginning to end."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from PySide6.QtCore import QObject, Signal, Slot

from freeze_gui.gui.library_keeper import RunKeeper
from freeze_gui.runs.comparison import compare_events, comparison_summary
from freeze_gui.runs.recorder import RunRecorder
from freeze_gui.training.control import RunControl
from freeze_gui.training.events import RunEnded, RunEvent
from freeze_gui.training.trainer import Trainer

_MOST_NORMS = 300_000
"""In the summary that the window holds; a file that a person saves has them all."""


class RunWorker(QObject):
    """Lives in the training thread and runs there from beginning to end.

    Attributes
    ----------
    summary
        Of the run or of the comparison, when it has ended: made here, for long runs of large models take a while.

    Signals
    -------
    ended()
        Every recorder has its `RunEnded`, and the summary is made.
    """

    ended = Signal()

    def __init__(
        self,
        recorders: Sequence[RunRecorder],
        control: RunControl,
        comparing: bool,
        in_turns: bool,
        keeper: RunKeeper | None,
    ) -> None:
        super().__init__()   # no parent: it moves to another thread
        self.summary: dict[str, Any] = {}
        self._keeper = keeper
        self._recorders, self._control = recorders, control
        self._comparing, self._in_turns = comparing, in_turns

    @Slot()
    def work(self) -> None:
        """Run everything."""
        try:
            for index, event in self._events():
                self._take(self._recorders[index], event)
        except (Exception, SystemExit) as error:   # a mistake of ours: the window says so and lives on
            for recorder in self._recorders:
                if recorder.ended is None:
                    self._take(recorder, RunEnded("failed", f"{type(error).__name__}: {error}", 0))
        finally:
            try:
                first = self._recorders[0]
                if self._comparing:
                    self.summary = comparison_summary(self._recorders, self._in_turns, _MOST_NORMS)
                else:
                    self.summary = first.summary(_MOST_NORMS)
            finally:
                self.ended.emit()

    def _take(self, recorder: RunRecorder, event: RunEvent) -> None:
        recorder.handle(event)
        if self._keeper is not None:
            self._keeper.handle(recorder, event)

    def _events(self) -> Iterator[tuple[int, RunEvent]]:
        configs = [recorder.config for recorder in self._recorders]
        if len(configs) == 1:
            return ((0, event) for event in Trainer(configs[0], self._control).events())
        return compare_events(configs, self._control, self._in_turns)
