"""How long the program takes to show itself and to be usable: five cold processes, their medians."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.benchmarks.measuring import Table, spread

pytestmark = [pytest.mark.benchmark, pytest.mark.timeout(600)]

_PROCESSES = 5
_SCRIPT = Path(__file__).with_name("measured_start.py")
_ROWS = (("shell shown", "shown", 0.5), ("window shown", "window", None), ("Run can be pressed", "enabled", 2.5),
         ("longest stall", "stall", 0.05))   # fmt: skip
_LARGEST = ("torchvision:vit_h_14", "torchvision:regnet_y_128gf", "torchvision:convnext_large")


def test_time_until_the_window_is_there(report: Callable[[Table], None], tmp_path: Path) -> None:
    starts = [_start(tmp_path / f"{number}") for number in range(-1, _PROCESSES)][1:]   # the first one warms the disk
    found = [start["start"] for start in starts]
    rows = []
    for title, name, goal in _ROWS:
        by_clock = spread([one[f"{name}_s"] * 1000 for one in found], "{:.0f}")
        of_processors = spread([one[f"{name}_cpu_s"] * 1000 for one in found], "{:.0f}")
        rows.append([title, by_clock, of_processors, "" if goal is None else f"{goal * 1000:.0f}"])
    note = (
        "From the start of the interpreter. Processor time is what the process had computed by then; of a stall, what "
        "it computed meanwhile: it leaves out what other programs on the machine took."
    )
    titles = ["until", "ms by the clock", "ms of processor time", "goal"]
    report(Table(f"Start: {_PROCESSES} cold processes", titles, rows, note))


def test_the_largest_models_open_beside_the_window(report: Callable[[Table], None], tmp_path: Path) -> None:
    starts = [_start(tmp_path / f"{number}", *_LARGEST) for number in range(3)]
    rows = []
    for source in _LARGEST:
        opened, by_clock, of_processors = (
            spread([start[source][name] * 1000 for start in starts], "{:.0f}")
            for name in ("enabled_s", "stall_s", "stall_cpu_s")
        )
        rows.append([source, opened, by_clock, of_processors, "50"])
    note = "From the choice in the model box until its forecast is there; the model is open when Run can be pressed."
    titles = ["model", "ms until it is open", "longest stall, ms", "of processor time", "goal for a stall"]
    report(Table("Start: the largest models chosen in the model box", titles, rows, note))


def _start(folder: Path, *models: str) -> dict[str, dict[str, float]]:
    """Start the program for a person who has never used it; return what its own timer saw, then with each model."""
    folder.mkdir()
    own = {"HOME": str(folder), "XDG_CONFIG_HOME": str(folder), "FREEZE_GUI_RUNS": str(folder / "runs")}
    done = subprocess.run(
        [sys.executable, str(_SCRIPT), repr(time.time()), *models],
        env={**os.environ, "QT_QPA_PLATFORM": "offscreen", **own},
        capture_output=True, text=True, timeout=100, check=True,
    )  # fmt: skip
    seen: dict[str, dict[str, float]] = json.loads(done.stdout)
    return seen
