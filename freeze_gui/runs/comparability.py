"""What the digests of several runs show: that they began alike and saw the same, that they did not, or neither."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from freeze_gui.runs.recorder import RunRecorder
from freeze_gui.training.digests import digest_of_all
from freeze_gui.training.events import Proof


@dataclass(frozen=True)
class Answer:
    """Whether runs agree in one thing: yes, no, or not to be proven.

    Attributes
    ----------
    same
        None where neither is proven; then `why` says why, or is empty where there was nothing to compare.
    compared
        Fewest and most steps, or evaluations, in which two of the runs were compared; (0, 0) for the start.
    first_difference
        The earliest step, or evaluation after so many steps, at which two runs differ; None where none do.
    between
        The labels of the two runs that differ there, or that could not be compared.
    """

    same: bool | None = None
    compared: tuple[int, int] = (0, 0)
    first_difference: int | None = None
    between: tuple[str, ...] = ()
    why: str = ""


@dataclass(frozen=True)
class Comparability:
    """What is known of several runs, each held against each.

    Attributes
    ----------
    runs
        Labels of the runs that finished a step and are over, in order.
    left_out
        Labels of the runs that are over and finished none.
    start, batches, validation
        The answers for all `runs` together: no where two of them differ, yes where all pairs agree.
    common_steps
        Steps that all `runs` took.
    start_hash
        Of all weights and buffers of the first run; empty where it is not known.
    """

    runs: tuple[str, ...]
    left_out: tuple[str, ...]
    start: Answer
    batches: Answer
    validation: Answer
    common_steps: int
    start_hash: str

    @property
    def holds(self) -> bool | None:
        """Whether the runs can be compared: None where that is not proven."""
        asked = [a.same for a in (self.start, self.batches, self.validation) if a.same is not None or a.why]
        return False if False in asked else None if None in asked or not asked else True


class _Run:
    """What is known of one run that is over and finished a step."""

    def __init__(self, recorder: RunRecorder) -> None:
        self.label = recorder.label
        self.proof: Proof | None = recorder.ended.proof if recorder.ended is not None else None
        self.first_step = recorder.first_step
        self.steps = steps_finished(recorder)
        self.evaluated = {step for step, *_ in recorder.history.evaluations} if recorder.history else set()
        self.start = digest_of_all(self.proof.start) if self.proof is not None else ""
        self.has_whole_start = self.proof is not None and "" not in self.proof.start.values()


def steps_finished(recorder: RunRecorder) -> int:
    """Return how many steps a run finished since it was begun, or resumed."""
    return recorder.history.steps if recorder.history is not None else 0


def comparability(recorders: Sequence[RunRecorder]) -> Comparability:
    """Hold each run that is over and finished a step against each other one."""
    over = [run for run in recorders if run.ended is not None or run.status == "interrupted"]
    runs = [_Run(run) for run in over if steps_finished(run)]
    return Comparability(
        tuple(run.label for run in runs),
        tuple(run.label for run in over if not steps_finished(run)),
        _together(_start(*pair) for pair in _pairs(runs, _start_known)),
        _together(_batches(*pair) for pair in _pairs(runs, _batches_known)),
        _together(_validation(*pair) for pair in _pairs(runs, _validation_known)),
        min((run.steps for run in runs), default=0),
        runs[0].start if runs else "",
    )


def _pairs(runs: Iterable[_Run], known: Callable[[_Run], Hashable]) -> Iterator[tuple[_Run, _Run]]:
    """Return the pairs that stand for all: of runs of which the same is known, the first two.

    Many runs of one comparison are then no more work than a few.
    """
    count: Counter[Hashable] = Counter()
    speakers = []
    for run in runs:
        what = known(run)
        count[what] += 1
        if count[what] <= 2:
            speakers.append(run)
    return combinations(speakers, 2)


def _start_known(run: _Run) -> Hashable:
    return None if run.proof is None else (run.first_step, frozenset(run.proof.start.items()))


def _batches_known(run: _Run) -> Hashable:
    if run.proof is None:
        return None
    by_step = run.proof.batches_by_step[: run.steps].tobytes()
    return run.first_step, run.steps, by_step, run.proof.is_whole, run.proof.batches_out_of_reach


def _validation_known(run: _Run) -> Hashable:
    evaluated, proof = frozenset(run.evaluated), run.proof
    if proof is None:
        return evaluated
    return evaluated, frozenset(proof.evaluations.items()), proof.is_whole, proof.evaluations_out_of_reach


def _start(one: _Run, other: _Run) -> Answer:
    between = (one.label, other.label)
    if one.proof is None or other.proof is None or one.first_step != other.first_step:
        return Answer(between=between, why=_no_digests(one, other) or _resumed(one, other))
    if one.start == other.start and one.has_whole_start:
        return Answer(True, between=between)
    ours, theirs = one.proof.start, other.proof.start
    if ours.keys() != theirs.keys() or any(ours[path] != theirs[path] for path in ours if ours[path] and theirs[path]):
        return Answer(False, between=between)
    path = next(path for path in ours if not (ours[path] and theirs[path])) or "(model)"
    return Answer(between=between, why=f"the layer {path} holds a tensor that cannot be hashed")


def _batches(one: _Run, other: _Run) -> Answer:
    between = (one.label, other.label)
    if one.proof is None or other.proof is None or one.first_step != other.first_step or not _are_whole(one, other):
        return Answer(between=between, why=_no_digests(one, other) or _resumed(one, other) or _older(one, other))
    steps = min(one.steps, other.steps)
    ours, theirs = one.proof.batches_by_step[:steps], other.proof.batches_by_step[:steps]
    known = min(len(ours), len(theirs))
    if known and ours[known - 1] != theirs[known - 1]:   # each stands for all batches before it
        first = int(np.argmax(ours[:known] != theirs[:known]))
        return Answer(False, (steps, steps), one.first_step + first, between)
    if known == steps:
        return Answer(True, (steps, steps), between=between)
    hidden = one if len(ours) == known else other
    held = hidden.proof.batches_out_of_reach if hidden.proof is not None else ""
    return Answer(
        compared=(known, known),
        between=between,
        why=f"from step {one.first_step + known:,} on, the batches of {hidden.label} hold {_unknown(held)}",
    )


def _validation(one: _Run, other: _Run) -> Answer:
    between = (one.label, other.label)
    both = sorted(one.evaluated & other.evaluated)
    if not both:
        return Answer()
    if one.proof is None or other.proof is None or not _are_whole(one, other):
        return Answer(between=between, why=_no_digests(one, other) or _older(one, other))
    compared = (len(both), len(both))
    ours, theirs = one.proof.evaluations, other.proof.evaluations
    known = [step for step in both if step in ours and step in theirs]
    first = next((step for step in known if ours[step] != theirs[step]), None)
    if first is not None:
        return Answer(False, compared, first, between)
    if known == both:
        return Answer(True, compared, between=between)
    hidden, proof = (one, one.proof) if not ours.keys() >= set(both) else (other, other.proof)
    why = f"the validation batches of {hidden.label} hold {_unknown(proof.evaluations_out_of_reach)}"
    return Answer(compared=(len(known), len(known)), between=between, why=why)


def _together(answers: Iterable[Answer]) -> Answer:
    """Return what several answers come to: the earliest no, else the first that is not proven, else yes."""
    asked, no = [], None
    for answer in answers:
        if answer.same is False and (no is None or (answer.first_difference or 0) < (no.first_difference or 0)):
            no = answer
        if no is not None and not no.first_difference:   # none is earlier
            return no
        if answer.same is not None or answer.why:
            asked.append(answer)
    unproven = next((answer for answer in asked if answer.same is None), None)
    if no is not None or unproven is not None or not asked:
        return no or unproven or Answer()
    return Answer(True, (min(a.compared[0] for a in asked), max(a.compared[1] for a in asked)))


def _are_whole(*runs: _Run) -> bool:
    return all(run.proof is not None and run.proof.is_whole for run in runs)


def _no_digests(*runs: _Run) -> str:
    without = next((run for run in runs if run.proof is None), None)
    if without is None:
        return ""
    return f"there are no hashes of {without.label}: an older version wrote it, or it was cut off before its end"


def _older(*runs: _Run) -> str:
    older = next(run for run in runs if not _are_whole(run))
    return f"{older.label} was written by an older version, whose hashes of the batches are not complete"


def _resumed(one: _Run, other: _Run) -> str:
    if one.first_step == other.first_step:
        return ""
    return f"{one.label} begins at step {one.first_step:,} and {other.label} at step {other.first_step:,}"


def _unknown(held: str) -> str:
    return f"{held}, whose content cannot be known" if held else "something whose content cannot be known"
