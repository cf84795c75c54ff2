"""Tests of the shell in a process of its own, which stands in for the window while torch is imported on Windows."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

from freeze_gui.gui.app import torch_behind_splash
from freeze_gui.gui.splash import Splash

pytestmark = pytest.mark.timeout(60)


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[subprocess.Popen[bytes]]]:
    processes: list[subprocess.Popen[bytes]] = []
    real = subprocess.Popen

    def noted(*arguments: object, **options: object) -> subprocess.Popen[bytes]:
        processes.append(real(*arguments, **options))   # type: ignore[call-overload]
        return processes[-1]

    monkeypatch.setattr(subprocess, "Popen", noted)
    yield processes
    for process in processes:
        process.kill()
        process.wait()


def test_it_stays_until_it_is_closed_and_then_ends_well(started: list[subprocess.Popen[bytes]]) -> None:
    splash = torch_behind_splash()
    [process] = started
    assert "torch" in sys.modules
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(3)
    assert not splash.closed_by_person
    splash.close()
    assert process.wait(30) == 0


def test_it_ends_with_the_program_that_it_stands_for() -> None:
    code = (
        "import time; from freeze_gui.gui.splash import Splash; splash = Splash(); "
        "print('there', flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as program:
        assert program.stdout is not None
        assert program.stdout.readline() == b"there\n"
        program.kill()
        began = time.monotonic()
        assert program.stdout.read() == b""   # it has an end when none is left that could write: the splash, too
        assert time.monotonic() - began < 30


def test_one_that_a_person_closes_means_that_the_program_is_not_wanted(started: list[subprocess.Popen[bytes]]) -> None:
    splash = Splash()
    assert not splash.closed_by_person
    [process] = started
    assert process.stdin is not None
    process.stdin.close()   # the process ends as it does when its window is closed: by itself, and well
    process.wait(30)
    assert splash.closed_by_person


def test_one_that_fails_does_not_keep_the_program_from_starting(
    started: list[subprocess.Popen[bytes]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("QT_QPA_PLATFORM", "none-of-that-name")
    splash = Splash()
    assert started[0].wait(30) != 0
    assert not splash.closed_by_person
    splash.close()
    monkeypatch.setattr(sys, "executable", "/no/such/python")
    assert not Splash().closed_by_person
