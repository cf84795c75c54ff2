"""Curves that are drawn piece by piece while a run goes on look as if they were drawn at once."""

from __future__ import annotations

import numpy as np
import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QWidget
from pytestqt.qtbot import QtBot

from freeze_gui.gui.curves import LayerPlot
from freeze_gui.gui.traces import Series
from freeze_gui.runs.recorder import RunRecorder
from freeze_gui.training.events import NO_GRADIENT, PlanApplied, StepDone
from tests.gui.growing_plots import Whole, differing, grow_after_changes, grow_by_random_pieces, grow_by_strips
from tests.gui.plot_screen import Screen, draw
from tests.gui.recorded_runs import started_run

COLORS = ("#c04040", "#40a040", "#4040c0", "#a08020")
DASHES = (None, (4.0, 3.0), None, (1.0, 2.0))


class Steps:
    """Adds random steps to a run of four layers: spikes, zeros, none, NaN, leaks, freezing on and off."""

    def __init__(self, run: RunRecorder, seed: int, every: int = 1, *, odd: bool = True) -> None:
        self.run, self.every, self.odd = run, every, odd
        self.random = np.random.default_rng(seed)
        self.frozen = np.zeros(4, bool)
        self.step = 0
        self.level = np.array([0.1, 1.0, 0.01, 0.5])

    def add(self, count: int) -> None:
        for _ in range(count):
            random = self.random
            if random.random() < 0.01:
                self.frozen = random.random(4) < 0.5
                self.run.handle(PlanApplied(self.step, self.frozen, 40))
            values = self.level * random.lognormal(0, 0.4, (3, 4))
            values[:, 2] = self.level[2]   # a flat line
            leaked: tuple[int, ...] = ()
            if self.odd:
                values[random.random((3, 4)) < 0.002] *= 50
                values[random.random((3, 4)) < 0.02] = 0.0
                values[random.random((3, 4)) < 0.01] = np.nan
                values[2, random.random(4) < 0.03] = NO_GRADIENT
                values[2, self.frozen & (random.random(4) < 0.5)] = NO_GRADIENT
                leaked = tuple(np.flatnonzero(self.frozen & (random.random(4) < 0.02)).tolist())
            if self.step % self.every == 0:
                delta, update, gradient = values
                self.run.handle(StepDone(
                    self.step, 1.0, None, gradient, update, delta, self.frozen, leaked, 0.01, 0.001, 0.1
                ))   # fmt: skip
            self.step += 1


@pytest.fixture
def window(qtbot: QtBot) -> QWidget:
    window = QWidget()
    qtbot.addWidget(window)
    return window


def plot_in(window: QWidget, run: RunRecorder, size: tuple[int, int], keep: float, place: int = 0) -> LayerPlot:
    """Return a plot of all steps of a run, side by side with others in the window."""
    assert run.history is not None
    window.resize(2 * size[0], size[1])
    plot = LayerPlot("grad_norm", "plot", window)
    plot.setGeometry(place * size[0], 0, *size)
    plot.setFocusPolicy(Qt.FocusPolicy.NoFocus)   # no frame for the keyboard
    plot.show()
    window.show()
    plot.set_smoothing(keep)
    plot.show_steps(0, run.history.total_steps)
    plot.set_series([Series(str(at), COLORS[at], DASHES[at], run.history, at) for at in range(4)])
    draw(plot)
    draw(plot)   # in the height that is left beside the numbers of the axis
    return plot


def drawn_at_once(run: RunRecorder) -> Whole:
    """Return what draws the same history whole."""

    def draw_at_once(plot: LayerPlot) -> LayerPlot:
        fresh = plot_in(plot.window(), run, (plot.width(), plot.height()), plot.keep, place=1)
        assert plot._scale is not None
        fresh._scale = fresh.axis.scale_shown = plot._scale   # it only grows: a zero may hide the least
        fresh._place_strips(plot._scale)
        fresh.view_box.setYRange(plot._scale.low, plot._scale.high, padding=0)
        fresh.show_steps(*plot.view_box.viewRange()[0])
        fresh._forget()
        draw(fresh)
        return fresh

    return draw_at_once


@pytest.mark.parametrize("ratio", [1, 2])
@pytest.mark.parametrize(("size", "total", "every", "keep", "seed"), [
    ((330, 160), 4_000, 1, 0.0, 2),
    ((330, 160), 1_500, 1, 0.0, 3),   # 5 steps a pixel: no bins
    ((330, 160), 40_000, 1, 0.0, 0),   # 128 steps a pixel
    ((200, 120), 100_000, 1, 0.9, 1),   # the largest bins
    ((700, 300), 600, 1, 0.6, 2),   # a point for each step
    ((300, 220), 20_000, 7, 0.0, 1),   # steps measured now and then; from a point for each to bins
    ((700, 300), 1_500, 32, 0.0, 4),   # 14 pixels from point to point: each has a dot
    ((700, 300), 1_500, 32, 0.6, 5),   # and so have the measured ones behind the mean
])   # fmt: skip
def test_curves_that_grew_equal_curves_drawn_at_once_pixel_by_pixel(
    window: QWidget, size: tuple[int, int], total: int, every: int, keep: float, seed: int, ratio: int
) -> None:
    run = started_run(total_steps=total)
    steps = Steps(run, seed, every)
    steps.add(total // 8)
    plot = plot_in(window, run, size, keep)
    screen = grow_by_random_pieces(plot, steps, drawn_at_once(run), total, seed, ratio)
    assert min(screen.widths) < 0.2 * size[0]   # not all of it was painted each time


@pytest.mark.parametrize("keep", [0.0, 0.9])
def test_a_frame_paints_only_the_strip_in_which_the_new_steps_lie(window: QWidget, keep: float) -> None:
    run = started_run(total_steps=20_000)
    steps = Steps(run, 0, odd=False)
    steps.add(6_000)
    grow_by_strips(plot_in(window, run, (600, 200), keep), steps, drawn_at_once(run))


def test_a_dot_comes_and_goes_with_the_distance_of_its_point_while_curves_grow(window: QWidget) -> None:
    run = started_run(total_steps=600)
    steps = Steps(run, 6)
    steps.add(1)
    plot = plot_in(window, run, (700, 300), 0.0)
    screen = Screen(plot, 1)
    for every, count in ((1, 3), (16, 32), (1, 5), (32, 64), (8, 200)):
        steps.every = every
        for _ in range(count):
            steps.add(1)
            draw(plot)
        screen.picture()
        assert differing(plot, screen, drawn_at_once(run)) == 0
    assert any(len(lines.main.dots.points) > 20 for lines in plot.lines)


def test_curves_grow_on_after_a_zoom_a_change_of_size_and_back(window: QWidget) -> None:
    run = started_run(total_steps=9_000)
    steps = Steps(run, 4)
    steps.add(3_000)
    plot = plot_in(window, run, (330, 160), 0.0)
    grow_after_changes(plot, steps, drawn_at_once(run), (
        lambda: plot.show_steps(2_000, 5_000), lambda: plot.show_steps(0, 9_000), lambda: plot.resize(300, 150),
        lambda: plot.resize(330, 160), lambda: plot.set_smoothing(0.6), lambda: plot.set_smoothing(0.0), plot.restyle,
    ))   # fmt: skip
