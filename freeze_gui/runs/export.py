"""What a run leaves behind for other programs: strict JSON, in files that are whole."""

from __future__ import annotations

import json
import math
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from freeze_gui.errors import UserError
from freeze_gui.whole_files import is_special, written_whole


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
    if not str(path):   # what a shell makes of a variable that is not set
        raise UserError("'' is no name for a file that could be written")
    try:
        target = Path(path).expanduser()
        if not is_special(target):   # a pipe of the shell, such as /dev/fd/63, is no path any more once it is resolved
            target = target.resolve()   # a link stays, what it points to is replaced
        if target.is_dir():
            raise UserError(f"{path}: cannot be written: it is a folder")
        if not target.parent.is_dir():
            raise UserError(f"{path}: cannot be written: there is no folder {target.parent}")
        if target.is_file():
            with target.open("ab"):
                pass
        if not is_special(target):
            with tempfile.TemporaryFile(dir=target.parent):
                pass
    except OSError as error:
        raise UserError(f"{path}: cannot be written ({error.strerror})") from None
    except (RuntimeError, ValueError) as error:   # no home for ~, links in a circle; no name for a file at all
        raise UserError(f"{path!r}: cannot be written ({error})") from None
    return target


def write_text(path: Path, text: str) -> None:
    """Write a whole file or nothing: readers never see half of it, and a crash leaves the old one.

    Raises
    ------
    UserError
        When it cannot be written.
    """
    write_bytes(path, text.encode("utf-8", errors="replace"))   # half a letter, as of a broken name, becomes ?


def write_bytes(path: Path, content: bytes) -> None:
    """Write a whole file or nothing, as `write_text` does.

    Raises
    ------
    UserError
        When it cannot be written.
    """
    with written_whole(path) as file:
        file.write(content)


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(key): _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return value
