"""What a person can compare: the optimizers that are offered, and how many runs of what length a choice makes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from freeze_gui.gui.run_verdict import step_ms_median
from freeze_gui.runs.grid import Axes, OptimizerChoice
from freeze_gui.runs.words import counted
from freeze_gui.training.config import OptimizerSettings, RunConfig
from freeze_gui.training.optimizers import hyper_parameters

if TYPE_CHECKING:
    from freeze_gui.runs.recorder import RunRecorder

HONEST_FOUR = ("requires_grad", "grad_none", "exclude", "filter")
"""They hold every weight, whatever the optimizer does."""
DEFAULT = Axes(methods=("requires_grad", "grad_zero", "eval_only"))
OPTIMIZERS = ("SGD", "Adam", "AdamW")


@dataclass(frozen=True)
class Offer:
    """An optimizer that can be ticked, with its learning rate as it stands in its field."""

    name: str
    rate: str


def optimizer_offers(own: OptimizerSettings, chosen: Sequence[OptimizerChoice] = ()) -> list[Offer]:
    """Return the usual optimizers and the form's own; its learning rate is the form's, others have their defaults."""
    names = [*([own.name] if own.name not in OPTIMIZERS else []), *OPTIMIZERS]
    rates = {name: hyper_parameters(name).get("lr") for name in names}
    rates |= {own.name: own.hyper.get("lr", rates[own.name])}
    rates |= {choice.name: choice.hyper["lr"] for choice in chosen if "lr" in choice.hyper}
    return [Offer(name, "" if rates[name] is None else f"{rates[name]:.12g}") for name in names]


def optimizer_choice(own: OptimizerSettings, offer: Offer) -> OptimizerChoice:
    """Return what an offer stands for; the form's own optimizer keeps its other hyper-parameters."""
    is_own = offer.name == own.name
    hyper: dict[str, Any] = dict(own.hyper) if is_own else {}
    default = hyper_parameters(offer.name).get("lr")
    try:
        rate: Any = float(offer.rate) if offer.rate else default
    except ValueError:
        rate = offer.rate   # for the check to refuse by name
    if rate is not None:
        hyper["lr"] = rate
    if is_own and rate == own.hyper.get("lr", default):
        return OptimizerChoice(offer.name)
    return OptimizerChoice(offer.name, hyper)


def with_and_without_fused(own: OptimizerSettings, choices: Sequence[OptimizerChoice]) -> list[OptimizerChoice]:
    """Return each choice twice, with torch's fused step and without, where its class has one."""
    found = []
    for choice in choices:
        hyper = choice.hyper or (own.hyper if choice.name == own.name else {})
        has_fused = "fused" in hyper_parameters(choice.name)
        both = [OptimizerChoice(choice.name, {**hyper, "fused": fused}) for fused in (False, True)]
        found += both if has_fused else [choice]
    return found


def known_step_s(config: RunConfig, runs: Sequence[RunRecorder]) -> float | None:
    """Return the time of a step in the last run of the same model, data and batch size; None where there was none."""
    for run in reversed(runs):
        same = (run.config.model.source, run.config.data) == (config.model.source, config.data)
        step_ms = step_ms_median(run) if same else None
        if step_ms is not None:
            return step_ms / 1000
    return None


def known_steps(config: RunConfig, runs: Sequence[RunRecorder]) -> int | None:
    """Return how many steps a run will take; epochs are known from a run of the same data."""
    if config.train.epochs is None:
        return config.train.steps
    for run in reversed(runs):
        started = run.started
        if started is not None and started.epoch_steps is not None and run.config.data == config.data:
            return config.train.epochs * started.epoch_steps
    return None


def plan_words(count: int, steps: int | None, step_s: float | None) -> str:
    """Say how many runs it will be and about how long they will take."""
    words = counted(count, "run") + (f" of {counted(steps, 'step')}" if steps is not None else "")
    if steps is None or step_s is None:
        return f"{words}; how long is known after a first run"
    return f"{words}, {duration_words(count * steps * step_s)}"


def duration_words(seconds: float) -> str:
    """Return a time that is not known exactly."""
    if seconds < 90:
        return f"about {counted(max(round(seconds), 1), 'second')}"
    if seconds < 90 * 60:
        return f"about {round(seconds / 60)} minutes"
    return f"about {seconds / 3600:.1f} hours"
