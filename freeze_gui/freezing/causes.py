"""Why a frozen parameter moved in an optimizer step: the step is replayed on copies, never guessed from the plan.

Three replays with the same optimizer class and hyper-parameters: with the gradient as it was, which must give the bits
that were seen; with a zero gradient and no decay, which shows momentum alone; with a zero gradient, decay and fresh
state, which shows decay alone.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from freeze_gui.freezing.bits import differ

_DECAY = ("weight_decay", "lambd")   # lambd: the decay of ASGD


@dataclass(frozen=True)
class Suspect:
    """A frozen parameter that the coming step may move: its value, gradient and optimizer state before the step."""

    optimizer: type[torch.optim.Optimizer]
    hyper: dict[str, Any]
    value: torch.Tensor
    gradient: torch.Tensor
    state: dict[str, Any]
    fresh: bool   # this step's backward wrote the gradient

    @classmethod
    def take(
        cls, optimizer: torch.optim.Optimizer, group: dict[str, Any], parameter: nn.Parameter, fresh: bool
    ) -> Suspect:
        """Copy what the replay needs."""
        assert parameter.grad is not None
        hyper = {key: value for key, value in group.items() if key != "params"}
        state = _copied(optimizer.state.get(parameter, {}))
        return cls(type(optimizer), hyper, parameter.detach().clone(), parameter.grad.detach().clone(), state, fresh)

    def was_moved(self, now: torch.Tensor) -> bool:
        """Tell whether any bit changed since the copy was taken."""
        return differ([(self.value, now)])[0]


Marks = dict[int, tuple[int, int]]
"""Identity of a parameter → a mark of its gradient; a parameter without gradient has none."""


def gradient_marks(parameters: Iterable[nn.Parameter]) -> Marks:
    """Return a mark for each gradient that exists; backward changes the mark of those that it writes."""
    return {id(p): gradient_mark(p) for p in parameters if p.grad is not None}


def gradient_mark(parameter: nn.Parameter) -> tuple[int, int]:
    """Return the mark of one gradient, which must exist."""
    assert parameter.grad is not None
    return id(parameter.grad), parameter.grad._version


def causes_of_step(suspect: Suspect, now: torch.Tensor) -> list[str]:
    """Name the causes that took `suspect` to the value `now` in one optimizer step."""
    same = _replay(suspect, suspect.gradient, suspect.state, suspect.hyper)
    if differ([(same, now)])[0]:
        return ["other_writer"]
    if bool(suspect.gradient.any()):
        return ["gradient" if suspect.fresh else "stale_gradient"]
    zero = torch.zeros_like(suspect.gradient)
    without_decay = {key: 0.0 if key in _DECAY else value for key, value in suspect.hyper.items()}
    by_momentum = _replay(suspect, zero, suspect.state, without_decay)
    by_decay = _replay(suspect, zero, {}, suspect.hyper)
    moved = differ([(by_momentum, suspect.value), (by_decay, suspect.value)])
    found = [cause for cause, did in zip(("momentum", "weight_decay"), moved, strict=True) if did]
    # neither alone may reach half an ULP where both together do
    return found or ["momentum"]


def fresh_step(suspect: Suspect) -> torch.Tensor:
    """Return where a fresh optimizer would take the parameter with the same gradient."""
    return _replay(suspect, suspect.gradient, {}, suspect.hyper)


def _replay(
    suspect: Suspect, gradient: torch.Tensor, state: dict[str, Any], hyper: dict[str, Any]
) -> torch.Tensor:
    """Take one step of the same optimizer on a copy and return where it ends."""
    copy = nn.Parameter(suspect.value.clone())
    copy.grad = gradient.clone()
    optimizer = suspect.optimizer([{**hyper, "params": [copy]}])   # type: ignore[call-arg]   # each class takes groups
    if state:
        optimizer.state[copy] = _copied(state)
    optimizer.step()
    return copy.detach()


def _copied(state: dict[str, Any]) -> dict[str, Any]:
    return {key: value.clone() if isinstance(value, torch.Tensor) else value for key, value in state.items()}
