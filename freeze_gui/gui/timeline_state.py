"""What is frozen when, as a person edits it: bars over the steps of a run, one of them selected. Plain values, no Qt.

The ticks of the tree are always the layers of the selected bar. A plan without a schedule is one bar over the whole
run. There is always at least one bar; one without layers is not part of a configuration.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from freeze_gui.freezing.plan import FreezeSettings, PhaseSettings, TaskSettings
from freeze_gui.models.layer_tree import LayerTree
from freeze_gui.models.selection import describe, select, with_passive_modules

Layers = frozenset[str]

ASSUMED_EPOCH_STEPS = 100
"""Length that an epoch is drawn with until a run has said how long one is."""


@dataclass(frozen=True)
class Bar:
    """One phase: `layers` are frozen from `start` to `stop` (excluded; None is the end), counted in `unit`.

    `patterns` are the layers as a person wrote them; empty once the ticks have changed.
    """

    layers: Layers = frozenset()
    start: int = 0
    stop: int | None = None
    unit: str = "step"
    lr_factor: float = 1.0
    patterns: tuple[str, ...] = ()

    @property
    def is_whole_run(self) -> bool:
        """Whether it holds from the first step to the last, which is what ticks alone mean."""
        return self.start == 0 and self.stop is None and self.lr_factor == 1.0


@dataclass(frozen=True)
class TaskBar:
    """Layers that are frozen in the steps of one task."""

    task: str
    layers: Layers
    patterns: tuple[str, ...]


@dataclass(frozen=True)
class Timeline:
    """All bars, the tasks, and which bar the ticks belong to."""

    bars: tuple[Bar, ...] = (Bar(),)
    tasks: tuple[TaskBar, ...] = ()
    selected: int = 0

    @property
    def bar(self) -> Bar:
        """The selected bar."""
        return self.bars[self.selected]

    @property
    def layers(self) -> Layers:
        """The ticks."""
        return self.bar.layers

    @property
    def is_schedule(self) -> bool:
        """Whether there is more to it than ticks for the whole run."""
        return len(self.bars) > 1 or bool(self.tasks) or not self.bar.is_whole_run

    @property
    def is_empty(self) -> bool:
        """Whether it freezes nothing."""
        return not self.tasks and not any(bar.layers for bar in self.bars)

    def freezes_the_same(self, other: Timeline) -> bool:
        """Whether the plans are the same, whatever is selected."""
        return (self.bars, self.tasks) == (other.bars, other.tasks)


@dataclass(frozen=True)
class Span:
    """How long a run is; `epoch_steps` None while nobody knows how long an epoch is."""

    total_steps: int
    epoch_steps: int | None = None

    def unit_steps(self, unit: str) -> int:
        """Return the steps of a step or of an epoch."""
        return 1 if unit == "step" else self.epoch_steps or ASSUMED_EPOCH_STEPS

    def units(self, unit: str) -> int:
        """Return the length of the run in steps or in begun epochs."""
        return -(-self.total_steps // self.unit_steps(unit))

    def window(self, bar: Bar) -> tuple[int, int]:
        """Return the steps [from, to) of a bar; one without an end ends with the run."""
        scale = self.unit_steps(bar.unit)
        start = bar.start * scale
        return start, max(start, self.total_steps) if bar.stop is None else bar.stop * scale


def span_of(steps: int | None, epochs: int | None, epoch_steps: int | None) -> Span:
    """Return how long a run of so many steps, or else epochs, is."""
    if steps is None:
        steps = (epochs or 1) * (epoch_steps or ASSUMED_EPOCH_STEPS)
    return Span(steps, epoch_steps)


# ------------------------------------------------------------------------------------------------------- edits


def whole_run(layers: Layers) -> Timeline:
    """Return what ticks alone mean."""
    return Timeline((Bar(layers),))


def selecting(timeline: Timeline, place: int) -> Timeline:
    """Select another bar; places beyond the first and last stop there."""
    return replace(timeline, selected=min(max(place, 0), len(timeline.bars) - 1))


def with_bar(timeline: Timeline, bar: Bar) -> Timeline:
    """Replace the selected bar."""
    bars = (*timeline.bars[: timeline.selected], bar, *timeline.bars[timeline.selected + 1 :])
    return replace(timeline, bars=bars)


def with_layers(timeline: Timeline, layers: Layers) -> Timeline:
    """Let the selected bar freeze exactly `layers`."""
    return with_bar(timeline, replace(timeline.bar, layers=layers, patterns=()))


def adding(timeline: Timeline, span: Span) -> Timeline:
    """Add a bar with the ticks as they are, from where the selected bar ends to the end of the run, and select it."""
    bar = timeline.bar
    start = bar.stop if bar.stop is not None and bar.stop < span.units(bar.unit) else 0
    added = replace(bar, start=start, stop=None)
    return replace(timeline, bars=(*timeline.bars, added), selected=len(timeline.bars))


def removing(timeline: Timeline) -> Timeline:
    """Take the selected bar out; where it was the last one, an empty bar for the whole run is left."""
    bars = timeline.bars[: timeline.selected] + timeline.bars[timeline.selected + 1 :]
    return selecting(replace(timeline, bars=bars or (Bar(),)), timeline.selected)


def with_phases(timeline: Timeline, phases: tuple[PhaseSettings, ...], tree: LayerTree) -> Timeline:
    """Replace all bars; tasks stay."""
    return Timeline(tuple(_bar(tree, phase) for phase in phases) or (Bar(),), timeline.tasks)


def starting_at(bar: Bar, start: int, span: Span) -> Bar:
    """Let a bar begin at `start` of its unit, at least one unit before it ends."""
    last = span.units(bar.unit) if bar.stop is None else bar.stop
    return replace(bar, start=max(min(start, last - 1), 0))


def stopping_at(bar: Bar, stop: int, span: Span) -> Bar:
    """Let a bar end before `stop` of its unit, at least one unit after it begins; the end of the run is "the end"."""
    stop = max(stop, bar.start + 1)
    return replace(bar, stop=None if stop >= span.units(bar.unit) else stop)


def moved(bar: Bar, units: int, span: Span) -> Bar:
    """Shift a bar within the run; of one that lasts to the end only the beginning moves."""
    if bar.stop is None:
        return starting_at(bar, bar.start + units, span)
    room = max(span.units(bar.unit) - bar.stop, 0)
    units = max(min(units, room), -bar.start)
    return replace(bar, start=bar.start + units, stop=bar.stop + units)


def counting_in(bar: Bar, unit: str, span: Span) -> Bar:
    """Count a bar in the other unit, its ends at the nearest whole epochs."""
    if unit == bar.unit:
        return bar
    old, new = span.unit_steps(bar.unit), span.unit_steps(unit)
    start = round(bar.start * old / new)
    stop = None if bar.stop is None else max(round(bar.stop * old / new), start + 1)
    return replace(bar, start=start, stop=stop, unit=unit)


# ------------------------------------------------------------------------------------- configurations and runs


def timeline_of(freeze: FreezeSettings, tree: LayerTree) -> Timeline:
    """Return the bars of a configuration.

    Raises
    ------
    UserError
        When a pattern matches nothing in this model.
    """
    phases = freeze.phases or (PhaseSettings(freeze.layers, freeze.from_step, freeze.to_step),)
    tasks = tuple(TaskBar(t.task, _layers(tree, t.layers), t.layers) for t in freeze.tasks)
    return Timeline(tuple(_bar(tree, phase) for phase in phases), tasks)


def phases_of(timeline: Timeline, tree: LayerTree) -> tuple[PhaseSettings, ...]:
    """Return the phases of a configuration; bars without layers are left out."""
    return tuple(
        PhaseSettings(patterns_of(bar, tree), bar.start, bar.stop, bar.unit, bar.lr_factor)
        for bar in timeline.bars
        if bar.layers
    )


def tasks_of(timeline: Timeline) -> tuple[TaskSettings, ...]:
    """Return the tasks of a configuration."""
    return tuple(TaskSettings(task.task, task.patterns) for task in timeline.tasks)


def patterns_of(bar: Bar, tree: LayerTree) -> tuple[str, ...]:
    """Return the layers of a bar as patterns, as a person wrote them where they did."""
    return bar.patterns or describe(tree, with_passive_modules(tree, bar.layers))


def frozen_at(timeline: Timeline, step: int, span: Span) -> Layers:
    """Return the layers that the bars freeze at a step; tasks are not among them."""
    windows = ((bar, span.window(bar)) for bar in timeline.bars)
    return frozenset().union(*(
        bar.layers for bar, (start, stop) in windows if start <= step and (bar.stop is None or step < stop)
    ))


def _bar(tree: LayerTree, phase: PhaseSettings) -> Bar:
    layers = _layers(tree, phase.layers)
    return Bar(layers, phase.start, phase.stop, phase.unit, phase.lr_factor, phase.layers)


def _layers(tree: LayerTree, patterns: tuple[str, ...]) -> Layers:
    return frozenset(path for path in select(tree, patterns) if path in tree.row_of_layer)
