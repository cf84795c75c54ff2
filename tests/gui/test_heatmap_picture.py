from __future__ import annotations

import numpy as np
from PySide6.QtGui import QImage
from PySide6.QtWidgets import QApplication

from freeze_gui.gui.heatmap_picture import HeatmapPicture
from freeze_gui.gui.palette import DARK, LIGHT
from freeze_gui.training.events import StepDone
from tests.gui.recorded_runs import add_steps, started_run

ARGUMENTS = ((200, 40), (0.0, 100.0), (-3.0, 1.0), range(4))


def drawn(picture: HeatmapPicture, key: object) -> QImage:
    picture.codes.look()
    picture.draw(key, *ARGUMENTS, LIGHT)
    assert picture.image is not None
    return picture.image.copy()


def test_a_picture_that_grew_equals_one_that_was_drawn_at_once(qapp: QApplication) -> None:
    run = started_run()
    assert run.history is not None
    growing = HeatmapPicture(run.history, "weight_delta")
    for count in (1, 3, 40, 1):
        add_steps(run, count, (0.1 * count, 1.0, 0.0, 5.0), frozen=[1], leaked=[1] if count == 3 else [])
        seen = drawn(growing, "same view")
        assert growing.is_drawn_for("same view")
        assert seen == drawn(HeatmapPicture(run.history, "weight_delta"), "other")


def test_where_the_interval_of_measuring_changes_a_picture_that_grows_has_no_gap(qapp: QApplication) -> None:
    run = started_run()
    assert run.history is not None
    growing = HeatmapPicture(run.history, "weight_delta")
    measured, frozen = {*range(20), 23, 31, 47, 49, 64}, np.zeros(4, bool)   # ever more seldom; at 49 a change
    for step in range(70):
        norms = np.array([0.1, 1.0, 2.0, 5.0]) + step / 50 if step in measured else None
        run.handle(StepDone(step, 1.0, None, norms, norms, norms, frozen, (), 0.01, 0.001, 0.1))
        seen = drawn(growing, "same view")
        assert seen == drawn(HeatmapPicture(run.history, "weight_delta"), "other")


def test_another_view_or_theme_is_drawn_from_the_beginning(qapp: QApplication) -> None:
    run = started_run()
    add_steps(run, 50, frozen=[0])
    assert run.history is not None
    picture = HeatmapPicture(run.history, "weight_delta")
    light = drawn(picture, "view")
    picture.forget()
    assert not picture.is_drawn_for("view")
    picture.draw("view", *ARGUMENTS, DARK)
    assert picture.image != light
