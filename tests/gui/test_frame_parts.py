from __future__ import annotations

from collections import Counter

import pytest
from pytestqt.qtbot import QtBot

from freeze_gui.gui.compare_table_model import VERDICT
from freeze_gui.gui.frame_parts import FrameParts
from freeze_gui.gui.main_window import MainWindow
from freeze_gui.gui.run_controller import RunController
from freeze_gui.training.events import RunStarted
from tests.gui.recorded_runs import add_steps, started_run, waiting_run


class Part:
    def __init__(self, name: str) -> None:
        self.name = name

    def refresh(self) -> None:
        """Do nothing."""


def parts_of(count: int) -> FrameParts:
    return FrameParts([Part("heatmap"), Part("curves")], [Part(f"panel {at}") for at in range(count)])


def names(parts: FrameParts, is_running: bool, stage: object) -> list[str]:
    return [part.name for part in parts.next(is_running, stage) if isinstance(part, Part)]


def test_beside_the_training_two_of_three_frames_are_pictures_and_the_third_one_panel_in_turn() -> None:
    parts = parts_of(4)
    names(parts, True, "running")
    frames = [names(parts, True, "running") for _ in range(24)]
    drawn = Counter(" and ".join(frame) for frame in frames)
    assert drawn == {"heatmap and curves": 16, "panel 0": 2, "panel 1": 2, "panel 2": 2, "panel 3": 2}


def test_what_a_run_has_come_to_is_said_by_all_parts_at_once() -> None:
    parts = parts_of(2)
    everything = ["heatmap", "curves", "panel 0", "panel 1"]
    assert names(parts, True, [("waiting", False)]) == everything
    assert names(parts, True, [("waiting", False)]) != everything
    assert names(parts, True, [("running", False)]) == everything
    assert names(parts, True, [("running", True)]) == everything
    assert names(parts, True, [("running", True)]) != everything


def test_without_a_run_every_frame_draws_all_parts() -> None:
    parts = parts_of(2)
    assert all(len(names(parts, False, "ended")) == 4 for _ in range(5))


def test_a_run_that_has_begun_is_said_to_run_in_the_next_frame(
    qtbot: QtBot, window: MainWindow, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, begun = waiting_run(), started_run().started
    assert isinstance(begun, RunStarted)
    window.workbench.take_in([run], look=True)
    table = window.runs_table.runs_model
    with monkeypatch.context() as patch:
        patch.setattr(RunController, "is_running", property(lambda _: True))
        patch.setattr(window.controller, "recorders", [run])
        for _ in range(20):
            window.workbench.on_ticked()
        assert table.words(0, VERDICT) == "waiting"
        run.handle(begun)
        add_steps(run, 2, frozen=[0])
        window.workbench.on_ticked()
        assert table.words(0, VERDICT) == "running · held"
        assert "held so far: 1 layer" in window.verdict_panel.label.text()
