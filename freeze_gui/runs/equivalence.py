"""What runs have in common: whether they began alike and saw the same, and which of them are one and the same run."""

from __future__ import annotations

from collections.abc import Sequence

from freeze_gui.runs.differences import end_equality, first_difference
from freeze_gui.runs.recorder import RunRecorder
from freeze_gui.runs.words import counted
from freeze_gui.training.digests import digest_of_all
from freeze_gui.training.events import Proof

_SHOWN = 8
"""Hexadecimal digits of a hash in a sentence."""


def proof_of(recorder: RunRecorder) -> Proof | None:
    """Return the digests of a run; None while it goes on, or where it took no step."""
    return recorder.ended.proof if recorder.ended is not None else None


def same_start(recorders: Sequence[RunRecorder]) -> bool | None:
    """Tell whether all runs that took a step began with the same bits; None where fewer than two did."""
    starts = [digest_of_all(proof.start) for proof in map(proof_of, recorders) if proof is not None]
    return len(set(starts)) == 1 if len(starts) > 1 else None


def same_batches(recorders: Sequence[RunRecorder]) -> bool | None:
    """Tell whether all runs saw the same batches in the steps that all of them took; None where fewer than two did."""
    steps = common_steps(recorders)
    seen = [int(proof.batches_by_step[steps - 1]) for proof in map(proof_of, recorders) if proof is not None]
    return len(set(seen)) == 1 if len(seen) > 1 else None


def common_steps(recorders: Sequence[RunRecorder]) -> int:
    """Return how many steps all of the runs took that took any."""
    return min((len(p.batches_by_step) for p in map(proof_of, recorders) if p is not None), default=0)


def are_equal(one: RunRecorder, other: RunRecorder) -> bool:
    """Tell whether two runs are one run: every loss, every layer's updates, and the bits at the end."""
    ends = end_equality(one, other)
    if not ends or len(ends) != len(one.layers) or len(ends) != len(other.layers):
        return False
    return all(ends.values()) and first_difference(one, other).step is None


def equal_groups(recorders: Sequence[RunRecorder]) -> list[list[int]]:
    """Return the groups of two runs or more that are equal in every bit, as positions in `recorders`."""
    groups: list[list[int]] = []
    for index, recorder in enumerate(recorders):
        home = next((group for group in groups if are_equal(recorders[group[0]], recorder)), None)
        if home is None:
            groups.append([index])
        else:
            home.append(index)
    return [group for group in groups if len(group) > 1]


def equality_sentences(groups: Sequence[Sequence[str]]) -> list[str]:
    """Return ``a = b = c: the same bits`` for each group of labels."""
    return [f"{' = '.join(group)}: the same bits, in every loss and every weight" for group in groups]


def proof_sentence(recorders: Sequence[RunRecorder]) -> str:
    """Say what the hashes show: that the runs can be compared, or that they cannot."""
    proofs = [proof for proof in map(proof_of, recorders) if proof is not None]
    if len(proofs) < 2:
        return ""
    steps, start, batches = common_steps(recorders), same_start(recorders), same_batches(recorders)
    shown = f"{int(proofs[0].batches_by_step[steps - 1]):012x}"[:_SHOWN]
    began = (
        f"began with the same bits (hash {digest_of_all(proofs[0].start)[:_SHOWN]})"
        if start
        else "did NOT begin with the same bits"
    )
    saw = (
        f"saw the same batches in {counted(steps, 'step')} (hash {shown})"
        if batches
        else f"did NOT see the same batches in their first {counted(steps, 'step')}"
    )
    cure = "" if start and batches else "; compare them with care: the model or data file draws from something unseeded"
    return f"All {len(proofs)} runs {began} and {saw}{cure}."
