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
    def open_window(self):
        super().open_window()
        assert self.window is not None and self.window.isVisible()
        assert not self.shell.isVisible()
        QTimer.singleShot(0, self.window.close)

Closing.open_window = startup.Slot()(Closing.open_window)
startup.Startup = Closing
from freeze_gui.gui.app import main
sys.exit(main())
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


def test_the_program_starts_shows_its_window_and_ends_with_0(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", STARTS_AND_CLOSES],
        env={**os.environ, "QT_QPA_PLATFORM": "offscreen", "XDG_CONFIG_HOME": str(tmp_path), "HOME": str(tmp_path)},
        capture_output=True, text=True, timeout=80, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "Error" not in done.stderr
    assert (tmp_path / "freeze-gui" / "freeze-gui.ini").exists()


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
