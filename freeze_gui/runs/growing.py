"""Records that grow by appending: in memory while they are few, beyond that in a file that has no name.

A reader that has taken `records` keeps it whole while the writer goes on: growing maps the same file once more, and
never moves what is there. Pages that were written are given back to the system, so that the memory of the process
stays flat; whoever reads them again gets them from the file.
"""

from __future__ import annotations

import contextlib
import mmap
import tempfile
import weakref
from typing import IO, Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from freeze_gui.runs.store_files import runs_folder

IN_MEMORY_BYTES = 16 << 20
"""What is larger lies in a file."""

_GROW_BYTES = 16 << 20
_KEEP_MAPPED_BYTES = 4 << 20
"""So much may be written until its pages are given back."""

_FIRST = 32

Records = NDArray[Any]   # of a structured dtype


class GrowingRecords:
    """An array of one dtype with room at its end.

    Attributes
    ----------
    records
        Shape (capacity,); replaced when it grows, so that it is read anew after `reserve`.
    """

    def __init__(self, dtype: DTypeLike, in_memory_bytes: int | None = None) -> None:
        # aligned: numpy copies what is not before it takes a minimum of it
        self.records: Records = np.zeros(_FIRST, np.dtype(dtype, align=True))
        self._in_memory_bytes = IN_MEMORY_BYTES if in_memory_bytes is None else in_memory_bytes
        self._file: IO[bytes] | None = None
        self._map: mmap.mmap | None = None
        self._given_back = 0

    @property
    def is_on_disk(self) -> bool:
        """Whether the records lie in a file."""
        return self._map is not None

    def reserve(self, count: int) -> None:
        """Make room for `count` records.

        Raises
        ------
        OSError
            When the disk is full; what is there stays.
        """
        capacity = len(self.records)
        if count <= capacity:
            return
        while capacity < count and not self._too_large(capacity):
            capacity *= 2
        if self._map is None and not self._too_large(capacity):
            grown = np.zeros(capacity, self.records.dtype)
            grown[: len(self.records)] = self.records
            self.records = grown
        else:
            self._grow_file(count)

    def give_back(self, count: int, *, at_once: bool = False) -> None:
        """Let the system take the memory of the first `count` records, once they are many or at once."""
        written = count * self.records.itemsize
        if self._map is None or (written - self._given_back < _KEEP_MAPPED_BYTES and not at_once):
            return
        self._given_back = written
        if hasattr(mmap, "MADV_DONTNEED"):   # not on Windows, which trims by itself
            self._map.madvise(mmap.MADV_DONTNEED)   # of a shared file: the pages stay in the file's cache

    def _too_large(self, capacity: int) -> bool:
        return capacity * self.records.itemsize > self._in_memory_bytes

    def _grow_file(self, count: int) -> None:
        """Write zeros to the file before it is mapped: a full disk is an error here and a crash in a mapping."""
        if self._file is None:
            self._file = _nameless_file()
            weakref.finalize(self, self._file.close)
            self._file.write(self.records.data)
        size = self.records.itemsize
        capacity = max(count, len(self.records) + _GROW_BYTES // size)
        self._file.seek(len(self.records) * size)
        zeros = bytes(1 << 20)
        for begin in range(len(self.records) * size, capacity * size, len(zeros)):
            self._file.write(zeros[: capacity * size - begin])
        self._file.flush()
        self._map = mmap.mmap(self._file.fileno(), capacity * size)
        self._given_back = 0
        self.records = np.frombuffer(self._map, self.records.dtype, capacity)


def _nameless_file() -> IO[bytes]:
    """Return a file beside the runs, or else where temporary files lie; it is gone when the process is."""
    with contextlib.suppress(OSError):
        return tempfile.TemporaryFile(dir=runs_folder())
    return tempfile.TemporaryFile()
