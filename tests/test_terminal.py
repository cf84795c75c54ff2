"""The command line under odd circumstances: closed streams, dumb terminals, no home, signals."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from freeze_gui.terminal import have_a_home, stopped_by_signal

CONFIG = '[model]\nsource = "builtin:five-linear"\n[train]\nsteps = 3\ndevice = "cpu"\nthreads = 1\n'
posix = pytest.mark.skipif(os.name == "nt", reason="needs a POSIX shell")


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "run.toml"
    path.write_text(CONFIG)
    return path


def shell(words: str, folder: Path, **env: str) -> subprocess.CompletedProcess[str]:
    """Run a line of the shell in which ``freeze-gui`` stands for this program."""
    line = words.replace("freeze-gui", f"'{sys.executable}' -m freeze_gui")
    return subprocess.run(
        ["sh", "-c", line], capture_output=True, text=True, timeout=100, check=False, cwd=folder, env=os.environ | env
    )


@posix
def test_closed_streams_spoil_no_file(config: Path, tmp_path: Path) -> None:
    done = shell("freeze-gui run run.toml --json out.json --save run.freezerun <&- >&- 2>&-", tmp_path)
    assert done.returncode == 0
    assert json.loads((tmp_path / "out.json").read_text())["steps"] == 3
    assert (tmp_path / "run.freezerun").read_bytes()[:15] == b"SQLite format 3"


@posix
def test_with_stderr_closed_stdout_carries_the_json_alone(config: Path, tmp_path: Path) -> None:
    assert json.loads(shell("freeze-gui run run.toml --json - 2>&-", tmp_path).stdout)["steps"] == 3


@posix
def test_a_reader_that_goes_away_during_the_run_costs_no_result(config: Path, tmp_path: Path) -> None:
    done = shell("(freeze-gui run run.toml --json out.json; echo $? > code) 2>&1 | head -1", tmp_path)
    assert done.stdout.startswith("loading")
    assert (tmp_path / "code").read_text().strip() == "0"
    assert json.loads((tmp_path / "out.json").read_text())["steps"] == 3


@posix
def test_a_terminal_without_the_letters_shows_question_marks(config: Path, tmp_path: Path) -> None:
    done = shell("freeze-gui inspect builtin:digits-cnn", tmp_path, PYTHONIOENCODING="ascii")
    assert done.returncode == 0
    assert "16?8?8" in done.stdout


@posix
def test_a_polite_request_to_end_stops_the_run_and_writes_its_summary(config: Path, tmp_path: Path) -> None:
    config.write_text(CONFIG.replace("steps = 3", "steps = 100000000"))
    command = [sys.executable, "-m", "freeze_gui", "compare", "run.toml", "--methods", "all", "--json", "out.json"]
    with subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True) as run:
        assert run.stderr is not None
        try:
            for line in run.stderr:
                if "steps on" in line:
                    break
            run.send_signal(signal.SIGTERM)
            run.communicate(timeout=60)
        finally:
            run.kill()   # a run that heard nothing would go on for days
    assert run.returncode == 0
    statuses = {each["summary"]["status"] for each in json.loads((tmp_path / "out.json").read_text())["runs"]}
    assert statuses == {"stopped"}


@pytest.mark.timeout(30)
def test_a_signal_amid_the_locks_of_the_loop_does_not_hang() -> None:
    with stopped_by_signal() as control:
        with control._go._cond:   # type: ignore[attr-defined]   # where the loop may be at any moment
            signal.raise_signal(signal.SIGINT)
        assert control._stop.wait(10)


@posix
def test_a_user_without_a_home_gets_one_that_paths_lead_to(monkeypatch: pytest.MonkeyPatch) -> None:
    import pwd

    def nobody(_: object) -> None:
        raise KeyError("uid not found")

    monkeypatch.setattr(pwd, "getpwuid", nobody)
    monkeypatch.delenv("HOME")
    with pytest.raises(RuntimeError):
        Path("~").expanduser()
    have_a_home()
    assert Path("~/x").expanduser() == Path("/x")
    monkeypatch.setenv("HOME", "/somewhere")
    have_a_home()
    assert Path.home() == Path("/somewhere")
