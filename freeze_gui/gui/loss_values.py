"""What a plot of losses shows: evaluations, a learning rate, the heights between which they are drawn; no Qt."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from freeze_gui.runs.history import Floats, History


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


class RateScale:
    """By what a learning rate is divided for its height; of one that grows only what is new is looked at.

    Attributes
    ----------
    changes
        Whether a scheduler has changed the rate so far.
    largest
        The largest rate so far; more than zero.
    """

    def __init__(self) -> None:
        self.changes, self.largest = False, 1e-300
        self._steps, self._rises = 0, False

    def look(self, rate: Floats) -> None:
        """Take note of what is new in the learning rate of every step, shape (steps,)."""
        new = rate[self._steps :]
        if len(new):
            self._steps = len(rate)
            self.changes = self.changes or bool((new != rate[0]).any())
            before = float(new[:-1].max(initial=self.largest))
            self.largest = max(before, float(new[-1]))
            self._rises = self.largest > before

    @property
    def top(self) -> float:
        """The rate at the height 1: the largest, or while that is the newest the next whole piece above it.

        Else a warm-up would have its line drawn anew with each step.
        """
        piece = _piece(self.largest)
        return math.ceil(self.largest / piece) * piece if self._rises else self.largest


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
    piece, room = _piece(span), 0.05 * span
    return (low if low == 0 else math.floor((low - room) / piece) * piece), math.ceil((high + room) / piece) * piece


def _piece(whole: float) -> float:
    """Return a power of two between a thirty-second and a sixteenth of it."""
    return 2.0 ** (math.floor(math.log2(whole)) - 4)
