"""What warnings before a run are judged by, and what a warning is."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from freeze_gui.freezing.basis import Basis, TensorForecast
from freeze_gui.freezing.reach import Reach


@dataclass(frozen=True)
class ForecastWarning:
    """One warning: its `kind`, the layers concerned, and in `text` what will happen and why, and the cure."""

    kind: str
    layers: tuple[str, ...]
    text: str


@dataclass(frozen=True)
class Circumstances:
    """What warnings are judged by.

    Attributes
    ----------
    basis
        What the forecast is made from.
    tensors
        The forecast; None where the law does not know the optimizer.
    layers
        Layers with parameters that learn, in the order of the forward where that could be tried, else in the order of
        the model's modules, which is the same for most.
    head
        Layers of the last block.
    made
        Layers whose weights are computed from other tensors.
    optimizer
        Its class.
    has_state
        Whether the optimizer keeps anything from step to step.
    clipping
        Whether gradients are clipped over all parameters.
    steps
        Length of the run.
    rates_clash
        Layers that get different learning rates from several phases.
    begins_together
        Whether the parameters of a group must get their momentum in one and the same step, as under fused SGD.
    """

    basis: Basis
    tensors: tuple[TensorForecast, ...] | None
    layers: tuple[str, ...]
    head: tuple[str, ...]
    made: tuple[str, ...]
    optimizer: str
    has_state: bool
    clipping: bool
    steps: int
    rates_clash: tuple[str, ...] = ()
    begins_together: bool = False

    def sets(self) -> list[frozenset[str]]:
        """Return every set of modules that is frozen at some step, each once."""
        plan, found = self.basis.plan, dict[frozenset[str], None]()
        starts = {0} | {edge for p in plan.phases for edge in (p.start, p.stop or 0) if edge < self.steps}
        for start in sorted(starts):
            for task in dict.fromkeys(self.basis.turns):
                found[plan.frozen_at(start, task)] = None
        return [modules for modules in found if modules]

    def frozen(self) -> list[str]:
        """Return the layers of `layers` that are frozen at some step."""
        ever = frozenset[str]().union(*self.sets())
        return [layer for layer in self.layers if layer in ever]

    def reaches(self) -> Iterator[tuple[frozenset[str], Reach, Reach | None]]:
        """Yield frozen modules, what a backward reaches under them, and what it reaches with nothing frozen."""
        for (modules, task), reach in self.basis.reaches.items():
            if modules:
                yield modules, reach, self.basis.reaches.get((frozenset(), task))


def warning(kind: str, layers: Iterable[str], text: str) -> ForecastWarning | None:
    """Return a warning of some layers, None where there are none."""
    named = tuple(dict.fromkeys(layers))
    return ForecastWarning(kind, named, text) if named else None
