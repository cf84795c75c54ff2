"""Trainer.events(): a generator over one run. Its loop reads top to bottom and knows nothing of windows or methods."""

from __future__ import annotations

import time
from collections.abc import Generator, Iterator
from contextlib import nullcontext
from itertools import count

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from freeze_gui.data.sources import Batch
from freeze_gui.freezing.freezer import Freezer
from freeze_gui.freezing.plan import resolve
from freeze_gui.models.layer_tree import LayerTree, build_tree
from freeze_gui.training.batches import epoch_steps, forward, loss_of, steps_of_epoch
from freeze_gui.training.config import RunConfig
from freeze_gui.training.control import RunControl
from freeze_gui.training.costs import SavedActivations, cost_of, gradient_bytes
from freeze_gui.training.device import choose_device, choose_threads, environment, repeatable
from freeze_gui.training.evaluation import evaluate
from freeze_gui.training.events import (
    Cost,
    Evaluated,
    LayerRecord,
    PlanApplied,
    RunEnded,
    RunEvent,
    RunStarted,
    StepDone,
)
from freeze_gui.training.failures import describe_failure, diverged, nothing_to_train
from freeze_gui.training.loading import Loaded, load
from freeze_gui.training.optimizers import make_optimizer
from freeze_gui.training.telemetry import DELTA, GRADIENT, UPDATE, Telemetry

_COUNTED_PLANS = 3
"""Activations are counted at the first step of so many plans; a plan that changes at every step would slow the run."""


class Trainer:
    """One run of one configuration.

    Parameters
    ----------
    config
        What to run.
    control
        Where stop, pause, pace and new plans come from; none of them without it.
    """

    def __init__(self, config: RunConfig, control: RunControl | None = None) -> None:
        self._config = config
        self._control = control or RunControl()
        self._steps = 0
        self._loop: _Loop | None = None

    def events(self) -> Iterator[RunEvent]:
        """Run, yielding records as they come; the last one is always `RunEnded`, whatever happened."""
        status, error, device = "completed", None, self._config.train.device
        random_state = torch.get_rng_state()
        try:
            chosen = choose_device(self._config.train.device)
            device = str(chosen)
            loaded = yield from load(self._config, self._control)
            if loaded is not None:
                parameters = sum(p.numel() for p in loaded.model.module.parameters())
                threads = self._config.train.threads or choose_threads(parameters)
                with repeatable(self._config.train.seed, chosen, threads):
                    self._loop = _Loop(self._config, loaded, chosen)
                    error = yield from self._train(self._loop)
            if error is not None:
                status = "diverged"
            elif self._control.is_stopping:
                status = "stopped"
        except (Exception, SystemExit) as caught:   # a person's code may call sys.exit: the run ends, not the program
            status, error = describe_failure(caught, device)
        finally:
            torch.set_rng_state(random_state)   # whoever called goes on with the numbers that it had
        yield self._ended(status, error)

    def _train(self, loop: _Loop) -> Generator[RunEvent, None, str | None]:
        """Take all steps; return why the run diverged, if it did."""
        train = self._config.train
        yield loop.started()
        began = -1e9
        evaluated_at = 0
        for group in loop.groups():
            if not self._control.wait_for_turn(began):
                return None
            began = time.perf_counter()
            if (plan := self._control.take_plan()) is not None:
                loop.freezer.plan = plan
            applied, done = loop.step(self._steps, group)
            self._steps += 1
            if applied is not None:
                yield applied
            yield done
            if not np.isfinite(done.loss):
                return diverged(done.step, done.loss, loop.freezer.optimizer.param_groups[0]["lr"])
            if self._steps % train.eval_every == 0:
                evaluated_at = self._steps
                yield from loop.evaluation(self._steps, self._control)
        if evaluated_at < self._steps:
            yield from loop.evaluation(self._steps, self._control)
        return None

    def _ended(self, status: str, error: str | None) -> RunEnded:
        loop = self._loop
        if loop is None:
            return RunEnded(status, error, 0)
        freezer = loop.freezer
        try:
            return RunEnded(
                status, error, self._steps, freezer.verdicts(self._steps), freezer.side_effects(), loop.cost()
            )
        except Exception as late:   # a device that failed may refuse to be read; the run must end all the same
            return RunEnded("failed", error or describe_failure(late, "the device")[1], self._steps)


class _Loop:
    """Model, optimizer, freezer and measures of one run, on their device."""

    def __init__(self, config: RunConfig, loaded: Loaded, device: torch.device) -> None:
        self._config, self._loaded, self._device = config, loaded, device
        self._model: nn.Module = loaded.model.module.to(device).train()
        self._tree: LayerTree = build_tree(self._model)
        self._epoch_steps = epoch_steps(loaded.data, config.train.accumulate)
        optimizer = make_optimizer(config.optimizer.name, self._model.parameters(), config.optimizer.hyper)
        plan = resolve(config.freeze, self._tree, self._epoch_steps)
        self._trainable = {id(p) for p in self._model.parameters() if p.requires_grad}
        self.freezer = Freezer(self._model, optimizer, plan, config.train.clip_grad_norm is not None)
        modules = dict(self._model.named_modules())
        self._telemetry = Telemetry([modules[path] for path in self._tree.layers])
        self._row_of = {path: row for row, path in enumerate(self._tree.layers)}
        self._masks: dict[frozenset[str], NDArray[np.bool_]] = {}
        self._applied: NDArray[np.bool_] | None = None
        self._measured_step = -1
        self._activations = SavedActivations(self._model)
        self._plans_counted = 0
        self._gradient_bytes = 0

    def started(self) -> RunStarted:
        """Return the record of the start."""
        train = self._config.train
        modules = dict(self._model.named_modules())
        layers = tuple(
            LayerRecord(path, type(modules[path]).__name__, sum(p.numel() for p in modules[path].parameters(False)))
            for path in self._tree.layers
        )
        total = train.steps or (train.epochs or 0) * (self._epoch_steps or 0)
        return RunStarted(layers, total, str(self._device), self._epoch_steps, environment(self._device))

    def groups(self) -> Iterator[tuple[Batch, ...]]:
        """Yield the micro-batches of each step, over as many epochs as the configuration asks for."""
        train, left = self._config.train, self._config.train.steps
        for epoch in count() if train.epochs is None else range(train.epochs):
            for group in steps_of_epoch(self._loaded.data, epoch, train.accumulate):
                yield group
                if left is not None and (left := left - 1) == 0:
                    return

    def step(self, step: int, group: tuple[Batch, ...]) -> tuple[PlanApplied | None, StepDone]:
        """Take one optimizer step."""
        began = time.perf_counter()
        freezer, train = self.freezer, self._config.train
        freezer.begin_step(step, group[0].task)
        applied = self._plan_applied(step)
        measured = step % (train.measure_every or 1) == 0
        if measured and self._measured_step != step - 1:
            self._telemetry.remember_weights()
        self._zero_grad()
        freezer.before_forward()
        loss = self._backward(group, step, applied is not None)
        freezer.after_backward(step)
        if train.clip_grad_norm is not None:
            nn.utils.clip_grad_norm_(self._model.parameters(), train.clip_grad_norm)
        watching = time.perf_counter()
        freezer.before_step(step)
        watched = time.perf_counter()
        freezer.optimizer.step()
        measuring = time.perf_counter()
        leaked = freezer.after_step(step)
        norms, loss_value = self._measure(measured, step, loss)
        done = time.perf_counter()
        return applied, StepDone(
            step,
            loss_value,
            group[0].task,
            None if norms is None else norms[GRADIENT],
            None if norms is None else norms[UPDATE],
            None if norms is None else norms[DELTA],
            self._mask(freezer.frozen),
            tuple(self._row_of[path] for path in leaked),
            done - began,
            done - measuring + watched - watching,
        )

    def evaluation(self, step: int, control: RunControl) -> Iterator[Evaluated]:
        """Yield the result on the validation data, if there are any and nobody stops the run meanwhile."""
        validation = self._loaded.data.validation
        if validation:
            result = evaluate(
                self._model, validation, self._loaded.loss, self._device, lambda: control.is_stopping
            )
            if result is not None:
                yield Evaluated(step, *result)

    def cost(self) -> Cost:
        """Return what the run holds now."""
        return cost_of(self._model, self.freezer.optimizer, self._activations, self._gradient_bytes)

    def _zero_grad(self) -> None:
        mode = self._config.optimizer.zero_grad
        if mode != "never":
            self.freezer.optimizer.zero_grad(set_to_none=mode == "none")

    def _backward(self, group: tuple[Batch, ...], step: int, new_plan: bool) -> Tensor:
        """Run forward and backward of all micro-batches; return their mean loss, a scalar on the device."""
        counting = new_plan and self._plans_counted < _COUNTED_PLANS
        self._plans_counted += counting
        total = torch.zeros((), device=self._device)
        for batch in group:
            with torch.enable_grad(), self._activations.counting() if counting else nullcontext():
                output = forward(self._model, batch, self._device)
                loss = loss_of(self._loaded.loss, output, batch.targets, self._device) / len(group)
            if not loss.requires_grad:
                raise nothing_to_train(step)
            loss.backward()   # type: ignore[no-untyped-call]
            total = total + loss.detach()
        return total

    def _measure(
        self, measured: bool, step: int, loss: Tensor
    ) -> tuple[NDArray[np.float64] | None, float]:
        if not measured:
            return None, float(loss)
        self._measured_step = step
        norms, extra = self._telemetry.measure(loss.view(1))
        self._gradient_bytes = gradient_bytes(self._model)
        return norms, float(extra[0])

    def _plan_applied(self, step: int) -> PlanApplied | None:
        """Return the record of a change of what is frozen; the first step has one always."""
        mask = self._mask(self.freezer.frozen)
        if mask is self._applied:
            return None
        self._applied = mask
        frozen = {
            id(p)
            for path in self.freezer.frozen
            for p in self._model.get_submodule(path)._parameters.values()
            if p is not None
        }
        trainable = sum(p.numel() for p in self._model.parameters() if id(p) in self._trainable - frozen)
        return PlanApplied(step, mask, trainable)

    def _mask(self, frozen: frozenset[str]) -> NDArray[np.bool_]:
        """Return one flag a layer; the same array for the same set."""
        if frozen not in self._masks:
            self._masks[frozen] = np.array([path in frozen for path in self._tree.layers], dtype=bool)
        return self._masks[frozen]
