"""Looks at what may be on a GPU: their numbers are read together, one step later, and nobody waits for any of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch
from numpy.typing import NDArray

from freeze_gui.freezing.bits import Row, filled, read, unread

Take = Callable[[NDArray[Any]], None]


class Looks:
    """What was looked at in the step under way and in the one before it, in this order of time.

    A look is a row of numbers, each known or still on a GPU, and a function that takes them all once they are known.
    """

    def __init__(self) -> None:
        self._under_way: list[tuple[Row, Take]] = []
        self._taken: list[tuple[Row, Take]] = []   # of the step that was taken last, until it is settled

    def add(self, row: Row, take: Take) -> None:
        """Look at numbers in the step under way; `take` gets them in the order of the looks."""
        if len(row):
            self._under_way.append((row, take))

    def end_step(self) -> torch.Tensor | None:
        """End the step under way; return the numbers (n,) on a GPU that `settle` needs, if any."""
        self._taken, self._under_way = self._under_way, []
        return unread([row for row, _ in self._taken])

    def settle(self, numbers: Iterable[float] = ()) -> None:
        """Take the step that was ended last, from the numbers of `end_step`, read from their device."""
        taken, self._taken = self._taken, []
        for (_, take), row in zip(taken, filled([row for row, _ in taken], numbers), strict=True):
            take(row)

    def finish(self) -> None:
        """Take all that was looked at by now, read from its device at once: a step that failed is told as well."""
        looks, self._taken, self._under_way = [*self._taken, *self._under_way], [], []
        for (_, take), row in zip(looks, read([row for row, _ in looks]), strict=True):
            take(row)

    def drop_step(self) -> None:
        """Forget the step under way."""
        self._under_way = []
