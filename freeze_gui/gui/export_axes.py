"""What the pictures of all plots over steps have in common: headings, frame, ticks, markers and legend."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from freeze_gui.gui.export_drawing import Box, Drawing, Line, Rect, Symbol, Text
from freeze_gui.gui.export_drawing import Marks as Symbols
from freeze_gui.gui.export_image import elided, text_width
from freeze_gui.gui.heatmap_labels import nice_step
from freeze_gui.gui.palette import Theme
from freeze_gui.runs.history import Floats

WIDTH, HEIGHT = 960.0, 540.0
"""Size of a picture of curves: its PNG, at twice that, fills a slide."""
EDGE = 24.0
HEAD_PX = 62.0
"""Room above the plot, for title and subtitle."""
AXIS_PX = 44.0
"""Room below the plot, for the numbers of the steps and the word for them."""
LEGEND_LINE_PX = 20.0
_SAMPLE_PX = 26.0


@dataclass(frozen=True)
class PlotView:
    """What of a plot over steps is seen.

    Attributes
    ----------
    title, subtitle
        Headings.
    x_range
        Steps seen.
    y_range
        Heights seen; None for all.
    keep
        Weight of the past for smoothing, 0 for none.
    markers
        (step, words) of moments at which layers froze or thawed.
    """

    title: str
    subtitle: str
    x_range: tuple[float, float]
    y_range: tuple[float, float] | None = None
    keep: float = 0.0
    markers: Sequence[tuple[int, str]] = ()


@dataclass(frozen=True)
class LegendEntry:
    """One line, or one kind of mark, and what it is."""

    words: str
    color: str
    dash: tuple[float, ...] | None = None
    symbol: Symbol | None = None


@dataclass(frozen=True)
class Frame:
    """Where steps and heights of a plot lie in its picture."""

    box: Box
    x_range: tuple[float, float]
    y_range: tuple[float, float]

    def x(self, steps: Floats) -> Floats:
        """Return where steps lie."""
        left, _, width, _ = self.box
        return left + (steps - self.x_range[0]) / (self.x_range[1] - self.x_range[0]) * width

    def y(self, heights: Floats) -> Floats:
        """Return where heights lie."""
        _, top, _, tall = self.box
        return top + tall - (heights - self.y_range[0]) / (self.y_range[1] - self.y_range[0]) * tall

    def points(self, steps: Floats, heights: Floats) -> Floats:
        """Return points of the picture, shape (points, 2)."""
        return np.column_stack((self.x(np.asarray(steps, float)), self.y(np.asarray(heights, float))))


def new_drawing(title: str, subtitle: str, theme: Theme, height: float = HEIGHT) -> Drawing:
    """Return a picture that holds nothing but its headings."""
    drawing = Drawing(WIDTH, height, theme.plot_background, title, subtitle)
    drawing.add(Text(EDGE, 28, elided(title, 17, WIDTH - 2 * EDGE - 40), theme.text, 17, bold=True))
    drawing.add(Text(EDGE, 47, elided(subtitle, 12, WIDTH - 2 * EDGE), theme.muted, 12))
    return drawing


def legend_lines(entries: Sequence[LegendEntry]) -> list[list[tuple[float, LegendEntry]]]:
    """Return the entries with their left edges, broken into lines."""
    lines: list[list[tuple[float, LegendEntry]]] = [[]]
    x = EDGE
    for entry in entries:
        wide = _SAMPLE_PX + 6 + text_width(_short(entry.words))
        if lines[-1] and x + wide > WIDTH - EDGE:
            lines.append([])
            x = EDGE
        lines[-1].append((x, entry))
        x += wide + 20
    return lines if entries else []


def add_legend(drawing: Drawing, entries: Sequence[LegendEntry], theme: Theme) -> None:
    """Write the legend at the bottom of a picture."""
    lines = legend_lines(entries)
    y = drawing.height - 14 - LEGEND_LINE_PX * (len(lines) - 1)
    for at, line in enumerate(lines):
        down = y + at * LEGEND_LINE_PX
        for x, entry in line:
            if entry.symbol is not None:
                drawing.add(Symbols(np.array([(x + _SAMPLE_PX / 2, down - 4)]), entry.symbol, entry.color))
            else:
                sample = np.array([(x, down - 4), (x + _SAMPLE_PX, down - 4)])
                drawing.add(Line(sample, entry.color, 2.0, entry.dash))
            drawing.add(Text(x + _SAMPLE_PX + 6, down, _short(entry.words), theme.text))


def plot_box(entries: Sequence[LegendEntry], left: float = 64.0, right: float = EDGE) -> Box:
    """Return where the curves of a picture with this legend lie."""
    below = AXIS_PX + LEGEND_LINE_PX * len(legend_lines(entries)) + 8
    return left, HEAD_PX, WIDTH - left - right, HEIGHT - HEAD_PX - below


def add_frame(drawing: Drawing, frame: Frame, theme: Theme) -> None:
    """Draw the edges of a plot and the numbers of its steps."""
    left, top, width, height = frame.box
    corners = np.array([(left, top), (left, top + height), (left + width, top + height)])
    add_steps(drawing, frame, theme)
    drawing.add(Line(corners, theme.border, 1.0))


def add_steps(drawing: Drawing, frame: Frame, theme: Theme) -> None:
    """Draw the numbers of the steps below a plot, and what they are."""
    left, top, width, height = frame.box
    (start, stop), bottom = frame.x_range, top + height
    every = nice_step(stop - start, 10)
    for step in range(math.ceil(max(start, 0) / every) * every, math.floor(stop) + 1, every):
        x = float(frame.x(np.array([step]))[0])
        drawing.add(Line(np.array([(x, bottom), (x, bottom + 4)]), theme.border, 1.0))
        drawing.add(Text(x, bottom + 17, f"{step:,}", theme.muted, 11, "middle"))
    drawing.add(Text(left + width / 2, bottom + 34, "step", theme.muted, 12, "middle"))


def add_ticks(drawing: Drawing, frame: Frame, ticks: Sequence[tuple[float, str]], theme: Theme) -> None:
    """Draw a line across the plot at each height, with its words to the left."""
    left, _, width, _ = frame.box
    for height, words in ticks:
        y = float(frame.y(np.array([height]))[0])
        drawing.add(Line(np.array([(left, y), (left + width, y)]), theme.grid, 1.0))
        drawing.add(Text(left - 7, y + 4, words, theme.muted, 11, "end"))


def add_markers(drawing: Drawing, frame: Frame, markers: Sequence[tuple[int, str]], theme: Theme) -> None:
    """Draw a dotted line at each moment at which layers froze or thawed, with its words where there is room."""
    left, top, width, height = frame.box
    free_from = -math.inf
    for step, words in markers:
        x = float(frame.x(np.array([step]))[0])
        if not left <= x <= left + width:
            continue
        drawing.add(Line(np.array([(x, top), (x, top + height)]), theme.muted, 1.0, (2, 3)))
        wide = text_width(words, 11)
        at_left = x + wide + 4 > left + width
        start = x - wide - 4 if at_left else x + 4
        if words and start >= free_from:
            drawing.add(Text(start, top + 11, words, theme.muted, 11))
            free_from = start + wide + 10


def linear_ticks(low: float, high: float, most: int = 7) -> list[tuple[float, str]]:
    """Return round heights between two values, with their words."""
    span = max(high - low, 1e-12)
    power = 10.0 ** math.floor(math.log10(span / most))
    every = next(factor * power for factor in (1, 2, 5, 10, 20) if factor * power * most >= span)
    digits = max(-math.floor(math.log10(every) + 1e-9), 0)
    first = math.ceil(low / every - 1e-9)
    return [(at * every, f"{at * every:,.{digits}f}") for at in range(first, math.floor(high / every + 1e-9) + 1)]


def band(frame: Frame, low: float, high: float, fill: str) -> Rect | None:
    """Return the strip between two heights, as far as it lies in the plot."""
    left, top, width, height = frame.box
    upper, lower = np.clip(frame.y(np.array([high, low])), top, top + height).tolist()
    return Rect((left, upper, width, lower - upper), fill) if lower > upper else None


def _short(words: str) -> str:
    return elided(words, 12, 300)
