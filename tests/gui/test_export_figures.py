from __future__ import annotations

import csv
import io

import pytest
from PySide6.QtWidgets import QWidget
from pytestqt.qtbot import QtBot

from freeze_gui.gui.curves import LayerPlot
from freeze_gui.gui.export_drawing import Line
from freeze_gui.gui.export_figures import config_words, figure_of, file_stem, recolored, run_stem, table_of
from freeze_gui.gui.heatmap import HeatmapView
from freeze_gui.gui.loss_plot import LossPlot, LossSeries
from freeze_gui.gui.palette import DARK, LIGHT
from freeze_gui.gui.runs_table import RunsTable
from freeze_gui.gui.theme import current_theme, series_color
from freeze_gui.gui.timeline_state import Bar, Span, Timeline
from freeze_gui.gui.timeline_view import TimelineView
from freeze_gui.gui.traces import Series
from freeze_gui.training.config import load_config
from tests.gui.recorded_runs import add_steps, end_run, started_run


@pytest.fixture
def parent(qtbot: QtBot) -> QWidget:
    """Return what the plots of a test belong to: alone, pyqtgraph's would be taken apart in the wrong order."""
    widget = QWidget()
    qtbot.addWidget(widget)
    return widget


def test_names_of_files_say_what_is_in_them() -> None:
    frozen = {"layers": ["layer1"]}
    model, optimizer = {"source": "torchvision:resnet18"}, {"name": "AdamW", "lr": 0.01}
    config = load_config({"model": model, "freeze": frozen, "optimizer": optimizer})
    assert run_stem(config) == "resnet18-requires_grad-adamw"
    assert config_words(config) == "resnet18 · AdamW, learning rate 0.01 · zero_grad none · seed 0"
    own = load_config({"model": {"source": "file:/home/me/my nets/net.py:build"}})
    assert run_stem(own) == "net-build-nothing-frozen-adam"
    assert file_stem("a/b\\c: *?", "…", "Weight Δ") == "a-b-c-weight"


def test_plots_without_a_step_have_nothing_to_take_away(parent: QWidget) -> None:
    plots = (HeatmapView(parent), LayerPlot("grad_norm", "p", parent), LossPlot("l", parent), TimelineView(parent))
    assert [figure_of(plot, [], LIGHT) for plot in plots] == [None] * 4
    assert table_of(RunsTable(parent)) is None


def test_each_plot_gives_what_it_shows_under_a_name_of_its_run(parent: QWidget) -> None:
    run = started_run("grad_zero")
    add_steps(run, 5)
    assert run.history is not None
    heatmap, curves, loss = HeatmapView(parent), LayerPlot("weight_delta", "p", parent), LossPlot("l", parent)
    heatmap.set_history(run.history)
    heatmap.set_metric("grad_norm")
    curves.set_series([Series("stem", series_color(0), None, run.history, 0)])
    loss.set_series([LossSeries("grad_zero", series_color(0), series_color(0), None, run.history)])
    found = [figure_of(plot, [run], LIGHT) for plot in (heatmap, curves, loss)]
    names, titles, heads = [], [], []
    for figure in found:
        assert figure is not None
        names.append(figure.name)
        titles.append(figure.draw().title)
        heads.append(figure.numbers().partition("\n")[0])
    stem = "digits-cnn-nothing-frozen-adam"
    assert names == [f"{stem}-gradient-norm-heatmap", f"{stem}-weight-delta", f"{stem}-loss-and-accuracy"]
    assert titles == ["Gradient norm · grad_zero", "Weight delta · grad_zero", "Loss and accuracy · grad_zero"]
    assert [head.split(",")[1] for head in heads] == ["stem", "stem", "grad_zero loss"]


def test_several_runs_of_one_layer_are_named_after_the_layer(parent: QWidget) -> None:
    runs = [started_run("a"), started_run("b")]
    plot = LayerPlot("grad_norm", "p", parent)
    for run in runs:
        add_steps(run, 3)
    plot.set_series([Series(run.label, series_color(0), (2.0, 2.0), run.history, 3) for run in runs if run.history])
    figure = figure_of(plot, runs, LIGHT)
    assert figure is not None
    assert figure.name == "digits-cnn-2-runs-gradient-norm-of-head"
    assert figure.draw().title == "Gradient norm of head · 2 runs"


def test_a_picture_is_light_whatever_the_window_is_and_lines_keep_their_colours(parent: QWidget) -> None:
    theme = current_theme()
    assert [recolored(color, DARK) for color in theme.series] == list(DARK.series)
    assert recolored("#123456", DARK) == "#123456"
    run = started_run("a")
    add_steps(run, 3)
    assert run.history is not None
    plot = LayerPlot("grad_norm", "p", parent)
    plot.set_series([Series("stem", theme.series[2], None, run.history, 0)])
    for wanted in (LIGHT, DARK):
        figure = figure_of(plot, [run], wanted)
        assert figure is not None
        drawing = figure.draw()
        assert drawing.background == wanted.plot_background
        assert wanted.series[2] in {shape.color for shape in drawing.shapes if isinstance(shape, Line)}


def test_a_timeline_gives_its_bars_and_its_table(parent: QWidget) -> None:
    view = TimelineView(parent)
    view.set_content(Timeline(bars=(Bar(frozenset({"stem"}), 5, 10),)), ["stem"], Span(20))
    figure = figure_of(view, [], LIGHT)
    assert figure is not None
    rows = list(csv.reader(io.StringIO(figure.numbers())))
    assert rows[1][:5] == ["1", "stem", "5", "10", "step"]
    assert figure.draw().title == "What is frozen when"


def test_a_table_is_taken_as_it_is_shown_without_hidden_columns(parent: QWidget) -> None:
    table, run = RunsTable(parent), started_run("a, b")
    add_steps(run, 3)
    end_run(run)
    table.set_runs([run])
    table.setColumnHidden(1, True)
    figure = table_of(table)
    assert figure is not None
    head, row = csv.reader(io.StringIO(figure.numbers()))
    assert head[0] == "Run"
    assert "Verdict" not in head
    assert row[0] == "a, b"
