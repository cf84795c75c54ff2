from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from PySide6.QtWidgets import QMessageBox
from pytestqt.qtbot import QtBot

from freeze_gui.gui import app, platform_check
from freeze_gui.gui.error_reports import ErrorReports
from freeze_gui.gui.main_window import MainWindow

pytestmark = pytest.mark.timeout(90)

STARTS_AND_CLOSES = """
import sys
from PySide6.QtCore import QTimer
from freeze_gui.gui import startup

class Closing(startup.Startup):
    def show_window(self, window):
        super().show_window(window)
        assert self.window is window and window.isVisible()
        room = self.app.primaryScreen().availableSize().expandedTo(window.minimumSizeHint())
        assert window.size() == window.size().boundedTo(room)   # a screen without a display has 800 by 800 pixels
        assert not self.shell.isVisible()
        QTimer.singleShot(0, window.close)

startup.Startup = Closing
from freeze_gui.gui.app import main
sys.exit(main())
"""

CLOSES_THE_SHELL = """
import sys
from freeze_gui.gui import startup
from freeze_gui.gui.main_window import MainWindow

built = []

class Closing(startup.Startup):
    def open_window(self):
        super().open_window()
        self.shell.close()

    def show_window(self, window):
        raise AssertionError("the shell was closed before")

class Counted(MainWindow):
    def closeEvent(self, event):
        built.append(self.build_next())
        super().closeEvent(event)

Closing.open_window = startup.Slot()(Closing.open_window)
startup.Startup = Closing
import freeze_gui.gui.main_window as module
module.MainWindow = Counted
from freeze_gui.gui.app import main
code = main()
assert built == [False], built   # closed once, when there was nothing more to build
sys.exit(code)
"""

OPENS_LIBRARIES = """
import sys, threading, time
from pathlib import Path
from freeze_gui.gui.startup import open_big_libraries

beats, over = [], threading.Event()
def beat():
    while not over.wait(0.001):
        beats.append(time.perf_counter())
thread = threading.Thread(target=beat)
thread.start()
open_big_libraries()
over.set()
thread.join()
gaps = [b - a for a, b in zip(beats, beats[1:])]
print("libtorch_cpu" in Path("/proc/self/maps").read_text(), "torch" in sys.modules, max(gaps) / sum(gaps))
"""


def test_without_a_display_one_line_names_the_commands(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(sys, "platform", "linux")
    assert app.main() == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1
    for word in ("display", "run", "compare", "inspect", "scenarios"):
        assert word in lines[0]


def test_missing_system_libraries_are_one_line_to_install_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setenv("DISPLAY", ":0")
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    monkeypatch.delenv("QT_QPA_PLATFORM", raising=False)
    monkeypatch.setattr(platform_check, "can_load", lambda name: "cursor" not in name and "icccm" not in name)
    reason = platform_check.why_no_window()
    assert reason is not None
    assert "\n" not in reason
    assert reason.endswith("sudo apt-get install -y libxcb-cursor0 libxcb-icccm4")


@pytest.mark.parametrize("script", [STARTS_AND_CLOSES, CLOSES_THE_SHELL], ids=["the window", "the shell"])
def test_the_program_starts_and_ends_with_0_when_a_person_closes(script: str, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", script],
        env={**os.environ, "QT_QPA_PLATFORM": "offscreen", "XDG_CONFIG_HOME": str(tmp_path), "HOME": str(tmp_path)},
        capture_output=True, text=True, timeout=80, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "Error" not in done.stderr
    assert (tmp_path / "freeze-gui" / "freeze-gui.ini").exists()


@pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="asks Linux what is open")
def test_the_largest_library_of_torch_is_opened_without_keeping_the_interpreter() -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", OPENS_LIBRARIES],
        capture_output=True, text=True, timeout=80, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    opened, imported, longest = done.stdout.split()
    assert (opened, imported) == ("True", "False")
    assert float(longest) < 1 / 3   # of the whole time; half of it goes to one library, and all of that if it is kept


def test_an_error_of_ours_is_logged_and_shown_once(qtbot: QtBot, window: MainWindow, tmp_path: Path) -> None:
    reports = ErrorReports(window, tmp_path / "errors.log")
    reports.window = window
    for text in ("first", "second"):
        try:
            raise ZeroDivisionError(text)
        except ZeroDivisionError as error:
            reports.on_exception(type(error), error, error.__traceback__)
    qtbot.waitUntil(lambda: window.findChild(QMessageBox, "errorReport") is not None)
    qtbot.wait(20)
    boxes = window.findChildren(QMessageBox, "errorReport")
    assert len(boxes) == 1
    assert "first" in boxes[0].informativeText()
    assert (tmp_path / "errors.log").read_text().count("ZeroDivisionError:") == 2
    boxes[0].close()
    assert window.run_panel.run_button.isEnabled()


def test_a_display_that_does_not_answer_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setenv("DISPLAY", ":987")
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    monkeypatch.delenv("QT_QPA_PLATFORM", raising=False)
    monkeypatch.setattr(platform_check, "can_load", lambda name: True)
    reason = platform_check.why_no_window()
    assert reason is not None
    assert "':987' cannot be reached" in reason
    assert "\n" not in reason
