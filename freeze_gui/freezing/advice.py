"""What a person should know before a run: warnings with what will happen, why, and the cure."""

from __future__ import annotations

from collections.abc import Callable

from freeze_gui.freezing.advice_windows import momentum_dropped, never_in_effect, rates_overlap, thaw_fails, thaw_jump
from freeze_gui.freezing.circumstances import Circumstances, ForecastWarning, warning
from freeze_gui.freezing.life import CUTTING

__all__ = ["Circumstances", "ForecastWarning", "advise"]

FLAGS = ("requires_grad", "filter")
"""Methods that turn requires_grad off."""


def advise(seen: Circumstances) -> tuple[ForecastWarning, ...]:
    """Return what a person should know about a run, the gravest first."""
    judges = _JUDGES if seen.frozen() else (never_in_effect, rates_overlap)
    found = [judge(seen) for judge in judges]
    return tuple(each for each in found if each is not None)


def _nothing_to_train(seen: Circumstances) -> ForecastWarning | None:
    method = seen.basis.plan.method
    known = [modules for modules, reach, _ in seen.reaches() if not reach.trains]
    layers = (layer for modules in known for layer in seen.layers if layer in modules)
    return warning(
        "nothing_to_train",
        layers,
        f"With these layers frozen by {method} the loss depends on nothing that can learn, and backward() raises. "
        "Leave the last layer unfrozen.",
    )


def _everything_frozen(seen: Circumstances) -> ForecastWarning | None:
    whole = any(set(seen.layers) <= modules for modules in seen.sets())
    return warning(
        "everything_frozen",
        seen.layers if whole else (),
        "Every layer with parameters is frozen at the same time, so nothing is left to train. Leave at least the last "
        "layer unfrozen.",
    )


def _unknown_optimizer(seen: Circumstances) -> ForecastWarning | None:
    return warning(
        "unknown_optimizer",
        seen.frozen() if seen.tensors is None else (),
        f"The law does not say what {seen.optimizer} does with a gradient of zero: unknown optimizer, cannot forecast. "
        "Look at the verdict after the run, or take an optimizer such as Adam or SGD.",
    )


def _eval_only(seen: Circumstances) -> ForecastWarning | None:
    return warning(
        "eval_only_freezes_nothing",
        seen.frozen() if seen.basis.plan.method == "eval_only" else (),
        "eval() rests dropout and batch statistics and freezes no weight: these layers train on. Take requires_grad to "
        "hold the weights.",
    )


def _upstream_cut(seen: Circumstances) -> ForecastWarning | None:
    if seen.basis.plan.method not in CUTTING:
        return None
    cut: dict[str, None] = {}
    owner = {facts.name: facts.layers[0] for facts in seen.basis.tensors}
    for modules, reach, free in seen.reaches():   # what runs in front of what is known by trying alone
        if free is not None:
            lost = {owner[name] for name in free.learning - reach.learning}
            reached = {owner[name] for name in reach.learning}
            cut |= dict.fromkeys(layer for layer in seen.layers if layer in lost - reached - modules)
    return warning(
        "upstream_cut",
        cut,
        f"{seen.basis.plan.method} ends the graph at the frozen layers, so these layers in front of them get no "
        "gradient and stop learning without a word. Freeze by requires_grad, which lets gradients through.",
    )


def _scheduler(seen: Circumstances) -> ForecastWarning | None:
    overwritten = seen.basis.plan.method == "lr_zero" and seen.basis.held_until is not None
    return warning(
        "scheduler_overwrites_lr_zero",
        seen.frozen() if overwritten else (),
        "The scheduler sets the learning rate of every group, that of the frozen layers too, which then train. Take "
        "requires_grad, or a scheduler that multiplies, such as StepLR.",
    )


def _decays(seen: Circumstances) -> ForecastWarning | None:
    layers = (t.layer for t in seen.tensors or () if "weight_decay" in t.causes)
    return warning(
        "adamw_decays",
        layers,
        f"The gradient will be zero and not missing, and {seen.optimizer} decays every weight that has one: these "
        "layers shrink a little in each step. Set zero_grad to none with requires_grad, or take grad_none.",
    )


def _pile_up(seen: Circumstances) -> ForecastWarning | None:
    return warning(
        "gradients_pile_up",
        seen.frozen() if seen.basis.plan.method == "exclude" else (),
        "These layers are left out of the optimizer with requires_grad still on, so that nobody clears their "
        "gradients, which grow in every step. Turn requires_grad off as well, as filter does.",
    )


def _clipping(seen: Circumstances) -> ForecastWarning | None:
    layers = (t.layer for t in seen.tensors or () if seen.clipping and t.leaves_gradient)
    return warning(
        "clipping_sees_frozen",
        layers,
        "The gradients of these frozen layers stay in place and count in the clipping norm, which shrinks everyone "
        "else's step. Take requires_grad or grad_none, or clip the trainable parameters only.",
    )


def _middle(seen: Circumstances) -> ForecastWarning | None:
    # layers of another task do not run, so that they stand in front of nothing
    runs = [(modules, [p for p in reach.ran if p in seen.layers]) for modules, reach, _ in seen.reaches()]
    found: dict[str, None] = {}
    for modules, order in runs if seen.basis.plan.method in FLAGS else ():
        first_trained = next((place for place, layer in enumerate(order) if layer not in modules), len(order))
        found |= dict.fromkeys(layer for layer in order[first_trained:] if layer in modules)
    return warning(
        "frozen_in_the_middle",
        found,
        "Layers in front of these train, so backward passes through the frozen layers all the same and the freeze "
        "saves no activations there. Freeze from the input on, without a gap.",
    )


def _head(seen: Circumstances) -> ForecastWarning | None:
    whole = any(set(seen.layers) <= modules for modules in seen.sets())
    head = [] if whole else [layer for layer in seen.head if layer in seen.frozen()]
    return warning(
        "head_frozen",
        head,
        "The last layer, which turns features into answers, is frozen while layers in front of it train: they have to "
        "suit a readout that cannot move. Take the head out of the freeze.",
    )


def _tied(seen: Circumstances) -> ForecastWarning | None:
    ever = frozenset[str]().union(*seen.sets())
    layers = (
        layer
        for facts in seen.basis.tensors
        if facts.role == "parameter" and len(facts.layers) > 1 and any(layer in ever for layer in facts.layers)
        for layer in facts.layers
    )
    return warning(
        "tied_tensors",
        layers,
        "These layers own one and the same tensor, which freezes or trains for all of them, whichever is ticked. Tick "
        "all of them, or give one a copy of its own.",
    )


def _parametrized(seen: Circumstances) -> ForecastWarning | None:
    ever = frozenset[str]().union(*seen.sets())
    return warning(
        "parametrized",
        (layer for layer in seen.made if layer in ever),
        "The weight of these layers is computed in each forward from other tensors, and may move while those hold: "
        "spectral norm advances its vectors in training mode, under norm = eval too. Call eval() on these layers, or "
        "remove the parametrization before freezing.",
    )


_JUDGES: tuple[Callable[[Circumstances], ForecastWarning | None], ...] = (
    _nothing_to_train, thaw_fails, _everything_frozen, _unknown_optimizer, _eval_only, _upstream_cut, _scheduler,
    _decays, thaw_jump, momentum_dropped, _pile_up, _clipping, _head, _middle, _tied, _parametrized, never_in_effect,
    rates_overlap,
)
