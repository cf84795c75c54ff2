"""A heartbeat in the window's thread, which says what the thread did in each beat: computed, or waited for a core."""

from __future__ import annotations

import contextlib
import os
import threading
import time

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QObject, Qt, QTimer, Slot

PERIOD_MS = 5


class Heart(QObject):
    """Beats in the thread that makes it, from `start` until `stop`.

    What is late in a beat and neither computed nor waited for a core is waiting for the interpreter's lock.
    """

    def __init__(self) -> None:
        super().__init__()
        self._times: list[tuple[float, float, float]] = []
        self._schedule: int | None = None
        self._timer = QTimer(self, interval=PERIOD_MS, timerType=Qt.TimerType.PreciseTimer)
        self._timer.timeout.connect(self._beat)

    def start(self) -> None:
        """Begin to beat."""
        self._times.clear()
        with contextlib.suppress(OSError):   # Linux alone says how long a thread waited for a core
            self._schedule = os.open(f"/proc/self/task/{threading.get_native_id()}/schedstat", os.O_RDONLY)
        self._timer.start()

    def stop(self) -> NDArray[np.float64]:
        """Return milliseconds between beats, those computed and those waited for a core, shape (beats, 3).

        The last column is NaN on a system that does not say it.
        """
        self._timer.stop()
        if self._schedule is not None:
            os.close(self._schedule)
            self._schedule = None
        return np.diff(np.array(self._times), axis=0) * 1000

    @Slot()
    def _beat(self) -> None:
        waited_ns = np.nan if self._schedule is None else float(os.pread(self._schedule, 100, 0).split()[1])
        self._times.append((time.perf_counter(), time.thread_time(), waited_ns * 1e-9))
