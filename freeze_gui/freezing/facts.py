"""What a model tells about each of its tensors before a run: what the law needs, as plain values."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import torch
from torch import nn
from torch.nn.utils.parametrizations import _SpectralNorm
from torch.nn.utils.spectral_norm import SpectralNorm

from freeze_gui.freezing.bits import is_zero
from freeze_gui.freezing.memory import aliases_of
from freeze_gui.freezing.watched import Watched, every_tensor
from freeze_gui.models.layer_tree import is_norm

TRAINING, ANY, FIRST = "training", "any", "first"
"""When a module's forward writes a tensor of its own: in training mode, in any, or in any but not at the start."""


@dataclass(frozen=True)
class TensorFacts:
    """One parameter or buffer.

    Attributes
    ----------
    name, role, layers
        As in `TensorVerdict`; all of its layers, the first one that names it first.
    learns
        Whether its flag is on: the author of a model may have frozen it.
    is_zero
        Whether every element is exactly zero; False where there are no values yet.
    eps
        Distance from 1.0 to the next number of its format; 0.0 for whole numbers.
    written_as, written_in
        The cause by which its module's forward writes it, and in which forwards; empty where it does not.
    surely_written
        Whether such a forward writes it whatever goes in.
    shares_with, may_share_with
        Names of other parameters that have elements in common with it, and of those of which that is not known: both
        reach over the same stretch of memory, with gaps.
    """

    name: str
    role: str
    layers: tuple[str, ...]
    learns: bool = True
    is_zero: bool = False
    eps: float = 0.0
    written_as: str = ""
    written_in: str = ""
    surely_written: bool = True
    shares_with: tuple[str, ...] = ()
    may_share_with: tuple[str, ...] = ()


def facts_of(model: nn.Module) -> tuple[TensorFacts, ...]:
    """Return the facts of every tensor of `model`, which may lie on the meta device."""
    modules = dict(model.named_modules())
    watched = every_tensor(model)
    names = {id(entry.read()): entry.name for entry in watched if entry.role == "parameter"}
    aliases = aliases_of(watched, model)
    return tuple(_facts(entry, modules[entry.layer], aliases.get(id(entry), []), names) for entry in watched)


def _facts(
    entry: Watched, module: nn.Module, aliases: Iterable[nn.Parameter], names: Mapping[int, str]
) -> TensorFacts:
    tensor = entry.read().detach()
    cause, when, surely = _writer(module, entry)
    without_gaps = [names[id(p)] for p in aliases if p.is_contiguous() and tensor.is_contiguous()]
    floating = tensor.is_floating_point() or tensor.is_complex()
    return TensorFacts(
        entry.name,
        entry.role,
        (entry.layer, *entry.tied_layers),
        entry.read().requires_grad,
        not tensor.is_meta and is_zero(tensor),
        torch.finfo(tensor.dtype).eps if floating else 0.0,
        cause,
        when,
        surely,
        tuple(without_gaps),
        tuple(names[id(p)] for p in aliases if names[id(p)] not in without_gaps),
    )


def _writer(module: nn.Module, entry: Watched) -> tuple[str, str, bool]:
    """Return how, when and how surely the forward of its module writes a tensor."""
    nothing = "", "", True
    if entry.is_statistic and is_norm(module):
        counts = entry.key == "num_batches_tracked"
        if counts and isinstance(module, nn.modules.instancenorm._InstanceNorm):
            return nothing   # it has the number and never counts
        if not counts and getattr(module, "momentum", None) == 0.0:
            return nothing
        frozen_for_good = not isinstance(module, nn.modules.batchnorm._NormBase) and "Frozen" in type(module).__name__
        return nothing if frozen_for_good else ("running_statistics", TRAINING, True)
    if isinstance(module, _SpectralNorm) and entry.role == "buffer":
        return "forward_write", TRAINING, _has_directions(module, "")
    for hook in module._forward_pre_hooks.values():
        if isinstance(hook, SpectralNorm) and entry.key in (f"{hook.name}_u", f"{hook.name}_v"):
            return "forward_write", TRAINING, _has_directions(module, hook.name)
    limit = getattr(module, "max_norm", None)
    if limit is not None and isinstance(module, nn.Embedding | nn.EmbeddingBag) and entry.key == "weight":
        rows = entry.read().detach()
        if rows.is_meta:
            return "forward_write", ANY, False
        too_long = rows.norm(getattr(module, "norm_type", 2.0), dim=1) > limit
        # a row is cut when it is looked up: which ones are, the tokens decide
        return ("forward_write", ANY, bool(too_long.all())) if too_long.any() else ("forward_write", FIRST, False)
    return nothing


def _has_directions(module: nn.Module, name: str) -> bool:
    """Tell whether spectral norm has something to look for: a single row or column is its own singular vector."""
    u, v = getattr(module, f"{name}_u", None), getattr(module, f"{name}_v", None)
    return all(vector is None or vector.numel() > 1 for vector in (u, v))
