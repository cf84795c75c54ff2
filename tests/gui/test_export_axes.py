from __future__ import annotations

import numpy as np
import pytest
from PySide6.QtWidgets import QApplication

from freeze_gui.gui.export_axes import (
    EDGE,
    WIDTH,
    Frame,
    LegendEntry,
    add_markers,
    add_steps,
    band,
    legend_lines,
    linear_ticks,
    new_drawing,
    plot_box,
)
from freeze_gui.gui.export_drawing import Text
from freeze_gui.gui.palette import LIGHT

FRAME = Frame((100, 50, 800, 400), (0, 200), (0, 2))


def test_steps_and_heights_lie_where_they_belong() -> None:
    assert FRAME.points(np.array([0, 100, 200]), np.array([0, 1, 2])).tolist() == [[100, 450], [500, 250], [900, 50]]


@pytest.mark.parametrize(
    ("low", "high", "wanted"),
    [
        (0.0, 1.0, ["0.0", "0.2", "0.4", "0.6", "0.8", "1.0"]),
        (0.0, 2.3, ["0.0", "0.5", "1.0", "1.5", "2.0"]),
        (0.0, 0.02, ["0.000", "0.005", "0.010", "0.015", "0.020"]),
        (0.0, 7000.0, ["0", "1,000", "2,000", "3,000", "4,000", "5,000", "6,000", "7,000"]),
    ],
)
def test_ticks_are_round_numbers(low: float, high: float, wanted: list[str]) -> None:
    assert [words for _, words in linear_ticks(low, high)] == wanted


def test_a_long_legend_takes_more_lines_and_leaves_the_plot_less_room(qapp: QApplication) -> None:
    short = [LegendEntry("stem", "#000000")]
    long = [LegendEntry(f"blocks.{at}.conv", "#000000") for at in range(20)]
    assert len(legend_lines(short)) == 1
    lines = legend_lines(long)
    assert len(lines) > 1
    assert sum(len(line) for line in lines) == 20
    assert all(EDGE <= x < WIDTH - EDGE for line in lines for x, _ in line)
    assert plot_box(short)[3] - plot_box(long)[3] == 20 * (len(lines) - 1)


def test_words_of_crowded_moments_are_left_out_and_none_leaves_the_picture(qapp: QApplication) -> None:
    drawing = new_drawing("", "", LIGHT)
    before = len(drawing.shapes)
    add_markers(drawing, FRAME, [(10, "froze 2"), (11, "froze 1"), (199, "thawed 3"), (300, "never")], LIGHT)
    words = [shape for shape in drawing.shapes[before:] if isinstance(shape, Text)]
    assert [text.words for text in words] == ["froze 2", "thawed 3"]
    assert words[1].x < 900


def test_numbers_of_steps_stand_below_the_plot(qapp: QApplication) -> None:
    drawing = new_drawing("", "", LIGHT)
    add_steps(drawing, FRAME, LIGHT)
    numbers = {shape.words: shape.x for shape in drawing.shapes if isinstance(shape, Text)}
    assert numbers["0"] == 100
    assert numbers["100"] == 500
    assert numbers["200"] == 900


def test_a_strip_beyond_the_plot_is_not_drawn() -> None:
    strip = band(FRAME, -1, 1, "#000000")
    assert strip is not None
    assert strip.box == (100, 250, 800, 200)
    assert band(FRAME, -2, -1, "#000000") is None
