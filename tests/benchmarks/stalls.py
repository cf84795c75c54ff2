"""What the window's thread computes in one turn of its event loop: for so long nothing else in the window can move."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import numpy as np
from PySide6.QtCore import QCoreApplication

from freeze_gui.gui.main_window import MainWindow
from freeze_gui.runs.recorder import RunRecorder
from freeze_gui.runs.step_block import StepBlock
from freeze_gui.training.events import PlanApplied, RunEvent, StepDone
from tests.gui.recorded_runs import end_run, started_run

LAYERS, STEPS = 161, 2_000
_QUIET_S = 0.15
_LEAST_MS = 0.05
"""A turn with nothing to do takes less."""


def turns_ms(action: Callable[[], object], until: Callable[[], bool] = lambda: True) -> list[float]:
    """Do something, let the event loop turn until all has come to rest, and return the processor time of each turn.

    What a click does at once is one turn, as it is when the loop delivers the click. All that is posted meanwhile, such
    as layouts and painting, comes in the turns after it. Processor time of this thread leaves out the other threads and
    programs.
    """
    found = [_cpu_ms(action)]
    last = time.perf_counter()
    while not until() or time.perf_counter() - last < _QUIET_S:
        took = _cpu_ms(QCoreApplication.processEvents)
        if took > _LEAST_MS:
            found.append(took)
            last = time.perf_counter() if took > 1 else last
        else:
            time.sleep(0.001)
    return found


def large_runs(count: int) -> list[RunRecorder]:
    """Return runs of `LAYERS` layers and `STEPS` random steps that have ended; each second one differs in a half."""
    layers = [f"layer{block}.{unit}.{part}" for block in range(1, 24) for unit in range(4) for part in ("conv", "bn")]
    runs = []
    for at in range(count):
        run = started_run(f"run {at}", STEPS, layers[:LAYERS])
        run.extend(_random_steps(at % 2))
        end_run(run, proof=f"bits {at % 2}")
        runs.append(run)
    return runs


def random_events(layers: int, steps: int) -> Iterator[RunEvent]:
    """Return what a run with random norms sends; half of the layers are frozen."""
    generator, frozen = np.random.default_rng(0), np.arange(layers) < layers // 2
    yield PlanApplied(0, frozen, 10 * layers)
    for step in range(steps):
        grad, update, delta = generator.lognormal(-3, 1.5, (3, layers))
        yield StepDone(step, 1 / (1 + step), None, grad, update, delta, frozen, (), 0.01, 0.001, 0.1)


def put_in(window: MainWindow, runs: list[RunRecorder]) -> None:
    """Open runs in the window and put them side by side."""
    bench = window.workbench
    bench.take_in(runs, look=True)
    bench.beside.show(runs)


def _random_steps(seed: int) -> StepBlock:
    half = LAYERS // 2
    same = np.random.default_rng(0).lognormal(-3, 1.5, (STEPS, 3, half))
    other = np.random.default_rng(seed).lognormal(-3, 1.5, (STEPS, 3, LAYERS - half))
    norms = np.concatenate((same, other), axis=2)
    numbers = np.arange(STEPS, dtype=float)
    return StepBlock(
        np.arange(STEPS), 1 / (1 + numbers), 0 * numbers + 0.01, 0 * numbers + 0.001, 0 * numbers + 0.1,
        [None] * STEPS, np.tile(np.arange(LAYERS) < half, (STEPS, 1)), np.zeros((STEPS, LAYERS), bool),
        np.ones(STEPS, bool), norms.astype(np.float32), np.zeros(0, np.int64), np.zeros((0, 0, 3), np.float32),
    )  # fmt: skip


def _cpu_ms(action: Callable[[], object]) -> float:
    began = time.thread_time()
    action()
    return (time.thread_time() - began) * 1000
