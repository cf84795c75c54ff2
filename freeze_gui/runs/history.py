"""Growing arrays of what a run measured, and their reduction to a pixel width.

One thread appends, another reads: a row is written before `length` grows, and growing replaces the arrays, so that a
`HistoryView` taken at any moment stays whole.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from freeze_gui.runs.step_block import StepBlock
from freeze_gui.training.events import NO_GRADIENT, StepDone

METRICS = ("weight_delta", "update_norm", "grad_norm")

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class HistoryView:
    """A consistent snapshot; arrays are views and must not be written.

    Attributes
    ----------
    step
        Step numbers of the measured rows, shape (rows,).
    weight_delta, update_norm, grad_norm
        Shape (rows, layers). In `grad_norm`, `NO_GRADIENT` (-1) stands for "no gradient".
    frozen, leaked
        Shape (rows, layers): frozen at that step; moved although frozen at, or since the row before, that step.
    loss_step, loss, step_s, overhead_s, learning_rate
        Every step, measured or not; shape (steps,).
    state_step, optimizer_state
        Steps at which the optimizer's state was read, shape (reads,), and what it was, shape (reads, parameters, 3).
    """

    step: NDArray[np.int64]
    weight_delta: Floats
    update_norm: Floats
    grad_norm: Floats
    frozen: NDArray[np.bool_]
    leaked: NDArray[np.bool_]
    loss_step: NDArray[np.int64]
    loss: Floats
    step_s: Floats
    overhead_s: Floats
    learning_rate: Floats
    state_step: NDArray[np.int64]
    optimizer_state: NDArray[np.float32]

    def metric(self, name: str) -> Floats:
        """Return one of `METRICS` by name, shape (rows, layers)."""
        values: Floats = getattr(self, name)
        return values


class History:
    """What a run measured, as (steps, layers) arrays that double when full.

    Attributes
    ----------
    layers
        Paths of the layers: the columns of the arrays, the rows of tree and heatmap.
    evaluations
        (step, loss, accuracy or None), appended by the run.
    markers
        (step, text) of moments worth a line in the plots: froze, thawed.
    total_steps
        Steps that the run means to take, 0 while unknown.
    """

    def __init__(self, layers: tuple[str, ...], total_steps: int = 0) -> None:
        self.layers = layers
        self.total_steps = total_steps
        self.evaluations: list[tuple[int, float, float | None]] = []
        self.markers: list[tuple[int, str]] = []
        self._rows = 0
        self._steps = 0
        self._states = 0
        self._pending_leaks = np.zeros(len(layers), dtype=bool)
        width = len(layers)
        self._by_row: dict[str, NDArray[np.generic]] = {
            "step": np.zeros(256, np.int64),
            **{name: np.zeros((256, width)) for name in METRICS},
            "frozen": np.zeros((256, width), bool),
            "leaked": np.zeros((256, width), bool),
        }
        self._by_step: dict[str, NDArray[np.generic]] = {
            "loss_step": np.zeros(256, np.int64),
            "loss": np.zeros(256),
            "step_s": np.zeros(256),
            "overhead_s": np.zeros(256),
            "learning_rate": np.zeros(256),
        }
        # by read; as wide as the first one that comes, and nothing in runs that read none
        self._by_read: dict[str, NDArray[np.generic]] = {
            "state_step": np.zeros(0, np.int64), "optimizer_state": np.zeros((0, 0, 3), np.float32)
        }

    @property
    def rows(self) -> int:
        """Number of measured rows."""
        return self._rows

    @property
    def steps(self) -> int:
        """Number of steps done."""
        return self._steps

    def append(self, event: StepDone) -> None:
        """Add one step; called by the thread that runs the training only."""
        self._append_step(event)
        if event.optimizer_state is not None:
            self._append_state(event.step, event.optimizer_state)
        self._pending_leaks[list(event.leaked)] = True
        if event.weight_delta is None or event.update_norm is None or event.grad_norm is None:
            return
        row = self._rows
        if row == len(self._by_row["step"]):
            self._by_row = {name: _doubled(array) for name, array in self._by_row.items()}
        arrays = self._by_row
        arrays["step"][row] = event.step
        arrays["weight_delta"][row] = event.weight_delta
        arrays["update_norm"][row] = event.update_norm
        arrays["grad_norm"][row] = event.grad_norm
        arrays["frozen"][row] = event.frozen
        arrays["leaked"][row] = self._pending_leaks
        self._pending_leaks[:] = False
        self._rows = row + 1

    def extend(self, block: StepBlock) -> None:
        """Add many steps at once; called by one thread only, as `append` is."""
        self._extend_steps(block)
        self._extend_states(block)
        leaked, self._pending_leaks = block.leaked_by_row(self._pending_leaks)
        at, end = self._rows, self._rows + len(block.norms)
        self._by_row = arrays = _with_room(self._by_row, end)
        arrays["step"][at:end] = block.step[block.measured]
        for place, name in enumerate(("grad_norm", "update_norm", "weight_delta")):
            arrays[name][at:end] = block.norms[:, place]
        arrays["frozen"][at:end] = block.frozen[block.measured]
        arrays["leaked"][at:end] = leaked
        self._rows = end

    def view(self) -> HistoryView:
        """Return a snapshot of all that is there now."""
        rows, steps, reads = self._rows, self._steps, self._states   # before the arrays: what they count is in them
        by_row, by_step, by_read = self._by_row, self._by_step, self._by_read
        parts = {name: array[:rows] for name, array in by_row.items()}
        parts |= {name: array[:steps] for name, array in by_step.items()}
        parts |= {name: array[:reads] for name, array in by_read.items()}
        return HistoryView(**parts)   # type: ignore[arg-type]   # each array has the dtype its name says

    def _append_step(self, event: StepDone) -> None:
        at = self._steps
        if at == len(self._by_step["loss"]):
            self._by_step = {name: _doubled(array) for name, array in self._by_step.items()}
        arrays = self._by_step
        arrays["loss_step"][at] = event.step
        arrays["loss"][at] = event.loss
        arrays["step_s"][at] = event.step_s
        arrays["overhead_s"][at] = event.overhead_s
        arrays["learning_rate"][at] = event.learning_rate
        self._steps = at + 1

    def _extend_steps(self, block: StepBlock) -> None:
        at, end = self._steps, self._steps + len(block.step)
        self._by_step = arrays = _with_room(self._by_step, end)
        arrays["loss_step"][at:end] = block.step
        for name in ("loss", "step_s", "overhead_s", "learning_rate"):
            arrays[name][at:end] = getattr(block, name)
        self._steps = end

    def _extend_states(self, block: StepBlock) -> None:
        at, end = self._states, self._states + len(block.state_step)
        if end == at:
            return
        if at == 0:
            self._by_read = {
                "state_step": np.zeros(end, np.int64),
                "optimizer_state": np.zeros((end, *block.optimizer_state.shape[1:]), np.float32),
            }
        self._by_read = arrays = _with_room(self._by_read, end)
        arrays["state_step"][at:end] = block.state_step
        arrays["optimizer_state"][at:end] = block.optimizer_state
        self._states = end

    def _append_state(self, step: int, state: Floats) -> None:
        at = self._states
        if at == 0:
            self._by_read = {
                "state_step": np.zeros(64, np.int64), "optimizer_state": np.zeros((64, *state.shape), np.float32)
            }
        elif at == len(self._by_read["state_step"]):
            self._by_read = {name: _doubled(array) for name, array in self._by_read.items()}
        self._by_read["state_step"][at] = step
        self._by_read["optimizer_state"][at] = state
        self._states = at + 1


def reduce_columns(values: Floats, width: int) -> tuple[Floats, Floats]:
    """Reduce (rows, layers) to at most `width` rows of minimum and maximum, so that no spike is lost.

    Parameters
    ----------
    values
        Shape (rows, layers); NaN and `NO_GRADIENT` count as missing and survive only where a whole bin is missing.
    width
        Most rows wanted, at least 1.

    Returns
    -------
    tuple of ndarray
        Minimum and maximum, each (min(rows, width), layers).
    """
    rows = len(values)
    if rows <= width:
        return values, values
    starts = bin_starts(rows, width)
    missing = (values == NO_GRADIENT) | np.isnan(values)
    nothing = np.logical_and.reduceat(missing, starts, axis=0)
    low = np.minimum.reduceat(np.where(missing, np.inf, values), starts, axis=0)
    high = np.maximum.reduceat(np.where(missing, -np.inf, values), starts, axis=0)
    first = values[starts]
    return np.where(nothing, first, low), np.where(nothing, first, high)


def bin_starts(rows: int, width: int) -> NDArray[np.int64]:
    """Return the first row of each of `width` equal bins over `rows` rows."""
    return np.arange(width, dtype=np.int64) * rows // width


def _with_room(arrays: dict[str, NDArray[np.generic]], count: int) -> dict[str, NDArray[np.generic]]:
    """Return the arrays, doubled as often as it takes to hold `count` entries."""
    while len(next(iter(arrays.values()))) < count:
        arrays = {name: _doubled(array) for name, array in arrays.items()}
    return arrays


def _doubled(array: NDArray[np.generic]) -> NDArray[np.generic]:
    grown = np.zeros((2 * len(array), *array.shape[1:]), array.dtype)
    grown[: len(array)] = array
    return grown
