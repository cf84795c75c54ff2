"""What each row of the tree says beside its tick: what is wanted, what really happened, and the norm statistics."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from freeze_gui.freezing.explained_causes import CAUSES
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
_SHORT = {
    "weight_decay": "decay", "stale_gradient": "stale grad", "forward_write": "forward", "shared_storage": "shared",
    "other_writer": "other",
}  # fmt: skip
LEAKED_BY: dict[str, RowState] = {
    cause: RowState(
        f"leaked: {_SHORT.get(cause, cause)}", "leaked",
        f"Frozen, and yet its bits moved, by {about.title}: the verdict says how far, and what cures it.",
    )
    for cause, about in CAUSES.items()
} | {"running_statistics": STATISTICS}  # fmt: skip
"""By the only cause that moved a layer; where there are several, it is just `LEAKED`."""
FREEZING = RowState("→ freezes", "warning", "Ticked; the next step of the run obeys.")
THAWING = RowState("→ thaws", "warning", "Unticked; the next step of the run obeys.")
PARTLY = RowState("partly", "frozen", "Some layers below are frozen, some train.")
_LEAKS = (LEAKED, *LEAKED_BY.values())
STATES: tuple[RowState, ...] = (NOTHING, TRAINS, FROZEN, PHASED, TASKED, HELD, *_LEAKS, FREEZING, THAWING, PARTLY)
"""Every state, at the place that stands for it in an array."""
_CODE = {state: code for code, state in enumerate(STATES)}
STATISTICS_WORDS = ("", "moving", "still")
_MOVING, _STILL = 1, 2

Codes = NDArray[np.int8]


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
        Whether the run still goes on and takes ticks: not so one of a comparison, or of another program.
    step
        Of the next step of such a run, or the last one of any other.
    """

    frozen: frozenset[str]
    states: dict[str, RowState]
    live: bool
    step: int


def actual_of(recorder: RunRecorder | None, obeys: bool = True) -> Actual | None:
    """Return what a run shows so far, None before it started; `obeys` says that it takes ticks while it goes on."""
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
        steps = recorder.history.steps
        return Actual(now, states, obeys, steps if obeys else max(steps - 1, 0))
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
            causes = moved[layer]
            states[layer] = LEAKED_BY.get(next(iter(causes)), LEAKED) if len(causes) == 1 else LEAKED
        else:
            states[layer] = HELD
    return Actual(now, states, False, max(recorder.ended.steps - 1, 0))


def planned_codes(tree: LayerTree, timeline: Timeline) -> Codes:
    """Return what the next run does with each layer, as places in `STATES`."""
    codes = np.full(len(tree.layers), _CODE[TRAINS], np.int8)
    for task in timeline.tasks:
        codes[tree.mask(task.layers)] = _CODE[TASKED]
    for bar in timeline.bars:
        codes[tree.mask(bar.layers)] = _CODE[PHASED]
    for bar in timeline.bars:
        if bar.start == 0 and bar.stop is None:
            codes[tree.mask(bar.layers)] = _CODE[FROZEN]
    return codes


def lasting(planned: Codes) -> NDArray[np.bool_]:
    """Return which layers the next run holds throughout."""
    flags: NDArray[np.bool_] = planned == _CODE[FROZEN]
    return flags


def row_codes(tree: LayerTree, planned: Codes, timeline: Timeline, span: Span, actual: Actual | None) -> Codes:
    """Return the state of every row, as places in `STATES`; a parent says what its layers have in common.

    A layer says what the run on show did to it as long as the plan agrees with that run, else what is planned.
    """
    codes = planned
    if actual is not None and (actual.frozen | actual.states.keys()) <= tree.place_of_layer.keys():
        by_task = frozenset[str]().union(*(task.layers for task in timeline.tasks))
        wanted = tree.mask(frozen_at(timeline, actual.step, span) | (actual.frozen & by_task))
        frozen, codes = tree.mask(actual.frozen), planned.copy()
        for layer, state in actual.states.items():
            codes[tree.place_of_layer[layer]] = _CODE[state]
        if actual.live:
            codes[wanted & ~frozen], codes[frozen & ~wanted] = _CODE[FREEZING], _CODE[THAWING]
        else:
            codes = np.where(wanted == frozen, codes, planned)
    return _of_rows(tree, codes)


def _of_rows(tree: LayerTree, codes: Codes) -> Codes:
    """Return what the layers at and below each row have in common."""
    found = np.full(len(tree.nodes), _CODE[NOTHING], np.int8)
    there = {code: tree.sums(codes == code) > 0 for code in np.unique(codes).tolist()}
    kinds = np.sum(list(there.values()), axis=0) if there else np.zeros(len(tree.nodes))
    for code, rows in there.items():
        found[rows] = code
    found[kinds > 1] = _CODE[PARTLY]
    for state in (THAWING, FREEZING, *_LEAKS):   # what a parent says, whatever else lies below it; a leak first
        if _CODE[state] in there:
            found[there[_CODE[state]]] = _CODE[state]
    leaks = [there[_CODE[state]] for state in _LEAKS if _CODE[state] in there]
    if len(leaks) > 1:
        found[np.sum(leaks, axis=0) > 1] = _CODE[LEAKED]
    return found


class NormRows:
    """The rows of a tree whose norm layers have running statistics."""

    def __init__(self, tree: LayerTree) -> None:
        found = [
            (node.index, tree.place_of_layer[layer])
            for node in tree.nodes
            if node.buffers and tree.by_path[node.path].is_norm
            and (layer := node.layer if node.alias_of is None else node.alias_of) is not None
        ]
        self._codes = np.zeros(len(tree.nodes), np.int8)
        self._rows, self._layers = np.array(found, np.int64).reshape(-1, 2).T

    def codes(self, frozen: NDArray[np.bool_], method: str, norm: str) -> Codes:
        """Return for each row whether its running statistics move in a run, as places in `STATISTICS_WORDS`."""
        holds = norm == "eval" or method == "eval_only"
        codes = self._codes.copy()
        codes[self._rows] = np.where(frozen[self._layers] & holds, _STILL, _MOVING)
        return codes
