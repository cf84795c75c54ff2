"""Which runs are one and the same run, in every bit of what they did."""

from __future__ import annotations

from collections.abc import Sequence

from freeze_gui.runs.comparability import steps_finished
from freeze_gui.runs.differences import end_equality, first_difference
from freeze_gui.runs.recorder import RunRecorder


def are_equal(one: RunRecorder, other: RunRecorder) -> bool:
    """Tell whether two runs are one run: the same steps, every loss, update and evaluation, and the bits at the end.

    Runs that finished no step are not: there is nothing in which they could differ.
    """
    ends = end_equality(one, other)
    if not ends or len(ends) != len(one.layers) or len(ends) != len(other.layers) or not all(ends.values()):
        return False
    found = first_difference(one, other)
    taken = {found.common_steps, steps_finished(one), steps_finished(other)}
    return len(taken) == 1 and 0 not in taken and found.step is None and found.same_evaluations


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
    return [f"{' = '.join(group)}: the same bits, in every loss, evaluation and weight" for group in groups]
