from __future__ import annotations

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtTest import QTest
from pytestqt.qtbot import QtBot

from freeze_gui.freezing.methods import METHODS, idiom
from freeze_gui.gui.code_panel import CodePanel
from freeze_gui.training.config import load_config


@pytest.fixture
def panel(qtbot: QtBot) -> CodePanel:
    panel = CodePanel()
    qtbot.addWidget(panel)
    panel.show()
    return panel


@pytest.mark.parametrize("method", METHODS)
def test_a_method_shows_its_idiom_and_what_it_does(panel: CodePanel, method: str) -> None:
    panel.show_method(method)
    assert panel.view.toPlainText() == idiom(METHODS[method])
    assert METHODS[method].label in panel.sentence.text()


def test_settings_of_the_loop_add_its_lines_and_go_with_them(panel: CodePanel) -> None:
    panel.show_method("grad_none")
    plain = {"model": {"source": "builtin:digits-cnn"}}
    panel.show_loop(load_config({**plain, "train": {"clip_grad_norm": 2.5, "accumulate": 4}}))
    code = panel.view.toPlainText()
    assert code.startswith(idiom(METHODS["grad_none"]))
    assert "clip_grad_norm_(model.parameters(), 2.5)" in code
    assert "/ len(micro_batches)" in code
    QTest.mouseClick(panel.copy_button, Qt.MouseButton.LeftButton)
    assert QGuiApplication.clipboard().text() == code
    panel.show_loop(load_config(plain))
    assert panel.view.toPlainText() == idiom(METHODS["grad_none"])
