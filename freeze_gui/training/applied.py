"""What is frozen at each step, as flags of layers, and the record of each change."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from torch import nn

from freeze_gui.freezing.freezer import Freezer
from freeze_gui.training.events import PlanApplied


class AppliedPlan:
    """Follows what a freezer holds.

    Parameters
    ----------
    model, freezer
        Of the run, before its first step.
    layers
        Paths of the layers, in row order.

    Attributes
    ----------
    mask
        One flag a layer, whether it is frozen as of the last `change`; the same array for the same layers.
    """

    def __init__(self, model: nn.Module, freezer: Freezer, layers: tuple[str, ...]) -> None:
        self._model, self._freezer, self._layers = model, freezer, layers
        self._trainable = {id(p) for p in model.parameters() if p.requires_grad}
        self._masks: dict[frozenset[str], NDArray[np.bool_]] = {}
        self.mask = np.zeros(0, bool)
        self._beside_tasks: frozenset[str] | None = None   # what the phases alone froze in the step before

    def change(self, step: int) -> PlanApplied | None:
        """Return the record of a change of what is frozen since the step before; the first step has one always."""
        frozen = self._freezer.frozen
        if frozen not in self._masks:
            self._masks[frozen] = np.array([path in frozen for path in self._layers], dtype=bool)
        mask = self._masks[frozen]
        is_same, self.mask = mask is self.mask, mask
        beside_tasks, before = self._freezer.plan.frozen_at(step), self._beside_tasks
        self._beside_tasks = beside_tasks
        if is_same:
            return None
        modules = dict(self._model.named_modules())   # get_submodule stumbles over names with dots
        held = {id(p) for path in frozen for p in modules[path]._parameters.values() if p is not None}
        trainable = sum(p.numel() for p in self._model.parameters() if id(p) in self._trainable - held)
        return PlanApplied(step, mask, trainable, by_task=beside_tasks == before)
