"""The results of the benchmarks are written down where all of them ran to the end, and are left alone else."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from tests.benchmarks import conftest, own_process


@pytest.mark.parametrize(
    ("status", "stopped", "written"),
    [
        (pytest.ExitCode.OK, False, True),
        (pytest.ExitCode.TESTS_FAILED, False, True),
        (pytest.ExitCode.TESTS_FAILED, "stopping after 1 failures", False),
        (pytest.ExitCode.INTERRUPTED, False, False),
    ],
)
def test_benchmarks_that_were_interrupted_leave_the_results_of_the_last_time(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, status: pytest.ExitCode, stopped: bool | str, written: bool
) -> None:
    monkeypatch.delenv(own_process._WANTED, raising=False)
    files = Path(conftest.__file__).parent.glob("test_*.py")
    monkeypatch.setattr(conftest, "RESULTS", tmp_path / "RESULTS.md")
    conftest.RESULTS.write_text("of the last time")
    stash = {conftest._tables: [], conftest._failed: [], conftest._machine: "a machine\n"}
    session: Any = SimpleNamespace(
        items=[SimpleNamespace(path=path, get_closest_marker=lambda name: True) for path in files],
        config=SimpleNamespace(stash=stash, option=SimpleNamespace(collectonly=False)), shouldfail=stopped,
    )  # fmt: skip
    conftest.pytest_sessionfinish(cast(pytest.Session, session), status)
    assert ("a machine" in conftest.RESULTS.read_text()) is written
