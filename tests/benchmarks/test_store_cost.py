"""What saving a run costs it, and how long a saved run takes to open."""

from __future__ import annotations

import itertools
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from freeze_gui.runs.execute import execute
from freeze_gui.runs.store import RunWriter, list_runs, open_run
from freeze_gui.training.config import load_config
from tests.benchmarks.measuring import Table, interleaved, ratio, spread, taken_s
from tests.support.events import ended, events

pytestmark = pytest.mark.benchmark

CONFIG = load_config({"model": {"source": "builtin:digits-cnn"}, "train": {"steps": 600, "device": "auto"}})
LAYERS, STEPS = 161, 2000


@pytest.mark.timeout(600)
def test_cost_of_saving_a_run_of_short_steps(tmp_path: Path, report: Callable[[Table], None]) -> None:
    numbers = itertools.count()
    saved = interleaved(
        {
            "bare": lambda: _run_s(None),
            "saved": lambda: _run_s(RunWriter(tmp_path / f"{next(numbers)}.freezerun", CONFIG)),
        },
        7,
    )
    row = ["digits-cnn", spread(np.array(saved["bare"]) * 1000, "{:.2f}"), ratio(saved["saved"], saved["bare"])]
    report(Table("Saving a run as it goes", ["network", "ms a step, not saved", "saved ×"], [row]))


@pytest.mark.timeout(600)
def test_time_to_commit_open_and_list(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, report: Callable[[Table], None]
) -> None:
    flushes: list[tuple[int, float, float]] = []
    flush = RunWriter._flush

    def timed(self: RunWriter, *rest: Any) -> None:
        count, began, cpu = len(self._events), time.perf_counter(), time.thread_time()
        flush(self, *rest)
        flushes.append((count, time.perf_counter() - began, time.thread_time() - cpu))

    monkeypatch.setattr(RunWriter, "_flush", timed)
    with RunWriter(tmp_path / "run.freezerun", CONFIG) as writer:
        for event in (*events(LAYERS, STEPS), ended(STEPS)):
            writer.handle(event)
    count, wall_s, cpu_s = max(flushes)
    for number in range(199):
        shutil.copy(writer.path, tmp_path / f"{number}.freezerun")
    rows = [
        ["bytes a step", f"{writer.path.stat().st_size / STEPS:,.0f}"],
        [f"ms to commit {count:,} events", f"{wall_s * 1000:.0f}"],
        ["µs of a processor for each of them", f"{cpu_s / count * 1e6:.1f}"],
        ["ms to open it", _ms(lambda: open_run(writer.path))],
        ["ms to list 200 of them", _ms(lambda: list_runs(tmp_path))],
    ]
    report(Table(f"A saved run of {STEPS:,} steps and {LAYERS} layers", ["", ""], rows))


def _run_s(writer: RunWriter | None) -> float:
    """Return the mean seconds of a step, all between the steps counted."""
    history = execute(CONFIG, writer=writer).history
    assert history is not None
    assert writer is None or writer.error is None
    return float(history.view().step_s.mean())


def _ms(action: Callable[[], object]) -> str:
    return spread([taken_s(action) * 1000 for _ in range(9)])
