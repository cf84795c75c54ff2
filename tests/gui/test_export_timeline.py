from __future__ import annotations

import pytest

from freeze_gui.gui.export_drawing import Rect, Text
from freeze_gui.gui.export_timeline import timeline_drawing, timeline_rows
from freeze_gui.gui.palette import LIGHT
from freeze_gui.gui.timeline_state import Bar, Span, Timeline

pytestmark = pytest.mark.usefixtures("qapp")


def test_bars_lie_over_their_steps_and_what_a_run_did_lies_below_them() -> None:
    timeline = Timeline(bars=(Bar(start=0, stop=100), Bar(start=1, unit="epoch", lr_factor=0.5)))
    rows = timeline_rows(timeline, ["stem", "head"], Span(400, 50), [[(0, 40)], []])
    assert [(row.start, row.stop) for row in rows] == [(0, 100), (50, 400)]
    drawing = timeline_drawing("What is frozen when", "", rows, 400, LIGHT)
    words = {shape.words: shape.x for shape in drawing.shapes if isinstance(shape, Text)}
    assert {"stem", "head", "steps 0–100", "epochs 1–end · rate × 0.5"} <= set(words)
    assert "really frozen in the run on show" in words
    zero, end = words["0"], words["400"]
    boxes = [shape.box for shape in drawing.shapes if isinstance(shape, Rect)]
    shares = [((box[0] - zero) / (end - zero), box[2] / (end - zero)) for box in boxes[:3]]
    assert shares == [pytest.approx(pair) for pair in ((0, 0.25), (0, 0.1), (0.125, 0.875))]


def test_words_that_do_not_fit_a_bar_stand_beside_it_inside_the_picture() -> None:
    rows = timeline_rows(Timeline(bars=(Bar(start=398, stop=400),)), ["stem"], Span(400), None)
    drawing = timeline_drawing("", "", rows, 400, LIGHT)
    (text,) = [shape for shape in drawing.shapes if isinstance(shape, Text) and shape.words == "steps 398–400"]
    assert text.x + 60 < drawing.width
