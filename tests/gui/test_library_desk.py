from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
import zlib
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from PySide6.QtCore import QCoreApplication, QMimeData, QPoint, Qt, QUrl
from PySide6.QtGui import QAction, QDragEnterEvent, QDropEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QLineEdit, QMessageBox, QPushButton, QWidget
from pytestqt.qtbot import QtBot

from freeze_gui.gui.main_window import MainWindow
from freeze_gui.runs.recorder import RunRecorder
from freeze_gui.runs.store import RunWriter, card_of, list_runs, open_run, rename_run
from freeze_gui.training.config import RunConfig, load_config
from freeze_gui.training.events import RunEvent
from tests.gui.conftest import RUN_MS, run_and_wait, start_slowly
from tests.support.events import differences, ended, events

pytestmark = pytest.mark.timeout(120)
ROOT = Path(__file__).resolve().parents[2]
CONFIG = load_config({"model": {"source": "builtin:digits-cnn"}, "freeze": {"method": "grad_zero", "layers": ["stem"]}})


def save(
    path: Path, *, steps: int = 40, config: RunConfig = CONFIG, label: str = "a saved run", end: bool = True
) -> Path:
    path.parent.mkdir(exist_ok=True)
    what: list[RunEvent] = [*events(5, steps), *[ended(steps)] * end]
    with RunWriter(path, config, label) as writer:
        for event in what:
            writer.handle(event)
    return path


def kept_run(qtbot: QtBot, window: MainWindow, steps: int = 8) -> Path:
    """Run, wait until all is in the file, and return the file."""
    with qtbot.waitSignal(window.controller.runs_saved, timeout=RUN_MS):
        run_and_wait(qtbot, window, steps=steps)
    return window.library_desk.paths[window.workbench.runs[-1]]


def wait_for_runs(qtbot: QtBot, window: MainWindow, count: int) -> list[RunRecorder]:
    qtbot.waitUntil(lambda: len(window.workbench.runs) == count, timeout=RUN_MS)
    return window.workbench.runs


def open_library(qtbot: QtBot, window: MainWindow, count: int) -> None:
    window.show_library_tab()
    qtbot.waitUntil(lambda: window.library.model.rowCount() == count, timeout=RUN_MS)


def drop(window: MainWindow, *paths: Path) -> bool:
    """Drop files onto the window; return whether it takes them."""
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(path)) for path in paths])
    at, button, none = QPoint(300, 300), Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
    enter = QDragEnterEvent(at, Qt.DropAction.CopyAction, data, button, none)
    enter.ignore()
    window.dragEnterEvent(enter)
    if enter.isAccepted():
        window.dropEvent(QDropEvent(at.toPointF(), Qt.DropAction.CopyAction, data, button, none))
    return enter.isAccepted()


def test_every_run_is_in_its_file_as_the_window_saw_it(qtbot: QtBot, window: MainWindow) -> None:
    path = kept_run(qtbot, window, steps=20)
    assert differences(open_run(path), window.workbench.runs[0], rounded=True) == []
    card = card_of(path)
    assert (card.status, card.steps, card.verdict, card.method) == ("completed", 20, "leaked", "requires_grad")


def test_each_run_of_a_comparison_is_kept_under_its_label(
    qtbot: QtBot, window: MainWindow, runs_in_a_folder_of_the_test: Path
) -> None:
    configs = [CONFIG.with_method(method) for method in ("requires_grad", "grad_zero")]
    short = [load_config({**config.to_dict(), "train": {"steps": 4}}) for config in configs]
    with qtbot.waitSignal(window.controller.runs_saved, timeout=RUN_MS):
        window.controller.compare(short, ["one", "two"])
    cards = list_runs(runs_in_a_folder_of_the_test)
    assert {(card.label, card.method, card.status) for card in cards} == {
        ("one", "requires_grad", "completed"), ("two", "grad_zero", "completed")
    }


def test_with_keep_runs_off_nothing_is_written_and_the_choice_is_remembered(
    qtbot: QtBot, make_window: Callable[..., MainWindow], runs_in_a_folder_of_the_test: Path
) -> None:
    window = make_window()
    action = window.findChild(QAction, "keepRunsAction")
    assert action is not None
    assert action.isChecked()
    action.trigger()
    run_and_wait(qtbot, window, steps=3)
    assert list_runs(runs_in_a_folder_of_the_test) == []
    window.close()
    again = make_window()
    assert not again.controller.keeps_runs
    again.show_library_tab()
    qtbot.waitUntil(lambda: "switched off" in again.library.empty_hint.text())


def test_a_folder_that_cannot_be_written_is_said_in_the_status_bar_and_the_run_goes_on(
    qtbot: QtBot, window: MainWindow, runs_in_a_folder_of_the_test: Path
) -> None:
    runs_in_a_folder_of_the_test.write_text("a file where the folder should be")
    with qtbot.waitSignal(window.controller.runs_saved, timeout=RUN_MS):
        summary = run_and_wait(qtbot, window, steps=5)
    assert summary["status"] == "completed"
    assert "This run is not kept" in window.status_label.text()
    assert str(runs_in_a_folder_of_the_test) in window.status_label.text()


def test_a_file_that_is_lost_while_it_is_written_is_said_and_the_run_goes_on(
    qtbot: QtBot, window: MainWindow
) -> None:
    said: list[str] = []
    window.controller.said.connect(said.append)
    start_slowly(qtbot, window)
    qtbot.waitUntil(lambda: bool(window.library_desk.paths), timeout=RUN_MS)
    (path,) = window.library_desk.paths.values()
    path.unlink()
    qtbot.waitUntil(lambda: bool(said), timeout=5000)
    assert "no longer saved" in said[0]
    assert window.controller.is_running
    with qtbot.waitSignal(window.controller.runs_saved, timeout=RUN_MS):
        window.controller.stop()
    assert "no longer saved" in window.status_label.text()


def test_closing_during_a_run_leaves_a_whole_file_on_a_slow_disk_too(
    qtbot: QtBot, window: MainWindow, monkeypatch: pytest.MonkeyPatch
) -> None:
    flush = RunWriter._flush

    def slow_flush(writer: RunWriter, db: sqlite3.Connection, closing: bool) -> None:
        time.sleep(0.4)
        flush(writer, db, closing)

    monkeypatch.setattr(RunWriter, "_flush", slow_flush)
    start_slowly(qtbot, window, after_steps=5)
    recorder = window.controller.recorders[0]
    window.close()
    path = window.library_desk.paths[recorder]
    assert differences(open_run(path), recorder, rounded=True) == []
    assert card_of(path).status == "stopped"
    assert not path.with_name(path.name + "-wal").exists()


def test_a_click_in_the_library_opens_a_run_of_an_earlier_day_into_the_window(
    qtbot: QtBot, window: MainWindow, runs_in_a_folder_of_the_test: Path
) -> None:
    path = save(runs_in_a_folder_of_the_test / "old.freezerun")
    open_library(qtbot, window, 1)
    view = window.library.view
    at = view.visualRect(window.library.model.index(0)).center()
    QTest.mouseClick(view.viewport(), Qt.MouseButton.LeftButton, pos=at)
    (run,) = wait_for_runs(qtbot, window, 1)
    assert run.label == "a saved run"
    assert window.workbench.shown is run
    assert window.runs_table.model().rowCount() == 1
    assert window.compare_view.recorders == []   # one run is no comparison
    assert "leaked" in window.verdict_panel.label.text() or "held" in window.verdict_panel.label.text()
    assert window.tabs.currentWidget() is window.library
    view.setFocus()
    QTest.keyClick(view, Qt.Key.Key_Return)   # it is open: it is only shown
    assert window.tabs.currentIndex() == 0
    assert len(window.workbench.runs) == 1
    assert differences(run, open_run(path), rounded=False) == []


def test_a_run_of_this_window_is_found_and_not_opened_twice(qtbot: QtBot, window: MainWindow) -> None:
    path = kept_run(qtbot, window)
    kept_run(qtbot, window)
    first, second = window.workbench.runs
    assert window.workbench.shown is second
    window.library_desk.open_paths([path])
    assert window.workbench.runs == [first, second]
    assert window.workbench.shown is first


def test_renaming_in_the_library_renames_the_open_run(qtbot: QtBot, window: MainWindow) -> None:
    path = kept_run(qtbot, window)
    open_library(qtbot, window, 1)
    window.library.model.setData(window.library.model.index(0), "the good one")
    qtbot.waitUntil(lambda: window.workbench.runs[0].label == "the good one")
    assert card_of(path).label == "the good one"
    qtbot.waitUntil(lambda: window.library.model.cards[0].label == "the good one")


def test_a_label_is_never_empty_and_the_status_bar_says_why_it_stays(
    qtbot: QtBot, window: MainWindow, runs_in_a_folder_of_the_test: Path
) -> None:
    save(runs_in_a_folder_of_the_test / "old.freezerun")
    open_library(qtbot, window, 1)
    library = window.library
    library.view.setCurrentIndex(library.model.index(0))
    library.details.rename_button.click()
    library.view.rename()   # while it is being edited: no second field, and no warning of Qt's
    edit = library.findChild(QLineEdit, "libraryLabelEdit")
    assert edit is not None
    QTest.qWait(50)   # the field is there, and has the keyboard
    edit.setText("  ")
    said: list[str] = []
    library.model.rename_refused.connect(lambda label: said.append(window.status_label.text()))
    QTest.keyClick(edit, Qt.Key.Key_Return)
    qtbot.waitUntil(lambda: bool(said), timeout=5000)
    assert "“a saved run” as before" in said[0]
    assert window.workbench.runs == []   # Enter has ended the editing, and opened nothing
    assert library.model.cards[0].label == "a saved run"


def test_deleting_in_the_library_can_be_undone(qtbot: QtBot, window: MainWindow) -> None:
    path = kept_run(qtbot, window)
    open_library(qtbot, window, 1)
    window.library.view.select_paths([path])
    QTest.keyClick(window.library.view, Qt.Key.Key_Delete)
    qtbot.waitUntil(lambda: window.library.model.rowCount() == 0)
    assert not path.exists()
    assert len(window.workbench.runs) == 1   # what is open stays
    QTest.mouseClick(window.library.undo_button, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: window.library.model.rowCount() == 1)
    assert path.exists()


def test_dropped_runs_open_also_during_a_run(qtbot: QtBot, window: MainWindow, tmp_path: Path) -> None:
    paths = [save(tmp_path / "elsewhere" / f"{name}.freezerun", label=name) for name in ("one", "two")]
    assert not drop(window, paths[0], tmp_path / "notes.txt")
    start_slowly(qtbot, window)
    assert drop(window, *paths)
    runs = wait_for_runs(qtbot, window, 3)
    assert [run.label for run in runs[1:]] == ["one", "two"]
    assert window.controller.is_running


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "is empty"),
        (b"some words that are no run of ours at all" * 9, "no run of Freeze GUI"),
        (None, "file format 99"),
    ],
)
def test_a_file_that_is_no_run_or_of_another_version_is_one_sentence(
    qtbot: QtBot, window: MainWindow, tmp_path: Path, content: bytes | None, words: str
) -> None:
    path = tmp_path / "odd.freezerun"
    if content is None:
        save(path)
        with closing(sqlite3.connect(path)) as db:
            db.execute("PRAGMA user_version = 99")
    else:
        path.write_bytes(content)
    assert drop(window, path)
    label = window.run_panel.error_label
    qtbot.waitUntil(lambda: words in label.text(), timeout=RUN_MS)
    assert str(path) in label.text()
    assert "\n" not in label.text()
    assert window.status_label.text() == "The file was not opened"   # and no longer "Opening …"
    assert ".freezerun," not in label.text()   # the ending is right: it is not to blame
    assert window.workbench.runs == []


def test_a_run_that_another_program_writes_is_followed_to_its_end(
    qtbot: QtBot, window: MainWindow, tmp_path: Path
) -> None:
    path, whole = tmp_path / "live.freezerun", [*events(5, 60), ended(60)]
    with RunWriter(path, CONFIG, "live") as writer:
        for event in whole[:30]:
            writer.handle(event)
        qtbot.waitUntil(lambda: card_of(path).steps > 10, timeout=5000)
        window.library_desk.open_paths([path])
        (run,) = wait_for_runs(qtbot, window, 1)
        assert run.status == "running"
        before = run.history.steps if run.history is not None else 0
        for event in whole[30:]:
            writer.handle(event)
        qtbot.waitUntil(lambda: run.ended is not None, timeout=10_000)
    assert run.history is not None
    assert before < run.history.steps == 60
    assert differences(run, open_run(path), rounded=False) == []
    qtbot.waitUntil(lambda: not window.library_desk._follow.isActive())


def test_a_followed_run_whose_program_is_killed_is_marked_interrupted(
    qtbot: QtBot, window: MainWindow, tmp_path: Path
) -> None:
    path = tmp_path / "killed.freezerun"
    code = (
        "import sys, time\nfrom pathlib import Path\nfrom tests.gui.test_library_desk import CONFIG\n"
        "from freeze_gui.runs.store import RunWriter\nfrom tests.support.events import events\n"
        "writer = RunWriter(Path(sys.argv[1]), CONFIG, 'killed')\n"
        "for event in events(5, 40): writer.handle(event)\ntime.sleep(60)\n"
    )
    with subprocess.Popen([sys.executable, "-c", code, str(path)], cwd=ROOT) as writer:
        try:
            qtbot.waitUntil(lambda: path.exists() and card_of(path).steps == 40, timeout=60_000)
            window.library_desk.open_paths([path])
            (run,) = wait_for_runs(qtbot, window, 1)
            assert run.status == "running"
        finally:
            os.kill(writer.pid, signal.SIGKILL)
            writer.wait()   # until then it is a zombie, which counts as alive
    qtbot.waitUntil(lambda: run.status == "interrupted", timeout=10_000)
    assert run.history is not None
    assert run.history.steps == 40
    # the views draw at their next tick
    qtbot.waitUntil(lambda: "interrupted" in window.runs_table.model().index(0, 1).data(), timeout=10_000)
    qtbot.waitUntil(lambda: "before the end" in window.verdict_panel.label.text(), timeout=10_000)


def test_a_restart_brings_the_runs_back_and_marks_those_without_an_end(
    qtbot: QtBot, make_window: Callable[..., MainWindow], runs_in_a_folder_of_the_test: Path
) -> None:
    window = make_window()
    kept = kept_run(qtbot, window)
    cut = save(runs_in_a_folder_of_the_test / "cut.freezerun", end=False, label="cut short")
    window.library_desk.open_paths([cut])
    wait_for_runs(qtbot, window, 2)
    rename_run(kept, "renamed meanwhile")
    window.close()
    again = make_window()
    assert again.workbench.runs == []   # the window does not wait for them
    runs = wait_for_runs(qtbot, again, 2)
    assert [run.label for run in runs] == ["renamed meanwhile", "cut short"]
    assert [run.status for run in runs] == ["completed", "interrupted"]
    assert again.workbench.shown is runs[1]
    assert "without an end" in again.status_label.text()
    assert again.tabs.currentIndex() == 0


def test_runs_that_are_gone_stay_away_at_a_restart(
    qtbot: QtBot, make_window: Callable[..., MainWindow]
) -> None:
    window = make_window()
    first, second = kept_run(qtbot, window), kept_run(qtbot, window)
    window.close()
    first.unlink()
    again = make_window()
    wait_for_runs(qtbot, again, 1)
    assert again.library_desk.paths[again.workbench.runs[0]] == second
    assert not again.run_panel.error_label.isVisible()


def test_the_open_runs_are_written_down_in_the_next_turn_so_that_a_crash_forgets_none(
    qtbot: QtBot, make_window: Callable[..., MainWindow], tmp_path: Path
) -> None:
    window = make_window(tmp_path / "s.ini")
    path = kept_run(qtbot, window)
    window.settings.open_runs = []
    window.settings.save()
    window.library_desk.on_run_kept(window.workbench.runs[0], path)
    QCoreApplication.processEvents()
    assert window.settings.path.read_text().count(path.name) == 1


def test_a_run_from_a_file_is_put_into_the_form_to_be_run_again(
    qtbot: QtBot, window: MainWindow, tmp_path: Path
) -> None:
    config = load_config(
        {
            "model": {"source": "builtin:five-linear"}, "freeze": {"method": "restore", "layers": ["[1:3]"]},
            "optimizer": {"name": "SGD", "lr": 0.125}, "train": {"steps": 7},
        }
    )  # fmt: skip
    path = save(tmp_path / "again.freezerun", config=config)
    window.library_desk.run_path_again(path)
    qtbot.waitUntil(
        lambda: window.workbench.desk.opened is not None and not window.workbench.desk.is_loading
        and window.workbench.desk.opened.loaded.source == "builtin:five-linear", timeout=RUN_MS,
    )
    summary = run_and_wait(qtbot, window)
    assert summary["config"]["optimizer"]["lr"] == 0.125
    assert summary["config"]["freeze"]["method"] == "restore"
    assert summary["steps"] == 7
    assert len(window.workbench.runs) == 1   # to run it again is not to open it


@pytest.mark.parametrize("table", ["model", "data"])
def test_no_python_of_a_strangers_run_is_run_without_a_yes_that_names_it(
    qtbot: QtBot, window: MainWindow, tmp_path: Path, table: str
) -> None:
    mark, code = tmp_path / "ran", tmp_path / "strange.py"
    code.write_text(f"open({str(mark)!r}, 'w')\ndef build():\n    raise ValueError('no')\n")
    tables = {"model": {"source": "builtin:five-linear"}, table: {"source": f"file:{code}:build"}}
    path = save(tmp_path / "strange.freezerun", config=load_config(tables))
    window.library_desk.open_paths([path])
    wait_for_runs(qtbot, window, 1)
    assert not mark.exists()   # to look at a run runs nothing
    window.library_desk.run_shown_again()
    box = window.findChild(QMessageBox, "trustDialog")
    assert box is not None
    assert "strange.py" in box.text()
    assert box.findChild(QPushButton, "trustButton") is not None
    box.button(QMessageBox.StandardButton.Cancel).click()
    qtbot.wait(100)
    assert not mark.exists()
    assert window.workbench.desk.config().model.source == "builtin:digits-cnn"
    assert window.workbench.desk.config().data.source == "digits"


def test_a_run_with_a_value_that_is_not_allowed_is_not_put_into_the_form(
    qtbot: QtBot, window: MainWindow, tmp_path: Path
) -> None:
    path = save(tmp_path / "odd.freezerun")
    change_config(path, "optimizer", "name", "Adamm")
    window.library_desk.run_path_again(path)
    qtbot.waitUntil(window.run_panel.error_label.isVisible, timeout=RUN_MS)
    assert "cannot be run again" in window.run_panel.error_label.text()
    assert "Adam" in window.run_panel.error_label.text()


def change_config(path: Path, table: str, key: str, value: object) -> None:
    """Change a value in a run's file as somebody else could."""
    with closing(sqlite3.connect(path)) as db, db:
        (content,) = db.execute("SELECT content FROM records WHERE name = 'config'").fetchone()
        config = json.loads(zlib.decompress(content))
        config[table][key] = value
        content = zlib.compress(json.dumps(config).encode())
        db.execute("UPDATE records SET content = ? WHERE name = 'config'", (content,))


def test_no_two_entries_of_the_menus_have_one_shortcut(window: MainWindow) -> None:
    everywhere = Qt.ShortcutContext.WindowShortcut
    actions = [action for action in window.findChildren(QAction) if action.shortcutContext() == everywhere]
    keys = [key.toString() for action in actions for key in action.shortcuts()]
    assert [key for key in set(keys) if keys.count(key) > 1] == []


def test_the_menus_lead_to_the_library_and_to_files(qtbot: QtBot, window: MainWindow) -> None:
    QTest.keyClick(window, Qt.Key.Key_5, Qt.KeyboardModifier.ControlModifier)
    assert window.tabs.currentWidget() is window.library
    QTest.keyClick(window, Qt.Key.Key_L, Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.ShiftModifier)
    dialog = window.findChild(QWidget, "openRunDialog")
    assert dialog is not None
    dialog.close()
