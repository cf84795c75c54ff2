from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pytest

from freeze_gui.gui.export_axes import Frame, PlotView
from freeze_gui.gui.export_curves import curves_drawing
from freeze_gui.gui.export_drawing import Drawing, Line, Marks, Text
from freeze_gui.gui.palette import DARK, LIGHT, Theme
from freeze_gui.gui.traces import Series
from freeze_gui.runs.recorder import RunRecorder
from freeze_gui.training.events import StepDone
from tests.gui.recorded_runs import LAYERS, NO_GRADIENT, add_steps, started_run

pytestmark = pytest.mark.usefixtures("qapp")


def series(run: RunRecorder, theme: Theme = LIGHT, layers: int = 2) -> list[Series]:
    assert run.history is not None
    return [Series(LAYERS[at], theme.series[at], None, run.history, at) for at in range(layers)]


def drawn(run: RunRecorder, theme: Theme = LIGHT, layers: int = 2) -> Drawing:
    return curves_drawing(
        PlotView("Gradient norm · a", "digits", (0, 100)), "grad_norm", series(run, theme, layers), theme
    )


def lines(drawing: Drawing, color: str) -> list[Line]:
    return [shape for shape in drawing.shapes if isinstance(shape, Line) and shape.color == color and shape.clip]


def test_a_constant_value_is_a_level_line_at_the_height_of_its_power_of_ten() -> None:
    run = started_run()
    add_steps(run, 100, (1.0, 0.01, 1.0, 1.0))
    drawing = drawn(run)
    (one,), (hundredth,) = lines(drawing, LIGHT.series[0]), lines(drawing, LIGHT.series[1])
    ticks = {shape.words: shape.y for shape in drawing.shapes if isinstance(shape, Text)}
    for line, words in ((one, "1"), (hundredth, "0.01")):
        assert len(line.points) == 100
        assert np.ptp(line.points[:, 1]) == 0
        assert line.points[0, 1] == pytest.approx(ticks[words] - 4)   # a baseline lies below the middle of its digits
    left, _, width, _ = one.clip or (0, 0, 0, 0)
    assert one.points[:, 0] == pytest.approx(left + np.arange(100) / 100 * width)


def test_frozen_leaked_and_missing_steps_are_drawn_as_such() -> None:
    run = started_run()
    add_steps(run, 10, (1.0, 1.0, 1.0, 1.0))
    add_steps(run, 10, (1.0, NO_GRADIENT, 1.0, 1.0), frozen=[0, 1], leaked=[0])
    drawing = drawn(run)
    trains = [line for line in lines(drawing, LIGHT.series[0]) if line.dash is None]
    assert np.isfinite(trains[0].points[:, 1]).sum() == 10
    dashed = [s for s in drawing.shapes if isinstance(s, Line) and s.dash == (3.0, 3.0) and s.clip]
    assert [int(np.isfinite(line.points[:, 1]).sum()) for line in dashed] == [11, 1]   # the one that has a gradient
    triangles = [shape for shape in drawing.shapes if isinstance(shape, Marks) and shape.symbol == "triangle"]
    assert sorted(len(shape.points) for shape in triangles) == [0, 1, 10]   # one in the legend
    words = [shape.words for shape in drawing.shapes if isinstance(shape, Text)]
    assert {"0", "none", "frozen", "moved although frozen"} <= set(words)


def test_exact_zeros_lie_in_their_strip_and_nan_is_marked_at_the_top() -> None:
    run = started_run()
    add_steps(run, 5, (0.0, math.nan, 1.0, 1.0))
    drawing = drawn(run, layers=3)
    ticks = {s.words: s.y - 4 for s in drawing.shapes if isinstance(s, Text) and s.anchor == "end"}
    (zero,) = lines(drawing, LIGHT.series[0])
    assert abs(zero.points[0, 1] - ticks["0"]) < 8
    crosses = [shape for shape in drawing.shapes if isinstance(shape, Marks) and shape.symbol == "cross"]
    assert crosses[1].points[:, 1] == pytest.approx([ticks["NaN"]] * 5)


def test_what_is_zoomed_in_on_is_what_is_drawn() -> None:
    run = started_run()
    add_steps(run, 100, (1.0, 0.01, 1.0, 1.0))
    drawing = curves_drawing(PlotView("", "", (20, 40), (-1.0, 1.0)), "grad_norm", series(run), LIGHT)
    (line,) = lines(drawing, LIGHT.series[0])
    assert line.clip is not None
    frame = Frame(line.clip, (20, 40), (-1.0, 1.0))
    steps = np.arange(19, 42, dtype=float)   # one more on each side, cut off at the edge
    assert line.points == pytest.approx(frame.points(steps, np.zeros(23)))


def test_smoothing_leaves_a_faint_line_of_what_was_measured() -> None:
    run = started_run()
    add_steps(run, 50, (1.0, 1.0, 1.0, 1.0))
    smooth = curves_drawing(PlotView("", "", (0, 100), None, 0.9), "grad_norm", series(run), LIGHT)
    assert sum(isinstance(shape, Line) and shape.clip is not None for shape in smooth.shapes) == 4


def dots(drawing: Drawing, color: str) -> list[list[float]]:
    """Return the steps from 0 to 100 of the dots of this colour, shape by shape."""
    left, _, width, _ = next(shape.clip for shape in drawing.shapes if isinstance(shape, Line) and shape.clip)
    return [
        ((shape.points[:, 0] - left) / width * 100).round(6).tolist() for shape in drawing.shapes
        if isinstance(shape, Marks) and shape.symbol == "circle" and shape.color == color
    ]   # fmt: skip


def sparse_run(values: Sequence[float], every: int = 10) -> RunRecorder:
    """Return a run whose first layer had these gradient norms, measured at every tenth step."""
    run = started_run()
    for at, value in enumerate(values):
        norms = np.array([value, 1.0, 1.0, 1.0])
        run.handle(StepDone(at * every, 1.0, None, norms, norms, norms, np.zeros(4, bool), (), 0.01, 0.001, 0.1))
    return run


def test_steps_measured_now_and_then_have_a_dot_each_and_steps_that_nearly_touch_have_none() -> None:
    assert dots(drawn(sparse_run([1.0] * 10)), LIGHT.series[0]) == [[10.0 * at for at in range(10)]]
    assert dots(drawn(sparse_run([1.0, 1.0, 0.0, 1.0])), LIGHT.series[0]) == [[0.0, 10.0, 30.0]]   # no room for zeros
    run = started_run(total_steps=1000)
    add_steps(run, 1000)
    seen = PlotView("", "", (0, 1000))
    assert not any(isinstance(shape, Marks) and shape.symbol == "circle" and len(shape.points)
                   for shape in curves_drawing(seen, "grad_norm", series(run), LIGHT).shapes)


def test_a_gradient_between_steps_without_one_is_a_dot_however_close_they_lie() -> None:
    run, far = sparse_run([NO_GRADIENT, 1.0, NO_GRADIENT], every=1), (0, 1000)
    drawing = curves_drawing(PlotView("", "", far), "grad_norm", series(run, layers=1), LIGHT)
    ((at,),) = dots(drawing, LIGHT.series[0])
    assert at == pytest.approx(0.1)


def test_the_last_of_many_gradients_before_a_freeze_that_leaves_none_has_no_dot() -> None:
    run = started_run(total_steps=1000)
    add_steps(run, 100)
    add_steps(run, 100, (NO_GRADIENT,) * 4, frozen=[0, 1])
    drawing = curves_drawing(PlotView("", "", (0, 1000)), "grad_norm", series(run), LIGHT)
    assert not any(isinstance(shape, Marks) and shape.symbol == "circle" and len(shape.points)
                   for shape in drawing.shapes)


def test_a_smoothed_line_has_its_dots_where_it_was_measured() -> None:
    run = sparse_run([1.0, 2.0, 4.0])
    drawing = curves_drawing(PlotView("", "", (0, 100), None, 0.9), "grad_norm", series(run, layers=1), LIGHT)
    (marks,) = [shape for shape in drawing.shapes if isinstance(shape, Marks) and shape.symbol == "circle"]
    faint = next(shape for shape in drawing.shapes if isinstance(shape, Line) and shape.clip)
    assert marks.color == faint.color != LIGHT.series[0]
    np.testing.assert_array_equal(marks.points, faint.points)


def test_the_theme_decides_the_colours() -> None:
    run = started_run()
    add_steps(run, 5)
    assert drawn(run, DARK).background == DARK.plot_background
    assert lines(drawn(run, DARK), DARK.series[0])
