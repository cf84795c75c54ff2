"""Long work of the window's own thread in short pieces, so that the event loop turns between them."""

from __future__ import annotations

import time
from collections.abc import Iterator

from PySide6.QtCore import QObject, QTimer, Slot

AT_ONCE_S = 0.008
"""Processor time after which the rest waits for the next turn; a piece that is longer cannot be cut."""
PIECE_S = 0.002
"""The same in later turns, which are many: what each of them has changed is painted in it as well."""


class InTurns(QObject):
    """Does one work at a time: a part at once, the rest in the next turns of the event loop.

    What does not take long is done when `start` returns.
    """

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self._work: Iterator[object] | None = None
        self._timer = QTimer(self)
        self._timer.timeout.connect(self.go_on)

    def start(self, work: Iterator[object]) -> None:
        """Do what the generator does, which yields between its pieces; what was still to be done is forgotten."""
        self._work = work
        self._do(AT_ONCE_S)

    def start_later(self, work: Iterator[object], after_ms: int = 0) -> None:
        """Begin with a later turn: in the middle of painting nothing else can be drawn; asking again begins anew."""
        self._work = work
        self._timer.start(after_ms)

    @property
    def is_working(self) -> bool:
        """Whether there is still something to be done."""
        return self._work is not None

    @Slot()
    def go_on(self) -> None:
        """Do the next pieces."""
        self._do(PIECE_S)

    def _do(self, seconds: float) -> None:
        _owner = self.parent()   # where only the work holds it, the end of the work must not take this timer
        end, work = time.thread_time() + seconds, self._work
        while work is not None and work is self._work:   # a piece may start another work
            try:
                next(work)
            except StopIteration:
                if work is self._work:
                    self._work = None
            if time.thread_time() >= end:
                break
        if self._work is None:
            self._timer.stop()
        elif not self._timer.isActive() or self._timer.interval():
            self._timer.start(0)
