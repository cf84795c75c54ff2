"""What every benchmark here is made of: interleaved rounds, their medians and quartiles, and where they were taken."""

from __future__ import annotations

import contextlib
import datetime
import gc
import importlib.metadata
import os
import platform
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import TypeVar

import numpy as np
import torch
from numpy.typing import ArrayLike

_PACKAGES = ("torch", "torchvision", "numpy", "PySide6_Essentials", "pyqtgraph", "tensorboard", "wandb", "lightning")
Found = TypeVar("Found")
CORES = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@dataclass(frozen=True)
class Table:
    """What a benchmark found: a heading, rows of texts under a row of titles, and a word on how to read it."""

    heading: str
    titles: Sequence[str]
    rows: Sequence[Sequence[str]]
    note: str = ""

    def markdown(self) -> str:
        """Return the table as Markdown."""
        lines = [" | ".join(self.titles), " | ".join("---" for _ in self.titles)]
        lines += [" | ".join(row) for row in self.rows]
        note = f"\n{self.note}\n" if self.note else ""
        return f"## {self.heading}\n\n" + "".join(f"| {line} |\n" for line in lines) + note


def interleaved(actions: Mapping[str, Callable[[], Found]], rounds: int) -> dict[str, list[Found]]:
    """Do every action once a round and return what each returned, round by round.

    What slows the machine for a moment slows all of them. Each round has an order of its own, so that none of them
    always comes after the same one, and none after itself, with its memory still in the caches; a first round, which
    warms up, is left out.
    """
    found: dict[str, list[Found]] = {name: [] for name in actions}
    names, random = list(actions), Random(0)
    for round_ in range(rounds + 1):
        for name in names:
            value = actions[name]()
            if round_:
                found[name].append(value)
        last = names[-1]
        random.shuffle(names)
        while len(names) > 1 and names[0] == last:
            random.shuffle(names)
    return found


def ratio(values: ArrayLike, base: ArrayLike) -> str:
    """Return how many times the base, round by round: median and quartiles."""
    return spread(np.divide(values, base), "{:.3f}", "×")


def spread(values: ArrayLike, form: str = "{:.1f}", unit: str = "") -> str:
    """Return median and quartiles of the rounds."""
    low, middle, high = (form.format(value) for value in np.percentile(np.asarray(values), [25, 50, 75]))
    return f"{middle}{unit} ({low}–{high})"


def taken_s(action: Callable[[], object]) -> float:
    """Return how long something takes."""
    began = time.perf_counter()
    action()
    return time.perf_counter() - began


@contextlib.contextmanager
def heap_set_aside() -> Iterator[None]:
    """Set aside what is there, as the program does when its window is shown.

    Otherwise the window now and then counts what was imported: half a million objects take 50 ms.
    """
    gc.collect()
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


def machine() -> str:
    """Return what the figures come from, as Markdown: the hardware, the versions, the day; no names of hosts."""
    lines = [f"CPU: {_cpu()}, {CORES} cores", f"system: {platform.system()}"]
    if hasattr(os, "sysconf"):
        memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
        lines.append(f"memory: {memory / 2**30:.0f} GiB")
    lines.append(f"GPU: {torch.cuda.get_device_name() if torch.cuda.is_available() else 'none'}")
    versions = [f"Python {platform.python_version()}"]
    for package in _PACKAGES:
        try:
            versions.append(f"{package} {importlib.metadata.version(package)}")
        except importlib.metadata.PackageNotFoundError:
            versions.append(f"no {package}")
    lines.append(", ".join(versions))
    lines.append(f"date: {datetime.datetime.now(datetime.UTC).date().isoformat()}")
    if hasattr(os, "getloadavg"):
        lines.append(f"other programs before the start: a load of {os.getloadavg()[2]:.1f} in the last 15 minutes")
    return "".join(f"- {line}\n" for line in lines)


def _cpu() -> str:
    information = Path("/proc/cpuinfo")
    if information.exists():
        names = [line for line in information.read_text().splitlines() if line.startswith("model name")]
        if names:
            return names[0].partition(":")[2].strip()
    return platform.processor() or platform.machine()
