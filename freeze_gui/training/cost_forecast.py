"""What a freeze will save: one step of the real freezing method, taken on the meta device, against nothing frozen.

Nothing is estimated by formula: the step runs with shapes alone, torch's own counter counts its FLOPs, and the bytes of
gradients, of optimizer state and of what autograd saves are read off.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from freeze_gui.freezing.context import FreezeContext
from freeze_gui.freezing.methods import method_class
from freeze_gui.models.lean_meta import LeanMeta
from freeze_gui.models.loaded import LoadedModel
from freeze_gui.models.meta_attention import attention_as_on_the_cpu
from freeze_gui.models.shapes import Call, sample_calls
from freeze_gui.models.trial import meta_twin, quiet_trial
from freeze_gui.training.batches import loss_of
from freeze_gui.training.config import OptimizerSettings
from freeze_gui.training.costs import SavedActivations, cost_of, gradient_bytes
from freeze_gui.training.optimizers import make_optimizer


@dataclass(frozen=True)
class StepCost:
    """One training step of one batch.

    Attributes
    ----------
    flops
        Floating-point operations of forward and backward, of all tasks together: matrix products and convolutions, as
        torch counts them.
    saved_activation_bytes, gradient_bytes, optimizer_state_bytes
        As in the summary's ``cost``; activations of the task that holds most, what the loss saves included; gradients
        as backward leaves them, before a method drops them.
    """

    flops: int
    saved_activation_bytes: int
    gradient_bytes: int
    optimizer_state_bytes: int


@dataclass(frozen=True)
class CostForecast:
    """A step with the freeze, and the same step with nothing frozen."""

    frozen: StepCost
    free: StepCost

    def share(self, what: str) -> float:
        """Return the frozen step's part of the free one's, 1.0 where that is zero."""
        free = getattr(self.free, what)
        return float(getattr(self.frozen, what) / free) if free else 1.0


def forecast_step(
    loaded: LoadedModel,
    modules: frozenset[str],
    method: str,
    optimizer: OptimizerSettings,
    batch_size: int,
    calls: Sequence[Call] = (),
    loss: str | None = None,
) -> StepCost | None:
    """Forecast a step with `modules` frozen.

    Parameters
    ----------
    loaded
        The model, on any device; it is not touched.
    modules
        Paths of the frozen modules.
    method
        Id of the freezing method.
    optimizer
        Its class and hyper-parameters decide the state.
    batch_size
        Samples in the step.
    calls
        How the step calls the forward, once for each task; empty where nobody knows, then a guess from the model.
    loss
        Name of the loss function; None for the model's own.

    Returns
    -------
    StepCost or None
        None where the step cannot be taken on the meta device: an unknown input, a forward that needs values, a freeze
        that leaves nothing to train.
    """
    if loaded.input_shape is None and not loaded.tasks and not calls:
        return None
    try:
        return _step_cost(loaded, modules, method, optimizer, batch_size, calls, loss or loaded.default_loss)
    except Exception:   # a person's forward may raise anything without values; no forecast is an honest answer
        return None


def _step_cost(
    loaded: LoadedModel,
    modules: frozenset[str],
    method: str,
    settings: OptimizerSettings,
    batch_size: int,
    calls: Sequence[Call],
    loss: str,
) -> StepCost:
    with quiet_trial(), torch.enable_grad():
        twin = meta_twin(loaded.module).train()
        # fused is another way to the same state, and has no kernel for the meta device
        hyper = {key: value for key, value in settings.hyper.items() if key != "fused"}
        context = FreezeContext(twin, make_optimizer(settings.name, twin.parameters(), hyper))
        context.frozen = modules
        freezing = method_class(method)(context)
        if modules:
            freezing.freeze(modules)
        activations, most = SavedActivations(twin), 0
        with LeanMeta() as counter:
            with torch.device("meta"), attention_as_on_the_cpu():
                for call in calls or sample_calls(loaded, batch_size):
                    with activations.counting():
                        value = _loss(loss, call.of(twin), call.targets)
                    most = max(most, activations.total_bytes or 0)   # backward lets them go before the next task
                    value.backward()   # type: ignore[no-untyped-call]
            flops, gradients = counter.flops, gradient_bytes(twin)
            freezing.after_backward()
            context.optimizer.step()
        cost = cost_of(twin, context.optimizer, activations, gradients)
    return StepCost(flops, most, gradients, cost.optimizer_state_bytes)


def _loss(name: str, output: Tensor, targets: Tensor | None) -> Tensor:
    """Return the loss of an output; what it is compared with is of the usual form where nobody knows."""
    if targets is None and name == "mse":
        targets = torch.empty_like(output)
    elif targets is None:
        classes = min(1, output.dim() - 1)   # the axis of the classes; the first where there are no samples
        targets = torch.empty([*output.shape[:classes], *output.shape[classes + 1 :]], dtype=torch.long)
    return loss_of(name, output, targets, output.device)
