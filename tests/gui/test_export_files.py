from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication, QImage
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QFileDialog
from pytestqt.qtbot import QtBot

from freeze_gui.gui.export_files import BUSY, NO_REPORT, NO_SUMMARY
from freeze_gui.gui.export_script import ScriptDialog
from freeze_gui.gui.main_window import MainWindow
from freeze_gui.runs.grid import Axes
from freeze_gui.runs.script import make_script
from freeze_gui.training.config import load_config
from tests.gui.conftest import RUN_MS, run_and_wait, start_slowly
from tests.gui.exporting import save_to

pytestmark = pytest.mark.timeout(120)


def test_a_run_is_taken_away_as_script_report_table_summary_and_configuration(
    qtbot: QtBot, window: MainWindow, tmp_path: Path
) -> None:
    summary = run_and_wait(qtbot, window, 5)
    exports, stem = window.exports, "digits-cnn-requires_grad-adam"
    script = tmp_path / "run.py"
    assert save_to(qtbot, window, exports.save_script, script) == f"{stem}.py"
    assert script.read_text() == make_script(load_config(summary["config"])).text
    weights = script.with_suffix(".pt")
    assert window.status_label.text() == f"Saved {script} and {weights}"
    assert weights.exists()
    report = tmp_path / "report.html"
    assert save_to(qtbot, window, exports.save_report, report) == f"{stem}-report.html"
    assert report.read_text().lower().startswith("<!doctype html>")
    assert window.compare_view.recorders == []   # the run on show is reported though it stands beside no other
    table = tmp_path / "runs.csv"
    save_to(qtbot, window, exports.save_table, table)
    with table.open(newline="") as file:
        assert [row[0] for row in csv.reader(file)][1:] == ["requires_grad"]
    saved = tmp_path / "summary.json"
    assert save_to(qtbot, window, exports.save_summary, saved) == f"{stem}-summary.json"
    assert json.loads(saved.read_text())["loss"] == summary["loss"]
    config = tmp_path / "config.toml"
    assert save_to(qtbot, window, exports.save_config, config) == f"{stem}.toml"
    assert load_config(config).to_dict() == window.workbench.desk.config().to_dict()
    picture = tmp_path / "tab.png"
    assert save_to(qtbot, window, exports.save_tab, picture) == "freeze-run.png"
    assert QImage(str(picture)).size() == window.tabs.currentWidget().size() * window.devicePixelRatioF()


def test_before_the_first_run_there_is_a_sentence_and_no_dialog(window: MainWindow) -> None:
    for wish, words in (
        (window.exports.save_report, NO_REPORT), (window.exports.save_table, NO_REPORT),
        (window.exports.save_summary, NO_SUMMARY),
    ):  # fmt: skip
        wish()
        assert window.status_label.text() == words
    assert window.findChild(QFileDialog, "exportDialog") is None


def test_the_whole_script_is_shown_copied_and_saved_from_the_code_pane(
    qtbot: QtBot, window: MainWindow, tmp_path: Path
) -> None:
    window.run_panel.form.steps_edit.setValue(7)
    QTest.mouseClick(window.code_panel.script_button, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: window.findChild(ScriptDialog) is not None, timeout=20_000)
    dialog = window.findChild(ScriptDialog)
    assert isinstance(dialog, ScriptDialog)
    text = make_script(window.workbench.desk.config()).text
    assert dialog.view.toPlainText() == text
    assert "STEPS = 7" in text
    QTest.mouseClick(dialog.copy_button, Qt.MouseButton.LeftButton)
    assert QGuiApplication.clipboard().text() == text
    path = tmp_path / "run.py"
    save_to(qtbot, window, dialog.save_button.click, path)
    assert path.read_text() == text
    dialog.reject()


def test_no_script_is_made_while_a_run_goes_on_because_that_would_disturb_it(qtbot: QtBot, window: MainWindow) -> None:
    start_slowly(qtbot, window)
    for wish in (window.exports.save_script, window.exports.show_script):
        window.say("")
        wish()
        assert window.status_label.text() == BUSY
    assert window.findChild(QFileDialog, "exportDialog") is None


def test_report_and_summary_are_of_the_runs_side_by_side_and_say_whether_they_took_turns(
    qtbot: QtBot, window: MainWindow, tmp_path: Path
) -> None:
    window.run_panel.form.steps_edit.setValue(12)
    with qtbot.waitSignal(window.controller.comparison_ended, timeout=RUN_MS):
        window.workbench.compare(Axes(("requires_grad", "grad_none", "exclude")), True)
    window.workbench.beside.on_wanted([2, 0])   # two of the three, from the table
    report, saved = tmp_path / "report.html", tmp_path / "summary.json"
    save_to(qtbot, window, window.exports.save_report, report)
    assert "in turns of a few steps" in report.read_text()
    assert save_to(qtbot, window, window.exports.save_summary, saved) == "comparison-summary.json"
    comparison = json.loads(saved.read_text())
    assert [run["label"] for run in comparison["runs"]] == ["requires_grad", "exclude"]
    assert comparison["interleaved"] is True
    qtbot.waitUntil(lambda: len(window.library_desk.paths) == 3)
    assert window.settings.in_turns
    run_and_wait(qtbot, window, 3)
    window.workbench.beside.on_wanted([0, 3])   # this one took no turns
    assert not window.workbench.beside.took_turns(window.compare_view.recorders)
    assert not window.settings.in_turns


def test_the_summary_of_runs_side_by_side_does_not_wait_for_a_comparison(
    qtbot: QtBot, window: MainWindow, tmp_path: Path
) -> None:
    run_and_wait(qtbot, window, 3)
    run_and_wait(qtbot, window, 3)
    window.workbench.beside.show_latest()
    window.show_compare_tab()
    saved = tmp_path / "summary.json"
    save_to(qtbot, window, window.exports.save_summary, saved)
    assert len(json.loads(saved.read_text())["runs"]) == 2
