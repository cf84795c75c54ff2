"""What a fused optimizer saves, and that with everything measured a run then costs no more than the usual bare loop."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest
import torch

from freeze_gui.training import budget
from tests.benchmarks.loops import Slice, bare_loop, case_config, our_loop
from tests.benchmarks.measuring import Table, interleaved, ratio, spread
from tests.benchmarks.test_telemetry_cost import CASES

pytestmark = [pytest.mark.benchmark, pytest.mark.timeout(900)]

USUAL, FUSED = "bare loop, usual", "bare loop, fused"
EVERY, BUDGET = "our trainer, fused, every step measured", "our trainer, fused, by its budget"
_TITLES = ["loop", "ms a step", "usual bare loop ×", "processor time ×", "fused bare loop ×"]
_OPTIMIZERS: dict[str, dict[str, Any]] = {
    "AdamW": {"name": "AdamW", "lr": 0.001},
    "Adam": {"name": "Adam", "lr": 0.001},
    "SGD with momentum": {"name": "SGD", "lr": 0.001, "momentum": 0.9},
}


@pytest.mark.parametrize("optimizer", _OPTIMIZERS)
@pytest.mark.parametrize("case", ["resnet18, 16 × 64 px", "resnet50, 64 × 224 px"])
def test_everything_measured_under_a_fused_optimizer(
    case: str, optimizer: str, report: Callable[[Table], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    model, data, device, threads, rounds, steps, _ = CASES[case]
    if device == "cuda" and not torch.cuda.is_available():
        pytest.skip(f"{case} is measured on CUDA, and there is none here")
    torch.set_num_threads(threads)
    monkeypatch.setattr(budget, "FIRST", 0)   # what lasts is measured, and not the steps that are measured in any case
    config, usual = partial(case_config, model, data, device, threads), _OPTIMIZERS[optimizer]
    fused = {**usual, "fused": True}
    loops: dict[str, Slice] = {
        USUAL: bare_loop(config(1, usual), steps),
        FUSED: bare_loop(config(1, fused), steps),
        EVERY: our_loop(config(1, fused), steps),
        BUDGET: our_loop(config(None, fused), steps, before=20),
    }
    times = {name: np.array(values) for name, values in interleaved(loops, rounds).items()}
    rows = [
        [
            name,
            spread(values[:, 0] * 1000, "{:.2f}"),
            *(ratio(values[:, clock], times[USUAL][:, clock]) for clock in (0, 1)),
            ratio(values[:, 0], times[FUSED][:, 0]),
        ]
        for name, values in times.items()
    ]
    note = f"{rounds} rounds of {steps} steps on {device}, {threads} torch threads."
    report(Table(f"Fast mode: {case}, {optimizer}", _TITLES, rows, note))
