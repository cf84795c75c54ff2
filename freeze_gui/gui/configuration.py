"""What a run needs beyond the form: ticks and phases, and keys of a file that the form does not show."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from freeze_gui.freezing.plan import FreezePlan, FreezeSettings, PhaseSettings, resolve
from freeze_gui.gui.timeline_state import Timeline, phases_of, tasks_of, timeline_of
from freeze_gui.models.layer_tree import LayerTree
from freeze_gui.training.config import load_config

_SCHEDULE = ("layers", "from_step", "to_step", "phase", "task")
_BESIDE_FORM = {
    "model": ("num_classes",),
    "train": ("threads",),
}
"""Keys that the form does not show."""


class Configuration:
    """Keeps what came with a configuration and is not in the form."""

    def __init__(self, content: Mapping[str, Any] | None = None) -> None:
        self._content: dict[str, dict[str, Any]] = {key: dict(table) for key, table in (content or {}).items()}

    def timeline(self, tree: LayerTree) -> Timeline:
        """Return what is frozen when.

        Raises
        ------
        UserError
            When a pattern matches nothing in this model.
        """
        freeze = {"freeze": self._content["freeze"]} if "freeze" in self._content else {}
        return timeline_of(load_config({"model": {"source": "any"}, **freeze}).freeze, tree)

    def with_timeline(self, timeline: Timeline, tree: LayerTree) -> Configuration:
        """Return the same with other ticks and phases."""
        freeze = {key: value for key, value in self._content.get("freeze", {}).items() if key not in _SCHEDULE}
        return Configuration({**self._content, "freeze": {**freeze, **self._schedule(timeline, tree)}})

    def merged(self, form: Mapping[str, Mapping[str, Any]], timeline: Timeline, tree: LayerTree) -> dict[str, Any]:
        """Return the tables of a CONFIG.toml: the form's keys, ticks and phases, and what else came along."""
        merged: dict[str, Any] = {}
        for section, table in form.items():
            came, beside = self._content.get(section, {}), _BESIDE_FORM.get(section, ())
            merged[section] = {key: came[key] for key in beside if key in came} | dict(table)
        merged["freeze"] |= self._schedule(timeline, tree)
        return merged

    def _schedule(self, timeline: Timeline, tree: LayerTree) -> dict[str, Any]:
        """Return the keys that say what is frozen when: one plain window stays one unless the file said phases."""
        phases = phases_of(timeline, tree)
        tasks = [{"task": task.task, "layers": list(task.layers)} for task in tasks_of(timeline)]
        only = phases[0] if len(phases) == 1 and "phase" not in self._content.get("freeze", {}) else None
        table: dict[str, Any]
        if only is not None and only.unit == "step" and only.lr_factor == 1.0:
            table = {"layers": list(only.layers), "from_step": only.start}
            table |= {} if only.stop is None else {"to_step": only.stop}
        elif phases:
            table = {"phase": [_phase_table(phase) for phase in phases]}
        else:
            table = {"layers": []}
        return table | ({"task": tasks} if tasks else {})


def plan_of(freeze: FreezeSettings, timeline: Timeline, tree: LayerTree, epoch_steps: int | None) -> FreezePlan:
    """Return the plan of a run that goes on with these bars, with method, norm policy and moment as it began.

    Raises
    ------
    UserError
        When a bar counts epochs and nobody knows how long one is.
    """
    plain = replace(freeze, layers=(), from_step=0, to_step=None)
    return resolve(replace(plain, phases=phases_of(timeline, tree), tasks=tasks_of(timeline)), tree, epoch_steps)


def _phase_table(phase: PhaseSettings) -> dict[str, Any]:
    table: dict[str, Any] = {"layers": list(phase.layers), "from": phase.start, "unit": phase.unit}
    table |= {} if phase.stop is None else {"to": phase.stop}
    return table | ({} if phase.lr_factor == 1.0 else {"lr_factor": phase.lr_factor})
