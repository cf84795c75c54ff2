"""What a run needs beyond the form: the ticks or a schedule, and keys of a file that the form does not show."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from freeze_gui.freezing.plan import resolve
from freeze_gui.models.layer_tree import LayerTree
from freeze_gui.training.config import load_config

_SCHEDULE = ("phase", "task", "from_step", "to_step")
_FORM_KEYS = {
    "model": ("source", "weights"),
    "data": ("source", "batch_size"),
    "freeze": ("method", "norm", "layers"),
    "train": ("steps", "epochs", "seed", "device", "loss"),
}


class Configuration:
    """Keeps what came with a configuration and is not in the form; a tick replaces its schedule."""

    def __init__(self, content: Mapping[str, Any] | None = None) -> None:
        self._content: dict[str, dict[str, Any]] = {key: dict(table) for key, table in (content or {}).items()}

    @property
    def has_schedule(self) -> bool:
        """Whether more than one set of ticks for the whole run is asked for."""
        freeze = self._content.get("freeze", {})
        windows = freeze.get("from_step", 0) > 0 or "to_step" in freeze
        return bool(freeze.get("phase") or freeze.get("task") or windows)

    def with_layers(self, patterns: Iterable[str]) -> Configuration:
        """Return the same with plain ticks instead of a schedule."""
        content = {key: dict(table) for key, table in self._content.items()}
        freeze = {key: value for key, value in content.get("freeze", {}).items() if key not in _SCHEDULE}
        return Configuration({**content, "freeze": {**freeze, "layers": list(patterns)}})

    def layers_at_start(self, tree: LayerTree) -> frozenset[str]:
        """Return the layers that are frozen at the first step.

        Raises
        ------
        UserError
            When a pattern matches nothing in this model.
        """
        freeze = {"freeze": self._content["freeze"]} if "freeze" in self._content else {}
        settings = load_config({"model": {"source": "any"}, **freeze}).freeze
        plan = resolve(settings, tree, epoch_steps=1)
        first_task = settings.tasks[0].task if settings.tasks else None
        return plan.frozen_at(0, first_task) & frozenset(tree.layers)

    def merged(self, form: Mapping[str, Mapping[str, Any]], patterns: Iterable[str]) -> dict[str, Any]:
        """Return the tables of a CONFIG.toml: the form's keys, the ticks or the schedule, and what else came along."""
        merged: dict[str, Any] = {}
        for section, table in form.items():
            known = _FORM_KEYS.get(section)
            kept = self._content.get(section, {}) if known else {}
            merged[section] = {key: value for key, value in kept.items() if key not in (known or ())} | dict(table)
        if not self.has_schedule:
            merged["freeze"]["layers"] = list(patterns)
        elif "phase" not in merged["freeze"]:
            merged["freeze"]["layers"] = self._content["freeze"].get("layers", [])
        return merged
