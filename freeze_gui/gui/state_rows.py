"""What the optimizer remembers of each parameter, as rows of a table: computed here, shown by `state_table`."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from freeze_gui.freezing.explain import short_number

if TYPE_CHECKING:
    from freeze_gui.runs.recorder import RunRecorder

CAPTIONS = ("Parameter", "Steps", "|m|", "|v|")
TIPS = (
    "Full name of the parameter; a snowflake where it is frozen at that step",
    "Optimizer steps that this parameter took, as the optimizer counts them",
    "Norm of the first moment: the running average of gradients, or momentum",
    "Norm of the second moment: the running average of squared gradients",
)
NONE = "none"
"""Missing is not zero: the optimizer keeps nothing of the kind for this parameter."""


@dataclass(frozen=True)
class StateRow:
    """One parameter; None where the optimizer keeps nothing of the kind."""

    name: str
    step: float | None
    first_moment_norm: float | None
    second_moment_norm: float | None
    frozen: bool

    def texts(self) -> tuple[str, ...]:
        """Return the row's cells."""
        step = NONE if self.step is None else f"{self.step:,.0f}"
        moments = (NONE if norm is None else _norm(norm) for norm in (self.first_moment_norm, self.second_moment_norm))
        return (self.name, step, *moments)


@dataclass(frozen=True)
class StateView:
    """The table at one step: rows, what is said above them, and the steps that can be looked at."""

    rows: tuple[StateRow, ...] = ()
    note: str = ""
    steps: tuple[int, int] | None = None   # first and last step that was read; None where only the newest is known

    def as_text(self) -> str:
        """Return the table for the clipboard, columns parted by tabs."""
        lines = ["\t".join(("Parameter", "Steps", "First moment norm", "Second moment norm", "Frozen"))]
        lines += ["\t".join((*row.texts(), "frozen" if row.frozen else "")) for row in self.rows]
        return "\n".join(lines)


def state_view(recorder: RunRecorder | None, step: int | None = None) -> StateView:
    """Return the optimizer's state at `step`, or at the last step that was read before it; None is the newest."""
    if recorder is None or recorder.started is None:
        return StateView(note="Run something to see what the optimizer remembers of each parameter.")
    history = recorder.history
    series = history.view() if history is not None else None
    state, steps, at = recorder.optimizer_state, None, step
    if series is not None and len(series.state_step):
        steps = int(series.state_step[0]), int(series.state_step[-1])
        if step is not None and step < steps[1]:
            index = max(int(np.searchsorted(series.state_step, step, side="right")) - 1, 0)
            state = series.optimizer_state[index].astype(np.float64)
            at = int(series.state_step[index])
        else:
            at = None
    if state is None:
        return StateView(note="Read when the run ends; in runs with several tasks at every step.")
    frozen = _frozen(recorder, at)
    rows = tuple(
        StateRow(name, _known(values[0]), _known(values[1]), _known(values[2]), name in frozen)
        for name, values in zip(recorder.started.parameters, state.tolist(), strict=False)
    )
    return StateView(rows, note_on(recorder.config.optimizer.name, state), steps)


def note_on(optimizer: str, state: NDArray[np.float64]) -> str:
    """Return what the optimizer does not keep at all; empty where it keeps everything."""
    missing = [
        name
        for column, name in ((0, "step count"), (1, "first moment"), (2, "second moment"))
        if len(state) and np.isnan(state[:, column]).all()
    ]
    if not missing:
        return ""
    listed = " and no ".join([", no ".join(missing[:-1]), missing[-1]]) if len(missing) > 1 else missing[0]
    return f"{optimizer} keeps no {listed}."


def _frozen(recorder: RunRecorder, step: int | None) -> frozenset[str]:
    """Return the parameters that were frozen at `step`; None is the last step."""
    assert recorder.started is not None
    if step is None and recorder.history is not None:
        step = recorder.history.steps - 1
    frozen_layers = {
        layer.path
        for row, layer in enumerate(recorder.layers)
        if any(start <= (step or 0) < stop for start, stop in recorder.frozen_windows(row))
    }
    return frozenset(name for name in recorder.started.parameters if name.rpartition(".")[0] in frozen_layers)


def _known(value: float) -> float | None:
    return None if math.isnan(value) else value


def _norm(norm: float) -> str:
    """Return a norm in at most six signs, for a narrow column."""
    if norm == 0 or not 0 < norm < 0.001:
        return short_number(norm)
    mantissa, _, exponent = f"{norm:.1e}".partition("e")
    return f"{mantissa}e{int(exponent)}"
