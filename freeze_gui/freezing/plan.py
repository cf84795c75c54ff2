"""Which layers are frozen, when, by which method, and how their norm layers behave.

The plan is a pure function of the step (and of the step's task): resuming at step t gives the same frozen layers as an
uninterrupted run.
"""

from __future__ import annotations

from dataclasses import dataclass

from freeze_gui.errors import UserError
from freeze_gui.models.layer_tree import LayerTree
from freeze_gui.models.selection import select

NORM_POLICIES = ("leave", "eval")
MOMENTS = ("step_start", "after_backward")
THAW_MODES = ("keep_state", "reset_state")
PHASE_UNITS = ("step", "epoch")


@dataclass(frozen=True)
class PhaseSettings:
    """One ``[[freeze.phase]]``: patterns frozen from `start` to `stop` (excluded), in steps or epochs.

    `lr_factor` multiplies the learning rate of these layers whenever they train.
    """

    layers: tuple[str, ...]
    start: int = 0
    stop: int | None = None
    unit: str = "step"
    lr_factor: float = 1.0


@dataclass(frozen=True)
class TaskSettings:
    """One ``[[freeze.task]]``: patterns frozen in the steps of `task` only."""

    task: str
    layers: tuple[str, ...]


@dataclass(frozen=True)
class FreezeSettings:
    """The ``[freeze]`` section, as written by a person: patterns, not yet looked up in a model."""

    layers: tuple[str, ...] = ()
    method: str = "requires_grad"
    norm: str = "leave"
    from_step: int = 0
    to_step: int | None = None
    moment: str = "step_start"
    thaw: str = "keep_state"
    phases: tuple[PhaseSettings, ...] = ()
    tasks: tuple[TaskSettings, ...] = ()


@dataclass(frozen=True)
class Phase:
    """Modules that are frozen in the steps [start, stop); `stop` None means to the end."""

    modules: frozenset[str]
    start: int = 0
    stop: int | None = None


@dataclass(frozen=True)
class FreezePlan:
    """What must hold still at each step.

    Attributes
    ----------
    phases, tasks
        Module paths, frozen by step and by task.
    method, norm, moment, thaw
        As in the ``[freeze]`` section.
    """

    phases: tuple[Phase, ...] = ()
    tasks: tuple[tuple[str, frozenset[str]], ...] = ()
    method: str = "requires_grad"
    norm: str = "leave"
    moment: str = "step_start"
    thaw: str = "keep_state"

    def frozen_at(self, step: int, task: str | None = None) -> frozenset[str]:
        """Return the paths of the modules frozen at `step`, a step of `task`."""
        return frozenset().union(*self.sets_at(step, task))

    def sets_at(self, step: int, task: str | None = None) -> list[frozenset[str]]:
        """Return the paths that each phase and task freezes at `step`."""
        sets = [p.modules for p in self.phases if p.start <= step and (p.stop is None or step < p.stop)]
        return sets + [modules for name, modules in self.tasks if name == task]


def resolve(settings: FreezeSettings, tree: LayerTree, epoch_steps: int | None = None) -> FreezePlan:
    """Look the patterns of `settings` up in `tree`.

    Parameters
    ----------
    settings
        What a person wrote.
    tree
        The model's layers.
    epoch_steps
        Steps per epoch, needed for phases in epochs.

    Raises
    ------
    UserError
        When a pattern matches nothing, or a phase counts epochs and the data do not say how long one is.
    """
    phases = []
    if settings.layers:
        phases.append(Phase(select(tree, settings.layers), settings.from_step, settings.to_step))
    for phase in settings.phases:
        scale = _steps_per_unit(phase, epoch_steps)
        stop = None if phase.stop is None else phase.stop * scale
        phases.append(Phase(select(tree, phase.layers), phase.start * scale, stop))
    tasks = tuple((task.task, select(tree, task.layers)) for task in settings.tasks)
    return FreezePlan(tuple(phases), tasks, settings.method, settings.norm, settings.moment, settings.thaw)


def _steps_per_unit(phase: PhaseSettings, epoch_steps: int | None) -> int:
    if phase.unit == "step":
        return 1
    if epoch_steps is None:
        raise UserError(
            'freeze.phase with unit = "epoch": these data do not say how many batches an epoch has; '
            'use unit = "step" or give the data a length'
        )
    return epoch_steps
