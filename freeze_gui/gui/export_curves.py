"""The picture of a layer metric over steps, for export: what the window shows, larger and with a legend."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from freeze_gui.gui.export_axes import (
    WIDTH,
    Frame,
    LegendEntry,
    PlotView,
    add_frame,
    add_legend,
    add_markers,
    add_ticks,
    band,
    new_drawing,
    plot_box,
)
from freeze_gui.gui.export_drawing import Drawing, Line, Marks
from freeze_gui.gui.line_dots import stands_alone, stands_apart
from freeze_gui.gui.log_scale import LogScale, fit
from freeze_gui.gui.palette import Theme, mix
from freeze_gui.gui.traces import Series, Trace, marked, trace
from freeze_gui.runs.history import Floats

FROZEN_DASH = (3.0, 3.0)
_DOT_PX = 4.5
_MOST_MARKS = 24


def curves_drawing(seen: PlotView, metric: str, series: Sequence[Series], theme: Theme) -> Drawing:
    """Return the picture of the lines of one of `METRICS`, which have colours of the theme; heights are in decades."""
    views = {id(one.history): one.history.view() for one in series}
    width = 2 * int(WIDTH)   # the pixels of the PNG

    def traced(one: Series, keep: float) -> Trace:
        return trace(views[id(one.history)], metric, one.layer, seen.x_range, width, keep)

    traces = [traced(one, seen.keep) for one in series]
    raws = [traced(one, 0.0) for one in series] if seen.keep else []
    entries = _entries(series, traces, theme)
    box = plot_box(entries)
    scale = _scale([*traces, *raws], int(box[3]))
    frame = Frame(box, seen.x_range, seen.y_range or (scale.low, scale.high))
    drawing = new_drawing(seen.title, seen.subtitle, theme)
    _add_strips(drawing, frame, scale, theme)
    add_ticks(drawing, frame, _ticks(scale, frame), theme)
    add_markers(drawing, frame, seen.markers, theme)
    for lane, (one, raw) in enumerate(zip(series, raws, strict=False)):
        faint = mix(one.color, theme.plot_background, 0.7)
        heights = scale.y(raw.values, lane, len(raws))
        drawing.add(Line(frame.points(raw.x, heights), faint, 1.0, clip=box))
        alone = stands_alone(raw.x, heights[None])[0]
        _add_dots(drawing, frame, raw.x, heights, _measured_apart(frame, raw) | alone, faint)
    for lane, (one, line) in enumerate(zip(series, traces, strict=True)):
        apart = np.zeros(len(line.x), bool) if raws else _measured_apart(frame, line)   # a mean was not measured
        _add_line(drawing, frame, scale, one, line, (lane, len(traces)), apart, theme)
    _add_marks(drawing, frame, scale, traces, theme)
    add_frame(drawing, frame, theme)
    add_legend(drawing, entries, theme)
    return drawing


def _entries(series: Sequence[Series], traces: Sequence[Trace], theme: Theme) -> list[LegendEntry]:
    """Return the legend: the lines, then what else is in the picture."""
    entries = [LegendEntry(one.label or "(model)", one.color, one.dash) for one in series]
    held = any(bool((one.frozen & ~one.missing).any()) for one in traces)
    if held and not any(one.dash for one in series):   # where dashes tell runs apart they say nothing else
        entries.append(LegendEntry("frozen", theme.muted, FROZEN_DASH))
    if any(bool(one.leaked.any()) for one in traces):
        entries.append(LegendEntry("moved although frozen", theme.leaked, symbol="triangle"))
    if any(bool(one.bad.any()) for one in traces):
        entries.append(LegendEntry("NaN or infinite", theme.leaked, symbol="cross"))
    return entries


def _scale(traces: Sequence[Trace], height: int) -> LogScale:
    shown = [one.values[(one.values > 0) & np.isfinite(one.values)] for one in traces]
    least = min((float(part.min()) for part in shown if len(part)), default=1e-3)
    largest = max((float(part.max()) for part in shown if len(part)), default=1.0)
    has_none, has_nan = (any(bool(flags.any()) for flags in some) for some in (
        [one.missing for one in traces], [one.bad for one in traces]
    ))  # fmt: skip
    return fit(least, largest, has_none, has_nan, height)


def _ticks(scale: LogScale, frame: Frame) -> list[tuple[float, str]]:
    low, high = frame.y_range
    heights, _ = scale.ticks(low, high, max(int(frame.box[3] // 28), 2))
    return [(height, scale.value_text(height)) for height in heights]


def _add_strips(drawing: Drawing, frame: Frame, scale: LogScale, theme: Theme) -> None:
    """Draw the strips of exact zeros and of missing gradients."""
    strips = [(scale.zero_y, mix(theme.plot_background, theme.text, 0.06))]
    if scale.has_none:
        strips.append((scale.none_y, mix(theme.plot_background, theme.frozen, 0.14)))
    for middle, fill in strips:
        strip = band(frame, middle - scale.strip / 2, middle + scale.strip / 2, fill)
        if strip is not None:
            drawing.add(strip)


def _add_line(
    drawing: Drawing, frame: Frame, scale: LogScale, one: Series, line: Trace, lane: tuple[int, int],
    apart: NDArray[np.bool_], theme: Theme,
) -> None:   # fmt: skip
    """Draw what trains, what is frozen, and steps without a gradient; what was measured far `apart` has a dot."""
    heights = scale.y(line.values, *lane)
    around = line.frozen.copy()   # the frozen line reaches to the points beside it, so that nothing is cut
    around[:-1] |= line.frozen[1:]
    around[1:] |= line.frozen[:-1]
    pale = mix(one.color, theme.plot_background, 0.25)
    trains = np.where(line.frozen, np.nan, heights)
    none = np.where(line.missing, scale.lane_y(scale.none_y, *lane), np.nan)
    held = np.where(around & line.frozen.any(), heights, np.nan)
    none_alone, held_alone, trains_alone = stands_alone(line.x, np.stack((none, held, trains)))
    for values, color, dash, dotted in (
        (none, pale, None, none_alone),
        (held, pale, one.dash or FROZEN_DASH, line.frozen & (apart | held_alone)),   # others have theirs on `trains`
        (trains, one.color, one.dash, ~line.frozen & apart | trains_alone),
    ):
        if np.isfinite(values).any():
            drawing.add(Line(frame.points(line.x, values), color, 1.5, dash, frame.box))
            _add_dots(drawing, frame, line.x, values, dotted, color)


def _measured_apart(frame: Frame, line: Trace) -> NDArray[np.bool_]:
    """Return which points of a line were measured so far apart that it is seen; in strips there is no room for it."""
    return stands_apart(line.x, frame.x_range, int(frame.box[2])) & (line.measured > 0) & np.isfinite(line.measured)


def _add_dots(
    drawing: Drawing, frame: Frame, x: Floats, heights: Floats, dotted: NDArray[np.bool_], color: str
) -> None:
    """Draw dots where they are asked for."""
    if dotted.any():
        drawing.add(Marks(_inside(frame.points(x[dotted], heights[dotted]), frame), "circle", color, _DOT_PX))


def _add_marks(drawing: Drawing, frame: Frame, scale: LogScale, traces: Sequence[Trace], theme: Theme) -> None:
    """Mark leaks and NaN, evenly thinned out where there are many."""
    for lane, one in enumerate(traces):
        at = marked(one.x, one.leaked, _MOST_MARKS)
        heights = scale.y(one.values[at], lane, len(traces))
        points = frame.points(one.x[at], np.where(np.isnan(heights), scale.none_y, heights))
        bad = marked(one.x, one.bad, _MOST_MARKS)
        crosses = frame.points(one.x[bad], np.full(len(bad), scale.nan_y))
        drawing.add(Marks(_inside(points, frame), "triangle", theme.leaked))
        drawing.add(Marks(_inside(crosses, frame), "cross", theme.leaked))


def _inside(points: Floats, frame: Frame) -> Floats:
    left, top, width, height = frame.box
    x, y = points[:, 0], points[:, 1]
    inside: Floats = points[(x >= left) & (x <= left + width) & (y >= top) & (y <= top + height)]
    return inside
