"""What trials on the meta device found about one model, kept: after a tick only what the tick makes new is tried."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from functools import cached_property
from typing import TypeVar

from freeze_gui.freezing.effective import effective_weights
from freeze_gui.freezing.facts import TensorFacts, facts_of
from freeze_gui.freezing.reach import Reach, reach
from freeze_gui.models.layer_tree import LayerTree, build_tree
from freeze_gui.models.loaded import LoadedModel
from freeze_gui.models.shapes import Call
from freeze_gui.training.config import OptimizerSettings
from freeze_gui.training.cost_forecast import CostForecast, StepCost, forecast_step

_MOST_KEPT = 64
"""Of a model with 1,200 tensors they are a few megabytes."""

Found = TypeVar("Found")


class Trials:
    """Takes each trial once, for as long as nobody changes the model.

    Trials with inputs of their own are taken every time.

    Attributes
    ----------
    loaded
        The model.
    """

    def __init__(self, loaded: LoadedModel) -> None:
        self.loaded = loaded
        self._kept: dict[Hashable, object] = {}

    @cached_property
    def tree(self) -> LayerTree:
        """The model's tree, without shapes."""
        return build_tree(self.loaded.module)

    @cached_property
    def facts(self) -> tuple[TensorFacts, ...]:
        """What the model tells about its tensors."""
        return facts_of(self.loaded.module)

    @cached_property
    def modules(self) -> tuple[str, ...]:
        """The paths of all modules, under every name that they have."""
        return tuple(path for path, _ in self.loaded.module.named_modules())

    @cached_property
    def parametrized(self) -> tuple[str, ...]:
        """The layers whose weights are computed in each forward."""
        made = effective_weights(self.loaded.module)
        return tuple(dict.fromkeys(layer for weight in made for layer in (weight.layer, *weight.tied_layers)))

    def reach(
        self, frozen: frozenset[str], method: str, norm: str, task: str | None, calls: Sequence[Call] = ()
    ) -> Reach | None:
        """Return what `reach` finds; where nothing is frozen, method and norm policy have nothing to do."""
        how = (method, norm) if frozen else ("", "")
        key = None if calls else ("reach", frozen, *how, task)
        return self._once(key, lambda: reach(self.loaded, frozen, method, norm, task, calls))

    def step(
        self,
        modules: frozenset[str],
        method: str,
        optimizer: OptimizerSettings,
        batch_size: int,
        calls: Sequence[Call] = (),
        loss: str | None = None,
    ) -> StepCost | None:
        """Return what `forecast_step` finds."""
        settings = optimizer.name, repr(sorted(optimizer.hyper.items()))
        key = None if calls else ("step", modules, method, settings, batch_size, loss)
        asked = self.loaded, modules, method, optimizer, batch_size, calls, loss
        return self._once(key, lambda: forecast_step(*asked))

    def cost(
        self,
        modules: frozenset[str],
        method: str,
        optimizer: OptimizerSettings,
        batch_size: int,
        calls: Sequence[Call] = (),
        loss: str | None = None,
    ) -> CostForecast | None:
        """Return a step with `modules` frozen beside a free one; None where either could not be tried."""
        free = self.step(frozenset(), method, optimizer, batch_size, calls, loss)
        frozen = self.step(modules, method, optimizer, batch_size, calls, loss) if modules and free else free
        return CostForecast(frozen, free) if frozen and free else None

    def _once(self, key: Hashable | None, take: Callable[[], Found]) -> Found:
        if key is None:
            return take()
        if key not in self._kept:
            if len(self._kept) >= _MOST_KEPT:
                del self._kept[next(iter(self._kept))]
            self._kept[key] = take()
        found = self._kept[key] = self._kept.pop(key)   # the one that was asked for last goes last
        return found   # type: ignore[return-value]   # what is kept under a key is what `take` returned for it
