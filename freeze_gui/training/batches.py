"""Batches on their way into a model: grouping, moving, the forward and its loss."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils._pytree import tree_map

from freeze_gui.data.sources import Batch, LoadedData
from freeze_gui.errors import UserError


def steps_of_epoch(data: LoadedData, epoch: int, accumulate: int) -> Iterator[tuple[Batch, ...]]:
    """Yield the micro-batches of each optimizer step; the last, incomplete group of an epoch is a step too."""
    group: list[Batch] = []
    for batch in data.epoch(epoch):
        group.append(batch)
        if len(group) == accumulate:
            yield tuple(group)
            group = []
    if group:
        yield tuple(group)


def epoch_steps(data: LoadedData, accumulate: int) -> int | None:
    """Return the optimizer steps of one epoch, None where the data do not say."""
    return None if data.epoch_steps is None else -(-data.epoch_steps // accumulate)


def forward(model: nn.Module, batch: Batch, device: torch.device) -> Tensor:
    """Run the model on a batch; tuples of inputs are positional arguments, dicts are named ones.

    Raises
    ------
    UserError
        When the model returns something else than one tensor.
    """
    inputs = to_device(batch.inputs, device)
    named: dict[str, Any] = {} if batch.task is None else {"task": batch.task}
    if isinstance(inputs, dict):
        output = model(**inputs, **named)
    elif isinstance(inputs, list | tuple):
        output = model(*inputs, **named)
    else:
        output = model(inputs, **named)
    if not isinstance(output, Tensor):
        raise UserError(
            f"The model's forward returns a {type(output).__name__}; it must return one tensor of predictions"
        )
    return output


def loss_of(name: str, output: Tensor, targets: Any, device: torch.device) -> Tensor:
    """Return the mean loss of a batch.

    Parameters
    ----------
    name
        ``cross_entropy`` or ``mse``.
    output
        What the model returned, shape (batch, classes, ...) or that of the targets.
    targets
        Class numbers, class probabilities, or numbers.

    Raises
    ------
    UserError
        When output and targets do not fit each other.
    """
    wanted = torch.as_tensor(targets).to(device)
    if name == "mse":
        if wanted.shape != output.shape:
            if wanted.numel() != output.numel():
                raise UserError(
                    f"mse compares like with like: the model's output has shape {tuple(output.shape)}, "
                    f"the targets {tuple(wanted.shape)}"
                )
            wanted = wanted.reshape(output.shape)
        return F.mse_loss(output, wanted.to(output.dtype))
    if not wanted.is_floating_point():
        wanted = wanted.long()
        classes = output.shape[1] if output.dim() > 1 else output.shape[0]
        if device.type != "cpu":
            return F.cross_entropy(output, wanted)   # a range check would wait for the device
        lowest, highest = (int(wanted.min()), int(wanted.max())) if wanted.numel() else (0, 0)
        if not 0 <= lowest <= highest < classes:
            raise UserError(
                f"The data hold class {lowest if lowest < 0 else highest}, and the model's output has {classes} "
                f"classes (0 to {classes - 1}); set model.num_classes"
            )
    return F.cross_entropy(output, wanted)


def hits(output: Tensor, targets: Any, device: torch.device) -> tuple[int, int] | None:
    """Return how many predictions are right, of how many; None where targets are no class numbers."""
    wanted = torch.as_tensor(targets).to(device)
    if wanted.is_floating_point() or output.dim() < 2:
        return None
    return int((output.argmax(dim=1) == wanted).sum()), wanted.numel()


def to_device(inputs: Any, device: torch.device) -> Any:
    """Move every tensor inside `inputs`."""
    return tree_map(lambda value: value.to(device) if isinstance(value, Tensor) else value, inputs)
