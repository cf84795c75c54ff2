"""Many steps at once, as arrays: what comes out of a run's file."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]


@dataclass(frozen=True)
class StepBlock:
    """Neighbouring steps of a run, one `StepDone` each, as arrays.

    Attributes
    ----------
    step, loss, step_s, overhead_s, learning_rate
        Shape (steps,); `step` counts up by one.
    task
        The task of each step.
    frozen, leaked
        Shape (steps, layers).
    measured
        Whether the step was measured, shape (steps,).
    norms
        Gradient norm, update norm and weight delta of the measured steps, shape (rows, 3, layers).
    state_step, optimizer_state
        Where the optimizer's state was read, shape (reads,), and what it was, shape (reads, parameters, 3).
    """

    step: NDArray[np.int64]
    loss: Floats
    step_s: Floats
    overhead_s: Floats
    learning_rate: Floats
    task: list[str | None]
    frozen: Flags
    leaked: Flags
    measured: Flags
    norms: NDArray[np.float32]
    state_step: NDArray[np.int64]
    optimizer_state: NDArray[np.float32]

    def after(self, count: int) -> StepBlock:
        """Return the steps without the first `count`."""
        row = int(self.measured[:count].sum())
        read = int((self.state_step < self.step[count]).sum()) if count < len(self.step) else len(self.state_step)
        return StepBlock(
            step=self.step[count:],
            loss=self.loss[count:],
            step_s=self.step_s[count:],
            overhead_s=self.overhead_s[count:],
            learning_rate=self.learning_rate[count:],
            task=self.task[count:],
            frozen=self.frozen[count:],
            leaked=self.leaked[count:],
            measured=self.measured[count:],
            norms=self.norms[row:],
            state_step=self.state_step[read:],
            optimizer_state=self.optimizer_state[read:],
        )

    def frozen_windows(self) -> list[tuple[int, int, int]]:
        """Return (layer, from, to) of every window [from, to) in which a layer was frozen, in order of time."""
        if not len(self.step):
            return []
        first = int(self.step[0])
        still = np.zeros((1, self.frozen.shape[1]), np.int8)
        change = np.diff(self.frozen.astype(np.int8), axis=0, prepend=still, append=still)   # (steps + 1, layers)
        layers, begins = np.nonzero(change.T == 1)
        _, ends = np.nonzero(change.T == -1)   # in the same order: a layer's windows take turns
        return list(zip(layers.tolist(), (begins + first).tolist(), (ends + first).tolist(), strict=True))

    def leaked_by_row(self, pending: Flags) -> tuple[Flags, Flags]:
        """Tell at each measured step which layers moved at, or since the one before, that step.

        Parameters
        ----------
        pending
            Layers that had moved before this block and since the last measured step, shape (layers,).

        Returns
        -------
        tuple of ndarray
            Shape (rows, layers), and what is pending after the block.
        """
        rows = np.flatnonzero(self.measured)
        if not len(rows):
            return np.zeros((0, len(pending)), bool), pending | self.leaked.any(axis=0)
        starts = np.concatenate([[0], rows[:-1] + 1])
        leaked = np.logical_or.reduceat(self.leaked[: rows[-1] + 1], starts, axis=0)
        leaked[0] |= pending
        after = np.asarray(self.leaked[rows[-1] + 1 :].any(axis=0))
        return leaked, after
