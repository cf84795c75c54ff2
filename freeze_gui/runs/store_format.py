"""The tables of a run's file, and how it is opened without changing it; `store` describes them."""

from __future__ import annotations

import contextlib
import json
import os
import platform
import shutil
import sqlite3
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from freeze_gui.errors import UserError

SUFFIX = ".freezerun"
FORMAT = 1
"""Version of the file's layout, in its ``user_version``."""

APPLICATION_ID = 0x465A5255
"""``FZRU``: how a run's file differs from any other SQLite file."""

SCHEMA = f"""
CREATE TABLE header (
    id INTEGER PRIMARY KEY CHECK (id = 1), label TEXT, status TEXT, verdict TEXT, started REAL, steps INTEGER,
    model TEXT, method TEXT, tags TEXT, notes TEXT, host TEXT, pid INTEGER, alive REAL);
CREATE TABLE records (name TEXT PRIMARY KEY, content BLOB);
CREATE TABLE masks (id INTEGER PRIMARY KEY, bits BLOB);
CREATE TABLE tasks (id INTEGER PRIMARY KEY, name TEXT);
CREATE TABLE chunks (
    id INTEGER PRIMARY KEY, steps BLOB, plans BLOB, evaluations BLOB, norms BLOB, leaked BLOB, states BLOB,
    checksum INTEGER);
PRAGMA application_id = {APPLICATION_ID};
PRAGMA user_version = {FORMAT};
"""

MEASURED, STATE_READ = 1, 2
"""Bits of a step's ``what``: its norms are in the chunk; the optimizer's state is."""

STEP = [
    ("step", "<i8"), ("loss", "<f8"), ("step_s", "<f8"), ("overhead_s", "<f8"), ("learning_rate", "<f8"),
    ("task", "<i4"), ("mask", "<i4"), ("what", "u1"),
]  # fmt: skip
PLAN = [("step", "<i8"), ("trainable", "<i8"), ("mask", "<i4"), ("by_task", "u1")]
EVALUATION = [("step", "<i8"), ("loss", "<f8"), ("accuracy", "<f8"), ("has_accuracy", "u1")]

_MAGIC = b"SQLite format 3\0"
_WAIT_S = 5.0
_SILENT_S = 20.0
"""A file whose writer has not been heard of for so long has none: it writes every few seconds, even in a pause."""


@dataclass(frozen=True)
class Header:
    """What a run's file says of the run at a glance; see `store_files.RunCard`."""

    label: str
    status: str
    verdict: str
    started: float
    steps: int
    model: str
    method: str
    tags: tuple[str, ...]
    notes: str


def read_header(db: sqlite3.Connection) -> Header:
    """Return the header; a run without an end whose writer is gone is ``interrupted``.

    Raises
    ------
    ValueError
        When it is not there or not as it should be.
    """
    row = db.execute(
        "SELECT label, status, verdict, started, steps, model, method, tags, notes, host, pid, alive FROM header"
    ).fetchone()
    kinds = (str, str, str, float, int, str, str, str, str, str, int, float)
    if row is None or any(type(value) is not kind for value, kind in zip(row, kinds, strict=True)):
        raise ValueError("its header is unreadable")
    label, status, verdict, started, steps, model, method, tags, notes, *writer = row
    if status in ("loading", "running") and not is_written(*writer):
        status = "interrupted"
    return Header(label, status, verdict, started, steps, model, method, tuple(map(str, json.loads(tags))), notes)


@contextlib.contextmanager
def reading(path: Path) -> Iterator[sqlite3.Connection]:
    """Yield a connection that reads one state of the file at `path` and never changes it.

    Raises
    ------
    UserError
        When it cannot be read, is no run, comes from a newer version, or is damaged; also for a `ValueError` within.
    """
    header = check_header(path)
    with contextlib.ExitStack() as stack:
        try:
            db = _open_to_read(path, header, stack)
            db.execute("BEGIN")
            yield db
        except (sqlite3.Error, ValueError, TypeError, OverflowError, RecursionError) as error:
            raise UserError(f"{path}: this run's file is damaged and cannot be opened ({error})") from None


@contextlib.contextmanager
def changing(path: Path) -> Iterator[sqlite3.Connection]:
    """Yield a connection in a transaction that changes the file at `path`.

    Raises
    ------
    UserError
        When it is no run, or cannot be written.
    """
    check_header(path)
    try:
        with contextlib.closing(connect(path, "rw")) as db, db:
            yield db
    except sqlite3.Error as error:
        raise UserError(f"{path}: cannot be changed ({reason(error)})") from None


def check_header(path: Path) -> bytes:
    """Return the first bytes of a run's file.

    Raises
    ------
    UserError
        When it cannot be read, is no run, or comes from a newer version.
    """
    if path.exists() and not path.is_file() and not path.is_dir():
        raise UserError(f"{path}: is a pipe or a device, and no run of Freeze GUI")   # which would be waited for
    try:
        with path.open("rb") as file:
            header = file.read(100)
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror})") from None
    if not header:
        raise UserError(f"{path}: is empty: it holds no run")
    if len(header) < 100 or header[:16] != _MAGIC or int.from_bytes(header[68:72]) != APPLICATION_ID:
        raise UserError(f"{path}: is no run of Freeze GUI, whatever its name says, or is damaged")
    version = int.from_bytes(header[60:64])
    if version != FORMAT:
        raise UserError(
            f"{path}: has the file format {version}, and this version of Freeze GUI reads format {FORMAT}: "
            "open it with the version that wrote it, or a newer one"
        )
    return header


def connect(path: Path, mode: str, flags: str = "") -> sqlite3.Connection:
    """Connect to the file at `path`; `mode` is ``ro`` or ``rw``, and it must exist."""
    address = f"{path.absolute().as_uri()}?mode={mode}{flags}"
    return sqlite3.connect(address, uri=True, timeout=_WAIT_S)


def is_written(host: str, pid: int, alive: float) -> bool:
    """Tell whether the program that writes a file, as its header names it, is still there."""
    if abs(time.time() - alive) > _SILENT_S:
        return False
    if host != platform.node() or os.name != "posix":   # elsewhere os.kill does not ask, it kills
        return True
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass   # somebody else's process
    return True


def reason(error: Exception) -> str:
    """Return in few words why a file could not be written."""
    if isinstance(error, OSError):
        return error.strerror or str(error)
    text = str(error)
    for said, meant in (
        ("disk is full", "the disk is full"),
        ("readonly", "the file or its folder is read-only"),
        ("unable to open", "the file or its folder is read-only"),
        ("disk I/O", "the disk is full or reports an error"),
        ("locked", "another program is writing it"),
    ):
        if said in text:
            return meant
    return text


def _open_to_read(path: Path, header: bytes, stack: contextlib.ExitStack) -> sqlite3.Connection:
    """Open without a trace: beside a file in WAL mode SQLite would create others, even for a reader.

    In a folder where it cannot, what is there is read in a copy.
    """
    log = path.with_name(path.name + "-wal")
    flags = "&immutable=1" if header[18] == 2 and not log.exists() else ""   # WAL mode, and nobody has it open
    try:
        return _connected(path, "ro", flags, stack)
    except sqlite3.OperationalError:
        if not any(path.with_name(path.name + end).exists() for end in ("-wal", "-journal")):
            raise
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="freeze-gui-", ignore_cleanup_errors=True)))
    for end in ("", "-wal", "-journal"):
        with contextlib.suppress(FileNotFoundError):
            shutil.copyfile(path.with_name(path.name + end), folder / ("run" + end))
    return _connected(folder / "run", "rw", "", stack)


def _connected(path: Path, mode: str, flags: str, stack: contextlib.ExitStack) -> sqlite3.Connection:
    db = stack.enter_context(contextlib.closing(connect(path, mode, flags)))
    db.execute("PRAGMA trusted_schema = OFF")
    if db.execute("SELECT count(*) FROM sqlite_schema WHERE type IN ('view', 'trigger')").fetchone()[0]:
        raise ValueError("it holds more than tables")   # those could make a reader run what the file says
    return db
