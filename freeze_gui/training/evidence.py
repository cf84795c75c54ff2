"""What a run gathers as it goes, to show afterwards how it began, what it saw and where it came to."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from contextlib import closing, contextmanager

import numpy as np
from torch import nn

from freeze_gui.data.sources import Batch
from freeze_gui.models.layer_tree import own_tensors
from freeze_gui.training.batch_hash import BatchHash
from freeze_gui.training.control import RunControl
from freeze_gui.training.digests import layer_digests, own_bytes
from freeze_gui.training.events import Progress, Proof

SLOW_BYTES = 2**28
"""To take the digests of so many bytes of weights lasts a few tenths of a second: it is said, and Stop ends it."""
_SHARE = 0.01
"""Of the work, after which it is said how far it has come."""


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
        self._end: dict[str, str] = {}
        self._has_begun = False   # a step has
        modules = dict(model.named_modules())
        self._bytes = sum(own_bytes(own_tensors(modules[path])) for path in layers)
        self._is_slow = self._bytes >= SLOW_BYTES
        self._batches = BatchHash()
        self._evaluations: dict[int, str] = {}
        self._evaluations_out_of_reach = ""

    def begin(self, control: RunControl) -> Iterator[Progress]:
        """Take the bits that the run begins with."""
        self._start = yield from self._digests("start", control)

    def end(self, control: RunControl) -> Iterator[Progress]:
        """Take the bits that the run ends with."""
        if self._has_begun:
            self._end = yield from self._digests("end", control)

    def _digests(self, when: str, control: RunControl) -> Generator[Progress, None, dict[str, str]]:
        """Return the digest of every layer; none of a large model whose run is stopped before all are taken."""
        text, done, said = f"taking the digest of every layer at the {when}", 0, 0
        if self._is_slow:
            yield Progress(text, 0, self._bytes)
        digests = layer_digests(self._model, self._layers)
        while not (self._is_slow and control.is_stopping):
            try:
                done += next(digests)
            except StopIteration as end:
                found: dict[str, str] = end.value
                return found
            if self._is_slow and done - said >= _SHARE * self._bytes:
                said = done
                yield Progress(text, done, self._bytes)
        return {}

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
            self._end,
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
