"""A line of a plain series, such as the loss, that is drawn on as the series grows."""

from __future__ import annotations

from typing import Any

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
    """

    def __init__(self, item: LinesItem, height: float = 0.0) -> None:
        self.line = item.add(height)
        self._item = item
        self._ends = LineEnds()

    def clear(self) -> None:
        """Draw nothing, and all anew from now on."""
        self.line.clear()
        self._ends.forget()
        self._item.update()

    def go_on(
        self, step: NDArray[Any], values: Values, x_range: tuple[float, float], width: int, *, holds: bool = False
    ) -> Floats:
        """Draw what is new, see `LineEnds`; return its heights.

        Parameters
        ----------
        holds
            Whether each value holds until the next one, instead of a straight line from one to the other.
        """
        end = self._ends.next(step, values, x_range, width)
        if end is None:
            self.clear()
            return self.go_on(step, values, x_range, width, holds=holds)
        if len(end.x):
            drawn = end.as_steps() if holds else end
            self.line.go_on(drawn.x[drawn.known :], drawn.y[drawn.known :], drawn.settled - drawn.known)
            self._item.paint_again(float(end.x[max(end.known - 1, 0)]), float(end.x[-1]))
        return end.y
