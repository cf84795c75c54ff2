"""What the law and steps on the meta device say about a whole run, before it starts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from freeze_gui.data.sources import LoadedData
from freeze_gui.freezing.advice import Circumstances, ForecastWarning, advise
from freeze_gui.freezing.basis import Basis, TensorForecast
from freeze_gui.freezing.forecast import forecast_steps, pairs_to_try
from freeze_gui.freezing.plan import FreezePlan
from freeze_gui.freezing.reach import Reach
from freeze_gui.freezing.rules import Rule, rule_of, with_cycled_momentum
from freeze_gui.models.blocks import head
from freeze_gui.models.layer_tree import LayerTree
from freeze_gui.models.loaded import LoadedModel
from freeze_gui.models.selection import select
from freeze_gui.training.config import OptimizerSettings, RunConfig
from freeze_gui.training.cost_forecast import CostForecast
from freeze_gui.training.data_ahead import DataAhead, look_ahead
from freeze_gui.training.optimizers import hyper_parameters
from freeze_gui.training.schedule import overwrites_zero
from freeze_gui.training.trials import Trials

_MOST_TRIALS = 12
"""Steps tried on the meta device for one forecast: one for each set of frozen layers and each task."""

_UNKNOWN_LENGTH = 1000
"""Steps of a run whose data do not say how long an epoch is."""


@dataclass(frozen=True)
class RunForecast:
    """What will happen in a run.

    Attributes
    ----------
    tensors
        Every tensor that is frozen at some step, and why it will move; None where the law does not know the optimizer.
    warnings
        What a person should know, each with its cure.
    cost
        A step with most frozen, against nothing frozen; None where that cannot be told or was not asked for.
    basis
        What `tensors` come from, to forecast again the steps that a run has really taken; None without `tensors`.
    """

    tensors: tuple[TensorForecast, ...] | None
    warnings: tuple[ForecastWarning, ...]
    cost: CostForecast | None
    basis: Basis | None = None


def forecast_run(
    config: RunConfig,
    trials: Trials,
    plan: FreezePlan,
    total_steps: int,
    with_cost: bool = True,
    data: LoadedData | None = None,
) -> RunForecast:
    """Forecast a run.

    Parameters
    ----------
    config
        Its optimizer and what stands in ``[train]`` decide.
    trials
        Of the model, with or without values: on the meta device nobody knows which weights are zero.
    plan
        What is frozen when.
    total_steps
        Length of the run; 0 where the data do not say, which counts as long.
    with_cost
        Whether to take a step on the meta device for FLOPs and memory.
    data
        The data, where they are loaded: what they bring is looked at if that changes nothing.
    """
    steps = total_steps or _UNKNOWN_LENGTH
    rule = _rule(config.optimizer)
    ahead = None if data is None else look_ahead(data, config.train.accumulate)
    basis = _basis(config, trials, plan, rule or Rule(), steps, ahead)
    tensors = None if rule is None else forecast_steps(basis, steps)
    seen = _circumstances(config, trials, basis, tensors, steps)
    most = max(seen.sets(), key=len, default=frozenset[str]())
    cost = None
    if with_cost:
        calls = () if ahead is None else ahead.calls
        batch, loss = config.data.batch_size, config.train.loss
        cost = trials.cost(most, plan.method, config.optimizer, batch, calls, loss)
    return RunForecast(tensors, advise(seen), cost, None if rule is None else basis)


def _rule(optimizer: OptimizerSettings) -> Rule | None:
    hyper = {**hyper_parameters(optimizer.name), **optimizer.hyper}
    if optimizer.scheduler.name == "OneCycleLR":
        hyper = with_cycled_momentum(hyper, optimizer.scheduler.hyper)
    rule = rule_of(optimizer.name, hyper)
    if rule is not None and (optimizer.scheduler.name != "none" or optimizer.layer_decay is not None):
        return replace(rule, decay_share=None, lr=None)   # the rate is another at every step, or in every layer
    return rule


def _turns(
    config: RunConfig, loaded: LoadedModel, plan: FreezePlan, ahead: DataAhead | None
) -> tuple[str | None, ...]:
    """Return the tasks that come, in turn; where nobody knows, those of the plan and one that it does not name."""
    if ahead is not None:
        return ahead.turns
    of_plan = tuple(dict.fromkeys(task for task, _ in plan.tasks))
    says_nothing = (config.data.source or loaded.default_data).startswith("file:")
    guessed = (*of_plan, None) if says_nothing and of_plan else (None,)
    return loaded.tasks or guessed


def _basis(
    config: RunConfig, trials: Trials, plan: FreezePlan, rule: Rule, steps: int, ahead: DataAhead | None
) -> Basis:
    scheduler = config.optimizer.scheduler
    held_until = None
    if overwrites_zero(scheduler):
        held_until = 0 if scheduler.name == "OneCycleLR" else 1   # the others begin at the rate that a group has
    basis = Basis(
        plan,
        rule,
        config.optimizer.zero_grad,
        trials.facts,
        trials.modules,
        config.train.accumulate,
        _turns(config, trials.loaded, plan, ahead),
        held_until=held_until,
        lr_is_zero=config.optimizer.hyper.get("lr") == 0.0 and scheduler.name != "OneCycleLR",
        all_run=False,
    )
    calls = () if ahead is None else ahead.calls
    pairs = pairs_to_try(basis, steps, _MOST_TRIALS)
    free = [(frozenset[str](), task) for task in dict.fromkeys(task for _, task in pairs)]
    tried = {
        (frozen, task): trials.reach(frozen, plan.method, plan.norm, task, calls)
        for frozen, task in dict.fromkeys((*free, *pairs))
    }
    return replace(basis, reaches={pair: found for pair, found in tried.items() if found is not None})


def _circumstances(
    config: RunConfig,
    trials: Trials,
    basis: Basis,
    tensors: tuple[TensorForecast, ...] | None,
    steps: int,
) -> Circumstances:
    tree = trials.tree
    optimizer = config.optimizer
    learns = [facts for facts in basis.tensors if facts.role == "parameter" and facts.learns]
    learning = {layer for facts in learns for layer in facts.layers}
    return Circumstances(
        basis,
        tensors,
        tuple(layer for layer in _in_forward_order(tree.layers, basis.reaches) if layer in learning),
        tuple(layer for layer in tree.layers_below(head(tree)) if layer in learning),
        trials.parametrized,
        optimizer.name,
        optimizer.name != "SGD" or basis.rule.momentum,
        config.train.clip_grad_norm is not None,
        steps,
        _clashing(config, tree),
        optimizer.name == "SGD" and bool(optimizer.hyper.get("fused")) and basis.rule.momentum,
    )


def _clashing(config: RunConfig, tree: LayerTree) -> tuple[str, ...]:
    """Return the layers for which two phases ask for different learning rates."""
    factors: dict[str, set[float]] = {}
    for phase in config.freeze.phases:
        for layer in select(tree, phase.layers):
            factors.setdefault(layer, set()).add(phase.lr_factor)
    return tuple(layer for layer in tree.layers if len(factors.get(layer, ())) > 1)


def _in_forward_order(
    layers: tuple[str, ...], reaches: Mapping[tuple[frozenset[str], str | None], Reach]
) -> tuple[str, ...]:
    """Return `layers` in the order in which they run, those that were not seen to run after their neighbour."""
    ran = next((found.ran for found in reaches.values()), ())
    if not set(layers) <= set(ran):
        return layers
    order = {path: place for place, path in enumerate(ran)}
    return tuple(sorted(layers, key=lambda layer: order[layer]))
