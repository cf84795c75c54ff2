"""Axes with numbers that a person reads: whole steps, and values that stand clear of each other."""

from __future__ import annotations

import math

import pyqtgraph as pg

LABEL_PX = 13
"""Height that a number of a side axis takes."""
_MOST_NUMBERS = 8


class StepAxis(pg.AxisItem):   # type: ignore[misc]   # pyqtgraph ships no types
    """Whole numbers of steps."""

    def tickSpacing(self, minVal: float, maxVal: float, size: float) -> list[tuple[float, float]]:
        """Never tick between two steps."""
        return [(max(spacing, 1.0), offset) for spacing, offset in super().tickSpacing(minVal, maxVal, size)]

    def tickStrings(self, values: list[float], scale: float, spacing: float) -> list[str]:
        """Write 12,000 as such, and nothing before the first step."""
        return [f"{round(value):,}" if value >= 0 else "" for value in values]


class ValueAxis(pg.AxisItem):   # type: ignore[misc]
    """Numbers up a side, no more than have room one above the other."""

    def tickSpacing(self, minVal: float, maxVal: float, size: float) -> list[tuple[float, float]]:
        """Return the least of 1, 2 and 5 times a power of ten at which numbers stand clear of each other."""
        apart_px = max(LABEL_PX + 2, size / _MOST_NUMBERS)
        least = apart_px * abs(maxVal - minVal) / max(size, 1.0)
        power = 10.0 ** math.floor(math.log10(least))
        return [(next(times * power for times in (1, 2, 5, 10) if times * power >= least), 0.0)]
