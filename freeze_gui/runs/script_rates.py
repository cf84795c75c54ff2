"""Optimizer, param_groups and scheduler of a run as the expressions of a script."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from torch import nn

from freeze_gui.freezing.plan import FreezeSettings
from freeze_gui.models.layer_tree import build_tree
from freeze_gui.training.config import OptimizerSettings
from freeze_gui.training.optimizers import hyper_parameters
from freeze_gui.training.rates import rate_factors
from freeze_gui.training.schedule import SchedulerSettings

GROUP_CHANGING = ("exclude", "filter", "lr_zero")
"""Methods that take parameters out of their param_groups."""


@dataclass(frozen=True)
class Rates:
    """What a script says of learning rates.

    Attributes
    ----------
    name
        Class of torch.optim.
    lr
        The learning rate that the configuration gives, or the class's own.
    hyper
        What the constructor is given beside its parameters, the learning rate first: ``, lr=0.001``.
    factors
        Learning rate as a multiple of `lr` → layers that have it; empty where there is one rate for all.
    scheduler
        Name of the class, empty where there is none.
    made
        What the scheduler is given beside its optimizer: ``, step_size=100``.
    cycled
        Keys of a param_group that the scheduler turns beside ``lr``.
    last_step
        Step at which a scheduler ends that cannot go further; None where it outlasts the run.
    stand_in
        Multiples of `lr` that a stand-in optimizer has, where groups come and go under a scheduler; else empty.
    is_flat
        Whether the layers of `factors` are single modules, with nothing of what lies below them.
    """

    name: str
    lr: float
    hyper: str
    factors: Mapping[float, tuple[str, ...]]
    scheduler: str
    made: str
    cycled: tuple[str, ...]
    last_step: int | None
    stand_in: tuple[float, ...]
    is_flat: bool = False

    @property
    def steps_by_loss(self) -> bool:
        """Whether the scheduler looks at the validation loss."""
        return self.scheduler == "ReduceLROnPlateau"


def rates_of(
    optimizer: OptimizerSettings, freeze: FreezeSettings, model: nn.Module, total_steps: int, groups_change: bool
) -> Rates:
    """Return the learning rates of a run.

    Parameters
    ----------
    optimizer, freeze
        Settings of the run.
    model
        The network.
    total_steps
        Length of the run, 0 where nobody knows it.
    groups_change
        Whether parameters leave or join param_groups after the scheduler was made.
    """
    lr = float({**hyper_parameters(optimizer.name), **optimizer.hyper}["lr"])
    hyper = "".join(f", {key}={value!r}" for key, value in {"lr": lr, **optimizer.hyper}.items())
    factors, is_flat = _factors(optimizer, freeze, model)
    scheduler = optimizer.scheduler
    name = "" if scheduler.name == "none" else scheduler.name
    zero = (0.0,) if freeze.method == "lr_zero" else ()
    every = tuple(dict.fromkeys((1.0, *factors, *zero)))
    moves = freeze.method in GROUP_CHANGING and (groups_change or bool(factors))
    stand_in = every if name and moves else ()
    in_groups = stand_in or (*(factors or (1.0,)), *zero)
    cycled = tuple(
        key for key in ("momentum", "betas") if name == "OneCycleLR" and key in hyper_parameters(optimizer.name)
    )
    arguments = _scheduler_arguments(scheduler, max(total_steps, 1), lr, in_groups, bool(stand_in))
    last = int(arguments["total_steps"]) if name == "OneCycleLR" else None
    if last is not None and total_steps and last >= total_steps:
        last = None
    made = "".join(f", {key}={value}" for key, value in arguments.items()) if name else ""
    return Rates(optimizer.name, lr, hyper, factors, name, made, cycled, last, stand_in, is_flat)


def _factors(
    optimizer: OptimizerSettings, freeze: FreezeSettings, model: nn.Module
) -> tuple[dict[float, tuple[str, ...]], bool]:
    """Return the layers of each factor, and whether they are single modules."""
    found = rate_factors(optimizer, freeze, build_tree(model))
    if all(factor == 1.0 for factor in found.values()):
        return {}, False
    owners = [path for path, module in model.named_modules() if module._parameters]
    roots: dict[float, list[str]] = {}
    for path, _ in model.named_modules():
        below = {found[owner] for owner in owners if _is_below(owner, path)}
        if len(below) == 1 and not any(_is_below(path, root) for paths in roots.values() for root in paths):
            roots.setdefault(below.pop(), []).append(path)
    listed = [root for paths in roots.values() for root in paths]
    if is_flat := any(not any(_is_below(owner, root) for root in listed) for owner in owners):
        roots = {}   # a block has tensors of its own, at another rate than what lies below it
        for owner in owners:
            roots.setdefault(found[owner], []).append(owner)
    return {factor: tuple(paths) for factor, paths in roots.items()}, is_flat


def _is_below(path: str, block: str) -> bool:
    """Tell whether a module is a block or lies in it."""
    return not block or path == block or path.startswith(f"{block}.")


def _scheduler_arguments(
    settings: SchedulerSettings, total_steps: int, lr: float, factors: tuple[float, ...], stands_in: bool
) -> dict[str, str]:
    """Return what a scheduler is given; what the configuration leaves open follows from the length of the run."""
    given: dict[str, Any] = dict(settings.hyper)
    match settings.name:
        case "LambdaLR":
            warm_up = given.get("warmup_steps") or max(total_steps // 10, 1)
            return {"lr_lambda": f"lambda step: min(1.0, (step + 1) / {warm_up})"}
        case "StepLR":
            given = {"step_size": max(total_steps // 3, 1), **given}
        case "CosineAnnealingLR":
            given = {"T_max": total_steps, **given}
        case "OneCycleLR":
            highest = given.pop("max_lr", lr)
            given = {"total_steps": total_steps, **given}
            every = repr(highest)
            if set(factors) - {0.0, 1.0}:
                each = "(factor or 1.0) for factor in factors" if stands_in else "factor for factor in RATES"
                every = f"[{highest} * {each}]"
            return {"max_lr": every, **{key: repr(value) for key, value in given.items()}}
    return {key: repr(value) for key, value in given.items()}
