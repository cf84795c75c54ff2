"""What a model tells about each of its tensors before a run: what the law needs, as plain values."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn
from torch.nn.utils.parametrizations import _SpectralNorm
from torch.nn.utils.spectral_norm import SpectralNorm

from freeze_gui.freezing.bits import is_zero
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
    shares_with
        Names of other parameters that lie in its memory.
    """

    name: str
    role: str
    layers: tuple[str, ...]
    learns: bool = True
    is_zero: bool = False
    eps: float = 0.0
    written_as: str = ""
    written_in: str = ""
    shares_with: tuple[str, ...] = ()


def facts_of(model: nn.Module) -> tuple[TensorFacts, ...]:
    """Return the facts of every tensor of `model`, which may lie on the meta device."""
    modules = dict(model.named_modules())
    memory: dict[int, list[str]] = {}
    watched = every_tensor(model)
    for entry in watched:
        if entry.role == "parameter" and entry.read().layout == torch.strided:
            memory.setdefault(entry.read().untyped_storage()._cdata, []).append(entry.name)
    return tuple(_facts(entry, modules[entry.layer], memory) for entry in watched)


def _facts(entry: Watched, module: nn.Module, memory: dict[int, list[str]]) -> TensorFacts:
    tensor = entry.read().detach()
    cause, when = _writer(module, entry)
    inside = memory.get(tensor.untyped_storage()._cdata, []) if tensor.layout == torch.strided else []
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
        tuple(name for name in inside if name != entry.name),
    )


def _writer(module: nn.Module, entry: Watched) -> tuple[str, str]:
    """Return how and when the forward of its module writes a tensor."""
    if entry.is_statistic and is_norm(module):
        counts = entry.key == "num_batches_tracked"
        if counts and isinstance(module, nn.modules.instancenorm._InstanceNorm):
            return "", ""   # it has the number and never counts
        if not counts and getattr(module, "momentum", None) == 0.0:
            return "", ""
        frozen_for_good = not isinstance(module, nn.modules.batchnorm._NormBase) and "Frozen" in type(module).__name__
        return ("", "") if frozen_for_good else ("running_statistics", TRAINING)
    if isinstance(module, _SpectralNorm) and entry.role == "buffer":
        return "forward_write", TRAINING
    for hook in module._forward_pre_hooks.values():
        if isinstance(hook, SpectralNorm) and entry.key in (f"{hook.name}_u", f"{hook.name}_v"):
            return "forward_write", TRAINING
    limit = getattr(module, "max_norm", None)
    if limit is not None and isinstance(module, nn.Embedding | nn.EmbeddingBag) and entry.key == "weight":
        rows = entry.read().detach()
        norms = None if rows.is_meta else rows.norm(getattr(module, "norm_type", 2.0), dim=1)
        return "forward_write", ANY if norms is None or bool((norms > limit).any()) else FIRST
    return "", ""
