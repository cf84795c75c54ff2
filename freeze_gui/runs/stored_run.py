"""A run out of its file, as the recorder that collected it; one that is still written can be followed."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from freeze_gui.runs.recorder import RunRecorder
from freeze_gui.runs.store_chunk import ReadChunk, read_chunks
from freeze_gui.runs.store_format import read_header, reading
from freeze_gui.runs.store_records import unpack
from freeze_gui.training.config import RunConfig
from freeze_gui.training.events import Evaluated, PlanApplied, RunEnded, RunStarted

T = TypeVar("T")


def open_run(path: Path) -> RunRecorder:
    """Open a run's file, which is not changed; see `FollowedRun` for what its recorder says.

    Raises
    ------
    UserError
        When it cannot be read, is no run, comes from another version, or is damaged.
    """
    return FollowedRun(path).recorder


class FollowedRun:
    """A run's file, and what has been read of it so far.

    The recorder's status is ``loading`` or ``running`` while the run is written, also by another program;
    ``interrupted`` when whoever wrote it is gone and the run has no end: then `ended` stays None and there is no
    summary, for the verdict on the tensors comes at the end, and what is known of leaks stands in `leaked`.

    Attributes
    ----------
    path
        The file.
    recorder
        The run; brought up to date by `refresh`.
    tags, notes
        What a person wrote about it.
    """

    def __init__(self, path: Path) -> None:
        self.path = Path(path)
        self.tags: tuple[str, ...] = ()
        self.notes = ""
        self._chunk = 0
        self._label: str | None = None
        self._taken = (0, 0, 0)   # steps, plans and evaluations of that chunk
        with reading(self.path) as db:
            config = _record(db, "config", RunConfig)
            if config is None:
                raise ValueError("it has no configuration")
            self.recorder = RunRecorder(config)
            self._take(db)

    def refresh(self) -> bool:
        """Read what came since; return whether there was anything.

        Raises
        ------
        UserError
            As `open_run`.
        """
        if self.recorder.ended is not None:
            return False
        before = self._chunk, self._taken, self.recorder.status
        with reading(self.path) as db:
            self._take(db)
        return before != (self._chunk, self._taken, self.recorder.status)

    def _take(self, db: sqlite3.Connection) -> None:
        recorder = self.recorder
        head = read_header(db)
        if head.label != self._label:   # whoever shows the run may have called it otherwise, to tell it from others
            recorder.label = self._label = head.label
        self.tags, self.notes = head.tags, head.notes
        if recorder.started is None and (started := _record(db, "started", RunStarted)) is not None:
            recorder.handle(started)
        if recorder.started is not None:
            self._take_chunks(db, recorder.started)
        if (ended := _record(db, "ended", RunEnded)) is not None:
            recorder.handle(ended)
        else:
            recorder.status = head.status

    def _take_chunks(self, db: sqlite3.Connection, started: RunStarted) -> None:
        layers, parameters = len(started.layers), len(started.parameters)
        masks = [np.frombuffer(bits, np.uint8) > 0 for bits, in db.execute("SELECT bits FROM masks ORDER BY id")]
        tasks = [name for name, in db.execute("SELECT name FROM tasks ORDER BY id")]
        if not all(name is None or isinstance(name, str) for name in tasks):
            raise ValueError("the name of a task is no text")
        for chunk in read_chunks(db, self._chunk):
            steps, plans, evaluations = self._taken if chunk.id == self._chunk else (0, 0, 0)
            self._take_plans(chunk, plans, masks)
            for step, loss, accuracy, has_accuracy in chunk.evaluations[evaluations:].tolist():
                self.recorder.handle(Evaluated(step, loss, accuracy if has_accuracy else None))
            self.recorder.extend(chunk.block(masks, tasks, layers, parameters).after(steps))
            self._chunk, self._taken = chunk.id, (len(chunk.steps), len(chunk.plans), len(chunk.evaluations))

    def _take_plans(self, chunk: ReadChunk, first: int, masks: list[NDArray[np.bool_]]) -> None:
        for step, trainable, mask, by_task in chunk.plans[first:].tolist():
            if not 0 <= mask < len(masks):
                raise ValueError("a plan names flags that are not there")
            self.recorder.handle(PlanApplied(step, masks[mask], trainable, bool(by_task)))


def _record(db: sqlite3.Connection, name: str, kind: type[T]) -> T | None:
    row = db.execute("SELECT content FROM records WHERE name = ?", (name,)).fetchone()
    if row is None:
        return None
    if not isinstance(row[0], bytes):
        raise ValueError(f"its record {name!r} is unreadable")
    return unpack(kind, row[0])
