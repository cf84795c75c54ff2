"""Several runs from one start, one after another: same weights, same seed, same batches, another freezing method."""

from __future__ import annotations

import difflib
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import closing
from typing import Any

from freeze_gui.errors import UserError
from freeze_gui.freezing.methods import METHODS
from freeze_gui.runs.recorder import RunRecorder
from freeze_gui.training.config import RunConfig
from freeze_gui.training.control import RunControl
from freeze_gui.training.events import RunEvent
from freeze_gui.training.trainer import Trainer

FORMAT = 1
"""Version of the comparison's JSON."""


def configs_for_methods(config: RunConfig, methods: Iterable[str]) -> list[RunConfig]:
    """Return `config` once per freezing method; ``all`` stands for every one. A method named twice runs once.

    The runs start alike because each loads the model and the data anew from the same settings and seed.

    Raises
    ------
    UserError
        When a method is unknown, or none is named.
    """
    chosen: dict[str, None] = {}
    for method in methods:
        if method == "all":
            chosen.update(dict.fromkeys(METHODS))
        elif method in METHODS:
            chosen[method] = None
        else:
            near = difflib.get_close_matches(method, METHODS, n=1, cutoff=0.4)
            hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(METHODS)}"
            raise UserError(f"{method!r} is no freezing method; {hint}")
    if not chosen:
        raise UserError(f"name at least one freezing method: all, or some of {', '.join(METHODS)}")
    return [config.with_method(method) for method in chosen]


def compare_events(
    configs: Sequence[RunConfig], control: RunControl | None = None
) -> Iterator[tuple[int, RunEvent]]:
    """Yield (index of the run, event) of each run, one run after another.

    A run that fails does not keep the others from running. Stopping ends them all, because they share `control`: a
    run that did not begin yields nothing but its `RunEnded`.
    """
    control = control or RunControl()
    for index, config in enumerate(configs):
        with closing(_events(config, control)) as events:
            for event in events:
                yield index, event


def comparison_summary(recorders: Sequence[RunRecorder]) -> dict[str, Any]:
    """Return the comparison ready for JSON: the common configuration and one summary a run, in order."""
    return {
        "format": FORMAT,
        "config": recorders[0].config.to_dict() if recorders else {},
        "runs": [
            {"label": run.label, "method": run.config.freeze.method, "summary": run.summary()} for run in recorders
        ],
    }


def _events(config: RunConfig, control: RunControl) -> Generator[RunEvent, None, None]:
    yield from Trainer(config, control).events()
