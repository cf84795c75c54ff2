"""What the threads do with their time: a heartbeat in the window's, and the waiting of the one that trains."""

from __future__ import annotations

import contextlib
import os
import threading
import time
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QObject, Qt, QTimer, Slot

PERIOD_MS = 5
_TASKS = Path("/proc/self/task")


class ThreadClock:
    """Where the time of the thread that makes it goes; what is neither computed nor waited for a core is spent asleep.

    In the midst of its work a thread sleeps for a lock alone, in Python nearly always the interpreter's.
    """

    def __init__(self) -> None:
        self._schedule: int | None = None   # a file that stays open: it is read often
        with contextlib.suppress(OSError):   # Linux alone says how long a thread waited for a core
            self._schedule = os.open(_TASKS / str(threading.get_native_id()) / "schedstat", os.O_RDONLY)

    def now_s(self) -> tuple[float, float, float]:
        """Return seconds by the clock, computed, and waited for a core: NaN on a system that does not say it."""
        waited_ns = np.nan if self._schedule is None else float(os.pread(self._schedule, 100, 0).split()[1])
        return time.perf_counter(), time.thread_time(), waited_ns * 1e-9

    def close(self) -> None:
        """Close its file."""
        if self._schedule is not None:
            os.close(self._schedule)
            self._schedule = None


class Heart(QObject):
    """Beats in the thread that makes it, from `start` until `stop`."""

    def __init__(self) -> None:
        super().__init__()
        self._times: list[tuple[float, float, float]] = []
        self._clock = ThreadClock()
        self._timer = QTimer(self, interval=PERIOD_MS, timerType=Qt.TimerType.PreciseTimer)
        self._timer.timeout.connect(self._beat)

    def start(self) -> None:
        """Begin to beat."""
        self._times.clear()
        self._timer.start()

    def stop(self) -> NDArray[np.float64]:
        """Return milliseconds between beats, those computed and those waited for a core, shape (beats, 3)."""
        self._timer.stop()
        self._clock.close()
        return np.diff(np.array(self._times), axis=0) * 1000

    @Slot()
    def _beat(self) -> None:
        self._times.append(self._clock.now_s())


class TrainingWaits:
    """How long the training thread of the window waits for something other than a core: for the interpreter's lock."""

    def __init__(self) -> None:
        found = [task for task in _TASKS.glob("*") if (task / "comm").read_text().startswith("freeze-gui trai")]
        self._schedule = found[0] / "schedstat" if found else None   # Linux alone has it

    def waited_s(self) -> float:
        """Return the seconds since some moment that it neither computed nor was ready to; NaN where nobody says it."""
        if self._schedule is None:
            return np.nan
        computed_ns, ready_ns = self._schedule.read_text().split()[:2]
        return time.perf_counter() - (float(computed_ns) + float(ready_ns)) * 1e-9
