"""Taking parameters out of an optimizer's groups and putting them back, in place: everyone else keeps their state."""

from __future__ import annotations

import inspect
from collections.abc import Iterable
from typing import Any

import torch
from torch import nn


def take_out(optimizer: torch.optim.Optimizer, parameters: Iterable[nn.Parameter]) -> dict[int, dict[str, Any]]:
    """Remove `parameters` from their groups in place; return the group of each by the parameter's identity."""
    wanted = {id(parameter) for parameter in parameters}
    origin: dict[int, dict[str, Any]] = {}
    for group in optimizer.param_groups:
        origin.update({id(p): group for p in group["params"] if id(p) in wanted})
        group["params"] = [p for p in group["params"] if id(p) not in wanted]
    return origin


def add_again(
    optimizer: torch.optim.Optimizer,
    parameters: Iterable[nn.Parameter],
    origin: dict[int, dict[str, Any]],
    **changed: float,
) -> list[dict[str, Any]]:
    """Add `parameters` as new groups, with the hyper-parameters of the groups they came from; return the new groups."""
    by_group: dict[int, list[nn.Parameter]] = {}
    for parameter in parameters:
        if id(parameter) in origin:
            by_group.setdefault(id(origin[id(parameter)]), []).append(parameter)
    before = len(optimizer.param_groups)
    for members in by_group.values():
        optimizer.add_param_group({**origin[id(members[0])], **changed, "params": members})
    return optimizer.param_groups[before:]


def rebuilt(optimizer: torch.optim.Optimizer, groups: list[dict[str, Any]]) -> torch.optim.Optimizer:
    """Return a new optimizer of the same class over `groups`, with nothing in its state.

    It is given what the first one was given: Adagrad, for one, fills its state from its arguments, not from its groups.
    """
    known = inspect.signature(type(optimizer)).parameters
    given = {key: value for key, value in optimizer.defaults.items() if key in known}
    return type(optimizer)(groups, **given)


def drop_empty(optimizer: torch.optim.Optimizer, groups: list[dict[str, Any]]) -> None:
    """Delete those of `groups` that hold nothing any more from the optimizer and from the list."""
    empty = {id(group) for group in groups if not group["params"]}
    optimizer.param_groups[:] = [group for group in optimizer.param_groups if id(group) not in empty]
    groups[:] = [group for group in groups if id(group) not in empty]
