"""What a person is told of each side effect: what happened and why, and the cure."""

from __future__ import annotations

from dataclasses import dataclass

from freeze_gui.freezing.thaw_jumps import ThawReport, reset_helps, steps_are_of_lr, times_too_far

TEXTS = {
    "upstream_cut": "These layers ran and got no gradient, because a frozen layer after them cuts the graph: they do "
    "not learn. Freeze by requires_grad = False, which lets gradients through",
    "state_evolving": "The optimizer keeps updating its state for these frozen layers (momentum, moments, step count), "
    "so that a thaw goes on from another state than that of the freeze. Set their gradients to None, or thaw with "
    "reset_state",
    "clip_inflated": "The gradients of these frozen layers count in the clipping norm and shrink everyone else's step. "
    "Drop them (grad = None) before clipping, or clip the trainable parameters only",
    "gradients_accumulate": "No optimizer clears the gradients of these layers, which grow from step to step. A thaw "
    "applies the whole sum at once unless zero_grad() runs between thaw and step. Turn requires_grad off as well, or "
    "call model.zero_grad()",
    "no_saving": "Autograd records these frozen layers all the same, so freezing them saves no activation memory. Turn "
    "requires_grad off, and freeze from the input on",
    "dead_thaw": "These layers are trainable, and no param_group holds them: they get gradients and never move. Call "
    "optimizer.add_param_group when they thaw",
    "thaw_jump": "The first step after the thaw was far larger than a usual one",
}
"""What happened and why, and the cure, for each kind; a jump is told with its size and one of the cures below."""

_RESET = "Thaw with reset_state, or lower the learning rate for the first steps"
_WARM_UP = (
    "A fresh optimizer goes about as far, or further, so reset_state does not help: warm the learning rate up after "
    "the thaw"
)


@dataclass(frozen=True)
class SideEffect:
    """Something that the freeze did to the rest of the run, with what happened and the cure."""

    kind: str
    layers: tuple[str, ...]
    text: str


def text_of_jump(largest: ThawReport, optimizer: str) -> str:
    """Return what is told of thaws that jumped, the `largest` of them in a step of the class `optimizer`."""
    times = f"{times_too_far(largest, optimizer):.1f} times"
    size = f"{times} the learning rate" if steps_are_of_lr(optimizer) else f"{times} a fresh optimizer's"
    cure = _RESET if reset_helps(largest.over_fresh) else _WARM_UP
    return f"{TEXTS['thaw_jump']}: the largest was {size}. {cure}."
