"""Which steps are measured, so that measuring takes no more than its share of the time."""

from __future__ import annotations

import math
import statistics
from collections import deque

SHARE = 0.006
"""Part of the time of the training that measuring itself may take. The steps after a measured one find the caches cold
and take a third to nine tenths of it once more, so that measuring costs about 1 %, and 2 % at most with what is done at
every step of the smallest network to count and to choose."""

FIRST = 100
"""So many steps are measured in any case: most happens there, and a short run is seen whole."""

_MOST = 1024
_NEEDED = 8


class Budget:
    """Chooses the steps to measure.

    The steps are cut into spans of a power of two, and the first step of each span is measured: runs that are compared
    are measured at the same steps, those of the one that is measured less often. Where steps belong to tasks that is
    the first step of each task in a span; tasks that alternate would else be seen through one of them alone.

    Parameters
    ----------
    fixed
        Steps between two measurements where a person has said so, else None.

    Attributes
    ----------
    every
        Steps between two measurements as it is now.
    """

    def __init__(self, fixed: int | None) -> None:
        self.every = fixed or 1
        self._is_fixed = fixed is not None
        self._measuring: deque[float] = deque(maxlen=2 * _NEEDED)
        self._training: deque[float] = deque(maxlen=4 * _NEEDED)
        self._last: dict[str | None, int] = {}   # task → its last measured step

    def is_due(self, step: int, task: str | None, of_note: bool) -> bool:
        """Tell whether a step is measured; `of_note` is one at which something changes, or the last."""
        if self._is_fixed:
            return step % self.every == 0
        is_first = task not in self._last or step // self.every > self._last[task] // self.every
        is_due = of_note or step < FIRST or is_first
        if is_due:
            self._last[task] = step
        return is_due

    def took(self, measuring_s: float | None, training_s: float) -> None:
        """Note what a step took: its measuring, None where it was not measured, and all the rest.

        The steps between count too: of tasks that take unlike times the measured ones are not the usual ones.
        """
        self._training.append(training_s)
        if measuring_s is None or self._is_fixed:
            return
        self._measuring.append(measuring_s)
        if len(self._measuring) < _NEEDED:
            return
        share = statistics.median(self._measuring) / max(statistics.median(self._training), 1e-9)
        needed = share * len(self._last) / SHARE
        if needed > self.every or needed < 0.35 * self.every:   # not to and fro between two
            self.every = min(_MOST, 2 ** max(0, math.ceil(math.log2(max(needed, 1e-9)))))
