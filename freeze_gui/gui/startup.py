"""The first seconds: a shell of the window at once, torch imported beside it, then the window itself."""

from __future__ import annotations

import contextlib
import ctypes
import gc
import importlib
import importlib.util
import os
import sys
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from PySide6 import QtCore, QtGui, QtWidgets
from PySide6.QtCore import QObject, Qt, QThread, QTimer, Slot
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QApplication, QLabel, QProgressBar, QVBoxLayout, QWidget

from freeze_gui.errors import UserError
from freeze_gui.gui.error_reports import ErrorReports
from freeze_gui.gui.events_between_imports import EventsBetweenImports
from freeze_gui.gui.settings import FIRST_MODEL, Settings
from freeze_gui.gui.theme import apply_theme, icon, style_sheet

if TYPE_CHECKING:
    from freeze_gui.gui.main_window import MainWindow

SWITCH_S = 0.001
"""How long another thread may compute in Python while the window's waits; Python's own 5 ms are felt at every event."""
PAUSE_MS = 1
"""Between two parts: without a pause Qt goes from one to the next, and what waits from before stays waiting."""
_WITH_QT = ("freeze_gui", "pyqtgraph")
_BIG_LIBRARIES = {
    "PySide6": ("QtOpenGL.abi3.so", "QtOpenGLWidgets.abi3.so"),
    "torch": ("lib/libc10.so", "lib/libtorch_cpu.so", "lib/libtorch.so", "lib/libtorch_python.so"),
}


class Startup(QObject):
    """Opens the window step by step."""

    def __init__(self, arguments: list[str]) -> None:
        self.app = QApplication(arguments)
        super().__init__(self.app)
        self.app.setApplicationName("freeze-gui")
        self.app.setApplicationDisplayName("Freeze GUI")
        self.app.setDesktopFileName("freeze-gui")
        self.settings = Settings()
        self.reports = ErrorReports(self)
        self.reports.install()
        theme = apply_theme(self.app, self.settings.theme)
        self.app.setWindowIcon(icon("app"))
        self.shell = Shell(self.settings)
        self.shell.setStyleSheet(style_sheet(theme))
        self.window: MainWindow | None = None
        self._in_the_making: MainWindow | None = None
        self._imports = Imports(self, self.settings.last_model)
        self._imports.finished.connect(self.open_window)

    def run(self) -> int:
        """Show the shell, import, open the window, and return when it is closed."""
        sys.setswitchinterval(SWITCH_S)
        leave_sources_unread()
        self.shell.grab()   # what is painted first may wait for the linker, which the imports keep for 0.2 s at a time
        self.shell.show()
        self._imports.start()
        code = self.app.exec()
        self._imports.wait()
        if self.window is None and self._in_the_making is not None:   # the shell was closed amid the parts
            while self._in_the_making.build_next():
                pass
            self._in_the_making.close()
        gc.unfreeze()   # what stays frozen is never taken apart, and triton complains of it when Python ends
        return code

    @Slot()
    def open_window(self) -> None:
        """Import and begin with the window, or say why there is none."""
        if self._imports.error:
            self.shell.say(self._imports.error)
            return
        try:
            with EventsBetweenImports() as importing:
                importing.make_classes_of(QtCore, QtGui, QtWidgets)
                from freeze_gui.gui.main_window import MainWindow
        except Exception as error:
            self.shell.say(f"The window cannot be imported: {type(error).__name__}: {error}")
            return
        if not self.shell.isVisible():   # closed meanwhile
            self.app.quit()
            return
        self._in_the_making = MainWindow(self.settings, at_once=False)
        self._build()

    @Slot()
    def _build(self) -> None:
        """Build a part of the window, let the events come that wait, and go on with the next part."""
        assert self._in_the_making is not None
        if not self.shell.isVisible():   # a person closed it meanwhile
            return
        if self._in_the_making.build_next():
            QTimer.singleShot(PAUSE_MS, self._build)
        else:
            self.show_window(self._in_the_making)

    def show_window(self, window: MainWindow) -> None:
        """Put the window, now complete, in the place of the shell."""
        self.window = self.reports.window = window
        if (screen := QGuiApplication.primaryScreen()) is not None:   # its first size is more than a small screen has
            window.resize(window.size().boundedTo(screen.availableSize()))
        window.show()
        window.raise_()
        self.shell.close()
        gc.freeze()   # what start-up made is never looked through again; a collection now would stop the window


class Imports(QThread):
    """Imports torch and what the window needs of it, but nothing that uses Qt: see `EventsBetweenImports`.

    Attributes
    ----------
    error
        One sentence when that failed.

    Parameters
    ----------
    model
        Source of the model that the window will open first.
    """

    def __init__(self, parent: QObject, model: str) -> None:
        super().__init__(parent)
        self._model = model if model.startswith("builtin:") else FIRST_MODEL   # the window opens others in a thread
        self.error = ""

    def run(self) -> None:
        """Import; runs in the thread."""
        open_big_libraries()
        try:
            importlib.import_module("torch")
            importlib.import_module("freeze_gui.models.randomness").look_at_the_thread()   # before any file is run
            importlib.import_module("freeze_gui.training.trainer")
            importlib.import_module("freeze_gui.runs.comparison")
            # a forward without values imports up to a second's worth of torch's own modules, by the layers there are
            with contextlib.suppress(UserError):   # of another version: the window opens the first model then
                importlib.import_module("freeze_gui.models.inspection").inspect_model(self._model)
            importlib.import_module("freeze_gui.runs.scenario_cards").list_cards()   # two dozen files, read once
        except Exception as error:
            self.error = f"PyTorch cannot be imported: {type(error).__name__}: {error}"


def leave_sources_unread() -> None:
    """Let PySide6 read the sources of those packages alone that use Qt.

    It reads the source of each module that is imported after it, for the features that a module which names PySide6 may
    switch on: of torch 0.2 s before Run can be pressed, and 100 MB for good. (PySide6 6.10; a version
    that asks in another way is left alone.)
    """
    feature = sys.modules.get("shibokensupport.feature")
    uses_qt = getattr(feature, "_mod_uses_pyside", None)
    if feature is None or uses_qt is None:
        return

    def answer(module: ModuleType) -> bool:
        return module.__name__.partition(".")[0] in _WITH_QT and uses_qt(module)

    setattr(feature, "_mod_uses_pyside", answer)  # noqa: B010   # a name that no type of PySide6 knows


def open_big_libraries() -> None:
    """Open the large libraries of torch and those of Qt that plots need, before they are imported, which finds them.

    An import keeps the interpreter's lock while the system loads a library, 0.2 s for the largest, and so does
    ``ctypes.CDLL``. A call of the system's own ``dlopen`` through ctypes lets go of it: the window breathes meanwhile.
    """
    if sys.platform == "win32":   # torch is imported before Qt there
        return
    dlopen = ctypes.CDLL(None).dlopen
    dlopen.argtypes, dlopen.restype = [ctypes.c_char_p, ctypes.c_int], ctypes.c_void_p
    for package, names in _BIG_LIBRARIES.items():
        found = importlib.util.find_spec(package)
        if found is not None and found.origin is not None:
            for path in (Path(found.origin).parent / name for name in names):
                if path.exists():
                    dlopen(os.fsencode(path), os.RTLD_NOW)   # where it fails, the import itself says what is wrong


class Shell(QWidget):
    """What is seen first: the window's place and size, and a word about what is happening."""

    def __init__(self, settings: Settings) -> None:
        super().__init__()
        self.setWindowTitle("Freeze GUI")
        self.label = QLabel("Loading PyTorch…", self)
        self.label.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.label.setWordWrap(True)
        title = QLabel("Freeze GUI", self)
        title.setAlignment(Qt.AlignmentFlag.AlignCenter)
        font = title.font()
        font.setPointSizeF(font.pointSizeF() * 2)
        title.setFont(font)
        self.bar = QProgressBar(self)
        self.bar.setRange(0, 0)
        self.bar.setTextVisible(False)
        self.bar.setFixedWidth(240)
        layout = QVBoxLayout(self)
        layout.setSpacing(12)
        layout.addStretch(1)
        layout.addWidget(title)
        layout.addWidget(self.bar, 0, Qt.AlignmentFlag.AlignCenter)
        layout.addWidget(self.label)
        layout.addStretch(1)
        self.resize(1440, 900)
        geometry = settings.layout("window")
        if geometry is not None:
            self.restoreGeometry(geometry)
        elif (screen := QGuiApplication.primaryScreen()) is not None:
            self.resize(self.size().boundedTo(screen.availableSize()))

    def say(self, text: str) -> None:
        """Show an error instead of the bar."""
        self.bar.hide()
        self.label.setText(text)
