from __future__ import annotations

import random
from collections.abc import Callable

import pytest
from PySide6.QtWidgets import QApplication, QDialog, QMenu, QWidget
from pytestqt.qtbot import QtBot

from freeze_gui.gui.main_window import MainWindow
from tests.gui import random_actions as do
from tests.gui.conftest import RUN_MS, run_and_wait

ACTIONS = 500


@pytest.mark.timeout(120)
def test_five_hundred_random_clicks_and_keys_leave_a_usable_window(qtbot: QtBot, window: MainWindow) -> None:
    choice = random.Random(20261121)
    actions: list[Callable[[MainWindow, random.Random], None]] = [
        do.tick, do.tick, do.click_tree, do.click_tree, do.press_key, do.press_key, do.type_find, do.choose,
        do.press_button, do.change_ticks, do.choose_view, do.edit_timeline,
    ]  # fmt: skip
    window.run_panel.form.steps_edit.setValue(100)
    window.run_panel.run_button.click()
    for count in range(ACTIONS):
        choice.choice(actions)(window, choice)
        for popup in (QApplication.activePopupWidget(),):
            if isinstance(popup, QMenu | QWidget):
                popup.close()
        if count % 5 == 0:
            qtbot.wait(10)
    window.controller.stop()
    qtbot.waitUntil(lambda: not window.controller.is_running, timeout=RUN_MS)
    for dialog in window.findChildren(QDialog):
        dialog.reject()
    assert len(window.workbench.runs) > 3   # it did run, over and over
    form = window.run_panel.form
    window.layer_panel.find_bar.edit.clear()
    window.layer_panel.actions_.choose_schedule("whole_run")
    window.layer_panel.model.change(frozenset({"stem.conv"}), "stem")
    form.optimizer_box.setCurrentIndex(form.optimizer_box.findText("Adam"))
    form.method_box.setCurrentIndex(form.method_box.findText("requires_grad"))
    form.pace_box.setCurrentIndex(0)
    form.learning_rate_edit.setText("0.001")
    assert run_and_wait(qtbot, window, steps=5)["status"] == "completed"
