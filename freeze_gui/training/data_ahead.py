"""What the data of a run tell before it starts, where looking changes nothing: the batches lie in a list."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch

from freeze_gui.data.sources import Batch, LoadedData
from freeze_gui.errors import UserError
from freeze_gui.models.nested import map_tensors
from freeze_gui.models.shapes import Call

_MOST_TURNS = 48
"""Of a longer order of tasks that does not repeat, so many are gone through."""


@dataclass(frozen=True)
class DataAhead:
    """What an epoch brings.

    Attributes
    ----------
    calls
        How the first batch of each task calls the forward, on the meta device.
    turns
        The tasks of the batches, in turn; None for “no task”.
    """

    calls: tuple[Call, ...]
    turns: tuple[str | None, ...]


def look_ahead(data: LoadedData, accumulate: int) -> DataAhead | None:
    """Return what an epoch of `data` brings; None where it cannot be looked at without being begun.

    A DataLoader draws the order of its epoch when it is iterated, and a generator is used up: a run that was looked at
    would be another one. Only a list or tuple of batches is read.

    Parameters
    ----------
    data
        The data of a run.
    accumulate
        Micro-batches a step: an order of tasks is shortened to what repeats where steps repeat with it.
    """
    held = getattr(data.make_epoch, "returned", None)   # what the person's FACTORY gave, for data of a file
    if held is None or data.may_draw:
        return None
    try:
        batches = list(data.epoch(0))
    except UserError:   # the run will say so at that batch
        return None
    first = {batch.task: batch for batch in reversed(batches)}
    tasks = tuple(batch.task for batch in batches)
    turns = _shortest(tasks, accumulate)
    if len(turns) > _MOST_TURNS:
        turns = turns[:_MOST_TURNS] + tuple(task for task in first if task not in turns[:_MOST_TURNS])
    try:
        calls = tuple(_call(first[task]) for task in dict.fromkeys(tasks))
    except Exception:   # some tensors cannot be without values; the tasks are known all the same
        calls = ()
    return DataAhead(calls, turns)


def _call(batch: Batch) -> Call:
    """Return how a batch calls the forward: tuples are positional arguments, dicts are named ones."""
    inputs = map_tensors(lambda tensor: torch.empty_like(tensor, device="meta"), batch.inputs)
    targets = torch.empty_like(torch.as_tensor(batch.targets), device="meta")
    named: dict[str, Any] = {} if batch.task is None else {"task": batch.task}
    match inputs:
        case dict():
            return Call((), {**inputs, **named}, batch.task, targets)
        case list() | tuple():
            return Call(tuple(inputs), named, batch.task, targets)
    return Call((inputs,), named, batch.task, targets)


def _shortest(tasks: tuple[str | None, ...], accumulate: int) -> tuple[str | None, ...]:
    """Return the shortest part that `tasks` repeat, in whole steps."""
    for length in range(1, min(len(tasks), _MOST_TURNS) + 1):
        whole = len(tasks) % length == 0 and (length == 1 or length % accumulate == 0)
        if whole and tasks[:length] * (len(tasks) // length) == tasks:
            return tasks[:length]
    return tasks
