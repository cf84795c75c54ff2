"""A stretch of a run as it lies in the file: steps, plans and evaluations as packed arrays."""

from __future__ import annotations

import functools
import sqlite3
import zlib
from collections.abc import Hashable, Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from freeze_gui.runs.step_block import StepBlock
from freeze_gui.runs.store_format import EVALUATION, MEASURED, PLAN, STATE_READ, STEP
from freeze_gui.training.events import Evaluated, PlanApplied, StepDone

_FULL_BYTES = 1 << 17
"""A chunk is written anew with each commit until it has this size: few large ones waste no space in the file."""

_PARTS = ("steps", "plans", "evaluations", "norms", "leaked", "states")


class Names:
    """Numbers for things that come again and again, in the order in which they first came."""

    def __init__(self) -> None:
        self._numbers: dict[Hashable, int] = {}
        self._written = 0

    def number(self, thing: Hashable) -> int:
        """Return the number of `thing`."""
        return self._numbers.setdefault(thing, len(self._numbers))

    def new(self) -> list[tuple[int, Hashable]]:
        """Return the numbered things that came since the last call."""
        start, self._written = self._written, len(self._numbers)
        return [(number, thing) for thing, number in self._numbers.items() if number >= start]


class Chunk:
    """The chunk that is being filled."""

    def __init__(self, id_: int) -> None:
        self._id = id_
        self._parts = {name: bytearray() for name in _PARTS}
        self._new_rows: list[tuple[float, ...]] = []
        self._new_steps: list[StepDone] = []

    @property
    def is_full(self) -> bool:
        """Whether the next events belong in the following chunk."""
        return sum(map(len, self._parts.values())) >= _FULL_BYTES

    def following(self) -> Chunk:
        """Return the next, empty chunk."""
        return Chunk(self._id + 1)

    def add_step(self, event: StepDone, mask: int, task: int) -> None:
        """Add a step, whose flags and task have these numbers."""
        what = MEASURED * _is_measured(event) | STATE_READ * (event.optimizer_state is not None)
        row = (event.step, event.loss, event.step_s, event.overhead_s, event.learning_rate, task, mask, what)
        self._new_rows.append(row)
        self._new_steps.append(event)

    def add_plan(self, event: PlanApplied, mask: int) -> None:
        """Add a plan, whose flags have this number."""
        row = (event.step, event.trainable_parameters, mask, event.by_task)
        self._parts["plans"] += np.array([row], PLAN).tobytes()

    def add_evaluation(self, event: Evaluated) -> None:
        """Add an evaluation."""
        accuracy = np.nan if event.accuracy is None else event.accuracy
        row = (event.step, event.loss, accuracy, event.accuracy is not None)
        self._parts["evaluations"] += np.array([row], EVALUATION).tobytes()

    def write(self, db: sqlite3.Connection) -> None:
        """Put the chunk in its place in the file."""
        if self._new_steps:
            self._add_arrays(self._new_steps)
            self._new_rows, self._new_steps = [], []
        marks = ", ".join("?" * (2 + len(_PARTS)))
        row = (self._id, *self._parts.values(), _checksum(self._parts.values()))
        db.execute(f"INSERT OR REPLACE INTO chunks VALUES ({marks})", row)

    def _add_arrays(self, events: list[StepDone]) -> None:
        """Turn many steps into arrays at once: one by one it would take the training's time, four times as much."""
        parts = self._parts
        parts["steps"] += np.array(self._new_rows, STEP).tobytes()
        measured = [event for event in events if _is_measured(event)]
        parts["norms"] += _rounded([n for e in measured for n in (e.grad_norm, e.update_norm, e.weight_delta)])
        parts["states"] += _rounded([event.optimizer_state for event in events])
        leaked = np.zeros((len(events), len(events[0].frozen)), bool)
        for row, event in enumerate(events):
            if event.leaked:
                leaked[row, list(event.leaked)] = True
        parts["leaked"] += np.packbits(leaked, axis=1).tobytes()


@dataclass(frozen=True)
class ReadChunk:
    """A chunk out of the file; the parts as they lie there."""

    id: int
    steps: NDArray[np.void]
    plans: NDArray[np.void]
    evaluations: NDArray[np.void]
    norms: bytes
    leaked: bytes
    states: bytes

    def block(self, masks: list[NDArray[np.bool_]], tasks: list[str | None], layers: int, parameters: int) -> StepBlock:
        """Return the steps.

        Raises
        ------
        ValueError
            When the parts do not fit together.
        """
        steps = self.steps
        measured, read = (steps["what"] & MEASURED) > 0, (steps["what"] & STATE_READ) > 0
        leaked = np.frombuffer(self.leaked, np.uint8).reshape(len(steps), (layers + 7) // 8)
        try:
            frozen = np.array(masks, bool).reshape(len(masks), layers)[steps["mask"]]
            task = [tasks[number] for number in steps["task"].tolist()]
        except IndexError:
            raise ValueError("a step names flags or a task that are not there") from None
        return StepBlock(
            step=steps["step"],
            loss=steps["loss"],
            step_s=steps["step_s"],
            overhead_s=steps["overhead_s"],
            learning_rate=steps["learning_rate"],
            task=task,
            frozen=frozen,
            leaked=np.unpackbits(leaked, axis=1, count=layers).astype(bool),
            measured=measured,
            norms=np.frombuffer(self.norms, "<f4").reshape(int(measured.sum()), 3, layers),
            state_step=steps["step"][read],
            optimizer_state=np.frombuffer(self.states, "<f4").reshape(int(read.sum()), parameters, 3),
        )


def read_chunks(db: sqlite3.Connection, first: int) -> Iterator[ReadChunk]:
    """Yield the chunks from the number `first` on.

    Raises
    ------
    ValueError
        When one is not as it was written.
    """
    columns = ", ".join(_PARTS)
    query = f"SELECT id, checksum, {columns} FROM chunks WHERE id >= ? ORDER BY id"
    for id_, checksum, *parts in db.execute(query, (first,)):
        if not all(isinstance(part, bytes) for part in parts) or checksum != _checksum(parts):
            raise ValueError(f"its chunk {id_} is not as it was written")
        steps, plans, evaluations, *rest = parts
        yield ReadChunk(
            id_, np.frombuffer(steps, STEP), np.frombuffer(plans, PLAN), np.frombuffer(evaluations, EVALUATION), *rest
        )


def _checksum(parts: Iterable[bytes | bytearray]) -> int:
    """Return the CRC-32 of the parts one after another: SQLite has none, and a wrong number must never pass."""
    return functools.reduce(lambda before, part: zlib.crc32(part, before), parts, 0)


def _is_measured(event: StepDone) -> bool:
    return event.grad_norm is not None and event.update_norm is not None and event.weight_delta is not None


def _rounded(arrays: Iterable[NDArray[np.float64] | None]) -> bytes:
    """Return the arrays that are there, one after another, as float32."""
    given = [array.ravel() for array in arrays if array is not None]
    with np.errstate(over="ignore"):   # beyond float32 a norm is infinite
        return np.concatenate(given).astype("<f4").tobytes() if given else b""
