"""What did happen: did each frozen tensor hold still, bit by bit, and if not, why?"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Cause:
    """Why a frozen tensor moved: in how many `steps`, and the largest change of one element that it made in a step."""

    cause: str
    steps: int
    max_abs_change: float


@dataclass(frozen=True)
class TensorVerdict:
    """What happened to one parameter or buffer while it was frozen.

    Attributes
    ----------
    name, role, layer
        Full name, ``parameter`` or ``buffer``, path of its layer.
    frozen_steps
        Frozen windows as [from, to) pairs of steps.
    moved, moved_steps, first_moved_step
        Whether any bit moved inside the windows, in how many steps, and in which first.
    max_abs_change
        Largest distance of an element from its value when its window began.
    causes
        One entry a cause, the one with most steps first.
    """

    name: str
    role: str
    layer: str
    frozen_steps: tuple[tuple[int, int], ...] = ()
    moved: bool = False
    moved_steps: int = 0
    first_moved_step: int | None = None
    max_abs_change: float = 0.0
    causes: tuple[Cause, ...] = ()
