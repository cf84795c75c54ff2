"""Where two runs differ: signed per layer and step, and the first step at which any bit of what was measured does."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from freeze_gui.runs.history import History, HistoryView
from freeze_gui.runs.recorder import RunRecorder
from freeze_gui.training.events import NO_GRADIENT

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class LayerDifference:
    """One measure of one run less that of another, on the layers and measured steps that both have.

    Attributes
    ----------
    layers
        Paths, in the order of the first run.
    steps
        Step numbers, shape (rows,).
    values
        First less second, shape (rows, layers); NaN where one of them has no gradient, and 0.0 where both have none.
    end_step
        The step after the last one that both took: up to there the last row stands for those after it.
    """

    layers: tuple[str, ...]
    steps: NDArray[np.int64]
    values: Floats
    end_step: int


@dataclass(frozen=True)
class FirstDifference:
    """The first step, of those that both runs took, at which they differ in any bit of what was recorded.

    Attributes
    ----------
    common_steps
        How many steps both took; measured ones for the layers, which may be fewer.
    loss
        Step of the first loss that differs; None where all are equal.
    layers
        Path → first measured step at which the layer's update differs, None where all are equal.
    end_equal
        Path → whether its parameters and buffers have equal bits at the end; empty where the runs ended at different
        steps, one of them has not ended, or a tensor has no digest.
    evaluation
        Steps taken before the first evaluation that differs, of those that both made; None where all are equal.
    same_evaluations
        Whether both made evaluations after the same steps, with the same results in every bit.
    end_unknown
        Why `end_equal` is empty though both runs have ended; empty where there is no more to say.
    """

    common_steps: int
    loss: int | None
    layers: Mapping[str, int | None]
    end_equal: Mapping[str, bool]
    evaluation: int | None = None
    same_evaluations: bool = True
    end_unknown: str = ""

    @property
    def step(self) -> int | None:
        """The first step at which anything differs."""
        found = [step for step in (self.loss, *self.layers.values()) if step is not None]
        return min(found, default=None)


def layer_difference(one: RunRecorder, other: RunRecorder, metric: str) -> LayerDifference:
    """Return how `metric`, one of `METRICS`, of `one` differs from that of `other`."""
    if one.history is None or other.history is None:
        return LayerDifference((), np.zeros(0, np.int64), np.zeros((0, 0)), 0)
    end_step = min(one.history.newest_step, other.history.newest_step) + 1
    layers, steps, a, b = _common(one, other, one.history.view(), other.history.view(), metric)
    missing = (a == NO_GRADIENT) != (b == NO_GRADIENT)
    if len(steps):   # both may have gone on since
        end_step = max(end_step, int(steps[-1]) + 1)
    return LayerDifference(layers, steps, np.where(missing, np.nan, a - b), end_step)


def first_difference(one: RunRecorder, other: RunRecorder) -> FirstDifference:
    """Find where two runs part; a NaN equals itself here, and -0.0 is not 0.0.

    Updates are compared as float32, in which a run's file keeps them.
    """
    if one.history is None or other.history is None:
        return FirstDifference(0, None, {}, {})
    ours, theirs = one.history.view(), other.history.view()
    taken, at_ours, at_theirs = _shared_steps(ours.loss_step, theirs.loss_step)
    losses = _differ(ours.loss[at_ours], theirs.loss[at_theirs])
    layers, steps, a, b = _common(one, other, ours, theirs, "update_norm")
    with np.errstate(over="ignore"):
        updates = _differ(a.astype(np.float32), b.astype(np.float32))
    return FirstDifference(
        len(taken),
        _firsts(taken, losses[:, None])[0],
        dict(zip(layers, _firsts(steps, updates), strict=True)),
        end_equality(one, other),
        *_evaluations(one.history, other.history),
        _end_unknown(one, other),
    )


def end_equality(one: RunRecorder, other: RunRecorder) -> dict[str, bool]:
    """Tell of each common layer whether its bits are equal after the last step; empty where that is not known."""
    if one.ended is None or other.ended is None or one.ended.steps != other.ended.steps:
        return {}
    if one.ended.proof is None or other.ended.proof is None:
        return {}
    end, theirs = one.ended.proof.end, other.ended.proof.end
    if "" in end.values() or "" in theirs.values():
        return {}
    return {path: end[path] == theirs[path] for path in end if path in theirs}


def differing_layers(recorders: Sequence[RunRecorder]) -> tuple[str, ...] | None:
    """Return the layers whose updates or last bits are not the same in all runs; None where nothing can be compared."""
    begun = [recorder for recorder in recorders if recorder.history is not None and recorder.history.steps]
    if len(begun) < 2:
        return None
    differ: set[str] = set()
    for other in begun[1:]:
        found = first_difference(begun[0], other)
        differ |= {path for path, step in found.layers.items() if step is not None}
        differ |= {path for path, equal in found.end_equal.items() if not equal}
    return tuple(layer.path for layer in begun[0].layers if layer.path in differ)


def _end_unknown(*runs: RunRecorder) -> str:
    """Say which run has nothing to show of its end."""
    proofs = ((run.label, run.ended.proof) for run in runs if run.ended is not None)
    stopped = next((label for label, proof in proofs if proof is not None and not proof.end), None)
    return "" if stopped is None else f"{stopped} was stopped before their digests were taken"


def _evaluations(one: History, other: History) -> tuple[int | None, bool]:
    """Return the step of the first common evaluation that differs in a bit, and whether all of both are equal."""
    ours, theirs = ({step: (_hex(loss), _hex(share)) for step, loss, share in h.evaluations} for h in (one, other))
    first = min((step for step in ours.keys() & theirs.keys() if ours[step] != theirs[step]), default=None)
    return first, ours == theirs


def _hex(value: float | None) -> str:
    """Return all bits of a number; a NaN equals itself here, and -0.0 is not 0.0."""
    return "" if value is None else value.hex()


def _common(
    one: RunRecorder, other: RunRecorder, ours: HistoryView, theirs: HistoryView, metric: str
) -> tuple[tuple[str, ...], NDArray[np.int64], Floats, Floats]:
    """Return common layers, common measured steps, and the measures of both there, each (steps, layers)."""
    row_of = {layer.path: row for row, layer in enumerate(other.layers)}
    pairs = [(row, row_of[layer.path]) for row, layer in enumerate(one.layers) if layer.path in row_of]
    steps, at_ours, at_theirs = _shared_steps(ours.step, theirs.step)
    columns, other_columns = np.array(pairs, np.intp).reshape(-1, 2).T
    return (
        tuple(one.layers[row].path for row in columns),
        steps,
        _taken(ours.metric(metric), at_ours, columns),
        _taken(theirs.metric(metric), at_theirs, other_columns),
    )


def _taken(values: Floats, rows: NDArray[np.int64], columns: NDArray[np.intp]) -> Floats:
    """Return these rows and columns; where they are all there are, without a copy, which takes most of the time."""
    if values.shape == (len(rows), len(columns)) and (columns[1:] > columns[:-1]).all():   # rows are in order
        return values
    return values[np.ix_(rows, columns)]


def _differ(a: NDArray[np.floating[Any]], b: NDArray[np.floating[Any]]) -> NDArray[np.bool_]:
    whole = np.dtype(f"i{a.dtype.itemsize}")
    found: NDArray[np.bool_] = np.ascontiguousarray(a).view(whole) != np.ascontiguousarray(b).view(whole)
    return found


def _firsts(steps: NDArray[np.int64], differ: NDArray[np.bool_]) -> list[int | None]:
    """Return for each column of `differ`, shape (steps, columns), the first step that is marked, None where none is."""
    if not differ.any():
        return [None] * differ.shape[1]
    marked = np.flatnonzero(differ.any(axis=0)).tolist()
    first = dict(zip(marked, steps[differ.argmax(axis=0)[marked]].tolist(), strict=True))
    return [first.get(column) for column in range(differ.shape[1])]


def _shared_steps(
    ours: NDArray[np.int64], theirs: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Return the steps that are in both, which are in order, and where; nearly always they are the same."""
    if np.array_equal(ours, theirs):
        every = np.arange(len(ours))
        return ours, every, every
    steps, at_ours, at_theirs = np.intersect1d(ours, theirs, assume_unique=True, return_indices=True)
    return steps, at_ours, at_theirs
