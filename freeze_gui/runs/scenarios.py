"""The situations that ship with the program: configurations with a title, what to look at, and what to expect."""

from __future__ import annotations

import difflib
import tomllib
from dataclasses import dataclass
from pathlib import Path

from freeze_gui.errors import UserError
from freeze_gui.resources import resource_path


@dataclass(frozen=True)
class Scenario:
    """One file of ``resources/scenarios``.

    Attributes
    ----------
    name
        Name of the file without its ending; stands for the file on the command line.
    title, look_at, expect
        Its ``[scenario]`` table: what it is, where to look, what will be seen there.
    path
        The file.
    """

    name: str
    title: str
    look_at: str
    expect: str
    path: Path


def list_scenarios() -> list[Scenario]:
    """Return all scenarios by name."""
    return [_read(path) for path in sorted(resource_path("scenarios").glob("*.toml"), key=lambda path: path.stem)]


def config_path(name_or_path: str) -> Path:
    """Return the file that a person means: a path, or a scenario's name.

    Raises
    ------
    UserError
        When it is neither.
    """
    path = Path(name_or_path).expanduser()
    if path.exists():
        return path
    scenarios = {scenario.name: scenario.path for scenario in list_scenarios()}
    if name_or_path in scenarios:
        return scenarios[name_or_path]
    near = difflib.get_close_matches(name_or_path, scenarios, n=1)
    hint = f"did you mean the scenario {near[0]}?" if near else "freeze-gui scenarios lists the scenarios"
    raise UserError(f"{name_or_path}: no such file, and no scenario of that name; {hint}")


def _read(path: Path) -> Scenario:
    table = tomllib.loads(path.read_text(encoding="utf-8"))["scenario"]
    return Scenario(path.stem, table["title"], table["look_at"], table["expect"], path)
