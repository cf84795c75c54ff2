"""Tables as CSV (RFC 4180): commas, quotes where they are needed, a head, full precision."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterable, Sequence

from freeze_gui.runs.recorder import RunRecorder
from freeze_gui.runs.results import (
    best_accuracy,
    best_loss,
    causes_of,
    causes_text,
    last_accuracy,
    last_loss,
    overall_verdict,
    share_of_free,
)

_COSTS = (
    "step_ms_median", "step_ms_iqr", "training_ms_median", "training_ms_iqr", "overhead_ms_median",
    "peak_memory_bytes", "gradient_bytes", "optimizer_state_bytes", "saved_activation_bytes",
)
_SHARES = ("flops", "saved_activation_bytes")
_HEAD = (
    "run", "method", "optimizer", "zero_grad", "norm", "status", "error", "steps", "verdict", "leaked_layers",
    "side_effects", "last_loss", "best_loss", "last_accuracy", "best_accuracy", *_COSTS,
    *(f"{what}_share" for what in _SHARES), "start_hash", "batches_hash", "end_hash",
)  # fmt: skip

Cell = str | int | float | None


def table_csv(recorders: Sequence[RunRecorder]) -> str:
    """Return one row a run that has ended; what is not known stays empty.

    ``leaked_layers`` holds each with its causes, put apart by semicolons.
    """
    return _csv([_HEAD, *(_row(recorder) for recorder in recorders if recorder.ended is not None)])


def _row(recorder: RunRecorder) -> list[Cell]:
    summary, config = recorder.summary(), recorder.config
    cost = summary["cost"] or {}
    leaked = [
        f"{layer['path'] or '(model)'}: {causes_text(causes_of(summary, layer['path']))}"
        for layer in summary["layers"]
        if layer["verdict"] == "leaked"
    ]
    return [
        recorder.label, config.freeze.method, config.optimizer.name, config.optimizer.zero_grad, config.freeze.norm,
        summary["status"], summary["error"], summary["steps"], overall_verdict(summary), "; ".join(leaked),
        "; ".join(effect["kind"] for effect in summary["side_effects"]),
        last_loss(summary), best_loss(summary), last_accuracy(summary), best_accuracy(summary),
        *(cost.get(key) for key in _COSTS), *(share_of_free(summary, what) for what in _SHARES),
        summary["start_hash"], summary["batches_hash"], summary["end_hash"],
    ]  # fmt: skip


def _csv(rows: Iterable[Sequence[Cell]]) -> str:
    text = io.StringIO(newline="")
    csv.writer(text).writerows([_cell(cell) for cell in row] for row in rows)
    return text.getvalue()


def _cell(cell: Cell) -> Cell:
    """Return a cell as it is written: numbers in full, no NaN that a spreadsheet takes for a word, no formula."""
    if isinstance(cell, float):
        return repr(cell) if math.isfinite(cell) else ""
    if isinstance(cell, str) and cell.startswith(("=", "+", "-", "@")):
        return f"'{cell}"   # a label or a layer's name must not be run by the spreadsheet that opens it
    return cell
