"""The files of many runs: where they lie, what is in them at a glance, renaming, deleting and bringing back.

Reads nothing but headers, and needs neither torch nor numpy.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import sys
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from freeze_gui.errors import UserError
from freeze_gui.runs.store_format import SUFFIX, changing, read_header, reading
from freeze_gui.runs.store_trash import TRASH

_MOST_NAME = 60


@dataclass(frozen=True)
class RunCard:
    """What a list shows of a run's file.

    Attributes
    ----------
    path
        The file.
    label, model, method, tags, notes
        Of the run; `label` is the file's name where it cannot be read.
    status
        As `RunRecorder.status`, or ``unreadable``.
    verdict
        ``held``, ``leaked`` or ``nothing frozen``, so far or in the end; empty before the first step.
    started
        When, in seconds since 1970.
    steps
        Steps done.
    error
        Why it cannot be read, as one sentence; None when it can.
    """

    path: Path
    label: str
    status: str
    verdict: str = ""
    started: float = 0.0
    steps: int = 0
    model: str = ""
    method: str = ""
    tags: tuple[str, ...] = ()
    notes: str = ""
    error: str | None = None


def runs_folder() -> Path:
    """Return where runs are kept: ``FREEZE_GUI_RUNS``, or the platform's place for a program's data; it may not exist.

    A relative value is as if it were absent, as the XDG specification asks for.
    """
    if os.environ.get("FREEZE_GUI_RUNS"):
        return Path(os.environ["FREEZE_GUI_RUNS"]).expanduser().absolute()
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Application Support" / "freeze-gui" / "runs"
    variable, otherwise = "XDG_DATA_HOME", Path.home() / ".local" / "share"
    if sys.platform == "win32":
        variable, otherwise = "LOCALAPPDATA", Path.home() / "AppData" / "Local"
    base = Path(os.environ.get(variable, ""))
    return (base if base.is_absolute() else otherwise) / "freeze-gui" / "runs"


def new_run_path(folder: Path, label: str) -> Path:
    """Return the path of a new run's file, named by the time and the label; the folder is created.

    Raises
    ------
    UserError
        When the folder cannot be created.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"{folder}: cannot be created to keep runs in ({error.strerror})") from None
    words = "".join(letter if letter.isalnum() or letter in "-_." else " " for letter in label).split()
    name = " ".join([time.strftime("%Y-%m-%d %H.%M.%S"), *words])[:_MOST_NAME].rstrip(" .")
    return _free(folder / f"{name}{SUFFIX}")


def list_runs(folder: Path) -> list[RunCard]:
    """Return a card for each run's file in `folder`, the newest first; a folder that is not there has none."""
    cards = [card_of(path) for path in folder.glob(f"*{SUFFIX}")]
    return sorted(cards, key=lambda card: (-card.started, card.path.name))


def card_of(path: Path) -> RunCard:
    """Return the card of one file; one that cannot be read says why."""
    try:
        with reading(path) as db:
            head = read_header(db)
    except UserError as error:
        return RunCard(path, path.stem, "unreadable", error=str(error))
    return RunCard(
        path, head.label, head.status, head.verdict, head.started, head.steps, head.model, head.method, head.tags,
        head.notes,
    )  # fmt: skip


def rename_run(path: Path, label: str) -> None:
    """Give a run another label; the file keeps its name.

    Raises
    ------
    UserError
        When the label is empty, or the file cannot be changed.
    """
    if not label.strip():
        raise UserError("a run needs a name: one character at least")
    with changing(path) as db:
        db.execute("UPDATE header SET label = ?", (label.strip(),))


def set_tags(path: Path, tags: Iterable[str]) -> None:
    """Replace the tags of a run; empty ones and repetitions are left out.

    Raises
    ------
    UserError
        When the file cannot be changed.
    """
    words = list(dict.fromkeys(tag.strip() for tag in tags if tag.strip()))
    with changing(path) as db:
        db.execute("UPDATE header SET tags = ?", (json.dumps(words, ensure_ascii=False),))


def set_notes(path: Path, notes: str) -> None:
    """Replace the notes of a run.

    Raises
    ------
    UserError
        When the file cannot be changed.
    """
    with changing(path) as db:
        db.execute("UPDATE header SET notes = ?", (notes,))


def delete_run(path: Path) -> Path:
    """Move a run to the trash folder beside it; return where it lies, for `restore_run`; see `store_trash`.

    Raises
    ------
    UserError
        When it is still written, or cannot be moved.
    """
    card = card_of(path)
    if card.status in ("loading", "running"):
        raise UserError(f"{path}: this run is still going on: stop it before you delete it")
    trash = path.parent / TRASH
    try:
        trash.mkdir(exist_ok=True)
        os.utime(path)   # its days in the trash are counted from now
    except OSError as error:
        raise UserError(f"{path}: cannot be deleted ({error.strerror})") from None
    return _move(path, _free(trash / path.name), "deleted")


def restore_run(trashed: Path) -> Path:
    """Bring a deleted run back, under another name where its own is taken; return where it lies.

    Raises
    ------
    UserError
        When it cannot be moved.
    """
    return _move(trashed, _free(trashed.parent.parent / trashed.name), "brought back")


def _move(path: Path, target: Path, verb: str) -> Path:
    """Move a file with what SQLite has beside it: after a crash a part of the run is still there."""
    try:
        for end in ("-wal", "-journal", ""):   # the run itself last: until then all is where it was
            with contextlib.suppress(*(FileNotFoundError,) * bool(end)):
                os.rename(path.with_name(path.name + end), target.with_name(target.name + end))
        path.with_name(path.name + "-shm").unlink(missing_ok=True)
    except OSError as error:
        raise UserError(f"{path}: cannot be {verb} ({error.strerror})") from None
    return target


def _free(path: Path) -> Path:
    """Return `path`, or the first like it with a number that is not taken."""
    numbered = (path.with_name(f"{path.stem} {number}{path.suffix}") for number in itertools.count(2))
    return next(each for each in itertools.chain([path], numbered) if not each.exists())
