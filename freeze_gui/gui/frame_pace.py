"""How often the window draws beside the training: by what a frame really costs."""

from __future__ import annotations

import time

TICK_MS = 33
SLOWEST_TICK_MS = 250
DRAWING_SHARE = 0.025
"""Part of the time of one core that frames, with their painting, may take while a run is going on: with what they cause
between them all of it stays within 3 %."""

_WEIGHT = 0.2
"""Of the newest frame in the mean: one dear frame, such as after a change of size, is no reason to become slow."""


class FramePace:
    """Says after each frame when the next one is due.

    What a frame costs is the processor time that the window's thread takes from its beginning until it is painted:
    waiting for the training thread does not count.
    """

    def __init__(self) -> None:
        self._cost_ms = 0.0
        self._began_s = 0.0

    def begin(self) -> None:
        """Note that a frame begins."""
        self._began_s = time.thread_time()

    def end(self) -> int:
        """Note that the frame is painted; return the milliseconds from its beginning to the next."""
        self._cost_ms += _WEIGHT * ((time.thread_time() - self._began_s) * 1000 - self._cost_ms)
        return round(min(max(self._cost_ms / DRAWING_SHARE, TICK_MS), SLOWEST_TICK_MS))
