"""Starts the program: checks for a display, shows a shell at once, imports torch meanwhile, opens the window.

On Windows torch comes first, behind a shell in a process of its own.
"""

from __future__ import annotations

import contextlib
import gc
import sys
from pathlib import Path
from typing import TYPE_CHECKING, cast

from freeze_gui.gui.platform_check import why_no_window
from freeze_gui.gui.splash import Splash

if TYPE_CHECKING:
    from freeze_gui.gui.main_window import MainWindow

NO_WINDOW = 2


def main() -> int:
    """Open the window and return the exit code when it is closed."""
    reason = why_no_window()
    if reason is not None:
        print(f"freeze-gui: {reason}", file=sys.stderr)
        return NO_WINDOW
    splash = torch_behind_splash() if sys.platform == "win32" else None
    if splash is not None and splash.closed_by_person:
        return 0
    from freeze_gui.gui.startup import Startup

    gc.disable()   # a collection amid the imports stops everything for a moment
    startup = Startup(sys.argv)
    if splash is not None:
        splash.close()
    try:
        return startup.run()
    finally:
        gc.enable()
        gc.unfreeze()   # or extension modules report everything as leaked when the interpreter ends


def torch_behind_splash() -> Splash:
    """Import torch, as must be before Qt on Windows, and return what is seen meanwhile."""
    splash = Splash()
    with contextlib.suppress(ImportError, OSError):   # start-up tries again, and says in its shell what is wrong
        import torch  # noqa: F401
    return splash


def create_window(settings_path: str | Path | None = None) -> MainWindow:
    """Return the window, ready and not yet shown; makes a QApplication where there is none.

    Parameters
    ----------
    settings_path
        INI file of the settings; None for the person's own.
    """
    import torch  # noqa: F401   # before Qt
    from PySide6.QtWidgets import QApplication

    app = QApplication.instance() or QApplication(sys.argv[:1])
    from freeze_gui.gui.main_window import MainWindow
    from freeze_gui.gui.settings import Settings

    window = MainWindow(Settings(settings_path))
    window._application = cast(QApplication, app)   # type: ignore[attr-defined]   # lives as long as the window
    return window
