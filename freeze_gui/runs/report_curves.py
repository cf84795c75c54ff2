"""Curves and bars of a report as inline SVG: colours and dashes come from its style sheet, by number."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from itertools import groupby, pairwise

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_STYLES = 10
"""Colours, and dashes, in the style sheet."""

_WIDTH, _HEIGHT = 960, 300
_LEFT, _RIGHT, _TOP, _BOTTOM = 58, 14, 12, 34
_MOST_POINTS = 400
_LOG_FROM = 30.0
"""Values that span more than so many times are drawn on a logarithmic scale."""


@dataclass(frozen=True)
class Curve:
    """One line: `style` numbers its colour and dash, from 0; `steps` and `values` have the same shape (n,)."""

    label: str
    style: int
    steps: NDArray[np.int64]
    values: Floats


@dataclass(frozen=True)
class Bar:
    """One row of bars: a label, parts that follow each other with the number of their colour, and words behind them.

    `spread` is drawn as a line around the end, from and to; None for none.
    """

    label: str
    parts: tuple[tuple[int, float], ...]
    words: str
    spread: tuple[float, float] | None = None


def line_class(style: int) -> str:
    """Return the classes of the `style`-th line: after all colours they come again, each with another dash."""
    return f"curve s{style % _STYLES} d{(style + style // _STYLES) % _STYLES}"


def smooth(values: Floats, over: int) -> Floats:
    """Return the mean of each value and those in front of it, `over` in all; NaN wherever one of them is no number."""
    if over <= 1 or len(values) <= over:
        return values
    windows = np.lib.stride_tricks.sliding_window_view(values, over)
    start = np.array([values[: n + 1].mean() for n in range(over - 1)])
    return np.concatenate((start, windows.mean(axis=1)))


def curves_svg(curves: Sequence[Curve], name: str) -> str:
    """Return the curves over the steps in one frame with ticks, empty where there is nothing to draw."""
    drawn = [curve for curve in curves if np.isfinite(curve.values).any()]
    if not drawn:
        return ""
    finite = np.concatenate([curve.values[np.isfinite(curve.values)] for curve in drawn])
    low, high = float(finite.min()), float(finite.max())
    is_log = low > 0 and high / low > _LOG_FROM
    ticks = _log_ticks(low, high) if is_log else _ticks(low, high)
    if not is_log:
        low, high = ticks[0], ticks[-1]
    last = max(int(curve.steps[-1]) for curve in drawn)

    def y(value: float) -> float:
        a, b, c = (math.log(v) for v in (value, low, high)) if is_log else (value, low, high)
        return _HEIGHT - _BOTTOM - (a - b) / ((c - b) or 1.0) * (_HEIGHT - _TOP - _BOTTOM)

    def x(step: float) -> float:
        return _LEFT + step / max(last, 1) * (_WIDTH - _LEFT - _RIGHT)

    parts = [f'<line class="grid" x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{y(t):.1f}" y2="{y(t):.1f}"/>'
             f'<text class="tick" x="{_LEFT - 8}" y="{y(t) + 4:.1f}" text-anchor="end">{t:g}</text>' for t in ticks]
    parts += [f'<text class="tick" x="{x(t):.1f}" y="{_HEIGHT - _BOTTOM + 18}" text-anchor="middle">{t:g}</text>'
              for t in _ticks(0, last) if t <= last]
    parts += [f'<text class="tick" x="{(_LEFT + _WIDTH - _RIGHT) / 2}" y="{_HEIGHT - 2}" text-anchor="middle">'
              "step</text>"]
    for curve in drawn:
        points = [(x(step), y(value) if math.isfinite(value) else None) for step, value in _reduced(curve)]
        parts.append(f'<path class="{line_class(curve.style)}" d="{_path(points)}"/>')
    words = f"{name} of {', '.join(curve.label for curve in drawn)}"
    return _svg(_WIDTH, _HEIGHT, words, "".join(parts))


_LETTER = 7.7
"""Width of a digit in the widest of the report's fonts at its size."""


def bars_svg(bars: Sequence[Bar], name: str, width: int = 460) -> str:
    """Return rows of bars that begin at zero, each with its label in front and its words behind."""
    row, gap, label_width = 16, 6, 170
    words_width = 10 + _LETTER * max((len(bar.words) for bar in bars), default=0)
    most = max((max(sum(v for _, v in bar.parts), bar.spread[1] if bar.spread else 0) for bar in bars), default=0.0)
    if most <= 0:
        return ""
    scale = (width - label_width - words_width) / most
    parts = []
    for index, bar in enumerate(bars):
        top = index * (row + gap) + 2
        middle = top + row / 2
        parts.append(f'<text class="label" x="{label_width - 8}" y="{middle + 4}" text-anchor="end">'
                     f"{escape(_short(bar.label, 26))}</text>")
        at = float(label_width)
        for style, value in bar.parts:
            parts.append(f'<rect class="b{style}" x="{at:.1f}" y="{top}" width="{value * scale:.1f}" height="{row}"/>')
            at += value * scale
        if bar.spread is not None:
            a, b = (label_width + value * scale for value in bar.spread)
            parts.append(f'<path class="spread" d="M{a:.1f} {top + 4}V{top + row - 4}M{a:.1f} {middle}H{b:.1f}'
                         f'M{b:.1f} {top + 4}V{top + row - 4}"/>')
            at = max(at, b)
        parts.append(f'<text class="tick" x="{at + 6:.1f}" y="{middle + 4}">{escape(bar.words)}</text>')
    words = f"{name}: " + "; ".join(f"{bar.label} {bar.words}" for bar in bars)
    return _svg(width, len(bars) * (row + gap) + 2, words, "".join(parts))


def _svg(width: float, height: float, words: str, content: str) -> str:
    return (
        f'<svg viewBox="0 0 {width:g} {height:g}" width="{width:g}" height="{height:g}" role="img" '
        f'aria-label="{escape(words)}">{content}</svg>'
    )


def _reduced(curve: Curve) -> list[tuple[int, float]]:
    """Return at most so many points, the lowest and the highest of each bin, in order."""
    count = len(curve.steps)
    if count <= _MOST_POINTS:
        return list(zip(curve.steps.tolist(), curve.values.tolist(), strict=True))
    bins = _MOST_POINTS // 2
    kept: list[int] = []
    for start, stop in pairwise((np.arange(bins + 1) * count // bins).tolist()):
        chunk = curve.values[start:stop]
        ends = {int(np.argmin(chunk)), int(np.argmax(chunk))}   # a NaN is found by both, and leaves its gap
        kept += [start + at for at in sorted(ends)]
    return [(int(curve.steps[at]), float(curve.values[at])) for at in kept]


def _path(points: Sequence[tuple[float, float | None]]) -> str:
    """Return the line through the points; one alone between two gaps is a dot, as a line of no length is not drawn."""
    commands = []
    for is_gap, part in groupby(points, lambda point: point[1] is None):
        if not is_gap:
            joined = "L".join(f"{x:.1f} {y:.1f}" for x, y in part)
            commands.append(f"M{joined}" if "L" in joined else f"M{joined}m-1 0h2")
    return "".join(commands)


def _ticks(low: float, high: float, wanted: int = 6) -> list[float]:
    """Return round numbers from below `low` to above `high`: multiples of 1, 2 or 5 times a power of ten."""
    if high <= low:
        high = low + (abs(low) or 1.0)
    rough = (high - low) / wanted
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [float(f"{n * step:.10g}") for n in range(first, last + 1)]


def _log_ticks(low: float, high: float) -> list[float]:
    """Return powers of ten between `low` and `high`, and 2 and 5 times as much where there are few."""
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    factors = (1, 2, 5) if len(powers) <= 4 else (1,)
    found = [float(f"{factor}e{power}") for power in powers[:: -(-len(powers) // 8)] for factor in factors]
    return [tick for tick in found if low <= tick <= high]


def _short(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}…"
