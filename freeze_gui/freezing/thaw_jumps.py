"""The first step of a layer after a thaw: how far it went, and whether that is too far."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray
from torch import nn

from freeze_gui.freezing.bits import Number, apart
from freeze_gui.freezing.replay import Suspect, replayed

JUMP = 1.5
"""A first step after a thaw is a jump from this many times the step that is to be expected on."""

_KEPT = 8
"""Reports kept of one layer, besides any that is larger: layers of tasks thaw at every other step."""

_STEPS_OF_LR = ("Adam", "AdamW", "Adamax", "NAdam", "RAdam", "SparseAdam", "RMSprop", "Adagrad", "Rprop")
"""Classes that divide the size of the gradient out, so that the learning rate itself is the size of a step."""


@dataclass(frozen=True)
class ThawReport:
    """The first step of a layer after it thawed.

    Attributes
    ----------
    step, layer
        Which step that was, and the layer's path.
    largest_update
        The largest change of one element.
    lr
        The learning rate in that step; where the parameters have several, that of the one that went furthest by its
        own.
    over_lr, over_fresh
        The largest change of the parameters with that rate as a multiple of it, and of the largest that a fresh
        optimizer would have made of them with the same gradients; None where that is zero.
    """

    step: int
    layer: str
    largest_update: float
    lr: float
    over_lr: float | None
    over_fresh: float | None


class Thaws:
    """Collects the first steps of layers after their thaws; `optimizer` names the class that took them."""

    def __init__(self) -> None:
        self._reports: dict[str, list[ThawReport]] = {}
        self._jumps: dict[str, ThawReport] = {}   # layer → its largest jump

    def add(self, report: ThawReport, optimizer: str, may_jump: bool) -> bool:
        """Take a report; return whether it is a jump, if it may be one."""
        reports = self._reports.setdefault(report.layer, [])
        if len(reports) < _KEPT or report.largest_update > max(known.largest_update for known in reports):
            reports.append(report)
        times = times_too_far(report, optimizer)
        if times <= JUMP or not may_jump:
            return False
        before = self._jumps.get(report.layer)
        if before is None or times > times_too_far(before, optimizer):
            self._jumps[report.layer] = report
        return True

    def reports(self) -> tuple[ThawReport, ...]:
        """Return what is kept, by step: of many reports of a layer the first and the largest."""
        return tuple(sorted((r for reports in self._reports.values() for r in reports), key=lambda r: r.step))

    def largest_jump(self, optimizer: str) -> ThawReport:
        """Return the largest jump of all layers, of which there must be one."""
        return max(self._jumps.values(), key=lambda report: times_too_far(report, optimizer))


def distances(steps: Collection[tuple[nn.Parameter, Suspect]]) -> list[tuple[Number, Number]]:
    """Return how far each parameter went in its first step, and how far a fresh optimizer would have taken it."""
    suspects = [suspect for _, suspect in steps]
    made = [apart(p, suspect.value) for p, suspect in steps]
    ends = zip(replayed(suspects, with_state=False), suspects, strict=True)
    return list(zip(made, [apart(end, suspect.value) for end, suspect in ends], strict=True))


def thaw_report(step: int, path: str, rates: Sequence[float], numbers: NDArray[Any]) -> ThawReport:
    """Return the report of a layer from the `distances` of its parameters end to end, which have these rates."""
    found = [max(0.0, float(one)) for one in numbers]   # a NaN is passed over
    made, fresh = found[::2], found[1::2]
    # a tied parameter may have the rate of another layer: each is held against its own
    times, lr = max((one / lr if lr else -1.0, lr) for one, lr in zip(made, rates, strict=True))
    largest, largest_fresh = (
        max(one for one, rate in zip(row, rates, strict=True) if rate == lr) for row in (made, fresh)
    )   # fmt: skip
    over_fresh = largest / largest_fresh if largest_fresh else None
    return ThawReport(step, path, max(made), lr, times if lr else None, over_fresh)


def steps_are_of_lr(optimizer: str) -> bool:
    """Tell whether a usual step of the class `optimizer` is about as large as the learning rate."""
    return optimizer in _STEPS_OF_LR


def times_too_far(report: ThawReport, optimizer: str) -> float:
    """Return how many times the step to be expected the layer went; above `JUMP` it is a jump.

    That step is the learning rate for a class whose steps are of its size, and for any other what a fresh optimizer
    makes of the same gradient: plain SGD moves by the learning rate times the gradient.
    """
    return (report.over_lr if steps_are_of_lr(optimizer) else report.over_fresh) or 0.0


def reset_helps(over_fresh: float | None) -> bool:
    """Tell whether a jump of `over_fresh` times a fresh optimizer's step is shorter after a reset of the state."""
    return over_fresh is not None and over_fresh > JUMP
