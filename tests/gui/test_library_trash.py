from __future__ import annotations

import os
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QAction
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QMessageBox, QPushButton
from pytestqt.qtbot import QtBot

from freeze_gui.gui.main_window import MainWindow
from freeze_gui.runs.store import KEPT_DAYS, RunWriter, delete_run
from freeze_gui.training.config import load_config
from tests.support.events import ended, events

pytestmark = pytest.mark.timeout(120)
CONFIG = load_config({"model": {"source": "builtin:digits-cnn"}})


def trashed(folder: Path, name: str, days: float = 0.0) -> Path:
    """Save a run, and delete it so many days ago; its file takes exactly 200,000 bytes."""
    folder.mkdir(parents=True, exist_ok=True)
    with RunWriter(folder / f"{name}.freezerun", CONFIG) as writer:
        for event in (*events(5, 20), ended(20)):
            writer.handle(event)
    path = delete_run(writer.path)
    with path.open("ab") as file:
        file.truncate(200_000)
    then = path.stat().st_mtime - days * 86400
    os.utime(path, (then, then))
    return path


def ask(qtbot: QtBot, window: MainWindow) -> QMessageBox:
    (action,) = [each for each in window.findChildren(QAction) if each.text() == "Empty trash of runs…"]
    action.trigger()
    qtbot.waitUntil(lambda: window.findChild(QMessageBox, "emptyTrashDialog") is not None)
    box = window.findChild(QMessageBox, "emptyTrashDialog")
    assert isinstance(box, QMessageBox)
    return box


def press(box: QMessageBox, name: str) -> None:
    button = box.findChild(QPushButton, name)
    assert button is not None
    QTest.mouseClick(button, Qt.MouseButton.LeftButton)


@pytest.fixture
def old_and_new(runs_in_a_folder_of_the_test: Path) -> tuple[Path, Path]:
    """Put a run into the trash that is too old, and one that is not, before there is a window."""
    folder = runs_in_a_folder_of_the_test
    return trashed(folder, "old", KEPT_DAYS + 1), trashed(folder, "new", KEPT_DAYS - 1)


def test_a_start_empties_the_trash_of_what_is_old(
    old_and_new: tuple[Path, Path], qtbot: QtBot, window: MainWindow
) -> None:
    old, new = old_and_new
    qtbot.waitUntil(lambda: not old.exists())
    assert new.exists()


def test_the_trash_is_emptied_after_a_yes_that_names_count_and_size(
    old_and_new: tuple[Path, Path], qtbot: QtBot, window: MainWindow, runs_in_a_folder_of_the_test: Path
) -> None:
    old, new = old_and_new
    qtbot.waitUntil(lambda: not old.exists())
    another = trashed(runs_in_a_folder_of_the_test, "another")
    box = ask(qtbot, window)
    assert "2 runs, 0.4 MB" in box.text()
    assert f"{KEPT_DAYS} days" in box.informativeText()
    assert str(runs_in_a_folder_of_the_test) in box.informativeText()
    press(box, "keepTrashButton")
    assert new.exists() and another.exists()
    qtbot.waitUntil(lambda: window.findChild(QMessageBox, "emptyTrashDialog") is None)
    press(ask(qtbot, window), "emptyTrashButton")
    qtbot.waitUntil(lambda: not new.exists() and not another.exists())
    qtbot.waitUntil(lambda: "2 runs, 0.4 MB, deleted for good" in window.status_label.text())


def test_what_is_gone_for_good_is_not_offered_to_be_brought_back(
    qtbot: QtBot, window: MainWindow, runs_in_a_folder_of_the_test: Path
) -> None:
    trashed(runs_in_a_folder_of_the_test, "before")
    shelf = window.library_desk.shelf
    shelf.deleted.append((Path("gone"),))
    window.library.undo_bar.show()
    press(ask(qtbot, window), "emptyTrashButton")
    qtbot.waitUntil(lambda: not shelf.deleted)
    assert window.library.undo_bar.isHidden()


def test_an_empty_trash_is_said_to_be_empty(qtbot: QtBot, window: MainWindow) -> None:
    window.library_trash.ask()
    qtbot.waitUntil(lambda: "The trash is empty" in window.status_label.text())
    assert window.findChild(QMessageBox, "emptyTrashDialog") is None
