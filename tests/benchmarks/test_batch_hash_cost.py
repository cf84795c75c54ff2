"""What hashing every batch costs: the time that the loop spends on it, and a step with it against one without."""

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
from tests.benchmarks.measuring import Table, interleaved, ratio, spread, taken_s

pytestmark = pytest.mark.benchmark


def test_hashing_of_every_batch(report: Callable[[Table], None], monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [_time_of_the_loop((32, 1, 8, 8), 2000, 0.0), _time_of_the_loop((16, 3, 224, 224), 30, 0.1)]
    with_hash, without = _stepper(), _stepper()

    def bare() -> float:
        with monkeypatch.context() as patch:
            patch.setattr(BatchHash, "add", lambda self, group: None)
            return without()

    found = interleaved({"with": with_hash, "without": bare}, 9)
    note = f"A step of digits-cnn with it, against one without: {ratio(found['with'], found['without'])}."
    report(Table("Hashing every batch", ["MB a batch", "µs of the loop"], rows, note))


def _time_of_the_loop(shape: tuple[int, ...], batches: int, step_s: float) -> list[str]:
    group = (Batch(torch.randn(*shape), torch.arange(shape[0])),)
    found, times_us = BatchHash(), []
    for _ in range(batches):
        times_us.append(taken_s(lambda: found.add(group)) * 1e6)
        time.sleep(step_s)   # a step, during which the thread hashes
    found.close()
    return [f"{group[0].inputs.nbytes / 1e6:.2f}", spread(times_us, "{:.0f}")]


def _stepper() -> Callable[[], float]:
    train = {"steps": 1_000_000, "device": "cpu", "eval_every": 10**9}
    config = load_config({"model": {"source": "builtin:digits-cnn"}, "train": train})
    events: Iterator[Any] = (event for event in Trainer(config).events() if isinstance(event, StepDone))
    next(events)
    return lambda: statistics.median(next(events).step_s for _ in range(200))
