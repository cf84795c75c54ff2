"""Drives the real window and takes the pictures of the README; with FREEZE_GUI_SCREENSHOTS=1 they go to resources."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from PySide6.QtWidgets import QWidget
from pytestqt.qtbot import QtBot

from freeze_gui.gui.main_window import MainWindow
from freeze_gui.gui.theme import Choice
from freeze_gui.resources import resource_path
from freeze_gui.runs.grid import Axes
from tests.gui.conftest import RUN_MS, run_and_wait

pytestmark = pytest.mark.timeout(120)


def _folder(tmp_path: Path) -> Path:
    if os.environ.get("FREEZE_GUI_SCREENSHOTS") == "1":
        return resource_path("icons").parent / "screenshots"
    return tmp_path


def _take(widget: QWidget, path: Path) -> None:
    image = widget.grab().toImage()
    colours = {image.pixel(x, y) for x in range(0, image.width(), 7) for y in range(0, image.height(), 7)}
    assert len(colours) > 50   # not blank: text, curves and heatmap alone give more
    assert image.save(str(path))


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_pictures_of_the_readme_are_taken_from_the_real_window(
    qtbot: QtBot, window: MainWindow, tmp_path: Path, theme: Choice
) -> None:
    folder = _folder(tmp_path)
    folder.mkdir(exist_ok=True)
    window.choose_theme(theme)
    window.resize(1440, 900)
    assert run_and_wait(qtbot, window)["status"] == "completed"
    window.layer_panel.tree_view.clearSelection()
    qtbot.wait(100)
    _take(window, folder / f"{theme}.png")
    with qtbot.waitSignal(window.controller.comparison_ended, timeout=RUN_MS):
        window.workbench.compare(Axes(methods=["requires_grad", "grad_zero", "eval_only"]))
    qtbot.wait(100)
    _take(window, folder / f"compare-{theme}.png")
