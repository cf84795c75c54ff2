"""What each optimizer of torch.optim does with a gradient of zero, and with a learning rate of zero."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

_NORMALISED = ("Adam", "AdamW", "NAdam", "Adamax", "RMSprop", "Rprop")
"""Classes that divide the gradient by its own size from the first step on, or take its sign alone."""


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
    decay_share, decay_gain
        The part of a weight that decay takes in a step, where it is nothing but such a part, and how many times of it
        momentum can pile up; None where the decay is normalised with the gradient, so that it is as large as any step.
    lr
        The learning rate, None where it is not known or another at every step.
    normalised
        Whether a step is about as large as the learning rate, whatever the size of the gradient.
    """

    momentum: bool = False
    decay: bool = False
    decay_fills_momentum: bool = False
    at_lr_zero: str = "never"
    decay_share: float | None = None
    decay_gain: float = 1.0
    lr: float | None = None
    normalised: bool = False


def rule_of(optimizer: str, hyper: Mapping[str, Any]) -> Rule | None:
    """Return the rule of a class of torch.optim with its hyper-parameters; None for a class that the law does not know.

    `hyper` must hold every hyper-parameter that decides: momentum, betas, weight_decay, lambd; with ``lr`` the size of
    the decay is known too.
    """
    lr, weight_decay = hyper.get("lr"), float(hyper.get("weight_decay") or 0.0)
    rule = _rule(optimizer, hyper, weight_decay, 0.0 if lr is None else float(lr))
    known = None if lr is None else float(lr)
    return None if rule is None else replace(rule, lr=known, normalised=optimizer in _NORMALISED)


def _rule(optimizer: str, hyper: Mapping[str, Any], weight_decay: float, lr: float) -> Rule | None:
    decay, share = weight_decay != 0.0, (lr * weight_decay if lr else None)
    match optimizer:
        case "SGD":
            momentum = float(hyper.get("momentum") or 0.0)
            gain = 1 / (1 - momentum) if momentum < 1 else float("inf")
            return Rule(momentum != 0.0, decay, decay and momentum != 0.0, decay_share=share, decay_gain=gain)
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
        case "Adagrad":
            divisor = math.sqrt(hyper.get("initial_accumulator_value") or 0.0)
            return Rule(decay=decay, decay_share=share / divisor if share and divisor else None)
        case "Adadelta" | "Adafactor":
            return Rule(decay=decay)
        case "Rprop":
            return Rule(at_lr_zero="always")
        case "ASGD":
            lambd = float(hyper.get("lambd") or 0.0)
            share = lr * (weight_decay + lambd) if lr else None
            return Rule(decay=decay or lambd != 0.0, at_lr_zero="once", decay_share=share)
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
