"""The picture of loss, accuracy and learning rate over steps, for export."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from freeze_gui.gui.export_axes import (
    WIDTH,
    Frame,
    LegendEntry,
    PlotView,
    add_frame,
    add_legend,
    add_markers,
    add_ticks,
    linear_ticks,
    new_drawing,
    plot_box,
)
from freeze_gui.gui.export_drawing import Drawing, Line, Marks, Text
from freeze_gui.gui.line_ends import as_steps, reduced_line
from freeze_gui.gui.log_scale import smooth
from freeze_gui.gui.loss_plot import ACCURACY_DASH, LossSeries
from freeze_gui.gui.loss_values import RateScale, loss_range
from freeze_gui.gui.palette import Theme, mix
from freeze_gui.runs.history import HistoryView

_RIGHT_PX = 60.0
_ACCURACY_RANGE = (-0.02, 1.04)


def loss_drawing(seen: PlotView, series: Sequence[LossSeries], theme: Theme) -> Drawing:
    """Return the picture of the runs, which have colours of the theme."""
    shown = [one for one in series if one.history is not None]
    entries = _entries(shown, theme)
    box = plot_box(entries, right=_RIGHT_PX)
    frame = Frame(box, seen.x_range, seen.y_range or _all_losses(shown))
    right = Frame(box, seen.x_range, _ACCURACY_RANGE)
    drawing = new_drawing(seen.title, seen.subtitle, theme)
    add_ticks(drawing, frame, linear_ticks(*frame.y_range), theme)
    for height, words in linear_ticks(0.0, 1.0, 5):
        y = float(right.y(np.array([height]))[0])
        drawing.add(Text(box[0] + box[2] + 7, y + 4, words, theme.muted, 11))
    add_markers(drawing, frame, seen.markers, theme)
    for one in shown:
        _add_run(drawing, frame, right, one, seen.keep, theme)
    add_frame(drawing, frame, theme)
    add_legend(drawing, entries, theme)
    return drawing


def _entries(shown: Sequence[LossSeries], theme: Theme) -> list[LegendEntry]:
    entries = [LegendEntry(f"{one.label}: loss", one.color, one.dash) for one in shown]
    if any(one.history is not None and one.history.evaluations for one in shown):
        entries.append(LegendEntry("evaluation", theme.muted, symbol="circle"))
        entries.append(LegendEntry("accuracy (right axis)", theme.muted, symbol="diamond"))
    if any(one.history is not None and _rate_scale(one.history.view()).changes for one in shown):
        entries.append(LegendEntry("learning rate (share of its largest)", theme.muted, (1.0, 2.0)))
    return entries


def _all_losses(shown: Sequence[LossSeries]) -> tuple[float, float]:
    parts = [one.history.view().loss for one in shown if one.history is not None]
    parts += [np.array([e[1] for e in one.history.evaluations], float) for one in shown if one.history is not None]
    return loss_range(np.concatenate(parts)) if parts else (0.0, 1.0)


def _rate_scale(view: HistoryView) -> RateScale:
    scale = RateScale()
    scale.look(view.learning_rate)
    return scale


def _add_run(drawing: Drawing, frame: Frame, right: Frame, one: LossSeries, keep: float, theme: Theme) -> None:
    """Draw one run: its learning rate, its losses, and its evaluations."""
    assert one.history is not None
    view, width = one.history.view(), 2 * int(WIDTH)
    scale = _rate_scale(view)
    if scale.changes:
        pale = mix(one.color, theme.plot_background, 0.45)
        share = view.learning_rate / scale.largest
        steps = as_steps(*reduced_line(view.loss_step, share, frame.x_range, width))
        drawing.add(Line(right.points(*steps), pale, 1.0, (1.0, 2.0), frame.box))
    if keep:
        faint = mix(one.color, theme.plot_background, 0.65)
        raw = reduced_line(view.loss_step, view.loss, frame.x_range, width)
        drawing.add(Line(frame.points(*raw), faint, 1.0, clip=frame.box))
    x, y = reduced_line(view.loss_step, smooth(view.loss, keep), frame.x_range, width)
    drawing.add(Line(frame.points(x, y), one.color, 1.5, one.dash, frame.box))
    seen = [e for e in one.history.evaluations if frame.x_range[0] <= e[0] <= frame.x_range[1]]
    at = np.array([e[0] for e in seen], float)
    losses = np.array([e[1] for e in seen], float)
    accuracy = np.array([np.nan if e[2] is None else e[2] for e in seen], float)
    dash = one.dash or ACCURACY_DASH
    drawing.add(Line(right.points(at, accuracy), one.accuracy_color, 1.2, dash, frame.box))
    drawing.add(Marks(right.points(at, accuracy), "diamond", one.accuracy_color))
    low, high = frame.y_range
    inside = (losses >= low) & (losses <= high)
    drawing.add(Marks(frame.points(at[inside], losses[inside]), "circle", one.color, 7))
