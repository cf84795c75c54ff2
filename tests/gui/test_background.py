from __future__ import annotations

import sys
import threading
import time

import pytest
from PySide6.QtCore import QObject
from pytestqt.qtbot import QtBot

from freeze_gui.errors import UserError
from freeze_gui.gui import background
from freeze_gui.gui.background import Job


def raise_mistake() -> None:
    raise UserError("the file is empty")


def test_a_result_and_a_mistake_arrive_in_the_windows_thread(qtbot: QtBot) -> None:
    parent = QObject()
    job = Job(lambda: threading.current_thread().name, parent)
    with qtbot.waitSignal(job.succeeded) as succeeded:
        job.start()
    assert succeeded.args == ["freeze-gui job"]
    job = Job(raise_mistake, parent)
    with qtbot.waitSignal(job.failed) as failed:
        job.start()
    assert failed.args == ["the file is empty"]


def test_code_that_exits_ends_its_job_and_not_the_window(qtbot: QtBot) -> None:
    parent = QObject()
    job = Job(sys.exit, parent)
    with qtbot.waitSignal(job.failed) as failed:
        job.start()
    assert failed.args is not None
    assert failed.args[0].startswith("SystemExit")


def test_a_job_that_hangs_is_left_behind(qtbot: QtBot, monkeypatch: pytest.MonkeyPatch) -> None:
    release = threading.Event()
    parent = QObject()
    job = Job(lambda: release.wait(30), parent)
    job.start()
    monkeypatch.setattr(background, "PATIENCE_S", 0.1)
    began = time.monotonic()
    job.wait()
    assert time.monotonic() - began < 5
    release.set()
    job._thread.join(5)
