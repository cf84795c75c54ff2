"""Runs exported scripts as a colleague would who has torch and nothing of the program."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.support.runs import NETWORK

ABSENT = ("freeze_gui", "tests", "jinja2", "safetensors", "sklearn", "PySide6")
"""Packages that no script may need."""

_DRIVER = """
import contextlib, io, json, runpy, sys, warnings
from importlib.abc import MetaPathFinder

absent, *paths = sys.argv[1:]

class Hiding(MetaPathFinder):
    def __init__(self, finder):
        self.finder = finder

    def find_spec(self, name, path=None, target=None):
        hidden = name.partition(".")[0] in absent.split(",")
        return None if hidden else self.finder.find_spec(name, path, target)

sys.meta_path[:] = map(Hiding, sys.meta_path)
with warnings.catch_warnings():
    warnings.simplefilter("ignore")   # torch says so itself where there is no numpy
    import torch
results = {}
for path in paths:
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        losses = runpy.run_path(path)["main"]()
    results[path] = (losses, printed.getvalue())
json.dump(results, sys.stdout)
"""


@dataclass(frozen=True)
class Result:
    """Losses of a script, the verdict that it printed for each tensor, and its text."""

    losses: list[float]
    verdict: dict[str, str]
    text: str


def run_scripts(paths: list[Path], absent: tuple[str, ...] = ABSENT) -> dict[Path, Result]:
    """Run scripts, one after the other, in one Python without some packages; every warning is an error."""
    done = subprocess.run(
        [sys.executable, "-I", "-W", "error", "-c", _DRIVER, ",".join(absent), *map(str, paths)],
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    found = json.loads(done.stdout)
    return {Path(path): result_of(Path(path), losses, printed) for path, (losses, printed) in found.items()}


def result_of(path: Path, losses: list[float], printed: str) -> Result:
    """Return what a script returned and printed."""
    lines = [line.rsplit(": ", 1) for line in printed.splitlines()]
    verdict = {line[0]: line[1] for line in lines if line[-1] in ("held", "leaked")}
    text = path.read_text(encoding="utf-8").replace(str(NETWORK), "network.py")   # however deep it lies
    return Result(losses, verdict, text)


def assert_same_run(result: Result, summary: dict[str, Any]) -> None:
    """Hold a script to the run that it stands for: its losses, and the verdict on each frozen tensor."""
    assert summary["status"] == "completed"
    assert result.losses == pytest.approx(summary["loss"], rel=1e-6, abs=0)
    frozen = {t["name"]: "leaked" if t["moved"] else "held" for t in summary["tensors"] if t["frozen_steps"]}
    assert result.verdict == frozen
