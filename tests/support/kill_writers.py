"""Kills programs that write a run, at random moments: run as a program of its own, because it forks.

Arguments: a folder, how many, how many at a time, and the bounds of the moments in seconds. For each it prints a line
of JSON: the file, how many steps were handed to the writer a second before the kill, and how many in all.
"""

from __future__ import annotations

import json
import mmap
import os
import random
import signal
import struct
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from freeze_gui.runs.store_writer import RunWriter
from freeze_gui.training.config import load_config
from freeze_gui.training.events import StepDone
from tests.support.events import events

CONFIG = load_config({"model": {"source": "builtin:digits-cnn"}})
STEP_S = 0.002
MOST = 4000


def write_for_ever(path: Path, times: mmap.mmap) -> None:
    """Write fast steps; note when each was handed over."""
    writer = RunWriter(path, CONFIG)
    for event in events(16, MOST):
        writer.handle(event)
        if isinstance(event, StepDone):
            struct.pack_into("d", times, 8 * event.step, time.monotonic())
            time.sleep(STEP_S)


def kill_some(folder: Path, names: list[str], moments: Iterator[float]) -> None:
    """Start some writers at once, and kill each after a while of its own."""
    running = []
    for name in names:
        times = mmap.mmap(-1, 8 * MOST)
        child = os.fork()
        if child == 0:
            write_for_ever(folder / name, times)
            os._exit(0)
        running.append((time.monotonic() + next(moments), child, name, times))
    for due, child, name, times in sorted(running):
        time.sleep(max(0.0, due - time.monotonic()))
        os.kill(child, signal.SIGKILL)
        killed = time.monotonic()
        os.waitpid(child, 0)
        handed = [at for at in struct.unpack(f"{MOST}d", times[:]) if at > 0]
        safe = sum(at < killed - 1.0 for at in handed)
        print(json.dumps({"name": name, "safe": safe, "handed": len(handed)}), flush=True)


if __name__ == "__main__":
    where, count, together = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    earliest, latest = float(sys.argv[4]), float(sys.argv[5])
    dice = random.Random(4)
    drawn = iter(lambda: dice.uniform(earliest, latest), None)
    for begin in range(0, count, together):
        kill_some(where, [f"run{number}.freezerun" for number in range(begin, min(begin + together, count))], drawn)
