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
                parts = [(f"{below}.{name}" if name else below, part) for name, part in made.named_modules()]
                layers = [layer for layer, part in parts if own_tensors(part)]
                found.append(_weight(path, key, layers, _parametrized(made)))
        found += [
            _weight(path, hook.name, [path], _hooked(module, hook))
            for hook in module._forward_pre_hooks.values()
            if isinstance(hook, SpectralNorm | WeightNorm)
        ]
    return found


def _weight(path: str, key: str, layers: list[str], read: Callable[[], torch.Tensor]) -> Watched:
    name = f"{path}.{key}" if path else key
    return Watched(name, "effective", layers[0] if layers else path, key, read, layers[1:], needs_all=True)


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
