from __future__ import annotations

import csv
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from PySide6.QtGui import QGuiApplication, QImage
from PySide6.QtWidgets import QFileDialog, QMenu
from pytestqt.qtbot import QtBot

from freeze_gui.errors import UserError
from freeze_gui.gui import export_desk
from freeze_gui.gui.export_desk import NO_PLOT, NOTHING_YET
from freeze_gui.gui.main_window import MainWindow
from freeze_gui.gui.palette import DARK, LIGHT
from tests.gui.conftest import run_and_wait
from tests.gui.exporting import save_to

pytestmark = pytest.mark.timeout(90)


def test_every_plot_of_a_run_is_saved_as_png_svg_and_csv_and_copied(
    qtbot: QtBot, window: MainWindow, tmp_path: Path
) -> None:
    run_and_wait(qtbot, window, 20)
    plots, desk = window.run_plots, window.export_desk
    for widget, end in (
        (plots.heatmap, "weight-delta-heatmap"), (plots.weight_delta_plot, "weight-delta"),
        (plots.grad_norm_plot, "gradient-norm"), (plots.loss_plot, "loss-and-accuracy"),
    ):  # fmt: skip
        paths = {kind: tmp_path / f"{end}.{kind}" for kind in ("png", "svg", "csv")}
        for kind, path in paths.items():
            proposed = save_to(qtbot, window, lambda: desk.take(widget, kind), path)   # noqa: B023   # called at once
            assert proposed == f"digits-cnn-requires_grad-adam-{end}.{kind}"
            assert window.status_label.text() == f"Saved {path}"
        assert QImage(str(paths["png"])).width() == 1920
        assert ET.parse(paths["svg"]).getroot().tag.endswith("svg")
        with paths["csv"].open(newline="") as file:
            assert len(list(csv.reader(file))) >= 21
    desk.take(plots.loss_plot, "copy")
    qtbot.waitUntil(desk.busy.isHidden)
    assert QGuiApplication.clipboard().image().width() == 1920
    desk.take(plots.loss_plot, "copy_csv")
    qtbot.waitUntil(desk.busy.isHidden)
    assert QGuiApplication.clipboard().text().startswith("step,requires_grad loss")


def test_the_menu_takes_the_plot_that_had_the_keyboard(qtbot: QtBot, window: MainWindow) -> None:
    run_and_wait(qtbot, window, 5)
    menu = next(menu for menu in window.menuBar().findChildren(QMenu) if menu.title() == "E&xport")
    entry = next(action for action in menu.actions() if action.data() == "copy_csv")
    plots = window.run_plots
    for plot, head in ((plots.loss_plot, "step,requires_grad loss"), (plots.heatmap, "step,stem")):
        window.export_desk.on_focus_changed(None, plot)
        window.export_desk.on_focus_changed(plot, window.layer_panel.tree_view)   # and on to something else
        entry.trigger()
        qtbot.waitUntil(window.export_desk.busy.isHidden)
        assert QGuiApplication.clipboard().text().startswith(head)


def test_pictures_are_light_until_a_person_asks_for_dark_ones(qtbot: QtBot, window: MainWindow, tmp_path: Path) -> None:
    window.choose_theme("dark")
    run_and_wait(qtbot, window, 5)
    path = tmp_path / "loss.png"
    for dark, theme in ((False, LIGHT), (True, DARK)):
        window.export_desk.set_dark(dark)
        save_to(qtbot, window, lambda: window.export_desk.take(window.run_plots.loss_plot, "png"), path)
        assert QImage(str(path)).pixelColor(2, 2).name() == theme.plot_background
    window.choose_theme("light")


def test_what_cannot_be_written_is_one_sentence_and_leaves_what_was_there(
    qtbot: QtBot, window: MainWindow, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_and_wait(qtbot, window, 5)
    take = window.export_desk.take
    save_to(qtbot, window, lambda: take(window.run_plots.loss_plot, "svg"), tmp_path / "no such folder" / "a.svg")
    error = window.run_panel.error_label.text()
    assert "cannot be written" in error
    assert "a.svg" in error
    kept = tmp_path / "kept.svg"
    kept.write_text("old")

    def fails(path: Path, content: bytes) -> None:
        raise UserError(f"{path}: cannot be written (No space left on device)")

    monkeypatch.setattr(export_desk, "write_bytes", fails)
    save_to(qtbot, window, lambda: take(window.run_plots.loss_plot, "svg"), kept)
    assert "No space left" in window.run_panel.error_label.text()
    assert kept.read_text() == "old"
    assert [path.name for path in tmp_path.glob("*.svg*")] == ["kept.svg"]


def test_there_is_nothing_to_take_away_before_the_first_step(window: MainWindow) -> None:
    window.export_desk.take(window.run_plots.heatmap, "png")
    assert window.status_label.text() == NOTHING_YET
    window.export_desk.take_focused()
    assert window.status_label.text() == NO_PLOT
    assert window.findChild(QFileDialog, "exportDialog") is None


def test_tables_offer_their_cells(qtbot: QtBot, window: MainWindow, tmp_path: Path) -> None:
    run_and_wait(qtbot, window, 5)
    table = window.state_panel.table
    assert [action.data() for action in table.actions() if action.data()] == ["csv", "copy_csv"]
    window.code_tabs.setCurrentWidget(window.state_panel)
    window.state_panel.refresh()
    path = tmp_path / "state.csv"
    save_to(qtbot, window, lambda: window.export_desk.take(table, "csv"), path)
    with path.open(newline="") as file:
        rows = list(csv.reader(file))
    assert len(rows) == 1 + table.model().rowCount()
