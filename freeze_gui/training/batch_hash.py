"""A running digest over all batches that a run saw, so that two runs can prove that they saw the same ones.

The digest after a step stands for all batches up to it: runs of different length are compared at the last step of
both. From the first batch on that holds something whose content is out of reach, there are no digests any more.
Hashing goes at about 1 GB/s. Small batches are hashed at once; large ones are copied, into memory that is
used again and again because new memory would cost as much as hashing, and hashed by a thread while the step goes on.
Where steps are faster than that, as on a GPU, the batches of several steps are hashed at the same time.
"""

from __future__ import annotations

import os
from array import array
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray

from freeze_gui.data.sources import Batch
from freeze_gui.training.content import Chunk, OutOfReachError, chunks_of
from freeze_gui.training.digests import DIGEST_BYTES, digest

_AT_ONCE_BYTES = 64 * 1024
"""Hashed in about 60 µs, which is less than handing it to a thread and back can cost."""

_WAITING_BYTES = 512 * 1024 * 1024
"""So much may wait to be hashed; where hashing cannot keep up, the loop waits rather than to fill the memory."""

_THREADS = max(1, min(4, (os.cpu_count() or 1) // 4))
"""At most; another one begins only when all are busy, so that a run on the CPU keeps its cores."""

Buffer = NDArray[np.uint8]


class BatchHash:
    """Takes in the batches of each step.

    Attributes
    ----------
    steps
        One number a step, as it is known so far: the first six bytes of the digest of all batches up to it, which any
        file that knows nothing but floating-point numbers keeps whole.
    out_of_reach
        What a batch held whose content cannot be known; empty while all can.
    """

    def __init__(self) -> None:
        self.steps = array("Q")
        self.out_of_reach = ""
        self._last = bytes(DIGEST_BYTES)
        self._waiting: deque[tuple[Future[bytes], Buffer]] = deque()
        self._spare: list[Buffer] = []
        self._worker: ThreadPoolExecutor | None = None

    def add(self, group: tuple[Batch, ...]) -> None:
        """Take in the micro-batches of a step, before anything can write into them."""
        if self.out_of_reach:
            return
        try:
            chunks = chunks_of([(batch.inputs, batch.targets, batch.task) for batch in group])
        except OutOfReachError as error:
            self.out_of_reach = str(error)
            return
        size = sum(map(len, chunks))
        if size <= _AT_ONCE_BYTES and not self._waiting:
            self._fold(digest(chunks))
            return
        while self._waiting and (self._waiting[0][0].done() or self._waiting_bytes() + size > _WAITING_BYTES):
            self._fold_oldest()
        buffer = self._copy(chunks, size)
        if self._worker is None:
            self._worker = ThreadPoolExecutor(_THREADS, "freeze-gui-batch-hash")
        self._waiting.append((self._worker.submit(digest, (buffer[:size].data,)), buffer))

    def result(self) -> str:
        """Return the digest of all batches so far as hexadecimal text, empty where there were none or not all count."""
        self._fold_all()
        return self._last.hex() if self.steps and not self.out_of_reach else ""

    def close(self) -> None:
        """Take in what still waits, and let the thread and the memory go."""
        self._fold_all()
        self._spare.clear()
        if self._worker is not None:
            self._worker.shutdown()
            self._worker = None

    def _fold_all(self) -> None:
        while self._waiting:
            self._fold_oldest()

    def _copy(self, chunks: list[Chunk], size: int) -> Buffer:
        """Copy what is to be hashed later: a data file may fill the same memory with its next batch."""
        fitting = [index for index, spare in enumerate(self._spare) if len(spare) >= size]
        buffer = self._spare.pop(fitting[0]) if fitting else np.empty(size, np.uint8)
        at = 0
        for chunk in chunks:
            buffer[at : at + len(chunk)] = np.frombuffer(chunk, np.uint8)
            at += len(chunk)
        return buffer

    def _waiting_bytes(self) -> int:
        return sum(len(buffer) for _, buffer in self._waiting)

    def _fold_oldest(self) -> None:
        future, buffer = self._waiting.popleft()
        self._fold(future.result())
        self._spare = [*self._spare, buffer][-_THREADS - 1 :]   # one is filled while the others are hashed

    def _fold(self, of_step: bytes) -> None:
        self._last = digest((self._last, of_step))
        self.steps.append(int.from_bytes(self._last[:6], "little"))
