"""Settings as the sections of the CONFIG.toml that gives them."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

from freeze_gui.freezing.plan import FreezeSettings, PhaseSettings
from freeze_gui.training.settings import OptimizerSettings


def given(settings: Any) -> dict[str, Any]:
    """Return a section whose keys are the fields of its settings; those at None are left out."""
    return {f.name: value for f in fields(settings) if (value := getattr(settings, f.name)) is not None}


def optimizer_to_dict(optimizer: OptimizerSettings) -> dict[str, Any]:
    """Return the ``[optimizer]`` section."""
    table: dict[str, Any] = {"name": optimizer.name, "zero_grad": optimizer.zero_grad}
    table |= {key: value for key, value in optimizer.hyper.items() if value is not None}
    if optimizer.layer_decay is not None:
        table["layer_decay"] = optimizer.layer_decay
    if optimizer.scheduler.name != "none":
        table["scheduler"] = {"name": optimizer.scheduler.name, **optimizer.scheduler.hyper}
    return table


def _phase_to_dict(phase: PhaseSettings) -> dict[str, Any]:
    table: dict[str, Any] = {"layers": list(phase.layers), "from": phase.start, "unit": phase.unit}
    if phase.stop is not None:
        table["to"] = phase.stop
    if phase.lr_factor != 1.0:
        table["lr_factor"] = phase.lr_factor
    return table


def freeze_to_dict(freeze: FreezeSettings) -> dict[str, Any]:
    """Return the ``[freeze]`` section."""
    table: dict[str, Any] = {"method": freeze.method, "norm": freeze.norm, "moment": freeze.moment, "thaw": freeze.thaw}
    if freeze.phases:
        table["phase"] = [_phase_to_dict(phase) for phase in freeze.phases]
    else:
        table |= {"layers": list(freeze.layers), "from_step": freeze.from_step}
        if freeze.to_step is not None:
            table["to_step"] = freeze.to_step
    if freeze.tasks:
        table["task"] = [{"task": t.task, "layers": list(t.layers)} for t in freeze.tasks]
    return table
