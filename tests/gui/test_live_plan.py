from __future__ import annotations

import pytest
from PySide6.QtCore import Qt
from pytestqt.qtbot import QtBot

from freeze_gui.gui.main_window import MainWindow
from freeze_gui.runs.recorder import RunRecorder
from freeze_gui.training.config import load_config
from freeze_gui.training.events import RunEnded
from freeze_gui.training.trainer import Trainer
from tests.gui.conftest import start_slowly, tree_index

pytestmark = pytest.mark.timeout(120)
STATE = 3


def broken_off(steps: int) -> RunRecorder:
    """Return a run of the built-in network with its head frozen, of which the end was never seen."""
    config = load_config({
        "model": {"source": "builtin:digits-cnn"}, "freeze": {"layers": ["head"]}, "train": {"steps": steps},
    })  # fmt: skip
    run = RunRecorder(config, "broken off")
    for event in Trainer(config).events():
        if not isinstance(event, RunEnded):
            run.handle(event)
    return run


def state(window: MainWindow, path: str) -> str:
    return str(tree_index(window, path, STATE).data())


def test_ticks_wait_for_the_next_step_of_the_run_that_goes_on_here_and_of_no_other(
    qtbot: QtBot, window: MainWindow
) -> None:
    qtbot.waitUntil(lambda: window.run_panel.run_button.isEnabled(), timeout=20_000)
    window.workbench.take_in([broken_off(3)], look=True)
    assert (state(window, "stem.conv"), state(window, "head")) == ("frozen", "trains")   # what the next run does
    start_slowly(qtbot, window)
    assert window.workbench.plan.is_for(window.workbench.shown)
    head = tree_index(window, "head")
    window.layer_panel.model.setData(head, Qt.CheckState.Checked, Qt.ItemDataRole.CheckStateRole)
    assert state(window, "head") in ("→ freezes", "held")
    qtbot.waitUntil(lambda: state(window, "head") == "held", timeout=20_000)
    window.controller.stop()
    qtbot.waitUntil(lambda: not window.controller.is_running, timeout=20_000)
