"""What a person without a plan does to the window: one thing each, drawn from a seeded generator."""

from __future__ import annotations

import random

from PySide6.QtCore import QModelIndex, QPoint, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QComboBox, QDialog, QMenu, QWidget

from freeze_gui.gui.main_window import MainWindow

LEFT = Qt.MouseButton.LeftButton
MODIFIERS = (
    Qt.KeyboardModifier.NoModifier, Qt.KeyboardModifier.ShiftModifier, Qt.KeyboardModifier.ControlModifier,
)  # fmt: skip
KEYS = (
    Qt.Key.Key_Space, Qt.Key.Key_Up, Qt.Key.Key_Down, Qt.Key.Key_Left, Qt.Key.Key_Right, Qt.Key.Key_Return,
    Qt.Key.Key_Escape, Qt.Key.Key_Tab, Qt.Key.Key_A, Qt.Key.Key_Home, Qt.Key.Key_End, Qt.Key.Key_Backspace,
)  # fmt: skip

LEAVES = {"Quit", "Close"}
"""Actions and buttons that end the window."""


def row(window: MainWindow, choice: random.Random) -> QModelIndex:
    tree = window.layer_panel.model.tree
    assert tree is not None
    node = choice.choice(tree.nodes)
    return window.layer_panel.model.index_of(node)


def tick(window: MainWindow, choice: random.Random) -> None:
    index = row(window, choice)
    state = choice.choice([0, 2])
    if index.isValid():
        window.layer_panel.model.setData(index, state, Qt.ItemDataRole.CheckStateRole)


def click_tree(window: MainWindow, choice: random.Random) -> None:
    view = window.layer_panel.tree_view.viewport()
    at = QPoint(choice.randrange(max(view.width(), 1)), choice.randrange(max(view.height(), 1)))
    QTest.mouseClick(view, Qt.MouseButton.LeftButton, pos=at)


def press_key(window: MainWindow, choice: random.Random) -> None:
    targets: list[QWidget] = [window.layer_panel.tree_view, window.layer_panel.find_bar.edit, window.runs_table]
    targets += [window.run_plots.heatmap, window.run_panel.form.steps_edit]
    QTest.keyClick(choice.choice(targets), choice.choice(KEYS))


def type_find(window: MainWindow, choice: random.Random) -> None:
    texts = ["", "conv", "conv !bn", '"head"', "!", '"', "nothing", "3x"]
    window.layer_panel.find_bar.edit.setText(choice.choice(texts))


def choose(window: MainWindow, choice: random.Random) -> None:
    form = window.run_panel.form
    boxes: list[QComboBox] = [form.method_box, form.norm_box, form.optimizer_box, form.zero_grad_box, form.pace_box]
    boxes += [window.run_plots.metric_box, window.run_plots.smoothing_box]
    box = choice.choice(boxes)
    if box.isEnabled():
        box.setCurrentIndex(choice.randrange(box.count()))


def press_button(window: MainWindow, choice: random.Random) -> None:
    panel = window.run_panel
    button = choice.choice(
        [panel.run_button, panel.pause_button, panel.step_button, panel.stop_button, panel.compare_button]
    )
    QTest.mouseClick(button, Qt.MouseButton.LeftButton)
    for dialog in window.findChildren(QDialog):
        if dialog.isVisible():
            if choice.random() < 0.5:
                dialog.accept()
            else:
                dialog.reject()


def change_ticks(window: MainWindow, choice: random.Random) -> None:
    choose_in(window.layer_panel.actions_.menu, choice)


def choose_in(menu: QMenu, choice: random.Random) -> None:
    """Choose one of the actions of a menu, not of those in it.

    Which have a menu is asked of the menus: QAction.menu() destroys the one that it returns (PySide6 6.10.3).
    """
    menu.aboutToShow.emit()   # some are filled then
    inner = [submenu.menuAction() for submenu in menu.findChildren(QMenu)]
    possible = [action for action in menu.actions() if action.isEnabled() and not action.isSeparator()]
    possible = [action for action in possible if action not in inner and action.text().replace("&", "") not in LEAVES]
    if possible:
        choice.choice(possible).trigger()


def choose_view(window: MainWindow, choice: random.Random) -> None:
    window.tabs.setCurrentIndex(choice.randrange(3))
    heatmap = window.run_plots.heatmap
    QTest.mouseClick(heatmap, Qt.MouseButton.LeftButton, pos=QPoint(choice.randrange(400), choice.randrange(150)))


def edit_timeline(window: MainWindow, choice: random.Random) -> None:
    view, panel = window.timeline_panel.view, window.timeline_panel
    window.show_timeline_tab()
    if choice.random() < 0.3:
        QTest.mouseClick(choice.choice([panel.add_button, panel.remove_button, *panel.preset_buttons]), LEFT)
    elif choice.random() < 0.4:
        QTest.keyClick(view, choice.choice((*KEYS, Qt.Key.Key_Delete)), choice.choice(MODIFIERS))
    else:
        start, stop = (QPoint(choice.randrange(max(view.width(), 1)), choice.randrange(150)) for _ in range(2))
        QTest.mousePress(view, LEFT, pos=start)
        QTest.mouseMove(view, stop)
        QTest.mouseRelease(view, LEFT, pos=stop)
