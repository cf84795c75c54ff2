"""The picture of a timeline for export: a bar for each phase and task, and below it what a run really froze."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from freeze_gui.gui.export_axes import AXIS_PX, EDGE, HEAD_PX, WIDTH, Frame, add_steps, new_drawing
from freeze_gui.gui.export_drawing import Drawing, Line, Rect, Text
from freeze_gui.gui.export_image import elided, text_width
from freeze_gui.gui.palette import Theme, mix
from freeze_gui.gui.timeline_geometry import Spans
from freeze_gui.gui.timeline_state import Span, Timeline
from freeze_gui.gui.timeline_words import factor_words, window_words

_ROW_PX, _BAR_PX, _ACTUAL_PX, _LEGEND_PX = 46.0, 22.0, 5.0, 32.0
_MOST_NAME_PX = 240.0


@dataclass(frozen=True)
class TimelineRow:
    """A phase or a task: name, words on its bar, first step and step after the last, and what a run really froze."""

    name: str
    words: str
    start: float
    stop: float
    actual: Spans


def timeline_rows(
    timeline: Timeline, names: Sequence[str], span: Span, actual: Sequence[Spans] | None
) -> list[TimelineRow]:
    """Return a row for each phase and task, over the steps of the run."""
    rows = []
    for at, bar in enumerate(timeline.bars):
        first, last = span.window(bar)
        words = " · ".join(part for part in (window_words(bar), factor_words(bar)) if part)
        rows.append(TimelineRow(names[at], words, first, last, actual[at] if actual else []))
    for at, task in enumerate(timeline.tasks, start=len(timeline.bars)):
        words = f"in the steps of {task.task}"
        rows.append(TimelineRow(names[at], words, 0, span.total_steps, actual[at] if actual else []))
    return rows


def timeline_drawing(title: str, subtitle: str, rows: Sequence[TimelineRow], steps: int, theme: Theme) -> Drawing:
    """Return the picture of these rows over so many steps."""
    tall = _ROW_PX * max(len(rows), 1)
    drawing = new_drawing(title, subtitle, theme, HEAD_PX + tall + AXIS_PX + _LEGEND_PX)
    left = EDGE + min(max((text_width(row.name) for row in rows), default=0.0), _MOST_NAME_PX) + 12
    frame = Frame((left, HEAD_PX, WIDTH - left - EDGE, tall), (0.0, float(max(steps, 1))), (0.0, 1.0))
    for at, row in enumerate(rows):
        _add_row(drawing, frame, HEAD_PX + at * _ROW_PX, row, theme)
    add_steps(drawing, frame, theme)
    bottom = HEAD_PX + tall
    drawing.add(Line(np.array([(left, bottom), (WIDTH - EDGE, bottom)]), theme.border, 1.0))
    if any(row.actual for row in rows):
        y = drawing.height - 14
        drawing.add(Rect((EDGE, y - 7, 26, _ACTUAL_PX), theme.frozen))
        drawing.add(Text(EDGE + 32, y, "really frozen in the run on show", theme.text))
    return drawing


def _add_row(drawing: Drawing, frame: Frame, top: float, row: TimelineRow, theme: Theme) -> None:
    left, _, width, _ = frame.box
    drawing.add(Line(np.array([(left, top), (left + width, top)]), theme.grid, 1.0))
    drawing.add(Text(left - 12, top + 24, elided(row.name, 12, left - EDGE - 12), theme.text, 12, "end"))
    x = np.clip(frame.x(np.array([row.start, row.stop], float)), left, left + width)
    drawing.add(Rect((float(x[0]), top + 8, float(x[1] - x[0]), _BAR_PX), mix(theme.plot_background, theme.ice, 0.8)))
    ink = "#10283f" if theme.name == "dark" else theme.text
    wide = text_width(row.words)
    inside = wide + 16 <= x[1] - x[0]
    at_left = not inside and x[1] + 8 + wide > left + width
    start = x[0] + 8 if inside else (x[0] - wide - 8 if at_left else x[1] + 8)
    drawing.add(Text(float(start), top + 23, row.words, ink if inside else theme.muted))
    for first, last in row.actual:
        ends = np.clip(frame.x(np.array([first, last], float)), left, left + width)
        drawing.add(Rect((float(ends[0]), top + 34, float(ends[1] - ends[0]), _ACTUAL_PX), theme.frozen))
