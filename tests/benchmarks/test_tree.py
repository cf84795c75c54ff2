"""What a tree of 20,000 modules costs the window, in its thread's CPU time.

Each figure holds all that follows at once, the painting of the visible rows included.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable

import pytest
import torch
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot
from torch import nn

from freeze_gui.gui.layer_panel import LayerPanel
from freeze_gui.gui.theme import current_theme, style_sheet
from freeze_gui.gui.timeline_state import whole_run
from freeze_gui.models.layer_tree import LayerNode, LayerTree, build_tree
from tests.benchmarks.measuring import Table, spread

pytestmark = pytest.mark.benchmark

Report = Callable[[Table], None]
OPEN_MS, TICK_MS, FIND_MS, PAINT_MS = 100, 30, 30, 3   # the goals
ROUNDS = 9
CHECK = Qt.ItemDataRole.CheckStateRole
TEXTS = ("b", "ba", "bat", "1.", "1.99", "lin !relu", "relu", "")


def large_network() -> nn.Module:
    """Return 20 stages of 100 blocks of 9 layers: 20,021 modules."""
    with torch.device("meta"):
        stages = [
            nn.Sequential(*[
                nn.Sequential(*itertools.chain(*((nn.Linear(2, 2), nn.BatchNorm1d(2), nn.ReLU()) for _ in range(3))))
                for _ in range(100)
            ])
            for _ in range(20)
        ]  # fmt: skip
        return nn.Sequential(*stages)


@pytest.fixture(scope="module")
def tree() -> LayerTree:
    return build_tree(large_network())


@pytest.fixture
def panel(qtbot: QtBot, tree: LayerTree) -> LayerPanel:
    panel = LayerPanel()
    qtbot.addWidget(panel)
    panel.setStyleSheet(style_sheet(current_theme()))   # as in the window: it makes each question to the style dearer
    panel.resize(460, 900)
    panel.show()
    panel.set_tree(tree, whole_run(frozenset()))
    QApplication.processEvents()
    return panel


def test_reading(report: Report) -> None:
    module = large_network()
    measure(report, "read from the modules, beside the window", lambda: build_tree(module), None)


def test_opening(panel: LayerPanel, tree: LayerTree, report: Report) -> None:
    measure(report, "open", lambda: panel.set_tree(tree, whole_run(frozenset())), OPEN_MS)


@pytest.mark.parametrize("what", ["root", "one layer"])
def test_ticking(panel: LayerPanel, tree: LayerTree, what: str, report: Report) -> None:
    node = tree.root if what == "root" else tree.row_of_layer["19.99.7"]
    measure(report, f"tick of {what}", lambda: toggle(panel, node), TICK_MS)


def test_finding(panel: LayerPanel, report: Report) -> None:
    texts = itertools.cycle(TEXTS)

    def find() -> None:
        panel.find_bar.edit.setText(next(texts))
        panel.find_bar.find_layers()

    find()   # what is looked through is made ready once
    measure(report, "find", find, FIND_MS, 3 * len(TEXTS))


def test_painting(panel: LayerPanel, report: Report) -> None:
    panel.tree_view.open_all_that_fits()
    QApplication.processEvents()
    measure(report, "paint of the visible rows", panel.tree_view.viewport().repaint, PAINT_MS)


def toggle(panel: LayerPanel, node: LayerNode) -> None:
    index = panel.model.index_of(node)
    on = index.data(CHECK) == Qt.CheckState.Checked
    panel.model.setData(index, Qt.CheckState.Unchecked if on else Qt.CheckState.Checked, CHECK)


def measure(
    report: Report, name: str, function: Callable[[], object], goal_ms: float | None, rounds: int = ROUNDS
) -> None:
    """Report the CPU time of the window's thread."""
    times = []
    for _ in range(rounds):
        began = time.thread_time()
        function()
        QApplication.processEvents()
        times.append((time.thread_time() - began) * 1000)
    row = [spread(times), f"{max(times):.1f}", "" if goal_ms is None else f"{goal_ms}"]
    report(Table(f"20,021 modules in the tree: {name}", ["ms of processor time", "most", "goal"], [row]))
