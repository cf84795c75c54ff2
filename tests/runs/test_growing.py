from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from freeze_gui.runs import growing
from freeze_gui.runs.growing import GrowingRecords
from freeze_gui.runs.history import History
from freeze_gui.training.events import StepDone

DTYPE = [("number", "i8"), ("values", "f8", 100)]


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(growing, "_GROW_BYTES", 1 << 18)
    monkeypatch.setattr(growing, "_KEEP_MAPPED_BYTES", 1 << 16)
    monkeypatch.setenv("FREEZE_GUI_RUNS", str(tmp_path))


def filled(count: int) -> tuple[GrowingRecords, list[Any]]:
    """Return records and, taken as they grew, (how many there were, what a reader held then)."""
    grown, readers = GrowingRecords(DTYPE, 1 << 20), []
    for at in range(count):
        grown.reserve(at + 1)
        grown.records[at] = (at, np.arange(100) + at)
        grown.give_back(at + 1)
        if at % 500 == 0:
            readers.append((at + 1, grown.records[: at + 1]))
    return grown, readers


def test_records_stay_what_they_are_through_memory_and_file(tmp_path: Path) -> None:
    grown, readers = filled(5_000)   # 4 MB, of which one may lie in memory
    assert grown.is_on_disk
    assert np.array_equal(grown.records["number"][:5_000], np.arange(5_000))
    assert np.array_equal(grown.records["values"][:5_000], np.arange(5_000)[:, None] + np.arange(100.0))
    for count, seen in readers:
        assert np.array_equal(seen["number"], np.arange(count))
    assert list(tmp_path.iterdir()) == []   # the file has no name


def test_a_few_records_need_no_file() -> None:
    assert not filled(1_000)[0].is_on_disk


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs Linux's /proc")
def test_what_was_written_does_not_stay_in_the_memory_of_the_process() -> None:
    grown = GrowingRecords(DTYPE, 1 << 20)
    for at in range(80_000):   # 64 MB
        grown.reserve(at + 1)
        grown.records[at] = (at, 1.0)
        grown.give_back(at + 1)
    lines = Path("/proc/self/smaps").read_text().splitlines()
    (start,) = (at for at, line in enumerate(lines) if f"{grown.records.ctypes.data:x}-" in line)
    resident = next(line for line in lines[start:] if line.startswith("Rss:"))
    assert int(resident.split()[1]) < 4096


def test_a_run_goes_on_when_the_disk_is_full_and_says_where_its_norms_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(growing, "IN_MEMORY_BYTES", 1 << 16)

    def full(records: GrowingRecords, count: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(GrowingRecords, "_grow_file", full)
    history = History(tuple(map(str, range(10))))
    norms = np.ones(10)
    for step in range(2_000):
        flags = np.zeros(10, bool)
        history.append(StepDone(step, 0.5, None, norms, norms, norms, flags, (), 0.1, 0.1, 0.1))
    assert history.steps == 2_000 and 0 < history.rows < 2_000
    assert len(history.view().loss) == 2_000 and len(history.view().weight_delta) == history.rows
    assert history.error is not None
    assert "No space left on device" in history.error and f"up to step {history.rows - 1}" in history.error
