"""The first step of a layer after a thaw: how far it went, and whether that is too far."""

from __future__ import annotations

from dataclasses import dataclass

JUMP = 1.5
"""A first step after a thaw is a jump from this many times the step that is to be expected on."""

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
