from __future__ import annotations

import time
from pathlib import Path

import pytest
import torch
from PySide6.QtCore import QEvent, QObject, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QVBoxLayout, QWidget
from pytestqt.qtbot import QtBot

from freeze_gui.freezing.plan import FreezePlan, Phase
from freeze_gui.gui.curves import LayerPlot
from freeze_gui.gui.frame_pace import FramePace
from freeze_gui.gui.main_window import MainWindow
from freeze_gui.gui.painting import PaintOnce
from freeze_gui.gui.run_controller import RunController
from freeze_gui.runs.store import open_run
from freeze_gui.training.config import RunConfig, load_config
from freeze_gui.training.device import choose_threads
from tests.gui.conftest import RUN_MS, start_slowly, tree_index

pytestmark = pytest.mark.timeout(90)


def config(steps: int = 20, **freeze: object) -> RunConfig:
    return load_config(
        {"model": {"source": "builtin:five-linear"}, "freeze": freeze, "train": {"steps": steps, "threads": 1}}
    )


def steps_done(window: MainWindow) -> int:
    history = window.controller.recorders[0].history
    return history.steps if history is not None else 0


def test_stop_answers_within_one_step(qtbot: QtBot, window: MainWindow) -> None:
    start_slowly(qtbot, window)
    counted: list[int] = []
    # told after the controller, so that the wish stands when it is counted; a click itself may take several steps
    window.run_panel.stop_wanted.connect(lambda: counted.append(steps_done(window)))
    with qtbot.waitSignal(window.controller.run_ended, timeout=5000) as ended:
        QTest.mouseClick(window.run_panel.stop_button, Qt.MouseButton.LeftButton)
    assert ended.args[0]["status"] == "stopped"
    assert counted[0] <= ended.args[0]["steps"] <= counted[0] + 1   # the step under way, and no other


def test_pause_holds_a_single_step_takes_one_and_pause_again_goes_on(qtbot: QtBot, window: MainWindow) -> None:
    start_slowly(qtbot, window)
    QTest.mouseClick(window.run_panel.pause_button, Qt.MouseButton.LeftButton)
    qtbot.wait(100)
    held = steps_done(window)
    qtbot.wait(200)
    assert steps_done(window) == held
    assert window.controller.is_paused
    QTest.mouseClick(window.run_panel.step_button, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: steps_done(window) == held + 1, timeout=5000)
    qtbot.wait(100)
    assert steps_done(window) == held + 1
    QTest.mouseClick(window.run_panel.pause_button, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: steps_done(window) > held + 2, timeout=5000)


def test_a_tick_during_a_run_is_obeyed_by_the_next_step(qtbot: QtBot, window: MainWindow) -> None:
    start_slowly(qtbot, window)
    recorder = window.controller.recorders[0]
    index = tree_index(window, "head")
    window.layer_panel.model.setData(index, 2, Qt.ItemDataRole.CheckStateRole)
    assert recorder.history is not None
    history = recorder.history
    head = history.layers.index("head")
    qtbot.waitUntil(lambda: bool(recorder.frozen[head]), timeout=5000)
    assert any("froze" in text for _, text in history.markers)
    applied = history.markers[-1][0]
    qtbot.waitUntil(lambda: history.steps > applied + 3, timeout=5000)
    view = history.view()
    after = view.step >= applied
    assert view.frozen[after, head].all()
    assert (view.update_norm[after, head] == 0).all()
    with qtbot.waitSignal(window.controller.run_ended, timeout=RUN_MS) as ended:
        window.controller.stop()
    layer = next(layer for layer in ended.args[0]["layers"] if layer["path"] == "head")
    assert layer["frozen_steps"] == [[applied, ended.args[0]["steps"]]]
    assert layer["verdict"] == "held"


def test_one_run_at_a_time(qtbot: QtBot) -> None:
    controller = RunController()
    with qtbot.waitSignal(controller.run_ended, timeout=RUN_MS):
        assert controller.start(config())
        assert not controller.start(config())
        assert not controller.compare([config()])
    controller.close()


def test_the_window_leaves_torch_all_its_threads() -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    try:
        RunController()
        assert torch.get_num_threads() == 3
    finally:
        torch.set_num_threads(before)


def test_nothing_is_signalled_per_step(qtbot: QtBot) -> None:
    controller = RunController()
    ticks: list[float] = []
    controller.ticked.connect(lambda: ticks.append(time.perf_counter()))
    began = time.perf_counter()
    with qtbot.waitSignal(controller.run_ended, timeout=RUN_MS):
        controller.start(config(steps=400))
    assert len(ticks) <= (time.perf_counter() - began) / 0.033 + 3
    controller.close()


def test_a_run_that_cannot_begin_still_ends_with_a_summary(qtbot: QtBot) -> None:
    controller = RunController()
    wrong = config(layers=["no_such_layer"])
    with qtbot.waitSignal(controller.run_ended, timeout=RUN_MS) as ended:
        controller.start(wrong)
    assert ended.args[0]["status"] == "failed"
    assert "no_such_layer" in ended.args[0]["error"]
    controller.close()


def test_a_plan_without_a_run_is_passed_over(qtbot: QtBot) -> None:
    controller = RunController()
    controller.submit_plan(FreezePlan((Phase(frozenset({"head"})),)))
    controller.toggle_pause()
    controller.single_step()
    controller.stop()
    controller.close()
    assert not controller.is_running


def test_stopping_a_comparison_ends_every_run(qtbot: QtBot) -> None:
    controller = RunController()
    controller.set_pace(20)
    with qtbot.waitSignal(controller.comparison_ended, timeout=RUN_MS) as ended:
        controller.compare([config(), config().with_method("grad_none")])
        controller.stop()
    assert [run["summary"]["status"] for run in ended.args[0]["runs"]] == ["stopped", "stopped"]
    controller.close()


def test_runs_in_turns_come_to_what_they_come_to_one_after_another(qtbot: QtBot) -> None:
    controller = RunController()
    summaries = []
    for in_turns in (False, True):
        with qtbot.waitSignal(controller.comparison_ended, timeout=RUN_MS) as ended:
            controller.compare([config(), config().with_method("grad_zero")], in_turns=in_turns)
        summaries.append(ended.args[0])
    assert [summary["interleaved"] for summary in summaries] == [False, True]
    losses = [[run["summary"]["loss"] for run in summary["runs"]] for summary in summaries]
    assert losses[0] == losses[1]
    controller.close()


def test_a_small_network_trains_on_one_thread_and_a_large_one_on_all_that_are_given() -> None:
    torch.set_num_threads(3)
    assert choose_threads(46_869) == 1
    assert choose_threads(11_689_512) == 3


def test_a_run_says_where_it_is_kept_before_it_ends_and_when_all_is_there(qtbot: QtBot) -> None:
    controller = RunController()
    told: list[str] = []
    paths: list[Path] = []

    def on_kept(recorder: object, path: Path) -> None:
        told.append("kept")
        paths.append(path)

    controller.run_kept.connect(on_kept)
    controller.run_ended.connect(lambda summary: told.append("ended"))
    controller.runs_saved.connect(lambda: told.append("saved"))
    with qtbot.waitSignal(controller.runs_saved, timeout=RUN_MS):
        controller.start(config(steps=5))
    assert told == ["kept", "ended", "saved"]
    assert open_run(paths[0]).status == "completed"
    controller.close()


def test_a_run_that_is_not_to_be_kept_has_no_file(qtbot: QtBot, runs_in_a_folder_of_the_test: Path) -> None:
    controller = RunController()
    controller.keeps_runs = False
    with qtbot.waitSignal(controller.run_ended, timeout=RUN_MS):
        controller.start(config(steps=5))
    controller.close()
    assert not runs_in_a_folder_of_the_test.exists()


class Paintings(QObject):
    """Notes when a widget is painted."""

    def __init__(self, widget: QWidget, order: list[str]) -> None:
        super().__init__(widget)
        self.order = order
        widget.installEventFilter(self)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() == QEvent.Type.Paint:
            self.order.append("painted")
        return False


def test_a_frame_ends_when_all_that_it_changed_is_painted(qtbot: QtBot, monkeypatch: pytest.MonkeyPatch) -> None:
    window, order = QWidget(), list[str]()
    qtbot.addWidget(window)
    plot, controller = LayerPlot("grad_norm", "plot", window), RunController(window)
    QVBoxLayout(window).addWidget(plot)
    PaintOnce(window)
    window.show()
    qtbot.wait(100)
    Paintings(plot.viewport(), order)
    end = FramePace.end
    monkeypatch.setattr(FramePace, "end", lambda pace: order.append("ended") or end(pace))   # type: ignore[func-returns-value]
    for stop in (9.0, 7.0, 8.0):
        controller.ticked.connect(lambda stop=stop: plot.show_steps(3.0, stop))
        controller._tick()
        qtbot.wait(50)
        controller._timer.stop()
        assert order == ["painted", "ended"]
        order.clear()


def test_two_frames_that_come_before_either_is_painted_end_as_one(
    qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    parent, ended = QObject(), list[int]()
    controller = RunController(parent)
    end = FramePace.end
    monkeypatch.setattr(FramePace, "end", lambda pace: ended.append(end(pace)) or ended[-1])   # type: ignore[func-returns-value]
    controller._tick()
    controller._tick()
    qtbot.wait(50)
    assert len(ended) == 1
    controller._tick()
    qtbot.wait(50)
    assert len(ended) == 2
