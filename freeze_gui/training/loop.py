"""One step of a run, from top to bottom, and everything that it works on."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from freeze_gui.data.sources import Batch
from freeze_gui.freezing.freezer import Freezer
from freeze_gui.freezing.plan import resolve
from freeze_gui.models.layer_tree import LayerTree, build_tree
from freeze_gui.models.randomness import random_state, restore_random
from freeze_gui.training.applied import AppliedPlan
from freeze_gui.training.batches import Batches, epoch_steps, forward, loss_of
from freeze_gui.training.budget import Budget
from freeze_gui.training.checkpoint import (
    Checkpoint,
    all_tensors,
    copied_state,
    restore_optimizer,
    restore_tensors,
)
from freeze_gui.training.config import RunConfig
from freeze_gui.training.control import RunControl
from freeze_gui.training.costs import SavedActivations, cost_of, gradient_bytes
from freeze_gui.training.device import environment
from freeze_gui.training.evaluation import evaluate
from freeze_gui.training.events import Cost, Evaluated, LayerRecord, RunStarted
from freeze_gui.training.evidence import Evidence
from freeze_gui.training.failures import nothing_to_train
from freeze_gui.training.fused import check_fused
from freeze_gui.training.loading import Loaded
from freeze_gui.training.memory import forecast_memory, has_room_for_updates
from freeze_gui.training.optimizers import make_optimizer
from freeze_gui.training.precision import Precision
from freeze_gui.training.rates import param_groups, rate_factors
from freeze_gui.training.reading import Reading
from freeze_gui.training.run_forecast import forecast_run
from freeze_gui.training.schedule import Schedule, check_data_suit
from freeze_gui.training.state_norms import MeasuredState, StateNorms
from freeze_gui.training.stopwatch import Part, Stopwatch
from freeze_gui.training.telemetry import Telemetry
from freeze_gui.training.telling import Telling, UntoldStep
from freeze_gui.training.trials import Trials

_COUNTED_PLANS = 3
"""Activations are counted at the first step of so many plans; a plan that changes at every step would slow the run."""


class Loop:
    """Model, optimizer, freezer and measures of one run, on their device.

    Attributes
    ----------
    measures_updates
        Whether there is memory for the copy that the update of each step is measured by; known when the run starts.
    taken
        How many steps were taken, those before a checkpoint included.
    """

    def __init__(self, config: RunConfig, loaded: Loaded, device: torch.device) -> None:
        self._config, self._loaded, self._device = config, loaded, device
        self._model: nn.Module = loaded.model.module.to(device).train()
        self._tree: LayerTree = build_tree(self._model)
        self._epoch_steps = epoch_steps(loaded.data, config.train.accumulate)
        train, settings = config.train, config.optimizer
        self._total_steps = train.steps or (train.epochs or 0) * (self._epoch_steps or 0)
        self.batches = Batches(loaded.data, train.accumulate, train.steps, train.epochs, device)
        check_fused(settings, train.amp, self._model)
        factors = rate_factors(settings, config.freeze, self._tree)
        groups = param_groups(self._model, factors, settings)
        optimizer = make_optimizer(settings.name, groups, settings.hyper)
        self.schedule = Schedule(
            settings.scheduler, settings.name, settings.hyper, factors.values(), self._total_steps
        )
        check_data_suit(settings.scheduler, bool(loaded.data.validation), self._total_steps)
        self._precision = Precision(train.amp, device)
        plan = resolve(config.freeze, self._tree, self._epoch_steps)
        self._watch = Stopwatch(device)
        self._watching, self._measuring = Part(self._watch), Part(self._watch)
        self.freezer = Freezer(self._model, optimizer, plan, train.clip_grad_norm is not None, self._watching)
        self._applied = AppliedPlan(self._model, self.freezer, self._tree.layers)
        self.measures_updates = True
        self._telemetry: Telemetry   # made at the start, when it is known what memory there is
        self._budget = Budget(train.measure_every)
        self.telling = Telling(self.freezer, self._budget, self._tree.layers, self._watch, self._measuring)
        self._states = StateNorms(self._model)
        self._last_state: MeasuredState | None = None   # of the step before, where this one has dropped some of it
        self._measured_step = -1
        self._activations = SavedActivations(self._model)
        self._plans_counted = 0
        self._gradient_bytes = 0
        self.taken = 0
        self.evidence = Evidence(self._model, self._tree.layers)

    def started(self) -> RunStarted:
        """Return the record of the start.

        Raises
        ------
        DoesNotFit
            When the first steps would need more memory than there is.
        """
        modules = dict(self._model.named_modules())
        layers = tuple(
            LayerRecord(path, type(modules[path]).__name__, sum(p.numel() for p in modules[path].parameters(False)))
            for path in self._tree.layers
        )
        trials, plan = Trials(self._loaded.model), self.freezer.plan
        forecast = forecast_run(self._config, trials, plan, self._total_steps, data=self._loaded.data)
        memory = forecast_memory(self._config, trials, plan, self._device, forecast.cost)
        self.measures_updates = has_room_for_updates(memory, self._device)
        self._telemetry = Telemetry([modules[path] for path in self._tree.layers], self.measures_updates)
        self.telling.telemetry = self._telemetry
        return RunStarted(
            layers,
            self._total_steps,
            str(self._device),
            self._epoch_steps,
            environment(self._device),
            forecast,
            self._states.names,
        )

    def step(self, step: int, group: tuple[Batch, ...]) -> None:
        """Take one optimizer step, unless it turns out that the loss of the one before was not finite.

        On CUDA it is told in the next step: its numbers have come by the time that one's backward is queued, and the
        device never stands still while they are looked at.
        """
        freezer, train, whole = self.freezer, self._config.train, Part(self._watch)
        with whole:
            with self._watching:
                self.evidence.add(group)
            with self._keeping_state():
                freezer.begin_step(step, group[0].task)
            self.schedule.apply(freezer.optimizer)
            change, frozen, rate = self._applied.change(step), self._applied.mask, self.schedule.rate
            of_note = step == self._total_steps - 1 or (change is not None and not change.by_task)
            is_measured = self._is_measured(step, group[0].task, of_note)
            self._zero_grad()
            freezer.before_forward()
            loss = self._backward(group, step, change is not None)
            with self._keeping_state():
                freezer.after_backward(step)
            self._precision.unscale(freezer.optimizer)
            if train.clip_grad_norm is not None:
                nn.utils.clip_grad_norm_(self._model.parameters(), train.clip_grad_norm)
            if not self.telling.settle():
                return
            self._last_state = None
            freezer.before_step(step)
            if is_measured:
                with self._measuring:
                    self._telemetry.look_at_gradients()
            self._precision.step(freezer.optimizer)
            self.schedule.step()
            proofs = freezer.after_step(step)
            with self._measuring:
                norms = self._telemetry.measure(frozen) if is_measured else None
                with_state = is_measured and bool(freezer.plan.tasks)
                state = self._states.measure(freezer.optimizer.state) if with_state else None
                reading = Reading(loss, proofs, norms, None if state is None else state.unread)
            taken = UntoldStep(step, group[0].task, frozen, rate, state, is_measured, reading)
            is_read_later = self._device.type == "cuda"
            if not is_read_later:
                self.telling.look(taken)
        if of_note:
            self._gradient_bytes = gradient_bytes(self._model)
        taken.times = whole.take(), self._measuring.take(), self._watching.take()
        self.taken = step + 1
        if change is not None:
            self.telling.add(change)
        (self.telling.tell_later if is_read_later else self.telling.tell)(taken)

    def evaluation(self, step: int, control: RunControl) -> Iterator[Evaluated]:
        """Yield the result on the validation data, if there are any and nobody stops the run meanwhile."""
        validation = self._loaded.data.validation
        if validation:
            random = random_state(self._device)
            with self._precision.forward(), self.evidence.evaluation(step) as seen:
                result = evaluate(
                    self._model, validation, self._loaded.loss, self._device, lambda: control.is_stopping, seen
                )
            if result is None:   # whoever resumes the run begins the evaluation anew
                restore_random(random, self._device)
                return
            self.schedule.evaluated(result[0])
            yield Evaluated(step, *result)

    def cost(self) -> Cost:
        """Return what the run holds now."""
        return cost_of(self._model, self.freezer.optimizer, self._activations, self._gradient_bytes)

    def optimizer_state(self) -> NDArray[np.float64]:
        """Return what the optimizer keeps of each parameter, as in `StepDone`."""
        now = self._last_state if self.telling.has_diverged else None
        return (now or self._states.measure(self.freezer.optimizer.state)).read()

    def close(self) -> None:
        """End what runs beside the loop."""
        self.evidence.close()

    def checkpoint(
        self, steps: int, evaluated: int, plan_changed: bool, random: dict[str, Any] | None
    ) -> Checkpoint:
        """Return all that is needed to go on after `steps` steps.

        `evaluated` is the step of the last evaluation, `plan_changed` whether a person changed the plan, `random` the
        random state, that of now where it is None.
        """
        grads = {name: p.grad.clone() for name, p in self._model.named_parameters() if p.grad is not None}
        return Checkpoint(
            self._config.to_dict(),
            steps,
            self.freezer.plan,
            plan_changed,
            self.freezer.frozen,
            {name: tensor.detach().clone() for name, tensor in all_tensors(self._model).items()},
            grads,
            copied_state(self._model, self.freezer.optimizer),
            self.batches.position,
            random or random_state(self._device),
            self.batches.epoch_random,
            evaluated,
            tuple(self.schedule.metrics),
            self._precision.state(),
        )

    def resume(self, checkpoint: Checkpoint) -> None:
        """Go on from a checkpoint of the same run.

        Raises
        ------
        UserError
            When it is of another model.
        """
        restore_tensors(self._model, checkpoint.tensors)
        self.freezer.plan, self.taken = checkpoint.plan, checkpoint.step
        self.freezer.resume(checkpoint.frozen, checkpoint.step)
        restore_optimizer(self._model, self.freezer.optimizer, checkpoint.state, checkpoint.gradients)
        self.schedule.resume(checkpoint.step, checkpoint.metrics)
        self._precision.resume(checkpoint.precision)
        self.batches.resume(checkpoint.position, checkpoint.step, checkpoint.epoch_random)
        restore_random(checkpoint.random, self._device)

    @contextmanager
    def _keeping_state(self) -> Iterator[None]:
        """Look at the state that is dropped inside: the step before may be the last one, and is told later."""
        before = dict(self.freezer.optimizer.state) if self.telling.is_open else {}
        yield
        if len(before) > len(self.freezer.optimizer.state) and self._last_state is None:
            self._last_state = self._states.measure(before)

    def _zero_grad(self) -> None:
        mode = self._config.optimizer.zero_grad
        if mode != "never":
            self.freezer.optimizer.zero_grad(set_to_none=mode == "none")

    def _backward(self, group: tuple[Batch, ...], step: int, new_plan: bool) -> Tensor:
        """Run forward and backward of all micro-batches; return their mean loss, a scalar on the device."""
        counting = new_plan and self._plans_counted < _COUNTED_PLANS
        self._plans_counted += counting
        losses = []
        for batch in group:
            listening = self._activations.counting() if counting else nullcontext()
            with torch.enable_grad(), self._precision.forward(), listening:
                output = forward(self._model, batch, self._device)
                loss = loss_of(self._loaded.loss, output, batch.targets, self._device)
                loss = loss / len(group) if len(group) > 1 else loss
            if not loss.requires_grad:
                raise nothing_to_train(step)
            self._precision.scaled(loss).backward()   # type: ignore[no-untyped-call]
            losses.append(loss.detach())
        return sum(losses[1:], losses[0])

    def _is_measured(self, step: int, task: str | None, of_note: bool) -> bool:
        """Tell whether the step that begins is measured, and if so see to it that its update can be."""
        is_measured = self._budget.is_due(step, task, of_note)
        if is_measured:
            if self._measured_step != step - 1:
                with self._measuring:
                    self._telemetry.remember_weights()
            self._measured_step = step
        return is_measured
