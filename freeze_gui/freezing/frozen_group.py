"""Tensors that froze at the same moment: what they were then, after each step, and within the step."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from operator import attrgetter, is_

import torch

from freeze_gui.freezing.bits import SMALL, Row
from freeze_gui.freezing.compared import Compared
from freeze_gui.freezing.values import Layout, Values
from freeze_gui.freezing.watched import Watched

_MOST = 32 * 1024 * 1024
"""Elements that are compared by one call on a GPU, where calls are dear and copies cheap: 128 MB."""
_MOST_ON_CPU = 2**18
"""Elements there: how far they moved is computed in twice as wide numbers, which stay in the cache so."""

_YOUNG = 2
"""Steps of a window in which parameters are compared at each look: they may be written past torch's count."""

Kind = tuple[torch.Size, torch.dtype, torch.device, torch.layout]
_kind: Callable[[torch.Tensor], Kind] = attrgetter("shape", "dtype", "device", "layout")


class FrozenGroup:
    """Tensors that froze at `step`, small ones of one kind together.

    Parameters
    ----------
    members
        Parameters or buffers, as `grouped` puts them together.
    step
        The first of their window.

    Attributes
    ----------
    is_known_to_move
        Whether any of them has moved while it was frozen, in an earlier window perhaps.
    """

    def __init__(self, members: Sequence[Watched], step: int) -> None:
        self.members = list(members)
        self.holds_buffers = members[0].role == "buffer"
        self._began = step
        for watched in members:
            watched.began = step
        self._is_computed = members[0].compute is not None
        tensors = [watched.read() for watched in members]
        self._tensors = [] if self._is_computed else tensors   # the next look computes others
        self._kinds = list(map(_kind, tensors))
        self._layout = Layout([shape for shape, *_ in self._kinds]) if all(map(_fits, tensors)) else None
        self._marks = _marks(tensors)
        self.follow()
        # the value when the window began, after the step before, at the last look: one object until the first move
        self._reference = self._last = self._seen = self._values(tensors).kept()
        self._has_moved = False   # in this window
        self.is_known_to_move = any(watched.moved_steps for watched in members)

    def keep(self, members: Sequence[Watched]) -> None:
        """Let go of all others, between two steps."""
        staying = {id(watched) for watched in members}
        places = [at for at, watched in enumerate(self.members) if id(watched) in staying]
        self.members = [self.members[at] for at in places]
        self._tensors = [self._tensors[at] for at in places] if self._tensors else []
        self._kinds = [self._kinds[at] for at in places]
        self._layout = None if self._layout is None else Layout([shape for shape, *_ in self._kinds])
        self._marks = [self._marks[at] for at in places]
        self.follow()
        is_one = self._last is self._reference
        self._reference = self._reference.only(places)
        self._seen = self._last = self._reference if is_one else self._last.only(places)
        self.is_known_to_move = any(watched.moved_steps for watched in self.members)

    def written(self, step: int) -> Row | None:
        """Tell of each whether it was written since the last look, on a GPU by a flag there; None where none was.

        To compare everything at each look would multiply the price of a clean run: it is done when torch has counted a
        write, in the first steps of a window, and once one of them is known to move.
        """
        tensors = self._read()
        marks = _marks(tensors)
        if marks == self._marks and step - self._began >= _YOUNG and not self.is_known_to_move:
            return None
        self._marks = marks
        now = self._values(tensors)
        if now.differ(self._seen) is False:
            return None
        seen, self._seen = self._seen, now.kept()
        return now.flags(seen)

    def see(self) -> None:
        """Keep what the tensors are now; what became of them until now and from now on is told by `look`."""
        self._seen = self._values(self._read()).kept()

    def compare(self) -> Compared:
        """Look at the tensors after a step.

        A flag on a GPU may be read when the next step has begun to write, or to thaw some of them.
        """
        tensors = self._read()
        self._marks = _marks(tensors)
        now, last, seen = self._values(tensors), self._last, self._seen
        moved = now.differ(last)
        now = last if moved is False else now.kept()
        self._last = self._seen = now
        return Compared(self.members, self._places, moved, self._reference, last, seen, now)

    def settle(self, compared: Compared, did_move: bool) -> None:
        """Learn the flag of a step."""
        if did_move:
            self._has_moved = self.is_known_to_move = True
        else:   # the same bits, and one copy fewer
            known = compared.last if self._has_moved else self._reference
            self._last = known if self._last is compared.now else self._last
            self._seen = known if self._seen is compared.now else self._seen

    def follow(self) -> None:
        """Read from the modules that own the tensors now: another one may have taken the place of an owner."""
        self._places = [watched.place() for watched in self.members]

    def _read(self) -> list[torch.Tensor]:
        """Return the tensors as they are now: mostly those that are known, which is told in a few calls for all."""
        if self._is_computed:
            return [watched.read() for watched in self.members]
        if all(map(is_, [slots.get(key) for slots, key in self._places], self._tensors)):
            return self._tensors
        tensors = [watched.read() for watched in self.members]
        if list(map(_kind, tensors)) == self._kinds:
            self._tensors = tensors
        return tensors

    def _values(self, tensors: Sequence[torch.Tensor]) -> Values:
        """Put the tensors in one array, unless any is of another kind now: replaced, or changed by `data = …`."""
        return Values(tensors, self._layout if list(map(_kind, tensors)) == self._kinds else None)


def grouped(frozen: Iterable[Watched], step: int) -> list[FrozenGroup]:
    """Put tensors together that one call can compare.

    On the CPU those are small ones, where a call takes longer than to copy and compare them; larger ones are compared
    where they are.
    """
    groups: list[list[Watched]] = []
    open_groups: dict[tuple[object, ...], tuple[list[Watched], int]] = {}   # kind → the last group, and its elements
    for watched in frozen:
        if watched.compute is not None:
            groups.append([watched])
            continue
        tensor = watched.read()
        size = tensor.numel()
        if not _fits(tensor) or size > (SMALL if tensor.is_cpu else _MOST):
            groups.append([watched])
            continue
        key = (watched.role == "buffer", tensor.device, tensor.dtype)
        group, filled = open_groups.get(key, ([], 0))
        if not group or filled + size > (_MOST_ON_CPU if tensor.is_cpu else _MOST):
            group, filled = [], 0
            groups.append(group)
        group.append(watched)
        open_groups[key] = group, filled + size
    return [FrozenGroup(group, step) for group in groups]


def bytes_at_once(largest: int, together: int, on_cpu: bool) -> int:
    """Return the most that one group takes to be copied, of tensors of these bytes; small ones on the CPU aside."""
    return largest if on_cpu else min(together, max(4 * _MOST, largest))


def _fits(tensor: torch.Tensor) -> bool:
    """Tell whether a tensor can lie in one array with others."""
    is_plain = tensor.layout == torch.strided and not tensor.is_complex() and not tensor.is_quantized
    return is_plain and type(tensor) in (torch.Tensor, torch.nn.Parameter)


def _marks(tensors: Sequence[torch.Tensor]) -> list[tuple[int, int]]:
    """Return for each what changes when something writes into it in place, or another takes its place."""
    try:
        return [(id(tensor), tensor._version) for tensor in tensors]
    except RuntimeError:   # tensors made in inference mode count no writes
        return [(id(tensor), -1 if tensor.is_inference() else tensor._version) for tensor in tensors]
