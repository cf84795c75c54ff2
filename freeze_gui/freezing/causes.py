"""Why a frozen parameter moved in an optimizer step: the step is replayed on copies, never guessed from the plan.

Three replays with the same optimizer class and hyper-parameters: with the gradient as it was, which must give the bits
that were seen; with a zero gradient and no decay, which shows momentum alone; with a zero gradient, decay and fresh
state, which shows decay alone. Parameters that lie in the same memory are replayed together, in the memory's copy.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import torch
from torch import nn

from freeze_gui.freezing.bits import Number, Row, any_nonzero, differ, flags, may_be, read
from freeze_gui.freezing.replay import SharedMemory, Suspect, replayed

_FIRST_MOMENTS = ("momentum_buffer", "exp_avg")

Marks = dict[int, tuple[torch.Tensor, int]]
"""Identity of a parameter → its gradient, and how often that was written; a parameter without gradient has none.

The gradient itself: another one may get the identity of one that a forward drops.
"""


def gradient_marks(parameters: Iterable[nn.Parameter]) -> Marks:
    """Return a mark for each gradient that exists; backward changes the mark of those that it writes."""
    return {id(p): (grad, grad._version) for p in parameters if (grad := p.grad) is not None}


def freshly_written(parameters: Iterable[nn.Parameter], marks: Marks) -> set[int]:
    """Return the identities of the parameters whose gradient was written since `marks` were taken.

    To be asked right after backward: clipping and unscaling write into every gradient, stale ones too.
    """
    fresh = set()
    for key, (grad, version) in gradient_marks(parameters).items():
        known = marks.get(key)
        if known is None or known[0] is not grad or known[1] != version:
            fresh.add(key)
    return fresh


def clues(suspects: Sequence[Suspect], now: Sequence[torch.Tensor]) -> list[Row]:
    """Return what `causes_by` needs of each suspect that a step took to its value in `now`, one row of flags a clue.

    Whether any bit moved; whether the replay ends elsewhere; whether the gradient has an element that is not zero;
    whether momentum alone moves it; whether decay alone does. On the CPU each answer rules replays out, where it is
    False for want of a question. A flag on a GPU is not known yet: all are asked, and nobody waits.
    """
    every = range(len(suspects))

    def ask(places: Sequence[int], flags_of: Callable[[list[Suspect], list[torch.Tensor]], list[Number]]) -> Row:
        row: list[Number] = [False] * len(suspects)
        if places:
            found = flags_of([suspects[at] for at in places], [now[at] for at in places])
            for at, flag in zip(places, found, strict=True):
                row[at] = flag
        return row

    moved = ask(every, lambda some, ends: flags(zip((suspect.value for suspect in some), ends, strict=True)))
    places = [at for at in every if may_be(moved[at], True)]
    elsewhere = ask(places, lambda some, ends: flags(zip(replayed(some), ends, strict=True)))
    places = [at for at in places if may_be(elsewhere[at], False)]
    nonzero = ask(places, lambda some, _: [any_nonzero(suspect.gradient) for suspect in some])
    places = [at for at in places if may_be(nonzero[at], False)]
    momentum = ask(places, lambda some, _: _moved(some, replayed(some, with_gradient=False, with_decay=False)))
    decay = ask(places, lambda some, _: _moved(some, replayed(some, with_gradient=False, with_state=False)))
    return [moved, elsewhere, nonzero, momentum, decay]


def causes_by(suspect: Suspect, answers: Iterable[float]) -> list[str]:
    """Name the causes of a move; `answers` are those of `clues` about this suspect, read from their device."""
    moved, elsewhere, nonzero, momentum, decay = map(bool, answers)
    if not moved:
        return []
    if elsewhere:
        return ["other_writer"]
    if nonzero:
        return ["gradient" if suspect.fresh else "stale_gradient"]
    found = [cause for cause, did in (("momentum", momentum), ("weight_decay", decay)) if did]
    if found:
        return found
    # neither alone reaches half an ULP where both together do; ASGD decays by a step size that its state keeps
    has_moment = any(suspect.state.get(key) is not None for key in _FIRST_MOMENTS)
    return ["momentum", "weight_decay"] if has_moment else ["weight_decay"]


def causes_of_step(suspect: Suspect, now: torch.Tensor) -> list[str]:
    """Name the causes that took `suspect` to the value `now` in one optimizer step; none if it did not move."""
    return causes_by(suspect, [row[0] for row in read(clues([suspect], [now]))])


def causes_in_shared_memory(shared: SharedMemory, own: Suspect | None, now: torch.Tensor) -> list[str]:
    """Name the causes that took a tensor to the value `now`, when others lie in its memory; `own` if it had a gradient.

    A step of all parameters in the memory must give the bits that were seen.
    """
    before, together = shared.before_step(), shared.after_step()
    alone = before if own is None else next(replayed([own]))
    moved, elsewhere, through_others = differ([(before, now), (together, now), (together, alone)])
    if own is not None and not moved:
        return []
    if elsewhere:
        return ["other_writer"]
    causes = [] if own is None else causes_of_step(own, alone)
    return [*causes, *(["shared_storage"] if through_others else [])]


def _moved(suspects: Iterable[Suspect], ends: Iterable[torch.Tensor]) -> list[Number]:
    return flags(zip(ends, (suspect.value for suspect in suspects), strict=True))
