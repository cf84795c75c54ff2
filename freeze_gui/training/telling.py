"""What there is to tell of the steps that were taken: right after each, or on CUDA one step later."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from freeze_gui.freezing.freezer import Freezer
from freeze_gui.training.budget import Budget
from freeze_gui.training.events import PlanApplied, StepDone
from freeze_gui.training.reading import Reading
from freeze_gui.training.state_norms import MeasuredState
from freeze_gui.training.stopwatch import Part, Piece, Stopwatch
from freeze_gui.training.telemetry import Telemetry


@dataclass(slots=True)
class UntoldStep:
    """What is known of a step right after it, and what comes to it once its numbers have come from the device.

    Attributes
    ----------
    step, task, frozen, rate
        As in `StepDone`.
    state
        What the optimizer keeps, or None.
    is_measured
        Whether its norms were taken.
    reading
        The loss, the numbers that tell what moved, those that make the norms, and those of the state.
    times
        Pieces of all of it, and of what measuring and looking at what is frozen took.
    loss, leaked, norms, optimizer_state
        As in `StepDone`; the norms (3, layers), or None.
    """

    step: int
    task: str | None
    frozen: NDArray[np.bool_]
    rate: float
    state: MeasuredState | None
    is_measured: bool
    reading: Reading
    times: tuple[list[Piece], list[Piece], list[Piece]] = ([], [], [])
    loss: float = 0.0
    leaked: tuple[int, ...] = ()
    norms: NDArray[np.float64] | None = None
    optimizer_state: NDArray[np.float64] | None = None


class Telling:
    """Reads the numbers of the steps that were taken, and makes their records.

    Parameters
    ----------
    freezer, budget
        Of the run: they learn what a step came to.
    layers
        Paths of the layers, in row order.
    watch, measuring
        The clock of the run, and the part of a step that measuring takes.

    Attributes
    ----------
    telemetry
        What measures; to be set before the first step.
    has_diverged
        Whether the loss of a step turned out not to be finite when the next one had begun.
    """

    telemetry: Telemetry

    def __init__(
        self, freezer: Freezer, budget: Budget, layers: Sequence[str], watch: Stopwatch, measuring: Part
    ) -> None:
        self._freezer, self._budget = freezer, budget
        self._row_of = {path: row for row, path in enumerate(layers)}
        self._watch, self._measuring = watch, measuring
        self._untold: UntoldStep | None = None
        self._records: list[PlanApplied | StepDone] = []
        self.has_diverged = False

    @property
    def is_open(self) -> bool:
        """Whether a step was taken that is not told yet."""
        return self._untold is not None

    def look(self, taken: UntoldStep, is_late: bool = False) -> None:
        """Read the numbers of a step, and see what moved in it, and how far; `is_late` if another one has begun."""
        taken.loss, (proofs, norms, state) = taken.reading.read()
        leaked = self._freezer.settle(taken.step, proofs)
        taken.leaked = tuple(self._row_of[path] for path in leaked)
        with self._measuring:
            values = self._freezer.held if is_late else None
            taken.norms = self.telemetry.settle(taken.frozen, taken.leaked, norms, values)
            taken.optimizer_state = None if taken.state is None else taken.state.table(state)

    def tell(self, taken: UntoldStep) -> None:
        """Add the record of a step that was looked at; on CUDA the device has come to its end."""
        in_all, measuring, watching = map(self._watch.total, taken.times)
        overhead = measuring + watching
        self._budget.took(measuring if taken.is_measured else None, in_all - overhead)
        gradient, update, delta = (None, None, None) if taken.norms is None else taken.norms
        self._records.append(
            StepDone(
                taken.step,
                taken.loss,
                taken.task,
                gradient,
                update,
                delta,
                taken.frozen,
                taken.leaked,
                in_all,
                overhead,
                taken.rate,
                taken.optimizer_state,
            )
        )

    def tell_later(self, taken: UntoldStep) -> None:
        """Take a step that `settle` is to look at and to tell."""
        self._untold = taken

    def settle(self) -> bool:
        """Tell of the step that was taken last, if that is still to be done; return False if its loss is not finite."""
        taken, self._untold = self._untold, None
        if taken is None:
            return True
        self.look(taken, is_late=True)
        self.tell(taken)
        self.has_diverged = not math.isfinite(taken.loss)
        if self.has_diverged:
            self._freezer.drop_step()
        return not self.has_diverged

    def add(self, change: PlanApplied) -> None:
        """Add the record of a change of the plan."""
        self._records.append(change)

    def take_records(self) -> list[PlanApplied | StepDone]:
        """Return what there is to tell since this was asked last."""
        records, self._records = self._records, []
        return records
