"""What a run leaves behind for other programs: strict JSON, in files that are whole."""

from __future__ import annotations

import json
import math
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from freeze_gui.errors import UserError


def to_json(data: object) -> str:
    """Return `data` as JSON that every reader takes: NaN and infinities, which JSON does not know, become null."""
    return json.dumps(_finite(data), allow_nan=False, indent=1) + "\n"


def check_writable(path: str | Path) -> Path:
    """Make sure, before anything long begins, that a file can be written at `path`; return where it really lies.

    Raises
    ------
    UserError
        When it cannot.
    """
    target = Path(path).expanduser().resolve()   # a link stays, what it points to is replaced
    if target.is_dir():
        raise UserError(f"{path}: cannot be written: it is a folder")
    try:
        if target.is_file():
            with target.open("ab"):
                pass
        if not _is_special(target):
            with tempfile.TemporaryFile(dir=target.parent):
                pass
    except OSError as error:
        raise UserError(f"{path}: cannot be written ({error.strerror})") from None
    return target


def write_text(path: Path, text: str) -> None:
    """Write a whole file or nothing: readers never see half of it, and a crash leaves the old one.

    Raises
    ------
    UserError
        When it cannot be written.
    """
    write_bytes(path, text.encode("utf-8"))


def write_bytes(path: Path, content: bytes) -> None:
    """Write a whole file or nothing, as `write_text` does.

    Raises
    ------
    UserError
        When it cannot be written.
    """
    try:
        if _is_special(path):   # such as /dev/null: a device is written to, never replaced
            path.write_bytes(content)
            return
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".part")
        try:
            with open(handle, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            os.chmod(name, _mode_of(path))
            os.replace(name, path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise UserError(f"{path}: cannot be written ({error.strerror})") from None


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(key): _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return value


def _is_special(path: Path) -> bool:
    return path.exists() and not path.is_file()


def _mode_of(path: Path) -> int:
    """Return the access rights of the file to be replaced, or those that a new file gets."""
    if path.exists():
        return path.stat().st_mode & 0o777
    mask = os.umask(0)
    os.umask(mask)
    return 0o666 & ~mask
