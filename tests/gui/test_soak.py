"""Drives the window without a plan while it trains, and watches what a person would notice.

The long form: ``python -m pytest -m soak tests/gui/test_soak.py -s``. How long it is and what is drawn are said by
``FREEZE_GUI_SOAK_S`` and ``FREEZE_GUI_SOAK_SEED``; the seed is printed, so that what was found can be found again.
"""

from __future__ import annotations

import os
import random
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import QMessageLogContext, QObject, Qt, QThread, QTimer, QtMsgType, Slot, qInstallMessageHandler
from PySide6.QtGui import QDesktopServices
from PySide6.QtTest import QTest
from PySide6.QtWidgets import (
    QAbstractButton,
    QApplication,
    QDialog,
    QFileDialog,
    QMenu,
    QPushButton,
    QToolButton,
)
from pytestqt.qtbot import QtBot

from freeze_gui.gui.main_window import MainWindow
from tests.gui import random_actions as do
from tests.gui.conftest import RUN_MS, run_and_wait

LONG_S = float(os.environ.get("FREEZE_GUI_SOAK_S", "600"))
SHORT_S = 15.0
SEED = 20261121
MODELS = ("builtin:digits-cnn", "builtin:two-task", "builtin:five-linear", "builtin:encoder-head")
BEAT_MS = 5
FILES_BESIDE = 4
"""Files that stay open whatever was run: those of what Qt and torch load late."""
OF_THE_PLATFORM = "This plugin does not support propagateSizeHints()"   # Qt without a screen says it of every window


class Heartbeat(QObject):
    """A timer in the window's thread.

    Attributes
    ----------
    late_ms, own_ms
        How late each beat was, and how long this thread itself computed meanwhile; the rest is the training, the
        interpreter's lock, or other programs.
    worst
        The beats before which this thread computed longest, with what was done last: (own_ms, late_ms, action).
    """

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self.late_ms: list[float] = []
        self.own_ms: list[float] = []
        self.worst: list[tuple[float, float, str]] = []
        self.doing = ""
        self._last, self._own = time.perf_counter(), time.thread_time()
        self._timer = QTimer(self)
        self._timer.setTimerType(Qt.TimerType.PreciseTimer)
        self._timer.timeout.connect(self.beat)
        self._timer.start(BEAT_MS)

    @Slot()
    def beat(self) -> None:
        """Note how late it is."""
        now, own = time.perf_counter(), time.thread_time()
        self.late_ms.append(max(1000 * (now - self._last) - BEAT_MS, 0.0))
        self.own_ms.append(1000 * (own - self._own))
        self.worst = sorted([*self.worst, (self.own_ms[-1], self.late_ms[-1], self.doing)], reverse=True)[:12]
        self._last, self._own = now, own

    def words(self) -> str:
        """Return what was seen, for a person."""
        late, own = (f"p99 {np.percentile(ms, 99):.1f}, most {max(ms):.0f}" for ms in (self.late_ms, self.own_ms))
        worst = "".join(f"    {own:4.0f} ms, {late:4.0f} ms late: {doing}\n" for own, late, doing in self.worst)
        return f"{len(self.late_ms)} beats, ms late: {late}; of the window's own computing: {own}\n{worst}"


@pytest.fixture
def qt_messages() -> Iterator[list[str]]:
    """Return the list that takes what Qt complains of from now on."""
    messages: list[str] = []

    def take(kind: QtMsgType, context: QMessageLogContext, text: str) -> None:
        if text != OF_THE_PLATFORM:
            messages.append(f"{kind.name}: {text}")

    before = qInstallMessageHandler(take)
    yield messages
    qInstallMessageHandler(before)


def press_anything(window: MainWindow, choice: random.Random) -> None:
    """Click a button that can be seen, or what is in its menu."""
    buttons = [button for button in window.findChildren(QAbstractButton) if can_be_pressed(button)]
    button = choice.choice(buttons)
    menu = button.menu() if isinstance(button, QToolButton | QPushButton) else None
    if menu is not None:   # a click would wait for the menu
        do.choose_in(menu, choice)
    else:
        QTest.mouseClick(button, Qt.MouseButton.LeftButton)


def can_be_pressed(button: QAbstractButton) -> bool:
    return button.isVisible() and button.isEnabled() and button.text().replace("&", "") not in do.LEAVES


def use_a_menu(window: MainWindow, choice: random.Random) -> None:
    """Choose what can be chosen in some menu of the window."""
    do.choose_in(choice.choice(window.findChildren(QMenu)), choice)


def resize(window: MainWindow, choice: random.Random) -> None:
    window.resize(choice.randrange(1000, 2560), choice.randrange(600, 1440))


def change_theme(window: MainWindow, choice: random.Random) -> None:
    window.choose_theme(choice.choice(("light", "dark", "system")))


def change_tab(window: MainWindow, choice: random.Random) -> None:
    tabs = choice.choice((window.tabs, window.tabs, window.code_tabs))
    tabs.setCurrentIndex(choice.randrange(tabs.count()))


def change_model(window: MainWindow, choice: random.Random) -> None:
    if window.run_panel.form.model_box.isEnabled():
        window.workbench.desk.show_model(choice.choice(MODELS))


def run_again(window: MainWindow, choice: random.Random) -> None:
    """Start a run of other length and pace."""
    form = window.run_panel.form
    form.steps_edit.setValue(choice.randrange(20, 400))
    form.pace_box.setCurrentIndex(choice.choice((0, 0, 0, 1)))
    QTest.mouseClick(window.run_panel.run_button, Qt.MouseButton.LeftButton)


def select_runs(window: MainWindow, choice: random.Random) -> None:
    rows = window.runs_table.model().rowCount()
    if rows:
        window.runs_table.selectRow(choice.randrange(rows))


def answer_dialogs(window: MainWindow, choice: random.Random) -> None:
    """Close what asks a question, half of the time by one of its buttons."""
    if (popup := QApplication.activePopupWidget()) is not None:
        popup.close()
    for dialog in window.findChildren(QDialog):
        if not dialog.isVisible():
            continue
        buttons = [button for button in dialog.findChildren(QPushButton) if can_be_pressed(button)]
        if buttons and choice.random() < 0.5 and not isinstance(dialog, QFileDialog):
            button = choice.choice(buttons)
            if button.menu() is None:
                QTest.mouseClick(button, Qt.MouseButton.LeftButton)
        if dialog.isVisible():
            dialog.reject()


ACTIONS: tuple[Callable[[MainWindow, random.Random], None], ...] = (
    do.tick, do.tick, do.click_tree, do.press_key, do.press_key, do.type_find, do.choose, do.choose, do.press_button,
    do.press_button, do.change_ticks, do.edit_timeline, press_anything, press_anything, press_anything,
    use_a_menu, use_a_menu, resize, change_theme, change_tab, change_tab, change_model,
    run_again, run_again, run_again, select_runs,
)  # fmt: skip


@pytest.mark.parametrize(
    "seconds",
    [
        pytest.param(SHORT_S, marks=pytest.mark.timeout(300), id="short"),
        pytest.param(LONG_S, marks=[pytest.mark.soak, pytest.mark.timeout(LONG_S * 3 + 300)], id="long"),
    ],
)
def test_the_window_survives_a_person_without_a_plan(
    qtbot: QtBot,
    window: MainWindow,
    qt_messages: list[str],
    seconds: float,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    monkeypatch.setattr(QDesktopServices, "openUrl", lambda url: True)   # another program's window
    monkeypatch.chdir(tmp_path)
    seed = int(os.environ.get("FREEZE_GUI_SOAK_SEED", SEED if seconds == SHORT_S else time.time()))
    choice = random.Random(seed)
    heart = Heartbeat(window)
    memory_mb, files, count, ends = [private_mb()], [open_files()], 0, time.monotonic() + seconds
    while time.monotonic() < ends:
        action = choice.choice(ACTIONS)
        heart.doing = f"{action.__name__} ({count})"
        action(window, choice)
        qtbot.wait(choice.randrange(40))
        answer_dialogs(window, choice)
        count += 1
        if count % 200 == 0:
            memory_mb.append(private_mb())
            files.append(open_files())
    runs = len(window.workbench.runs)
    window.controller.stop()
    qtbot.waitUntil(lambda: not window.controller.is_running, timeout=RUN_MS)
    print(f"\nseed {seed}: {count} actions, {runs} runs; memory {' '.join(f'{mb:.0f}' for mb in memory_mb)} MB")
    print(f"open files {' '.join(map(str, files))}")
    print(heart.words())
    _look_round(qtbot, window)
    qtbot.waitUntil(lambda: not threads_of_ours(), timeout=RUN_MS)
    assert qt_messages == []
    assert runs > 0
    qtbot.waitUntil(lambda: open_files() <= files[0] + FILES_BESIDE, timeout=RUN_MS)


def _look_round(qtbot: QtBot, window: MainWindow) -> None:
    """Fail where anything is left that a person did not ask for, or the window can no longer be used."""
    for dialog in window.findChildren(QDialog):
        dialog.reject()
    qtbot.wait(200)
    visible = [widget for widget in QApplication.topLevelWidgets() if widget.isVisible()]
    assert visible == [window]
    assert not [thread for thread in window.findChildren(QThread) if thread.isRunning()]
    assert threading.active_count() < 20, threading.enumerate()
    window.workbench.desk.show_model(MODELS[0])
    window.layer_panel.find_bar.edit.clear()
    window.layer_panel.actions_.choose_schedule("whole_run")
    window.run_panel.form.pace_box.setCurrentIndex(0)
    qtbot.waitUntil(lambda: window.run_panel.run_button.isEnabled(), timeout=RUN_MS)
    assert run_and_wait(qtbot, window, steps=5)["steps"] == 5


def threads_of_ours() -> list[str]:
    """Return the names of Python's threads that a run or a job left behind."""
    return [thread.name for thread in threading.enumerate() if thread.name in ("run-writer", "freeze-gui job")]


def open_files() -> int:
    """Return how many files this process holds open; 0 where the system does not say."""
    folder = Path("/proc/self/fd")
    return len(list(folder.iterdir())) if folder.exists() else 0


def private_mb() -> float:
    """Return the memory that is this process's own, in MB; 0 where the system does not say."""
    status = Path("/proc/self/status")
    lines = status.read_text().splitlines() if status.exists() else []
    return next((int(line.split()[1]) / 1024 for line in lines if line.startswith("RssAnon")), 0.0)
