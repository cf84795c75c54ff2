"""Losses that are drawn piece by piece while a run goes on look as if they were drawn at once."""

from __future__ import annotations

import numpy as np
import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QWidget
from pytestqt.qtbot import QtBot

from freeze_gui.gui.line_ends import LineEnds, reduced_line
from freeze_gui.gui.loss_plot import LossPlot, LossSeries
from freeze_gui.gui.loss_values import RateScale, loss_range
from freeze_gui.runs.recorder import RunRecorder
from freeze_gui.training.events import Evaluated, StepDone
from tests.gui.growing_plots import Whole, differing, grow_after_changes, grow_by_random_pieces, grow_by_strips
from tests.gui.plot_screen import Screen, draw
from tests.gui.recorded_runs import started_run

COLORS = (("#c04040", "#804040"), ("#4040c0", "#404080"))


class Steps:
    """Adds steps to two runs: noisy losses with spikes, NaN and infinity, a rate that changes, evaluations."""

    def __init__(self, runs: tuple[RunRecorder, ...], seed: int, *, odd: bool = True) -> None:
        self.runs, self.odd, self.step = runs, odd, 0
        self.random = np.random.default_rng(seed)
        self.norms = np.ones(4), np.ones(4), np.ones(4)

    def add(self, count: int) -> None:
        random = self.random
        for _ in range(count):
            for at, run in enumerate(self.runs):
                loss = random.lognormal(0, 0.2) / (1 + self.step / 1000)
                if self.odd and random.random() < 0.01:
                    loss = random.choice([np.nan, np.inf, 0.0, 4.0])
                rate = 0.1 * 0.5 ** (self.step // 300) if at else min(self.step / 2_000, 0.1)
                none = np.zeros(4, bool)
                run.handle(StepDone(self.step, float(loss), None, *self.norms, none, (), 0.01, 0.001, rate))
                if self.odd and random.random() < 0.01:
                    accuracy = None if random.random() < 0.2 else float(random.random())
                    run.handle(Evaluated(self.step, float(random.random()), accuracy))
            self.step += 1


@pytest.fixture
def window(qtbot: QtBot) -> QWidget:
    window = QWidget()
    qtbot.addWidget(window)
    return window


def plot_in(
    window: QWidget, runs: tuple[RunRecorder, ...], size: tuple[int, int], keep: float, place: int = 0
) -> LossPlot:
    """Return a plot of all steps of the runs, side by side with others in the window."""
    assert runs[0].history is not None
    window.resize(2 * size[0], size[1])
    plot = LossPlot(parent=window)
    plot.setGeometry(place * size[0], 0, *size)
    plot.setFocusPolicy(Qt.FocusPolicy.NoFocus)   # no frame for the keyboard
    plot.show()
    window.show()
    plot.set_smoothing(keep)
    plot.show_steps(0, runs[0].history.total_steps)
    plot.set_series([
        LossSeries(str(at), *COLORS[at], None, run.history) for at, run in enumerate(runs)
    ])   # fmt: skip
    draw(plot)
    draw(plot)   # in the height that is left beside the numbers of the axis
    return plot


def drawn_at_once(*runs: RunRecorder) -> Whole:
    """Return what draws the same histories whole."""

    def draw_at_once(plot: LossPlot) -> LossPlot:
        fresh = plot_in(plot.window(), runs[: len(plot.series)], (plot.width(), plot.height()), plot.keep, place=1)
        fresh.show_steps(*plot.view_box.viewRange()[0])
        draw(fresh)
        return fresh

    return draw_at_once


@pytest.mark.parametrize("ratio", [1, 2])
@pytest.mark.parametrize(("size", "total", "keep", "seed"), [
    ((330, 160), 4_000, 0.0, 1),
    ((330, 160), 1_500, 0.0, 2),   # from a point for each step to bins
    ((330, 160), 4_000, 0.9, 3),
    ((700, 300), 600, 0.6, 4),   # a point for each step
    ((200, 120), 12_000, 0.0, 5),
])   # fmt: skip
def test_losses_that_grew_equal_losses_drawn_at_once_pixel_by_pixel(
    window: QWidget, size: tuple[int, int], total: int, keep: float, seed: int, ratio: int
) -> None:
    runs = started_run(total_steps=total), started_run(total_steps=total)
    steps = Steps(runs, seed)
    steps.add(total // 8)
    grow_by_random_pieces(plot_in(window, runs, size, keep), steps, drawn_at_once(*runs), total, seed, ratio)


@pytest.mark.parametrize("keep", [0.0, 0.9])
def test_a_frame_paints_only_the_strip_in_which_the_new_steps_lie(window: QWidget, keep: float) -> None:
    runs = started_run(total_steps=20_000), started_run(total_steps=20_000)
    steps = Steps(runs, 0, odd=False)
    steps.add(6_000)
    grow_by_strips(plot_in(window, runs, (600, 200), keep), steps, drawn_at_once(*runs))


def test_evaluations_long_ago_and_a_run_that_has_ended_are_not_painted_again(window: QWidget) -> None:
    runs = started_run(total_steps=20_000), started_run(total_steps=20_000)
    steps = Steps(runs, 0, odd=False)
    for _ in range(2):
        steps.add(3_000)
        for run in runs:
            run.handle(Evaluated(steps.step, 0.5, 0.5))
    steps.runs = runs[:1]
    steps.add(3_000)
    grow_by_strips(plot_in(window, runs, (600, 200), 0.0), steps, drawn_at_once(*runs))


def test_a_warm_up_has_its_line_drawn_anew_now_and_then_and_when_it_ends_at_its_largest_rate(window: QWidget) -> None:
    run = started_run(total_steps=20_000)
    norms = np.ones(4), np.ones(4), np.ones(4)

    def add(count: int) -> None:
        assert run.history is not None
        for step in range(run.history.steps, run.history.steps + count):
            run.handle(StepDone(step, 1.0, None, *norms, np.zeros(4, bool), (), 0.01, 0.001, min(step, 8_000) / 9e6))

    add(6_000)
    plot = plot_in(window, (run,), (600, 200), 0.0)
    screen, whole = Screen(plot, 1), 0
    for _ in range(40):   # up to 8,000
        screen.widths.clear()
        add(50)
        draw(plot)
        whole += max(screen.widths) > 30
        screen.picture()
    assert 1 <= whole <= 11   # a piece is at least a 32nd of the rate, which grows by a third
    assert differing(plot, screen, drawn_at_once(run)) == 0
    assert plot.lines[0].rate.heights.max() <= 1.0
    add(50)
    draw(plot)
    assert plot.lines[0].rate.heights.max() == 1.0
    assert differing(plot, screen, drawn_at_once(run)) == 0


def test_the_scale_of_a_learning_rate_is_the_same_however_often_it_was_looked_at() -> None:
    random = np.random.default_rng(0)
    rises, falls = np.linspace(1e-5, 0.1, 500), np.linspace(0.1, 0.0, 500)
    there_and_back = np.repeat([0.1, 0.2, 0.1], 200)
    for rate in (rises, falls, np.concatenate((rises, falls)), np.full(500, 0.1), random.random(1_000), there_and_back):
        growing, seen = RateScale(), 0
        while seen < len(rate):
            seen = min(seen + int(random.integers(0, 40)), len(rate))
            growing.look(rate[:seen])
            once = RateScale()
            once.look(rate[:seen])
            assert (growing.changes, growing.largest, growing.top) == (once.changes, once.largest, once.top)
            if seen:
                assert once.largest == rate[:seen].max() and once.changes == (len(set(rate[:seen].tolist())) > 1)
                is_newest = rate[seen - 1] > rate[: seen - 1].max(initial=0.0)
                assert once.top == once.largest or (is_newest and 1 < once.top / once.largest <= 17 / 16)


def test_heights_are_those_of_the_steps_that_are_seen_where_these_were_still_to_come(window: QWidget) -> None:
    run = started_run(total_steps=1_000)
    plot = plot_in(window, (run,), (330, 160), 0.0)
    plot.show_steps(500, 1_000)
    norms = np.ones(4), np.ones(4), np.ones(4)
    for step in range(700):
        loss = 50.0 if step < 300 else 0.1   # the last step before the edge is drawn, too, and was another one before
        run.handle(StepDone(step, loss, None, *norms, np.zeros(4, bool), (), 0.01, 0.001, 0.1))
        if step % 20 == 0:
            draw(plot)
    draw(plot)
    assert plot.view_box.viewRange()[1] == [*loss_range(np.array([0.1]))]
    assert differing(plot, Screen(plot, 1), drawn_at_once(run)) == 0


def test_losses_too_large_to_be_drawn_are_a_gap(window: QWidget) -> None:
    run = started_run(total_steps=100)
    plot = plot_in(window, (run,), (330, 160), 0.0)
    norms = np.ones(4), np.ones(4), np.ones(4)
    for step, loss in enumerate((1e200, 1e300, 1e129, 1.0, 0.5, -1e200, 0.25, 0.5)):
        run.handle(StepDone(step, loss, None, *norms, np.zeros(4, bool), (), 0.01, 0.001, 0.1))
        draw(plot)
    path = plot.lines[0].loss.line.path
    points = [(path.elementAt(at).x, path.elementAt(at).y) for at in range(path.elementCount())]
    assert points == [(3, 1.0), (4, 0.5), (6, 0.25), (7, 0.5)]
    assert path.elementAt(2).isMoveTo()
    assert plot.view_box.viewRange()[1] == [*loss_range(np.array([1.0]))]


def test_losses_grow_on_after_a_zoom_a_change_of_size_other_runs_and_back(window: QWidget) -> None:
    runs = started_run(total_steps=9_000), started_run(total_steps=9_000)
    steps = Steps(runs, 4)
    steps.add(3_000)
    plot = plot_in(window, runs, (330, 160), 0.0)
    both = list(plot.series)
    grow_after_changes(plot, steps, drawn_at_once(*runs), (
        lambda: plot.show_steps(2_000, 5_000), lambda: plot.show_steps(0, 9_000), lambda: plot.resize(300, 150),
        lambda: plot.resize(330, 160), lambda: plot.set_smoothing(0.6), lambda: plot.set_smoothing(0.0), plot.restyle,
        lambda: plot.set_series(both[:1]), lambda: plot.set_series(both),
    ))   # fmt: skip


@pytest.mark.parametrize("x_range", [(0.0, 5_000.0), (900.0, 1_400.0), (2_500.0, 9_000.0), (4_999.0, 5_003.0)])
@pytest.mark.parametrize("width", [50, 300])
def test_the_ends_of_a_line_put_together_are_the_line(x_range: tuple[float, float], width: int) -> None:
    random = np.random.default_rng(0)
    step = np.cumsum(random.integers(1, 3, 4_000))
    values = np.where(random.random(4_000) < 0.05, np.nan, random.random(4_000))
    ends, x, y, count = LineEnds(), np.zeros(0), np.zeros(0), 0
    settled = 0
    while count < 4_000:
        count += int(random.integers(1, 200))
        end = ends.next(step[:count], values.__getitem__, x_range, width)
        if end is None:
            ends.forget()
            settled = 0
            end = ends.next(step[:count], values.__getitem__, x_range, width)
            assert end is not None and end.known == 0
        new = slice(end.known, None)
        x, y = np.append(x[:settled], end.x[new]), np.append(y[:settled], end.y[new])
        settled += end.settled - end.known
        for found, whole in zip((x, y), reduced_line(step[:count], values[:count], x_range, width), strict=True):
            np.testing.assert_array_equal(found, whole)


def test_a_line_has_the_least_and_the_largest_of_each_pixel_and_a_gap_where_there_is_none() -> None:
    step, values = np.arange(1_000), np.random.default_rng(1).normal(size=1_000)
    values[100:110] = np.inf
    values[205] = np.nan
    values[700] = -1.0   # a loss like any other
    x, y = reduced_line(step, values, (0.0, 1_000.0), 100)
    assert x.tolist() == np.repeat(np.arange(0, 1_000, 10), 2).tolist()
    for at in range(100):
        good = [value for value in values[10 * at : 10 * at + 10].tolist() if np.isfinite(value)]
        pair = y[2 * at : 2 * at + 2]
        assert pair.tolist() == [min(good), max(good)] if good else np.isnan(pair).all()
