"""How long the window stands still when a person does something: the longest turn of its event loop.

Each action is done several times in turns with the others, in the real window.
"""

from __future__ import annotations

import gc
import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
from PySide6.QtCore import Qt
from pytestqt.qtbot import QtBot

from freeze_gui.gui.app import create_window
from freeze_gui.gui.compare_columns import column_at
from freeze_gui.gui.library_shelf import Change
from freeze_gui.gui.main_window import MainWindow
from freeze_gui.runs.recorder import RunRecorder
from freeze_gui.runs.store import SUFFIX
from freeze_gui.runs.store_writer import RunWriter
from tests.benchmarks.measuring import Table
from tests.benchmarks.stalls import LAYERS, STEPS, large_runs, put_in, random_events, turns_ms
from tests.gui.recorded_runs import end_run, started_run, waiting_run

pytestmark = [pytest.mark.benchmark, pytest.mark.timeout(600)]

ROUNDS = 5
MANY = 600
Turns = list[float]
Report = Callable[[Table], None]


@pytest.fixture
def make_window(qtbot: QtBot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], MainWindow]]:
    """Make windows as large as a large screen, with a folder of runs of their own."""
    monkeypatch.setenv("FREEZE_GUI_RUNS", str(tmp_path / "runs"))

    def make() -> MainWindow:
        window = create_window(tmp_path / "settings.ini")
        qtbot.addWidget(window, before_close_func=lambda window: window.close())
        window.resize(2560, 1440)
        window.show()
        qtbot.waitUntil(lambda: not window.workbench.desk.is_loading, timeout=60_000)
        qtbot.wait(500)
        gc.collect()
        gc.freeze()   # as the program does when its window is there
        return window

    yield make
    gc.unfreeze()


def test_everyday_actions(make_window: Callable[[], MainWindow], report: Report) -> None:
    window = make_window()
    for _ in range(3):
        run(window)
    window.show_run_tab()
    actions: dict[str, Callable[[], Turns]] = {
        "theme dark": lambda: turns_ms(lambda: window.choose_theme("dark")),
        "theme light": lambda: turns_ms(lambda: window.choose_theme("light")),
        "Run": lambda: run(window),
        "choose a run": lambda: turns_ms(lambda: window.runs_table.select_run(1)),
        "More… opened": lambda: turns_ms(window.run_panel.form.train_button.click),
        "More… closed": lambda: turns_ms(window.run_panel.form.train_button.dialog.reject),
        **{f"tab {window.tabs.tabText(at)}": tab(window, at) for at in range(window.tabs.count())},
        "smaller": lambda: turns_ms(lambda: window.resize(1280, 720)),
        "larger": lambda: turns_ms(lambda: window.resize(2560, 1440)),
    }
    report(table("a window of 2560×1440 with three runs", in_order(actions)))


def test_first_showings(make_window: Callable[[], MainWindow], report: Report) -> None:
    found: dict[str, list[Turns]] = {}
    for _ in range(3):
        window = make_window()
        for at in (*range(1, window.tabs.count()), 0):
            name = window.tabs.tabText(at)
            found.setdefault(name, []).append(tab(window, at)())
        button = window.run_panel.form.train_button
        found.setdefault("More…", []).append(turns_ms(button.click))
        button.dialog.reject()
        found.setdefault("Compare methods…", []).append(turns_ms(window.run_panel.compare_button.click))
        found.setdefault("first run", []).append(run(window))
        window.close()
    report(table("parts that are shown for the first time", found))


def test_a_large_comparison(make_window: Callable[[], MainWindow], report: Report) -> None:
    window = make_window()
    runs, beside = large_runs(12), window.workbench.beside
    window.show_compare_tab()
    found = {"side by side": [turns_ms(lambda: put_in(window, runs))]}
    button = window.runs_panel.diff_button
    actions: dict[str, Callable[[], Turns]] = {
        "Diff only": lambda: turns_ms(button.click),
        "all again": lambda: turns_ms(button.click),
        "smaller": lambda: turns_ms(lambda: window.resize(1280, 720)),
        "larger": lambda: turns_ms(lambda: window.resize(2560, 1440)),
        "two runs": lambda: turns_ms(window.compare_view.difference_button.click),
        "all runs": lambda: turns_ms(window.compare_view.difference_button.click),
        "one fewer": lambda: turns_ms(lambda: beside.show(runs[1:])),
        "one more": lambda: turns_ms(lambda: beside.show(runs)),
        "tab Run": lambda: turns_ms(window.show_run_tab),
        "tab Compare": lambda: turns_ms(window.show_compare_tab),
        "theme dark": lambda: turns_ms(lambda: window.choose_theme("dark")),
        "theme light": lambda: turns_ms(lambda: window.choose_theme("light")),
    }
    report(table(f"12 runs × {LAYERS} layers × {STEPS:,} steps", found | in_order(actions)))


def test_ninety_runs_side_by_side(make_window: Callable[[], MainWindow], report: Report) -> None:
    window = make_window()
    runs = ended_runs(90)
    window.show_compare_tab()
    first = turns_ms(lambda: put_in(window, runs))
    beside = window.workbench.beside
    found = in_order({
        "one fewer": lambda: turns_ms(lambda: beside.show(runs[:-1])),
        "one more": lambda: turns_ms(lambda: beside.show(runs)),
    })
    report(table("90 runs side by side", {"all at once": [first], **found}))


@pytest.mark.timeout(900)
def test_many_runs_in_one_window(make_window: Callable[[], MainWindow], report: Report) -> None:
    runs, window = ended_runs(MANY), make_window()
    bench, runs_table = window.workbench, window.runs_table
    found = {"put into the window": [turns_ms(lambda: bench.take_in(runs, look=True))]}
    button = window.runs_panel.diff_button
    latest = range(MANY - 8, MANY)
    report(table(f"{MANY} runs in one window", found | in_order({
        "Run": lambda: run(window),
        "choose a run": lambda: turns_ms(lambda: runs_table.select_run(17)),
        "choose another": lambda: turns_ms(lambda: runs_table.select_run(MANY - 3)),
        "all chosen": lambda: turns_ms(runs_table.selectAll),
        "none chosen": lambda: turns_ms(runs_table.clearSelection),
        "searched": lambda: turns_ms(lambda: runs_table.set_search("run 1")),
        "search cleared": lambda: turns_ms(lambda: runs_table.set_search("")),
        "sorted": lambda: turns_ms(lambda: runs_table.sortByColumn(column_at("loss"), Qt.SortOrder.AscendingOrder)),
        "Run, sorted": lambda: run(window),
        "sorted as before": lambda: turns_ms(lambda: runs_table.sortByColumn(-1, Qt.SortOrder.AscendingOrder)),
        "Diff only": lambda: turns_ms(button.click),
        "all columns": lambda: turns_ms(button.click),
        "side by side": lambda: turns_ms(lambda: bench.beside.on_wanted(list(latest))),
        **{f"tab {window.tabs.tabText(at)}": tab(window, at) for at in range(window.tabs.count())},
        "renamed": lambda: turns_ms(lambda: change(window, "label", "another name")),
        "deleted": lambda: turns_ms(lambda: change(window, "delete", "")),
        "theme dark": lambda: turns_ms(lambda: window.choose_theme("dark")),
        "theme light": lambda: turns_ms(lambda: window.choose_theme("light")),
        "smaller": lambda: turns_ms(lambda: window.resize(1280, 720)),
        "larger": lambda: turns_ms(lambda: window.resize(2560, 1440)),
    })))


def test_the_library(make_window: Callable[[], MainWindow], tmp_path: Path, report: Report) -> None:
    folder = tmp_path / "runs"
    folder.mkdir()
    write(folder / f"large{SUFFIX}", LAYERS, STEPS)
    write(folder / f"first{SUFFIX}", 4, 20)
    for at in range(1, 2_000):
        os.link(folder / f"first{SUFFIX}", folder / f"run{at}{SUFFIX}")
    window = make_window()
    library = window.library
    found = {"opened": [turns_ms(window.show_library_tab, lambda: library.model.rowCount() > 0)]}
    library.find_edit.setText("run19")
    found |= in_order({
        "tab Run": lambda: turns_ms(window.show_run_tab),
        "tab Library": lambda: turns_ms(window.show_library_tab),
        "searched": lambda: turns_ms(lambda: library.find_edit.setText("digits")),
        "nothing found": lambda: turns_ms(lambda: library.find_edit.setText("nothing like it")),
        "search cleared": lambda: turns_ms(lambda: library.find_edit.setText("")),
        "listed again": lambda: turns_ms(window.library_desk.shelf.refresh),
        "all chosen": lambda: turns_ms(library.view.selectAll),
        "none chosen": lambda: turns_ms(library.view.clearSelection),
    })
    desk = window.library_desk
    large = [folder / f"large{SUFFIX}"]
    found["large run opened"] = [turns_ms(lambda: desk.open_paths(large), lambda: bool(desk.paths))]
    report(table(f"a library of 2,000 runs, one of them of {LAYERS} layers × {STEPS:,} steps", found))


def in_order(actions: Mapping[str, Callable[[], Turns]]) -> dict[str, list[Turns]]:
    """Do all actions, one after another, in several rounds: most of them need the one before."""
    found: dict[str, list[Turns]] = {name: [] for name in actions}
    for _ in range(ROUNDS):
        for name, action in actions.items():
            found[name].append(action())
    return found


def ended_runs(count: int) -> list[RunRecorder]:
    """Return small runs that have ended; each is equal to a third of the others in every bit."""
    runs = []
    for at in range(count):
        one = started_run(f"run {at}", 40)
        for event in random_events(4, 40):
            one.handle(event)
        end_run(one, proof=f"bits {at % 3}")
        runs.append(one)
    return runs


def change(window: MainWindow, kind: Literal["label", "delete"], value: str) -> None:
    """Change the file of the latest run that is kept; the run itself stays in the window."""
    path = list(window.library_desk.paths.values())[-1]
    window.library_desk.shelf.change(Change(kind, (path,), value))


def tab(window: MainWindow, at: int) -> Callable[[], Turns]:
    return lambda: turns_ms(lambda: window.tabs.setCurrentIndex(at))


def run(window: MainWindow) -> Turns:
    controller = window.controller
    return turns_ms(window.run_panel.run_button.click, lambda: not controller.is_running)


def table(what: str, found: Mapping[str, list[Turns]]) -> Table:
    rows = []
    for name, rounds in found.items():
        longest = [max(turns) for turns in rounds]
        rows.append((name, *(f"{number:.0f}" for number in (
            np.median([turns[0] for turns in rounds]), np.median(longest), max(longest),
            np.median([sum(turns) for turns in rounds]),
        ))))  # fmt: skip
    return Table(
        f"Stalls: {what}",
        ("", "at once", "longest turn", "at most", "all turns together"),
        rows,
        "Milliseconds of the window's thread, medians of the rounds; the goal is that no turn takes more than 50.",
    )


def write(path: Path, layers: int, steps: int) -> None:
    """Keep a run of random steps in a file."""
    begun = started_run(layers=[f"layer{at}" for at in range(layers)]).started
    assert begun is not None
    with RunWriter(path, waiting_run().config, path.stem) as writer:
        for event in (begun, *random_events(layers, steps)):
            writer.handle(event)
