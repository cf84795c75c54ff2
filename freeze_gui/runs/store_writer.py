"""Writes a run to its file while it goes on, in a thread of its own: the training never waits for the disk."""

from __future__ import annotations

import contextlib
import json
import os
import platform
import sqlite3
import threading
import time
from collections import deque
from pathlib import Path
from types import TracebackType

import numpy as np
from numpy.typing import NDArray

from freeze_gui.errors import UserError
from freeze_gui.runs.store_chunk import Chunk, Names
from freeze_gui.runs.store_format import SCHEMA, connect, reason
from freeze_gui.runs.store_records import pack
from freeze_gui.training.config import RunConfig
from freeze_gui.training.events import Evaluated, PlanApplied, RunEnded, RunEvent, RunStarted, StepDone

_FLUSH_S = 0.8
"""Time between two commits: with the commit itself, what a crash can cost stays below a second."""

_SIGN_OF_LIFE_S = 4.0
"""A run that is paused says so often that it is still there."""

_CLOSE_S = 10.0


class RunWriter:
    """Saves the events of one run; `handle` only puts them in a queue.

    Whatever happens to the disk, the run goes on: the writer stops, says why in `error`, and what was saved stays
    readable. Used as a context manager it closes at the end.

    Attributes
    ----------
    path
        The file.
    error
        Why the run is no longer saved, as one sentence; None while all is well.
    """

    def __init__(self, path: Path, config: RunConfig, label: str | None = None) -> None:
        self.path = Path(path).expanduser().absolute()
        self.error: str | None = None
        self._events: deque[RunEvent] = deque()
        self._closing = threading.Event()
        self._chunk: Chunk | None = None
        self._masks, self._tasks = Names(), Names()
        self._last_flags: NDArray[np.bool_] | None = None
        self._last_mask = 0
        self._steps = 0
        self._status = "loading"
        self._frozen = self._leaked = False
        self._committed_at = 0.0
        _create(self.path, config, label or config.freeze.method)
        self._identity = _identity(self.path)
        self._thread = threading.Thread(target=self._write, name="run-writer", daemon=True)
        self._thread.start()

    def __enter__(self) -> RunWriter:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def handle(self, event: RunEvent) -> None:
        """Take in the next event of the run; the last one ends the writing."""
        if self.error is None:
            self._events.append(event)
            if isinstance(event, RunEnded):
                self._closing.set()

    def close(self) -> None:
        """Write what is left and wait until it is in the file; a run that has not ended is then interrupted."""
        self._closing.set()
        self._thread.join(_CLOSE_S)
        if self._thread.is_alive() and self.error is None:
            self.error = f"{self.path}: the disk does not answer, so that the end of the run may not be saved"

    def _write(self) -> None:
        try:
            with contextlib.closing(connect(self.path, "rw")) as db:
                db.execute("PRAGMA synchronous = NORMAL")   # in WAL mode the file is whole after a power cut as well
                closing = False
                while not closing:
                    closing = self._closing.wait(_FLUSH_S)
                    self._flush(db, closing)
                _settle(db)
        except Exception as error:   # whatever it is, the run goes on
            self.error = f"{self.path}: the run is no longer saved: " + (
                f"{reason(error)}. What was saved until then can be opened"
                if self._is_there()
                else "the file or its folder was removed"
            )
            self._events.clear()

    def _is_there(self) -> bool:
        """Whether the path still leads to the file; SQLite would go on writing one that was removed."""
        with contextlib.suppress(OSError):
            return _identity(self.path) == self._identity
        return False

    def _flush(self, db: sqlite3.Connection, closing: bool) -> None:
        """Commit all that has come."""
        if not self._is_there():
            raise FileNotFoundError(self.path)
        count = len(self._events)
        if not (count or closing or time.monotonic() - self._committed_at > _SIGN_OF_LIFE_S):
            return
        with db:
            for _ in range(count):
                self._take(db, self._events.popleft())
            if self._chunk is not None:
                self._chunk.write(db)
            for table, names in (("masks", self._masks), ("tasks", self._tasks)):
                db.executemany(f"INSERT INTO {table} VALUES (?, ?)", names.new())
            if closing and self._status in ("loading", "running"):
                self._status = "interrupted"
            db.execute(
                "UPDATE header SET status = ?, verdict = ?, steps = ?, alive = ?",
                (self._status, self._verdict(), self._steps, time.time()),
            )
        if self._chunk is not None and self._chunk.is_full:
            self._chunk = self._chunk.following()
        self._committed_at = time.monotonic()

    def _take(self, db: sqlite3.Connection, event: RunEvent) -> None:
        match event:
            case RunStarted():
                db.execute("INSERT INTO records VALUES ('started', ?)", (pack(event),))
                self._status, self._chunk = "running", Chunk(0)
            case RunEnded():
                db.execute("INSERT INTO records VALUES ('ended', ?)", (pack(event),))
                self._status = event.status
                self._leaked = self._leaked or any(t.moved for t in (*event.tensors, *event.effective_weights))
        if self._chunk is None:
            return
        match event:
            case PlanApplied():
                self._chunk.add_plan(event, self._mask(event.frozen))
            case StepDone():
                self._steps = event.step + 1
                self._leaked = self._leaked or bool(event.leaked)
                self._chunk.add_step(event, self._mask(event.frozen), self._tasks.number(event.task))
            case Evaluated():
                self._chunk.add_evaluation(event)

    def _mask(self, frozen: NDArray[np.bool_]) -> int:
        """Return the number of these flags, whose array is shared between steps with the same plan."""
        if frozen is not self._last_flags:
            self._last_flags, self._last_mask = frozen, self._masks.number(frozen.tobytes())
            self._frozen = self._frozen or bool(frozen.any())
        return self._last_mask

    def _verdict(self) -> str:
        return "leaked" if self._leaked else "held" if self._frozen else "nothing frozen" if self._steps else ""


def _create(path: Path, config: RunConfig, label: str) -> None:
    """Create the file with its header; never in place of another.

    Raises
    ------
    UserError
        When there is one already, or it cannot be written.
    """
    try:
        with path.open("xb"):
            pass
    except FileExistsError:
        raise UserError(f"{path}: there is a file already, and a run takes a new one: choose another name") from None
    except OSError as error:
        raise UserError(f"{path}: cannot be written ({error.strerror})") from None
    now = time.time()
    header = (
        1, label, "loading", "", now, 0, config.model.source, config.freeze.method, json.dumps([]), "",
        platform.node(), os.getpid(), now,
    )  # fmt: skip
    try:
        with contextlib.closing(connect(path, "rw")) as db:
            db.executescript(f"BEGIN; {SCHEMA}")
            db.execute(f"INSERT INTO header VALUES ({', '.join('?' * len(header))})", header)
            db.execute("INSERT INTO records VALUES ('config', ?)", (pack(config),))
            db.commit()
            db.execute("PRAGMA journal_mode = WAL")
    except sqlite3.Error as error:
        with contextlib.suppress(OSError):
            path.unlink()   # ours: it was created a moment ago, and holds nothing
        raise UserError(f"{path}: cannot be written ({reason(error)})") from None


def _identity(path: Path) -> tuple[int, int]:
    found = path.stat()
    return found.st_dev, found.st_ino


def _settle(db: sqlite3.Connection) -> None:
    """Make one plain file of it, which can be moved and read everywhere; whoever reads just now is waited for."""
    for _ in range(20):
        try:
            db.execute("PRAGMA journal_mode = DELETE")
            return
        except sqlite3.OperationalError:   # "database is locked": this one does not wait by itself
            time.sleep(0.05)
