"""Events of runs that never were, for the tests of what is done with events."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from freeze_gui.runs.recorder import RunRecorder
from freeze_gui.training.events import (
    NO_GRADIENT,
    Evaluated,
    LayerRecord,
    PlanApplied,
    RunEnded,
    RunEvent,
    RunStarted,
    StepDone,
)

MEASURED = (
    "step", "weight_delta", "update_norm", "grad_norm", "frozen", "leaked", "loss_step", "loss", "step_s",
    "overhead_s", "learning_rate", "state_step", "optimizer_state",
)  # fmt: skip
"""What a view of a history holds."""


def started(layers: int, steps: int = 0) -> RunStarted:
    """Return the start of a run with so many layers of one parameter each."""
    records = tuple(LayerRecord(f"layer{row}", "Linear", 10 + row) for row in range(layers))
    environment = {"python": "3", "threads": 2}
    return RunStarted(records, steps, "cpu", 4, environment, parameters=tuple(f"{r.path}.weight" for r in records))


def events(layers: int, steps: int, *, every: int = 1, tasks: bool = False, first: int = 0) -> Iterator[RunEvent]:
    """Yield a run of random numbers without its end: layers freeze, thaw and leak, and every few steps one evaluates.

    Parameters
    ----------
    layers, steps, first
        Size of the run, and its first step.
    every
        Steps between two measured ones.
    tasks
        Whether steps alternate between two tasks, with flags of their own and reads of the optimizer's state.
    """
    random = np.random.default_rng(0)
    yield started(layers, steps)
    flags = np.zeros(layers, bool)
    for step in range(first, first + steps):
        if step == first or tasks or random.random() < 0.1:
            flags = random.random(layers) < (0.3 + 0.4 * (step % 2))
            yield PlanApplied(step, flags, int(10 * (~flags).sum()), by_task=tasks and step > first)
        norms = random.lognormal(sigma=5, size=(3, layers))
        norms[0, flags] = NO_GRADIENT
        measured = step % every == 0
        yield StepDone(
            step=step,
            loss=random.normal() / 3,
            task=f"task{step % 2}" if tasks else None,
            grad_norm=norms[0] if measured else None,
            update_norm=norms[1] if measured else None,
            weight_delta=norms[2] if measured else None,
            frozen=flags,
            leaked=tuple(np.flatnonzero(flags & (random.random(layers) < 0.2)).tolist()),
            step_s=random.random(),
            overhead_s=random.random() / 10,
            learning_rate=0.1 / (step + 1),
            optimizer_state=random.normal(size=(layers, 3)) if tasks and measured else None,
        )
        if step % 7 == 6:
            yield Evaluated(step + 1, random.random(), None if step % 2 else random.random())


def ended(steps: int, status: str = "completed") -> RunEnded:
    """Return a plain end."""
    return RunEnded(status, None, steps)


def differences(a: RunRecorder, b: RunRecorder, *, rounded: bool) -> list[str]:
    """Return the names of what two recorders do not agree on; with `rounded`, norms of `b` count as float32."""
    found = [
        name
        for name in ("label", "config", "status", "started", "trainable", "first_step", "tasks")
        if getattr(a, name) != getattr(b, name)
    ]
    found += [name for name in ("frozen", "leaked") if not np.array_equal(getattr(a, name), getattr(b, name))]
    windows = [[run.frozen_windows(row) for row in range(len(run.layers))] for run in (a, b)]
    found += ["frozen_windows"] * (windows[0] != windows[1])
    if a.history is None or b.history is None:
        return found + ["history"] * (a.history is not b.history)
    found += [
        f"history.{name}"
        for name in ("evaluations", "markers", "total_steps", "layers")
        if getattr(a.history, name) != getattr(b.history, name)
    ]
    ours, theirs = (
        {name: getattr(view, name) for name in MEASURED} for view in (a.history.view(), b.history.view())
    )
    for name, values in theirs.items():
        if rounded and name in ("grad_norm", "update_norm", "weight_delta"):
            values = values.astype(np.float32)
        if not np.array_equal(ours[name], values, equal_nan=values.dtype.kind == "f"):
            found.append(f"view.{name}")
    return found
