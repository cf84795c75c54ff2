"""One piece of work beside the window, such as building a model's structure: never a run."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable
from typing import Any

from PySide6.QtCore import QObject, Signal, Slot

from freeze_gui.errors import UserError

PATIENCE_S = 2.0
"""How long a closing window waits for a job; a person's own factory may take for ever."""


class Job(QObject):
    """Calls a function in a thread of its own, once.

    The thread is Python's and a daemon: a job that hangs is left behind, where a QThread would have to be waited for.

    Signals
    -------
    succeeded(object)
        Carries what the function returned; sent in the window's thread.
    failed(str)
        Carries one sentence.
    finished()
        After either.
    """

    succeeded = Signal(object)
    failed = Signal(str)
    finished = Signal()
    _done = Signal()

    def __init__(self, function: Callable[[], Any], parent: QObject) -> None:
        super().__init__(parent)
        self._function = function
        self._result: Any = None
        self._error: str | None = None
        self._thread = threading.Thread(target=self._work, name="freeze-gui job", daemon=True)
        self._done.connect(self._on_done)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def wait(self) -> None:
        """Wait for the end, but not for ever; nothing is said any more."""
        self.blockSignals(True)
        self._thread.join(PATIENCE_S)

    def _work(self) -> None:
        try:
            self._result = self._function()
        except UserError as error:
            self._error = str(error)
        except (Exception, SystemExit) as error:   # the window lives on and says what happened
            self._error = f"{type(error).__name__}: {error}"
        with contextlib.suppress(RuntimeError):   # the window is gone
            self._done.emit()

    @Slot()
    def _on_done(self) -> None:
        if self._error is None:
            self.succeeded.emit(self._result)
        else:
            self.failed.emit(self._error)
        self.finished.emit()
