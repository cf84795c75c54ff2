"""What a scenario claims, set against what its run has shown."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from freeze_gui.errors import UserError
from freeze_gui.runs.claim_checks import CHECKS
from freeze_gui.runs.same_run import Essence, essence
from freeze_gui.runs.scenarios import Claim, Scenario, list_scenarios
from freeze_gui.training.config import RunConfig, load_config

Summary = Mapping[str, Any]


@dataclass(frozen=True)
class ClaimResult:
    """One claim and what the run showed.

    Attributes
    ----------
    claim
        What can be read about freezing.
    claimed_true
        Whether the scenario says that it is true under today's PyTorch.
    seen
        What was seen, in words with numbers.
    agrees
        Whether what was seen is what the scenario says: a true claim was borne out, or a false one was not.
    """

    claim: str
    claimed_true: bool
    seen: str
    agrees: bool


def judge(scenario: Scenario, summary: Summary) -> tuple[ClaimResult, ...]:
    """Return every claim of `scenario` beside what the run of this summary showed.

    A run that was cut short, or that went on from a checkpoint, has shown a part only: the result is empty.
    """
    if summary["status"] != "completed" or summary["measured_steps"][:1] != [0]:
        return ()
    return tuple(_judge(claim, summary) for claim in scenario.claims)


def scenario_of(config: RunConfig) -> Scenario | None:
    """Return the scenario whose configuration this is, device and threads aside; None once anything else differs.

    It does not matter whether a value is written out or left to its default, nor by which pattern a layer is named.
    """
    known = _essences(config.model.source)
    if not known:
        return None
    try:
        mine = essence(load_config(config.to_dict()))   # a run's file may say what this version does not know
    except UserError:
        return None   # or it is a half-changed configuration whose layers are not in the model
    return known.get(mine)


@functools.cache
def _essences(source: str) -> dict[Essence, Scenario]:
    """Return the scenarios of a model by what their configurations come to: all would take 55 ms of the first Run."""
    return {essence(load_config(one.path)): one for one in list_scenarios() if one.model == source}


def _judge(claim: Claim, summary: Summary) -> ClaimResult:
    arguments = {key: value for key, value in claim.check.items() if key != "kind"}
    seen = CHECKS[claim.check["kind"]](summary, **arguments)
    return ClaimResult(claim.says, claim.true, seen.words, seen.holds is claim.true)
