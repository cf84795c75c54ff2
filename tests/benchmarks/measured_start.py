"""Starts the program as a person would, watches it from outside, and prints one line of JSON; see test_startup.py.

The first argument is the time of day at which this process was asked for: the start of the interpreter counts as well.
The others are models, which are then chosen in the model box one after another.
"""

from __future__ import annotations

import json
import sys
import time
from typing import TYPE_CHECKING

_STARTED = time.perf_counter() - (time.time() - float(sys.argv[1]))

from PySide6.QtCore import Qt, QTimer, Slot  # noqa: E402

from freeze_gui.gui import app, startup  # noqa: E402

if TYPE_CHECKING:
    from freeze_gui.gui.main_window import MainWindow

_BEAT_MS = 5
_SETTLED_BEATS = 700
"""How long the window is watched after Run can be pressed, and after each model: the first time all of torchvision is
imported beside it."""
_NOTHING = dict.fromkeys(("stall_s", "stall_at_s", "stall_cpu_s", "stall_cpu_at_s"), 0.0)


class WatchedStartup(startup.Startup):
    """The start, with a timer in the thread of the window and what it saw.

    All times are in seconds. A machine that is busy elsewhere delays beats as well; those of `cpu` leave that out: no
    stall is longer than what this process computed meanwhile, and `…_cpu_s` is what it had computed until then.
    """

    def run(self) -> int:
        """Start, watch, close, and print what was seen: a table for the start and for each model."""
        self._seen = {"start": dict(_NOTHING)}
        self._of = "start"
        self._to_open = sys.argv[2:]
        self._last, self._last_cpu, self._settled, self._since = float("inf"), 0.0, 0, 0.0
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
        now, cpu, seen = time.perf_counter() - _STARTED, time.process_time(), self._seen[self._of]
        late = now - self._last - _BEAT_MS / 1000
        for name, value in (("stall", late), ("stall_cpu", min(late, cpu - self._last_cpu))):
            if value > seen[f"{name}_s"]:
                seen[f"{name}_s"], seen[f"{name}_at_s"] = value, self._last
        self._note("shown", now, cpu)   # the shell was shown before the first event
        window = self.window
        if window is not None and window.isVisible():
            self._note("window", now, cpu)
            if window.run_panel.run_button.isEnabled() and self._is_there(window):
                self._note("enabled", now, cpu)
                self._settled += 1
        if window is not None and self._settled > _SETTLED_BEATS:
            self._go_on(window, now)
        self._last, self._last_cpu = time.perf_counter() - _STARTED, time.process_time()

    def _is_there(self, window: MainWindow) -> bool:
        opened = window.workbench.desk.opened
        return self._of == "start" or (opened is not None and opened.loaded.source == self._of)

    def _go_on(self, window: MainWindow, now: float) -> None:
        """Open the next model, or end."""
        if not self._to_open:
            self._timer.stop()
            window.close()
            return
        self._of = self._to_open.pop(0)
        self._seen[self._of], self._settled, self._since = dict(_NOTHING), 0, now
        box = window.run_panel.form.model_box
        box.setCurrentIndex(box.findData(self._of))

    def _note(self, what: str, now: float, cpu: float) -> None:
        seen = self._seen[self._of]
        if f"{what}_s" not in seen:
            seen[f"{what}_s"], seen[f"{what}_cpu_s"] = now - self._since, cpu


startup.Startup = WatchedStartup   # type: ignore[misc]   # what main opens
sys.exit(app.main())
