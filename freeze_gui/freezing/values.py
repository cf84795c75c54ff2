"""What several tensors are at one moment, end to end in one array, so that one call compares them all, bit by bit."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from freeze_gui.freezing.bits import NUMPY_KNOWS, bits, differ, largest_differences

Flags = NDArray[np.bool_]


class Values:
    """What some tensors are at one moment.

    Parameters
    ----------
    tensors
        On one device. One alone stays where it is until `kept` copies it, several are copied at once.
    in_one
        Whether they fit into one array: dense ones of one number format that is not complex.
    """

    def __init__(self, tensors: Sequence[torch.Tensor], in_one: bool) -> None:
        self._shapes = [tensor.shape for tensor in tensors]
        self._array: torch.Tensor | None = None
        self._tensors: list[torch.Tensor] = []   # where there is no array
        with torch.no_grad():
            if not in_one:
                self._tensors = [tensor.detach() for tensor in tensors]
            elif len(tensors) == 1:
                self._array = tensors[0].detach()
            else:
                self._array = torch.cat([tensor.reshape(-1) for tensor in tensors])

    def __len__(self) -> int:
        return len(self._shapes)

    def tensors(self) -> list[torch.Tensor]:
        """Return what each tensor was."""
        if self._array is None:
            return self._tensors
        if len(self) == 1:
            return [self._array]   # as it lies in memory, in rows or channels last
        pieces = torch.split(self._array, [shape.numel() for shape in self._shapes])
        return [piece.view(shape) for piece, shape in zip(pieces, self._shapes, strict=True)]

    def only(self, places: Sequence[int]) -> Values:
        """Return some of these values, kept."""
        tensors = self.tensors()
        return Values([tensors[at] for at in places], self._array is not None).kept()

    def kept(self) -> Values:
        """Return these values, which stay as they are from now on whatever becomes of the tensors."""
        if self._array is None:
            self._tensors = [tensor.clone() for tensor in self._tensors]
        elif len(self) == 1:
            self._array = self._array.clone()
        return self

    def differ(self, other: Values) -> torch.Tensor:
        """Tell whether any bit of any tensor differs, as a flag on the device, for which nobody has waited."""
        a, b = self._array, other._array
        if a is None or b is None:
            return torch.tensor(any(differ(self._each(other))))
        a, b = bits(a), bits(b)
        return torch.tensor(not torch.equal(a, b)) if a.is_cpu else torch.ne(a, b).any()

    def which_differ(self, other: Values) -> Flags:
        """Tell for each tensor whether any bit differs."""
        a, b = self._array, other._array
        if a is None or b is None or len(self) == 1 or not a.is_cpu:
            return np.array(differ(self._each(other)), bool)
        a, b = bits(a), bits(b)
        if torch.equal(a, b):
            return np.zeros(len(self), bool)
        return self._by_tensor(np.logical_or, torch.ne(a, b).numpy(), False)

    def distances(self, other: Values) -> NDArray[np.float64]:
        """Return the largest absolute difference of an element for each tensor, as `bits.largest_differences` does."""
        a, b = self._array, other._array
        if a is None or b is None or len(self) == 1 or not a.is_cpu or a.dtype not in NUMPY_KNOWS:
            return np.array(largest_differences(self._each(other)))
        with np.errstate(all="ignore"):   # infinity less infinity is NaN
            apart = np.abs(np.subtract(a.numpy(), b.numpy(), dtype=np.float64))
        return self._by_tensor(np.maximum, apart, 0.0)

    def _each(self, other: Values) -> list[tuple[torch.Tensor, torch.Tensor]]:
        return list(zip(self.tensors(), other.tensors(), strict=True))

    def _by_tensor(self, reduce: np.ufunc, elements: NDArray[Any], of_none: Any) -> NDArray[Any]:
        """Reduce the elements of each tensor to one; `of_none` for a tensor without any."""
        sizes = np.array([shape.numel() for shape in self._shapes])
        found = np.full(len(sizes), of_none)
        full = np.flatnonzero(sizes)
        found[full] = reduce.reduceat(elements, (np.cumsum(sizes) - sizes)[full]) if len(full) else of_none
        return found
