"""Starts the program as a person would, watches it from outside, and prints one line of JSON; see test_startup.py.

The one argument is the time of day at which this process was asked for: the start of the interpreter counts as well.
"""

from __future__ import annotations

import json
import sys
import time

_STARTED = time.perf_counter() - (time.time() - float(sys.argv[1]))

from PySide6.QtCore import Qt, QTimer, Slot  # noqa: E402

from freeze_gui.gui import app, startup  # noqa: E402

_BEAT_MS = 5
_SETTLED_BEATS = 200
"""How long the window is watched after Run can be pressed."""


class WatchedStartup(startup.Startup):
    """The start, with a timer in the thread of the window and what it saw.

    All times are in seconds. A machine that is busy elsewhere delays beats as well; those of `cpu` leave that out: no
    stall is longer than what this process computed meanwhile, and `…_cpu_s` is what it had computed until then.
    """

    def run(self) -> int:
        """Start, watch, close, and print what was seen."""
        self._seen = dict.fromkeys(("stall_s", "stall_at_s", "stall_cpu_s", "stall_cpu_at_s"), 0.0)
        self._last, self._last_cpu = float("inf"), 0.0
        self._settled = 0
        self._timer = QTimer(self)
        self._timer.setTimerType(Qt.TimerType.PreciseTimer)
        self._timer.timeout.connect(self.beat)
        self._timer.start(_BEAT_MS)
        code = super().run()
        print(json.dumps(self._seen))
        return code

    @Slot()
    def beat(self) -> None:
        """Note how late the beat is, and what has come since the last one."""
        now, cpu, seen = time.perf_counter() - _STARTED, time.process_time(), self._seen
        late = now - self._last - _BEAT_MS / 1000
        for name, value in (("stall", late), ("stall_cpu", min(late, cpu - self._last_cpu))):
            if value > seen[f"{name}_s"]:
                seen[f"{name}_s"], seen[f"{name}_at_s"] = value, self._last
        self._note("shown", now, cpu)   # the shell was shown before the first event
        window = self.window
        if window is not None and window.isVisible():
            self._note("window", now, cpu)
            if window.run_panel.run_button.isEnabled():
                self._note("enabled", now, cpu)
                self._settled += 1
        if window is not None and self._settled > _SETTLED_BEATS:
            self._timer.stop()
            window.close()
        self._last, self._last_cpu = time.perf_counter() - _STARTED, time.process_time()

    def _note(self, what: str, now: float, cpu: float) -> None:
        if f"{what}_s" not in self._seen:
            self._seen[f"{what}_s"], self._seen[f"{what}_cpu_s"] = now, cpu


startup.Startup = WatchedStartup   # type: ignore[misc]   # what main opens
sys.exit(app.main())
