"""What a run's summary says of its forecast, and of how far it came true."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import Any

from freeze_gui.freezing.advice_windows import task_never_came
from freeze_gui.freezing.agreement import Disagreement, disagreements
from freeze_gui.freezing.circumstances import ForecastWarning
from freeze_gui.freezing.forecast import forecast_steps
from freeze_gui.training.events import RunEnded
from freeze_gui.training.run_forecast import RunForecast

_MOST_STEPS = 5000
"""Up to so many steps a run with tasks is forecast again in the order in which its tasks came."""


def forecast_summary(
    forecast: RunForecast, ended: RunEnded, first_step: int, tasks: Sequence[str | None]
) -> dict[str, Any]:
    """Return the ``forecast`` of a summary.

    Parameters
    ----------
    forecast, ended
        What was said before the run, and how it ended.
    first_step
        The first step that this run took: not 0 where it was gone on with.
    tasks
        The task of each step taken.
    """
    compared = forecast.basis is not None and not ended.plan_changed and ended.steps > first_step
    return {
        "known": forecast.tensors is not None,
        "tensors": [
            {"name": t.name, "role": t.role, "layer": t.layer, "causes": sorted(t.causes)}
            for t in forecast.tensors or ()
        ],
        "warnings": [
            {**asdict(warning), "layers": list(warning.layers)}
            for warning in (*forecast.warnings, *_seen_late(forecast, ended, first_step, tasks))
        ],
        "cost": None if forecast.cost is None else asdict(forecast.cost),
        "disagreements": [
            {**asdict(found), "forecast": list(found.forecast), "seen": list(found.seen)}
            for found in (_compare(forecast, ended, first_step, tasks) if compared else ())
        ],
        "compared": compared,
    }


def _compare(
    forecast: RunForecast, ended: RunEnded, first_step: int, tasks: Sequence[str | None]
) -> tuple[Disagreement, ...]:
    """Compare with the forecast of the steps that were taken: a run may end early, and tasks come as they like."""
    assert forecast.basis is not None
    seen_all = first_step == 0 and any(tasks) and forecast.basis.accumulate == 1 and len(tasks) <= _MOST_STEPS
    basis = forecast.basis if any(tasks) else replace(forecast.basis, turns=(None,))
    expected = forecast_steps(basis, ended.steps, first_step, tasks if seen_all else None)
    return disagreements(expected, ended.tensors)


def _seen_late(
    forecast: RunForecast, ended: RunEnded, first_step: int, tasks: Sequence[str | None]
) -> tuple[ForecastWarning, ...]:
    """Return what only the steps could show: that a task of the plan never came, where nobody warned of it."""
    if forecast.basis is None or ended.plan_changed or first_step or not tasks:
        return ()
    warned = {layer for w in forecast.warnings if w.kind == "never_in_effect" for layer in w.layers}
    ever = {layer for tensor in ended.tensors if tensor.frozen_steps for layer in tensor.layers}
    layers = dict.fromkeys(layer for tensor in ended.tensors for layer in tensor.layers)
    late = task_never_came(forecast.basis.plan, tasks, (layer for layer in layers if layer not in ever | warned))
    return () if late is None else (late,)
