"""What measuring costs the run that is going on, and how often it is done, in the status bar."""

from __future__ import annotations

import numpy as np
from PySide6.QtWidgets import QLabel, QWidget

from freeze_gui.runs.history import HistoryView
from freeze_gui.runs.recorder import RunRecorder

_RECENT_STEPS = 256
_RECENT_ROWS = 4
"""For each task. Steps of note are measured between the regular ones, at most two of them close together."""


class MeasuringLabel(QLabel):
    """Shows the share of the recent steps' time that the program took for itself; empty before the first step."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("measuringLabel")
        self.setProperty("muted", True)
        self.setContentsMargins(8, 0, 8, 2)
        self._recorder: RunRecorder | None = None

    def set_run(self, recorder: RunRecorder | None) -> None:
        """Show another run."""
        self._recorder = recorder
        self.refresh()

    def refresh(self) -> None:
        """Show what measuring costs the run now."""
        recorder = self._recorder
        view = recorder.history.view() if recorder is not None and recorder.history is not None else None
        if view is None or not len(view.step_s):
            self.setText("")
            self.setToolTip("")
            return
        tasks = set(recorder.tasks[-_RECENT_STEPS:]) if recorder is not None else set()
        share, every = share_of_recent(view), recent_interval(view, max(len(tasks), 1))
        without = " · no updates, memory is short" if lacks_updates(view) else ""
        self.setText(f"overhead {100 * share:.1f} % · norms at {how_often(every)}{without}")
        self.setToolTip(
            f"Of the time of the last {min(_RECENT_STEPS, len(view.step_s)):,} steps, {100 * share:.1f} % went into "
            f"this program's own work: norms of all layers at {how_often(every)}, and at every step the check of "
            "frozen layers, bit by bit, the search for the cause where one moved, and the hash of each batch.\nUnless "
            "a number of steps is set in the training settings, norms are taken so seldom that they cost at most 1 %, "
            "after the first 100 steps."
        )


def share_of_recent(view: HistoryView) -> float:
    """Return the part of the recent steps' time that measuring took."""
    total = float(np.sum(view.step_s[-_RECENT_STEPS:]))
    return float(np.sum(view.overhead_s[-_RECENT_STEPS:])) / total if total > 0 else 0.0


def recent_interval(view: HistoryView, tasks: int) -> int:
    """Return the steps between two measurements of a task, as it is now; 1 where every step is measured."""
    steps = np.asarray(view.step[-_RECENT_ROWS * tasks :])
    if len(steps) <= tasks or np.diff(steps).max() == 1:
        return 1
    return int((steps[tasks:] - steps[:-tasks]).max())


def lacks_updates(view: HistoryView) -> bool:
    """Tell whether updates were not measured although weights were; in a run that diverged both are NaN."""
    if not len(view.step):
        return False
    return bool((np.isnan(view.update_norm[-1]) & np.isfinite(view.weight_delta[-1])).any())


def how_often(every: int) -> str:
    """Return ``every step``, ``every 2nd step``, ``every 16th step``."""
    if every == 1:
        return "every step"
    endings = {1: "st", 2: "nd", 3: "rd"}
    ending = "th" if every % 100 in (11, 12, 13) else endings.get(every % 10, "th")
    return f"every {every:,}{ending} step"
