"""The situations that ship with the program: configurations with a title, what to look at, and what is claimed."""

from __future__ import annotations

import difflib
import functools
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from freeze_gui.errors import UserError
from freeze_gui.resources import resource_path


@dataclass(frozen=True)
class Claim:
    """One ``[[scenario.claim]]``.

    Attributes
    ----------
    says
        What can be read about freezing, in our words.
    true
        Whether it is true under today's PyTorch.
    check
        What the run shows where the claim is true: ``kind`` and the arguments of one of `claim_checks.CHECKS`.
    """

    says: str
    true: bool
    check: Mapping[str, Any]


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
    claims
        What is said about it, true or not.
    model
        Source of the model that it trains.
    """

    name: str
    title: str
    look_at: str
    expect: str
    path: Path
    claims: tuple[Claim, ...] = ()
    model: str = ""


@functools.cache   # they ship with the program and do not change under it
def list_scenarios() -> tuple[Scenario, ...]:
    """Return all scenarios by name."""
    files = sorted(resource_path("scenarios").glob("*.toml"), key=lambda path: path.stem)
    return tuple(_read(path) for path in files)


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
    content = tomllib.loads(path.read_text(encoding="utf-8"))
    table = content["scenario"]
    claims = tuple(Claim(claim["says"], claim["true"], claim["check"]) for claim in table.get("claim", ()))
    model = content["model"]["source"]
    return Scenario(path.stem, table["title"], table["look_at"], table["expect"], path, claims, model)
