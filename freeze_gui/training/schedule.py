"""Learning rates over the steps: torch's schedulers by name, in a form that survives freezing and thawing.

torch binds a scheduler to the groups that an optimizer has when it is made: a later ``add_param_group`` raises for most
of them, or leaves the new group at the optimizer's default rate. So the scheduler runs here on a stand-in, an optimizer
of the same class with one small weight per learning-rate factor, and each real group takes what torch gave the stand-in
with its factor. Groups may come and go as they like.
"""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import nn
from torch.optim import lr_scheduler

from freeze_gui.errors import UserError
from freeze_gui.training.optimizers import check_like, hyper_parameters, trial_class

SCHEDULERS = ("none", "StepLR", "CosineAnnealingLR", "OneCycleLR", "ReduceLROnPlateau", "LambdaLR")
"""Names that ``[optimizer] scheduler`` takes."""

FACTOR = "lr_factor"
"""Key of a param_group: its learning rate as a multiple of the configured one."""

_WARM_UP = {"warmup_steps": None}
_NOT_SETTINGS = ("optimizer", "last_epoch", "verbose", "epochs", "steps_per_epoch")
_LENGTH = {
    "StepLR": "step_size", "CosineAnnealingLR": "T_max", "OneCycleLR": "total_steps", "LambdaLR": "warmup_steps",
}  # fmt: skip
_CYCLED = ("momentum", "betas")


@dataclass(frozen=True)
class SchedulerSettings:
    """The ``scheduler`` of ``[optimizer]``: a class of torch.optim.lr_scheduler and what it is given."""

    name: str = "none"
    hyper: Mapping[str, Any] = field(default_factory=dict)


def scheduler_parameters(name: str) -> dict[str, Any]:
    """Return what a scheduler takes, with torch's defaults; None where the length of the run decides.

    ``LambdaLR`` is a linear warm-up over ``warmup_steps`` steps here, and stays at the full rate after.
    """
    if name == "none":
        return {}
    if name == "LambdaLR":
        return dict(_WARM_UP)
    signature = inspect.signature(getattr(lr_scheduler, name))
    return {
        key: None if p.default is inspect.Parameter.empty else p.default
        for key, p in signature.parameters.items()
        if key not in _NOT_SETTINGS
    }


def check_scheduler(settings: SchedulerSettings, optimizer: str, hyper: Mapping[str, Any]) -> None:
    """Check name and values by building the scheduler once.

    Raises
    ------
    UserError
        For an unknown name or key, or a value that torch does not take.
    """
    if settings.name not in SCHEDULERS:
        near = difflib.get_close_matches(settings.name, SCHEDULERS, n=1, cutoff=0.7)
        hint = f"; did you mean {near[0]}?" if near else ""
        raise UserError(f"optimizer.scheduler = {settings.name!r}: must be one of {', '.join(SCHEDULERS)}{hint}")
    known = scheduler_parameters(settings.name)
    for key, value in settings.hyper.items():
        if key not in known:
            near = difflib.get_close_matches(key, known, n=1)
            hint = f"did you mean {near[0]}?" if near else f"{settings.name} takes {', '.join(known) or 'nothing'}"
            raise UserError(f"optimizer.scheduler.{key} is not a known key; {hint}")
        if key in ("step_size", "T_max", "total_steps", "warmup_steps", "patience", "cooldown"):
            least = 0 if key in ("patience", "cooldown") else 1
            if isinstance(value, bool) or not isinstance(value, int) or value < least:
                raise UserError(f"optimizer.scheduler.{key} = {value!r}: must be a whole number, at least {least}")
        check_like(f"scheduler.{key}", value, 0.0 if key == "max_lr" else known[key])
        if isinstance(value, int | float) and value < 0:   # torch takes it, and steps uphill
            raise UserError(f"optimizer.scheduler.{key} = {value!r}: must not be negative")
    Schedule(settings, optimizer, hyper, (1.0,), 10)


def depends_on_length(settings: SchedulerSettings) -> bool:
    """Tell whether the rates follow from the length of the run, because no length is given."""
    return settings.name in _LENGTH and settings.hyper.get(_LENGTH[settings.name]) is None


def check_data_suit(settings: SchedulerSettings, validation: bool, total_steps: int) -> None:
    """Check that the data have what a scheduler counts in.

    Raises
    ------
    UserError
        When there is no validation part, or no known length of the run (`total_steps` is 0), where one is needed.
    """
    if settings.name == "ReduceLROnPlateau" and not validation:
        raise UserError(
            "optimizer.scheduler: ReduceLROnPlateau looks at the validation loss, and these data have no validation "
            "part; give them one, or take another scheduler"
        )
    needed = _LENGTH.get(settings.name)
    if depends_on_length(settings) and not total_steps:
        raise UserError(
            f"optimizer.scheduler: these data do not say how many batches an epoch has, so {settings.name} does not "
            f"know the length of the run; give optimizer.scheduler.{needed}, or train.steps"
        )


class Schedule:
    """One scheduler at work.

    Parameters
    ----------
    settings
        Which one.
    optimizer, hyper
        Class of torch.optim and its hyper-parameters: some schedulers look at them, and OneCycleLR turns momentum too.
    factors
        Every learning-rate factor that a group of the run may have.
    total_steps
        Length of the run, which decides what is not given: a third of it between two steps of StepLR, all of it for
        CosineAnnealingLR and OneCycleLR, a tenth of it for the warm-up.

    Raises
    ------
    UserError
        When torch does not take the values.
    """

    def __init__(
        self,
        settings: SchedulerSettings,
        optimizer: str,
        hyper: Mapping[str, Any],
        factors: Iterable[float],
        total_steps: int,
    ) -> None:
        self._name = settings.name
        self._base = {**hyper_parameters(optimizer), **hyper}["lr"]
        self.metrics: list[float] = []
        self._scheduler: Any = None
        if settings.name == "none":
            return
        make = trial_class(optimizer)
        # one more weight at rate 0: what a scheduler makes of a layer that is held by its learning rate
        self._factors = tuple(dict.fromkeys((1.0, *factors, 0.0)))
        groups = [{"params": [nn.Parameter(torch.zeros(1, 1))], "lr": self._base * factor} for factor in self._factors]
        self._stand_in: torch.optim.Optimizer = make(groups, **hyper)
        try:
            self._scheduler = _make(settings, self._stand_in, max(total_steps, 1), self._base, self._factors)
        except (ValueError, TypeError, RuntimeError, ZeroDivisionError) as error:
            raise UserError(f"optimizer.scheduler: {settings.name} does not take these values: {error}") from None
        self._keys = ("lr", *(_CYCLED if settings.name == "OneCycleLR" else ()))

    @property
    def rate(self) -> float:
        """The learning rate of the coming step, for layers without a factor of their own."""
        return float(self._base if self._scheduler is None else self._stand_in.param_groups[0]["lr"])

    def apply(self, optimizer: torch.optim.Optimizer) -> None:
        """Give every group the rate of the coming step."""
        if self._scheduler is None:
            return
        sources = dict(zip(self._factors, self._stand_in.param_groups, strict=True))
        for group in optimizer.param_groups:
            source = sources[group.get(FACTOR, 1.0)]
            group.update({key: source[key] for key in self._keys if key in source})

    def step(self) -> None:
        """Go on to the next step; ReduceLROnPlateau waits for an evaluation instead."""
        if self._scheduler is not None and self._name != "ReduceLROnPlateau":
            self._advance()

    def evaluated(self, loss: float) -> None:
        """Tell ReduceLROnPlateau the loss of an evaluation."""
        if self._name == "ReduceLROnPlateau":
            self.metrics.append(loss)
            self._advance(loss)

    def resume(self, steps: int, metrics: Iterable[float]) -> None:
        """Go to where a run stood after `steps` steps and these losses of evaluations."""
        for _ in range(steps):
            self.step()
        for loss in metrics:
            self.evaluated(loss)

    def _advance(self, *metric: float) -> None:
        if self._name == "OneCycleLR" and self._scheduler.last_epoch + 1 >= self._scheduler.total_steps:
            return   # torch raises past the end; a longer run keeps the last rate
        self._stand_in.step()   # moves nothing: torch warns where a scheduler is faster than its optimizer
        self._scheduler.step(*metric)


def overwrites_zero(settings: SchedulerSettings) -> bool:
    """Tell whether a scheduler moves a group whose learning rate is 0 away from it."""
    return settings.name == "OneCycleLR" or (
        settings.name == "CosineAnnealingLR" and settings.hyper.get("eta_min", 0.0) != 0.0
    )


def _make(
    settings: SchedulerSettings,
    optimizer: torch.optim.Optimizer,
    total_steps: int,
    base: float,
    factors: tuple[float, ...],
) -> Any:
    given = dict(settings.hyper)
    match settings.name:
        case "LambdaLR":
            steps = given.get("warmup_steps") or max(total_steps // 10, 1)
            return lr_scheduler.LambdaLR(optimizer, lambda step: min(1.0, (step + 1) / steps))
        case "StepLR":
            given.setdefault("step_size", max(total_steps // 3, 1))
        case "CosineAnnealingLR":
            given.setdefault("T_max", total_steps)
        case "OneCycleLR":
            given.setdefault("total_steps", total_steps)
            highest = given.pop("max_lr", base)
            # one rate for all is what people give: it does not know of a group that should stay at 0
            given["max_lr"] = [highest * (factor or 1.0) for factor in factors]
    return getattr(lr_scheduler, settings.name)(optimizer, **given)
