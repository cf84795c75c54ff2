"""What measuring costs a step: the program's loop against the bare loop, interleaved, medians of ratios.

Run by hand: ``python -m pytest -m benchmark tests/benchmarks -s``. Nothing is asserted: it prints a table.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from freeze_gui.training.config import load_config
from freeze_gui.training.events import StepDone
from freeze_gui.training.trainer import Trainer

pytestmark = pytest.mark.benchmark

CASES: dict[str, tuple[dict[str, Any], int]] = {
    "digits-cnn": ({"model": {"source": "builtin:digits-cnn"}}, 200),
    "resnet18, 64 px": (
        {
            "model": {"source": "torchvision:resnet18", "num_classes": 10},
            "data": {"source": "random", "batch_size": 16},
        },
        12,
    ),
}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.timeout(600)
def test_cost_of_measuring_every_step(case: str) -> None:
    config, steps = CASES[case]
    base = {**config, "optimizer": {"name": "SGD", "lr": 0.01, "momentum": 0.9}}
    measured = _stepper(base, steps, every=1)
    bare = _stepper(base, steps, every=1_000_000_000)
    ratios, bare_ms = [], []
    for _ in range(7):
        a, b = measured(), bare()
        ratios.append(a / b)
        bare_ms.append(b * 1000)
    spread = f"{min(ratios):.3f}–{max(ratios):.3f}"
    ratio = statistics.median(ratios)
    print(f"\n{case}: {statistics.median(bare_ms):.2f} ms a bare step, measured {ratio:.3f}× ({spread})")


def _stepper(config: dict[str, Any], steps: int, every: int) -> Callable[[], float]:
    """Return a function that takes `steps` more steps of a run and gives the median seconds of one."""
    run = {**config, "train": {"steps": 1_000_000, "device": "auto", "measure_every": every, "eval_every": 10**9}}
    events: Iterator[Any] = (event for event in Trainer(load_config(run)).events() if isinstance(event, StepDone))
    next(events)   # step 0 is measured in both, and warms up
    return lambda: statistics.median(next(events).step_s for _ in range(steps))


