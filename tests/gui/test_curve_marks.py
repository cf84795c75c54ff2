"""Marks along lines that grow."""

from __future__ import annotations

import numpy as np
from pytestqt.qtbot import QtBot

from freeze_gui.gui.curve_marks import MOST_MARKS
from freeze_gui.gui.curves import LayerPlot
from freeze_gui.gui.traces import Series
from freeze_gui.runs.recorder import RunRecorder
from tests.gui.recorded_runs import add_steps, started_run


def plot_of(qtbot: QtBot, run: RunRecorder) -> LayerPlot:
    assert run.history is not None
    plot = LayerPlot("grad_norm", "plot")
    qtbot.addWidget(plot)
    plot.resize(400, 200)
    plot.show()
    plot.show_steps(0, run.history.total_steps)
    plot.set_series([Series("stem", "#c04040", None, run.history, 0)])
    return plot


def marks_of(plot: LayerPlot) -> list[float]:
    plot.refresh()
    steps: list[float] = np.sort(plot.leaks.getData()[0]).tolist()
    return steps


def test_a_leak_at_every_step_has_a_mark_at_the_start_of_each_twelfth_of_the_steps_seen(qtbot: QtBot) -> None:
    run = started_run(total_steps=600)
    add_steps(run, 600, frozen=(0,), leaked=(0,))
    assert marks_of(plot_of(qtbot, run)) == [part * 600 / MOST_MARKS for part in range(MOST_MARKS)]


def test_a_single_leak_is_marked_at_its_step(qtbot: QtBot) -> None:
    run = started_run(total_steps=300)
    add_steps(run, 123, frozen=(0,))
    add_steps(run, 1, frozen=(0,), leaked=(0,))
    plot = plot_of(qtbot, run)
    assert marks_of(plot) == [123]
    add_steps(run, 176, frozen=(0,))
    assert marks_of(plot) == [123]


def test_marks_stay_where_they_are_while_a_line_grows_on(qtbot: QtBot) -> None:
    run = started_run(total_steps=600)
    plot, before = plot_of(qtbot, run), list[float]()
    for _ in range(60):
        add_steps(run, 10, frozen=(0,), leaked=(0,))
        marks = marks_of(plot)
        assert marks[: len(before)] == before
        before = marks
    assert len(before) == MOST_MARKS


def test_a_line_that_is_taken_away_takes_its_marks_with_it(qtbot: QtBot) -> None:
    run = started_run(total_steps=100)
    add_steps(run, 50, frozen=(0,), leaked=(0,))
    plot = plot_of(qtbot, run)
    assert marks_of(plot)
    plot.set_series([])
    assert marks_of(plot) == []
