"""Freezing written out as a person would write it in plain PyTorch, with nothing of the program in it."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tests.support.network import Net, batches, build


@dataclass
class PlainRun:
    """What a plain loop gives: losses, the state dict after each step, and norms of each layer's step."""

    losses: list[float] = field(default_factory=list)
    states: list[dict[str, Tensor]] = field(default_factory=list)
    grad_norms: list[dict[str, float | None]] = field(default_factory=list)
    update_norms: list[dict[str, float]] = field(default_factory=list)
    weight_deltas: list[dict[str, float]] = field(default_factory=list)


LAYERS = ("first", "norm", "middle.0", "last")


def plain_run(
    method: str,
    optimizer_name: str,
    hyper: dict[str, Any],
    *,
    zero_grad: str = "none",
    steps: int = 20,
    window: tuple[int, int] = (5, 14),
    after_backward: bool = False,
    norm: str = "leave",
    seed: int = 0,
    device: str = "cpu",
) -> PlainRun:
    """Train with the block `middle` and the layers `first` and `norm` frozen in the steps of `window`."""
    torch.manual_seed(seed)
    model = build()
    data = [(x.to(device), y.to(device)) for x, y in batches()]
    model.to(device)
    torch.manual_seed(seed)
    make: Callable[..., torch.optim.Optimizer] = getattr(torch.optim, optimizer_name)
    optimizer = make(model.parameters(), **hyper)
    frozen = [model.first, model.norm, model.middle]
    frozen_parameters = [p for layer in frozen for p in layer.parameters()]
    start = {name: p.detach().clone() for name, p in model.named_parameters()}
    run = PlainRun()
    cache: list[Tensor] = []
    held: list[tuple[Tensor, Tensor]] = []
    plain_forwards: list[tuple[nn.Module, Any]] = []
    for step in range(steps):
        inside = window[0] <= step < window[1]

        def freeze() -> None:
            nonlocal optimizer
            if method in ("requires_grad", "filter"):
                for p in frozen_parameters:
                    p.requires_grad_(False)
            if method == "filter":
                optimizer = make([p for p in model.parameters() if p.requires_grad], **hyper)
            if method == "exclude":
                ids = {id(p) for p in frozen_parameters}
                optimizer.param_groups[0]["params"] = [p for p in model.parameters() if id(p) not in ids]
            if method == "restore":
                cache[:] = [p.detach().clone() for p in frozen_parameters]
            if method == "paused":
                for layer in frozen:
                    held.extend((t, t.detach().clone()) for t in (*layer.parameters(), *layer.buffers()))
            if method == "no_grad":
                for layer in frozen:
                    plain_forwards.append((layer, layer.forward))
                    layer.forward = _under_no_grad(layer.forward)
            if method == "detach":
                for layer in frozen:
                    plain_forwards.append((layer, layer.forward))
                    layer.forward = _detached(layer.forward)
            if method == "eval_only":
                for layer in frozen:
                    layer.eval()
            if method == "lr_zero":
                ids = {id(p) for p in frozen_parameters}
                optimizer.param_groups[0]["params"] = [p for p in model.parameters() if id(p) not in ids]
                optimizer.add_param_group({**hyper, "params": frozen_parameters, "lr": 0.0})
            if norm == "eval":
                model.norm.eval()
                model.middle[2].eval()

        if step == window[0] and not after_backward:
            freeze()
        if step == window[1]:
            if method in ("requires_grad", "filter"):
                for p in frozen_parameters:
                    p.requires_grad_(True)
            if method in ("filter", "exclude"):
                optimizer.add_param_group({**hyper, "params": frozen_parameters})
            if method == "lr_zero":
                optimizer.param_groups[1]["lr"] = optimizer.param_groups[0]["lr"]
            for layer, forward in plain_forwards:
                layer.forward = forward
            model.train()
        if zero_grad != "never":
            optimizer.zero_grad(set_to_none=zero_grad == "none")
        x, y = data[step % len(data)]
        loss = F.cross_entropy(model(x), y)
        loss.backward()   # type: ignore[no-untyped-call]
        if step == window[0] and after_backward:
            freeze()
        if inside and method in ("grad_none", "paused"):
            for p in frozen_parameters:
                p.grad = None
        if inside and method == "grad_zero":
            for p in frozen_parameters:
                if p.grad is not None:
                    p.grad.zero_()
        before = {name: p.detach().clone() for name, p in model.named_parameters()}
        optimizer.step()
        if inside and method == "restore":
            with torch.no_grad():
                for p, value in zip(frozen_parameters, cache, strict=True):
                    p.copy_(value)
        if inside and method == "paused":
            with torch.no_grad():
                for tensor, value in held:
                    tensor.copy_(value)
        run.losses.append(loss.item())
        run.states.append({name: tensor.detach().clone().cpu() for name, tensor in model.state_dict().items()})
        _measure(run, model, before, start)
    return run


def _measure(run: PlainRun, model: Net, before: dict[str, Tensor], start: dict[str, Tensor]) -> None:
    """Take every norm of every layer in float64, one tensor after the other."""
    grads: dict[str, float | None] = {}
    updates: dict[str, float] = {}
    deltas: dict[str, float] = {}
    for layer in LAYERS:
        own = {f"{layer}.{name}": p for name, p in model.get_submodule(layer).named_parameters()}
        present = [p.grad for p in own.values() if p.grad is not None]
        grads[layer] = _norm(present) if present else None
        updates[layer] = _norm([p.detach() - before[name] for name, p in own.items()])
        deltas[layer] = _norm([p.detach() - start[name] for name, p in own.items()])
    run.grad_norms.append(grads)
    run.update_norms.append(updates)
    run.weight_deltas.append(deltas)


def _norm(tensors: list[Tensor]) -> float:
    return math.sqrt(sum(float((t.double() ** 2).sum()) for t in tensors))


def _under_no_grad(forward: Any) -> Any:
    def wrapped(x: Tensor) -> Any:
        with torch.no_grad():
            return forward(x)

    return wrapped


def _detached(forward: Any) -> Any:
    return lambda x: forward(x).detach()
