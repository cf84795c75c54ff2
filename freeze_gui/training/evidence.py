"""What a run gathers as it goes, to show afterwards how it began, what it saw and where it came to."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager

import numpy as np
from torch import nn

from freeze_gui.data.sources import Batch
from freeze_gui.training.batch_hash import BatchHash
from freeze_gui.training.digests import layer_digests
from freeze_gui.training.events import Progress, Proof

SLOW_BYTES = 2**28
"""To take the digests of so many bytes of weights lasts a few tenths of a second, which is said."""


class Evidence:
    """Digests of the layers of one model, and of the batches that it is trained and evaluated on.

    Parameters
    ----------
    model
        On any device.
    layers
        Paths of its layers.
    """

    def __init__(self, model: nn.Module, layers: Sequence[str]) -> None:
        self._model, self._layers = model, layers
        self._start: dict[str, str] = {}
        self._has_begun = False   # a step has
        self._is_slow = sum(t.numel() * t.element_size() for t in (*model.parameters(), *model.buffers())) >= SLOW_BYTES
        self._batches = BatchHash()
        self._evaluations: dict[int, str] = {}
        self._evaluations_out_of_reach = ""

    def begin(self) -> Iterator[Progress]:
        """Take the bits that the run begins with; say so first where it takes a while."""
        if self._is_slow:
            yield Progress("taking the digest of every layer at the start")
        self._start = layer_digests(self._model, self._layers)

    def end(self) -> Iterator[Progress]:
        """Say that the bits which the run ends with are about to be taken, where it takes a while."""
        if self._is_slow and self._has_begun:
            yield Progress("taking the digest of every layer at the end")

    def add(self, group: tuple[Batch, ...]) -> None:
        """Take in the micro-batches of a step, before anything can write into them."""
        self._has_begun = True
        self._batches.add(group)

    @contextmanager
    def evaluation(self, step: int) -> Iterator[BatchHash]:
        """Yield what takes in the batches of the evaluation after `step` steps.

        Each evaluation has a digest of its own: a loader that shuffles its validation data shows others every time.
        """
        with closing(BatchHash()) as seen:
            yield seen
            if digest := seen.result():
                self._evaluations[step] = digest
            self._evaluations_out_of_reach = self._evaluations_out_of_reach or seen.out_of_reach

    def proof(self) -> Proof | None:
        """Return what there is to show by now; None before the first step."""
        if not self._has_begun:
            return None
        return Proof(
            self._start,
            layer_digests(self._model, self._layers),
            self._batches.result(),
            np.array(self._batches.steps, np.uint64),
            self._batches.out_of_reach,
            dict(self._evaluations),
            self._evaluations_out_of_reach,
            is_whole=True,
        )

    def close(self) -> None:
        """End what runs beside the loop."""
        self._batches.close()
