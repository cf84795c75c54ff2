"""What a forecast is made from and what it says, as plain values, and the steps of a run that it goes through."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from freeze_gui.freezing.facts import TensorFacts
from freeze_gui.freezing.plan import FreezePlan
from freeze_gui.freezing.reach import Reach
from freeze_gui.freezing.rules import Rule

_SETTLED = 3
"""After so many steps (turns, where tasks alternate) under the same plan nothing new can happen."""


@dataclass(frozen=True)
class TensorForecast:
    """What will happen to one frozen tensor.

    Attributes
    ----------
    name, role, layer
        As in `TensorVerdict`.
    causes
        What will move it; none when it will hold.
    unsure
        What may move it: its true gradient is zero, or its step as small as a rounding, so that the last bit decides;
        or nobody could try which layers a step runs.
    leaves_gradient
        Whether a gradient that is not zero is in place when clipping looks at it.
    state_evolves
        Whether the optimizer goes on changing its momentum.
    """

    name: str
    role: str
    layer: str
    causes: frozenset[str]
    unsure: frozenset[str] = frozenset()
    leaves_gradient: bool = False
    state_evolves: bool = False


@dataclass(frozen=True)
class Basis:
    """All that a forecast is made from, as plain values: it can be made again for the steps that a run really took.

    Attributes
    ----------
    plan, rule, zero_grad, accumulate
        What is configured; `rule` with what a scheduler does to momentum.
    tensors, modules
        The model: facts of its tensors, and the paths of all its modules.
    turns
        The tasks of the batches of one epoch, in turn; (None,) without tasks.
    reaches
        (frozen modules, task) → what a backward reaches; a pair that is not there could not be tried.
    all_run
        Whether every layer counts as running in a step that could not be tried; else what depends on it is unsure.
    held_until
        First step at which a learning rate of 0 is one no more, because the scheduler overwrites it; None for never.
    lr_is_zero
        Whether the learning rate is 0 for everyone.
    """

    plan: FreezePlan
    rule: Rule
    zero_grad: str
    tensors: tuple[TensorFacts, ...]
    modules: tuple[str, ...]
    accumulate: int = 1
    turns: tuple[str | None, ...] = (None,)
    reaches: Mapping[tuple[frozenset[str], str | None], Reach] = field(default_factory=dict)
    held_until: int | None = None
    lr_is_zero: bool = False
    all_run: bool = True


@dataclass(frozen=True)
class Moment:
    """One step of the run: what is frozen in its forward and after its backward, what has just thawed, its tasks."""

    step: int
    in_forward: frozenset[str]
    frozen: frozenset[str]
    thawed: frozenset[str]
    tasks: tuple[str | None, ...]


def moments_of(basis: Basis, steps: int, first: int, tasks: Sequence[str | None] | None) -> Iterator[Moment]:
    """Yield the steps of a run, without those in the middle of long stretches where nothing changes.

    `first` and `tasks` as in `forecast_steps`.
    """
    plan = basis.plan
    turns = basis.turns
    edges = {0, first, steps} | {edge for p in plan.phases for edge in (p.start, p.stop) if edge is not None}
    edges = {edge for edge in edges if 0 <= edge <= steps}
    settled = _SETTLED * len(turns)
    before: frozenset[str] = frozenset()
    for start, stop in pairwise(sorted(edges)):
        near = range(start, stop)
        if stop - start > 2 * settled + 2 and tasks is None:
            near = [*range(start, start + settled), *range(stop - settled, stop)]   # type: ignore[assignment]
        for step in near:
            if tasks is not None and step < len(tasks):
                of_step: tuple[str | None, ...] = (tasks[step],)
            else:
                begins = step % -(-len(turns) // basis.accumulate) * basis.accumulate
                of_step = turns[begins : begins + basis.accumulate]
            wanted = plan.frozen_at(step, of_step[0])
            in_forward = wanted & before if plan.moment == "after_backward" else wanted
            yield Moment(step, in_forward, wanted, before - wanted, of_step)
            before = wanted
