"""Trainer.events(): a generator over one run. Its loop reads top to bottom and knows nothing of windows or methods."""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

from freeze_gui.models.randomness import random_state, restore_random
from freeze_gui.training.checkpoint import Checkpoint, check_same_run
from freeze_gui.training.config import RunConfig
from freeze_gui.training.control import RunControl
from freeze_gui.training.device import choose_device, choose_threads, repeatable
from freeze_gui.training.events import Progress, RunEnded, RunEvent, StepDone
from freeze_gui.training.failures import describe_failure, diverged
from freeze_gui.training.loading import load
from freeze_gui.training.loop import Loop


class Trainer:
    """One run of one configuration.

    Parameters
    ----------
    config
        What to run.
    control
        Where stop, pause, pace and new plans come from; none of them without it.
    resume
        Where to go on from: a checkpoint of a run of the same configuration.
    """

    def __init__(
        self, config: RunConfig, control: RunControl | None = None, resume: Checkpoint | None = None
    ) -> None:
        self._config = config
        self._control = control or RunControl()
        self._resume = resume
        self._steps = self._evaluated = 0
        self._plan_changed = False
        self._random: dict[str, Any] | None = None   # after the last step; the caller has its own again
        self._loop: Loop | None = None

    def events(self) -> Iterator[RunEvent]:
        """Run, yielding records as they come; the last one is always `RunEnded`, whatever happened."""
        status, error, device = "completed", None, self._config.train.device
        callers_random = random_state()
        try:
            if self._resume is not None:
                check_same_run(self._resume, self._config)
            chosen = choose_device(self._config.train.device)
            device = str(chosen)
            loaded = yield from load(self._config, self._control)
            if loaded is not None:
                parameters = sum(p.numel() for p in loaded.model.module.parameters())
                threads = self._config.train.threads or choose_threads(parameters)
                with repeatable(self._config.train.seed, chosen, threads):
                    self._loop = Loop(self._config, loaded, chosen)
                    try:
                        yield from self._all_told(self._loop)
                    except _Diverged as found:
                        status, error = "diverged", str(found)
                    self._random = random_state(chosen)
            if error is None and self._control.is_stopping:
                status = "stopped"
        except (Exception, SystemExit) as caught:   # a person's code may call sys.exit: the run ends, not the program
            status, error = describe_failure(caught, device)
        finally:
            restore_random(callers_random)   # whoever called goes on with the numbers that it had
            if self._loop is not None:
                self._loop.close()
        if not sys.is_finalizing():   # a run left behind by a program that ends: torch must not be touched any more
            yield from self._ended(status, error)

    def checkpoint(self) -> Checkpoint | None:
        """Return what is needed to go on after the last step that was taken; None before the run has started.

        On CUDA a step is yielded when the next one was taken; at the end of a run all are.
        """
        if self._loop is None:
            return None
        return self._loop.checkpoint(self._steps, self._evaluated, self._plan_changed, self._random)

    def _all_told(self, loop: Loop) -> Iterator[RunEvent]:
        """Take all steps; where one fails, what was taken before is told all the same.

        Raises
        ------
        _Diverged
            When the loss of a step is not finite, even if the step behind it, begun meanwhile, failed for that.
        """
        try:
            yield from self._train(loop)
        except _Diverged:
            raise
        except (Exception, SystemExit):
            with suppress(Exception):   # the device that failed may refuse to be read
                loop.telling.settle()
            yield from _told(loop)
            raise

    def _train(self, loop: Loop) -> Iterator[RunEvent]:
        """Take all steps.

        Raises
        ------
        _Diverged
            When the loss of a step is not finite.
        """
        yield Progress("forecasting what will happen")
        started = loop.started()
        if not loop.measures_updates:
            yield Progress("memory is short: the update of each step is not measured")
        if self._resume is not None:
            loop.resume(self._resume)
            self._steps, self._evaluated = self._resume.step, self._resume.evaluated
            self._plan_changed = self._resume.plan_changed
        yield from loop.evidence.begin(self._control)
        yield started
        if self._resume is not None:
            yield from self._evaluation(loop)
        began = -1e9
        groups = iter(loop.batches)
        while not loop.batches.is_over:
            turn = self._control.is_my_turn(began)
            if turn is None:   # whoever lets the run wait sees all that it did
                yield from _settled(loop)
                turn = self._control.wait_for_turn(began)
            if not turn:
                break
            began = time.perf_counter()
            if (group := next(groups, None)) is None:
                break
            if (plan := self._control.take_plan()) is not None:
                loop.freezer.plan = plan
                self._plan_changed = True
            loop.step(self._steps, group)
            self._steps = loop.taken
            yield from _told(loop)
            yield from self._evaluation(loop)
        yield from _settled(loop)
        if not self._control.is_stopping:
            yield from self._evaluation(loop, at_end=True)

    def _evaluation(self, loop: Loop, at_end: bool = False) -> Iterator[RunEvent]:
        """Evaluate where it is time to, once a step."""
        due = at_end or self._steps % self._config.train.eval_every == 0
        if due and self._evaluated < self._steps:
            yield from _settled(loop)
            for record in loop.evaluation(self._steps, self._control):   # none where it was stopped midway
                self._evaluated = self._steps
                yield record

    def _ended(self, status: str, error: str | None) -> Iterator[Progress | RunEnded]:
        """Take the bits at the end, and end with what there is to say."""
        loop = self._loop
        if loop is None:
            yield RunEnded(status, error, 0)
            return
        freezer = loop.freezer
        try:
            yield from loop.evidence.end(self._control)
            ended = RunEnded(
                status,
                error,
                self._steps,
                freezer.verdicts(self._steps),
                freezer.side_effects(),
                loop.cost(),
                freezer.effective_weights(self._steps),
                freezer.norm_reports(self._steps),
                freezer.thaws(),
                loop.optimizer_state(),
                self._plan_changed,
                loop.evidence.proof(),
            )
        except Exception as late:   # a device that failed may refuse to be read; the run must end all the same
            late_status, late_error = describe_failure(late, "the device")
            ended = RunEnded(*((status, error) if error else (late_status, late_error)), self._steps)
        yield ended


class _Diverged(Exception):
    """The loss is not finite any more."""


def _settled(loop: Loop) -> Iterator[RunEvent]:
    """Yield all that there is to tell of the steps that were taken."""
    loop.telling.settle()
    yield from _told(loop)


def _told(loop: Loop) -> Iterator[RunEvent]:
    """Yield what there is to tell by now."""
    for record in loop.telling.take_records():
        yield record
        if isinstance(record, StepDone) and not math.isfinite(record.loss):
            raise _Diverged(diverged(record.step, record.loss, record.learning_rate))
