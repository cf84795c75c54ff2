"""What is known of runs beside each other, in sentences for a report and in a few words for a line."""

from __future__ import annotations

from freeze_gui.runs.comparability import Answer, Comparability
from freeze_gui.runs.words import counted, joined

_SHOWN = 8
"""Hexadecimal digits of a hash in a sentence."""


def comparability_sentences(found: Comparability) -> str:
    """Say of start, training batches and validation batches whether they were the same; and what to do if not."""
    left = f" Left out, for they finished no step: {joined(found.left_out)}." if found.left_out else ""
    if len(found.runs) < 2:
        return f"There is nothing to compare: fewer than two runs finished a step.{left}"
    sentences = [_start(found), _batches(found), _validation(found)]
    if found.start.same is found.batches.same is found.validation.same is None and found.start.why == found.batches.why:
        sentences = [f"That the runs began and went on alike cannot be proven: {found.start.why}."]
    if found.holds is False:
        sentences.append(
            "Compare with care: the configurations differ, or the model or data file draws from something unseeded."
        )
    return " ".join(filter(None, sentences)) + left


def comparability_line(found: Comparability) -> str:
    """Return ``same start ✓ · batches ✓ 100 steps · validation ✓``, or what it is instead."""
    if len(found.runs) < 2:
        return "nothing to compare: fewer than two runs finished a step"
    batches, validation = found.batches, found.validation
    if found.start.same is batches.same is validation.same is None:
        return "same start and batches: not proven"
    parts = [
        _mark("same start", found.start),
        _mark("batches", batches, _counted(batches, "step"), f"from step {batches.first_difference or 0:,}"),
        _mark("validation", validation, "", f"after {counted(validation.first_difference or 0, 'step')}"),
    ]
    return " · ".join(filter(None, parts))


def _start(found: Comparability) -> str:
    what = "began with the same bits in every weight and buffer"
    match found.start.same:
        case True:
            runs = "Both runs" if len(found.runs) == 2 else f"All {len(found.runs)} runs"
            return f"{runs} {what} (hash {found.start_hash[:_SHOWN]})."
        case False:
            return f"The runs did NOT begin with the same bits: {joined(found.start.between)} differ."
    return f"That the runs {what} cannot be proven: {found.start.why}."


def _batches(found: Comparability) -> str:
    answer = found.batches
    match answer.same:
        case True:
            return f"They saw the same training batches{_wherein(answer, 'step')}."
        case False:
            where = f"those of {joined(answer.between)} differ from step {answer.first_difference or 0:,} on"
            return f"They did NOT see the same training batches: {where}."
    return f"That they saw the same training batches cannot be proven: {answer.why}."


def _validation(found: Comparability) -> str:
    answer = found.validation
    match answer.same:
        case True:
            return f"They saw the same validation batches{_wherein(answer, 'evaluation')}."
        case False:
            where = f"after {counted(answer.first_difference or 0, 'step')} those of {joined(answer.between)} differ"
            return f"They did NOT see the same validation batches: {where}, in content or order."
    unproven = f"That they saw the same validation batches cannot be proven: {answer.why}."
    return unproven if answer.why else "No two of them were evaluated after as many steps."


def _mark(what: str, answer: Answer, where_same: str = "", where_not: str = "") -> str:
    """Return a few words with a mark; empty where there was nothing to compare."""
    match answer.same:
        case True:
            return f"{what} ✓ {where_same}".rstrip()
        case False:
            return f"{what} ✗ {where_not}".rstrip()
    return f"{what} not proven" if answer.why else ""


def _wherein(answer: Answer, noun: str) -> str:
    together = answer.compared[0] == answer.compared[1]
    return f" in {_counted(answer, noun)}" if together else f", each two in the {_counted(answer, noun)} of both"


def _counted(answer: Answer, noun: str) -> str:
    """Return ``100 steps``, or ``7 to 12 steps`` where not every two runs have as many in common."""
    fewest, most = answer.compared
    return counted(most, noun) if fewest == most else f"{fewest:,} to {counted(most, noun)}"
