"""Axes with numbers that a person reads: whole steps, and values that stand clear of each other."""

from __future__ import annotations

import math

import pyqtgraph as pg
from PySide6.QtGui import QFontMetricsF

from freeze_gui.gui.log_scale import LogScale

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


class LogAxis(pg.AxisItem):   # type: ignore[misc]   # pyqtgraph ships no types
    """Ticks of a `LogScale`: powers of ten, and words for the strips below them."""

    def __init__(self) -> None:
        super().__init__("left")
        self.scale_shown = LogScale()
        self._strips_joined = False   # in a low plot one word stands for both strips
        self.setWidth(44)

    def tickValues(self, minVal: float, maxVal: float, size: float) -> list[tuple[float, list[float]]]:
        """Return ticks with words, then those without."""
        scale = self.scale_shown
        worded, between = scale.ticks(minVal, maxVal, max(int(size // 28), 2))
        line = LABEL_PX * (maxVal - minVal) / max(size, 1.0)
        below, above = scale.zero_y, scale.nan_y if scale.has_nan else math.inf   # no number into a word
        worded = [y for y in worded if below + line <= y <= above - line or y <= below + 1e-9 or y >= above - 1e-9]
        self._strips_joined = scale.has_none and scale.zero_y - scale.none_y < line
        if self._strips_joined:
            worded = [y for y in worded if abs(y - scale.zero_y) > 1e-9]
        return [(1.0, worded), (0.1, between)]

    def tickStrings(self, values: list[float], scale: float, spacing: float) -> list[str]:
        """Return the words; none for ticks between powers of ten."""
        return [self._word(y) if spacing == 1.0 else "" for y in values]

    def _word(self, y: float) -> str:
        joined = self._strips_joined and abs(y - self.scale_shown.none_y) < 1e-9
        return "0/none" if joined else self.scale_shown.value_text(y)
