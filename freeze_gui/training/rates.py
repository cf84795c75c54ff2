"""Learning rates of their own for blocks and phases, and the param_groups that hold them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import nn

from freeze_gui.freezing.plan import FreezeSettings
from freeze_gui.models.blocks import blocks
from freeze_gui.models.layer_tree import LayerTree
from freeze_gui.models.selection import select
from freeze_gui.training.config import OptimizerSettings
from freeze_gui.training.optimizers import hyper_parameters
from freeze_gui.training.schedule import FACTOR


def rate_factors(optimizer: OptimizerSettings, freeze: FreezeSettings, tree: LayerTree) -> dict[str, float]:
    """Return the learning rate of every layer as a multiple of the configured one.

    Depth: ``layer_decay`` once for each block between a layer's block and the last one, so that the last block keeps
    the full rate (Howard and Ruder 2018, arXiv:1801.06146); what lies in no block counts with the first one. Phases:
    the factor of the last phase that names the layer.
    """
    factors = dict.fromkeys(tree.layers, 1.0)
    if optimizer.layer_decay is not None:
        found = blocks(tree)
        factors = dict.fromkeys(tree.layers, optimizer.layer_decay ** max(len(found) - 1, 0))
        for depth, block in enumerate(reversed(found)):
            factors.update(dict.fromkeys(tree.layers_below(block), optimizer.layer_decay**depth))
    of_phase: dict[str, float] = {}
    for phase in freeze.phases:
        of_phase.update(dict.fromkeys(select(tree, phase.layers), phase.lr_factor))
    return {layer: factor * of_phase.get(layer, 1.0) for layer, factor in factors.items()}


def param_groups(
    model: nn.Module, factors: Mapping[str, float], settings: OptimizerSettings
) -> list[nn.Parameter] | list[dict[str, Any]]:
    """Return what the optimizer is built from: all parameters, or one group a factor where there are several.

    Each parameter is in exactly one group; a tied one takes the factor of its first layer.
    """
    parameters = list(model.parameters())
    if all(factor == 1.0 for factor in factors.values()):
        return parameters
    factor_of: dict[int, float] = {}
    for path, module in model.named_modules():
        for parameter in module._parameters.values():
            if parameter is not None:
                factor_of.setdefault(id(parameter), factors[path])
    base = {**hyper_parameters(settings.name), **settings.hyper}["lr"]
    members: dict[float, list[nn.Parameter]] = {}
    for parameter in parameters:
        members.setdefault(factor_of[id(parameter)], []).append(parameter)
    return [{"params": found, "lr": base * factor, FACTOR: factor} for factor, found in members.items()]
