"""Every cause, side effect and forecast warning explained to someone who has never heard of it.

An explanation says what happened, with layers, steps and sizes of the run at hand, why PyTorch does it, and the cure
in one line and as code. The texts stand in `explained_causes`, `explained_effects` and `explained_warnings`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from freeze_gui.freezing.explained_causes import CAUSES
from freeze_gui.freezing.explained_effects import EFFECTS, FRESH_JUMP
from freeze_gui.freezing.explained_warnings import WARNINGS
from freeze_gui.freezing.explanation import Explanation
from freeze_gui.freezing.thaw_jumps import ThawReport, reset_helps, steps_are_of_lr, times_too_far

if TYPE_CHECKING:
    from freeze_gui.freezing.verdict import TensorVerdict

EXPLANATIONS: dict[str, Explanation] = {**WARNINGS, **EFFECTS, **CAUSES}
"""By kind; a side effect and the warning that foretells it share one."""

_UNNAMED = "the frozen layers"


@dataclass(frozen=True)
class Case:
    """What is known of one occurrence, in a run or ahead of one.

    Attributes
    ----------
    layers
        Paths of the layers concerned.
    optimizer
        Its class.
    first_step, steps, largest
        The first step at which it moved a tensor, the number of such steps, and the largest change of an element; None
        and 0 where that is not known.
    times_fresh, times_lr
        The first update after a thaw as a multiple of a fresh optimizer's, and of the learning rate.
    """

    layers: tuple[str, ...] = ()
    optimizer: str = ""
    first_step: int | None = None
    steps: int = 0
    largest: float | None = None
    times_fresh: float | None = None
    times_lr: float | None = None


def explain(kind: str, case: Case | None = None) -> Explanation | None:
    """Return the explanation of `kind` with what is known of the case filled in; None for an unknown kind."""
    case = case or Case()
    text = EXPLANATIONS.get(kind)
    if kind == "thaw_jump" and case.times_lr is not None and not reset_helps(case.times_fresh):
        text = FRESH_JUMP
    return None if text is None else text.filled(_words(case))


def case_of_cause(cause: str, tensors: Iterable[TensorVerdict], optimizer: str) -> Case:
    """Return what `tensors` say about one cause.

    The first step is told only where nothing else moved the tensors: it is known per tensor, not per cause.
    """
    concerned = [tensor for tensor in tensors if any(found.cause == cause for found in tensor.causes)]
    found = [item for tensor in concerned for item in tensor.causes if item.cause == cause]
    measured = [tensor for tensor in concerned if not tensor.name.endswith("num_batches_tracked")]   # counts by 1
    sizes = [item.max_abs_change for tensor in measured or concerned for item in tensor.causes if item.cause == cause]
    alone = all(len(tensor.causes) == 1 for tensor in concerned)
    steps = [tensor.first_moved_step for tensor in concerned if tensor.first_moved_step is not None]
    return Case(
        layers=tuple(dict.fromkeys(tensor.layer for tensor in concerned)),
        optimizer=optimizer,
        first_step=min(steps) if alone and steps else None,
        steps=max((item.steps for item in found), default=0),
        largest=max(sizes, default=None),
    )


def case_of_effect(layers: Sequence[str], thaws: Iterable[ThawReport], optimizer: str) -> Case:
    """Return what is known of a side effect on `layers`."""
    jumps = [thaw for thaw in thaws if thaw.layer in layers and times_too_far(thaw, optimizer)]
    highest = max(jumps, key=lambda thaw: times_too_far(thaw, optimizer), default=None)
    if highest is None:
        return Case(tuple(layers), optimizer)
    return Case(
        tuple(layers),
        optimizer,
        highest.step,
        largest=highest.largest_update,
        times_fresh=highest.over_fresh,
        times_lr=highest.over_lr,
    )


def short_number(value: float) -> str:
    """Return a size in few digits."""
    if math.isfinite(value) and value == int(value) and abs(value) < 1e6:
        return f"{int(value):,}"
    return f"{value:.2g}" if math.isfinite(value) else str(value)


def layer_names(layers: Sequence[str], most: int = 3) -> str:
    """Return layers in a sentence, and how many are not named."""
    named = [layer or "the model itself" for layer in layers]
    if not named:
        return _UNNAMED
    if len(named) > most:
        return f"{', '.join(named[: most - 1])} and {len(named) - most + 1} more layers"
    return " and ".join([", ".join(named[:-1]), named[-1]]) if len(named) > 1 else named[0]


def _words(case: Case) -> dict[str, str]:
    optimizer = case.optimizer or "the optimizer"
    moved = ""
    if case.steps:
        size = "" if case.largest is None else f", by up to {short_number(case.largest)} in one element and step"
        moved = f"This happened in {case.steps:,} step{'s' * (case.steps != 1)}{size}."
    jump = ""
    if case.times_lr is not None and steps_are_of_lr(case.optimizer):
        jump = f"Here the first update was {short_number(case.times_lr)} times the learning rate."
    elif case.times_fresh is not None:
        jump = f"Here the first update was {short_number(case.times_fresh)} times that of a fresh optimizer."
    return {
        "layers": layer_names(case.layers),
        "At": "While the layer is frozen" if case.first_step is None else f"At step {case.first_step:,}",
        "AtThaw": "In the first step after a thaw" if case.first_step is None else f"At step {case.first_step:,}",
        "optimizer": optimizer,
        "Optimizer": optimizer[:1].upper() + optimizer[1:],
        "moved": moved,
        "jump": jump,
    }
