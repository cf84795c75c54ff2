"""Marks along lines that grow: few, and those that are there stay where they are."""

from __future__ import annotations

import numpy as np
import pyqtgraph as pg
from numpy.typing import NDArray

from freeze_gui.gui.growing_traces import Piece
from freeze_gui.gui.line_item import Points
from freeze_gui.gui.traces import stretches

MOST_MARKS = 12


class CurveMarks:
    """At most so many marks for each line: where flags are set first in equal stretches of the steps that are seen.

    A mark that moves has the whole plot painted again.
    """

    def __init__(self, item: pg.ScatterPlotItem) -> None:
        self._item = item
        item.setVisible(False)
        self._shown: list[tuple[float, float]] = []
        self.start((0.0, 1.0), 0)

    def start(self, x_range: tuple[float, float], lines: int) -> None:
        """Begin anew, for so many lines over these steps."""
        self._x_range = x_range
        self._newest = np.full(lines, -1)   # the stretch of the newest mark that stays
        self._settled: list[tuple[float, float]] = []
        self._loose: dict[int, list[tuple[float, float]]] = {}

    def go_on(self, piece: Piece, lanes: NDArray[np.int64], flags: NDArray[np.bool_], y: Points) -> None:
        """Take in what is new of the lines `lanes`; `flags` and the heights have the shape (lines, points)."""
        self._loose[int(lanes[0])] = loose = []
        if not flags.any():
            return
        stretch = stretches(piece.line.x, self._x_range, MOST_MARKS)
        lines, points = np.nonzero(flags & (stretch > self._newest[lanes, None]))
        _, first = np.unique(lines * MOST_MARKS + stretch[points], return_index=True)
        for line, at in zip(lines[first].tolist(), points[first].tolist(), strict=True):
            mark = float(piece.line.x[at]), float(y[line, at])
            if at < piece.settled:
                self._newest[lanes[line]] = stretch[at]
                self._settled.append(mark)
            else:
                loose.append(mark)

    def show(self) -> None:
        """Put the marks into the picture; those that are there already are left alone, dear as they are to set."""
        marks = sorted(self._settled + [mark for some in self._loose.values() for mark in some])   # which lies on top
        if marks != self._shown:
            self._shown = marks
            self._item.setVisible(bool(marks))   # without any it would still take part in every painting
            self._item.setData([x for x, _ in marks], [y for _, y in marks])
