"""The law of freezing, written out: when a frozen parameter moves, and why. Nothing here comes from the program.

At a step a parameter moves if and only if it is in a param_group, its gradient is not None, and the update that the
rule computes from gradient, state and weight is not lost in rounding. So the class of gradient that the step sees and
what the rule does with a zero gradient decide.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

NO_GRADIENT, ZERO, STALE, LIVE, NOT_IN_GROUP = "none", "zero", "stale", "live", "excluded"


@dataclass(frozen=True)
class Rule:
    """An optimizer setting, and what it does with a zero gradient."""

    name: str
    hyper: dict[str, Any]
    momentum: bool = False   # moves on a zero gradient after a live step
    decay: bool = False      # moves on a zero gradient always
    moves_at_lr_0: str = ""  # when a live gradient moves it although lr is 0: "always", or "once" after a live step


RULES = {
    "sgd": Rule("SGD", {"lr": 0.1}),
    "sgd momentum": Rule("SGD", {"lr": 0.1, "momentum": 0.9}, momentum=True),
    "sgd nesterov": Rule("SGD", {"lr": 0.1, "momentum": 0.9, "nesterov": True}, momentum=True),
    "sgd decay": Rule("SGD", {"lr": 0.1, "weight_decay": 0.1}, decay=True),
    "adam": Rule("Adam", {"lr": 0.01}, momentum=True),
    "adam beta1 0": Rule("Adam", {"lr": 0.01, "betas": [0.0, 0.999]}),
    "adam decay": Rule("Adam", {"lr": 0.01, "weight_decay": 0.1}, momentum=True, decay=True),
    "adamw": Rule("AdamW", {"lr": 0.01}, momentum=True, decay=True),
    "adamw no decay": Rule("AdamW", {"lr": 0.01, "weight_decay": 0.0}, momentum=True),
    "nadam": Rule("NAdam", {"lr": 0.01}, momentum=True),
    "radam": Rule("RAdam", {"lr": 0.01}, momentum=True),
    "adamax": Rule("Adamax", {"lr": 0.01}, momentum=True),
    "rmsprop": Rule("RMSprop", {"lr": 0.01}),
    "rmsprop momentum": Rule("RMSprop", {"lr": 0.01, "momentum": 0.9}, momentum=True),
    "adagrad": Rule("Adagrad", {"lr": 0.1}),
    "adadelta": Rule("Adadelta", {"lr": 1.0}),
    "adafactor": Rule("Adafactor", {"lr": 0.01}),
    "rprop": Rule("Rprop", {"lr": 0.01}, moves_at_lr_0="always"),
    "asgd": Rule("ASGD", {"lr": 0.01}, decay=True, moves_at_lr_0="once"),
    "asgd lambd 0": Rule("ASGD", {"lr": 0.01, "lambd": 0.0}, moves_at_lr_0="once"),
}


def gradient_classes(method: str, zero_grad: str, steps: int, frozen_from: int, after_backward: bool) -> list[str]:
    """Return the class of gradient that the optimizer sees at each step of the frozen window."""
    had_gradient = frozen_from > 0 or after_backward
    idle = {"none": NO_GRADIENT, "zero": ZERO if had_gradient else NO_GRADIENT, "never": STALE}[zero_grad]
    if idle == STALE and not had_gradient:
        idle = NO_GRADIENT
    window = steps - frozen_from
    match method:
        case "requires_grad" | "no_grad" | "detach":
            return [LIVE if after_backward else idle] + [idle] * (window - 1)
        case "grad_none":
            return [NO_GRADIENT] * window
        case "grad_zero":
            return [ZERO] * window
        case "exclude" | "filter":
            return [NOT_IN_GROUP] * window
        case _:
            return [LIVE] * window


def expected_causes(method: str, rule: Rule, classes: list[str], frozen_from: int) -> set[str]:
    """Return why a frozen weight (not zero itself) moves; the empty set when it holds."""
    causes: set[str] = set()
    live_before = frozen_from > 0
    if method == "restore":
        return causes
    for step, seen in enumerate(classes):
        if seen in (LIVE, STALE):
            # ASGD steps by a size kept in its state, which follows lr one step late
            at_lr_0 = rule.moves_at_lr_0 == "always" or (rule.moves_at_lr_0 == "once" and step == 0 and frozen_from > 0)
            if method != "lr_zero" or at_lr_0:
                causes.add("gradient" if seen == LIVE else "stale_gradient")
            live_before = True
        elif seen == ZERO:
            if rule.decay:
                causes.add("weight_decay")
            # decay that is part of the gradient fills the first moment too
            if rule.momentum and (live_before or (step > 0 and rule.name in ("SGD", "Adam") and rule.decay)):
                causes.add("momentum")
    return causes


def expected_in_windows(
    method: str, rule: Rule, zero_grad: str, windows: list[tuple[int, int]], after_backward: bool
) -> set[str]:
    """Return why a weight moves that is frozen in several windows and trained in between: for the reasons of each."""
    causes: set[str] = set()
    for start, stop in windows:
        classes = gradient_classes(method, zero_grad, stop, start, after_backward)
        causes |= expected_causes(method, rule, classes, start)
    return causes


def under_one_cycle(rule: Rule, method: str) -> Rule:
    """Return what OneCycleLR makes of a rule: it sets momentum, or the first beta, and every learning rate."""
    has_momentum = rule.name in ("SGD", "RMSprop", "Adam", "AdamW", "NAdam", "RAdam", "Adamax")
    at_lr_0 = "always" if method == "lr_zero" else rule.moves_at_lr_0   # there is no rate of 0 any more
    return replace(rule, momentum=rule.momentum or has_momentum, moves_at_lr_0=at_lr_0)


def expected_in_tasks(method: str, rule: Rule, zero_grad: str) -> set[str]:
    """Return why the layer of one task moves in the steps of the other, whose forward passes it by.

    The step sees what zero_grad has left of the layer's own last step, under whatever method.
    """
    seen = {"none": NO_GRADIENT, "zero": ZERO, "never": STALE}[zero_grad]
    if method in ("grad_none", "exclude", "filter", "restore"):
        return set()
    if method == "grad_zero" and seen == STALE:
        seen = ZERO
    at_lr_0 = method == "lr_zero"
    goes_on = not at_lr_0 or rule.moves_at_lr_0 == "once"   # each turn follows a live step
    if seen == STALE:
        return {"stale_gradient"} if goes_on or rule.moves_at_lr_0 == "always" else set()
    if seen == ZERO and goes_on:
        return {cause for cause, does in (("momentum", rule.momentum), ("weight_decay", rule.decay)) if does}
    return set()
