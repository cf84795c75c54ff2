"""The trash beside the runs: what is in it, and what is deleted for good.

Reads nothing but the folder, and needs neither torch nor numpy.
"""

from __future__ import annotations

import stat
import time
from dataclasses import dataclass
from pathlib import Path

from freeze_gui.errors import UserError
from freeze_gui.runs.store_format import SUFFIX

TRASH = ".trash"
"""The folder, beside the runs, in which deleted ones wait to be brought back."""

KEPT_DAYS = 30
"""So long a deleted run waits; older ones are deleted for good when the window opens."""

_ENDS = (SUFFIX, f"{SUFFIX}-wal", f"{SUFFIX}-shm", f"{SUFFIX}-journal")


@dataclass(frozen=True)
class Trash:
    """How many runs are meant, and the size of their files in bytes."""

    runs: int = 0
    size_bytes: int = 0


def trash_of(folder: Path, older_than_days: float = 0.0) -> Trash:
    """Return what lies in the trash of a folder of runs for at least so long.

    Raises
    ------
    UserError
        When the trash cannot be read.
    """
    return _sum(_found(folder, older_than_days))


def empty_trash(folder: Path, older_than_days: float = 0.0) -> Trash:
    """Delete for good what lies in the trash of a folder of runs for at least so long; return what was deleted.

    Only the files of runs go, and only from the trash itself: what somebody else put there stays, and so does all where
    the trash is a link to somewhere else.

    Raises
    ------
    UserError
        When the trash cannot be read, or a file of it not deleted; all others are.
    """
    deleted, failed = [], None
    for path, size_bytes in _found(folder, older_than_days):
        try:
            path.unlink()
            deleted.append((path, size_bytes))
        except FileNotFoundError:
            pass   # brought back or deleted by another window
        except OSError as error:
            failed = f"{path}: cannot be deleted for good ({error.strerror})"
    if failed is not None:
        raise UserError(failed)
    return _sum(deleted)


def _found(folder: Path, older_than_days: float) -> list[tuple[Path, int]]:
    """Return the files of runs that lie in the trash for at least so long, with their sizes in bytes."""
    trash = folder / TRASH
    if trash.is_symlink() or not trash.is_dir():
        return []
    try:
        files = {path: path.lstat() for path in sorted(trash.iterdir()) if path.name.endswith(_ENDS)}
    except FileNotFoundError:   # another window is emptying it
        return []
    except OSError as error:
        raise UserError(f"{trash}: cannot be read ({error.strerror})") from None
    latest = time.time() - older_than_days * 86400
    found = []
    for path, about in files.items():
        run = path.with_name(path.name[: path.name.rindex(SUFFIX)] + SUFFIX)   # a log is as old as its run
        if stat.S_ISREG(about.st_mode) and files.get(run, about).st_mtime <= latest:
            found.append((path, about.st_size))
    return found


def _sum(files: list[tuple[Path, int]]) -> Trash:
    return Trash(sum(path.suffix == SUFFIX for path, _ in files), sum(size_bytes for _, size_bytes in files))
