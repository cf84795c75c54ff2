from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from pytestqt.qtbot import QtBot

from freeze_gui.gui import side_by_side
from freeze_gui.gui.main_window import MainWindow
from tests.gui.conftest import RUN_MS
from tests.gui.recorded_runs import started_run
from tests.gui.test_library_desk import save, wait_for_runs

pytestmark = pytest.mark.timeout(120)


def saved(folder: Path, count: int) -> list[Path]:
    return [save(folder / f"{number}.freezerun", label=f"run {number}") for number in range(count)]


def closed_with(
    qtbot: QtBot, make_window: Callable[..., MainWindow], paths: list[Path], rows: list[int]
) -> None:
    """Open these runs in a window, put those of some rows side by side, and close it."""
    window = make_window()
    window.library_desk.open_paths(paths, "show")
    wait_for_runs(qtbot, window, len(paths))
    if rows:
        window.workbench.beside.on_wanted(rows)
    window.close()


def test_runs_of_last_time_are_rows_of_the_table_and_no_comparison(
    qtbot: QtBot, make_window: Callable[..., MainWindow], runs_in_a_folder_of_the_test: Path
) -> None:
    closed_with(qtbot, make_window, saved(runs_in_a_folder_of_the_test, 3), [])
    again = make_window()
    wait_for_runs(qtbot, again, 3)
    view = again.compare_view
    assert again.runs_table.model().rowCount() == 3
    assert view.recorders == []
    assert view.status.proof.text() == ""   # nobody has said that they belong together
    again.show_compare_tab()
    assert view.empty_page.isVisible()
    assert "Side by side" in view.empty_page.hint.text()
    assert "3 runs of last time" in again.status_label.text()
    view.empty_page.latest_button.click()
    assert view.recorders == again.workbench.runs
    assert not view.empty_page.isVisible()


def test_what_stood_side_by_side_does_so_again_after_a_restart(
    qtbot: QtBot, make_window: Callable[..., MainWindow], runs_in_a_folder_of_the_test: Path
) -> None:
    closed_with(qtbot, make_window, saved(runs_in_a_folder_of_the_test, 3), [0, 2])
    again = make_window()
    wait_for_runs(qtbot, again, 3)
    qtbot.waitUntil(lambda: len(again.compare_view.recorders) == 2, timeout=RUN_MS)
    assert [recorder.label for recorder in again.compare_view.recorders] == ["run 0", "run 2"]


def test_runs_with_one_label_in_their_files_are_told_apart_in_the_window(
    qtbot: QtBot, window: MainWindow, tmp_path: Path
) -> None:
    paths = [save(tmp_path / f"{number}.freezerun", label="mine") for number in range(3)]
    window.library_desk.open_paths(paths, "show")
    assert [run.label for run in wait_for_runs(qtbot, window, 3)] == ["mine", "mine #2", "mine #3"]


def test_more_runs_than_anybody_can_look_at_leave_out_the_last_and_say_so(
    qtbot: QtBot, window: MainWindow, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(side_by_side, "MOST_SELECTED", 3)
    runs = [started_run(f"run {at}") for at in range(5)]
    window.workbench.take_in(runs, look=True)
    window.workbench.beside.on_wanted([4, 2, 0, 1])
    assert window.compare_view.recorders == runs[:3]
    assert window.status_label.text() == "The first 3 of the 4 selected runs stand side by side"
    window.say("")
    window.workbench.beside.on_wanted([4, 2, 0])
    assert window.compare_view.recorders == [runs[0], runs[2], runs[4]]
    assert window.status_label.text() == ""
