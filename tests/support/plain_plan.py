"""A phased freeze written out in plain PyTorch, method by method, with nothing of the program in it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tests.support.network import Net, batches, build

Phase = tuple[tuple[str, ...], int, int]
"""Names of children of the network, from, to."""


@dataclass
class Moves:
    """What happened to one tensor while it was frozen."""

    steps: list[int] = field(default_factory=list)
    largest: float = 0.0
    windows: list[list[int]] = field(default_factory=list)


@dataclass
class PlanRun:
    """Losses, the state after each step, and the moves of every tensor that was frozen at some step."""

    losses: list[float] = field(default_factory=list)
    states: list[dict[str, Tensor]] = field(default_factory=list)
    moves: dict[str, Moves] = field(default_factory=dict)
    last: dict[str, Tensor] = field(default_factory=dict)   # frozen tensors after the step before


def plain_plan_run(
    method: str,
    optimizer_name: str,
    hyper: dict[str, Any],
    phases: Sequence[Phase],
    *,
    zero_grad: str,
    norm: str,
    steps: int,
    accumulate: int,
    clip: float | None,
    after_backward: bool,
    thaw: str,
) -> PlanRun:
    """Train with the children named by `phases` frozen, one method at all times."""
    torch.manual_seed(0)
    model, data = build(), batches()
    torch.manual_seed(0)
    optimizer = getattr(torch.optim, optimizer_name)(model.parameters(), **hyper)
    run = PlanRun()
    frozen: set[str] = set()
    cache: dict[str, dict[str, Tensor]] = {}
    references: dict[str, Tensor] = {}
    groups_of_data = [data[i : i + accumulate] for i in range(0, len(data), accumulate)]   # the last one may be short
    for step in range(steps):
        wanted = {name for names, start, stop in phases if start <= step < stop for name in names}
        for name in sorted(frozen - wanted):
            optimizer = thaw_child(model, optimizer, hyper, name, method, norm)
            cache.pop(name, None)
            if thaw == "reset_state":
                for p in model.get_submodule(name).parameters():
                    optimizer.state.pop(p, None)
            for key in list(references):
                if key.startswith(f"{name}."):
                    del references[key]
        frozen &= wanted
        coming = sorted(wanted - frozen)
        if not after_backward:
            optimizer = freeze_children(model, optimizer, hyper, coming, method, norm, cache)
            note_references(model, references, coming, run, step)
            frozen |= set(coming)
        set_modes(model, frozen, method, norm)
        if zero_grad != "never":
            optimizer.zero_grad(set_to_none=zero_grad == "none")
        group = groups_of_data[step % len(groups_of_data)]
        loss_value = 0.0
        for x, y in group:
            loss = F.cross_entropy(forward(model, x, frozen, method), y) / len(group)
            loss.backward()   # type: ignore[no-untyped-call]
            loss_value += loss.item()
        if after_backward:
            optimizer = freeze_children(model, optimizer, hyper, coming, method, norm, cache)
            note_references(model, references, coming, run, step)
            frozen |= set(coming)
        for name in frozen:
            for p in model.get_submodule(name).parameters():
                if method == "grad_none":
                    p.grad = None
                if method == "grad_zero" and p.grad is not None:
                    p.grad.zero_()
        if clip is not None:
            nn.utils.clip_grad_norm_(model.parameters(), clip)
        optimizer.step()
        if method == "restore":
            with torch.no_grad():
                for name in frozen:
                    for key, value in cache[name].items():
                        model.get_submodule(name).get_parameter(key).copy_(value)
        run.losses.append(loss_value)
        run.states.append({key: tensor.detach().clone() for key, tensor in model.state_dict().items()})
        note_moves(run, references, step)
    return run


def note_references(
    model: Net, references: dict[str, Tensor], names: Sequence[str], run: PlanRun, step: int
) -> None:
    """Keep the values that must hold from now on."""
    for name in names:
        for key, tensor in model.get_submodule(name).state_dict().items():
            full = f"{name}.{key}"
            references[full] = tensor.detach().clone()
            run.last[full] = references[full]
            run.moves.setdefault(full, Moves()).windows.append([step, step])


def note_moves(run: PlanRun, references: dict[str, Tensor], step: int) -> None:
    """Compare every frozen tensor with the step before, and with the beginning of its window."""
    for full, reference in references.items():
        now = run.states[-1][full]
        moves = run.moves[full]
        moves.windows[-1][1] = step + 1
        if not same(now, run.last[full]):
            moves.steps.append(step)
            moves.largest = max(moves.largest, float((now.double() - reference.double()).abs().max()))
        run.last[full] = now


def same(a: Tensor, b: Tensor) -> bool:
    """Compare bit by bit."""
    if a.is_floating_point():
        a, b = a.view(torch.int32), b.view(torch.int32)
    return torch.equal(a, b)


def freeze_children(
    model: Net,
    optimizer: Any,
    hyper: dict[str, Any],
    names: Sequence[str],
    method: str,
    norm: str,
    cache: dict[str, dict[str, Tensor]],
) -> Any:
    """Begin to freeze; return the optimizer, which one method builds anew."""
    for name in names:
        child = model.get_submodule(name)
        if method in ("requires_grad", "filter"):
            child.requires_grad_(False)
        if method == "restore":
            cache[name] = {key: p.detach().clone() for key, p in child.named_parameters()}
        if method in ("exclude", "lr_zero"):
            gone = {id(p) for p in child.parameters()}
            for group in optimizer.param_groups:
                group["params"] = [p for p in group["params"] if id(p) not in gone]
        if method == "lr_zero":
            optimizer.add_param_group({**hyper, "params": list(child.parameters()), "lr": 0.0})
    if names and method == "filter":
        held = {id(p) for group in optimizer.param_groups for p in group["params"]}
        optimizer = type(optimizer)([p for p in model.parameters() if p.requires_grad and id(p) in held], **hyper)
    set_modes(model, set(names), method, norm)
    return optimizer


def thaw_child(model: Net, optimizer: Any, hyper: dict[str, Any], name: str, method: str, norm: str) -> Any:
    """Let a child go."""
    child = model.get_submodule(name)
    if method in ("requires_grad", "filter"):
        child.requires_grad_(True)
    if method == "lr_zero":
        gone = {id(p) for p in child.parameters()}
        for group in optimizer.param_groups:
            group["params"] = [p for p in group["params"] if id(p) not in gone]
    if method in ("exclude", "filter", "lr_zero"):
        optimizer.add_param_group({**hyper, "params": list(child.parameters())})
    if method == "eval_only" or norm == "eval":
        child.train()
    return optimizer


def set_modes(model: Net, frozen: set[str], method: str, norm: str) -> None:
    """Put what must be in eval mode there."""
    for name in frozen:
        for module in model.get_submodule(name).modules():
            rests = isinstance(module, nn.BatchNorm1d | nn.Dropout)
            if method == "eval_only" or (norm == "eval" and rests):
                module.training = False


def forward(model: Net, x: Tensor, frozen: set[str], method: str) -> Tensor:
    """Run the network child by child, frozen ones as the method wants it."""
    for name in ("first", "norm", "relu", "middle", "last"):
        if name == "relu":
            x = torch.relu(x)
        elif name in frozen and method == "no_grad":
            with torch.no_grad():
                x = model.get_submodule(name)(x)
        else:
            x = model.get_submodule(name)(x)
            if name in frozen and method == "detach":
                x = x.detach()
    return x
