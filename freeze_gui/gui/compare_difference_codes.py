"""From the difference of two runs to the small numbers that its map is painted from; no Qt.

A cell (a layer at a step) becomes one code: `ZERO` where both runs have the same number, above it where the first has
the larger one, below it where the second has. What one pixel shows of several cells is the one farthest from zero, so
that a difference of one step among ten thousand survives.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from freeze_gui.gui.heatmap_codes import nice_levels
from freeze_gui.gui.palette import Theme, mix, rgb
from freeze_gui.runs.history import Floats

Codes = NDArray[np.uint8]

EMPTY, MISSING, LOWEST, ZERO, HIGHEST, HATCH = 0, 1, 2, 128, 254, 255
"""Nothing measured, a gradient in one run only, the ends and the middle of the scale, the lines over `MISSING`."""

_LEAST_SHARE = 0.12
"""The smallest difference is this part of the way from zero to the end of the scale: it is told from none."""

# both ends differ in lightness from the middle and in blue against orange, which colour-blind people tell apart
_LIGHT = (("#08306b", "#2f7fbc", "#d3e6f5"), "#ffffff", ("#fce3cc", "#e8812e", "#7f2704"))
_DARK = (("#93cdff", "#3a84c6", "#264560"), "#2f353d", ("#5e3d20", "#c8742a", "#ffb46b"))


def levels_of(values: Floats) -> tuple[float, float] | None:
    """Return the ends of the scale, as powers of ten of what differs; None where nothing does."""
    sizes = np.abs(values[np.isfinite(values) & (values != 0.0)])
    return nice_levels(math.log10(sizes.min()), math.log10(sizes.max())) if len(sizes) else None


def encode(values: Floats, levels: tuple[float, float]) -> Codes:
    """Return the code of each cell; NaN, where one run has no gradient, is `MISSING`.

    Parameters
    ----------
    values
        Signed differences, shape (rows, layers).
    levels
        Ends of the scale as powers of ten; it is logarithmic on both sides of zero.
    """
    low, high = levels
    with np.errstate(divide="ignore", invalid="ignore"):
        share = (np.log10(np.abs(values)) - low) / max(high - low, 1e-9)
    share = _LEAST_SHARE + (1 - _LEAST_SHARE) * np.clip(np.nan_to_num(share, nan=0.0, posinf=1.0, neginf=0.0), 0, 1)
    codes = np.where(values == 0.0, ZERO, ZERO + np.sign(values) * np.round(share * (HIGHEST - ZERO)))
    return np.where(np.isnan(values), MISSING, codes).astype(np.uint8)


def columns(codes: Codes, steps: NDArray[np.int64], end_step: int, width: int, start: float, stop: float) -> Codes:
    """Lay measured rows out over `width` columns of pixels that show the steps [start, stop).

    Parameters
    ----------
    codes, steps
        Shapes (rows, layers) and (rows,); a row stands for all steps up to the next.
    end_step
        The first step that the last row does not stand for.

    Returns
    -------
    ndarray
        Shape (width, layers).
    """
    out = np.full((width, codes.shape[1]), EMPTY, np.uint8)
    if not len(steps) or stop <= start:
        return out
    edges = np.append(steps, end_step)
    scale = width / (stop - start)
    first = max(int(np.searchsorted(steps, start, "right")) - 1, 0)
    last = int(np.searchsorted(steps, stop, "left"))
    if last <= first:
        return out
    at = np.clip(np.floor((steps[first:last] - start) * scale + 1e-9).astype(np.int64), 0, width - 1)
    bins = np.concatenate(([0], np.flatnonzero(np.diff(at)) + 1))
    reduced = _farthest(codes[first:last], bins)
    from_column = at[bins]
    end = min(max(math.ceil((edges[last] - start) * scale - 1e-9), int(from_column[-1]) + 1), width)
    shown = np.arange(from_column[0], end)
    out[shown] = reduced[np.searchsorted(from_column, shown, "right") - 1]
    return out


def to_pixels(cells: Codes, height: int) -> Codes:
    """Stretch or squeeze (layers, columns) to (height, columns); hatches mark what only one run has."""
    layers, width = cells.shape
    if layers == 0 or height <= 0:
        return np.zeros((max(height, 0), width), np.uint8)
    at = np.arange(height) * layers // height
    pixels = _farthest(cells, at) if layers > height else cells[at]
    diagonal = (np.arange(height)[:, None] + np.arange(width)[None, :]) % 6 == 0
    pixels[(pixels == MISSING) & diagonal] = HATCH
    return pixels


def color_table(theme: Theme) -> NDArray[np.uint32]:
    """Return the colour of each code as 0xffRRGGBB, shape (256,)."""
    below, middle, above = _LIGHT if theme.name == "light" else _DARK
    stops = [int(color[1:], 16) for color in (*below, middle, *above)]
    # beside the middle: the paler stop is where the smallest difference is
    beside = round(_LEAST_SHARE * (HIGHEST - ZERO))
    half = (HIGHEST - ZERO + beside) // 2
    places = [LOWEST, ZERO - half, ZERO - beside, ZERO, ZERO + beside, ZERO + half, HIGHEST]
    table = np.zeros(256, np.uint32)
    for shift in (16, 8, 0):
        channel = [(stop >> shift) & 255 for stop in stops]
        table |= np.interp(np.arange(256), places, channel).round().astype(np.uint32) << np.uint32(shift)
    table |= np.uint32(0xFF000000)
    table[EMPTY] = rgb(mix(theme.plot_background, theme.text, 0.045))
    table[MISSING] = rgb(mix(theme.plot_background, theme.text, 0.10))
    table[HATCH] = rgb(mix(theme.plot_background, theme.text, 0.50))
    return table


def _farthest(codes: Codes, starts: NDArray[np.int64]) -> Codes:
    """Reduce each bin of rows to the code farthest from zero."""
    ends = np.append(starts[1:], len(codes)) - 1
    high = codes[starts]
    low = high.copy()
    for after in range(1, int((ends - starts).max()) + 1):   # all bins at once: ten times as fast as reduceat
        more = codes[np.minimum(starts + after, ends)]
        np.maximum(high, more, out=high)
        np.minimum(low, more, out=low)
    reduced: Codes = np.where(high.astype(np.int16) - ZERO >= ZERO - low.astype(np.int16), high, low)
    return reduced
