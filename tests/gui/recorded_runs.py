"""Small runs with known numbers, for the tests of the views."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from freeze_gui.freezing.verdict import Cause, TensorVerdict
from freeze_gui.runs.recorder import RunRecorder
from freeze_gui.training.config import load_config
from freeze_gui.training.events import (
    NO_GRADIENT,
    Evaluated,
    LayerRecord,
    PlanApplied,
    Proof,
    RunEnded,
    RunStarted,
    StepDone,
)

LAYERS = ("stem", "blocks.0", "blocks.1", "head")


def waiting_run(label: str = "requires_grad") -> RunRecorder:
    return RunRecorder(load_config({"model": {"source": "builtin:digits-cnn"}}), label)


def started_run(label: str = "requires_grad", total_steps: int = 100, layers: Sequence[str] = LAYERS) -> RunRecorder:
    run = waiting_run(label)
    records = tuple(LayerRecord(path, "Linear", 10) for path in layers)
    run.handle(RunStarted(records, total_steps, "cpu", None, {}))
    return run


def add_steps(
    run: RunRecorder,
    count: int,
    values: Sequence[float] = (0.1, 0.1, 0.1, 0.1),
    frozen: Sequence[int] = (),
    leaked: Sequence[int] = (),
    step_s: float = 0.01,
) -> None:
    assert run.history is not None
    flags = np.zeros(len(run.layers), bool)
    flags[list(frozen)] = True
    numbers = np.array(values, float)
    start = run.history.steps
    run.handle(PlanApplied(start, flags, 40))
    for step in range(start, start + count):
        norms = (numbers, numbers, numbers)
        run.handle(StepDone(step, 1.0 / (step + 1), None, *norms, flags, tuple(leaked), step_s, 0.001, 0.1))


def end_run(
    run: RunRecorder, moved: Sequence[str] = (), status: str = "completed", proof: str = "", start: str = "s"
) -> None:
    """End a run; `proof` is what all its layers are said to hold at the end, empty for a run without digests."""
    assert run.history is not None
    steps = run.history.steps
    by_step = np.arange(1, steps + 1, dtype=np.uint64)
    starts, ends = dict.fromkeys(run.history.layers, start), dict.fromkeys(run.history.layers, proof)
    digests = Proof(starts, ends, "b", by_step, evaluations={steps: "v"}, is_whole=True)
    causes = {path: (Cause("momentum", 3, 0.02),) for path in moved}
    tensors = tuple(
        TensorVerdict(f"{path}.weight", "parameter", path, ((0, 1),), path in moved, 3, 0, 0.02, causes.get(path, ()))
        for path in run.history.layers
    )
    run.handle(Evaluated(run.history.steps, 0.25, 0.9))
    error = "loss is NaN" if status == "diverged" else None
    run.handle(RunEnded(status, error, steps, tensors, proof=digests if proof else None))


def three_runs() -> list[RunRecorder]:
    held, leaked, waiting = started_run("requires_grad"), started_run("grad_zero"), waiting_run("exclude")
    add_steps(held, 100, (1.0, 1.0, 1.0, 1.0), frozen=(0,))
    end_run(held)
    add_steps(leaked, 100, (0.001, 0.001, 0.001, 0.001), frozen=(0,), leaked=(0,))
    end_run(leaked, moved=("stem",))
    return [held, leaked, waiting]


__all__ = ["LAYERS", "NO_GRADIENT", "add_steps", "end_run", "started_run", "three_runs", "waiting_run"]
