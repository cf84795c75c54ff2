"""Taking things away in tests, without a dialog that waits for a person."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from PySide6.QtWidgets import QFileDialog
from pytestqt.qtbot import QtBot

from freeze_gui.gui.main_window import MainWindow


def save_to(qtbot: QtBot, window: MainWindow, wish: Callable[[], object], path: Path) -> str:
    """Wish for a file, answer the dialog with `path`, wait for the end, and return the name that was proposed."""
    wish()
    dialog = window.findChild(QFileDialog, "exportDialog")
    assert isinstance(dialog, QFileDialog)
    proposed = Path(dialog.selectedFiles()[0]).name
    dialog.done(0)
    dialog.fileSelected.emit(str(path))
    qtbot.waitUntil(window.export_desk.busy.isHidden, timeout=30_000)
    return proposed


def save_config(qtbot: QtBot, window: MainWindow, path: Path) -> None:
    """Save what form and tree say."""
    save_to(qtbot, window, window.exports.save_config, path)
