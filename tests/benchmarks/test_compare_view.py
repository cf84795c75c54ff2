"""What drawing a comparison costs: 12 runs of 161 layers and 2,000 steps, while the last of them still goes on.

A frame is what the window's timer asks for, and all the painting that follows from it. The first picture is drawn in
turns of the event loop, which are no frames.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
import pytest
from PySide6.QtWidgets import QApplication, QWidget
from pytestqt.qtbot import QtBot

from freeze_gui.gui.compare_view import CompareView
from freeze_gui.gui.painting import PaintOnce
from freeze_gui.gui.runs_table import RunsTable
from freeze_gui.runs.recorder import RunRecorder
from freeze_gui.training.events import StepDone
from tests.benchmarks.measuring import Table, spread, taken_s
from tests.gui.recorded_runs import started_run

pytestmark = pytest.mark.benchmark

RUNS, LAYERS, STEPS, NEW = 12, 161, 2000, 200


@pytest.fixture
def runs() -> list[RunRecorder]:
    generator = np.random.default_rng(0)
    layers = [f"layer{block}.{unit}.{part}" for block in range(1, 24) for unit in range(4) for part in ("conv", "bn")]
    found = [started_run(f"run {at}", STEPS + NEW, layers[:LAYERS]) for at in range(RUNS)]
    for at, run in enumerate(found):
        add_random_steps(run, STEPS if at == RUNS - 1 else STEPS + NEW, generator)
    return found


def add_random_steps(run: RunRecorder, count: int, generator: np.random.Generator) -> None:
    assert run.history is not None
    frozen = np.arange(LAYERS) < LAYERS // 2
    first = run.history.steps
    for step in range(first, first + count):
        grad, update, delta = generator.lognormal(-3.0, 1.5, (3, LAYERS))
        run.handle(StepDone(step, 1.0 / (step + 1), None, grad, update, delta, frozen, (), 0.01, 0.001, 0.1))


@pytest.mark.parametrize("what", ["runs side by side", "two of them", "scrolling"])
@pytest.mark.timeout(300)
def test_a_frame_of_a_large_comparison(
    qtbot: QtBot, runs: list[RunRecorder], what: str, report: Callable[[Table], None]
) -> None:
    view, table = CompareView(), RunsTable()
    for widget, height in ((view, 620), (table, 150)):
        qtbot.addWidget(widget)
        PaintOnce(widget)   # as the program's window has it
        widget.resize(900, height)
        widget.show()
    table.set_runs(runs)
    view.comparing = True
    view.set_runs(runs)
    if what == "two of them":
        view.show_pair(runs[0], runs[-1])
    generator = np.random.default_rng(1)
    bar = view.tiles_view.area.verticalScrollBar()
    frame(view, table)
    qtbot.wait(2_000)   # the first picture comes to rest
    times, whole = [], []
    for number in range(NEW):
        add_random_steps(runs[-1], 1, generator)
        if what == "scrolling":
            bar.setValue(bar.maximum() * number // NEW)
        began = time.thread_time()
        whole.append(taken_s(lambda: frame(view, table)) * 1000)
        times.append((time.thread_time() - began) * 1000)
    row = [spread(times), f"{np.percentile(times, 99):.1f}", f"{max(times):.1f}", spread(whole), f"{max(whole):.1f}"]
    heading = f"A frame of {RUNS} runs × {LAYERS} layers × {STEPS:,} steps: {what}"
    report(Table(heading, ["ms of processor time a frame", "p99", "most", "ms by the clock", "most"], [row]))


def test_hiding_equal_layers(qtbot: QtBot, runs: list[RunRecorder], report: Callable[[Table], None]) -> None:
    view = CompareView()
    qtbot.addWidget(view)
    view.resize(900, 620)
    view.show()
    view.set_runs(runs)
    times = [taken_s(lambda on=on: view.set_diff_only(on)) * 1000 for on in (True, False) * 5]   # type: ignore[misc]
    report(Table("Diff only of the same comparison", ["ms a click"], [[spread(times)]]))


def frame(*widgets: QWidget) -> None:
    for widget in widgets:
        assert isinstance(widget, CompareView | RunsTable)
        widget.refresh()
    QApplication.processEvents()
