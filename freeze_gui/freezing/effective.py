"""The weights that a layer really computes with, where a parametrization makes them out of other tensors.

``torch.nn.utils.parametrize`` (spectral norm, weight norm, a person's own) and the two older hooks
``torch.nn.utils.weight_norm`` and ``spectral_norm``. Reading a weight has no side effect: spectral norm advances its
vectors in each forward in training mode, and would advance them once more for whoever looks.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import nn
from torch.func import functional_call
from torch.nn.utils import parametrize
from torch.nn.utils.spectral_norm import SpectralNorm
from torch.nn.utils.weight_norm import WeightNorm

from freeze_gui.freezing.watched import Watched
from freeze_gui.models.layer_tree import own_tensors


def effective_weights(model: nn.Module) -> list[Watched]:
    """Return every weight of the model that is computed from others; it is frozen where all that it is made of is."""
    found: list[Watched] = []
    for path, module in model.named_modules():
        if parametrize.is_parametrized(module):
            for key, made in module.parametrizations.items():
                below = f"{path}.parametrizations.{key}" if path else f"parametrizations.{key}"
                owned = {(f"{below}.{n}" if n else below): own_tensors(m) for n, m in made.named_modules()}
                parts = [f"{layer}.{name}" for layer, tensors in owned.items() for name in tensors]
                layers = [layer for layer, tensors in owned.items() if tensors]
                found.append(_weight(path, key, module, layers, parts, _parametrized(made)))
        found += [
            _weight(path, hook.name, module, [path], _names_of_hooked(path, module, hook.name), _hooked(module, hook))
            for hook in module._forward_pre_hooks.values()
            if isinstance(hook, SpectralNorm | WeightNorm)
        ]
    return found


def _weight(
    path: str, key: str, owner: nn.Module, made_of: list[str], parts: list[str], compute: Callable[[], torch.Tensor]
) -> Watched:
    others = [layer for layer in made_of if layer != path]
    name = f"{path}.{key}" if path else key
    return Watched(name, "effective", path, key, owner, others, compute, tuple(made_of), tuple(parts))


def _names_of_hooked(path: str, module: nn.Module, weight: str) -> list[str]:
    found = [name for name in own_tensors(module) if name in {f"{weight}_{end}" for end in ("orig", "u", "v", "g")}]
    return [f"{path}.{name}" if path else name for name in found]


def _parametrized(made: nn.Module) -> Callable[[], torch.Tensor]:
    def read() -> torch.Tensor:
        was_training = [(part, part.training) for part in made.modules()]
        copies = {name: buffer.clone() for name, buffer in made.named_buffers()}
        try:
            for part, _ in was_training:
                part.training = False
            with torch.no_grad():
                value: torch.Tensor = functional_call(made, copies, ())
        finally:
            for part, training in was_training:
                part.training = training
        return value

    return read


def _hooked(module: nn.Module, hook: SpectralNorm | WeightNorm) -> Callable[[], torch.Tensor]:
    def read() -> torch.Tensor:
        with torch.no_grad():
            if isinstance(hook, SpectralNorm):
                value: torch.Tensor = hook.compute_weight(module, do_power_iteration=False)
            else:
                value = hook.compute_weight(module)
        return value

    return read
