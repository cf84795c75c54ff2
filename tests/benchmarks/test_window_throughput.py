"""How fast a run trains behind the live window, against the same run in a plain thread with no window at work."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest
import torch
from PySide6.QtCore import QTimer
from pytestqt.qtbot import QtBot

from freeze_gui.gui.app import create_window
from freeze_gui.gui.main_window import MainWindow
from freeze_gui.gui.startup import SWITCH_S
from freeze_gui.training.config import RunConfig, load_config
from freeze_gui.training.control import RunControl
from freeze_gui.training.events import StepDone
from freeze_gui.training.trainer import Trainer
from tests.benchmarks.measuring import CORES, Table, heap_set_aside, interleaved, ratio, spread

pytestmark = [pytest.mark.benchmark, pytest.mark.timeout(600)]

_HERE = Path(__file__).with_name("networks.py")
CASES = {
    # name: (model, data, steps before, steps of a slice)
    "tiny MLP": (f"file:{_HERE}:tiny_mlp", f"file:{_HERE}:digits_sized", 200, 4_000),
    "digits-cnn": ("builtin:digits-cnn", "digits", 200, 600),
    "resnet18, 16 × 64 px": ("torchvision:resnet18", f"file:{_HERE}:images_64", 20, 12),
}
ROUNDS = 9


class Headless:
    """The run as the command line would have it, without its files: a thread that iterates over the events."""

    def __init__(self, config: RunConfig) -> None:
        self.control, self.steps = RunControl(), 0
        self._config = config
        self._thread = threading.Thread(target=self._work, daemon=True)
        self._thread.start()

    def _work(self) -> None:
        torch.set_num_threads(CORES)
        for event in Trainer(self._config, self.control).events():
            self.steps += isinstance(event, StepDone)

    def close(self) -> None:
        self.control.stop()
        self._thread.join()


def steps_a_second(control: RunControl, steps: Callable[[], int], wait: Callable[[], object], count: int) -> float:
    """Let a paused run take some more steps, the first of which is not counted, and return its pace."""
    control.resume()
    first = steps() + 1
    while steps() < first:
        wait()
    first, began = steps(), time.perf_counter()
    while steps() < first + count:
        wait()
    pace = (steps() - first) / (time.perf_counter() - began)
    control.pause()
    time.sleep(0.3)   # its last step ends
    return pace


@pytest.fixture
def live_window(qtbot: QtBot, tmp_path: Path) -> Iterator[MainWindow]:
    before = sys.getswitchinterval()
    sys.setswitchinterval(SWITCH_S)   # as the program does when it starts
    torch.set_num_threads(CORES)   # as torch does when it starts
    window = create_window(tmp_path / "settings.ini")
    qtbot.addWidget(window)
    window.resize(1440, 900)
    window.show()
    qtbot.waitUntil(lambda: not window.workbench.desk.is_loading, timeout=60_000)
    with heap_set_aside():
        yield window
    window.close()
    sys.setswitchinterval(before)


@pytest.mark.parametrize("case", CASES)
def test_training_behind_the_window(
    qtbot: QtBot, live_window: MainWindow, report: Callable[[Table], None], case: str
) -> None:
    model, data, warm_up, count = CASES[case]
    config = load_config({
        "model": {"source": model, "weights": "none"}, "data": {"source": data},
        "optimizer": {"name": "SGD", "lr": 0.001, "momentum": 0.9},
        "train": {"steps": 1_000_000, "device": "cpu", "eval_every": 10**9},
    })  # fmt: skip
    controller = live_window.controller
    controller.start(config, "live")
    control, timer = controller.control, controller.findChild(QTimer, "tick")
    assert control is not None
    assert timer is not None

    def done() -> int:
        history = controller.recorders[0].history
        return history.steps if history is not None else 0

    def behind_the_window(live: bool) -> float:
        timer.start() if live else timer.stop()
        pace = steps_a_second(control, done, partial(qtbot.wait, 10), count)
        timer.stop()
        return pace

    qtbot.waitUntil(lambda: done() > warm_up, timeout=120_000)
    control.pause()
    headless = Headless(config)
    while headless.steps <= warm_up:
        time.sleep(0.05)
    headless.control.pause()
    timer.stop()
    found = interleaved({
        "headless": lambda: steps_a_second(
            headless.control, lambda: headless.steps, partial(time.sleep, 0.01), count
        ),
        "window, drawing off": lambda: behind_the_window(False),
        "window, live": lambda: behind_the_window(True),
    }, ROUNDS)  # fmt: skip
    headless.close()
    report(Table(
        f"Training behind the window: {case}",
        ("", "steps a second", "headless ×"),
        [(name, spread(paces), ratio(paces, found["headless"])) for name, paces in found.items()],
        f"{ROUNDS} rounds of {count} steps in one process, each run paused while another has its turn; headless is the "
        f"trainer alone in a thread, with {CORES} torch threads where the network is large; behind the window the run "
        "is saved to its file, too.",
    ))  # fmt: skip
