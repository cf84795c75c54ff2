from __future__ import annotations

from PySide6.QtWidgets import QMenu

from freeze_gui.gui.export_actions import PLOT_ACTIONS
from freeze_gui.gui.main_window import MainWindow


def test_everything_that_can_be_taken_away_is_in_one_menu_and_reached_by_keys(window: MainWindow) -> None:
    menu = next(menu for menu in window.menuBar().findChildren(QMenu) if menu.title() == "E&xport")
    assert [action.data() for action in menu.actions() if action.data()] == list(PLOT_ACTIONS)
    texts = {action.text(): action.shortcut().toString() for action in menu.actions() if action.text()}
    assert texts["Run as PyTorch script…"] == "Ctrl+E"
    assert texts["Plot as PNG…"] == "Ctrl+P"
    assert {"Comparison as HTML report…", "Summary as JSON…", "Configuration as TOML…"} <= set(texts)
    dark = next(action for action in menu.actions() if action.objectName() == "darkPicturesAction")
    dark.trigger()
    assert window.export_desk.in_dark
