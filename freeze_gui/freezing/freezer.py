"""Keeps the model as the plan wants it: at the top of a step, and between backward and step."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext

import torch
from torch import nn

from freeze_gui.freezing.causes import Marks, freshly_written, gradient_marks
from freeze_gui.freezing.context import FreezeContext
from freeze_gui.freezing.looks import Looks
from freeze_gui.freezing.methods import method_class
from freeze_gui.freezing.norm_layers import NormPolicy, NormReport, NormWatch
from freeze_gui.freezing.plan import FreezePlan
from freeze_gui.freezing.side_effects import SideEffect, SideEffectWatch, ThawReport
from freeze_gui.freezing.thaw import reset_state
from freeze_gui.freezing.verdict import FrozenWatch, TensorVerdict


class Freezer:
    """A plan at work on one model and optimizer. The loop calls its moments in the order of the methods below.

    Parameters
    ----------
    model, optimizer, plan
        What is trained, and what is frozen of it.
    clipping
        Whether the loop clips gradients.
    watching
        Entered around everything that only looks, so that its time can be told from that of the freezing method.

    Attributes
    ----------
    plan
        What is wanted; may be replaced between steps.
    """

    def __init__(
        self,
        model: nn.Module,
        optimizer: torch.optim.Optimizer,
        plan: FreezePlan,
        clipping: bool = False,
        watching: AbstractContextManager[object] | None = None,
    ) -> None:
        self.plan = plan
        self._watching = watching or nullcontext()
        self._context = FreezeContext(model, optimizer)
        self._method = method_class(plan.method)(self._context)
        self._norm = NormPolicy(self._context, plan.norm)
        self._watch = FrozenWatch(self._context)
        self._norm_watch = NormWatch(self._context)
        self._looks = Looks()
        self._effects = SideEffectWatch(self._context, clipping, self._looks)
        self._marks: Marks = {}
        self._fresh: set[int] = set()   # parameters whose gradient this step's backward wrote
        self._pending: frozenset[str] = frozenset()   # to be frozen after this step's backward
        self._looked_at = 0   # so many of the numbers of `after_step`, the first of them, are those of the looks
        self._has_frozen = False   # until anything was frozen, there is nothing to look at

    @property
    def optimizer(self) -> torch.optim.Optimizer:
        """The optimizer in use; a method may have rebuilt it."""
        return self._context.optimizer

    @property
    def frozen(self) -> frozenset[str]:
        """Paths of the modules frozen at this step, those that freeze after its backward included."""
        frozen = self._context.frozen
        return frozen | self._pending if self._pending else frozen   # a set of its own would be hashed at every step

    def resume(self, frozen: frozenset[str], step: int) -> None:
        """Hold `frozen`, the modules that were frozen in the step before `step` of a run that is gone on with."""
        self._pending, self._has_frozen = frozen, True   # what thawed before is not known any more
        self._freeze_pending(step)

    def begin_step(self, step: int, task: str | None) -> None:
        """Thaw and freeze what the plan says for this step."""
        self._effects.begin_step(task)
        wanted = self.plan.frozen_at(step, task)
        self._thaw(self._context.frozen - wanted, step)
        self._pending = wanted - self._context.frozen
        self._has_frozen = self._has_frozen or bool(wanted)
        if self.plan.moment == "step_start":
            self._freeze_pending(step)
        self._norm.apply()

    def before_forward(self) -> None:
        """Note the gradients that are there before this step's first backward."""
        if not self._has_frozen:
            return
        with self._watching:
            self._marks = gradient_marks(self._context.all_parameters())
            self._effects.before_forward()

    def after_backward(self, step: int) -> None:
        """Freeze what freezes at this moment, and let the method see the gradients."""
        if not self._has_frozen:
            return
        with self._watching:
            self._fresh, self._marks = freshly_written(self._context.all_parameters(), self._marks), {}
        self._freeze_pending(step)
        self._method.after_backward()
        with self._watching:
            self._effects.after_backward(self._fresh)

    def before_step(self, step: int) -> None:
        """Look at the frozen tensors before the optimizer runs; gradients are final here."""
        if not self._has_frozen:
            return
        with self._watching:
            self._effects.before_step(self._watch.before_step(step, self._fresh))

    def after_step(self, step: int) -> torch.Tensor | None:
        """Let the method restore, then compare bits; return the numbers for `settle` that are on a GPU, if any."""
        if not self._has_frozen:
            return None
        with self._watching:
            self._effects.after_step(step)
        self._method.after_step()
        with self._watching:
            looks, moves = self._looks.end_step(), self._watch.after_step()
            self._looked_at = 0 if looks is None else len(looks)
            return moves if looks is None else looks if moves is None else torch.cat([looks, moves])

    def settle(self, step: int, numbers: Sequence[float] = ()) -> list[str]:
        """Take the numbers of `after_step`, read from their device; return the frozen layers that moved in this step.

        That may be after the next step's backward, whatever that step thaws or freezes.
        """
        if not self._has_frozen:
            return []
        with self._watching:
            self._looks.settle(numbers[: self._looked_at])
            return self._watch.settle(step, numbers[self._looked_at :])

    def drop_step(self) -> None:
        """Forget a step that has begun and is not going to be taken: on CUDA the one before may turn out to diverge."""
        self._looks.drop_step()

    def held(self) -> dict[tuple[int, str], torch.Tensor]:
        """Return what each frozen tensor was after the step that was settled last.

        Each by the identity of the slots of its module that it was in, and its name there.
        """
        return self._watch.held()

    def verdicts(self, steps: int) -> tuple[TensorVerdict, ...]:
        """Return the verdict on every tensor after `steps` steps."""
        return self._watch.verdicts(steps)

    def effective_weights(self, steps: int) -> tuple[TensorVerdict, ...]:
        """Return the verdict on every weight that a parametrization computes, after `steps` steps."""
        return self._watch.effective_weights(steps)

    def norm_reports(self, steps: int) -> tuple[NormReport, ...]:
        """Return what held of each norm layer that was frozen."""
        return self._norm_watch.reports(self._watch.verdicts(steps))

    def thaws(self) -> tuple[ThawReport, ...]:
        """Return the first step of each layer after each thaw."""
        self._looks.finish()
        return self._effects.thaws()

    def side_effects(self) -> tuple[SideEffect, ...]:
        """Return what the freeze did to the rest of the run."""
        self._looks.finish()
        return self._effects.side_effects()

    def _freeze_pending(self, step: int) -> None:
        modules, self._pending = self._pending, frozenset()
        if modules:
            self._context.frozen |= modules
            self._method.freeze(modules)
            self._norm.apply()
            self._watch.begin(modules, step)
            self._norm_watch.begin(modules)
            self._effects.frozen(modules)

    def _thaw(self, modules: frozenset[str], step: int) -> None:
        if modules:
            self._context.frozen -= modules
            self._watch.end(step)
            self._method.thaw(modules)
            self._norm.thaw(modules)
            self._norm_watch.end(modules)
            if self.plan.thaw == "reset_state":
                reset_state(self.optimizer, self._context.changing(modules))
            self._effects.thawed(modules)
