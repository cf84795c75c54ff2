"""A step that was taken: which frozen tensors moved in it, and why, told once its flags have come from the device."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import torch

from freeze_gui.freezing.bits import Number, Row, filled, read, unread
from freeze_gui.freezing.causes import SharedMemory, Suspect, causes_in_shared_memory, causes_of_step
from freeze_gui.freezing.frozen_group import FrozenGroup, Look, Move


class TakenStep:
    """What is known of a step right after it: all of it on the CPU, while on a GPU nobody has waited for any of it.

    Parameters
    ----------
    groups
        All that is frozen; they are compared now.
    written, suspects, shared
        By the identity of what is watched: causes that came before the optimizer's step, and copies from before it.

    Attributes
    ----------
    unread
        Numbers (n,) on a GPU that `moves` needs; None where there are none.
    """

    def __init__(
        self,
        groups: Sequence[FrozenGroup],
        written: Mapping[int, Iterable[str]],
        suspects: Mapping[int, Suspect],
        shared: Mapping[int, SharedMemory],
    ) -> None:
        self._groups, self._written, self._suspects, self._shared = groups, written, suspects, shared
        flags: list[Number] = [group.compare() for group in groups]
        # what has moved before mostly does so again: the flags of its tensors come with those of the groups
        self._looks = {
            at: group.look()
            for at, group in enumerate(groups)
            if isinstance(flags[at], torch.Tensor) and group.has_moved
        }
        self._rows: list[Row] = [flags, *_rows(self._looks)]
        self.unread = unread(self._rows)
        self._holds_still = self.unread is None and not any(flags)   # as is known at once on the CPU

    def moves(self, numbers: Iterable[float]) -> list[Move]:
        """Return what moved, in the order of the groups, and let these go on from where they are.

        What had never moved before and did now is looked at here; on a GPU that waits for it.

        Parameters
        ----------
        numbers
            Those of `unread`, read from the device.
        """
        if self._holds_still:
            return []
        flags, *rows = filled(self._rows, numbers)
        new = {at: self._groups[at].look() for at in flags.nonzero()[0].tolist() if at not in self._looks}
        rows += read(_rows(new))
        for group, flag in zip(self._groups, flags, strict=True):
            group.settle(bool(flag))
        looks, each = self._looks | new, iter(rows)
        found = {at: look.moves([next(each) for _ in look.rows]) for at, look in looks.items()}
        return [move for at in sorted(found) for move in found[at]]

    def causes(self, move: Move) -> list[str]:
        """Name what moved a tensor in the step, from what was kept before it."""
        watched = move.watched
        found = list(self._written.get(id(watched), ()))
        if watched.role == "buffer" and move.before:
            found.append("running_statistics" if watched.is_statistic else "forward_write")
        suspect, shared = self._suspects.get(id(watched)), self._shared.get(id(watched))
        if suspect is None and not move.within:
            return found   # moved before the step, and not by it
        if suspect is None and shared is None:
            return [*found, "other_writer"]
        now = move.now.tensor(move.at)
        if suspect is not None and not suspect.was_moved(now):
            return found
        if shared is not None:
            return [*found, *causes_in_shared_memory(shared, suspect, now)]
        assert suspect is not None
        return [*found, *causes_of_step(suspect, now)]


def _rows(looks: Mapping[int, Look]) -> list[Row]:
    return [row for look in looks.values() for row in look.rows]
