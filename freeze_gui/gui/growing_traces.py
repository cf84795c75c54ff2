"""What is new of lines that grow while a run goes on; no Qt."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from freeze_gui.gui.traces import Series, Trace, is_exact, settled_row, traces, visible_rows


@dataclass(frozen=True)
class Piece:
    """The newest points of the lines of one history.

    Attributes
    ----------
    lanes
        Which of the lines of the plot they are, shape (lines,).
    line
        The points.
    known
        So many of them were settled before: they are here for what lies beside the next one.
    settled
        So many of them stay as they are, however many steps come.
    """

    lanes: NDArray[np.int64]
    line: Trace
    known: int
    settled: int


class GrowingTraces:
    """Those lines of a plot that come from one history."""

    def __init__(self, series: Sequence[Series], first: Series) -> None:
        self._history = first.history
        self._lanes = np.array([lane for lane, one in enumerate(series) if one.history is first.history])
        self._layers = [series[lane].layer for lane in self._lanes]
        self.forget()

    def forget(self) -> None:
        """Let everything be new."""
        self._rows, self._settled, self._is_exact = 0, -1, True

    @property
    def has_new(self) -> bool:
        """Whether more was measured since the last piece."""
        return self._history.rows != self._rows

    def piece(self, metric: str, x_range: tuple[float, float], width: int, keep: float) -> Piece | None:
        """Return what is new, see `traces`; None where all is to be forgotten first: pixels hold bins from now on."""
        view = self._history.view()
        seen = visible_rows(view.step, x_range)
        if self._rows and self._is_exact != is_exact(seen, width):
            return None
        line = traces(view, metric, self._layers, x_range, width, keep, max(self._settled, 0))
        known = int(np.searchsorted(line.row, self._settled, "right"))
        self._rows, self._is_exact = len(view.step), is_exact(seen, width)
        self._settled = max(self._settled, settled_row(line.row, seen, x_range, width))
        return Piece(self._lanes, line, known, int(np.searchsorted(line.row, self._settled, "right")))


def by_history(series: Sequence[Series]) -> list[GrowingTraces]:
    """Return these lines, those of one history together."""
    return [GrowingTraces(series, first) for first in {id(one.history): one for one in series}.values()]
