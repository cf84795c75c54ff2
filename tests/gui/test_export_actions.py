from __future__ import annotations

from PySide6.QtCore import QPoint
from PySide6.QtGui import QAction
from PySide6.QtTest import QSignalSpy
from PySide6.QtWidgets import QLabel, QMenu
from pytestqt.qtbot import QtBot

from freeze_gui.gui.export_actions import PLOT_ACTIONS, export_wishes


def test_every_entry_of_the_context_menu_says_which_widget_and_what(qtbot: QtBot) -> None:
    widget = QLabel("plot")
    qtbot.addWidget(widget)
    widget.show()
    export_wishes().offer(widget, PLOT_ACTIONS)
    spy = QSignalSpy(export_wishes().wanted)
    widget.customContextMenuRequested.emit(QPoint(3, 3))   # a right click, or the menu key
    menu = widget.findChild(QMenu, "exportMenu")
    assert isinstance(menu, QMenu)
    assert [action.text() for action in menu.actions()] == list(PLOT_ACTIONS.values())
    for action in menu.actions():
        action.trigger()
    assert [spy.at(at) for at in range(spy.count())] == [[widget, kind] for kind in PLOT_ACTIONS]
    menu.close()


def test_ctrl_c_copies_the_plot_that_has_the_keyboard_only(qtbot: QtBot) -> None:
    widget = QLabel("plot")
    qtbot.addWidget(widget)
    export_wishes().offer(widget, PLOT_ACTIONS)
    action = widget.findChild(QAction, "copyAction")
    assert isinstance(action, QAction)
    assert action.shortcut().toString() == "Ctrl+C"
    assert action.shortcutContext().name == "WidgetShortcut"
