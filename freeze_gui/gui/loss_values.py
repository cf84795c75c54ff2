"""What a plot of losses shows: evaluations, a learning rate, the heights between which they are drawn; no Qt."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from freeze_gui.gui.line_ends import as_steps, reduced_line
from freeze_gui.runs.history import Floats, History, HistoryView


@dataclass(frozen=True)
class Evaluations:
    """The evaluations of one run, each array of shape (evaluations,); an accuracy is NaN where there is none."""

    step: Floats
    loss: Floats
    accuracy: Floats


def evaluations(history: History | None) -> Evaluations:
    """Return the evaluations so far; none of a run that waits."""
    found = np.array(history.evaluations if history else [], float)   # None becomes NaN
    return Evaluations(*found.reshape(-1, 3).T)


def changing_rate(view: HistoryView) -> Floats | None:
    """Return the learning rate of every step, shape (steps,), None where no scheduler has changed it so far."""
    rate = view.learning_rate
    return rate if len(rate) and bool((rate != rate[0]).any()) else None


def rate_heights(
    step: NDArray[np.int64], rate: Floats, x_range: tuple[float, float], width: int
) -> tuple[Floats, Floats]:
    """Return (x, y) of the steps of a learning rate, as shares of its largest value; each holds until the next."""
    return as_steps(*reduced_line(step, rate / largest_rate(rate), x_range, width))


def largest_rate(rate: Floats) -> float:
    """Return by what a learning rate is divided for its height; more than zero."""
    return max(float(rate.max()), 1e-300)


def loss_range(losses: Floats) -> tuple[float, float]:
    """Return the heights between which these losses are drawn: from zero up, with some room above.

    They are whole pieces of at least a thirty-second of the losses, so that one that is a little larger than all before
    does not have the axis laid out anew.
    """
    finite = losses[np.isfinite(losses)]
    if not len(finite):
        return 0.0, 1.0
    low, high = max(min(float(finite.min()), 0.0), -1e300), min(float(finite.max()), 1e300)   # room for room
    span = max(high - low, 1e-9)
    piece, room = 2.0 ** (math.floor(math.log2(span)) - 4), 0.05 * span
    return (low if low == 0 else math.floor((low - room) / piece) * piece), math.ceil((high + room) / piece) * piece
