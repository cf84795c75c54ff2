"""One piece of work beside the window, such as building a model's structure: never a run."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from PySide6.QtCore import QObject, QThread, Signal, Slot

from freeze_gui.errors import UserError


class Job(QThread):
    """Calls a function in a thread of its own, once.

    Signals
    -------
    succeeded(object)
        Carries what the function returned; sent in the window's thread.
    failed(str)
        Carries one sentence.
    """

    succeeded = Signal(object)
    failed = Signal(str)

    def __init__(self, function: Callable[[], Any], parent: QObject) -> None:
        super().__init__(parent)
        self._function = function
        self._result: Any = None
        self._error: str | None = None
        self.finished.connect(self._on_finished)

    def run(self) -> None:
        """Do the work; runs in the thread."""
        try:
            self._result = self._function()
        except UserError as error:
            self._error = str(error)
        except Exception as error:   # the window lives on and says what happened
            self._error = f"{type(error).__name__}: {error}"

    @Slot()
    def _on_finished(self) -> None:
        if self._error is None:
            self.succeeded.emit(self._result)
        else:
            self.failed.emit(self._error)
