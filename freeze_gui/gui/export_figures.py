"""From a plot in the window to what is taken away of it: a name for the file, a picture and its numbers.

What a widget shows is looked up at once; picture and numbers are made later, and may be made in any thread.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QTableView, QWidget

from freeze_gui.gui.compare_difference_map import DifferenceMap
from freeze_gui.gui.curves import LayerPlot
from freeze_gui.gui.export_axes import PlotView
from freeze_gui.gui.export_curves import curves_drawing
from freeze_gui.gui.export_difference import DifferenceContent, difference_drawing
from freeze_gui.gui.export_drawing import Drawing
from freeze_gui.gui.export_heatmap import HeatmapContent, heatmap_drawing
from freeze_gui.gui.export_loss import loss_drawing
from freeze_gui.gui.export_numbers import curve_numbers, difference_numbers, heatmap_numbers, loss_numbers, table_text
from freeze_gui.gui.export_timeline import timeline_drawing, timeline_rows
from freeze_gui.gui.heatmap import HeatmapView
from freeze_gui.gui.heatmap_legend import METRIC_TITLES
from freeze_gui.gui.loss_plot import LossPlot
from freeze_gui.gui.palette import Theme
from freeze_gui.gui.plot_base import StepPlot
from freeze_gui.gui.theme import current_theme
from freeze_gui.gui.timeline_view import TimelineView
from freeze_gui.gui.timeline_words import COLUMNS, table_rows
from freeze_gui.runs.history import History
from freeze_gui.training.config import RunConfig

if TYPE_CHECKING:
    from freeze_gui.runs.recorder import RunRecorder


@dataclass(frozen=True)
class Figure:
    """What can be taken away of a plot.

    Attributes
    ----------
    name
        Says what is in it, as the beginning of a file's name.
    draw, numbers
        Make the picture, and the numbers as CSV.
    """

    name: str
    draw: Callable[[], Drawing]
    numbers: Callable[[], str]


def figure_of(widget: QWidget, recorders: Sequence[RunRecorder], theme: Theme) -> Figure | None:
    """Return what can be taken away of a plot, None while it shows nothing.

    Parameters
    ----------
    widget
        A plot of the window.
    recorders
        The runs of the window, which say what was trained.
    theme
        The colours of the picture, whichever the window has.
    """
    match widget:
        case HeatmapView():
            return _heatmap(widget, recorders, theme)
        case DifferenceMap():
            return _difference(widget, theme)
        case LayerPlot():
            return _curves(widget, recorders, theme)
        case LossPlot():
            return _loss(widget, recorders, theme)
        case TimelineView():
            return _timeline(widget, theme)
    return None


def table_of(table: QTableView) -> Figure | None:
    """Return the cells of a table as they are shown, rows and columns in its order; None while it has no row."""
    model, header = table.model(), table.horizontalHeader()
    columns = [header.logicalIndex(at) for at in range(model.columnCount())]
    columns = [column for column in columns if not table.isColumnHidden(column)]
    rows = [[str(model.headerData(column, Qt.Orientation.Horizontal) or "") for column in columns]]
    rows += [
        [str(model.index(row, column).data() or "") for column in columns] for row in range(model.rowCount())
    ]
    if len(rows) < 2:
        return None
    name = file_stem("freeze", table.accessibleName() or "table")
    return Figure(name, partial(Drawing, 0, 0, "#ffffff", name, ""), partial(table_text, rows))


def file_stem(*parts: str) -> str:
    """Return words as the beginning of a file's name that every system takes, such as ``digits-cnn-adam-loss``."""
    words = (re.sub(r"[^a-z0-9_.]+", "-", part.lower()).strip("-.") for part in parts)
    return "-".join(word for word in words if word)[:100]


def run_stem(config: RunConfig) -> str:
    """Return model, method and optimizer of a run as the beginning of a file's name."""
    freeze = config.freeze
    method = freeze.method if freeze.layers or freeze.phases or freeze.tasks else "nothing frozen"
    return file_stem(_model_name(config), method, config.optimizer.name)


def config_words(config: RunConfig) -> str:
    """Return what was trained how, in one line."""
    optimizer = config.optimizer
    rate = optimizer.hyper.get("lr")
    named = f"{optimizer.name}, learning rate {rate:g}" if isinstance(rate, float) else optimizer.name
    return f"{_model_name(config)} · {named} · zero_grad {optimizer.zero_grad} · seed {config.train.seed}"


def _model_name(config: RunConfig) -> str:
    kind, _, name = config.model.source.partition(":")
    if kind != "file":
        return name or kind
    path, _, factory = name.rpartition(":")
    return f"{Path(path).stem} {factory}"


def _heatmap(view: HeatmapView, recorders: Sequence[RunRecorder], theme: Theme) -> Figure | None:
    history, metric, rows = view.content
    if history is None or not rows or not history.rows:
        return None
    title, subtitle, stem = _headings(METRIC_TITLES[metric], [history], recorders)
    content = HeatmapContent(title, subtitle, history, metric, rows, view.x_range(), view.fixed_levels)
    draw = partial(heatmap_drawing, content, theme)
    return Figure(f"{stem}-heatmap", draw, partial(heatmap_numbers, history, metric, rows))


def _difference(widget: DifferenceMap, theme: Theme) -> Figure | None:
    pair, metric = widget.content
    difference = widget.difference
    if pair is None or difference is None or not widget.shown_layers:
        return None
    first, second = pair
    words = f"{METRIC_TITLES[metric]} difference"
    title = f"{METRIC_TITLES[metric].capitalize()}: {first.label} less {second.label}"
    labels = first.label, second.label
    seen = DifferenceContent(title, config_words(first.config), labels, difference, widget.levels, widget.x_range())
    numbers = partial(difference_numbers, difference.layers, difference.steps.tolist(), difference.values)
    name = file_stem(_model_name(first.config), *labels, words)
    return Figure(name, partial(difference_drawing, seen, theme), numbers)


def _curves(plot: LayerPlot, recorders: Sequence[RunRecorder], theme: Theme) -> Figure | None:
    series = [replace(one, color=recolored(one.color, theme)) for one in plot.series]
    if not any(one.history.rows for one in series):
        return None
    histories = [one.history for one in series]
    words = METRIC_TITLES[plot.shown_metric]
    layers = {one.history.layers[one.layer] for one in series}
    if len(layers) == 1 and len({id(history) for history in histories}) > 1:   # one layer in several runs
        words += f" of {next(iter(layers)) or 'the model'}"
    title, subtitle, stem = _headings(words, histories, recorders)
    markers = histories[0].markers if _are_one(histories) else ()
    seen = PlotView(title, subtitle, *_ranges(plot), plot.keep, markers)
    drawn = partial(curves_drawing, seen, plot.shown_metric, series, theme)
    return Figure(stem, drawn, partial(curve_numbers, series, plot.shown_metric))


def _loss(plot: LossPlot, recorders: Sequence[RunRecorder], theme: Theme) -> Figure | None:
    series = [
        replace(one, color=recolored(one.color, theme), accuracy_color=recolored(one.accuracy_color, theme))
        for one in plot.series
    ]
    histories = [one.history for one in series if one.history is not None and one.history.steps]
    if not histories:
        return None
    title, subtitle, stem = _headings("loss and accuracy", histories, recorders)
    markers = histories[0].markers if _are_one(histories) else ()
    seen = PlotView(title, subtitle, *_ranges(plot), plot.keep, markers)
    return Figure(stem, partial(loss_drawing, seen, series, theme), partial(loss_numbers, series))


def _timeline(view: TimelineView, theme: Theme) -> Figure | None:
    timeline, names, span, actual = view.content
    if timeline.is_empty:
        return None
    seen = [every for every, _ in actual.rows] if actual is not None else None
    rows = timeline_rows(timeline, names, span, seen)
    subtitle = f"a run of {span.total_steps:,} steps"
    draw = partial(timeline_drawing, "What is frozen when", subtitle, rows, span.total_steps, theme)
    return Figure("freeze-timeline", draw, partial(table_text, [COLUMNS, *table_rows(timeline, names, seen)]))


def _headings(words: str, histories: Sequence[History], recorders: Iterable[RunRecorder]) -> tuple[str, str, str]:
    """Return title, subtitle and the beginning of a file's name for a plot of these runs."""
    ids = {id(history) for history in histories}
    runs = [run for run in recorders if id(run.history) in ids]
    title = words[:1].upper() + words[1:]
    if not runs:
        return title, "", file_stem("freeze", words)
    if len(runs) == 1:
        config = runs[0].config
        return f"{title} · {runs[0].label}", config_words(config), f"{run_stem(config)}-{file_stem(words)}"
    models = dict.fromkeys(_model_name(run.config) for run in runs)
    optimizers = dict.fromkeys(run.config.optimizer.name for run in runs)
    subtitle = f"{', '.join(models)} · {', '.join(optimizers)}"
    return f"{title} · {len(runs)} runs", subtitle, file_stem(next(iter(models)), f"{len(runs)} runs", words)


def _are_one(histories: Sequence[History]) -> bool:
    return len({id(history) for history in histories}) == 1


def _ranges(plot: StepPlot) -> tuple[tuple[float, float], tuple[float, float] | None]:
    """Return the steps seen, and the heights where a person chose them."""
    (start, stop), (low, high) = plot.view_box.viewRange()
    return (float(start), float(stop)), None if plot.follows_y else (float(low), float(high))


def recolored(color: str, theme: Theme) -> str:
    """Return the colour in another theme of what has this colour in the theme in use."""
    series = current_theme().series
    return theme.series[series.index(color)] if color in series else color
