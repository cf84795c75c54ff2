"""Axes with numbers that a person reads: whole steps, and values that stand clear of each other."""

from __future__ import annotations

import math

import pyqtgraph as pg
from PySide6.QtGui import QFontMetricsF

LABEL_PX = 13
"""Height that a number of a side axis takes."""
_MOST_NUMBERS = 8
_GAP_PX = 12


class StepAxis(pg.AxisItem):   # type: ignore[misc]   # pyqtgraph ships no types
    """Whole numbers of steps, no more than have room beside each other."""

    def tickSpacing(self, minVal: float, maxVal: float, size: float) -> list[tuple[float, float]]:
        """Never tick between two steps, and have all numbers stand clear of each other."""
        metrics = QFontMetricsF(self.style["tickFont"] or self.font())
        widest = metrics.horizontalAdvance(f"{round(maxVal):,}") + _GAP_PX
        return [(max(nice_spacing(maxVal - minVal, size, widest), 1.0), 0.0)]

    def tickStrings(self, values: list[float], scale: float, spacing: float) -> list[str]:
        """Write 12,000 as such, and nothing before the first step."""
        return [f"{round(value):,}" if value >= 0 else "" for value in values]


class ValueAxis(pg.AxisItem):   # type: ignore[misc]
    """Numbers up a side, no more than have room one above the other."""

    def tickSpacing(self, minVal: float, maxVal: float, size: float) -> list[tuple[float, float]]:
        """Have all numbers stand clear of each other."""
        return [(nice_spacing(maxVal - minVal, size, LABEL_PX + 2), 0.0)]


def nice_spacing(span: float, size: float, apart_px: float) -> float:
    """Return the least of 1, 2 and 5 times a power of ten that lies so many pixels apart, at most a few times in all.

    Parameters
    ----------
    span, size
        The values that are shown, and the pixels over which.
    apart_px
        Pixels that a number needs.
    """
    least = max(apart_px, size / _MOST_NUMBERS) * max(abs(span), 1e-300) / max(size, 1.0)
    power = 10.0 ** math.floor(math.log10(least))
    return next(times * power for times in (1, 2, 5, 10) if times * power >= least)
