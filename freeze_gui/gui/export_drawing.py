"""A picture as a list of shapes, from which both its SVG and its PNG are made; no Qt.

Lengths are pixels at 96 to the inch, y grows downwards.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from freeze_gui.runs.history import Floats

Box = tuple[float, float, float, float]
"""Left, top, width, height."""
Symbol = Literal["circle", "diamond", "triangle", "cross"]
Anchor = Literal["start", "middle", "end"]


@dataclass(frozen=True)
class Rect:
    """A filled box."""

    box: Box
    fill: str


@dataclass(frozen=True)
class Line:
    """A line through points, shape (points, 2), with a gap at each point that is not finite; `clip` cuts it off."""

    points: Floats
    color: str
    width: float = 1.5
    dash: tuple[float, ...] | None = None
    clip: Box | None = None


@dataclass(frozen=True)
class Marks:
    """One symbol at each of the points, shape (points, 2)."""

    points: Floats
    symbol: Symbol
    color: str
    size: float = 8.0


@dataclass(frozen=True)
class Text:
    """One line of words; `y` is their baseline."""

    x: float
    y: float
    words: str
    color: str
    px: float = 12.0
    anchor: Anchor = "start"
    bold: bool = False


@dataclass(frozen=True)
class Pixels:
    """A picture of 0xffRRGGBB, shape (height, width), stretched over a box without smoothing."""

    box: Box
    colors: NDArray[np.uint32]


Shape = Rect | Line | Marks | Text | Pixels


@dataclass
class Drawing:
    """A picture; later shapes lie over earlier ones.

    Attributes
    ----------
    width, height
        Size in pixels.
    background
        Colour below everything.
    title, description
        What it shows, for readers of the screen.
    shapes
        What is drawn.
    """

    width: float
    height: float
    background: str
    title: str
    description: str
    shapes: list[Shape] = field(default_factory=list)

    def add(self, *shapes: Shape) -> None:
        """Draw these over what there is."""
        self.shapes.extend(shapes)


def finite_runs(points: Floats) -> list[Floats]:
    """Return the stretches of points between those that are not finite, each of at least one point."""
    good = np.isfinite(points).all(axis=1)
    edges = np.flatnonzero(np.diff(np.concatenate(([False], good, [False])).astype(np.int8)))
    return [points[start:stop] for start, stop in zip(edges[::2], edges[1::2], strict=True)]


def symbol_points(symbol: Symbol, size: float) -> list[Floats]:
    """Return the corners of a symbol around (0, 0): one closed polygon, or the open strokes of a cross."""
    r = size / 2
    match symbol:
        case "triangle":
            return [np.array([(-r, -r), (r, -r), (0.0, r)])]
        case "diamond":
            return [np.array([(0.0, -r), (r, 0.0), (0.0, r), (-r, 0.0)])]
        case "cross":
            return [np.array([(-r, -r), (r, r)]), np.array([(-r, r), (r, -r)])]
        case "circle":
            turns = np.linspace(0, 2 * np.pi, 17)[:-1]
            return [np.column_stack((r * np.cos(turns), r * np.sin(turns)))]
