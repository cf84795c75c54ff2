from __future__ import annotations

from pathlib import Path

import pytest
from PySide6.QtCore import QItemSelectionModel, QModelIndex, Qt
from PySide6.QtGui import QAction
from PySide6.QtTest import QTest
from pytestqt.qtbot import QtBot

from freeze_gui.gui.layer_cells import STATE, STATISTICS
from freeze_gui.gui.layer_look import RowLook
from freeze_gui.gui.main_window import MainWindow
from freeze_gui.gui.row_states import STATES
from tests.gui.conftest import tree_index

pytestmark = pytest.mark.timeout(60)


def names_shown(window: MainWindow) -> list[str]:
    rows, found = window.layer_panel.model, []

    def walk(parent: QModelIndex) -> None:
        for row in range(rows.rowCount(parent)):
            index = rows.index(row, 0, parent)
            found.append(str(index.data(Qt.ItemDataRole.UserRole)))
            walk(index)

    walk(QModelIndex())
    return found


def trigger(window: MainWindow, text: str) -> None:
    actions = window.layer_panel.actions_.menu.findChildren(QAction)
    next(action for action in actions if action.text().startswith(text)).trigger()


def select(window: MainWindow, *paths: str) -> None:
    model = window.layer_panel.tree_view.selectionModel()
    model.clearSelection()
    flags = QItemSelectionModel.SelectionFlag.Select | QItemSelectionModel.SelectionFlag.Rows
    for path in paths:
        model.select(tree_index(window, path), flags)


def test_space_ticks_the_current_row_and_ctrl_z_undoes_it(qtbot: QtBot, window: MainWindow) -> None:
    panel = window.layer_panel
    panel.tree_view.setCurrentIndex(tree_index(window, "head"))
    QTest.keyClick(panel.tree_view, Qt.Key.Key_Space)
    assert "head" in panel.model.layers
    panel.actions_.undo_action.trigger()
    assert "head" not in panel.model.layers
    panel.actions_.redo_action.trigger()
    assert "head" in panel.model.layers


def test_find_shows_matches_with_their_parents_and_freezes_them(qtbot: QtBot, window: MainWindow) -> None:
    panel = window.layer_panel
    panel.model.change(frozenset(), "nothing")
    panel.find_bar.edit.setText("conv !bn")
    qtbot.waitUntil(lambda: "stem.norm" not in names_shown(window))
    assert "stem.conv" in names_shown(window)
    assert "head" not in names_shown(window)
    assert panel.find_bar.freeze_button.text() == "Freeze matches (4)"
    QTest.mouseClick(panel.find_bar.freeze_button, Qt.MouseButton.LeftButton)
    assert panel.model.layers == {"stem.conv", "blocks.0.conv", "blocks.1.conv", "blocks.2.conv"}
    panel.find_bar.edit.clear()
    qtbot.waitUntil(lambda: "head" in names_shown(window))


def test_down_and_enter_in_the_find_box_go_from_match_to_match(qtbot: QtBot, window: MainWindow) -> None:
    panel = window.layer_panel
    panel.find_bar.edit.setText('"conv"')
    visited = []
    for key in (Qt.Key.Key_Down, Qt.Key.Key_Return, Qt.Key.Key_Down, Qt.Key.Key_Up):
        QTest.keyClick(panel.find_bar.edit, key)
        visited.append(panel.selected_nodes()[0].path)
    assert visited == ["stem.conv", "blocks.0.conv", "blocks.1.conv", "blocks.0.conv"]


def test_the_freeze_menu_does_what_it_says(window: MainWindow) -> None:
    model = window.layer_panel.model
    assert model.tree is not None
    select(window, "blocks.0")
    trigger(window, "Freeze up to here")
    assert model.layers == {"stem.conv", "stem.norm", "blocks.0.conv", "blocks.0.norm"}
    trigger(window, "Freeze only this")
    assert model.layers == {"blocks.0.conv", "blocks.0.norm"}
    trigger(window, "Freeze everything but this")
    assert model.layers == frozenset(model.tree.layers) - {"blocks.0.conv", "blocks.0.norm"}
    trigger(window, "Invert")
    assert model.layers == {"blocks.0.conv", "blocks.0.norm"}
    trigger(window, "Freeze all norm layers")
    assert "stem.norm" in model.layers
    trigger(window, "From scratch")
    assert model.layers == frozenset()
    trigger(window, "Only the head trains")
    assert model.layers == frozenset(model.tree.layers) - {"head"}
    trigger(window, "First 1")
    assert model.layers == {"stem.conv", "stem.norm"}
    trigger(window, "Everything is frozen")
    assert model.layers == frozenset(model.tree.layers)


def test_chosen_rows_are_what_the_plots_show_and_back(window: MainWindow) -> None:
    select(window, "stem", "head")
    assert window.layer_panel.selected_layers() == ["stem.conv", "stem.norm", "head"]
    window.run_plots.layer_clicked.emit("blocks.2.conv")
    assert window.layer_panel.selected_layers() == ["blocks.2.conv"]


def test_the_lines_under_the_tree_follow_the_ticks_and_forecast_leaks(qtbot: QtBot, window: MainWindow) -> None:
    panel = window.layer_panel
    panel.model.change(frozenset(), "nothing")
    assert panel.status_label.text().startswith("100 % trainable")
    qtbot.waitUntil(lambda: panel.cost_label.text().endswith("±0\N{NO-BREAK SPACE}%"), timeout=10_000)
    assert panel.warning_label.isHidden()
    panel.model.change(frozenset({"stem.norm"}), "norm")
    assert "stem.norm" in panel.status_label.text()
    leak = "Will leak: 1 frozen layer, by running statistics"
    qtbot.waitUntil(lambda: leak in panel.warning_label.text(), timeout=10_000)
    norm = window.run_panel.form.norm_box
    norm.setCurrentIndex(norm.findText("eval"))
    qtbot.waitUntil(lambda: leak not in panel.warning_label.text(), timeout=10_000)


def test_the_forecast_knows_what_the_optimizer_does_to_a_zeroed_gradient(qtbot: QtBot, window: MainWindow) -> None:
    form = window.run_panel.form
    form.optimizer_box.setCurrentIndex(form.optimizer_box.findText("AdamW"))
    form.method_box.setCurrentIndex(form.method_box.findText("grad_zero"))
    qtbot.waitUntil(lambda: "weight decay" in window.layer_panel.warning_label.text(), timeout=10_000)


def test_an_emptied_find_box_leaves_the_same_rows_open_as_before(window: MainWindow) -> None:
    panel = window.layer_panel
    panel.tree_view.setExpanded(tree_index(window, "blocks.1"), False)
    for text in ("zzz", "conv", ""):
        panel.find_bar.edit.setText(text)
        panel.find_bar.find_layers()
    assert panel.tree_view.isExpanded(tree_index(window, "blocks.0"))
    assert panel.tree_view.isExpanded(tree_index(window, "stem"))
    assert not panel.tree_view.isExpanded(tree_index(window, "blocks.1"))


def test_what_the_find_box_hides_is_no_longer_selected_and_what_it_shows_is(window: MainWindow) -> None:
    panel = window.layer_panel
    panel.tree_view.setCurrentIndex(tree_index(window, "blocks.0.conv"))
    panel.find_bar.edit.setText("conv")
    panel.find_bar.find_layers()
    assert panel.selected_layers() == ["blocks.0.conv"]
    told: list[list[str]] = []
    panel.selection_changed.connect(told.append)
    panel.find_bar.edit.setText("head")
    panel.find_bar.find_layers()
    assert panel.selected_layers() == []
    assert told == [[]]


def test_running_statistics_have_a_column_only_where_a_layer_has_any(qtbot: QtBot, window: MainWindow) -> None:
    view, desk = window.layer_panel.tree_view, window.workbench.desk
    assert not view.isColumnHidden(STATISTICS)   # digits-cnn has batch norms
    for source, hidden in (("builtin:two-task", True), ("builtin:digits-cnn", False)):
        with qtbot.waitSignal(desk.model_opened, timeout=20_000):
            desk.show_model(source)
        assert view.isColumnHidden(STATISTICS) is hidden
        assert view.header().length() == view.viewport().width()


def test_the_state_of_a_row_is_never_cut(window: MainWindow) -> None:
    view = window.layer_panel.tree_view
    look = RowLook(view, 24)
    room = view.columnWidth(STATE) - look.text_after_mark_at - look.text_at
    assert [state.words for state in STATES if look.text(state.words, room)[0].text() != state.words] == []


def test_one_layer_is_no_plural(qtbot: QtBot, window: MainWindow, tmp_path: Path) -> None:
    file = tmp_path / "net.py"
    file.write_text("import torch\ndef build():\n    return torch.nn.Linear(1, 1, bias=False)\n")
    window.settings.trust(file)
    with qtbot.waitSignal(window.workbench.desk.model_opened, timeout=20_000):
        window.workbench.desk.show_model(f"file:{file}:build")
    assert window.status_label.text().startswith(f"file:{file}:build: 1 layer, 1 parameter;")
