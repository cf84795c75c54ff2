"""Where things lie in the drawing of a timeline: steps to pixels and back, and what a pointer is over."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from freeze_gui.gui.timeline_state import Bar, Span, moved, starting_at, stopping_at

Spans = list[tuple[int, int]]
"""Steps [from, to)."""

Part = Literal["start", "stop", "body", "row"]

AXIS_HEIGHT = 38.0
ROW_HEIGHT = 46.0
BAR_TOP, BAR_HEIGHT = 8.0, 22.0
ACTUAL_TOP, ACTUAL_HEIGHT = 34.0, 4.0
GRIP = 6.0
"""How many pixels beside an end still take hold of it."""

_RIGHT = 22.0
_LEAST_LABEL, _MOST_LABEL, _LABEL_SHARE = 96.0, 220.0, 0.3


@dataclass(frozen=True)
class Geometry:
    """A drawing `width` pixels wide of a run as long as `span`: labels to the left, steps to the right."""

    width: float
    span: Span

    @property
    def left(self) -> float:
        """Where step 0 is."""
        return min(max(self.width * _LABEL_SHARE, _LEAST_LABEL), _MOST_LABEL)

    @property
    def right(self) -> float:
        """Where the run ends."""
        return max(self.width - _RIGHT, self.left + 1)

    @property
    def step_width(self) -> float:
        """Pixels of a step."""
        return (self.right - self.left) / max(self.span.total_steps, 1)

    def x_of(self, step: float) -> float:
        """Return where a step begins; what lies beyond the run is drawn at its end."""
        return self.left + min(max(step, 0), self.span.total_steps) * self.step_width

    def row_top(self, row: int) -> float:
        """Return the top of a row."""
        return AXIS_HEIGHT + row * ROW_HEIGHT

    def row_at(self, y: float, rows: int) -> int | None:
        """Return the row at a height, None outside all."""
        row = math.floor((y - AXIS_HEIGHT) / ROW_HEIGHT)
        return row if 0 <= row < rows else None

    def ends(self, bar: Bar) -> tuple[float, float]:
        """Return where a bar begins and ends; one without length can still be seen."""
        start, stop = self.span.window(bar)
        left = min(self.x_of(start), self.right - 4)
        return left, max(self.x_of(stop), left + 4)

    def part_at(self, bar: Bar, x: float) -> Part:
        """Return what of a row is at `x`; the grips of a short bar lie outside it."""
        left, right = self.ends(bar)
        inside = min(GRIP, (right - left) / 3)
        if left - GRIP <= x <= left + inside:
            return "start"
        if right - inside <= x <= right + GRIP:
            return "stop"
        return "body" if left < x < right else "row"

    def dragged(self, bar: Bar, part: Part, pixels: float) -> Bar:
        """Return `bar` after its end or its middle was drawn so far to the right, at the nearest whole unit."""
        start, stop = (min(at, self.span.total_steps) for at in self.span.window(bar))
        scale = self.span.unit_steps(bar.unit)
        steps = pixels / self.step_width
        match part:
            case "start":
                return starting_at(bar, round((start + steps) / scale), self.span)
            case "stop":
                return stopping_at(bar, round((stop + steps) / scale), self.span)
            case "body":
                return moved(bar, round(steps / scale), self.span)
        return bar


def axis_marks(total: int, width: float, least_px: float = 64.0) -> list[int]:
    """Return round numbers of steps or epochs for the axis, at least `least_px` apart."""
    most = max(int(width / least_px), 1)
    rough = max(total, 1) / most
    power = 10 ** math.floor(math.log10(rough)) if rough > 1 else 1
    step = next(int(power * factor) for factor in (1, 2, 5, 10) if power * factor >= rough)
    return list(range(0, total + 1, max(step, 1)))


def actual_spans(windows: list[Spans], steps: int) -> tuple[Spans, Spans]:
    """Return the steps in which all of some layers were frozen, and those in which only some were.

    Parameters
    ----------
    windows
        For each layer the [from, to) windows in which it was frozen.
    steps
        Steps done.
    """
    found = [np.array(layer, dtype=np.int64).reshape(-1, 2) for layer in windows]
    pairs = np.minimum(np.concatenate([*found, np.zeros((0, 2), np.int64)]), steps)   # (windows, from and to)
    edges = np.unique(np.append(pairs, [0, steps]))
    change = np.zeros(len(edges), np.int64)
    np.add.at(change, np.searchsorted(edges, pairs[:, 0]), 1)
    np.add.at(change, np.searchsorted(edges, pairs[:, 1]), -1)
    frozen = np.cumsum(change)[:-1]   # layers frozen between each edge and the next
    every = frozen == max(len(windows), 1)
    return _spans(every, edges), _spans((frozen > 0) & ~every, edges)


def _spans(flags: NDArray[np.bool_], edges: NDArray[np.int64]) -> Spans:
    """Join the flagged intervals between edges where they touch."""
    ends = np.flatnonzero(np.diff(np.concatenate(([False], flags, [False])).astype(np.int8)))
    return [(int(start), int(stop)) for start, stop in edges[ends].reshape(-1, 2)]
