"""What is said about runs side by side: unique labels, progress, the proof that they can be compared, differences."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from freeze_gui.runs.comparability import comparability
from freeze_gui.runs.comparability_words import comparability_line, comparability_sentences
from freeze_gui.runs.differences import FirstDifference
from freeze_gui.runs.equivalence import are_equal, equality_sentences
from freeze_gui.runs.words import counted, joined

if TYPE_CHECKING:
    from freeze_gui.runs.recorder import RunRecorder

_MOST_EQUAL = 3
_MOST_NAMED = 8
_WAITING = ("waiting", "loading")


@dataclass(frozen=True)
class Progress:
    """How far a comparison is: `share` from 0 to 1 over all runs, the words for it, and the run that goes on."""

    share: float
    text: str
    label: str


@dataclass(frozen=True)
class ProofLine:
    """What the hashes of the runs show: `holds` is None where that is neither that they can be compared nor not."""

    text: str
    detail: str
    holds: bool | None


class EqualRuns:
    """Groups runs that are equal in every bit; each run is compared once, when it has ended.

    All parts of a window that speak of its runs share one of these.
    """

    def __init__(self) -> None:
        self._seen: set[RunRecorder] = set()
        self._by_end: dict[object, list[list[RunRecorder]]] = {}   # what the runs ended with → groups

    def add(self, recorder: RunRecorder) -> None:
        """Compare a run that has ended with those before it that came to the same bits."""
        if recorder.ended is None or recorder in self._seen:
            return
        self._seen.add(recorder)
        proof = recorder.ended.proof
        if proof is None:
            return   # never equal to another
        groups = self._by_end.setdefault((recorder.ended.steps, frozenset(proof.end.items())), [])
        home = next((group for group in groups if are_equal(group[0], recorder)), None)
        if home is None:
            groups.append([recorder])
        else:
            home.append(recorder)

    def groups(self, recorders: Iterable[RunRecorder]) -> list[list[RunRecorder]]:
        """Return the groups of two runs or more among these, in their order."""
        places = {recorder: at for at, recorder in enumerate(recorders)}
        for recorder in places:
            self.add(recorder)
        every = (group for groups in self._by_end.values() for group in groups if len(group) > 1)
        found = (sorted(places.keys() & group, key=places.__getitem__) for group in every)
        return sorted((group for group in found if len(group) > 1), key=lambda group: places[group[0]])


def unique_labels(labels: Sequence[str], taken: Iterable[str]) -> list[str]:
    """Return the labels, with `` #2``, `` #3`` … behind those that are there already."""
    used, found = set(taken), []
    for label in labels:
        name, number = label, 1
        while name in used:
            number += 1
            name = f"{label} #{number}"
        used.add(name)
        found.append(name)
    return found


def progress_of(recorders: Sequence[RunRecorder], in_turns: bool = False) -> Progress:
    """Say how far a comparison is; runs that take turns have one thing in common, the step that all have reached."""
    shares = [_share(recorder) for recorder in recorders]
    share = sum(shares) / max(len(shares), 1)
    if in_turns:
        return Progress(share, _turn_words(recorders), f"All runs take turns: {int(share * 100)} %")
    going = [at for at, recorder in enumerate(recorders) if recorder.ended is None]
    at = next((at for at in going if recorders[at].status not in _WAITING), going[0] if going else len(recorders) - 1)
    label = recorders[at].label if recorders else ""
    return Progress(share, f"run {at + 1} of {len(recorders)} · {int(share * 100)} %", label)


def proof_line(recorders: Sequence[RunRecorder]) -> ProofLine:
    """Return the proof in a few words, with the hashes in the detail."""
    ended = sum(recorder.ended is not None or recorder.status == "interrupted" for recorder in recorders)
    found = comparability(recorders)
    if len(recorders) < 2 or (len(found.runs) < 2 and ended < len(recorders)):
        return ProofLine("", "", None)
    more = "" if ended == len(recorders) else f" {ended} of {len(recorders)} runs can be checked so far."
    return ProofLine(comparability_line(found), comparability_sentences(found) + more, found.holds)


def equal_line(groups: Sequence[Sequence[RunRecorder]]) -> str:
    """Return ``a = b: the same bits`` for all groups, empty where there is none."""
    return " · ".join(f"{_equation([run.label for run in group])}: the same bits" for group in groups)


def ended_words(comparison: Mapping[str, Any]) -> str:
    """Return ``compared 3 runs``, or how many were completed before it was stopped."""
    statuses = [run["summary"]["status"] for run in comparison["runs"]]
    runs = counted(len(statuses), "run")
    if "stopped" in statuses:
        return f"comparison stopped: {statuses.count('completed')} of {runs} completed"
    return f"compared {runs}"


def equality_words(groups: Sequence[Sequence[str]]) -> str:
    """Return ``: a = b, the same bits`` for groups of labels, empty where there is none."""
    return f": {' and '.join(_equation(group) for group in groups)}, the same bits" if groups else ""


def equal_detail(groups: Sequence[Sequence[RunRecorder]]) -> str:
    """Return a sentence a group."""
    return "\n".join(equality_sentences([[run.label for run in group] for group in groups]))


def equals_words(groups: Sequence[Sequence[RunRecorder]]) -> dict[RunRecorder, str]:
    """Return ``b, c`` for each run that is equal to others; of more than `_MOST_NAMED`, the first and how many more."""
    found = {}
    for group in groups:
        for recorder in group:
            named = [run.label for run in group[: _MOST_NAMED + 1] if run is not recorder][:_MOST_NAMED]
            more = len(group) - 1 - len(named)
            found[recorder] = ", ".join(named) + f" and {more} more" * bool(more)
    return found


def difference_line(found: FirstDifference) -> str:
    """Say at which step two runs part, with the first layers that do."""
    if not found.common_steps:
        return "There is no step yet that both runs took"
    steps = counted(found.common_steps, "step")
    changed = [path for path, equal in found.end_equal.items() if not equal]
    if found.step is None and changed:
        return f"Equal losses and updates in {steps}, but at the end these differ: {joined(changed)}"
    if found.step is None and found.evaluation is not None:
        evaluation = f"the evaluation after {counted(found.evaluation, 'step')}"
        return f"Equal losses and updates in {steps}, but not in {evaluation}"
    if found.step is None:
        weights = "every loss and every weight" if found.end_equal else "every loss and every update so far"
        if found.end_unknown:
            weights = f"every loss and every update; not proven of the weights at the end: {found.end_unknown}"
        return f"The same bits in {steps}: {weights}"
    first = min((step for step in found.layers.values() if step is not None), default=None)
    parts = [f"{found.loss:,} (loss)"] if found.loss is not None else []
    if first is not None:
        layers = [path or "the model" for path, step in found.layers.items() if step == first]
        parts.append(f"{first:,} ({joined(layers) if len(layers) < 3 else counted(len(layers), 'layer')})")
    return f"First step that differs: {', '.join(parts)}"


def difference_detail(found: FirstDifference) -> str:
    """Return a line a layer: the first step at which its update differs."""
    lines = [
        f"{path or '(model)'}: {'never' if step is None else f'from step {step:,}'}"
        for path, step in found.layers.items()
    ]
    shown = lines[:30]
    return "\n".join([*shown, f"and {len(lines) - 30} more layers"] if len(lines) > 30 else shown)


def _turn_words(recorders: Sequence[RunRecorder]) -> str:
    """Return ``in turns: step 120 of 300, 3 runs``; the step is that of the run which is furthest behind."""
    going = [recorder for recorder in recorders if recorder.ended is None] or list(recorders)
    histories = [recorder.history for recorder in going if recorder.history is not None]
    runs = counted(len(recorders), "run")
    if len(histories) < len(going):
        return f"in turns: loading {runs}"
    last = min(histories, key=lambda history: history.steps)
    return f"in turns: step {last.steps:,} of {last.total_steps:,}, {runs}"


def _equation(labels: Sequence[str]) -> str:
    """Return ``a = b = c``; of more than `_MOST_EQUAL`, the first and how many more there are."""
    more = len(labels) - _MOST_EQUAL
    return " = ".join([*labels[:_MOST_EQUAL], *([f"{more} more"] if more > 0 else [])])


def _share(recorder: RunRecorder) -> float:
    if recorder.ended is not None:
        return 1.0
    history = recorder.history
    return min(history.steps / history.total_steps, 1.0) if history is not None and history.total_steps else 0.0
