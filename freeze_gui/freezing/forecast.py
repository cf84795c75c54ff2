"""What the law says will happen, before the run: which frozen tensors will move, and why.

At one ``optimizer.step()`` a parameter moves if and only if it is in a param_group, its gradient is not None, and the
update computed from gradient, state and weight is not lost in rounding. Two facts decide: the class of gradient that
the step sees, which method and zero_grad mode give, and what the optimizer's rule does with a zero gradient. Buffers
obey another law: statistics move when the forward runs with their module in training mode.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

from torch import nn

from freeze_gui.freezing.plan import FreezePlan
from freeze_gui.models.layer_tree import is_norm, own_tensors


class Gradient(Enum):
    """The class of gradient that an optimizer step sees on a frozen parameter."""

    NONE = "none"
    ZERO = "zero"
    STALE = "stale"
    LIVE = "live"
    NOT_IN_GROUP = "not in a group"


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
    """

    momentum: bool = False
    decay: bool = False
    decay_fills_momentum: bool = False
    at_lr_zero: str = "never"


@dataclass(frozen=True)
class TensorForecast:
    """What will happen to one frozen tensor: the causes that will move it, none when it will hold."""

    name: str
    role: str
    layer: str
    causes: frozenset[str]


def rule_of(optimizer: str, hyper: Mapping[str, Any]) -> Rule | None:
    """Return the rule of a class of torch.optim with its hyper-parameters; None for a class that the law does not know.

    `hyper` must hold every hyper-parameter that decides: momentum, betas, weight_decay, lambd.
    """
    decay = bool(hyper.get("weight_decay"))
    match optimizer:
        case "SGD" | "RMSprop":
            momentum = bool(hyper.get("momentum"))
            return Rule(momentum, decay, momentum and decay)
        case "Adam" | "NAdam" | "RAdam" | "Adamax" | "AdamW":
            momentum = hyper.get("betas", (0.9,))[0] != 0
            decoupled = optimizer == "AdamW" or bool(hyper.get("decoupled_weight_decay"))
            return Rule(momentum, decay, momentum and decay and not decoupled)
        case "Muon":
            return Rule(bool(hyper.get("momentum")), decay)
        case "Adagrad" | "Adadelta" | "Adafactor":
            return Rule(decay=decay)
        case "Rprop":
            return Rule(at_lr_zero="always")
        case "ASGD":
            return Rule(decay=decay or bool(hyper.get("lambd")), at_lr_zero="once")
    return None


def gradient_classes(
    method: str, zero_grad: str, had_gradient: bool, after_backward: bool
) -> tuple[Gradient, Gradient]:
    """Return the class that the first step of a frozen window sees, and the class of all later ones.

    Parameters
    ----------
    method, zero_grad
        Ids of the freezing method and of the zero_grad mode.
    had_gradient
        Whether the parameter was trained before, so that a gradient may be left over.
    after_backward
        Whether the freeze falls between backward and step.
    """
    match method:
        case "grad_none":
            return Gradient.NONE, Gradient.NONE
        case "grad_zero":
            return Gradient.ZERO, Gradient.ZERO
        case "exclude" | "filter":
            return Gradient.NOT_IN_GROUP, Gradient.NOT_IN_GROUP
        case "restore" | "lr_zero" | "eval_only":
            return Gradient.LIVE, Gradient.LIVE
    left_over = {"none": Gradient.NONE, "zero": Gradient.ZERO, "never": Gradient.STALE}[zero_grad]
    later = left_over if had_gradient or after_backward else Gradient.NONE
    return (Gradient.LIVE if after_backward else later), later


def causes_of_window(
    method: str, rule: Rule, classes: tuple[Gradient, Gradient], had_steps: bool, steps: int
) -> frozenset[str]:
    """Return why a weight that is not zero moves in a frozen window of `steps` steps; empty when it holds."""
    if method == "restore":
        return frozenset()
    causes: set[str] = set()
    live_before = had_steps
    for index in range(min(steps, 3)):   # from the third step on nothing new can happen
        seen = classes[0] if index == 0 else classes[1]
        if seen in (Gradient.LIVE, Gradient.STALE):
            at_lr_zero = rule.at_lr_zero == "always" or (rule.at_lr_zero == "once" and index == 0 and had_steps)
            if method != "lr_zero" or at_lr_zero:
                causes.add("gradient" if seen is Gradient.LIVE else "stale_gradient")
            live_before = True
        elif seen is Gradient.ZERO:
            if rule.decay:
                causes.add("weight_decay")
            if rule.momentum and (live_before or (index > 0 and rule.decay_fills_momentum)):
                causes.add("momentum")
    return frozenset(causes)


def forecast(
    model: nn.Module, plan: FreezePlan, optimizer: str, hyper: Mapping[str, Any], zero_grad: str, total_steps: int
) -> tuple[TensorForecast, ...] | None:
    """Forecast every tensor that `plan` freezes at some step; None when the law does not know the optimizer.

    `hyper` as in `rule_of`. Steps of tasks count as windows of many short pieces, trained in between.
    """
    rule = rule_of(optimizer, hyper)
    if rule is None:
        return None
    modules = dict(model.named_modules())
    found: dict[int, TensorForecast] = {}
    for path, module in modules.items():
        windows = _windows(plan, path, total_steps)
        for key, tensor in own_tensors(module).items():
            if windows and id(tensor) not in found:
                name = f"{path}.{key}" if path else key
                if isinstance(tensor, nn.Parameter):
                    causes = _parameter_causes(plan, rule, zero_grad, windows)
                    found[id(tensor)] = TensorForecast(name, "parameter", path, causes)
                else:
                    causes = _buffer_causes(plan, module, key, windows)
                    found[id(tensor)] = TensorForecast(name, "buffer", path, causes)
    return tuple(found.values())


def _windows(plan: FreezePlan, path: str, total_steps: int) -> list[tuple[int, int]]:
    """Return the frozen windows of a module as (first step, steps); a task's count as one from its second turn on."""
    windows = [
        (phase.start, (min(phase.stop, total_steps) if phase.stop is not None else total_steps) - phase.start)
        for phase in plan.phases
        if path in phase.modules and phase.start < total_steps
    ]
    windows += [(1, 1) for _, task_modules in plan.tasks if path in task_modules]
    return [(start, steps) for start, steps in windows if steps > 0]


def _parameter_causes(
    plan: FreezePlan, rule: Rule, zero_grad: str, windows: list[tuple[int, int]]
) -> frozenset[str]:
    causes: frozenset[str] = frozenset()
    for start, steps in windows:
        after_backward = plan.moment == "after_backward"
        classes = gradient_classes(plan.method, zero_grad, start > 0, after_backward)
        causes |= causes_of_window(plan.method, rule, classes, start > 0, steps)
    return causes


def _buffer_causes(
    plan: FreezePlan, module: nn.Module, key: str, windows: list[tuple[int, int]]
) -> frozenset[str]:
    """Statistics move in training mode; of other buffers the law says nothing, and they are taken to hold."""
    still = plan.norm == "eval" or plan.method == "eval_only"
    first_forward = 1 if plan.moment == "after_backward" else 0
    moves = is_norm(module) and not still and any(steps > first_forward for _, steps in windows)
    return frozenset({"running_statistics"}) if moves and key.startswith(("running_", "num_batches")) else frozenset()
