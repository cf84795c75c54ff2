"""Files that are written whole or not at all."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from freeze_gui.errors import NotWrittenError


@contextlib.contextmanager
def written_whole(path: Path) -> Iterator[BinaryIO]:
    """Yield a file to write, which takes the place of `path` when all is in it: a crash leaves the old one.

    A device or a pipe, such as /dev/null, is written to and never replaced.

    Raises
    ------
    NotWrittenError
        When it cannot be written.
    """
    try:
        if is_special(path):
            with path.open("wb") as file:
                yield file
            return
        number, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name[:40]}.", suffix=".part")
        try:
            with open(number, "wb") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            os.chmod(name, _mode_of(path))
            os.replace(name, path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
    except (OSError, RuntimeError) as error:   # torch.save hides a full disk behind a RuntimeError
        raise NotWrittenError(f"{path}: cannot be written ({_reason(error)})") from None


def is_special(path: Path) -> bool:
    """Tell whether there is a device, a pipe or a folder: something that is never replaced by a file."""
    return path.exists() and not path.is_file()


def _reason(error: BaseException) -> str:
    """Return what the system said, were it further back in the chain of errors."""
    found: BaseException | None = error
    while found is not None:
        if isinstance(found, OSError) and found.strerror:
            return found.strerror
        found = found.__context__
    return " ".join(str(error).split())


def _mode_of(path: Path) -> int:
    """Return the access rights of the file to be replaced, or those that a new file gets."""
    if path.exists():
        return path.stat().st_mode & 0o777
    mask = os.umask(0)
    os.umask(mask)
    return 0o666 & ~mask
