"""A step that was taken: which frozen tensors moved in it, and why, told once its flags have come from the device."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import torch

from freeze_gui.freezing.bits import Number, Row, filled, may_be, read, unread
from freeze_gui.freezing.causes import causes_by, causes_in_shared_memory, clues
from freeze_gui.freezing.compared import Compared, Look, Move, Place
from freeze_gui.freezing.frozen_group import FrozenGroup
from freeze_gui.freezing.replay import SharedMemory, Suspect
from freeze_gui.freezing.values import Values
from freeze_gui.freezing.watched import Watched

Written = tuple[str, Sequence[Watched], Row]
"""A cause, tensors, and whether each was written then, on a GPU by a flag there."""


@dataclass(frozen=True)
class _Inquiry:
    """What is asked about a group of which something moved: which of its tensors did, and what moved the `suspects`.

    Attributes
    ----------
    suspects
        By the place among the group's members.
    """

    look: Look
    suspects: Mapping[int, Suspect]
    clues: Sequence[Row]

    @property
    def rows(self) -> list[Row]:
        """All that may still be on a GPU."""
        return [*self.look.rows, *self.clues]


class TakenStep:
    """What is known of a step right after it: all of it on the CPU, while on a GPU nobody has waited for any of it.

    Parameters
    ----------
    groups
        All that is frozen; they are compared now.
    frozen
        The paths of the modules that are.
    written
        What was written before the optimizer's step.
    suspects, shared
        By the identity of what is watched: copies from before the optimizer's step.

    Attributes
    ----------
    frozen
        As given.
    unread
        Numbers (n,) on a GPU that `moves` needs; None where there are none.
    held
        What the groups were after the step, and where their modules held them; known once `moves` was asked.
    """

    def __init__(
        self,
        groups: Sequence[FrozenGroup],
        frozen: frozenset[str],
        written: Sequence[Written],
        suspects: Mapping[int, Suspect],
        shared: Mapping[int, SharedMemory],
    ) -> None:
        self.frozen = frozen
        self._groups, self._written, self._suspects, self._shared = groups, written, suspects, shared
        self._compared = [group.compare() for group in groups]
        flags: list[Number] = [compared.moved for compared in self._compared]
        # what has moved before mostly does so again: the flags of its tensors come with those of the groups
        self._inquiries = {
            at: self._inquire(self._compared[at])
            for at, group in enumerate(groups)
            if isinstance(flags[at], torch.Tensor) and group.is_known_to_move
        }
        self.held: list[tuple[Sequence[Place], Values]] = []
        self._causes: dict[int, list[str]] = {}   # by the identity of what is watched, written before the step
        self._by_replay: dict[int, list[str]] = {}   # likewise, of suspects
        self._rows: list[Row] = [flags, *(which for _, _, which in written), *_rows(self._inquiries)]
        self.unread = unread(self._rows)
        self._holds_still = self.unread is None and not any(flags)   # as is known at once on the CPU

    def moves(self, numbers: Iterable[float]) -> list[Move]:
        """Return what moved, in the order of the groups.

        What had never moved before and did now is looked at here; on a GPU that waits for it.

        Parameters
        ----------
        numbers
            Those of `unread`, read from the device.
        """
        if self._holds_still:
            self.held = [(compared.places, compared.now) for compared in self._compared]
            return []
        flags, *rows = filled(self._rows, numbers)
        new = {at: self._inquire(self._compared[at]) for at in flags.nonzero()[0].tolist() if at not in self._inquiries}
        each = iter([*rows, *read(_rows(new))])
        for group, compared, flag in zip(self._groups, self._compared, flags, strict=True):
            group.settle(compared, bool(flag))
            self.held.append((compared.places, compared.after(bool(flag))))
        for cause, members, _ in self._written:
            for at in next(each).nonzero()[0].tolist():
                self._causes.setdefault(id(members[at]), []).append(cause)
        found: dict[int, list[Move]] = {}
        for at, inquiry in (self._inquiries | new).items():
            found[at] = inquiry.look.moves([next(each) for _ in inquiry.look.rows])
            answers = zip(*[next(each).tolist() for _ in inquiry.clues], strict=True)
            for (place, suspect), about in zip(inquiry.suspects.items(), answers, strict=True):
                self._by_replay[id(inquiry.look.members[place])] = causes_by(suspect, about)
        return [move for at in sorted(found) for move in found[at]]

    def causes(self, move: Move) -> list[str]:
        """Name what moved a tensor in the step, from what was kept before it."""
        watched = move.watched
        found = list(self._causes.get(id(watched), ()))
        if watched.role == "buffer" and move.before:
            found.append("running_statistics" if watched.is_statistic else "forward_write")
        suspect, shared = self._suspects.get(id(watched)), self._shared.get(id(watched))
        if suspect is None and not move.within:
            return found   # moved before the step, and not by it
        if shared is not None:
            return [*found, *causes_in_shared_memory(shared, suspect, move.now.tensor(move.at))]
        return [*found, *(self._by_replay[id(watched)] if suspect is not None else ["other_writer"])]

    def _inquire(self, compared: Compared) -> _Inquiry:
        """Ask what moved in a group, and take the step of the suspects among it again."""
        look = compared.look()
        suspects = {
            at: self._suspects[id(watched)]
            for at, watched in enumerate(look.members)
            if id(watched) in self._suspects and id(watched) not in self._shared and may_be(look.rows[0][at], True)
        }
        if not suspects:
            return _Inquiry(look, {}, [])
        now = look.now.tensors()
        return _Inquiry(look, suspects, clues(list(suspects.values()), [now[at] for at in suspects]))


def _rows(inquiries: Mapping[int, _Inquiry]) -> list[Row]:
    return [row for inquiry in inquiries.values() for row in inquiry.rows]
