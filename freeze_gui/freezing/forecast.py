"""What the law says will happen, before the run: which frozen tensors will move, and why.

At one ``optimizer.step()`` a parameter moves if and only if it is in a param_group, its gradient is not None, and the
update computed from gradient, state and weight is not lost in rounding. Two facts decide: the class of gradient that
the step sees, which method and zero_grad mode give, and what the optimizer's rule does with a zero gradient. Buffers
obey another law: statistics move when the forward runs with their module in training mode.

The steps of a run are gone through one by one with no weights at all: a parameter is the class of its gradient, whether
its first moment is something, and whether it is known to be zero. Long stretches in which nothing changes are skipped.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from torch import nn

from freeze_gui.freezing.basis import Basis, TensorForecast, moments_of
from freeze_gui.freezing.facts import facts_of
from freeze_gui.freezing.life import Life
from freeze_gui.freezing.methods import PausedIdeal
from freeze_gui.freezing.plan import FreezePlan
from freeze_gui.freezing.rules import rule_of

__all__ = ["TensorForecast", "forecast", "forecast_steps", "pairs_to_try"]


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
    """
    moments = list(moments_of(basis, steps, first, tasks))
    lives: dict[str, Life] = {}
    # a weight that starts at zero (a head, the last one of a residual branch) lets no gradient through at first
    zeros = {t.name for t in basis.tensors if t.is_zero and t.role == "parameter" and not t.name.endswith("bias")}
    for facts in basis.tensors:
        life = Life(facts, basis, bool(zeros - {facts.name}))
        for moment in moments:
            life.take(moment, counts=moment.step >= first)
        lives[facts.name] = life
    found = []
    for name, life in lives.items():
        if not life.was_frozen:
            continue
        facts = life.facts
        if basis.plan.method == PausedIdeal.id:
            found.append(TensorForecast(name, facts.role, facts.layers[0], frozenset()))   # held by construction
            continue
        causes = set(life.causes)
        restored = basis.plan.method == "restore" and facts.role == "parameter"
        if not restored and any(lives[other].moves_at & life.frozen_at for other in facts.shares_with):
            causes.add("shared_storage")
        found.append(
            TensorForecast(
                name,
                facts.role,
                facts.layers[0],
                frozenset(causes),
                frozenset(life.unsure - causes),
                life.leaves_gradient,
                life.state_evolves,
            )
        )
    return tuple(found)


def pairs_to_try(basis: Basis, steps: int, most: int) -> list[tuple[frozenset[str], str | None]]:
    """Return which sets of modules are frozen in the forwards of which tasks, the first `most` of them."""
    pairs: dict[tuple[frozenset[str], str | None], None] = {}
    for moment in moments_of(basis, steps, 0, None):
        pairs |= dict.fromkeys((moment.in_forward, task) for task in moment.tasks)
    return list(pairs)[:most]
