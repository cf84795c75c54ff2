"""A plain loop around a freezer, for models and optimizers that no configuration names."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import torch
from torch import Tensor, nn

from freeze_gui.freezing.freezer import Freezer
from freeze_gui.freezing.plan import FreezePlan, Phase

STEPS = 6


def plan(modules: Iterable[str], start: int = 0, stop: int | None = None, **more: str) -> FreezePlan:
    """Return a plan of one phase; `more` as in the ``[freeze]`` section."""
    return FreezePlan((Phase(frozenset(modules), start, stop),), (), **more)


def drive(
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    wanted: FreezePlan,
    inputs: Tensor,
    *,
    steps: int = STEPS,
    zero_grad: str = "none",
    clip: float | None = None,
    after: Callable[[int], None] = lambda step: None,
    late: bool = False,
) -> Freezer:
    """Train on the sum of squares of the output; `after` is called between the optimizer's step and the comparison.

    What came of a step is told right behind it, or as `late` as it may be.
    """
    freezer = Freezer(model, optimizer, wanted, clip is not None)
    untold: list[tuple[int, Tensor | None]] = []

    def tell() -> None:
        for taken, numbers in untold:
            freezer.settle(taken, [] if numbers is None else numbers.tolist())
        untold.clear()

    for step in range(steps):
        if not late:
            tell()
        freezer.begin_step(step, None)
        if zero_grad != "never":
            freezer.optimizer.zero_grad(set_to_none=zero_grad == "none")
        freezer.before_forward()
        loss = model(inputs).abs().square().sum()
        loss.backward()
        freezer.after_backward(step)
        if clip is not None:
            nn.utils.clip_grad_norm_(model.parameters(), clip)
        tell()
        freezer.before_step(step)
        freezer.optimizer.step()
        after(step)
        untold.append((step, freezer.after_step(step)))
    tell()
    return freezer


def causes(freezer: Freezer, steps: int = STEPS) -> dict[str, dict[str, int]]:
    """Return name → cause → steps of every tensor that was frozen."""
    return {v.name: {c.cause: c.steps for c in v.causes} for v in freezer.verdicts(steps) if v.frozen_steps}


def effects(freezer: Freezer) -> dict[str, tuple[str, ...]]:
    """Return kind → layers of the side effects."""
    return {effect.kind: effect.layers for effect in freezer.side_effects()}
