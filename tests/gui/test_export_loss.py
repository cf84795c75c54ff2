from __future__ import annotations

import numpy as np
import pytest

from freeze_gui.gui.export_axes import PlotView
from freeze_gui.gui.export_drawing import Drawing, Line, Marks, Text
from freeze_gui.gui.export_loss import loss_drawing
from freeze_gui.gui.loss_plot import LossSeries
from freeze_gui.gui.palette import LIGHT
from freeze_gui.runs.recorder import RunRecorder
from freeze_gui.training.events import StepDone
from tests.gui.recorded_runs import add_steps, end_run, started_run

pytestmark = pytest.mark.usefixtures("qapp")


def drawn(*runs: RunRecorder) -> Drawing:
    colors = LIGHT.series
    series = [LossSeries(run.label, colors[at], colors[at], None, run.history) for at, run in enumerate(runs)]
    return loss_drawing(PlotView("Loss", "", (0, 100)), series, LIGHT)


def words(drawing: Drawing) -> list[str]:
    return [shape.words for shape in drawing.shapes if isinstance(shape, Text)]


def test_losses_evaluations_and_accuracies_lie_on_their_axes() -> None:
    run = started_run("a")
    add_steps(run, 10)   # losses 1, 1/2, 1/3 …
    end_run(run)   # after step 10: loss 0.25, accuracy 0.9
    drawing = drawn(run)
    losses = next(s for s in drawing.shapes if isinstance(s, Line) and s.clip and s.color == LIGHT.series[0])
    assert losses.clip is not None
    _, top, _, tall = losses.clip
    highest = 17 / 16   # the first sixteenth above 1.05 times the largest
    heights = (top + tall - losses.points[:, 1]) / tall * highest
    assert heights == pytest.approx(1 / (np.arange(10) + 1))
    marks = {s.symbol: s.points for s in drawing.shapes if isinstance(s, Marks) and s.color == LIGHT.series[0]}
    assert (top + tall - marks["circle"][0, 1]) / tall * highest == pytest.approx(0.25)
    assert (top + tall - marks["diamond"][0, 1]) / tall * 1.06 - 0.02 == pytest.approx(0.9)
    assert {"a: loss", "evaluation", "accuracy (right axis)"} <= set(words(drawing))


def test_a_learning_rate_is_drawn_only_where_it_changes() -> None:
    constant, scheduled = started_run("a"), started_run("b")
    add_steps(constant, 10)
    flags, norms = np.zeros(4, bool), (np.ones(4), np.ones(4), np.ones(4))
    for step in range(4):
        scheduled.handle(StepDone(step, 1.0, None, *norms, flags, (), 0.01, 0.001, (0.1, 0.1, 0.05, 0.05)[step]))
    rate = "learning rate (share of its largest)"
    assert rate not in words(drawn(constant))
    both = drawn(constant, scheduled)
    assert rate in words(both)
    (line,) = [shape for shape in both.shapes if isinstance(shape, Line) and shape.dash == (1.0, 2.0) and shape.clip]
    assert line.clip is not None
    left, top, width, tall = line.clip
    shares = (top + tall - line.points[:, 1]) / tall * 1.06 - 0.02
    assert shares == pytest.approx([1, 1, 1, 1, 0.5, 0.5, 0.5])
    assert (line.points[:, 0] - left) / width * 100 == pytest.approx([0, 1, 1, 2, 2, 3, 3])


def test_a_run_that_waits_has_no_line_and_no_name() -> None:
    run = started_run("a")
    add_steps(run, 3)
    waits = LossSeries("waits", "#222222", "#222222", None, None)
    here = LossSeries("a", "#111111", "#111111", None, run.history)
    drawing = loss_drawing(PlotView("", "", (0, 3)), [here, waits], LIGHT)
    assert "waits: loss" not in words(drawing)
