"""What each row of the tree says beside its tick: what is wanted, what really happened, and the norm statistics."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from freeze_gui.gui.timeline_state import Span, Timeline, frozen_at
from freeze_gui.models.layer_tree import LayerTree

if TYPE_CHECKING:
    from freeze_gui.runs.recorder import RunRecorder

Tone = Literal["held", "leaked", "frozen", "muted", "warning", "none"]


@dataclass(frozen=True)
class RowState:
    """The words of one row, their tone, and a sentence for the tooltip."""

    words: str = ""
    tone: Tone = "none"
    tip: str = ""


NOTHING = RowState()
TRAINS = RowState("trains", "muted", "The optimizer moves this layer.")
FROZEN = RowState("frozen", "frozen", "The next run holds this layer.")
PHASED = RowState("frozen in phases", "frozen", "The next run holds this layer in some of its steps: see Timeline.")
TASKED = RowState("frozen by task", "frozen", "The next run holds this layer in the steps of some tasks: see Timeline.")
HELD = RowState("held", "held", "Frozen, and every bit of it has held still.")
LEAKED = RowState("leaked", "leaked", "Frozen, and yet its bits moved: the verdict says how far and why.")
STATISTICS = RowState(
    "leaked: statistics", "leaked", "Frozen, and yet its running statistics moved; Norm = eval holds them."
)
FREEZING = RowState("→ freezes", "warning", "Ticked; the next step of the run obeys.")
THAWING = RowState("→ thaws", "warning", "Unticked; the next step of the run obeys.")
PARTLY = RowState("partly", "frozen", "Some layers below are frozen, some train.")
_ORDER = (LEAKED, STATISTICS, FREEZING, THAWING)
"""What a parent says first, when its layers differ."""


@dataclass(frozen=True)
class Actual:
    """What is known of a run, layer by layer.

    Attributes
    ----------
    frozen
        Layers frozen now, or at the end of the run.
    states
        Layers that are frozen, or were, with what happened to them.
    live
        Whether the run is still going on.
    step
        Of the next step, or the last one of a run that has ended.
    """

    frozen: frozenset[str]
    states: dict[str, RowState]
    live: bool
    step: int


def actual_of(recorder: RunRecorder | None) -> Actual | None:
    """Return what a run shows so far, None before it started."""
    if recorder is None or recorder.history is None:
        return None
    layers = recorder.history.layers
    frozen, leaked = recorder.frozen, recorder.leaked
    now = frozenset(layer for layer, flag in zip(layers, frozen.tolist(), strict=True) if flag)
    if recorder.ended is None:
        states = {
            layer: LEAKED if count else HELD
            for layer, count, flag in zip(layers, leaked.tolist(), frozen.tolist(), strict=True)
            if flag or count
        }
        return Actual(now, states, True, recorder.history.steps)
    moved: dict[str, set[str]] = {}
    for tensor in recorder.ended.tensors:
        if tensor.moved:
            for layer in tensor.layers:
                moved.setdefault(layer, set()).update(cause.cause for cause in tensor.causes)
    states = {}
    for row, layer in enumerate(layers):
        if not recorder.frozen_windows(row):
            continue
        if layer in moved:
            states[layer] = STATISTICS if moved[layer] == {"running_statistics"} else LEAKED
        else:
            states[layer] = HELD
    return Actual(now, states, False, max(recorder.ended.steps - 1, 0))


def planned_states(timeline: Timeline) -> dict[str, RowState]:
    """Return what the next run does with the layers that it freezes at some step."""
    states = {layer: TASKED for task in timeline.tasks for layer in task.layers}
    for bar in timeline.bars:
        states |= dict.fromkeys(bar.layers, PHASED)
    for bar in timeline.bars:
        if bar.start == 0 and bar.stop is None:
            states |= dict.fromkeys(bar.layers, FROZEN)
    return states


def row_states(
    tree: LayerTree, planned: Mapping[str, RowState], timeline: Timeline, span: Span, actual: Actual | None
) -> list[RowState]:
    """Return the state of every row; a parent says what its layers have in common.

    A layer says what the run on show did to it as long as the plan agrees with that run, else what is planned.
    """
    known = actual is not None and actual.frozen | actual.states.keys() <= frozenset(tree.layers)
    wanted = frozenset[str]()
    if actual is not None and known:
        by_task = frozenset[str]().union(*(task.layers for task in timeline.tasks))
        wanted = frozen_at(timeline, actual.step, span) | (actual.frozen & by_task)
    of_layer = {
        layer: _layer_state(layer, planned.get(layer, TRAINS), layer in wanted, actual if known else None)
        for layer in tree.layers
    }
    found = [NOTHING] * len(tree.nodes)
    below: list[set[RowState]] = [set() for _ in tree.nodes]
    for node in reversed(tree.nodes):   # children come after their parent
        if node.alias_of is not None:
            continue
        if node.layer is not None:
            below[node.index].add(of_layer[node.layer])
        for child in node.children:
            below[node.index] |= below[child]
        found[node.index] = _common(below[node.index])
    for node in tree.nodes:
        if node.alias_of is not None:
            found[node.index] = found[tree.by_path[node.alias_of].index]
    return found


def _layer_state(layer: str, planned: RowState, wanted: bool, actual: Actual | None) -> RowState:
    if actual is None:
        return planned
    if wanted != (layer in actual.frozen):
        return (FREEZING if wanted else THAWING) if actual.live else planned
    return actual.states.get(layer, planned)


def _common(states: set[RowState]) -> RowState:
    if not states:
        return NOTHING
    if len(states) == 1:
        return next(iter(states))
    return next((state for state in _ORDER if state in states), PARTLY)


def statistics_words(tree: LayerTree, frozen: frozenset[str], method: str, norm: str) -> list[str]:
    """Return for each row whether its running statistics move in a run: ``moving``, ``still``, or nothing."""
    holds = norm == "eval" or method == "eval_only"
    words = [""] * len(tree.nodes)
    for node in tree.nodes:
        layer = node.layer if node.alias_of is None else node.alias_of
        if layer is None or node.buffers == 0 or not tree.by_path[node.path].is_norm:
            continue
        words[node.index] = "still" if holds and layer in frozen else "moving"
    return words
