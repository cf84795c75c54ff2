from __future__ import annotations

from PySide6.QtCore import QItemSelectionModel, Qt
from PySide6.QtTest import QTest
from pytestqt.qtbot import QtBot

from freeze_gui.gui.compare_columns import COLUMNS, column_at
from freeze_gui.gui.compare_table_panel import RunsPanel
from tests.gui.recorded_runs import three_runs


def shown(qtbot: QtBot) -> RunsPanel:
    panel = RunsPanel()
    qtbot.addWidget(panel)
    panel.resize(1264, 150)
    panel.show()
    panel.table.set_runs(three_runs())
    return panel


def test_the_columns_that_are_there_at_first_have_room_in_the_smallest_window(qtbot: QtBot) -> None:
    panel = shown(qtbot)
    assert panel.table.horizontalHeader().length() <= panel.table.viewport().width()
    last = len(COLUMNS) - 1
    assert panel.table.columnWidth(last) >= 80   # a word of it, in whatever font an earlier test has left


def test_typing_into_the_search_leaves_what_matches(qtbot: QtBot) -> None:
    panel = shown(qtbot)
    QTest.keyClicks(panel.search_edit, "excl")
    assert panel.table.model().rowCount() == 1


def test_diff_only_is_told_to_the_table_and_to_others(qtbot: QtBot) -> None:
    panel = shown(qtbot)
    with qtbot.waitSignal(panel.diff_only_toggled) as toggled:
        QTest.mouseClick(panel.diff_button, Qt.MouseButton.LeftButton)
    assert toggled.args == [True] and panel.table.columns.diff_only


def test_two_selected_runs_can_be_set_side_by_side_and_one_cannot(qtbot: QtBot) -> None:
    panel = shown(qtbot)
    panel.table.select_run(2)
    assert not panel.beside_button.isEnabled()
    flags = QItemSelectionModel.SelectionFlag.Select | QItemSelectionModel.SelectionFlag.Rows
    panel.table.selectionModel().select(panel.table.model().index(0, 0), flags)
    with qtbot.waitSignal(panel.side_by_side_wanted) as wanted:
        QTest.mouseClick(panel.beside_button, Qt.MouseButton.LeftButton)
    assert wanted.args == [[2, 0]]


def test_a_column_is_chosen_in_the_menu(qtbot: QtBot) -> None:
    panel = shown(qtbot)
    action = next(found for found in panel.columns_menu.actions() if found.data() == "spread")
    assert panel.table.isColumnHidden(column_at("spread"))
    action.trigger()
    assert not panel.table.isColumnHidden(column_at("spread"))
    panel.set_shown_keys(["loss", "a column of another version"])
    assert not action.isChecked() and panel.table.columns.shown_keys == {"run", "loss"}
