"""The picture of the map of what two runs differ by, for export."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from freeze_gui.gui import compare_difference_codes as codes
from freeze_gui.gui.export_axes import EDGE
from freeze_gui.gui.export_drawing import Drawing, Pixels, Text
from freeze_gui.gui.export_heatmap import add_rows, row_frame
from freeze_gui.gui.export_image import text_width
from freeze_gui.gui.heatmap_legend import power_text
from freeze_gui.gui.palette import Theme
from freeze_gui.runs.differences import LayerDifference

_BAR_PX = (240, 11)


@dataclass(frozen=True)
class DifferenceContent:
    """What is seen: the first of two runs less the second, over some steps; `levels` None where nothing differs."""

    title: str
    subtitle: str
    labels: tuple[str, str]
    difference: LayerDifference
    levels: tuple[float, float] | None
    x_range: tuple[float, float]


def difference_drawing(seen: DifferenceContent, theme: Theme) -> Drawing:
    """Return the picture of the map."""
    layers, table = seen.difference.layers, codes.color_table(theme)
    frame, drawing = row_frame(seen.title, seen.subtitle, layers, seen.x_range, theme)
    encoded = codes.encode(seen.difference.values, seen.levels or (-3.0, 0.0))
    width, height = (round(length) for length in frame.box[2:])
    cells = codes.columns(encoded, seen.difference.steps, seen.difference.end_step, width, *seen.x_range)
    drawing.add(Pixels(frame.box, table[codes.to_pixels(cells.T, height)]))
    if seen.levels is None:   # a white picture could also mean that something is missing
        left, top, wide, tall = frame.box
        drawing.add(Text(left + wide / 2, top + tall / 2, "nothing differs", theme.muted, 13, "middle"))
    add_rows(drawing, frame, layers, theme)
    _add_scale(drawing, seen, theme)
    return drawing


def _add_scale(drawing: Drawing, seen: DifferenceContent, theme: Theme) -> None:
    """Draw the colours from "more in the second" over "equal" to "more in the first", and what is hatched."""
    y, (width, height) = drawing.height - 34, _BAR_PX
    table = codes.color_table(theme)
    first, second = (f"more in {label}" for label in seen.labels)
    left = EDGE + text_width(second) + 10
    ramp = np.linspace(codes.LOWEST, codes.HIGHEST, width).round().astype(np.uint8)[None, :]
    drawing.add(Text(EDGE, y + 10, second, theme.text))
    drawing.add(Pixels((left, y, width, height), table[ramp]))
    drawing.add(Text(left + width + 10, y + 10, first, theme.text))
    if seen.levels is not None:
        largest = power_text(seen.levels[1])
        for x, words in ((left, largest), (left + width / 2, "0"), (left + width, largest)):
            drawing.add(Text(x, y + height + 13, words, theme.muted, 11, "middle"))
    if bool(np.isnan(seen.difference.values).any()):
        x = left + width + 10 + text_width(first) + 24
        swatch = codes.to_pixels(np.full((1, 18), codes.MISSING, np.uint8), height)
        drawing.add(Pixels((x, y, 18, height), table[swatch]))
        drawing.add(Text(x + 24, y + 10, "gradient in one run only", theme.text))
