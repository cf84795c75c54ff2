from __future__ import annotations

import numpy as np
import pytest

from freeze_gui.gui import compare_difference_codes as codes
from freeze_gui.gui.export_difference import DifferenceContent, difference_drawing
from freeze_gui.gui.export_drawing import Pixels, Text
from freeze_gui.gui.palette import LIGHT
from freeze_gui.runs.differences import LayerDifference

pytestmark = pytest.mark.usefixtures("qapp")


def test_the_sign_is_in_the_colour_and_each_side_has_its_name() -> None:
    values = np.array([[1.0, -1.0, 0.0, np.nan]] * 10)
    difference = LayerDifference(("a", "b", "c", "d"), np.arange(10), values, 10)
    seen = DifferenceContent("Weight delta", "", ("first", "second"), difference, (-1.0, 0.0), (0.0, 10.0))
    drawing = difference_drawing(seen, LIGHT)
    colors = next(shape for shape in drawing.shapes if isinstance(shape, Pixels)).colors
    table, height = codes.color_table(LIGHT), len(colors)
    middle = [colors[round((row + 0.5) * height / 4)] for row in range(4)]
    assert [set(row) for row in middle[:3]] == [{table[codes.HIGHEST]}, {table[codes.LOWEST + 0]}, {table[codes.ZERO]}]
    assert set(middle[3]) == {table[codes.MISSING], table[codes.HATCH]}
    words = [shape.words for shape in drawing.shapes if isinstance(shape, Text)]
    assert {"more in first", "more in second", "gradient in one run only"} <= set(words)


def test_runs_that_are_equal_say_so() -> None:
    difference = LayerDifference(("a",), np.arange(3), np.zeros((3, 1)), 3)
    drawing = difference_drawing(DifferenceContent("", "", ("x", "y"), difference, None, (0.0, 3.0)), LIGHT)
    assert "nothing differs" in [shape.words for shape in drawing.shapes if isinstance(shape, Text)]
