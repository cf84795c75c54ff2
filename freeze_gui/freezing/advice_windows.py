"""Warnings of what a plan says of time: windows, tasks, thaws, and the rates of its phases."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from freeze_gui.freezing.circumstances import Circumstances, ForecastWarning, warning
from freeze_gui.freezing.plan import FreezePlan


def never_in_effect(seen: Circumstances) -> ForecastWarning | None:
    """Warn of windows outside the run, of tasks that do not come, and of phases that name nothing."""
    plan = seen.basis.plan
    late = {m for p in plan.phases for m in p.modules if p.start >= seen.steps or (p.stop or seen.steps) <= p.start}
    late -= {m for p in plan.phases if p.start < min(seen.steps, p.stop or seen.steps) for m in p.modules}
    missing, of_tasks = _without_task(plan, seen.basis.turns)
    reasons = [f"the run has {seen.steps} steps, and their window opens after the last or holds none"] * bool(late)
    if missing:
        reasons.append(f"no step of task {', '.join(missing)} comes, {_only(seen.basis.turns)}")
    layers = tuple(layer for layer in seen.layers if layer in late | of_tasks)
    if any(not phase.modules for phase in plan.phases):
        reasons.append("a phase names no layers")
    elif not layers:
        return None
    return ForecastWarning(
        "never_in_effect",
        layers,
        f"This part of the plan never freezes {'these' if layers else 'any'} layers: {'; and '.join(reasons)}. Move "
        "the window, make the run longer, or name a task that comes.",
    )


def task_never_came(
    plan: FreezePlan, came: Sequence[str | None], never_frozen: Iterable[str]
) -> ForecastWarning | None:
    """Return the warning after a run that some task of its plan did not come.

    Parameters
    ----------
    plan
        What was to be frozen when.
    came
        The tasks of the steps that were taken.
    never_frozen
        The layers that were frozen in none of them.
    """
    missing, of_tasks = _without_task(plan, came)
    return warning(
        "never_in_effect",
        (layer for layer in never_frozen if layer in of_tasks),
        f"This part of the plan never froze these layers: no step of task {', '.join(missing)} came, {_only(came)}. "
        "Name a task that comes.",
    )


def _without_task(plan: FreezePlan, turns: Sequence[str | None]) -> tuple[list[str], set[str]]:
    """Return the tasks of the plan that are not among `turns`, and the modules that they freeze."""
    missing = list(dict.fromkeys(name for name, _ in plan.tasks if name not in turns))
    return missing, {m for name, modules in plan.tasks if name in missing for m in modules}


def _only(turns: Sequence[str | None]) -> str:
    named = [task for task in dict.fromkeys(turns) if task is not None]
    return f"only of {', '.join(named)}" if named else "and the data name no task"


def rates_overlap(seen: Circumstances) -> ForecastWarning | None:
    """Warn of layers with several learning rates."""
    return warning(
        "rates_overlap",
        seen.rates_clash,
        "Several phases name these layers with different learning rates, and the last phase alone counts, at every "
        "step. Give them one lr_factor.",
    )


def momentum_dropped(seen: Circumstances) -> ForecastWarning | None:
    """Warn of an optimizer that is built anew in the middle of the run."""
    plan = seen.basis.plan
    late = {m for p in plan.phases if 0 < p.start < seen.steps for m in p.modules}
    late |= {m for _, modules in plan.tasks for m in modules}   # these freeze again at each turn of their task
    mid_run = plan.method == "filter" and seen.has_state
    return warning(
        "momentum_dropped",
        (layer for layer in seen.layers if mid_run and layer in late),
        f"filter builds {seen.optimizer} anew when these layers freeze, and every layer loses its momentum and "
        "moments. Take exclude or requires_grad, which change nothing for the others.",
    )


def thaw_jump(seen: Circumstances) -> ForecastWarning | None:
    """Warn of layers whose momentum goes on changing while they hold."""
    plan = seen.basis.plan
    thawing = {m for p in plan.phases if p.stop is not None and p.start < p.stop < seen.steps for m in p.modules}
    evolving = {t.layer for t in seen.tensors or () if t.state_evolves} if plan.thaw == "keep_state" else set()
    return warning(
        "thaw_jump",
        (layer for layer in seen.layers if layer in thawing and layer in evolving),
        f"{seen.optimizer} goes on changing the momentum of these layers while they are frozen, so that their first "
        "step after the thaw may be many times too large. Thaw with reset_state, or freeze with gradients of None.",
    )


def thaw_fails(seen: Circumstances) -> ForecastWarning | None:
    """Warn of layers that thaw without momentum into a group of fused SGD that has some."""
    plan = seen.basis.plan
    thawing = [p for p in plan.phases if p.stop is not None and p.start < p.stop < seen.steps]
    if plan.thaw == "keep_state":   # who got a gradient before, or gets one while frozen, has momentum
        lasts = plan.moment == "step_start" or plan.method == "grad_none"
        never = lasts and plan.method in ("requires_grad", "grad_none", "no_grad", "detach")
        thawing = [p for p in thawing if never and p.start == 0]
    apart = plan.method in ("exclude", "filter")   # what thaws becomes a group of its own
    without = {m for p in thawing for m in p.modules} if seen.begins_together and not apart else set()
    return warning(
        "thaw_fails",
        (layer for layer in seen.layers if layer in without),
        "These layers thaw without momentum and the others have some by then, which PyTorch's fused SGD does not take: "
        "the run will fail there. Leave fused out, or freeze by exclude or filter.",
    )
