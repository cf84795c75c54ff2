"""The picture of a heatmap for export: every row with its name, the scale, and what the patterns mean."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from freeze_gui.gui import heatmap_codes as codes
from freeze_gui.gui.export_axes import AXIS_PX, EDGE, HEAD_PX, WIDTH, Frame, add_steps, new_drawing
from freeze_gui.gui.export_drawing import Drawing, Line, Marks, Pixels, Text
from freeze_gui.gui.export_image import elided, text_width
from freeze_gui.gui.heatmap_labels import labels_for
from freeze_gui.gui.heatmap_legend import METRIC_TITLES, STATES, lookup_table, power_text, scale_ticks
from freeze_gui.gui.palette import Theme
from freeze_gui.runs.history import History

_ROW_PX, _LEAST_ROW_PX, _CELLS_PX, _MOST_CELLS_PX = 30.0, 13.0, 380.0, 4000.0
_MOST_NAME_PX = 260.0
_LEGEND_PX = 52.0
_BAR_PX = (180.0, 11.0)


@dataclass(frozen=True)
class HeatmapContent:
    """What of a heatmap is seen: `rows` of the history, `levels` as powers of ten, None for the run's own."""

    title: str
    subtitle: str
    history: History
    metric: str
    rows: Sequence[int]
    x_range: tuple[float, float] | None = None
    levels: tuple[float, float] | None = None


def heatmap_drawing(seen: HeatmapContent, theme: Theme) -> Drawing:
    """Return the picture of a heatmap."""
    encoded = codes.HeatmapCodes(seen.history, seen.metric)
    encoded.look()
    levels = seen.levels or encoded.own_levels
    layers = [seen.history.layers[row] for row in seen.rows]
    x_range = seen.x_range or (0.0, float(max(seen.history.total_steps, encoded.end_step, 1)))
    frame, drawing = row_frame(seen.title, seen.subtitle, layers, x_range, theme)
    width, height = (round(length) for length in frame.box[2:])
    cells = encoded.columns(levels, width, *x_range)[:, list(seen.rows)]
    table = lookup_table(theme)
    drawing.add(Pixels(frame.box, table[codes.to_pixels(cells.T, height)]))
    add_rows(drawing, frame, layers, theme)
    _add_wedges(drawing, frame, [step for step, _ in seen.history.markers], theme)
    present = set(np.unique(cells).tolist())
    _add_scale(drawing, METRIC_TITLES[seen.metric], levels, table, theme)
    _add_states(drawing, present, table, theme)
    return drawing


def row_frame(
    title: str, subtitle: str, layers: Sequence[str], x_range: tuple[float, float], theme: Theme
) -> tuple[Frame, Drawing]:
    """Return where the cells of so many layers lie, and a picture with room for them and for their names."""
    row = min(max(_CELLS_PX / max(len(layers), 1), _LEAST_ROW_PX), _ROW_PX)
    tall = float(round(min(row * len(layers), _MOST_CELLS_PX)))   # whole pixels: no row is blurred
    names = max((text_width(path or "(model)") for path in layers), default=0.0)
    left = math.ceil(EDGE + min(names, _MOST_NAME_PX) + 9.0)   # a whole pixel more than the longest name needs
    drawing = new_drawing(title, subtitle, theme, HEAD_PX + tall + AXIS_PX + _LEGEND_PX)
    return Frame((left, HEAD_PX, WIDTH - left - EDGE, tall), x_range, (0.0, 1.0)), drawing


def add_rows(drawing: Drawing, frame: Frame, layers: Sequence[str], theme: Theme) -> None:
    """Write the names of the layers, and the numbers of the steps."""
    left, top, _, tall = frame.box
    row = tall / max(len(layers), 1)
    px = min(12.0, max(row - 1, 9.0))
    for start, stop, words in labels_for(layers, round(tall), 13):
        y = top + (start + stop) / 2 * row + px * 0.36
        drawing.add(Text(left - 8, y, elided(words, px, left - EDGE - 8), theme.text, px, "end"))
    add_steps(drawing, frame, theme)


def _add_wedges(drawing: Drawing, frame: Frame, steps: Sequence[int], theme: Theme) -> None:
    """Mark the moments at which layers froze or thawed, below the cells."""
    left, top, width, tall = frame.box
    x = frame.x(np.array(sorted(set(steps)), float))
    x = x[(x >= left) & (x <= left + width)]
    drawing.add(*(Line(np.array([(at, top), (at, top + tall)]), theme.text, 1.0, (2.0, 3.0)) for at in x.tolist()))
    drawing.add(Marks(np.column_stack((x, np.full(len(x), top - 4))), "triangle", theme.text, 7))


def _add_scale(
    drawing: Drawing, words: str, levels: tuple[float, float], table: NDArray[np.uint32], theme: Theme
) -> None:
    """Draw the colours of the scale with their numbers, at the bottom left."""
    y, (width, height) = drawing.height - 34, _BAR_PX
    drawing.add(Text(EDGE, y + 10, words, theme.text))
    left = EDGE + text_width(words) + 12
    ramp = np.linspace(codes.SCALE_FIRST, codes.SCALE_LAST, round(width)).astype(np.uint8)[None, :]
    drawing.add(Pixels((left, y, width, height), table[ramp]))
    low, high = levels
    for power in scale_ticks(low, high):
        x = left + (power - low) / (high - low) * width
        drawing.add(Text(x, y + height + 13, power_text(power), theme.muted, 11, "middle"))


def _add_states(drawing: Drawing, present: set[int], table: NDArray[np.uint32], theme: Theme) -> None:
    """Explain the states that are in the picture, right of the scale."""
    y, height = drawing.height - 34, _BAR_PX[1]
    also = {codes.FROZEN: codes.FROZEN_NO_GRADIENT}
    x = EDGE + _BAR_PX[0] + 150
    for code, words in STATES:
        if code not in present and also.get(code, code) not in present:
            continue
        swatch = codes.to_pixels(np.full((1, 18), code, np.uint8), round(height))
        drawing.add(Pixels((x, y, 18, height), table[swatch]))
        drawing.add(Text(x + 24, y + 10, words, theme.text))
        x += 24 + text_width(words) + 20
