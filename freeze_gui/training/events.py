"""The closed set of frozen records that a run produces, in the order in which they come.

`Progress`\\* → `RunStarted` → (`PlanApplied`? `StepDone` `Evaluated`?)\\* → `Progress`? → `RunEnded`. A run that
cannot start ends with `RunEnded` at once. Records hold plain numbers and read-only arrays, never tensors.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from freeze_gui.freezing.norm_layers import NormReport
from freeze_gui.freezing.side_effects import SideEffect, ThawReport
from freeze_gui.freezing.verdict import TensorVerdict

if TYPE_CHECKING:   # what it costs is counted with `Cost`, which stands here
    from freeze_gui.training.run_forecast import RunForecast

NO_GRADIENT = -1.0
"""Stands for "no gradient" (None) in arrays of gradient norms: a norm is never negative, and NaN means NaN."""


@dataclass(frozen=True)
class Progress:
    """Something that takes a while before the first step or after the last one; `total` None while it is not known."""

    text: str
    done: int = 0
    total: int | None = None


@dataclass(frozen=True)
class LayerRecord:
    """One layer of the run, in row order: `path`, class name, number of parameter elements."""

    path: str
    kind: str
    parameters: int


@dataclass(frozen=True)
class RunStarted:
    """The model and the data are there; the first step follows.

    Attributes
    ----------
    layers
        Rows of every array of this run.
    total_steps
        Steps that the run will take if nothing stops it.
    device
        Where it runs, as ``cpu`` or ``cuda:0``.
    epoch_steps
        Batches per epoch, None where the data do not say.
    environment
        Versions and machine, for the summary.
    forecast
        What the law says will happen; None where nothing was forecast.
    parameters
        Full names of the model's parameters: rows of every array of optimizer state.
    """

    layers: tuple[LayerRecord, ...]
    total_steps: int
    device: str
    epoch_steps: int | None
    environment: Mapping[str, Any]
    forecast: RunForecast | None = None
    parameters: tuple[str, ...] = ()


@dataclass(frozen=True)
class PlanApplied:
    """From `step` on these layers are frozen (`frozen`: one flag a layer), by the plan or by hand.

    `by_task` where the steps' task alone changed it, as it does at every other step of two tasks.
    """

    step: int
    frozen: NDArray[np.bool_]   # (layers,)
    trainable_parameters: int
    by_task: bool = False


@dataclass(frozen=True)
class StepDone:
    """One optimizer step.

    Attributes
    ----------
    step
        Counted from 0.
    loss
        Before the update; the mean over the step's micro-batches.
    task
        The step's task, for data of several tasks.
    grad_norm, update_norm, weight_delta
        One norm a layer, or None when this step was not measured. `NO_GRADIENT` where a layer has none.
    frozen
        One flag a layer; the array is shared between steps.
    leaked
        Layers (row numbers) whose bits moved at this step although they are frozen.
    step_s, overhead_s
        Wall time of the whole step, and the part of it that measuring took.
    learning_rate
        Of layers without a factor of their own.
    optimizer_state
        Per parameter (rows as `RunStarted.parameters`) its step count and the norms of its first and second moment, NaN
        where the optimizer keeps none; at measured steps of runs with tasks, else None.
    """

    step: int
    loss: float
    task: str | None
    grad_norm: NDArray[np.float64] | None
    update_norm: NDArray[np.float64] | None
    weight_delta: NDArray[np.float64] | None
    frozen: NDArray[np.bool_]
    leaked: tuple[int, ...]
    step_s: float
    overhead_s: float
    learning_rate: float
    optimizer_state: NDArray[np.float64] | None = None   # (parameters, 3)


@dataclass(frozen=True)
class Evaluated:
    """Loss and accuracy on the validation data, after `step` optimizer steps; accuracy is None for regression."""

    step: int
    loss: float
    accuracy: float | None


@dataclass(frozen=True)
class Cost:
    """What the run cost.

    Attributes
    ----------
    gradient_bytes, optimizer_state_bytes
        Held after the last step's backward and by the optimizer.
    saved_activation_bytes
        Kept by autograd for the backward pass of one step, parameters not counted.
    peak_memory_bytes
        Of the device on CUDA; None elsewhere.
    """

    gradient_bytes: int
    optimizer_state_bytes: int
    saved_activation_bytes: int | None
    peak_memory_bytes: int | None


@dataclass(frozen=True)
class Proof:
    """What shows that two runs began alike, saw the same, and came to the same: digests, equal for equal bits.

    Attributes
    ----------
    start, end
        Path → digest of a layer's parameters and buffers, in front of the first step that was taken and after the last;
        empty where a tensor is of a kind that has none. There is no layer in `end` where a person stopped the run of a
        large model before all digests were taken.
    batches
        Digest of the inputs, targets and tasks of all batches in order; empty where not all have one.
    batches_by_step
        The same after each step that was begun, cut to 48 bits, so that runs of different length can be compared. It
        ends in front of the first step whose batches have no digest.
    batches_out_of_reach
        What those batches hold whose content cannot be known; empty where all have one.
    evaluations
        Steps taken before an evaluation → digest of its validation batches in their order; empty where they have none.
    evaluations_out_of_reach
        As `batches_out_of_reach`, of the validation batches.
    is_whole
        False for a run that an older version wrote: its digests knew an object in a batch by nothing but its class.
    """

    start: Mapping[str, str]
    end: Mapping[str, str]
    batches: str
    batches_by_step: NDArray[np.uint64]   # (steps,)
    batches_out_of_reach: str = ""
    evaluations: Mapping[int, str] = field(default_factory=dict)
    evaluations_out_of_reach: str = ""
    is_whole: bool = False


@dataclass(frozen=True)
class RunEnded:
    """The last record of every run.

    Attributes
    ----------
    status
        ``completed``, ``stopped``, ``diverged``, ``out_of_memory`` or ``failed``.
    error
        What a person needs to know when it is not ``completed`` or ``stopped``, else None.
    steps
        Steps done.
    tensors
        The verdict on every parameter and buffer.
    cost
        None when no step was done.
    effective_weights
        The verdict on every weight that a parametrization computes, as ``fc.weight``.
    norm_reports
        What held of each norm layer that was frozen.
    thaws
        The first step of each layer after a thaw.
    optimizer_state
        As in `StepDone`, after the last step of every run.
    plan_changed
        Whether somebody changed the plan during the run, so that it is not the run that was forecast.
    proof
        None where no step was taken.
    """

    status: str
    error: str | None
    steps: int
    tensors: tuple[TensorVerdict, ...] = ()
    side_effects: tuple[SideEffect, ...] = ()
    cost: Cost | None = None
    effective_weights: tuple[TensorVerdict, ...] = ()
    norm_reports: tuple[NormReport, ...] = ()
    thaws: tuple[ThawReport, ...] = ()
    optimizer_state: NDArray[np.float64] | None = None   # (parameters, 3)
    plan_changed: bool = False
    proof: Proof | None = None


RunEvent = Progress | RunStarted | PlanApplied | StepDone | Evaluated | RunEnded
