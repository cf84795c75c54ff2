"""Fetch one file from the network into a cache, with progress, cancelling and a check of its hash."""

from __future__ import annotations

import errno
import hashlib
import http.client
import os
import tempfile
import urllib.error
import urllib.request
from pathlib import Path

from freeze_gui.errors import UserError
from freeze_gui.models.loaded import Progress

_CHUNK_BYTES = 1 << 17
_TIMEOUT_S = 30.0
_OF_THE_DISK = (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOSPC, errno.EDQUOT, errno.ENOTDIR, errno.EEXIST)


def download(
    url: str, target: Path, *, sha256_prefix: str = "", progress: Progress | None = None, cure: str = ""
) -> Path:
    """Fetch `url` as `target` and return it; a file that is there already is taken as it is.

    The bytes go to a neighbouring file that takes the name only when it is whole, so that a broken or cancelled
    download leaves nothing behind. Nothing is resumed.

    Parameters
    ----------
    url, target
        From where to where.
    sha256_prefix
        First hexadecimal digits of the file's SHA-256; empty for no check.
    progress
        Called with the bytes so far and in total; whatever it raises cancels the download and passes through.
    cure
        End of the sentence for a person without network.

    Raises
    ------
    UserError
        When the network, the disk or the hash says no.
    """
    if target.exists():
        return target
    partial: Path | None = None
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        handle, partial_name = tempfile.mkstemp(prefix=target.name + ".", suffix=".partial", dir=target.parent)
        partial = Path(partial_name)
        with os.fdopen(handle, "wb") as file:
            digest = _stream(url, file, target.name, progress)
        if not digest.startswith(sha256_prefix):
            raise UserError(
                f"{target.name} arrived damaged: its SHA-256 starts {digest[:8]}, not {sha256_prefix}; try again"
            )
        partial.replace(target)
    except (urllib.error.URLError, http.client.HTTPException, OSError) as error:
        if isinstance(error, OSError) and error.errno in _OF_THE_DISK:
            raise UserError(f"{target}: cannot be written ({error.strerror}){cure and '; ' + cure}") from error
        reason = getattr(error, "reason", error)
        raise UserError(f"could not download {url} ({reason}; no network?){cure and '; ' + cure}") from error
    finally:
        if partial is not None:
            partial.unlink(missing_ok=True)
    return target


def _stream(url: str, file: object, name: str, progress: Progress | None) -> str:
    """Copy the bytes of `url` into `file` and return their SHA-256 as hexadecimal digits."""
    sha256 = hashlib.sha256()
    request = urllib.request.Request(url, headers={"User-Agent": "freeze-gui"})
    with urllib.request.urlopen(request, timeout=_TIMEOUT_S) as response:
        length = response.headers.get("Content-Length")
        total = int(length) if length is not None else None
        done = 0
        while chunk := response.read(_CHUNK_BYTES):
            file.write(chunk)  # type: ignore[attr-defined]
            sha256.update(chunk)
            done += len(chunk)
            if progress is not None:
                progress(f"downloading {name}", done, total)
    if total is not None and done < total:
        raise http.client.IncompleteRead(b"", total - done)
    return sha256.hexdigest()
