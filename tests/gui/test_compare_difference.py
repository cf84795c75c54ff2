from __future__ import annotations

import numpy as np
import pytest
from PySide6.QtCore import QPoint, QPointF
from PySide6.QtGui import QColor
from pytestqt.qtbot import QtBot

from freeze_gui.gui.compare_difference import DifferenceView
from freeze_gui.gui.compare_difference_map import DifferenceMap
from freeze_gui.gui.theme import current_theme
from freeze_gui.runs.recorder import RunRecorder
from freeze_gui.training.events import NO_GRADIENT
from tests.gui.recorded_runs import LAYERS, add_steps, started_run, waiting_run


def two_runs() -> list[RunRecorder]:
    """Return runs that are equal in stem and head, and differ by 0.9 and −0.4 between them."""
    one, other = started_run("one"), started_run("other")
    add_steps(one, 50, (0.1, 1.0, 0.1, 0.1))
    add_steps(other, 50, (0.1, 0.1, 0.5, 0.1))
    return [one, other]


def shown_map(qtbot: QtBot, runs: list[RunRecorder]) -> DifferenceMap:
    view = DifferenceMap()
    qtbot.addWidget(view)
    view.resize(600, 200)
    view.show()
    view.set_pair((runs[0], runs[1]))
    return view


def shown_view(qtbot: QtBot, runs: list[RunRecorder]) -> DifferenceView:
    view = DifferenceView()
    qtbot.addWidget(view)
    view.resize(700, 300)
    view.show()
    view.set_runs(runs, range(len(runs)))
    return view


def at(view: DifferenceMap, row: int, step: float) -> QPointF:
    rect, (start, stop) = view.plot_rect(), view.x_range()
    x = rect.left() + (step - start + 0.5) / (stop - start) * rect.width()
    return QPointF(x, rect.top() + (row + 0.5) * rect.height() / len(LAYERS))


def test_a_cell_says_which_run_has_more_and_how_much(qtbot: QtBot) -> None:
    view = shown_map(qtbot, two_runs())
    assert view.describe(at(view, 0, 10)) == "stem · step 10 · equal"
    assert view.describe(at(view, 1, 10)) == "blocks.0 · step 10 · 0.9 more in one"
    assert view.describe(at(view, 2, 10)) == "blocks.1 · step 10 · 0.4 more in other"


def test_the_colours_follow_the_sign(qtbot: QtBot) -> None:
    view = shown_map(qtbot, two_runs())
    image = view.grab().toImage()
    colors = [image.pixelColor(at(view, row, 10).toPoint()) for row in range(4)]
    assert colors[0] == colors[3]
    assert colors[1].red() > colors[1].blue() and colors[2].blue() > colors[2].red()


def test_a_gradient_that_only_one_run_has_is_no_number(qtbot: QtBot) -> None:
    runs = [started_run("one"), started_run("other")]
    add_steps(runs[0], 5, (NO_GRADIENT, 0.1, NO_GRADIENT, 0.1))
    add_steps(runs[1], 5, (0.1, 0.1, NO_GRADIENT, 0.1))
    view = shown_map(qtbot, runs)
    view.set_metric("grad_norm")
    assert "only one of the two has a gradient" in view.describe(at(view, 0, 2))
    assert view.describe(at(view, 2, 2)) == "blocks.1 · step 2 · equal"   # neither has one


def test_the_map_follows_runs_that_go_on(qtbot: QtBot) -> None:
    runs = two_runs()
    view = shown_map(qtbot, runs)
    for run in runs:
        add_steps(run, 10)
    view.refresh()
    assert view.difference is not None
    assert view.difference.steps.tolist() == list(range(60))
    assert np.all(view.difference.values[50:] == 0.0)


def test_a_map_that_grew_equals_one_drawn_at_once(qtbot: QtBot) -> None:
    runs = two_runs()
    view = shown_map(qtbot, runs)

    def is_whole(pair: list[RunRecorder], metric: str) -> bool:
        view.refresh()
        other = shown_map(qtbot, pair)
        other.set_metric(metric)
        return view.grab().toImage() == other.grab().toImage()

    for value in (0.1, 0.2, 900.0, 0.3):   # the third of them needs another scale
        add_steps(runs[0], 10, (value, 0.1, 0.1, 0.1))
        add_steps(runs[1], 10)
        assert is_whole(runs, "weight_delta")
    view.set_metric("grad_norm")
    assert is_whole(runs, "grad_norm")
    view.set_pair((runs[1], runs[0]))   # on the same scale
    assert is_whole(runs[::-1], "grad_norm")


def test_a_run_that_waits_is_no_error(qtbot: QtBot) -> None:
    view = shown_map(qtbot, [started_run("one"), waiting_run("other")])
    assert view.shown_layers == () and view.describe(QPointF(300, 50)) == ""
    view.grab()


def test_the_boxes_choose_the_pair_and_the_same_run_twice_is_refused(qtbot: QtBot) -> None:
    runs = [*two_runs(), started_run("third")]
    view = shown_view(qtbot, runs)
    assert view.pair == (runs[0], runs[1])
    with qtbot.waitSignal(view.found) as found:
        view.second_box.setCurrentIndex(0)
    assert view.pair is None and found.args == ["Choose two different runs", ""]
    view.show_pair(2, 1)
    assert view.pair == (runs[2], runs[1])


def test_the_first_step_that_differs_is_told(qtbot: QtBot) -> None:
    runs = [started_run("one"), started_run("other")]
    for run, value in zip(runs, (0.1, 0.3), strict=True):
        add_steps(run, 12)
        add_steps(run, 30, (0.1, 0.1, 0.1, value))
    view = DifferenceView()
    qtbot.addWidget(view)
    said: list[str] = []
    view.found.connect(lambda sentence, detail: said.append(sentence))
    view.show()
    view.set_runs(runs, range(2))
    assert said[-1] == "First step that differs: 12 (head)"


def test_a_run_that_is_renamed_is_called_so_everywhere(qtbot: QtBot) -> None:
    runs = two_runs()
    view = shown_view(qtbot, runs)
    runs[0].label = "the good one"
    view.refresh()
    assert [view.first_box.currentText(), view.second_box.itemText(0)] == ["the good one", "the good one"]
    assert "orange the good one, blue other" in view.legend.accessibleName()
    assert "the good one less other" in view.map.accessibleName()


def test_a_map_of_equal_runs_shows_where_it_ends(qtbot: QtBot) -> None:
    same = [started_run("one"), started_run("other")]
    for run in same:
        add_steps(run, 50)
    view = shown_map(qtbot, same)
    rect, picture = view.plot_rect(), view.grab().toImage()
    edge, inside = (picture.pixelColor(at) for at in (rect.topLeft() - QPoint(1, -20), rect.center()))
    assert edge.name() == QColor(current_theme().border).name() != inside.name()


@pytest.mark.parametrize("name", ["one", "a run with a very long name · AdamW lr 0.001 · norm eval"])
def test_the_legend_says_which_end_is_whose(qtbot: QtBot, name: str) -> None:
    runs = two_runs()
    runs[0].label = name
    view = shown_view(qtbot, runs)
    assert f"orange {name}, blue other" in view.legend.accessibleName()
    assert "differences of up to" in view.legend.accessibleName()
    view.legend.grab()


LONG = ("requires_grad · AdamW fused", "requires_grad · AdamW · norm eval · zero_grad never")


def test_names_too_long_for_the_legend_are_cut_before_its_edge(qtbot: QtBot) -> None:
    view = shown_view(qtbot, two_runs())
    for width in (420, 532, 800):   # 532 is what a window of 1280 pixels has for it
        view.legend.resize(width, view.legend.height())
        view.legend.set_names(*LONG)
        view.legend.set_levels((-4.0, -2.5))
        image = view.legend.grab().toImage()
        edge = {image.pixel(x, y) for x in range(width - 4, width) for y in range(image.height())}
        assert len(edge) == 1   # the ground alone


def test_a_box_is_as_wide_as_its_names_where_there_is_room_and_tells_the_name(qtbot: QtBot) -> None:
    runs = two_runs()
    runs[0].label, runs[1].label = LONG
    view = shown_view(qtbot, runs)
    view.resize(1200, 300)
    qtbot.waitUntil(lambda: view.first_box.width() > 300)
    for box, name in zip((view.first_box, view.second_box), LONG, strict=True):
        assert box.width() >= box.fontMetrics().horizontalAdvance(LONG[1])
        assert name in box.toolTip()
    view.resize(400, 300)
    qtbot.waitUntil(lambda: view.second_box.geometry().right() < 400)
