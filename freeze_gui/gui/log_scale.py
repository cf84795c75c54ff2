"""A log axis with an honest zero: powers of ten, and strips of their own for exact zero, no gradient and NaN; no Qt.

    NaN    ──────  above the largest power of ten
    1e+1
    …              log10 of what is positive and finite
    1e-3
    0      ──────  a strip in which each line has its own lane
    none   ──────  likewise, for "no gradient", which is not zero
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import overload

import numpy as np
from numpy.typing import NDArray

from freeze_gui.gui.heatmap_legend import power_text
from freeze_gui.runs.history import Floats
from freeze_gui.training.events import NO_GRADIENT


@dataclass(frozen=True)
class LogScale:
    """Where values are drawn, in units of decades.

    Attributes
    ----------
    floor, top
        Whole powers of ten that enclose all positive values.
    has_none
        Whether there is a strip for "no gradient".
    has_nan
        Whether the line of NaN has a name on the axis.
    strip_share
        Height of a strip, as a share of the decades shown.
    """

    floor: float = -3.0
    top: float = 0.0
    has_none: bool = False
    has_nan: bool = False
    strip_share: float = 0.1

    @property
    def strip(self) -> float:
        """Height of a strip in decades."""
        return self.strip_share * (self.top - self.floor)

    @property
    def zero_y(self) -> float:
        """Middle of the strip of exact zeros."""
        return self.floor - 0.75 * self.strip

    @property
    def none_y(self) -> float:
        """Middle of the strip of missing gradients."""
        return self.floor - 1.8 * self.strip

    @property
    def nan_y(self) -> float:
        """Where NaN and infinities are marked."""
        return self.top + 0.9 * self.strip

    @property
    def low(self) -> float:
        """Lower edge of the plot."""
        return (self.none_y if self.has_none else self.zero_y) - 0.55 * self.strip

    @property
    def high(self) -> float:
        """Upper edge of the plot, which leaves room for the words of markers."""
        return (self.nan_y if self.has_nan else self.top) + 1.3 * self.strip

    def y(self, values: Floats, lane: int | NDArray[np.int64] = 0, lanes: int = 1) -> Floats:
        """Return where `values` are drawn: NaN (a gap) for `NO_GRADIENT`, NaN and infinities.

        Exact zeros lie in the zero strip, each of `lanes` lines in its own `lane`: one, or (lines, 1) for values of
        shape (lines, points).
        """
        with np.errstate(divide="ignore", invalid="ignore"):
            y: Floats = np.log10(values)
        if not np.isfinite(y).all():
            y = np.where(values == 0.0, self.lane_y(self.zero_y, lane, lanes), np.where(np.isfinite(y), y, np.nan))
        return y

    @overload
    def lane_y(self, middle: float, lane: int, lanes: int) -> float: ...

    @overload
    def lane_y(self, middle: float, lane: NDArray[np.int64], lanes: int) -> Floats: ...

    def lane_y(self, middle: float, lane: int | NDArray[np.int64], lanes: int) -> float | Floats:
        """Return the height of one lane of the strip around `middle`."""
        return middle + 0.8 * self.strip * (0.5 - (lane + 0.5) / max(lanes, 1))

    def value_text(self, y: float) -> str:
        """Return the words of a tick at height `y`."""
        if abs(y - self.zero_y) < 1e-9:
            return "0"
        if self.has_none and abs(y - self.none_y) < 1e-9:
            return "none"
        if self.has_nan and abs(y - self.nan_y) < 1e-9:
            return "NaN"
        return power_text(y)

    def ticks(self, low: float, high: float, most: int) -> tuple[list[float], list[float]]:
        """Return the ticks with and without words between two heights: strips, powers of ten, and between them."""
        strips = [self.zero_y] + [self.none_y] * self.has_none + [self.nan_y] * self.has_nan
        strips = [y for y in strips if low <= y <= high]
        high = min(high, self.top)
        begin = max(low, self.floor)
        whole = [float(p) for p in range(math.ceil(begin - 1e-9), math.floor(high + 1e-9) + 1)]
        between = [p + math.log10(m) for p in range(math.floor(begin), math.ceil(high)) for m in range(2, 10)]
        between = [y for y in between if begin <= y <= high]
        if len(whole) < 2:
            worded = [y for y in between if round(10 ** (y % 1)) in (2, 5)]
            return strips + whole + worded, between
        every = -(-len(whole) // max(most, 2))
        return strips + whole[::every], between if every == 1 and len(whole) < 8 else []


def fit(
    least: float, largest: float, has_none: bool, has_nan: bool, height: int, before: LogScale | None = None
) -> LogScale:
    """Return the scale for positive values from `least` to `largest` in a plot of so many pixels.

    It is at least as wide as `before`: a scale that only grows keeps a running plot still. Strips are as high as their
    words.
    """
    floor, top = math.floor(math.log10(least) + 1e-9), math.ceil(math.log10(largest) - 1e-9)
    if before is not None:
        floor, top = min(floor, int(before.floor)), max(top, int(before.top))
        has_none, has_nan = has_none or before.has_none, has_nan or before.has_nan
    return LogScale(float(floor), float(max(top, floor + 1)), has_none, has_nan, strip_share(height))


def strip_share(height: int) -> float:
    """Return the share of the decades at which a strip is 14 pixels high in a plot of this height."""
    return round(min(max(14 / max(height - 65, 1), 0.05), 0.3), 2)


def taps(keep: float) -> int:
    """Return how many values a mean with this weight of the past takes in."""
    return math.ceil(math.log(1e-4) / math.log(keep)) if keep > 0.0 else 0


def smooth(values: Floats, keep: float) -> Floats:
    """Return the causal exponential mean of one series; missing and non-finite values count for nothing.

    Parameters
    ----------
    values
        Shape (rows,).
    keep
        Weight of the past, in [0, 1); 0 returns `values`.

    Notes
    -----
    Corrected for the start as in Adam (Kingma and Ba, 2015). The past beyond a weight of 1e-4 is left out, so that
    the mean is one convolution. An exact zero, a gap and a NaN stay what they are.
    """
    if keep <= 0.0 or not len(values):
        return values
    past = keep ** np.arange(taps(keep))
    good: NDArray[np.bool_] = np.isfinite(values) & (values != NO_GRADIENT)
    total = np.convolve(np.where(good, values, 0.0), past)[: len(values)]
    weight = np.convolve(good.astype(float), past)[: len(values)]
    return np.where(good & (values != 0.0), total / np.where(weight > 0, weight, 1.0), values)


def smooth_rows(values: Floats, rows: slice, keep: float) -> Floats:
    """Return `smooth` of some rows, shape (rows,): it is causal, and the past beyond its weight counts for nothing."""
    before = max(rows.start - taps(keep), 0)
    return smooth(values[before : rows.stop], keep)[rows.start - before :]
