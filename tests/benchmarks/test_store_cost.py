"""What saving a run costs it, and how long a saved run takes to open.

Run by hand: ``python -m pytest -m benchmark tests/benchmarks -s``. Nothing is asserted: it prints a table.
"""

from __future__ import annotations

import shutil
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from freeze_gui.runs.execute import execute
from freeze_gui.runs.store import RunWriter, list_runs, open_run
from freeze_gui.training.config import load_config
from tests.support.events import ended, events

pytestmark = pytest.mark.benchmark

CONFIG = load_config({"model": {"source": "builtin:digits-cnn"}, "train": {"steps": 600, "device": "auto"}})
LAYERS, STEPS = 161, 2000


@pytest.mark.timeout(600)
def test_cost_of_saving_a_run_of_short_steps(tmp_path: Path) -> None:
    execute(CONFIG)   # warms up
    ratios, step_ms = [], []
    for round_ in range(7):
        bare = _run_s(None)
        saved = _run_s(RunWriter(tmp_path / f"{round_}.freezerun", CONFIG))
        ratios.append(saved / bare)
        step_ms.append(bare * 1000)
    ratio, spread = statistics.median(ratios), f"{min(ratios):.3f}–{max(ratios):.3f}"
    print(f"\ndigits-cnn: {statistics.median(step_ms):.2f} ms a step, saved {ratio:.3f}× ({spread})")


@pytest.mark.timeout(600)
def test_time_to_commit_open_and_list(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
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
    print(
        f"\n{STEPS:,} steps × {LAYERS} layers: {writer.path.stat().st_size / STEPS:,.0f} bytes a step, "
        f"{count:,} events committed at once in {wall_s * 1000:.0f} ms ({cpu_s / count * 1e6:.1f} µs of CPU each), "
        f"opened in {_median_ms(lambda: open_run(writer.path))}, "
        f"200 of them listed in {_median_ms(lambda: list_runs(tmp_path))}"
    )


def _run_s(writer: RunWriter | None) -> float:
    """Return the mean seconds of a step, all between the steps counted."""
    history = execute(CONFIG, writer=writer).history
    assert history is not None
    assert writer is None or writer.error is None
    return float(history.view().step_s.mean())


def _median_ms(action: Callable[[], object]) -> str:
    times = []
    for _ in range(9):
        began = time.perf_counter()
        action()
        times.append(time.perf_counter() - began)
    return f"{statistics.median(times) * 1000:.1f} ms"
