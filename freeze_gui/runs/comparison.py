"""Several runs from one start, one after another: same weights, same seed, same batches, another freezing method."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import asdict
from typing import Any

from freeze_gui.freezing.methods import PausedIdeal
from freeze_gui.runs.comparability import comparability
from freeze_gui.runs.comparability_words import comparability_sentences
from freeze_gui.runs.equivalence import equal_groups
from freeze_gui.runs.interleave import interleaved_events
from freeze_gui.runs.recorder import RunRecorder
from freeze_gui.training.config import RunConfig
from freeze_gui.training.control import RunControl
from freeze_gui.training.events import RunEvent
from freeze_gui.training.trainer import Trainer

FORMAT = 1
"""Version of the comparison's JSON."""


def compare_events(
    configs: Sequence[RunConfig], control: RunControl | None = None, interleave: bool = False
) -> Iterator[tuple[int, RunEvent]]:
    """Yield (index of the run, event) of each run, one run after another, or in turns so that times can be compared.

    A run that fails does not keep the others from running. Stopping ends them all, because they share `control`: a
    run that did not begin yields nothing but its `RunEnded`.
    """
    control = control or RunControl()
    if interleave:
        yield from interleaved_events(configs, control)
        return
    for index, config in enumerate(configs):
        with closing(_events(config, control)) as events:
            for event in events:
                yield index, event


def comparison_summary(
    recorders: Sequence[RunRecorder], interleaved: bool = False, most_norms: int | None = None
) -> dict[str, Any]:
    """Return the comparison ready for JSON, with at most so many norms a run.

    It holds the configuration of the first run that freezes something by a method; whether all began with the same bits
    and saw the same batches, each two of them in the steps and evaluations that both had, for all together, for each
    two, and in sentences (null where that is not proven, or there was nothing to compare); the labels of runs that are
    equal in every bit; and one summary a run, in order.
    """
    found = comparability(recorders)
    groups = [[recorders[index].label for index in group] for group in equal_groups(recorders)]
    return {
        "format": FORMAT,
        "config": _typical(recorders).config.to_dict() if recorders else {},
        "same_start": found.start.same,
        "same_batches": found.batches.same,
        "same_validation": found.validation.same,
        "common_steps": found.common_steps,
        "comparability": {"holds": found.holds, **asdict(found)},
        "proof": comparability_sentences(found) if len(recorders) > 1 else "",
        "equal_groups": groups,
        "interleaved": interleaved,
        "runs": [
            {"label": run.label, "method": run.config.freeze.method, "summary": run.summary(most_norms)}
            for run in recorders
        ],
    }


def _typical(recorders: Sequence[RunRecorder]) -> RunRecorder:
    """Return the first run that is neither a reference nor the paused ideal, else the first of all."""
    for recorder in recorders:
        freeze = recorder.config.freeze
        if freeze.method != PausedIdeal.id and (freeze.layers or freeze.phases or freeze.tasks):
            return recorder
    return recorders[0]


def _events(config: RunConfig, control: RunControl) -> Generator[RunEvent, None, None]:
    yield from Trainer(config, control).events()
