"""Tests of the window that is built part by part, as the program starts it."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QWidget
from pytestqt.qtbot import QtBot

from freeze_gui.gui.main_window import MainWindow
from freeze_gui.gui.settings import Settings


def test_all_that_will_be_seen_is_styled_and_laid_out_before_the_window_is_shown(
    qtbot: QtBot, tmp_path: Path, runs_in_a_folder_of_the_test: Path
) -> None:
    window = MainWindow(Settings(tmp_path / "settings.ini"), at_once=False)
    qtbot.addWidget(window)
    while window.build_next():
        assert not window.isVisible()
    assert window.tabs.currentWidget() is window.gallery   # a first start
    for part in (window.run_panel, window.layer_panel, window.gallery, window.verdict_panel, window.runs_panel):
        seen = [child for child in part.findChildren(QWidget) if child.isVisibleTo(window)]
        assert seen
        assert all(child.testAttribute(Qt.WidgetAttribute.WA_WState_Polished) for child in seen)
    before = {card.card.number: card.geometry() for card in window.gallery.cards}
    window.show()
    assert {card.card.number: card.geometry() for card in window.gallery.cards} == before
    window.close()
