"""What each optimizer of torch.optim does with a gradient of zero, and with a learning rate of zero."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Rule:
    """What an optimizer's rule does with a gradient of zero, and with a learning rate of zero.

    Attributes
    ----------
    momentum
        After a live step its state alone moves a weight.
    decay
        Decay moves a weight that is not zero.
    decay_fills_momentum
        Decay is added to the gradient, so that it fills the state as well.
    at_lr_zero
        ``never``, ``once`` (after a live step) or ``always``.
    decay_share
        The part of a weight that decay takes in a step, where it is nothing but such a part; None where the decay is
        normalised with the gradient, so that its size is that of any step.
    """

    momentum: bool = False
    decay: bool = False
    decay_fills_momentum: bool = False
    at_lr_zero: str = "never"
    decay_share: float | None = None


def rule_of(optimizer: str, hyper: Mapping[str, Any]) -> Rule | None:
    """Return the rule of a class of torch.optim with its hyper-parameters; None for a class that the law does not know.

    `hyper` must hold every hyper-parameter that decides: momentum, betas, weight_decay, lambd; with ``lr`` the size of
    the decay is known too.
    """
    decay = bool(hyper.get("weight_decay"))
    share = float(hyper["lr"]) * float(hyper.get("weight_decay") or 0.0) if hyper.get("lr") is not None else None
    match optimizer:
        case "SGD":
            momentum = bool(hyper.get("momentum"))
            return Rule(momentum, decay, momentum and decay, decay_share=None if momentum else share)
        case "RMSprop":
            momentum = bool(hyper.get("momentum"))
            return Rule(momentum, decay, momentum and decay)
        case "Adam" | "NAdam" | "RAdam" | "Adamax" | "AdamW":
            momentum = hyper.get("betas", (0.9,))[0] != 0
            decoupled = optimizer == "AdamW" or bool(hyper.get("decoupled_weight_decay"))
            fills = momentum and decay and not decoupled
            return Rule(momentum, decay, fills, decay_share=share if decoupled else None)
        case "Muon":
            return Rule(bool(hyper.get("momentum")), decay, decay_share=share)
        case "Adagrad" | "Adadelta" | "Adafactor":
            return Rule(decay=decay)
        case "Rprop":
            return Rule(at_lr_zero="always")
        case "ASGD":
            return Rule(decay=decay or bool(hyper.get("lambd")), at_lr_zero="once")
    return None


def with_cycled_momentum(hyper: Mapping[str, Any], scheduler: Mapping[str, Any]) -> dict[str, Any]:
    """Return `hyper` as OneCycleLR leaves it: it sets momentum or the first beta from the first step on."""
    if scheduler.get("cycle_momentum", True):
        momentum = scheduler.get("base_momentum", 0.85) or scheduler.get("max_momentum", 0.95)
        if "betas" in hyper:
            return {**hyper, "betas": (momentum, *tuple(hyper["betas"])[1:])}
        if "momentum" in hyper:
            return {**hyper, "momentum": momentum}
    return dict(hyper)
