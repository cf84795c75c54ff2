"""Runs a benchmark in a process of its own, as fresh as a person's: no other one's imports and heap are in it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.benchmarks.measuring import Table

_WANTED = "FREEZE_GUI_BENCHMARK_TABLES"
"""Names the file that wants the tables of this process; where it is set, benchmarks run here."""


def is_own_process() -> bool:
    """Return whether this is the process that a benchmark has for itself."""
    return _WANTED in os.environ


def hand_over(tables: list[Table]) -> None:
    """Give the tables to the process that started this one."""
    Path(os.environ[_WANTED]).write_text(json.dumps([asdict(table) for table in tables]), encoding="utf-8")


def tables_of(benchmark: str, root: Path) -> list[Table]:
    """Run a benchmark, by its name in pytest, and return its tables; fail or skip where it does."""
    with TemporaryDirectory() as folder:
        file = Path(folder) / "tables.json"
        done = subprocess.run(
            [sys.executable, "-m", "pytest", "-m", "benchmark", "-p", "no:cacheprovider", "-rs", benchmark],
            cwd=root, env={**os.environ, _WANTED: str(file)}, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        tables = [Table(**table) for table in json.loads(file.read_text(encoding="utf-8"))]
    for line in done.stdout.splitlines():
        if line.startswith("SKIPPED"):
            pytest.skip(line)
    return tables
