"""Two runs of the same steps, one measured at all of them and one at few: x is the step, never the row."""

from __future__ import annotations

import csv
import io

import numpy as np
import pytest
from PySide6.QtCore import QPointF
from pytestqt.qtbot import QtBot

from freeze_gui.gui import compare_difference_codes as codes
from freeze_gui.gui.compare_difference_map import DifferenceMap
from freeze_gui.gui.compare_overlays import CompareOverlays
from freeze_gui.gui.export_numbers import curve_numbers
from freeze_gui.gui.heatmap import HeatmapView
from freeze_gui.gui.readout import readout_html, runs_readout_html
from freeze_gui.gui.theme import current_theme
from freeze_gui.gui.traces import Series, marked, trace
from freeze_gui.runs.differences import first_difference, layer_difference
from freeze_gui.runs.history import History
from freeze_gui.runs.recorder import RunRecorder
from freeze_gui.training.events import PlanApplied, StepDone
from tests.gui.drawn_lines import drawn_pieces
from tests.gui.recorded_runs import LAYERS, started_run

STEPS = 64
FEW = [*range(10), *range(12, STEPS, 4), STEPS - 1]   # every step at first, then every fourth, and the last


def run_of(label: str, measured: list[int], more_from: int = STEPS, more: float = 0.0) -> RunRecorder:
    """Return a run whose norms and loss are the step plus one, and `more` from a step on."""
    run = started_run(label, STEPS)
    flags = np.zeros(len(LAYERS), bool)
    run.handle(PlanApplied(0, flags, 40))
    for step in range(STEPS):
        value = step + 1 + (more if step >= more_from else 0.0)
        norms = np.full(len(LAYERS), value) if step in measured else None
        run.handle(StepDone(step, value, None, norms, norms, norms, flags, (), 0.01, 0.001, 0.1))
    return run


@pytest.fixture
def runs() -> tuple[RunRecorder, RunRecorder]:
    return run_of("every", list(range(STEPS))), run_of("few", FEW, more_from=30, more=1.0)


def history_of(run: RunRecorder) -> History:
    assert run.history is not None
    return run.history


def test_differences_are_taken_at_the_steps_that_both_measured(runs: tuple[RunRecorder, RunRecorder]) -> None:
    found = layer_difference(*runs, "weight_delta")
    assert found.steps.tolist() == FEW and found.end_step == STEPS
    assert found.values[:, 0].tolist() == [-1.0 if step >= 30 else 0.0 for step in FEW]
    apart = first_difference(*runs)
    assert apart.common_steps == STEPS and apart.loss == apart.step == 30   # losses are known of every step
    assert set(apart.layers.values()) == {32}   # the first common measured one from 30 on


def test_runs_with_no_measured_step_in_common_differ_in_their_losses_alone() -> None:
    even, odd = run_of("even", list(range(0, STEPS, 2))), run_of("odd", list(range(1, STEPS, 2)), 5, 1.0)
    assert layer_difference(even, odd, "weight_delta").steps.tolist() == []
    apart = first_difference(even, odd)
    assert apart.step == 5 and set(apart.layers.values()) == {None}


def test_the_difference_map_says_the_step_under_the_pointer(
    qtbot: QtBot, runs: tuple[RunRecorder, RunRecorder]
) -> None:
    view = DifferenceMap()
    qtbot.addWidget(view)
    view.resize(700, 200)
    view.show()
    view.set_pair(runs)
    rect, (start, stop) = view.plot_rect(), view.x_range()
    assert view.difference is not None and view.difference.end_step == STEPS
    for step, said in ((5, 5), (30, 28), (34, 32), (63, 63)):   # a measured step stands for those up to the next
        x = rect.left() + (step + 0.5 - start) / (stop - start) * rect.width()
        words = view.describe(QPointF(x, rect.top() + 2))
        assert f"step {said} " in words


@pytest.mark.parametrize("x_range", [(0.0, 64.0), (20.0, 50.0), (19.3, 47.6), (-3.5, 70.2)])
def test_lines_lie_at_their_steps_and_reach_one_measured_step_beyond_a_zoom(
    runs: tuple[RunRecorder, RunRecorder], x_range: tuple[float, float]
) -> None:
    for run, measured in zip(runs, (list(range(STEPS)), FEW), strict=True):
        line = trace(history_of(run).view(), "weight_delta", 0, x_range, 400, 0.0)
        before = max((step for step in measured if step < x_range[0]), default=0)
        after = min((step for step in measured if step > x_range[1]), default=STEPS - 1)
        assert line.x.tolist() == [step for step in measured if before <= step <= after]
        assert line.values.tolist() == [x + 1 + (run is runs[1] and x >= 30) for x in line.x]


def test_overlaid_runs_share_their_steps(qtbot: QtBot, runs: tuple[RunRecorder, RunRecorder]) -> None:
    overlays = CompareOverlays()
    qtbot.addWidget(overlays)
    overlays.resize(900, 400)
    overlays.show()
    overlays.set_runs(list(runs), [0, 1])
    overlays.refresh()
    lines = overlays.weight_delta_plot.lines
    steps = [[x for x, _ in drawn_pieces(one.main)[0]] for one in lines]
    assert steps == [list(range(STEPS)), FEW]


def test_a_heatmap_cell_is_found_by_its_step(qtbot: QtBot, runs: tuple[RunRecorder, RunRecorder]) -> None:
    view = HeatmapView()
    qtbot.addWidget(view)
    view.resize(700, 200)
    view.show()
    view.set_history(runs[1].history)
    view.set_x_range(8, 40)
    rect = view.plot_rect()
    for step, said in ((9, 9), (11, 9), (15, 12), (39, 36)):
        x = rect.left() + (step + 0.5 - 8) / 32 * rect.width()
        assert f"step {said} " in view.describe(QPointF(x, rect.top() + 2))


def test_the_readout_says_where_the_layers_were_measured_if_not_at_the_cursor(
    runs: tuple[RunRecorder, RunRecorder]
) -> None:
    at_measured, between = (readout_html(history_of(runs[1]), [("stem", "#000", 0)], step) for step in (32.4, 34.9))
    assert "<b>step 32</b>" in at_measured and "layers at" not in at_measured
    assert "<b>step 34</b>" in between and "layers at step 32" in between
    assert ">34&nbsp;" in between and ">36&nbsp;" in between   # weight delta of step 32, loss of step 34
    both = runs_readout_html([(run.label, "#000", history_of(run), 0) for run in runs], 34.9, 10)
    every, few = both.split("<tr>")[2:]
    assert ">35&nbsp;" in every and "layers at" not in every
    assert ">34&nbsp;" in few and ">36&nbsp;" in few and "layers at step 32" in few


def test_the_readout_tells_the_nearest_measured_step() -> None:
    history = history_of(run_of("every 32nd", [0, 32]))
    for step, nearest in ((15.9, 0), (16.9, 0), (17.0, 32), (31.9, 32), (40.0, 32)):
        assert f"layers at step {nearest}<" in readout_html(history, [], step)


def test_a_run_that_goes_on_has_a_readout_up_to_its_newest_step() -> None:
    history = history_of(run_of("every 32nd", [0, 32]))
    assert "layers at step 32" in readout_html(history, [], 63.5)
    assert readout_html(history, [], 64.0) == ""


def test_tables_have_a_row_for_each_measured_step(runs: tuple[RunRecorder, RunRecorder]) -> None:
    series = [Series(run.label, "", None, history_of(run), 0) for run in runs]
    rows = list(csv.reader(io.StringIO(curve_numbers(series, "weight_delta"))))[1:]
    assert [int(row[0]) for row in rows] == list(range(STEPS))
    assert [row[1] for row in rows] == [repr(step + 1.0) for step in range(STEPS)]
    assert [row[2] for row in rows] == [
        repr(step + 1.0 + (step >= 30)) if step in FEW else "" for step in range(STEPS)
    ]


def test_marks_are_spread_over_the_steps_and_not_over_the_measured_rows() -> None:
    x = np.array([*range(100), *range(100, 1001, 50)], float)
    at = marked(x, np.ones(len(x), bool), 10)
    assert x[at].tolist() == [0, 100, 200, 300, 400, 500, 600, 700, 800, 900]
    one = x == 750
    assert x[marked(x, one, 10)].tolist() == [750] and not len(marked(x, x < 0, 10))
    assert marked(x[:1], np.ones(1, bool), 10).tolist() == [0]


def test_the_difference_map_reaches_to_the_last_step_that_both_took(qtbot: QtBot) -> None:
    stopped = run_of("stopped", list(range(0, 40, 8)))   # as after a stop: its last steps are not measured
    view = DifferenceMap()
    qtbot.addWidget(view)
    view.resize(700, 200)
    view.show()
    view.set_pair((stopped, run_of("every", list(range(STEPS)))))
    rect, (start, stop) = view.plot_rect(), view.x_range()
    x = rect.left() + (STEPS - 0.5 - start) / (stop - start) * rect.width()
    assert "step 32 · equal" in view.describe(QPointF(x, rect.top() + 2))
    equal = codes.color_table(current_theme())[codes.ZERO]
    assert view.grab().toImage().pixel(round(x), rect.top() + 4) == int(equal)


def test_the_difference_map_follows_a_run_that_is_behind_and_has_more_measured_steps(qtbot: QtBot) -> None:
    behind, few = started_run("behind", STEPS), run_of("few", FEW)
    difference_map = DifferenceMap()
    qtbot.addWidget(difference_map)
    difference_map.set_pair((behind, few))
    values = np.ones(len(LAYERS))
    for step in range(STEPS):
        behind.handle(StepDone(step, 1.0, None, values, values, values, values == 0, (), 0.01, 0.001, 0.1))
        difference_map.refresh()
        assert difference_map.difference is not None
        assert difference_map.difference.steps.tolist() == [at for at in FEW if at <= step]
