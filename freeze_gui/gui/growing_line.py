"""A line of a plain series, such as the loss, that is drawn on as the series grows."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from freeze_gui.gui.line_ends import LineEnds, Values
from freeze_gui.gui.lines_item import LinesItem
from freeze_gui.runs.history import Floats


class GrowingLine:
    """One line among those of an item.

    Attributes
    ----------
    line
        What is drawn.
    heights
        The least and the largest height of it; shape (2,), or (0,) where there is none.
    """

    def __init__(self, item: LinesItem, height: float = 0.0) -> None:
        self.line = item.add(height)
        self._item = item
        self._ends = LineEnds()
        self._rows, self.heights, self._settled_heights = 0, np.zeros(0), np.zeros(0)

    def clear(self) -> None:
        """Draw nothing, and all anew from now on."""
        self.line.clear()
        self._ends.forget()
        self._rows, self.heights, self._settled_heights = 0, np.zeros(0), np.zeros(0)
        self._item.update()

    def go_on(
        self, step: NDArray[Any], values: Values, x_range: tuple[float, float], width: int, *, holds: bool = False
    ) -> None:
        """Draw what is new, see `LineEnds`; without another row there is nothing to paint.

        Parameters
        ----------
        holds
            Whether each value holds until the next one, instead of a straight line from one to the other.
        """
        if len(step) == self._rows:
            return
        end = self._ends.next(step, values, x_range, width)
        if end is None:
            self.clear()
            self.go_on(step, values, x_range, width, holds=holds)
            return
        if len(end.x):
            drawn = end.as_steps() if holds else end
            self.line.go_on(drawn.x[drawn.known :], drawn.y[drawn.known :], drawn.settled - drawn.known)
            self._item.paint_again(float(end.x[max(end.known - 1, 0)]), float(end.x[-1]))
        self._rows = len(step)
        self._settled_heights = _extremes(self._settled_heights, end.y[: end.settled])
        self.heights = _extremes(self._settled_heights, end.y)   # not of what was there before the end and is gone


def _extremes(before: Floats, heights: Floats) -> Floats:
    """Return the least and the largest of the finite ones, shape (2,) or (0,)."""
    both = np.concatenate((before, heights))
    finite = both[np.isfinite(both)]
    return np.array([finite.min(), finite.max()]) if len(finite) else finite
