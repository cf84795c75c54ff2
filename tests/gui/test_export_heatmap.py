from __future__ import annotations

import numpy as np
import pytest

from freeze_gui.gui import heatmap_codes as codes
from freeze_gui.gui.export_drawing import Drawing, Pixels, Text
from freeze_gui.gui.export_heatmap import HeatmapContent, heatmap_drawing
from freeze_gui.gui.heatmap_legend import lookup_table
from freeze_gui.gui.palette import LIGHT
from freeze_gui.runs.recorder import RunRecorder
from tests.gui.recorded_runs import LAYERS, NO_GRADIENT, add_steps, started_run

pytestmark = pytest.mark.usefixtures("qapp")


def drawn(run: RunRecorder, rows: list[int], x_range: tuple[float, float] | None = None) -> Drawing:
    assert run.history is not None
    content = HeatmapContent("Gradient norm", "", run.history, "grad_norm", rows, x_range)
    return heatmap_drawing(content, LIGHT)


def cells(drawing: Drawing) -> Pixels:
    return next(shape for shape in drawing.shapes if isinstance(shape, Pixels))


def words(drawing: Drawing) -> list[str]:
    return [shape.words for shape in drawing.shapes if isinstance(shape, Text)]


def test_each_layer_is_a_row_in_the_colours_of_its_states() -> None:
    run = started_run(total_steps=20)
    add_steps(run, 10, (1.0, 1.0, 0.0, 0.001))
    add_steps(run, 10, (1.0, NO_GRADIENT, 0.0, 0.001), frozen=[0], leaked=[0])
    drawing = drawn(run, [0, 1, 2, 3])
    shown, table = cells(drawing).colors, lookup_table(LIGHT)
    height, width = shown.shape
    middle = [round((row + 0.5) * height / 4) for row in range(4)]
    early, late = width // 4, slice(width * 3 // 4, width * 3 // 4 + 12)
    assert shown[middle[0], early] == table[codes.SCALE_LAST]   # the largest value
    assert shown[middle[3], early] == table[codes.SCALE_FIRST]   # the least
    assert shown[middle[2], early] == table[codes.ZERO]
    assert set(shown[middle[0], late]) == {table[codes.LEAKED], table[codes.LEAKED_HATCH]}
    assert set(shown[middle[1], late]) == {table[codes.MISSING], table[codes.MISSING_HATCH]}
    assert [word for word in words(drawing) if word in LAYERS] == list(LAYERS)


def test_only_states_that_are_in_the_picture_are_explained() -> None:
    run = started_run(total_steps=10)
    add_steps(run, 10)
    assert not {"frozen, held", "frozen, leaked", "no gradient", "zero", "NaN"} & set(words(drawn(run, [0, 1])))
    add_steps(run, 10, frozen=[1])
    assert "frozen, held" in words(drawn(run, [0, 1]))
    assert "frozen, held" not in words(drawn(run, [0]))


def test_rows_and_steps_that_are_not_seen_are_not_drawn() -> None:
    run = started_run(total_steps=100)
    add_steps(run, 100)
    drawing = drawn(run, [1, 3], x_range=(50.0, 60.0))
    assert [word for word in words(drawing) if word in LAYERS] == ["blocks.0", "head"]
    assert "55" in words(drawing)
    assert "0" not in words(drawing)


def test_many_layers_make_a_taller_picture_in_which_each_has_its_name() -> None:
    names = [f"blocks.{at}.conv" for at in range(161)]
    run = started_run(layers=names, total_steps=3)
    add_steps(run, 3, np.ones(161).tolist())
    drawing = drawn(run, list(range(161)))
    assert [word for word in words(drawing) if word in names] == names
    assert drawing.height > 161 * 13
    tops = [shape.y for shape in drawing.shapes if isinstance(shape, Text) and shape.words in names]
    assert min(np.diff(tops)) > 12
