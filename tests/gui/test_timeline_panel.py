from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QComboBox, QLineEdit, QPushButton, QTableWidget, QWidget
from pytestqt.qtbot import QtBot
from torch import nn

from freeze_gui.freezing.plan import FreezeSettings
from freeze_gui.gui.layer_cells import STATE
from freeze_gui.gui.main_window import MainWindow
from freeze_gui.gui.timeline_geometry import AXIS_HEIGHT, BAR_HEIGHT, BAR_TOP, ROW_HEIGHT
from freeze_gui.gui.timeline_state import Bar, whole_run
from freeze_gui.models.layer_tree import build_tree
from tests.gui.conftest import RUN_MS, run_and_wait, start_slowly, tree_index

pytestmark = pytest.mark.timeout(90)

LEFT = Qt.MouseButton.LeftButton
BODY = ("stem", "blocks.0", "blocks.1", "blocks.2")
PHASES = '[[freeze.phase]]\nlayers = ["stem"]\nto = 10\n[[freeze.phase]]\nlayers = ["blocks.0"]\nfrom = 5\nto = 15\n'


@pytest.fixture
def window(window: MainWindow) -> MainWindow:
    window.resize(1440, 900)
    window.show_timeline_tab()
    window.run_panel.form.steps_edit.setValue(100)
    window.layer_panel.model.change(frozenset({"stem.conv", "stem.norm"}), "stem")
    return window


def press(window: MainWindow, name: str) -> None:
    button = window.findChild(QPushButton, name)
    assert button is not None
    QTest.mouseClick(button, LEFT)


def freeze(window: MainWindow) -> FreezeSettings:
    return window.workbench.desk.config().freeze


def ticks(window: MainWindow) -> frozenset[str]:
    return window.layer_panel.model.layers


def drag(window: MainWindow, row: int, start: float, stop: float) -> None:
    """Drag in a row from one step to another; where they are follows from the widths of labels and margin."""
    view = window.timeline_panel.view
    left = min(max(0.3 * view.width(), 96), 220)
    step_px = (view.width() - 22 - left) / 100
    y = round(AXIS_HEIGHT + row * ROW_HEIGHT + BAR_TOP + BAR_HEIGHT / 2)
    points = [QPoint(round(left + at * step_px), y) for at in (start, (start + stop) / 2, stop)]
    QTest.mousePress(view, LEFT, pos=points[0])
    QTest.mouseMove(view, points[1])
    QTest.mouseMove(view, points[2])
    QTest.mouseRelease(view, LEFT, pos=points[2])


def type_into(window: MainWindow, name: str, text: str) -> None:
    edit = window.findChild(QLineEdit, name)
    assert edit is not None
    edit.setText(text)
    QTest.keyClick(edit, Qt.Key.Key_Return)


def open_text(window: MainWindow, tmp_path: Path, text: str) -> None:
    path = tmp_path / "config.toml"
    path.write_text('[model]\nsource = "builtin:digits-cnn"\n' + text)
    window.menus.open_path(path)
    assert window.run_panel.error_label.text() == ""


def frozen_steps(summary: dict[str, Any], layer: str) -> list[list[int]]:
    found: list[list[int]] = next(row["frozen_steps"] for row in summary["layers"] if row["path"] == layer)
    return found


def test_every_widget_that_checks_rely_on_has_its_name(window: MainWindow) -> None:
    names = ["addPhaseButton", "removePhaseButton", "gradualButton", "headFirstButton", "phaseFromEdit", "phaseToEdit"]
    for name in [*names, "timelineView", "phaseUnitBox", "phaseFactorEdit", "phaseTable", "wholeRunButton"]:
        assert window.findChild(QWidget, name) is not None, name


def test_a_dragged_end_is_the_end_of_the_configuration_and_of_the_run(qtbot: QtBot, window: MainWindow) -> None:
    drag(window, 0, 100, 40)
    assert (freeze(window).from_step, freeze(window).to_step) == (0, 40)
    drag(window, 0, 0, 15)
    assert (freeze(window).from_step, freeze(window).to_step) == (15, 40)
    summary = run_and_wait(qtbot, window)
    assert frozen_steps(summary, "stem.conv") == [[15, 40]]
    assert frozen_steps(summary, "head") == []


def test_ctrl_z_undoes_bars_and_ticks_in_the_order_in_which_they_changed(window: MainWindow) -> None:
    drag(window, 0, 100, 40)
    window.layer_panel.model.change(frozenset({"head"}), "head")
    press(window, "addPhaseButton")
    undo = window.layer_panel.actions_.undo_action
    undo.trigger()
    assert len(window.layer_panel.model.plan.timeline.bars) == 1
    undo.trigger()
    assert ticks(window) == {"stem.conv", "stem.norm"}
    assert freeze(window).to_step == 40
    undo.trigger()
    assert freeze(window).to_step is None
    window.layer_panel.actions_.redo_action.trigger()
    assert freeze(window).to_step == 40


def test_a_key_that_repeats_is_one_step_to_undo(window: MainWindow) -> None:
    drag(window, 0, 100, 40)
    for _ in range(5):
        QTest.keyClick(window.timeline_panel.view, Qt.Key.Key_Right)
    assert (freeze(window).from_step, freeze(window).to_step) == (5, 45)
    window.layer_panel.actions_.undo_action.trigger()
    assert (freeze(window).from_step, freeze(window).to_step) == (0, 40)


def test_the_ticks_are_those_of_the_selected_phase(window: MainWindow) -> None:
    drag(window, 0, 100, 40)
    press(window, "addPhaseButton")
    label = window.layer_panel.phase_label
    assert label.isVisible()
    assert label.text() == "Ticks: phase 2 of 2, steps 40–end"
    window.layer_panel.model.change(frozenset({"head"}), "head")
    view = window.timeline_panel.view
    QTest.mouseClick(view, LEFT, pos=QPoint(20, round(AXIS_HEIGHT + 10)))
    assert ticks(window) == {"stem.conv", "stem.norm"}
    assert label.text() == "Ticks: phase 1 of 2, steps 0–40"
    assert [(phase.layers, phase.start, phase.stop) for phase in freeze(window).phases] == [
        (("stem",), 0, 40), (("head",), 40, None),
    ]  # fmt: skip
    assert tree_index(window, "head", STATE).data() == "frozen in phases"
    QTest.keyClick(view, Qt.Key.Key_Delete)
    assert ticks(window) == {"head"}
    assert freeze(window).from_step == 40


def test_an_empty_phase_is_no_part_of_a_run(qtbot: QtBot, window: MainWindow) -> None:
    press(window, "addPhaseButton")
    window.layer_panel.model.change(frozenset(), "nothing")
    assert freeze(window).layers == ("stem",)
    assert freeze(window).phases == ()
    assert run_and_wait(qtbot, window, steps=5)["status"] == "completed"


def test_an_empty_timeline_says_what_to_do(window: MainWindow) -> None:
    press(window, "removePhaseButton")
    view = window.timeline_panel.view
    assert view.accessibleDescription() == "Nothing is frozen: tick layers in the tree, or choose a preset"
    assert freeze(window).layers == ()
    assert not window.timeline_panel.remove_button.isEnabled()


def test_presets_thaw_block_after_block(qtbot: QtBot, window: MainWindow) -> None:
    press(window, "gradualButton")
    # 100 steps in five stages of 20
    assert [(phase.layers, phase.stop) for phase in freeze(window).phases] == [
        (("stem",), 80), (("blocks.0",), 60), (("blocks.1",), 40), (("blocks.2",), 20),
    ]  # fmt: skip
    summary = run_and_wait(qtbot, window)
    for layer, stop in zip(BODY, (80, 60, 40, 20), strict=True):
        assert frozen_steps(summary, f"{layer}.conv") == [[0, stop]]
    press(window, "headFirstButton")
    first, last = freeze(window).phases
    assert (first.layers, first.stop, first.lr_factor) == (("stem", "blocks.0", "blocks.1"), None, 1.0)
    assert (last.layers, last.stop, last.lr_factor) == (("blocks.2",), 50, 0.1)
    press(window, "wholeRunButton")
    assert freeze(window).layers == ("stem", "blocks.0", "blocks.1")
    assert not window.layer_panel.phase_label.isVisible()


def test_exact_numbers_can_be_typed(window: MainWindow) -> None:
    type_into(window, "phaseFromEdit", "12")
    type_into(window, "phaseToEdit", "34")
    assert window.layer_panel.model.plan.timeline.bar == Bar(ticks(window), 12, 34)
    type_into(window, "phaseFactorEdit", "0.1")
    assert freeze(window).phases[0].lr_factor == 0.1
    type_into(window, "phaseToEdit", "end")
    assert freeze(window).phases[0].stop is None


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("phaseFromEdit", "-3", "From = -3: must be a whole number"),
        ("phaseToEdit", "soon", 'or "end"'),
        ("phaseToEdit", "1", "must be at least From (5)"),
        ("phaseFactorEdit", "0", "above 0"),
        ("phaseFactorEdit", "inf", "above 0"),
    ],
)
def test_a_wrong_number_is_one_sentence_and_changes_nothing(
    window: MainWindow, name: str, text: str, words: str
) -> None:
    type_into(window, "phaseFromEdit", "5")
    before = window.layer_panel.model.plan.timeline
    type_into(window, name, text)
    label = window.timeline_panel.form.error_label
    assert label.isVisible()
    assert words in label.text()
    edit = window.findChild(QLineEdit, name)
    assert edit is not None
    assert edit.property("invalid")
    assert window.layer_panel.model.plan.timeline == before


def test_enter_on_a_bar_goes_to_its_numbers(qtbot: QtBot, window: MainWindow) -> None:
    window.activateWindow()
    view = window.timeline_panel.view
    view.setFocus()
    QTest.keyClick(view, Qt.Key.Key_Return)
    qtbot.waitUntil(window.timeline_panel.form.from_edit.hasFocus)


def test_a_phase_in_epochs_holds_for_whole_epochs(qtbot: QtBot, window: MainWindow) -> None:
    started = run_and_wait(qtbot, window, steps=3)
    epoch = window.controller.recorders[0].started
    assert started["status"] == "completed"
    assert epoch is not None
    steps = epoch.epoch_steps
    assert steps is not None
    assert window.layer_panel.model.plan.span.epoch_steps == steps   # a run has said how long an epoch is
    window.run_panel.form.steps_edit.setValue(3 * steps)
    box = window.findChild(QComboBox, "phaseUnitBox")
    assert box is not None
    window.show_timeline_tab()
    box.setCurrentIndex(box.findData("epoch"))
    type_into(window, "phaseFromEdit", "1")
    type_into(window, "phaseToEdit", "2")
    assert freeze(window).phases[0].unit == "epoch"
    summary = run_and_wait(qtbot, window)
    assert frozen_steps(summary, "stem.conv") == [[steps, 2 * steps]]


def test_a_bar_dragged_during_a_run_is_obeyed_and_other_phases_live_on(
    qtbot: QtBot, window: MainWindow, tmp_path: Path
) -> None:
    open_text(window, tmp_path, PHASES + "[train]\nsteps = 100\n")
    start_slowly(qtbot, window)
    window.show_timeline_tab()
    qtbot.waitUntil(lambda: window.timeline_panel.view._actual is not None)
    actual = window.timeline_panel.view._actual
    assert actual is not None
    assert actual.live
    drag(window, 1, 15, 60)   # the end of the second phase, while it has hardly begun
    type_into(window, "phaseFromEdit", "50")
    window.run_panel.form.pace_box.setCurrentIndex(0)
    with qtbot.waitSignal(window.controller.run_ended, timeout=RUN_MS) as ended:
        window.controller.control.resume()   # type: ignore[union-attr]
    summary = ended.args[0]
    assert frozen_steps(summary, "stem.conv") == [[0, 10]]
    assert frozen_steps(summary, "blocks.0.conv")[-1] == [50, 60]


def test_a_tick_during_a_run_changes_the_selected_phase_alone(
    qtbot: QtBot, window: MainWindow, tmp_path: Path
) -> None:
    open_text(window, tmp_path, '[[freeze.phase]]\nlayers = ["stem"]\n[[freeze.phase]]\nlayers = ["blocks.0"]\n'
              "from = 40\n[train]\nsteps = 60\n")
    start_slowly(qtbot, window)
    window.layer_panel.model.change(ticks(window) | {"head"}, "head")
    window.run_panel.form.pace_box.setCurrentIndex(0)
    with qtbot.waitSignal(window.controller.run_ended, timeout=RUN_MS) as ended:
        pass
    summary = ended.args[0]
    assert frozen_steps(summary, "stem.conv") == [[0, 60]]
    assert frozen_steps(summary, "blocks.0.conv") == [[40, 60]]
    (start, stop), = frozen_steps(summary, "head")
    assert 3 <= start < 60
    assert stop == 60


def test_a_factor_that_is_typed_during_a_run_is_said_to_wait(qtbot: QtBot, window: MainWindow) -> None:
    start_slowly(qtbot, window)
    type_into(window, "phaseToEdit", "90")
    assert "factors" not in window.status_label.text()
    type_into(window, "phaseFactorEdit", "0.5")
    assert "the new factors count from the next run on" in window.status_label.text()
    window.controller.stop()
    qtbot.waitUntil(lambda: not window.controller.is_running, timeout=RUN_MS)


def test_tasks_have_rows_of_their_own_and_survive_ticks(window: MainWindow, tmp_path: Path) -> None:
    path = tmp_path / "tasks.toml"
    path.write_text(
        '[model]\nsource = "builtin:two-task"\n[[freeze.task]]\ntask = "task1"\nlayers = ["hidden_task2"]\n'
    )
    window.menus.open_path(path)
    assert "In the steps of task task1: hidden_task2" in window.timeline_panel.view.accessibleDescription()
    assert tree_index(window, "hidden_task2", STATE).data() == "frozen by task"
    window.layer_panel.model.change(frozenset({"output"}), "output")
    assert freeze(window).layers == ("output",)
    assert freeze(window).tasks[0].layers == ("hidden_task2",)
    press(window, "gradualButton")
    assert freeze(window).tasks[0].layers == ("hidden_task2",)


def test_the_table_says_what_the_drawing_shows(qtbot: QtBot, window: MainWindow) -> None:
    drag(window, 0, 100, 40)
    press(window, "addPhaseButton")
    run_and_wait(qtbot, window)
    window.show_timeline_tab()
    window.timeline_panel.table_button.click()
    table = window.findChild(QTableWidget, "phaseTable")
    assert table is not None
    model = table.model()
    rows = [[model.index(row, column).data() for column in range(7)] for row in range(table.rowCount())]
    assert rows == [
        ["1", "stem", "0", "40", "step", "1", "0–100"],   # it was frozen by the other phase too
        ["2", "stem", "40", "end", "step", "1", "0–100"],
    ]
    table.selectRow(0)
    assert window.layer_panel.model.plan.timeline.selected == 0


def test_a_phase_chosen_by_keys_comes_into_view(window: MainWindow) -> None:
    panel = window.timeline_panel
    for _ in range(20):
        press(window, "addPhaseButton")
    for _ in range(20):
        QTest.keyClick(panel.view, Qt.Key.Key_Up)
    assert panel.scroll_area.verticalScrollBar().value() == 0
    for _ in range(20):
        QTest.keyClick(panel.view, Qt.Key.Key_Down)
    bottom = panel.view.y() + AXIS_HEIGHT + 21 * ROW_HEIGHT
    assert bottom <= panel.scroll_area.viewport().height()


def test_a_run_leaves_the_timeline_in_view(qtbot: QtBot, window: MainWindow) -> None:
    run_and_wait(qtbot, window, steps=3)
    assert window.tabs.currentWidget() is window.timeline_panel


def test_the_window_has_room_on_a_small_screen(qtbot: QtBot, window: MainWindow) -> None:
    assert window.timeline_panel.minimumSizeHint().width() < 720
    window.timeline_panel.resize(500, 400)
    for button in window.timeline_panel.preset_buttons:
        assert button.mapTo(window.timeline_panel, button.rect().bottomRight()).x() < 500


def test_a_model_without_blocks_below_its_head_has_no_presets(window: MainWindow) -> None:
    window.layer_panel.set_tree(build_tree(nn.Linear(2, 2)), whole_run(frozenset()))
    assert not any(button.isEnabled() for button in window.timeline_panel.preset_buttons[:2])
