"""Owns the training thread: the only file that knows how a run and the window share the machine.

The worker loops over the events of a run and feeds the recorders, whose arrays the window reads. Nothing is signalled
per step: the window polls from one timer.
"""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QCoreApplication, QEvent, QObject, Qt, QThread, QTimer, Signal, Slot

from freeze_gui.freezing.plan import FreezePlan
from freeze_gui.gui.background import Job
from freeze_gui.gui.frame_pace import TICK_MS, FramePace
from freeze_gui.gui.library_keeper import RunKeeper
from freeze_gui.gui.run_worker import RunWorker
from freeze_gui.runs.recorder import RunRecorder
from freeze_gui.training.config import RunConfig
from freeze_gui.training.control import RunControl

_TURN_PASSED = QEvent.Type(QEvent.registerEventType())
_AFTER_PAINTING = Qt.EventPriority.LowEventPriority.value - 1
"""Qt posts what is to be painted with low priority."""

_TURNS_TO_PAINT = 4
"""Turns of the event loop until a frame is painted: what is posted in one comes with the next, and a scene first
gathers its changes, then asks for painting, which `PaintOnce` puts off until all else is done."""


class RunController(QObject):
    """Starts, pauses and stops runs, one at a time.

    Attributes
    ----------
    control
        Of the run that is going on, else None.
    recorders
        Of the run or comparison that is going on, else of the last one.
    keeps_runs
        Whether runs that start from now on are saved.

    Signals
    -------
    run_started(object), run_ended(object)
        A run began: its `RunRecorder`. It ended, however: its summary.
    comparison_started(object), comparison_ended(object)
        A comparison began: its list of recorders. It ended: its summary.
    ticked()
        Time to draw what has arrived.
    state_changed()
        Running, paused or idle: something of it has changed.
    run_kept(object, object)
        A run's file was begun: its recorder and the path.
    runs_saved()
        All of the runs that have ended is in their files.
    said(str)
        One sentence for the status bar.
    """

    run_started = Signal(object)
    run_ended = Signal(object)
    comparison_started = Signal(object)
    comparison_ended = Signal(object)
    ticked = Signal()
    state_changed = Signal()
    run_kept = Signal(object, object)
    runs_saved = Signal()
    said = Signal(str)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.control: RunControl | None = None
        self.recorders: list[RunRecorder] = []
        self._pace: float | None = None
        self._thread: QThread | None = None
        self._worker: RunWorker | None = None
        self.keeps_runs = True
        self._keeper: RunKeeper | None = None
        self._kept_count = 0
        self._said_error: str | None = None
        self._saving: dict[Job, RunKeeper] = {}
        self._comparing = self._closed = False
        self._frames, self._turns_to_paint = FramePace(), 0
        self._timer = QTimer(self)
        self._timer.setObjectName("tick")
        self._timer.timeout.connect(self._tick)

    @property
    def is_running(self) -> bool:
        """Whether a run or comparison is going on."""
        return self._thread is not None

    @property
    def is_comparing(self) -> bool:
        """Whether what is going on is a comparison."""
        return self.is_running and self._comparing

    @property
    def is_paused(self) -> bool:
        """Whether the run waits."""
        return self.control is not None and self.control.is_paused

    def start(self, config: RunConfig, label: str | None = None) -> bool:
        """Start a run; False when one is going on already."""
        return self._start([config], [label], comparing=False)

    def compare(
        self, configs: Sequence[RunConfig], labels: Sequence[str] | None = None, *, in_turns: bool = False
    ) -> bool:
        """Start runs from one start, one after another or in turns of a few steps; False when a run is going on."""
        named: Sequence[str | None] = labels or [None] * len(configs)
        return bool(configs) and self._start(configs, named, comparing=True, in_turns=in_turns)

    def submit_plan(self, plan: FreezePlan) -> None:
        """Ask the run that is going on to freeze by another plan from its next step on."""
        if self.control is not None:
            self.control.submit_plan(plan)

    def set_pace(self, steps_per_s: float | None) -> None:
        """Take at most so many steps a second, now and in later runs; None is as fast as it goes."""
        self._pace = steps_per_s
        if self.control is not None:
            self.control.set_pace(steps_per_s)

    @Slot()
    def stop(self) -> None:
        """Ask the run to end before its next step."""
        if self.control is not None:
            self.control.stop()
            self.state_changed.emit()

    @Slot()
    def toggle_pause(self) -> None:
        """Pause, or go on."""
        if self.control is None:
            return
        if self.control.is_paused:
            self.control.resume()
        else:
            self.control.pause()
        self.state_changed.emit()

    @Slot()
    def single_step(self) -> None:
        """Take one step and pause."""
        if self.control is not None:
            self.control.single_step()
            self.state_changed.emit()

    def close(self) -> None:
        """Refuse new runs, end the one that is going on, and wait for its thread and for its file."""
        self._closed = True
        if self._thread is not None:
            assert self.control is not None
            self.control.stop()
            self._finish()
        for job in self._saving:
            job.wait()

    def _start(
        self,
        configs: Sequence[RunConfig],
        labels: Sequence[str | None],
        *,
        comparing: bool,
        in_turns: bool = False,
    ) -> bool:
        if self._thread is not None or self._closed:
            return False
        self.control = RunControl()
        self.control.set_pace(self._pace)
        self._comparing = comparing
        self.recorders = [RunRecorder(*pair) for pair in zip(configs, labels, strict=True)]
        self._thread = QThread(self)
        self._thread.setObjectName("freeze-gui training")
        self._keeper, self._kept_count, self._said_error = RunKeeper() if self.keeps_runs else None, 0, None
        self._worker = RunWorker(self.recorders, self.control, comparing, in_turns, self._keeper)
        self._worker.moveToThread(self._thread)
        self._thread.started.connect(self._worker.work)
        self._worker.ended.connect(self._on_ended)
        self._thread.start()
        self._timer.start(TICK_MS)
        if comparing:
            self.comparison_started.emit(list(self.recorders))
        else:
            self.run_started.emit(self.recorders[0])
        self.state_changed.emit()
        return True

    @Slot()
    def _tick(self) -> None:
        """Let everyone draw; dear pictures are drawn less often, so that training keeps the machine."""
        if not self._turns_to_paint:   # else the frame before is not painted yet, and this one counts as a part of it
            self._frames.begin()
            self._turns_to_paint = _TURNS_TO_PAINT
            QCoreApplication.postEvent(self, QEvent(_TURN_PASSED), _AFTER_PAINTING)
        self._look_at_keeper()
        self.ticked.emit()

    def customEvent(self, event: QEvent) -> None:
        """Set the time of the next frame once what this one asked for is painted."""
        if event.type() != _TURN_PASSED:
            return
        self._turns_to_paint -= 1
        if self._turns_to_paint > 0:
            QCoreApplication.postEvent(self, QEvent(_TURN_PASSED), _AFTER_PAINTING)
        else:
            self._timer.setInterval(self._frames.end())

    @Slot()
    def _on_ended(self) -> None:
        if self._thread is not None and self.sender() is self._worker:
            self._finish()

    def _finish(self) -> None:
        """Take leave of the thread, then say what came out."""
        assert self._thread is not None
        assert self._worker is not None
        self._thread.quit()
        self._thread.wait()
        summary = self._worker.summary   # written before the thread ended
        self._worker = None
        self._thread.deleteLater()
        self._thread = self.control = None
        self._timer.stop()
        self._look_at_keeper()
        self.ticked.emit()
        self.state_changed.emit()
        ended = self.comparison_ended if self._comparing else self.run_ended
        ended.emit(summary)
        self._save_the_rest()

    def _look_at_keeper(self) -> None:
        """Pass on which files were begun, and once what is wrong with a disk."""
        errors = [recorder.history.error for recorder in self.recorders if recorder.history is not None]
        if self._keeper is not None:
            for recorder, path in self._keeper.kept[self._kept_count :]:
                self._kept_count += 1
                self.run_kept.emit(recorder, path)
            errors.append(self._keeper.error)
        error = next(filter(None, errors), None)
        if error is not None and error != self._said_error:
            self._said_error = error
            self.said.emit(error)

    def _save_the_rest(self) -> None:
        """Wait beside the window for the disk; a window that closes waits itself."""
        keeper, self._keeper = self._keeper, None
        if keeper is None:
            return
        if self._closed:
            keeper.close()
            return
        job = Job(keeper.close, self)
        self._saving[job] = keeper
        job.finished.connect(self._on_saved)
        job.start()

    @Slot()
    def _on_saved(self) -> None:
        job = self.sender()
        assert isinstance(job, Job)
        keeper = self._saving.pop(job)
        job.deleteLater()
        if keeper.error is not None:   # said again: the word that the run has ended came after it
            self.said.emit(keeper.error)
        self.runs_saved.emit()
