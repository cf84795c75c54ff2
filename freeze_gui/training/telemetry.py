"""Per-layer norms of gradient, update and distance from the start, in a few grouped calls.

All parameters are copied into one flat buffer, each padded to whole rows of 256 numbers, a chunk at a time so that the
work on a chunk finds it in the cache. Norms are taken over rows in the buffer's precision and combined in float64: a
float32 norm over millions of numbers in one go would be off by up to a percent (pytorch #169237), rows of 256 stay
within 1e-6 of float64. What leaves the device is one small array.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from freeze_gui.freezing.bits import differ
from freeze_gui.training.events import NO_GRADIENT

ROW = 256
_CHUNK_ROWS = {"cpu": 2048, "cuda": 65536}   # 2 MB of float32 stays in a core's cache; a GPU wants large kernels
_LARGE = 256 * ROW
"""Gradients from this size on, in elements, are measured where they lie; smaller ones are gathered first."""
_TRUSTED = (1e-12, 1e15)
"""Norms outside may have under- or overflowed when squared in float32, and are taken again in float64."""

GRADIENT, UPDATE, DELTA = range(3)

COPIES = 3
"""Copies of all parameters that measuring keeps: at the start, before the step, after it."""

Floats = NDArray[np.float64]


class Telemetry:
    """Measures three norms of every layer.

    Parameters
    ----------
    layers
        The layers of the run in row order; a layer's own parameters count, tied ones in each of their layers.
    """

    def __init__(self, layers: Sequence[nn.Module]) -> None:
        self._parameters, pairs = _own_parameters(layers)
        self._layer_count = len(layers)
        self._members: list[list[int]] = [[] for _ in layers]
        for parameter, layer in pairs:
            self._members[layer].append(parameter)
        device = self._parameters[0].device if self._parameters else torch.device("cpu")
        wide = any(p.dtype in (torch.float64, torch.complex128) for p in self._parameters)
        dtype = torch.float64 if wide else torch.float32
        sizes = [_flat(p).numel() for p in self._parameters]
        rows = [max(1, -(-size // ROW)) for size in sizes]
        starts = np.concatenate([[0], np.cumsum(rows)]).astype(np.int64)
        self._row_ranges = list(zip(starts[:-1].tolist(), starts[1:].tolist(), strict=True))
        total = int(starts[-1])
        copies = (torch.zeros(total, ROW, dtype=dtype, device=device) for _ in range(COPIES))
        self._start, self._previous, self._now = copies
        self._chunks = _chunks(self._row_ranges, sizes, _CHUNK_ROWS.get(device.type, 65536))
        self._scratch = torch.empty(
            max((chunk.stop - chunk.start for chunk in self._chunks), default=0), ROW, dtype=dtype, device=device
        )
        self._row_norms = torch.zeros(3, total, dtype=dtype, device=device)
        # MPS has no float64
        self._sum_dtype = torch.float32 if device.type == "mps" else torch.float64
        index = [(row, layer) for p, layer in pairs for row in range(*self._row_ranges[p])]
        self._row_of = torch.tensor([row for row, _ in index], dtype=torch.int64, device=device)
        self._layer_of = torch.tensor([layer for _, layer in index], dtype=torch.int64, device=device)
        self._views = {
            id(buffer): [buffer[a:b].view(-1)[:n] for (a, b), n in zip(self._row_ranges, sizes, strict=True)]
            for buffer in (self._start, self._previous, self._now)
        }
        self._gather(self._start, [p.detach() for p in self._parameters])
        self._previous.copy_(self._start)

    def remember_weights(self) -> None:
        """Take the weights now as those before the next step; needed only when the step before was not measured."""
        self._gather(self._previous, [p.detach() for p in self._parameters])

    @torch.no_grad()
    def measure(self, extra: torch.Tensor) -> tuple[Floats, Floats]:
        """Measure after a step; gradients must still be those that the step saw.

        Parameters
        ----------
        extra
            A few numbers, shape (n,), that leave the device in the same transfer.

        Returns
        -------
        tuple of ndarray
            The norms, shape (3, layers): `GRADIENT`, `UPDATE`, `DELTA`; and `extra`.
        """
        grads = [p.grad for p in self._parameters]
        self._measure_gradients(grads)
        self._measure_weights()
        sums = torch.zeros(3, self._layer_count, dtype=self._sum_dtype, device=self._row_norms.device)
        squares = self._row_norms.to(self._sum_dtype).square_()[:, self._row_of]
        sums.index_add_(1, self._layer_of, squares)
        packed = torch.cat([sums.sqrt_().flatten(), extra.to(sums)]).cpu().double().numpy()
        norms: Floats = packed[: 3 * self._layer_count].reshape(3, self._layer_count)
        self._correct(norms, grads)
        self._previous, self._now = self._now, self._previous
        return norms, packed[3 * self._layer_count :]

    def _gather(self, buffer: torch.Tensor, tensors: Sequence[torch.Tensor]) -> None:
        if tensors:
            torch._foreach_copy_(self._views[id(buffer)], [_flat(t) for t in tensors])

    def _measure_gradients(self, grads: Sequence[torch.Tensor | None]) -> None:
        """Take the norms of what gradients there are; rows without a gradient get 0."""
        rows = self._row_norms[GRADIENT]
        rows.zero_()
        views = self._views[id(self._now)]
        targets, sources, ranges = [], [], []
        for view, row_range, grad in zip(views, self._row_ranges, grads, strict=True):
            if grad is None:
                continue
            flat = _flat(grad)
            if flat.numel() >= _LARGE and flat.numel() % ROW == 0 and flat.dtype == view.dtype:
                torch.linalg.vector_norm(flat.view(-1, ROW), dim=1, out=rows[slice(*row_range)])
            else:
                targets.append(view)
                sources.append(flat)
                ranges.append(row_range)
        if targets:
            torch._foreach_copy_(targets, sources)
        for a, b in _merged(ranges):
            torch.linalg.vector_norm(self._now[a:b], dim=1, out=rows[a:b])

    def _measure_weights(self) -> None:
        """Copy the weights into `_now`, and take the norms of their distance from the step before and the start."""
        flats = [_flat(p.detach()) for p in self._parameters]
        views = self._views[id(self._now)]
        for chunk in self._chunks:
            torch._foreach_copy_(
                [views[p][a:b] for p, a, b in chunk.pieces], [flats[p][a:b] for p, a, b in chunk.pieces]
            )
            rows = slice(chunk.start, chunk.stop)
            scratch = self._scratch[: chunk.stop - chunk.start]
            for metric, since in ((UPDATE, self._previous), (DELTA, self._start)):
                torch.sub(self._now[rows], since[rows], out=scratch)
                torch.linalg.vector_norm(scratch, dim=1, out=self._row_norms[metric, rows])

    def _correct(self, norms: Floats, grads: Sequence[torch.Tensor | None]) -> None:
        """Take norms that may have under- or overflowed again in float64, and mark layers without a gradient."""
        doubtful: list[tuple[int, int, list[int]]] = []
        for layer, owned in enumerate(self._members):
            with_grad = [p for p in owned if grads[p] is not None]
            if not with_grad:
                norms[GRADIENT, layer] = NO_GRADIENT
            for metric, parts in ((GRADIENT, with_grad), (UPDATE, owned), (DELTA, owned)):
                if parts and not _TRUSTED[0] < norms[metric, layer] < _TRUSTED[1]:
                    doubtful.append((metric, layer, parts))
        if not doubtful:
            return
        # most of them are exact zeros, of frozen layers: found out for all at once
        pairs = [self._compared(metric, p, grads) for metric, _, parts in doubtful for p in parts]
        moved = iter(differ(pairs))
        for metric, layer, parts in doubtful:
            nonzero = [p for p in parts if next(moved)]
            norms[metric, layer] = self._exactly(metric, nonzero, grads)

    def _compared(
        self, metric: int, part: int, grads: Sequence[torch.Tensor | None]
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the two vectors whose difference the metric measures; a gradient is measured from zero."""
        gradient = grads[part]
        if metric == GRADIENT and gradient is not None:
            values = _flat(gradient.detach())
            return values, torch.zeros((), dtype=values.dtype, device=values.device).expand_as(values)
        since = self._previous if metric == UPDATE else self._start
        return self._views[id(self._now)][part], self._views[id(since)][part]

    def _exactly(self, metric: int, parts: Sequence[int], grads: Sequence[torch.Tensor | None]) -> float:
        pairs = (self._compared(metric, part, grads) for part in parts)
        return math.hypot(*(float(torch.linalg.vector_norm(a.cpu().double() - b.cpu().double())) for a, b in pairs))


@dataclass(frozen=True)
class _Chunk:
    """Rows [start, stop) of the buffer, and the (parameter, from element, to element) pieces that lie in them."""

    start: int
    stop: int
    pieces: tuple[tuple[int, int, int], ...]


def _chunks(row_ranges: Sequence[tuple[int, int]], sizes: Sequence[int], most_rows: int) -> list[_Chunk]:
    """Cut the buffer into chunks of at most `most_rows` rows; a large parameter is cut into several pieces."""
    total = row_ranges[-1][1] if row_ranges else 0
    chunks = []
    first = 0   # the first parameter that may reach into the chunk
    for start in range(0, total, most_rows):
        stop = min(start + most_rows, total)
        pieces = []
        while row_ranges[first][1] <= start:
            first += 1
        for p in range(first, len(row_ranges)):
            a, b = row_ranges[p]
            if a >= stop:
                break
            pieces.append((p, (max(a, start) - a) * ROW, min(sizes[p], (min(b, stop) - a) * ROW)))
        chunks.append(_Chunk(start, stop, tuple(pieces)))
    return chunks


def _own_parameters(layers: Sequence[nn.Module]) -> tuple[list[nn.Parameter], list[tuple[int, int]]]:
    """Return the parameters, each once, and (parameter, layer) pairs: a tied parameter has several."""
    index: dict[int, int] = {}
    parameters: list[nn.Parameter] = []
    pairs: list[tuple[int, int]] = []
    for layer, module in enumerate(layers):
        for parameter in module._parameters.values():
            if parameter is not None:
                if id(parameter) not in index:
                    index[id(parameter)] = len(parameters)
                    parameters.append(parameter)
                pairs.append((index[id(parameter)], layer))
    return parameters, pairs


def _flat(tensor: torch.Tensor) -> torch.Tensor:
    """Return the numbers of `tensor` as a vector: a view where its layout allows, complex numbers as pairs."""
    if tensor.is_sparse:
        tensor = tensor.to_dense()
    return (torch.view_as_real(tensor) if tensor.is_complex() else tensor).reshape(-1)


def _merged(ranges: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """Join neighbouring (start, stop) ranges."""
    merged: list[tuple[int, int]] = []
    for start, stop in ranges:
        if merged and merged[-1][1] == start:
            merged[-1] = (merged[-1][0], stop)
        else:
            merged.append((start, stop))
    return merged
