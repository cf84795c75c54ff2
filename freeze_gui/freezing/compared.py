"""A group of frozen tensors as it was compared after a step, and what moved of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from numpy.typing import NDArray

from freeze_gui.freezing.bits import Row
from freeze_gui.freezing.values import Values
from freeze_gui.freezing.watched import Watched

Place = tuple[Mapping[str, torch.Tensor | None], str]
"""The slots of a module, and a name among them."""


@dataclass(frozen=True)
class Move:
    """One tensor that moved in a step.

    Attributes
    ----------
    change, distance
        Largest absolute change of an element in this step, and its distance from where the window began.
    before, within
        Whether it was written between the end of the step before and the optimizer's step, and by what came then.
    now
        What all members of its group were after the step, this one at the place `at`.
    """

    watched: Watched
    change: float
    distance: float
    before: bool
    within: bool
    now: Values
    at: int


@dataclass(frozen=True)
class Look:
    """A group of which something moved in a step: what tells which of its tensors did, some of it still on a GPU.

    Attributes
    ----------
    rows
        One number a tensor in each: whether it moved, before the optimizer's step, and within; how far in this step,
        and from where its window began.
    now
        What the members were after the step.
    """

    members: Sequence[Watched]
    rows: tuple[Row, Row, Row, Row, Row]
    now: Values

    def moves(self, rows: Sequence[NDArray[Any]]) -> list[Move]:
        """Return what moved; `rows` are those of this look, read from their device."""
        which, before, within, changes, distances = rows
        return [
            Move(
                self.members[i], float(changes[i]), float(distances[i]), bool(before[i]), bool(within[i]), self.now, i
            )
            for i in which.nonzero()[0].tolist()
        ]


class Compared(NamedTuple):
    """A group after a step: it stays so, whatever thaws and whoever writes before the flag has come from the device.

    Attributes
    ----------
    members, places
        The tensors, and where their modules held them.
    moved
        Whether any bit did, on a GPU a flag there.
    reference, last, seen, now
        What they were when their window began, after the step before, at the last look before this step, and after it.
    """

    members: Sequence[Watched]
    places: Sequence[Place]
    moved: bool | torch.Tensor
    reference: Values
    last: Values
    seen: Values
    now: Values

    def look(self) -> Look:
        """Return what tells which tensors moved, if any bit did."""
        now, last, seen = self.now, self.last, self.seen
        which, before, within = now.flags(last), seen.flags(last), now.flags(seen)
        return Look(self.members, (which, before, within, now.distances(last), now.distances(self.reference)), now)

    def after(self, did_move: bool) -> Values:
        """Return what they were after the step, in the older of two copies of the same bits."""
        return self.now if did_move else self.last
