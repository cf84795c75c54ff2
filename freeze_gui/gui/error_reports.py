"""What happens when our own code fails: it is logged, a banner says so in one sentence, and the window lives on."""

from __future__ import annotations

import datetime
import sys
import threading
import traceback
from pathlib import Path
from types import TracebackType

from PySide6.QtCore import QObject, QStandardPaths, Qt, Signal, Slot
from PySide6.QtWidgets import QMessageBox, QWidget


def log_path() -> Path:
    """Return where errors are logged."""
    folder = QStandardPaths.writableLocation(QStandardPaths.StandardLocation.GenericDataLocation)
    return Path(folder) / "freeze-gui" / "errors.log"


class ErrorReports(QObject):
    """Takes every exception that nobody caught, of any thread.

    Attributes
    ----------
    window
        Over which the message is shown.

    Signals
    -------
    caught(str, str)
        One line about the error, and its traceback; sent from whatever thread it happened in.
    """

    caught = Signal(str, str)

    def __init__(self, parent: QObject | None = None, path: Path | None = None) -> None:
        super().__init__(parent)
        self.window: QWidget | None = None
        self._path = path
        self._box: QMessageBox | None = None
        self.caught.connect(self.show_error, Qt.ConnectionType.QueuedConnection)

    def install(self) -> None:
        """Be called from now on."""
        sys.excepthook = self.on_exception
        threading.excepthook = self.on_thread_exception

    def on_exception(
        self, kind: type[BaseException], error: BaseException, trace: TracebackType | None
    ) -> None:
        """Log an exception and have it shown."""
        if issubclass(kind, KeyboardInterrupt):
            sys.__excepthook__(kind, error, trace)
            return
        text = "".join(traceback.format_exception(kind, error, trace))
        print(text, file=sys.stderr)
        self._log(text)
        self.caught.emit(f"{kind.__name__}: {error}", text)

    def on_thread_exception(self, arguments: threading.ExceptHookArgs) -> None:
        """Log an exception of another thread and have it shown."""
        if arguments.exc_value is not None:
            self.on_exception(arguments.exc_type, arguments.exc_value, arguments.exc_traceback)

    @Slot(str, str)
    def show_error(self, line: str, text: str) -> None:
        """Show one message; more errors while it is open are only logged."""
        if self._box is not None:
            return
        self._box = QMessageBox(self.window)
        self._box.setObjectName("errorReport")
        self._box.setIcon(QMessageBox.Icon.Critical)
        self._box.setWindowTitle("Freeze GUI")
        self._box.setText("<b>Something went wrong inside Freeze GUI.</b>")
        self._box.setInformativeText(f"{line}\n\nYour work is still there. The details are in {self._where()}.")
        self._box.setDetailedText(text)
        self._box.finished.connect(self.on_closed)
        self._box.open()

    @Slot()
    def on_closed(self) -> None:
        """Be ready for the next one."""
        if self._box is not None:
            self._box.deleteLater()
            self._box = None

    def _where(self) -> Path:
        return self._path if self._path is not None else log_path()

    def _log(self, text: str) -> None:
        try:
            path = self._where()
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("a", encoding="utf-8") as file:
                file.write(f"{datetime.datetime.now().isoformat(timespec='seconds')}\n{text}\n")
        except OSError:
            return   # the message is still shown
