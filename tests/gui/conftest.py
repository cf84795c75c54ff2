"""A window for each test, and a look round after it: no thread, timer or top-level window may stay behind."""

from __future__ import annotations

import gc
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtCore import QModelIndex, Qt, QThread, QTimer
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from freeze_gui.gui.app import create_window
from freeze_gui.gui.main_window import MainWindow

RUN_MS = 60_000
"""A run of 300 steps takes some 2 s here; a busy machine may take many times that."""


@pytest.fixture(autouse=True)
def runs_in_a_folder_of_the_test(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Keep every run of a test out of the person's own folder; return where they are."""
    folder = tmp_path / "runs"
    monkeypatch.setenv("FREEZE_GUI_RUNS", str(folder))
    return folder


@pytest.fixture
def make_window(
    qtbot: QtBot, tmp_path: Path, runs_in_a_folder_of_the_test: Path
) -> Iterator[Callable[..., MainWindow]]:
    """Make windows with settings of their own; all are closed after the test."""
    made: list[MainWindow] = []

    def make(settings: Path | None = None) -> MainWindow:
        window = create_window(settings or tmp_path / "settings.ini")
        made.append(window)
        qtbot.addWidget(window)
        window.show()
        return window

    yield make
    for window in made:
        window.close()
        assert not window.controller.is_running
        assert not [thread for thread in window.findChildren(QThread) if thread.isRunning()]
        assert not [timer for timer in window.findChildren(QTimer) if timer.isActive() and timer.objectName() == "tick"]


@pytest.fixture
def window(make_window: Callable[..., MainWindow]) -> MainWindow:
    """Return one window with the defaults."""
    return make_window()


@pytest.fixture(scope="session", autouse=True)
def _imports_are_never_garbage() -> Iterator[None]:
    """Keep what is imported out of every collection: looking through it takes most of the time."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.fixture(autouse=True)
def _garbage_waits_for_the_end_of_a_test(_imports_are_never_garbage: None) -> Iterator[None]:
    """Collect between tests only, as the window does between events.

    A collection in the middle of a paint event takes the plots of an earlier test apart, and Qt crashes.
    """
    gc.disable()
    yield
    gc.collect()
    gc.enable()


@pytest.fixture(autouse=True)
def nothing_left_behind(qapp: QApplication) -> Iterator[None]:
    """Fail a test that leaves a thread of ours or a visible window behind."""
    yield
    qapp.processEvents()
    threads = [thread for thread in threading.enumerate() if thread.name.startswith("freeze-gui")]
    for thread in threads:
        thread.join(2)   # one that has said its last word may need a moment to be gone
    assert not [thread.name for thread in threads if thread.is_alive()]
    visible = [widget.objectName() or type(widget).__name__ for widget in qapp.topLevelWidgets() if widget.isVisible()]
    assert not [name for name in visible if name != "mainWindow"]


def run_and_wait(qtbot: QtBot, window: MainWindow, steps: int | None = None) -> dict[str, Any]:
    """Press Run and return the summary when the run has ended."""
    if steps is not None:
        window.run_panel.form.steps_edit.setValue(steps)
    with qtbot.waitSignal(window.controller.run_ended, timeout=RUN_MS) as ended:
        QTest.mouseClick(window.run_panel.run_button, Qt.MouseButton.LeftButton)
    summary: dict[str, Any] = ended.args[0]
    return summary


def start_slowly(qtbot: QtBot, window: MainWindow, after_steps: int = 3) -> None:
    """Start a run at 60 steps a second and wait for its first steps."""
    window.run_panel.form.pace_box.setCurrentIndex(1)
    QTest.mouseClick(window.run_panel.run_button, Qt.MouseButton.LeftButton)

    def has_steps() -> bool:
        history = window.controller.recorders[0].history
        return history is not None and history.steps >= after_steps

    qtbot.waitUntil(has_steps, timeout=RUN_MS)


def tree_index(window: MainWindow, path: str, column: int = 0) -> QModelIndex:
    """Return the index of a row in the tree view."""
    panel = window.layer_panel
    assert panel.model.tree is not None
    return panel.model.index_of(panel.model.tree.by_path[path], column)
