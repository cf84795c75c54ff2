"""A drawing as SVG: words as text, lines as lines, cells of a heatmap as one embedded picture; nothing from outside."""

from __future__ import annotations

import base64
from xml.sax.saxutils import escape, quoteattr

import numpy as np

from freeze_gui.gui.export_drawing import (
    Box,
    Drawing,
    Line,
    Marks,
    Pixels,
    Rect,
    Shape,
    Text,
    finite_runs,
    symbol_points,
)
from freeze_gui.gui.export_image import colors_image, to_png
from freeze_gui.runs.history import Floats

_FONTS = "system-ui, 'Segoe UI', 'Helvetica Neue', 'DejaVu Sans', Arial, sans-serif"


def to_svg(drawing: Drawing) -> str:
    """Return a drawing as the text of an SVG file."""
    clips = list(dict.fromkeys(shape.clip for shape in drawing.shapes if isinstance(shape, Line) and shape.clip))
    width, height = _number(drawing.width), _number(drawing.height)
    lines = [
        '<?xml version="1.0" encoding="UTF-8"?>',
        f'<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" role="img" '
        f'width="{width}" height="{height}" viewBox="0 0 {width} {height}" font-family="{_FONTS}">',
        f"<title>{escape(drawing.title)}</title>",
        f"<desc>{escape(drawing.description)}</desc>",
    ]
    for at, box in enumerate(clips):
        lines.append(f'<clipPath id="clip{at}">{_rect(box, "black")}</clipPath>')
    lines.append(_rect((0.0, 0.0, drawing.width, drawing.height), drawing.background))
    for shape in drawing.shapes:
        lines += _shape(shape, clips)
    return "\n".join([*lines, "</svg>", ""])


def _shape(shape: Shape, clips: list[Box]) -> list[str]:
    match shape:
        case Rect():
            return [_rect(shape.box, shape.fill)]
        case Line():
            return _line(shape, clips)
        case Marks():
            return _marks(shape)
        case Text():
            weight = ' font-weight="bold"' if shape.bold else ""
            return [
                f'<text x="{_number(shape.x)}" y="{_number(shape.y)}" font-size="{_number(shape.px)}" '
                f'text-anchor="{shape.anchor}" fill={quoteattr(shape.color)}{weight} xml:space="preserve">'
                f"{escape(shape.words)}</text>"
            ]
        case Pixels():
            data = base64.b64encode(to_png(colors_image(shape))).decode("ascii")
            return [
                f'<image {_place(shape.box)} preserveAspectRatio="none" image-rendering="pixelated" '
                f'style="image-rendering:pixelated" xlink:href="data:image/png;base64,{data}"/>'
            ]


def _line(line: Line, clips: list[Box]) -> list[str]:
    """Return the stretches of a line; a point alone is a short dash, as a line of no length is not drawn."""
    style = f'fill="none" stroke="{line.color}" stroke-width="{_number(line.width)}" stroke-linejoin="round"'
    if line.dash:
        style += f' stroke-dasharray="{",".join(_number(length) for length in line.dash)}"'
    if line.clip:
        style += f' clip-path="url(#clip{clips.index(line.clip)})"'
    parts = []
    for part in finite_runs(line.points):
        if len(part) == 1:
            part = part + np.array([[-0.5, 0.0], [0.5, 0.0]]) * line.width
        parts.append(f'<polyline points="{_points(part)}" {style}/>')
    return parts


def _marks(marks: Marks) -> list[str]:
    good = marks.points[np.isfinite(marks.points).all(axis=1)]
    if marks.symbol == "circle":
        radius = _number(marks.size / 2)
        return [f'<circle cx="{_number(x)}" cy="{_number(y)}" r="{radius}" fill="{marks.color}"/>' for x, y in good]
    corners = symbol_points(marks.symbol, marks.size)
    if marks.symbol == "cross":
        style = f'fill="none" stroke="{marks.color}" stroke-width="1.5"'
        return [f'<polyline points="{_points(stroke + at)}" {style}/>' for at in good for stroke in corners]
    return [f'<polygon points="{_points(corners[0] + at)}" fill="{marks.color}"/>' for at in good]


def _rect(box: Box, fill: str) -> str:
    return f'<rect {_place(box)} fill="{fill}"/>'


def _place(box: Box) -> str:
    return " ".join(
        f'{name}="{_number(value)}"' for name, value in zip(("x", "y", "width", "height"), box, strict=True)
    )


def _points(points: Floats) -> str:
    return " ".join(f"{_number(x)},{_number(y)}" for x, y in points.tolist())


def _number(value: float) -> str:
    """Return a length to a hundredth of a pixel, without zeros at its end."""
    text = f"{value:.2f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text
