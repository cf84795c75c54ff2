"""The heatmap of a run in a report: layers × steps as a tiny PNG, with what leaked hatched over it in SVG."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

import numpy as np
from numpy.typing import NDArray

from freeze_gui.runs.history import HistoryView
from freeze_gui.runs.png import data_uri, indexed_png

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

COLUMNS = 160
_MOST_HATCHED = 800
"""Hatched stretches in one picture; more are drawn over fewer, wider columns, so that the file stays small."""

_WIDTH, _LABELS = 300, 96
_MOST_LABELS = 24
_LEVELS = 250
_FROZEN, _NOTHING = 250, 251
_GREY = (150, 158, 168)

# viridis (Smith and van der Walt, CC0) at 9 even places: perceptually uniform, and safe for colour-blind people
_VIRIDIS = (
    (68, 1, 84), (71, 44, 122), (59, 81, 139), (44, 113, 142), (33, 144, 140), (39, 173, 128), (92, 200, 98),
    (170, 220, 49), (253, 231, 37),
)


@dataclass(frozen=True)
class Scale:
    """The logarithmic colour scale that all heatmaps of a report share: its ends, above zero."""

    low: float
    high: float

    def levels(self, values: Floats) -> NDArray[np.uint8]:
        """Return the number of the colour of each value; zero and what is no number have none."""
        real = np.isfinite(values) & (values > 0)
        span = math.log(self.high / self.low) or 1.0
        shares = np.log(np.where(real, values, self.low) / self.low) / span
        found = np.clip(np.round(shares * (_LEVELS - 1)), 0, _LEVELS - 1).astype(np.uint8)
        return np.where(real, found, _NOTHING).astype(np.uint8)


def common_scale(views: Sequence[HistoryView]) -> Scale | None:
    """Return the scale over the updates of all runs, the smallest and largest hundredth left out; None for none."""
    found = [view.update_norm[np.isfinite(view.update_norm) & (view.update_norm > 0)] for view in views]
    values = np.concatenate(found) if found else np.zeros(0)
    if not len(values):
        return None
    low, high = (float(value) for value in np.percentile(values, (1, 99)))
    return Scale(low, high) if high > low else Scale(low / 2, low * 2)


def heatmap_svg(view: HistoryView, layers: Sequence[str], scale: Scale, name: str) -> str:
    """Return one run's updates: a row a layer, a column a stretch of steps with its largest update."""
    values, frozen, leaked = _reduced(view, COLUMNS)
    still = frozen & ~leaked & ~(values > 0)
    pixels = np.where(still, _FROZEN, scale.levels(values)).astype(np.uint8).T   # (layers, columns)
    row = min(18.0, max(3.0, 320 / max(len(layers), 1)))
    height, width = row * len(layers), _WIDTH - _LABELS
    parts = [
        f'<image x="{_LABELS}" y="0" width="{width}" height="{height:g}" preserveAspectRatio="none" '
        f'href="{data_uri(indexed_png(pixels, _colors(), clear=_NOTHING))}"/>',
        f'<path class="hatched" d="{_hatched(view, width, row)}"/>',
        f'<rect class="frame" x="{_LABELS}" y="0" width="{width}" height="{height:g}"/>',
    ]
    if len(layers) <= _MOST_LABELS:
        parts += [
            f'<text class="layer" x="{_LABELS - 6}" y="{(index + 0.5) * row + 3:g}" text-anchor="end">'
            f"{escape(_ending(path or '(model)', 17))}</text>"
            for index, path in enumerate(layers)
        ]
    else:
        parts.append(f'<text class="layer" x="{_LABELS - 6}" y="10" text-anchor="end">{len(layers)} layers</text>')
    steps = "step {} to {}".format(*_steps(view))
    parts.append(f'<text class="layer" x="{_LABELS}" y="{height + 12:g}">{steps}</text>')
    words = f"updates of each layer in {name}, {steps}; {int(leaked.any(axis=0).sum())} frozen layers leaked"
    return (
        f'<svg class="heatmap" viewBox="0 0 {_WIDTH} {height + 16:g}" role="img" aria-label="{escape(words)}">'
        f"{''.join(parts)}</svg>"
    )


def scale_gradient() -> str:
    """Return the colours of the scale as stops of a CSS gradient."""
    return ", ".join(f"rgb({r} {g} {b})" for r, g, b in _VIRIDIS)


def _reduced(view: HistoryView, columns: int) -> tuple[Floats, Flags, Flags]:
    """Return the largest update, whether most of it was frozen, and whether any leaked, in at most so many columns.

    All columns are equally many steps wide, however far apart the measured ones lie: a measured step stands for those
    up to the next, so that runs measured at different steps have the same moment in the same place.
    """
    first, last = _steps(view)
    columns = min(columns, last + 1 - first)
    column = (view.step - first) * columns // (last + 1 - first)
    starts = np.concatenate(([0], np.flatnonzero(np.diff(column)) + 1))
    sizes = np.diff(np.append(starts, len(column)))[:, None]
    values = np.where(np.isfinite(view.update_norm), view.update_norm, np.nan)
    largest = np.fmax.reduceat(values, starts, axis=0)
    frozen = 2 * np.add.reduceat(view.frozen.astype(np.int64), starts, axis=0) > sizes
    leaked = np.logical_or.reduceat(view.leaked, starts, axis=0)
    shown = np.searchsorted(column[starts], np.arange(columns), "right") - 1
    return largest[shown], frozen[shown], leaked[shown]


def _steps(view: HistoryView) -> tuple[int, int]:
    """Return the first measured step, and the last one that was taken."""
    return int(view.step[0]), int(max(view.step[-1], view.loss_step[-1]))


def _hatched(view: HistoryView, width: float, row: float) -> str:
    """Return one path around all stretches of columns in which a frozen layer moved."""
    columns = COLUMNS
    while True:
        leaked = _reduced(view, columns)[2]   # (columns, layers)
        edges = np.diff(np.pad(leaked.T.astype(np.int8), ((0, 0), (1, 1))), axis=1)
        begins, ends = np.argwhere(edges == 1), np.argwhere(edges == -1)
        if len(begins) <= _MOST_HATCHED or columns <= 2:
            break
        columns //= 2
    across = width / max(len(leaked), 1)
    return "".join(
        f"M{_LABELS + start * across:.1f} {layer * row:.1f}h{(stop - start) * across:.1f}v{row:.1f}"
        f"h{(start - stop) * across:.1f}z"
        for (layer, start), (_, stop) in zip(begins.tolist(), ends.tolist(), strict=True)
    )


def _colors() -> list[tuple[int, int, int]]:
    at = np.linspace(0, len(_VIRIDIS) - 1, _LEVELS)
    channels = [np.interp(at, np.arange(len(_VIRIDIS)), [color[c] for color in _VIRIDIS]).round() for c in range(3)]
    return [*((int(r), int(g), int(b)) for r, g, b in zip(*channels, strict=True)), _GREY, (0, 0, 0)]


def _ending(text: str, most: int) -> str:
    return text if len(text) <= most else f"…{text[1 - most :]}"
