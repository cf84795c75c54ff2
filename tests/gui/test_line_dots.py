"""Dots tell what was measured from the line that joins it."""

from __future__ import annotations

import math

import numpy as np
import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QWidget
from pytestqt.qtbot import QtBot

from freeze_gui.gui.curves import LayerPlot
from freeze_gui.gui.line_dots import APART_PX, stands_alone, stands_apart
from freeze_gui.gui.lines_item import Line
from freeze_gui.gui.traces import Series
from freeze_gui.runs.recorder import RunRecorder
from freeze_gui.training.events import NO_GRADIENT, PlanApplied, StepDone
from tests.gui.plot_screen import Screen, draw
from tests.gui.recorded_runs import started_run

COLOR = "#c04040"
NAN = math.nan


def measured_run(values: dict[int, float], total_steps: int, frozen_from: int = 10**9) -> RunRecorder:
    """Return a run whose only layer had these gradient norms at these steps, and was not measured at others."""
    run = started_run(total_steps=total_steps, layers=["stem"])
    for step, value in values.items():
        frozen = np.array([step >= frozen_from])
        if step == frozen_from:
            run.handle(PlanApplied(step, frozen, 0))
        norm = np.array([value])
        run.handle(StepDone(step, 1.0, None, norm, norm, norm, frozen, (), 0.01, 0.001, 0.1))
    return run


@pytest.fixture
def window(qtbot: QtBot) -> QWidget:
    window = QWidget()
    qtbot.addWidget(window)
    return window


def plot_of(window: QWidget, run: RunRecorder, keep: float = 0.0) -> LayerPlot:
    assert run.history is not None
    plot = LayerPlot("grad_norm", "plot", window)
    plot.setFocusPolicy(Qt.FocusPolicy.NoFocus)
    plot.resize(400, 200)
    window.show()
    plot.set_smoothing(keep)
    plot.show_steps(0, run.history.total_steps)
    plot.set_series([Series("stem", COLOR, None, run.history, 0)])
    draw(plot)
    draw(plot)
    return plot


def dots(line: Line) -> list[float]:
    return [step for step, _ in line.dots.points]


def test_a_point_stands_apart_six_pixels_behind_the_one_before() -> None:
    steps = np.array([0, 1, 2, 8, 13, 19], float)   # as many pixels
    assert APART_PX == 6
    assert stands_apart(steps, (0, 100), 100).tolist() == [False, False, False, True, False, True]
    assert stands_apart(steps, (0, 100), 99).tolist() == [False] * 6
    assert stands_apart(np.array([0, 6], float), (0, 100), 100).tolist() == [True, True]
    assert stands_apart(np.array([4], float), (0, 100), 100).tolist() == [True]


def test_of_the_two_points_of_a_pixel_the_first_stands_apart() -> None:
    pairs = np.repeat(np.array([0, 1, 8, 9], float), 2)
    assert np.flatnonzero(stands_apart(pairs, (0, 100), 100)).tolist() == [4]


def test_a_point_stands_alone_between_two_gaps_or_ends() -> None:
    y = np.array([[1, NAN, 1, NAN, 1, 1], [NAN, 1, 1, NAN, NAN, 1], [1, 1, 1, 1, 1, 1]])
    alone = stands_alone(np.arange(6.0), y)
    assert [np.flatnonzero(line).tolist() for line in alone] == [[0, 2], [5], []]
    assert stands_alone(np.zeros(1), np.ones((1, 1))).all()


def test_the_two_points_of_a_pixel_stand_alone_together() -> None:
    y = np.array([[1, 1, NAN, NAN, 1, 2, NAN, NAN, 1, 1, 1, 1]])
    assert np.flatnonzero(stands_alone(np.repeat(np.arange(6.0), 2), y)).tolist() == [0, 4]


def test_steps_measured_now_and_then_have_a_dot_each_and_steps_measured_one_by_one_have_none(window: QWidget) -> None:
    sparse = list(range(128, 320, 32))
    plot = plot_of(window, measured_run(dict.fromkeys([*range(100), *sparse], 0.5), 320))
    assert dots(plot.lines[0].main) == sparse
    assert plot.lines[0].main.dots.points[0][1] == pytest.approx(math.log10(0.5))


def test_zooming_in_on_steps_measured_one_by_one_gives_each_its_dot(window: QWidget) -> None:
    plot = plot_of(window, measured_run(dict.fromkeys(range(300), 0.5), 300))
    assert dots(plot.lines[0].main) == []
    plot.show_steps(100, 120)
    draw(plot)
    assert dots(plot.lines[0].main) == list(range(99, 122))   # one beyond each edge
    plot.show_steps(0, 300)
    draw(plot)
    assert dots(plot.lines[0].main) == []


def test_a_gradient_between_steps_without_one_is_a_dot_however_close_they_lie(window: QWidget) -> None:
    values = {step: 0.5 if step % 2 else NO_GRADIENT for step in range(200)}
    lines = plot_of(window, measured_run(values, 200)).lines[0]
    assert dots(lines.main) == list(range(1, 200, 2))
    assert dots(lines.none) == list(range(0, 200, 2))


def test_what_is_smoothed_has_its_dots_where_it_was_measured_and_not_on_the_mean(window: QWidget) -> None:
    values = dict(zip(range(0, 320, 32), np.linspace(1.0, 2.0, 10).tolist(), strict=True))
    lines = plot_of(window, measured_run(values, 320), keep=0.9).lines[0]
    assert [10**y for _, y in lines.faint.dots.points] == pytest.approx(list(values.values()))
    assert dots(lines.main) == []


def test_frozen_steps_have_pale_dots_and_the_others_those_of_their_line(window: QWidget) -> None:
    lines = plot_of(window, measured_run(dict.fromkeys(range(0, 320, 32), 0.5), 320, frozen_from=160)).lines[0]
    assert dots(lines.main) == [0, 32, 64, 96, 128]
    assert dots(lines.frozen) == [160, 192, 224, 256, 288]


def test_the_last_of_many_gradients_before_a_freeze_that_leaves_none_has_no_dot(window: QWidget) -> None:
    values = {step: 0.5 if step < 100 else NO_GRADIENT for step in range(200)}
    lines = plot_of(window, measured_run(values, 200, frozen_from=100)).lines[0]
    assert [dots(line) for line in lines.all] == [[], [], [], []]


def test_exact_zeros_far_apart_have_no_dot_since_their_strip_has_no_room(window: QWidget) -> None:
    values = {step: 0.0 if step > 100 else 0.5 for step in range(0, 320, 32)}
    assert dots(plot_of(window, measured_run(values, 320)).lines[0].main) == [0, 32, 64, 96]


def test_nan_far_from_the_others_has_no_dot(window: QWidget) -> None:
    values = {step: NAN if step == 96 else 0.5 for step in range(0, 320, 32)}
    assert 96 not in dots(plot_of(window, measured_run(values, 320)).lines[0].main)


@pytest.mark.parametrize("ratio", [1, 2])
def test_a_dot_is_three_pixels_wide_and_high(window: QWidget, ratio: int) -> None:
    values = dict.fromkeys(range(160), NO_GRADIENT) | {80: 0.5}
    plot = plot_of(window, measured_run(values, 160))
    red = np.argwhere(Screen(plot, ratio).picture().reshape(200 * ratio, 400 * ratio) & 0xFFFFFF == int(COLOR[1:], 16))
    assert len(red) == 9
    assert np.ptp(red, axis=0).tolist() == [2, 2]
