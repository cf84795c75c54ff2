"""What the law says will happen, before the run: which frozen tensors will move, and why.

At one ``optimizer.step()`` a parameter moves if and only if it is in a param_group, its gradient is not None, and the
update computed from gradient, state and weight is not lost in rounding. Two facts decide: the class of gradient that
the step sees, which method and zero_grad mode give, and what the optimizer's rule does with a zero gradient. Buffers
obey another law: statistics move when the forward runs with their module in training mode.

The steps of a run are gone through one by one with no weights at all: a parameter is the class of its gradient, whether
its first moment is something, and whether it is known to be zero. Long stretches in which nothing changes are skipped.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import product
from typing import Any

from torch import nn

from freeze_gui.freezing.basis import Basis, Moment, TensorForecast, moments_of
from freeze_gui.freezing.facts import facts_of
from freeze_gui.freezing.life import CUTTING, Life, Untried
from freeze_gui.freezing.methods import PausedIdeal
from freeze_gui.freezing.plan import FreezePlan
from freeze_gui.freezing.rules import rule_of

__all__ = ["TensorForecast", "forecast", "forecast_steps", "pairs_to_try"]

_MOST_TASKS = 3
"""Up to so many tasks that could not be tried, a layer may do something else in each; beyond, the same in all."""


def forecast(
    model: nn.Module, plan: FreezePlan, optimizer: str, hyper: Mapping[str, Any], zero_grad: str, total_steps: int
) -> tuple[TensorForecast, ...] | None:
    """Forecast every tensor that `plan` freezes at some step, from the model's structure alone.

    `hyper` as in `rule_of`. None when the law does not know the optimizer.
    """
    rule = rule_of(optimizer, hyper)
    if rule is None:
        return None
    tasks = tuple(task for task, _ in plan.tasks) or (None,)
    modules = tuple(path for path, _ in model.named_modules())
    return forecast_steps(Basis(plan, rule, zero_grad, facts_of(model), modules, turns=tasks), total_steps)


def forecast_steps(
    basis: Basis, steps: int, first: int = 0, tasks: Sequence[str | None] | None = None
) -> tuple[TensorForecast, ...]:
    """Forecast every tensor that is frozen in the steps from `first` on.

    Parameters
    ----------
    basis
        What is known.
    steps
        The step after the last one.
    first
        The first step that counts: a run that is gone on with has seen nothing of what was before.
    tasks
        The tasks of all steps, where they are known; else they come in turn.

    Where a step could not be tried, a tensor lives once for each thing that its layer may do in it: what comes in all
    of these lives is sure.
    """
    moments = list(moments_of(basis, steps, first, tasks))
    ways = _ways(basis, moments)
    lives: dict[str, list[Life]] = {}
    # a weight that starts at zero (a head, the last one of a residual branch) lets no gradient through at first
    zeros = {t.name for t in basis.tensors if t.is_zero and t.role == "parameter" and not t.name.endswith("bias")}
    for facts in basis.tensors:
        lives[facts.name] = [Life(facts, basis, bool(zeros - {facts.name}), way) for way in ways]
        for life in lives[facts.name]:
            for moment in moments:
                life.take(moment, counts=moment.step >= first)
    return tuple(_told(basis, lives, name) for name, of_tensor in lives.items() if of_tensor[0].was_frozen)


def _ways(basis: Basis, moments: Iterable[Moment]) -> list[dict[str | None, Untried]]:
    """Return all that a layer may do in the tasks of which no step could be tried, one task → deed for each."""
    if basis.all_run:
        return [{}]
    tried = {task for _, task in basis.reaches}
    untried = list(dict.fromkeys(task for moment in moments for task in moment.tasks if task not in tried))
    deeds = [Untried.RUNS, Untried.IDLE, *([Untried.APART] if basis.plan.method in CUTTING else [])]
    if len(untried) > _MOST_TASKS:
        return [dict.fromkeys(untried, deed) for deed in deeds]
    return [dict(zip(untried, way, strict=True)) for way in product(deeds, repeat=len(untried))]


def _told(basis: Basis, lives: Mapping[str, Sequence[Life]], name: str) -> TensorForecast:
    """Return what is sure of a tensor, because it comes in all of its lives, and what is not."""
    ways = lives[name]
    facts = ways[0].facts
    if basis.plan.method == PausedIdeal.id:
        return TensorForecast(name, facts.role, facts.layers[0], frozenset())   # held by construction
    causes = set(ways[0].causes).intersection(*(life.causes for life in ways))
    unsure = set[str]().union(*(life.causes | life.unsure for life in ways))
    if not (basis.plan.method == "restore" and facts.role == "parameter"):
        frozen_at, others = ways[0].frozen_at, facts.shares_with + facts.may_share_with
        if any(life.moves_at & frozen_at for other in others for life in lives[other]):
            unsure.add("shared_storage")
        if any(all(life.surely_moves_at & frozen_at for life in lives[other]) for other in facts.shares_with):
            causes.add("shared_storage")
    return TensorForecast(
        name,
        facts.role,
        facts.layers[0],
        frozenset(causes),
        frozenset(unsure - causes),
        all(life.leaves_gradient for life in ways),
        all(life.state_evolves for life in ways),
    )


def pairs_to_try(basis: Basis, steps: int, most: int) -> list[tuple[frozenset[str], str | None]]:
    """Return which sets of modules are frozen in the forwards of which tasks, the first `most` of them."""
    pairs: dict[tuple[frozenset[str], str | None], None] = {}
    for moment in moments_of(basis, steps, 0, None):
        pairs |= dict.fromkeys((moment.in_forward, task) for task in moment.tasks)
    return list(pairs)[:most]
