"""Batches on their way into a model: grouping, moving, the forward and its loss."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count, islice
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from freeze_gui.data.sources import Batch, LoadedData
from freeze_gui.errors import UserError
from freeze_gui.models.nested import map_tensors
from freeze_gui.models.randomness import random_state, restore_random

_NO_CLASS = -(2**62)
"""Torch passes over class -100 without a word; here every class outside of the output is a mistake in the data."""


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


class Batches:
    """The micro-batches of each step of a run, and where among them it stands.

    Parameters
    ----------
    data
        Where they come from.
    accumulate
        Micro-batches a step.
    steps, epochs
        How long the run is: one of the two.
    device
        Whose random state an epoch begins with.

    Attributes
    ----------
    position
        Epoch, and steps begun in it.
    epoch_random
        Random state at the beginning of the epoch; empty where the data draw nothing.
    """

    def __init__(
        self, data: LoadedData, accumulate: int, steps: int | None, epochs: int | None, device: torch.device
    ) -> None:
        self._data, self._accumulate, self._steps, self._epochs, self._device = data, accumulate, steps, epochs, device
        self.position = (0, 0)
        self.epoch_random: dict[str, Any] = {}
        self._done = 0

    @property
    def is_over(self) -> bool:
        """Whether all steps were begun; data that do not say how long an epoch is may end without it."""
        if self._steps is not None:
            return self._done >= self._steps
        epoch, done = self.position
        last = self._epochs is not None and epoch == self._epochs - 1
        return last and done == epoch_steps(self._data, self._accumulate)

    def resume(self, position: tuple[int, int], steps: int, epoch_random: dict[str, Any]) -> None:
        """Begin after `steps` steps, at `position` of an epoch that began with this random state."""
        self.position, self._done, self.epoch_random = position, steps, epoch_random

    def __iter__(self) -> Iterator[tuple[Batch, ...]]:
        """Yield the micro-batches of each step."""
        first, skipped = self.position
        for epoch in count(first) if self._epochs is None else range(first, self._epochs):
            groups = self._left_of_epoch(epoch, skipped) if skipped else self._epoch(epoch)
            skipped = 0
            for group in groups:
                self.position = (epoch, self.position[1] + 1)
                self._done += 1
                yield group
                if self._done == self._steps:
                    return

    def _epoch(self, epoch: int) -> Iterator[tuple[Batch, ...]]:
        self.position = (epoch, 0)
        if self._data.may_draw:
            self.epoch_random = random_state(self._device)
        return steps_of_epoch(self._data, epoch, self._accumulate)

    def _left_of_epoch(self, epoch: int, skipped: int) -> Iterator[tuple[Batch, ...]]:
        """Start an epoch as it was started once, since a loader may draw its order there, and pass over its steps."""
        now = random_state(self._device)
        if self.epoch_random:   # none where the data drew nothing when it began
            restore_random(self.epoch_random, self._device)
        groups = steps_of_epoch(self._data, epoch, self._accumulate)
        for _ in islice(groups, skipped):
            pass
        restore_random(now, self._device)
        return groups


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
    given = torch.as_tensor(targets)
    wanted = to_device(given, device)
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
            if given.is_cpu:   # looked at while the device is at its forward: there a wrong one would end all CUDA work
                _check_classes(given.long(), classes)
            return F.cross_entropy(output, wanted)
        try:
            return F.cross_entropy(output, wanted, ignore_index=_NO_CLASS)
        except IndexError:
            _check_classes(wanted, classes)
            raise
    return F.cross_entropy(output, wanted)


def _check_classes(targets: Tensor, classes: int) -> None:
    """Raise `UserError` where a class number is none of the model's."""
    if not targets.numel():
        return
    lowest, highest = (int(bound) for bound in targets.aminmax())
    if lowest < 0 or highest >= classes:
        raise UserError(
            f"The data hold class {lowest if lowest < 0 else highest}, and the model's output has {classes} "
            f"classes (0 to {classes - 1}); set model.num_classes"
        ) from None


def hits(output: Tensor, targets: Any, device: torch.device) -> tuple[int, int] | None:
    """Return how many predictions are right, of how many; None where targets are no class numbers."""
    wanted = to_device(torch.as_tensor(targets), device)
    if wanted.is_floating_point() or output.dim() < 2:
        return None
    return int((output.argmax(dim=1) == wanted).sum()), wanted.numel()


def to_device(inputs: Any, device: torch.device) -> Any:
    """Move every tensor inside `inputs`; onto CUDA without waiting for what the device is doing.

    What they held must stay until a number is read from the device, as the loss is before the next batch is drawn.
    """
    non_blocking = device.type == "cuda"
    if isinstance(inputs, Tensor):
        return inputs.to(device, non_blocking=non_blocking)
    return map_tensors(lambda tensor: tensor.to(device, non_blocking=non_blocking), inputs)
