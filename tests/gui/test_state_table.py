from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QSpinBox, QTableView
from pytestqt.qtbot import QtBot

from freeze_gui.gui.main_window import MainWindow
from freeze_gui.gui.state_rows import NONE, StateRow, note_on, state_view
from freeze_gui.gui.state_table import StatePanel
from freeze_gui.runs.recorder import RunRecorder
from freeze_gui.training.config import load_config
from freeze_gui.training.events import LayerRecord, RunEnded, RunStarted, StepDone
from freeze_gui.training.trainer import Trainer
from tests.gui.conftest import run_and_wait

NAN = float("nan")
NAMES = ("first.weight", "last.weight")


def started(optimizer: str = "Adam") -> RunRecorder:
    run = RunRecorder(load_config({"model": {"source": "builtin:digits-cnn"}, "optimizer": {"name": optimizer}}))
    layers = (LayerRecord("first", "Linear", 4), LayerRecord("last", "Linear", 4))
    run.handle(RunStarted(layers, 10, "cpu", None, {}, parameters=NAMES))
    return run


def step(run: RunRecorder, number: int, state: list[list[float]] | None, frozen: tuple[bool, bool]) -> None:
    norms = np.ones(2)
    table = None if state is None else np.array(state)
    flags = np.array(frozen)
    run.handle(StepDone(number, 1.0, None, norms, norms, norms, flags, (), 0.01, 0.0, 0.1, optimizer_state=table))


def two_task_run() -> RunRecorder:
    run = started()
    step(run, 0, [[1, 0.5, 0.25], [NAN, NAN, NAN]], (False, True))
    step(run, 1, [[1, 0.5, 0.25], [1, 0.0, 2.0]], (True, False))
    return run


def test_the_newest_state_is_shown_and_missing_is_not_zero() -> None:
    view = state_view(two_task_run())
    assert view.rows == (StateRow("first.weight", 1, 0.5, 0.25, True), StateRow("last.weight", 1, 0.0, 2.0, False))
    assert view.rows[1].texts() == ("last.weight", "1", "0", "2")


@pytest.mark.parametrize(
    ("norm", "text"), [(0.0, "0"), (0.00075, "7.5e-4"), (3.6e-7, "3.6e-7"), (0.0031, "0.0031"), (float("inf"), "inf")]
)
def test_a_norm_is_short_and_never_zero_unless_it_is(norm: float, text: str) -> None:
    assert StateRow("a", 1.0, norm, None, False).texts()[2] == text


def test_an_earlier_step_shows_what_was_there_then() -> None:
    view = state_view(two_task_run(), 0)
    assert view.rows == (StateRow("first.weight", 1, 0.5, 0.25, False), StateRow("last.weight", None, None, None, True))
    assert view.rows[1].texts() == ("last.weight", NONE, NONE, NONE)
    assert view.steps == (0, 1)


def test_a_run_without_tasks_says_that_its_state_comes_at_the_end() -> None:
    run = started()
    step(run, 0, None, (False, True))
    assert not state_view(run).rows
    assert "when the run ends" in state_view(run).note
    run.handle(RunEnded("completed", None, 1, optimizer_state=np.array([[3, 1.0, 1.0], [3, 1.0, 1.0]])))
    assert [row.step for row in state_view(run).rows] == [3, 3]
    assert [row.frozen for row in state_view(run).rows] == [False, True]


@pytest.mark.parametrize(
    ("state", "said"),
    [
        ([[NAN, NAN, NAN]], "SGD keeps no step count, no first moment and no second moment."),
        ([[1, NAN, 2.0]], "SGD keeps no first moment."),
        ([[NAN, 1.0, NAN]], "SGD keeps no step count and no second moment."),
    ],
)
def test_the_note_says_what_an_optimizer_does_not_keep(state: list[list[float]], said: str) -> None:
    assert note_on("SGD", np.array(state)) == said


def test_the_table_goes_back_in_time_follows_the_run_and_is_copied(qtbot: QtBot) -> None:
    panel = StatePanel()
    qtbot.addWidget(panel)
    panel.resize(300, 240)
    panel.show()
    run = two_task_run()
    panel.set_run(run)
    box = panel.findChild(QSpinBox, "stateStepBox")
    table = panel.findChild(QTableView, "optimizerStateTable")
    assert box is not None
    assert table is not None

    def cell(row: int, column: int) -> Any:
        return table.model().index(row, column).data()

    def is_frozen(row: int) -> bool:
        return str(table.model().index(row, 0).data(Qt.ItemDataRole.AccessibleTextRole)).endswith(", frozen")

    assert (box.value(), cell(1, 1)) == (1, "1")
    assert (is_frozen(0), is_frozen(1)) == (True, False)
    box.setValue(0)
    assert cell(1, 1) == NONE
    assert (is_frozen(0), is_frozen(1)) == (False, True)
    step(run, 2, [[2, 0.5, 0.25], [1, 0.0, 2.0]], (False, True))
    panel.refresh()
    assert (box.value(), box.maximum(), cell(0, 1)) == (0, 2, "1")   # stays where the person looks
    box.setValue(2)
    step(run, 3, [[3, 0.5, 0.25], [1, 0.0, 2.0]], (False, True))
    panel.refresh()
    assert (box.value(), cell(0, 1)) == (3, "3")                     # at the end it follows
    QTest.mouseClick(panel.copy_button, Qt.MouseButton.LeftButton)
    lines = QGuiApplication.clipboard().text().splitlines()
    assert lines[1].split("\t") == ["first.weight", "3", "0.5", "0.25", ""]
    assert lines[2].split("\t")[-1] == "frozen"


def test_a_hidden_table_has_the_state_once_the_run_has_ended(qtbot: QtBot) -> None:
    panel = StatePanel()
    qtbot.addWidget(panel)
    run = two_task_run()
    panel.set_run(run)
    assert panel.model.rowCount() == 0
    run.handle(RunEnded("completed", None, 2, optimizer_state=np.ones((2, 3))))
    panel.refresh()
    assert panel.model.rowCount() == 2


def test_the_moments_of_a_real_run_are_those_of_plain_pytorch() -> None:
    config = load_config({
        "model": {"source": "builtin:two-task"}, "optimizer": {"name": "Adam", "lr": 0.9},
        "freeze": {"task": [
            {"task": "task1", "layers": ["hidden_task2"]}, {"task": "task2", "layers": ["hidden_task1"]},
        ]},
        "train": {"steps": 3, "device": "cpu"},
    })  # fmt: skip
    run = RunRecorder(config)
    for event in Trainer(config).events():
        run.handle(event)
    names = run.started.parameters if run.started else ()
    assert names == ("hidden_task1.weight", "hidden_task2.weight", "output.weight")
    by_step = [[row.step for row in state_view(run, at).rows] for at in range(3)]
    # task1, task2, task1: requires_grad and zero_grad(set_to_none=True) let Adam pass over the other task's layer
    assert by_step == [[1, None, 1], [1, 1, 2], [2, 1, 3]]
    output = torch.tensor([state_view(run, at).rows[2].first_moment_norm for at in range(3)])
    assert (output > 0).all()


def test_the_tab_beside_the_code_shows_the_state_of_the_run_on_show(
    qtbot: QtBot, make_window: Callable[..., MainWindow]
) -> None:
    window = make_window()
    qtbot.waitUntil(lambda: window.run_panel.run_button.isEnabled(), timeout=20_000)
    run_and_wait(qtbot, window, 3)
    window.code_tabs.setCurrentWidget(window.state_panel)
    table = window.findChild(QTableView, "optimizerStateTable")
    assert table is not None
    steps = {table.model().index(row, 0).data(): table.model().index(row, 1).data() for row in range(3)}
    assert steps["stem.conv.weight"] == NONE   # frozen from the start: Adam never saw it
    run = window.controller.recorders[0].started
    assert run is not None
    assert window.state_panel.model.rowCount() == len(run.parameters)
