"""Growing arrays of what a run measured, and their reduction to a pixel width.

One thread appends, another reads: a row is written before it is counted, and growing replaces the arrays, so that a
`HistoryView` taken at any moment stays whole.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from freeze_gui.runs.growing import GrowingRecords, Records
from freeze_gui.runs.pyramid import Bins, Pyramid, reduced
from freeze_gui.runs.step_block import StepBlock
from freeze_gui.training.events import StepDone

METRICS = ("weight_delta", "update_norm", "grad_norm")

_OF_STEPS = ("loss", "step_s", "overhead_s", "learning_rate")
_ALL = slice(None)
_NO_STATES = np.zeros((0, 0, 3), np.float32)

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class HistoryView:
    """A consistent snapshot; arrays are views and must not be written.

    Those of shape (rows, layers) may lie in a file: a reader of long runs takes what it needs of them, part by part,
    and what is drawn comes out of `reduced`.

    Attributes
    ----------
    step
        Step numbers of the measured rows, shape (rows,); they need not lie equally far apart.
    rows
        Records of the measured rows, with ``norms`` of shape (3, layers), ``frozen`` and ``leaked``.
    levels
        Their min–max pyramid.
    loss_step, loss, step_s, overhead_s, learning_rate
        Every step, measured or not; shape (steps,).
    state_step, optimizer_state
        Steps at which the optimizer's state was read, shape (reads,), and what it was, shape (reads, parameters, 3).
    """

    step: NDArray[np.int64]
    rows: Records
    levels: tuple[Records, ...]
    loss_step: NDArray[np.int64]
    loss: Floats
    step_s: Floats
    overhead_s: Floats
    learning_rate: Floats
    state_step: NDArray[np.int64]
    optimizer_state: NDArray[np.float32]

    @property
    def weight_delta(self) -> Floats:
        """Shape (rows, layers)."""
        return self.metric("weight_delta")

    @property
    def update_norm(self) -> Floats:
        """Shape (rows, layers)."""
        return self.metric("update_norm")

    @property
    def grad_norm(self) -> Floats:
        """Shape (rows, layers); `NO_GRADIENT` (-1) stands for "no gradient"."""
        return self.metric("grad_norm")

    @property
    def frozen(self) -> NDArray[np.bool_]:
        """Shape (rows, layers): frozen at that step."""
        flags: NDArray[np.bool_] = self.rows["frozen"]
        return flags

    @property
    def leaked(self) -> NDArray[np.bool_]:
        """Shape (rows, layers): moved although frozen at, or since the row before, that step."""
        flags: NDArray[np.bool_] = self.rows["leaked"]
        return flags

    def metric(self, name: str) -> Floats:
        """Return one of `METRICS` by name, shape (rows, layers)."""
        values: Floats = self.rows["norms"][:, METRICS.index(name)]
        return values

    def reduced(
        self, metric: str, window: slice, most_steps: float, layers: NDArray[np.int64] | slice = _ALL
    ) -> Bins:
        """Return the rows of a window in bins of at most so many steps each, as `pyramid.reduced` does."""
        return reduced(self.step, self.rows, self.levels, METRICS.index(metric), window, most_steps, layers)


class History:
    """What a run measured, as arrays that grow; beyond some megabytes they lie in a file.

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
    error
        Why norms are no longer kept, as one sentence; None while all is well.
    """

    def __init__(self, layers: tuple[str, ...], total_steps: int = 0) -> None:
        self.layers = layers
        self.total_steps = total_steps
        self.evaluations: list[tuple[int, float, float | None]] = []
        self.markers: list[tuple[int, str]] = []
        self.error: str | None = None
        self._rows = 0
        self._steps = 0
        self._states = 0
        width = len(layers)
        self._pending_leaks = np.zeros(width, dtype=bool)
        self._by_row = GrowingRecords([("norms", "f8", (3, width)), ("frozen", "?", width), ("leaked", "?", width)])
        self._pyramid = Pyramid(width)
        self._row_step = GrowingRecords(np.int64, sys.maxsize)   # few bytes a step stay in memory
        self._by_step = GrowingRecords([("loss_step", "i8"), *((name, "f8") for name in _OF_STEPS)], sys.maxsize)
        self._state_step = GrowingRecords(np.int64, sys.maxsize)
        self._by_read: GrowingRecords | None = None   # as wide as the first one that comes

    @property
    def rows(self) -> int:
        """Number of measured rows."""
        return self._rows

    @property
    def steps(self) -> int:
        """Number of steps done."""
        return self._steps

    @property
    def newest_step(self) -> int:
        """Number of the last step done, -1 before the first."""
        steps = self._steps
        return int(self._by_step.records["loss_step"][steps - 1]) if steps else -1

    @property
    def newest_measured(self) -> int:
        """Number of the last step that was measured, -1 before the first."""
        rows = self._rows
        return int(self._row_step.records[rows - 1]) if rows else -1

    def append(self, event: StepDone) -> None:
        """Add one step; called by the thread that runs the training only."""
        at = self._steps
        self._by_step.reserve(at + 1)
        self._by_step.records[at] = (
            event.step, event.loss, event.step_s, event.overhead_s, event.learning_rate
        )   # fmt: skip
        self._steps = at + 1
        if self.error is not None:
            return
        if event.leaked:
            self._pending_leaks[list(event.leaked)] = True
        if event.weight_delta is None and event.optimizer_state is None:
            return
        try:   # no context manager, here where every step passes: that alone took a fifth of the time
            self._append_measured(event)
        except OSError as error:
            self._give_up(error)

    def _append_measured(self, event: StepDone) -> None:
        if event.optimizer_state is not None:
            self._add_states(np.array([event.step]), event.optimizer_state[None])
        if event.weight_delta is None or event.update_norm is None or event.grad_norm is None:
            return
        row = self._rows
        self._make_room(row + 1)
        records = self._by_row.records
        norms = records["norms"][row]
        norms[0], norms[1], norms[2] = event.weight_delta, event.update_norm, event.grad_norm
        records["frozen"][row] = event.frozen
        records["leaked"][row] = self._pending_leaks
        self._row_step.records[row] = event.step
        self._pending_leaks.fill(False)
        self._finish_rows(row + 1)

    def extend(self, block: StepBlock) -> None:
        """Add many steps at once; called by one thread only, as `append` is."""
        self._extend_steps(block)
        if self.error is not None:
            return
        try:
            self._extend_rows(block)
        except OSError as error:
            self._give_up(error)

    def _extend_rows(self, block: StepBlock) -> None:
        if len(block.state_step):
            self._add_states(block.state_step, block.optimizer_state)
        leaked, self._pending_leaks = block.leaked_by_row(self._pending_leaks)
        at, end = self._rows, self._rows + len(block.norms)
        self._make_room(end)
        records = self._by_row.records
        for place, name in enumerate(("grad_norm", "update_norm", "weight_delta")):
            records["norms"][at:end, METRICS.index(name)] = block.norms[:, place]
        records["frozen"][at:end] = block.frozen[block.measured]
        records["leaked"][at:end] = leaked
        self._row_step.records[at:end] = block.step[block.measured]
        self._finish_rows(end)

    def view(self) -> HistoryView:
        """Return a snapshot of all that is there now."""
        rows, steps, reads = self._rows, self._steps, self._states   # before the arrays: what they count is in them
        by_step = self._by_step.records[:steps]
        return HistoryView(
            step=self._row_step.records[:rows],
            rows=self._by_row.records[:rows],
            levels=self._pyramid.levels(rows),
            loss_step=by_step["loss_step"],
            **{name: by_step[name] for name in _OF_STEPS},
            state_step=self._state_step.records[:reads],
            optimizer_state=_NO_STATES if self._by_read is None else self._by_read.records["state"][:reads],
        )

    def give_back(self) -> None:
        """Let the system have the memory of what was read from a file; it is read again when it is needed."""
        self._by_row.give_back(self._rows, at_once=True)

    def _give_up(self, error: OSError) -> None:
        """Keep no more norms: there is no room for them."""
        last = int(self._row_step.records[self._rows - 1]) if self._rows else 0
        self.error = (
            f"{error.strerror or error}: the norms of the layers are kept up to step {last:,}, and the run goes on "
            "without; free space on the disk before the next long run"
        )

    def _make_room(self, count: int) -> None:
        self._by_row.reserve(count)
        self._row_step.reserve(count)

    def _finish_rows(self, count: int) -> None:
        """Let readers see the rows up to `count`, the pyramid over them first."""
        self._pyramid.update(self._by_row.records, self._rows, count)
        self._rows = count
        self._by_row.give_back(count)

    def _extend_steps(self, block: StepBlock) -> None:
        at, end = self._steps, self._steps + len(block.step)
        self._by_step.reserve(end)
        records = self._by_step.records[at:end]
        records["loss_step"] = block.step
        for name in _OF_STEPS:
            records[name] = getattr(block, name)
        self._steps = end

    def _add_states(self, steps: NDArray[np.int64], states: NDArray[np.generic]) -> None:
        """Add what the optimizer's state was after these steps, shape (reads, parameters, 3)."""
        at, end = self._states, self._states + len(steps)
        if self._by_read is None:
            self._by_read = GrowingRecords([("state", "f4", states.shape[1:])])
        self._by_read.reserve(end)
        self._state_step.reserve(end)
        self._by_read.records["state"][at:end] = states
        self._state_step.records[at:end] = steps
        self._states = end
        self._by_read.give_back(end)
