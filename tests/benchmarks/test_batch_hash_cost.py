"""What hashing every batch costs: the time that the loop spends on it, and a step with it against one without.

Run by hand: ``python -m pytest -m benchmark tests/benchmarks -s``. Nothing is asserted: it prints a table.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch

from freeze_gui.data.sources import Batch
from freeze_gui.training.batch_hash import BatchHash
from freeze_gui.training.config import load_config
from freeze_gui.training.events import StepDone
from freeze_gui.training.trainer import Trainer

pytestmark = pytest.mark.benchmark


@pytest.mark.parametrize(("shape", "batches", "step_s"), [((32, 1, 8, 8), 2000, 0.0), ((16, 3, 224, 224), 30, 0.1)])
def test_time_that_the_loop_spends(shape: tuple[int, ...], batches: int, step_s: float) -> None:
    group = (Batch(torch.randn(*shape), torch.arange(shape[0])),)
    found, times_us = BatchHash(), []
    for _ in range(batches):
        began = time.perf_counter()
        found.add(group)
        times_us.append((time.perf_counter() - began) * 1e6)
        time.sleep(step_s)   # a step, during which the thread hashes
    found.close()
    quartiles = statistics.quantiles(times_us)
    size = group[0].inputs.nbytes / 1e6
    print(f"\n{size:.2f} MB a batch: {quartiles[1]:.0f} µs ({quartiles[0]:.0f}–{quartiles[2]:.0f})")


def test_a_step_with_and_without_it(monkeypatch: pytest.MonkeyPatch) -> None:
    with_hash, without = _stepper(), _stepper()
    ratios = []
    for _ in range(9):
        a = with_hash()
        with monkeypatch.context() as patch:
            patch.setattr(BatchHash, "add", lambda self, group: None)
            b = without()
        ratios.append(a / b)
    print(f"\ndigits-cnn: {statistics.median(ratios):.3f}× ({min(ratios):.3f}–{max(ratios):.3f})")


def _stepper() -> Callable[[], float]:
    train = {"steps": 1_000_000, "device": "cpu", "eval_every": 10**9}
    config = load_config({"model": {"source": "builtin:digits-cnn"}, "train": train})
    events: Iterator[Any] = (event for event in Trainer(config).events() if isinstance(event, StepDone))
    next(events)
    return lambda: statistics.median(next(events).step_s for _ in range(200))
