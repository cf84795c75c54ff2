"""Threads that share numpy's work on chunks of memory: numpy lets go of Python's lock while it computes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

_LEAST_JOBS = 4
"""For each thread; fewer are done before another thread has begun."""


@dataclass(frozen=True)
class Hand:
    """What one thread works with, shape (rows, columns) each.

    Attributes
    ----------
    converted
        Where numbers of another format or device are copied to.
    scratch
        For what is computed on the way.
    """

    converted: torch.Tensor
    scratch: NDArray[np.floating]


Job = Callable[[Hand], None]


class Hands:
    """Does jobs on as many threads as torch uses.

    Parameters
    ----------
    shape, dtype
        Of what a hand works with.
    """

    def __init__(self, shape: tuple[int, int], dtype: torch.dtype) -> None:
        self._shape, self._dtype = shape, dtype
        self._hands: list[Hand] = []
        self._threads: ThreadPoolExecutor | None = None

    def do(self, jobs: Sequence[Job]) -> None:
        """Do all jobs, in any order, and return when they are done."""
        count = max(1, min(torch.get_num_threads(), len(jobs) // _LEAST_JOBS))
        while len(self._hands) < count:
            converted, scratch = (torch.empty(self._shape, dtype=self._dtype) for _ in range(2))
            self._hands.append(Hand(converted, scratch.numpy()))
        if count > 1 and self._threads is None:
            self._threads = ThreadPoolExecutor(torch.get_num_threads() - 1, "freeze-gui-norms")
        others = [
            self._threads.submit(_do_all, jobs[at::count], self._hands[at])
            for at in range(1, count)
            if self._threads is not None
        ]
        _do_all(jobs[::count], self._hands[0])
        for other in others:
            other.result()

    def close(self) -> None:
        """Let the threads go."""
        if self._threads is not None:
            self._threads.shutdown()
            self._threads = None


def _do_all(jobs: Sequence[Job], hand: Hand) -> None:
    with np.errstate(all="ignore"):   # what overflows is taken again
        for job in jobs:
            job(hand)
