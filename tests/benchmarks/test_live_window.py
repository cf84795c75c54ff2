"""What the live window costs a run of 161 layers: 4 runs open, 10,000 steps of history, drawing on and off in turns."""

from __future__ import annotations

import contextlib
import dataclasses
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PySide6.QtCore import QTimer
from pytestqt.qtbot import QtBot

from freeze_gui.gui import run_controller
from freeze_gui.gui.app import create_window
from freeze_gui.gui.frame_pace import FramePace
from freeze_gui.gui.main_window import MainWindow
from freeze_gui.gui.startup import SWITCH_S
from freeze_gui.runs.recorder import RunRecorder
from freeze_gui.runs.step_block import StepBlock
from freeze_gui.training.config import load_config
from freeze_gui.training.events import Evaluated, PlanApplied, RunEvent, RunStarted, StepDone
from tests.benchmarks.heart import PERIOD_MS, Heart, ThreadClock, TrainingWaits
from tests.benchmarks.measuring import Table, heap_set_aside, interleaved, ratio
from tests.gui.recorded_runs import end_run, started_run

pytestmark = [pytest.mark.benchmark, pytest.mark.timeout(300)]

LAYERS, BEFORE, SLICE_MS, ROUNDS, STEADY_MS = 161, 10_000, 2_000, 8, 40_000
NETWORK = """
import torch
def build():
    blocks = [torch.nn.Sequential(torch.nn.Linear(16, 16), torch.nn.Tanh()) for _ in range(160)]
    return torch.nn.Sequential(*blocks, torch.nn.Linear(16, 5))
def batches():
    return [(torch.randn(16, 16), torch.randint(0, 5, (16,))) for _ in range(8)]
"""


def past(layers: int) -> StepBlock:
    """Return ten thousand steps of random norms."""
    generator, numbers = np.random.default_rng(0), np.arange(BEFORE, dtype=float)
    return StepBlock(
        np.arange(BEFORE), 1 / (1 + numbers), 0 * numbers + 0.01, 0 * numbers + 0.001, 0 * numbers + 0.1,
        [None] * BEFORE, np.tile(np.arange(layers) < layers // 2, (BEFORE, 1)), np.zeros((BEFORE, layers), bool),
        np.ones(BEFORE, bool), generator.lognormal(-3, 1.5, (BEFORE, 3, layers)).astype(np.float32),
        np.zeros(0, np.int64), np.zeros((0, 0, 3), np.float32),
    )  # fmt: skip


@dataclass(frozen=True)
class Slice:
    """Some seconds of the run, with drawing or without.

    Attributes
    ----------
    steps_per_s, frames_per_s
        Of the run, and of the window.
    computed
        Part of a core's time that the window's thread computed.
    training_waited
        Part of the time in which the training thread waited for the interpreter's lock.
    beats
        What `Heart` found.
    """

    steps_per_s: float
    frames_per_s: float
    computed: float
    training_waited: float
    beats: NDArray[np.float64]


class LongRun(RunRecorder):
    """A run that has a past when it begins."""

    def handle(self, event: RunEvent) -> None:
        if isinstance(event, StepDone | PlanApplied | Evaluated):
            event = dataclasses.replace(event, step=event.step + BEFORE)
        super().handle(event)
        if isinstance(event, RunStarted):
            self.extend(past(len(event.layers)))
            assert self.history is not None
            self.history.total_steps += BEFORE   # beyond the last step that is expected all is drawn anew with each one


@contextlib.contextmanager
def running_window(qtbot: QtBot, monkeypatch: pytest.MonkeyPatch, folder: Path) -> Iterator[MainWindow]:
    """Open the window with three runs that have ended, and start a fourth."""
    monkeypatch.setattr(run_controller, "RunRecorder", LongRun)
    before = sys.getswitchinterval()
    sys.setswitchinterval(SWITCH_S)   # as the program does when it starts
    source = folder / "net.py"
    source.write_text(NETWORK)
    config: dict[str, Any] = {
        "model": {"source": f"file:{source}:build"}, "data": {"source": f"file:{source}:batches"},
        "freeze": {"layers": ["[0:80]"]}, "optimizer": {"name": "SGD", "lr": 0.01},
        "train": {"steps": 30_000, "device": "cpu", "measure_every": 1, "eval_every": 10**9, "threads": 1},
    }  # fmt: skip
    window = create_window(folder / "settings.ini")
    qtbot.addWidget(window)
    window.resize(1440, 900)
    window.show()
    qtbot.waitUntil(lambda: not window.workbench.desk.is_loading, timeout=60_000)
    layers = [f"{at}.0" for at in range(LAYERS - 1)] + [str(LAYERS - 1)]
    for number in range(3):
        run = started_run(f"run {number}", BEFORE, layers)
        run.extend(past(LAYERS))
        end_run(run)
        window.workbench.runs.append(run)
    window.controller.keeps_runs = False
    window.controller.start(load_config(config), "live")
    qtbot.waitUntil(lambda: steps_of(window) > BEFORE + 5, timeout=60_000)
    try:
        with heap_set_aside():
            yield window
    finally:
        window.close()
        sys.setswitchinterval(before)


def steps_of(window: MainWindow) -> int:
    history = window.controller.recorders[0].history
    return history.steps if history is not None else 0


@pytest.mark.parametrize("tab", ["one run", "runs side by side"])
def test_a_live_window_beside_its_training(
    qtbot: QtBot, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, report: Callable[[Table], None], tab: str
) -> None:
    frames = watch_frames(monkeypatch)
    with running_window(qtbot, monkeypatch, tmp_path) as window:
        if tab != "one run":
            window.show_compare_tab()
        qtbot.wait(2_000)
        frames.clear()   # the first picture is drawn whole
        timer = window.controller.findChild(QTimer, "tick")
        assert timer is not None
        waits = TrainingWaits()

        def slice_of(live: bool) -> Slice:
            timer.start() if live else timer.stop()
            heart = Heart()
            qtbot.wait(200)   # catch up
            heart.start()
            began, waited, used = time.perf_counter(), waits.waited_s(), time.thread_time()
            first, count = steps_of(window), len(frames)
            qtbot.wait(SLICE_MS)
            taken, waited, used = (
                time.perf_counter() - began, waits.waited_s() - waited, time.thread_time() - used
            )   # fmt: skip
            steps, drawn = steps_of(window) - first, len(frames) - count
            return Slice(steps / taken, drawn / taken, used / taken, waited / taken, heart.stop())

        qtbot.wait(STEADY_MS)
        steady = np.array(frames) * 1000   # without those that catch up with what came while drawing was off
        found = interleaved({
            "live": lambda: slice_of(True), "still": lambda: slice_of(False), "still again": lambda: slice_of(False)
        }, ROUNDS)  # fmt: skip
    live, still, again = found.values()
    beats, calm = (np.concatenate([part.beats for part in parts]) for parts in (live, still))
    drawing = np.median([part.computed for part in live]) - np.median([part.computed for part in still])
    waited = [float(np.median([part.training_waited for part in parts])) for parts in (live, still)]
    rate = np.median([part.frames_per_s for part in live])
    paces = [[part.steps_per_s for part in parts] for parts in (live, still, again)]
    report(Table(
        f"Live window, {tab}: {LAYERS} layers, 4 runs, {BEFORE:,} steps of history",
        ("", "median", "p99", "most"),
        (
            *frame_rows(steady),
            *heart_rows("while drawing", beats),
            *heart_rows("without drawing", calm),
            ("steps a second, drawing : not drawing", ratio(paces[0], paces[1]), "", ""),
            ("the same, not drawing : not drawing", ratio(paces[2], paces[1]), "", ""),
            ("training waits for the window, of its time", f"{waited[0]:.2%}; {waited[1]:.2%} without drawing", "", ""),
            ("drawing's share of a core", f"{drawing:.1%}", "", ""),
            ("frames a second", f"{rate:.1f}", "", ""),
        ),
        f"{len(steady)} frames in {STEADY_MS / 1000:.0f} s; then drawing is switched on and off in turns during one "
        f"run. {longest(beats)} What the machine's other programs take is in the waiting for a core.",
    ))  # fmt: skip


def watch_frames(monkeypatch: pytest.MonkeyPatch) -> list[NDArray[np.float64]]:
    """Return a list to which each frame adds its seconds by the clock, computed, and waited for a core."""
    clock, frames, began = ThreadClock(), [], np.zeros(3)
    begin, end = FramePace.begin, FramePace.end

    def begin_timed(pace: FramePace) -> None:
        began[:] = clock.now_s()
        begin(pace)

    def end_timed(pace: FramePace) -> int:
        frames.append(clock.now_s() - began)
        return end(pace)

    monkeypatch.setattr(FramePace, "begin", begin_timed)
    monkeypatch.setattr(FramePace, "end", end_timed)
    return frames


def frame_rows(frames: NDArray[np.float64]) -> list[tuple[str, ...]]:
    """Return rows of what frames with their painting cost the program, and what the machine's two cores add to it."""
    whole, computed, waited = frames.T
    return [
        ("processor time of a frame with its painting, ms", *percentiles(computed)),
        ("· waited for a core in a frame, ms", *percentiles(waited)),
        ("· waited for the interpreter's lock in a frame, ms", *percentiles(whole - computed - waited)),
        ("· all of it by the clock, ms", *percentiles(whole)),
    ]


def heart_rows(when: str, beats: NDArray[np.float64]) -> list[tuple[str, ...]]:
    """Return rows of the beats, of what the window's thread computed in them and waited for a core, and of the rest."""
    whole, computed, waited = beats.T
    return [
        (f"{PERIOD_MS} ms heartbeat {when}, ms", *percentiles(whole)),
        ("· computed in a beat, ms", *percentiles(computed)),
        ("· waited for a core in a beat, ms", *percentiles(waited)),
        ("· a beat less that waiting, ms", *percentiles(whole - waited)),
    ]


def longest(beats: NDArray[np.float64]) -> str:
    """Return of what the longest beat consists."""
    whole, computed, waited = beats[beats[:, 0].argmax()]
    return f"The longest beat while drawing: {whole:.0f} ms, {computed:.0f} computed, {waited:.0f} waiting for a core."


def percentiles(values: NDArray[np.float64]) -> tuple[str, str, str]:
    return tuple(f"{value:.1f}" for value in np.percentile(values, [50, 99, 100]))   # type: ignore[return-value]
