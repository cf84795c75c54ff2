"""What a configuration comes to, so that two ways of writing the same run can be told to be the same."""

from __future__ import annotations

import functools
from typing import Any

from freeze_gui.freezing.plan import FreezeSettings, PhaseSettings
from freeze_gui.models.builtin import pretrained_body
from freeze_gui.models.layer_tree import LayerTree, build_tree
from freeze_gui.models.loaded import LoadedModel
from freeze_gui.models.selection import select
from freeze_gui.models.sources import open_model
from freeze_gui.training.config import RunConfig
from freeze_gui.training.optimizers import hyper_parameters
from freeze_gui.training.schedule import scheduler_parameters

Essence = tuple[Any, ...]


def essence(config: RunConfig) -> Essence:
    """Return what decides a run of a built-in model: defaults filled in, patterns looked up; device and threads aside.

    Raises
    ------
    UserError
        When a pattern of the plan matches nothing.
    """
    loaded, tree = _opened(config.model.source)
    model, data, freeze, optimizer, train = config.model, config.data, config.freeze, config.optimizer, config.train
    tasks = tuple((task.task, _layers(tree, task.layers)) for task in freeze.tasks)
    hyper = {**hyper_parameters(optimizer.name), **optimizer.hyper}
    scheduler = optimizer.scheduler
    return (
        (model.source, _weights(config), model.num_classes),
        (data.source or loaded.default_data, data.batch_size),
        (_windows(freeze, tree), tasks, freeze.method, freeze.norm, freeze.moment, freeze.thaw),
        (optimizer.name, optimizer.zero_grad, _sorted(hyper), optimizer.layer_decay),
        (scheduler.name, _sorted({**scheduler_parameters(scheduler.name), **scheduler.hyper})),
        (train.steps, train.epochs, train.seed, train.loss or loaded.default_loss, train.amp),
        (train.accumulate, train.clip_grad_norm, train.measure_every or 1, train.eval_every),
    )


def _windows(freeze: FreezeSettings, tree: LayerTree) -> frozenset[tuple[Any, ...]]:
    """Return each layer with each of its windows, its unit and factor; plain ticks are one phase."""
    phases = freeze.phases or (PhaseSettings(freeze.layers, freeze.from_step, freeze.to_step),) * bool(freeze.layers)
    return frozenset(
        (layer, p.start, p.stop, p.unit, p.lr_factor) for p in phases for layer in _layers(tree, p.layers)
    )


def _layers(tree: LayerTree, patterns: tuple[str, ...]) -> frozenset[str]:
    return select(tree, patterns) & frozenset(tree.layers)


def _weights(config: RunConfig) -> str:
    """Return where the weights come from; a network without weights of its own starts alike whatever is said."""
    said, name = config.model.weights or "default", config.model.source.removeprefix("builtin:")
    return "default" if said == "none" and pretrained_body(name) is None else said


@functools.cache
def _opened(source: str) -> tuple[LoadedModel, LayerTree]:
    """Open a built-in model; the number of its classes changes no path."""
    loaded = open_model(source)
    return loaded, build_tree(loaded.module)


def _sorted(values: dict[str, Any]) -> tuple[tuple[str, Any], ...]:
    return tuple(sorted((key, tuple(value) if isinstance(value, list) else value) for key, value in values.items()))
