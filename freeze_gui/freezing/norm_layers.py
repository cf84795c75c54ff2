"""Running statistics and dropout of frozen layers: eval mode where the policy says so, whatever train() did."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from freeze_gui.freezing.context import FreezeContext
from freeze_gui.freezing.verdict import TensorVerdict
from freeze_gui.freezing.watched import is_statistic
from freeze_gui.models.layer_tree import is_dropout, is_norm, own_tensors


@dataclass(frozen=True)
class NormReport:
    """The three questions of a frozen norm layer, answered from what happened while it was frozen.

    Attributes
    ----------
    affine_still
        Whether no bit of its scale and shift moved; None where it has neither.
    statistics_still
        Whether no bit of its running statistics moved; None where it keeps none.
    same_function
        Whether it computed in training what it computes in evaluation: it never normalised by the statistics of the
        batch while it had running ones.
    """

    layer: str
    affine_still: bool | None
    statistics_still: bool | None
    same_function: bool


class NormPolicy:
    """Holds frozen norm and dropout modules in eval mode under the policy ``eval``; under ``leave`` does nothing.

    What makes a weight, spectral norm for one, is no norm layer and keeps its mode, whichever way it is attached.
    """

    def __init__(self, context: FreezeContext, policy: str) -> None:
        self._context = context
        self._active = policy == "eval"
        self._candidates = {
            path: module
            for path, module in context.modules.items()
            if (is_norm(module) or is_dropout(module)) and not is_inside_parametrization(path)
        }

    def apply(self) -> None:
        """Put every frozen norm and dropout module in eval mode; called before each forward, so train() undoes nothing.

        A module's own ``train(False)`` is called, so that classes which override it stay consistent.
        """
        if self._active:
            for path, module in self._candidates.items():
                if module.training and path in self._context.frozen:
                    module.eval()

    def thaw(self, modules: frozenset[str]) -> None:
        """Return thawed modules to training mode."""
        if self._active:
            for path in modules & self._candidates.keys():
                self._candidates[path].train()


class NormWatch:
    """Listens to frozen norm layers that keep statistics, and answers the three questions of each at the end."""

    def __init__(self, context: FreezeContext) -> None:
        self._context = context
        self._norms = {
            path: module
            for path, module in context.modules.items()
            if is_norm(module) and not is_inside_parametrization(path) and own_tensors(module)
        }
        self._ever_frozen: dict[str, None] = {}
        self._used_batch: set[str] = set()
        self._hooks: dict[str, torch.utils.hooks.RemovableHandle] = {}

    def begin(self, modules: frozenset[str]) -> None:
        """Listen to those of `modules` that are norm layers."""
        for path in self._norms.keys() & modules:
            self._ever_frozen[path] = None
            if path not in self._hooks and any(map(is_statistic, self._norms[path]._buffers)):
                self._hooks[path] = self._norms[path].register_forward_pre_hook(self._listener(path))

    def end(self, modules: frozenset[str]) -> None:
        """Listen no more to `modules`."""
        for path in self._hooks.keys() & modules:
            self._hooks.pop(path).remove()

    def reports(self, verdicts: Iterable[TensorVerdict]) -> tuple[NormReport, ...]:
        """Return the report on every norm layer that was frozen, in the model's order."""
        affine: dict[str, list[bool]] = {}
        statistics: dict[str, list[bool]] = {}
        known, frozen = set[str](), set[str]()
        for verdict in verdicts:
            known |= {*verdict.layers}
            frozen |= {*verdict.layers} if verdict.frozen_steps else set()
            kind = statistics if is_statistic(verdict.name.rpartition(".")[2]) else affine
            for layer in verdict.layers:
                kind.setdefault(layer, []).append(verdict.moved)
        # without those that freeze in a step that was begun, and never taken
        ever_frozen = self._ever_frozen.keys() - (known - frozen)
        return tuple(
            NormReport(path, _still(affine.get(path)), _still(statistics.get(path)), path not in self._used_batch)
            for path in self._norms
            if path in ever_frozen
        )

    def _listener(self, path: str) -> Any:
        def listen(module: nn.Module, inputs: Any) -> None:
            if module.training and any(
                is_statistic(key) and buffer is not None for key, buffer in module._buffers.items()
            ):
                self._used_batch.add(path)

        return listen


def is_inside_parametrization(path: str) -> bool:
    """Tell whether a module makes a weight: spectral norm has the word in its name and is no norm layer."""
    return "parametrizations" in path.split(".")


def _still(moved: list[bool] | None) -> bool | None:
    return None if moved is None else not any(moved)
