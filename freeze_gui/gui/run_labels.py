"""What runs are called in the window: their own name, then what tells them from a run of that name, else a number."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

from freeze_gui.runs.words import setting_words

if TYPE_CHECKING:
    from freeze_gui.runs.recorder import RunRecorder
    from freeze_gui.training.config import RunConfig

_MOST_WORDS = 2
_LONGEST = 20
"""Characters of a value that are still read at a glance."""
_TELLING = {
    "freeze.method": "{}",
    "model.source": "{}",
    "data.source": "{}",
    "optimizer.name": "{}",
    "optimizer.lr": "lr {}",
    "optimizer.zero_grad": "zero_grad {}",
    "freeze.norm": "norm {}",
    "freeze.layers": "layers {}",
    "train.steps": "{} steps",
    "train.epochs": "{} epochs",
    "train.seed": "seed {}",
}
"""What tells two configurations apart, the most telling first, in words; all else comes after under its own key."""


class RunLabels:
    """The labels that runs have; each one that is given is another.

    What a label costs does not grow with the number of runs: a folder may hold a thousand of one name.
    """

    def __init__(self, runs: Iterable[RunRecorder] = ()) -> None:
        self._configs: dict[str, RunConfig] = {}   # label → the first run that has it
        self._numbers: dict[str, int] = {}   # label → the last number that was given behind it
        for run in runs:
            self._configs.setdefault(run.label, run.config)

    def give(self, label: str, config: RunConfig) -> str:
        """Return the label if no run has it, else with what differs from the first that has, else with a number."""
        twin = self._configs.get(label)
        words = [] if twin is None or twin == config else differing_words(config.to_dict(), twin.to_dict())
        told = free = " · ".join([label, *words])
        number = self._numbers.get(told, 1)
        while free in self._configs:
            number += 1
            free = f"{told} #{number}"
        self._numbers[told], self._configs[free] = number, config
        return free


def telling_label(label: str, config: RunConfig, others: Iterable[RunRecorder]) -> str:
    """Return the label for one run beside these others."""
    return RunLabels(others).give(label, config)


def name_apart(recorders: Iterable[RunRecorder], others: Iterable[RunRecorder]) -> None:
    """Give each of these runs a label that no other has."""
    labels = RunLabels(others)
    for recorder in recorders:
        recorder.label = labels.give(recorder.label, recorder.config)


def differing_words(config: Mapping[str, Any], other: Mapping[str, Any]) -> list[str]:
    """Return what a configuration has otherwise than another, in at most two parts of a few words."""
    mine, theirs = ({"optimizer.fused": False} | _flat(content) for content in (config, other))   # off where absent
    keys = [*_TELLING, *sorted(mine.keys() - _TELLING.keys())]
    differing = [key for key in keys if key in mine and mine[key] != theirs.get(key)]
    return [_words(key, mine[key], theirs.get(key)) for key in differing[:_MOST_WORDS]]


def _flat(content: Mapping[str, Any]) -> dict[str, Any]:
    return {
        f"{section}.{key}": value
        for section, table in content.items() if isinstance(table, Mapping)
        for key, value in table.items()
    }


def _words(key: str, value: Any, other: Any) -> str:
    section, _, name = key.rpartition(".")
    name = section if name == "source" else name.replace("_", " ")
    if isinstance(value, bool):
        return setting_words(name, value)
    shown = _shown(key, value)
    if isinstance(value, Mapping) or not shown or len(shown) > _LONGEST or shown == _shown(key, other):
        return f"other {name}"
    return _TELLING.get(key, f"{name} {{}}").format(shown)


def _shown(key: str, value: Any) -> str:
    """Return a value as a person reads it: of a source what it is called, without the kind and the folder."""
    if key.endswith(".source"):
        kind, _, rest = str(value).partition(":")
        return PurePath(rest).name if kind in ("file", "folder") else rest or kind
    if key == "train.steps" and isinstance(value, int):
        return f"{value:,}"
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
