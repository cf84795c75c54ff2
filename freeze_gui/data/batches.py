"""What a data source yields: batches in epochs, in an order that depends on the seed and the epoch alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, overload

import torch
from torch import Tensor


@dataclass(frozen=True)
class Batch:
    """Inputs and targets of one step.

    Attributes
    ----------
    inputs, targets
        Tensors with the batch on axis 0, or whatever a user's file yields.
    task
        Passed to the model's forward as ``task=``; None where there is one task only.
    """

    inputs: Any
    targets: Any
    task: str | None = None


@dataclass(frozen=True)
class LoadedData:
    """Batches for training, and for validation where there are any.

    Attributes
    ----------
    source
        As written by the user.
    num_classes
        Number of classes; None where not known.
    epoch_steps
        Batches per epoch; None while unknown.
    make_epoch
        What `epoch` calls.
    validation
        Batches that are never trained on; made when they are read, where there are many.
    class_names
        One per class; empty where not known.
    may_draw
        Whether going through an epoch may draw from the global random generators: an iterable of a person's may.
    """

    source: str
    num_classes: int | None
    epoch_steps: int | None
    make_epoch: Callable[[int], Iterator[Batch]]
    validation: Sequence[Batch] | None = None
    class_names: tuple[str, ...] = ()
    may_draw: bool = False

    def epoch(self, index: int) -> Iterator[Batch]:
        """Yield the batches of epoch `index`, 0 first, without the global random state unless they `may_draw`."""
        return self.make_epoch(index)


class LazyBatches(Sequence[Batch]):
    """Batches that are made each time they are read, for sets that do not fit in memory."""

    def __init__(self, count: int, make: Callable[[int], Batch]) -> None:
        self._count = count
        self._make = make

    def __len__(self) -> int:
        return self._count

    @overload
    def __getitem__(self, index: int) -> Batch: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Batch]: ...
    def __getitem__(self, index: int | slice) -> Batch | Sequence[Batch]:
        if isinstance(index, slice):
            return [self._make(position) for position in range(self._count)[index]]
        return self._make(range(self._count)[index])


def generator_for(seed: int, stream: int) -> torch.Generator:
    """Return a generator of its own for one stream (an epoch, a batch, a split) of a seed."""
    # Multiplying by a large odd constant keeps (seed 0, stream 1) and (seed 1, stream 0) apart.
    return torch.Generator().manual_seed((seed * 0x9E3779B97F4A7C15 + stream) % 2**63)


def chunks(order: Tensor, batch_size: int) -> list[Tensor]:
    """Cut sample positions into batches; a last batch of one sample is left out, which batch norm cannot take."""
    parts = list(torch.split(order, batch_size))
    if len(parts) > 1 and batch_size > 1 and len(parts[-1]) == 1:
        parts.pop()
    return parts


def shuffled_epochs(
    count: int, batch_size: int, seed: int, make: Callable[[Tensor], Batch]
) -> tuple[int, Callable[[int], Iterator[Batch]]]:
    """Return the batches per epoch, and a function that yields one epoch of freshly shuffled batches.

    Parameters
    ----------
    count
        Number of samples.
    batch_size, seed
        As in the configuration.
    make
        Sample positions (batch,) → the batch.
    """

    def epoch(index: int) -> Iterator[Batch]:
        order = torch.randperm(count, generator=generator_for(seed, index))
        for positions in chunks(order, batch_size):
            yield make(positions)

    return len(chunks(torch.arange(count), batch_size)), epoch


def stratified_split(labels: Tensor, fraction: float, seed: int) -> tuple[Tensor, Tensor]:
    """Split sample positions into training and validation, class by class.

    Parameters
    ----------
    labels
        Class of each sample, (samples,).
    fraction
        Share of each class, rounded, that goes to validation; at least one sample of a class with two or more.
    seed
        Of the split.
    """
    generator = generator_for(seed, -1)
    training, validation = [], []
    for label in sorted(set(labels.tolist())):
        members = (labels == label).nonzero().flatten()
        members = members[torch.randperm(len(members), generator=generator)]
        held_out = min(max(round(len(members) * fraction), 1), len(members) - 1)
        validation.append(members[:held_out])
        training.append(members[held_out:])
    return torch.cat(training).sort().values, torch.cat(validation).sort().values
