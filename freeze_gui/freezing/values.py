"""What several tensors are at one moment, end to end in one array, so that one call compares them all, bit by bit."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch._utils import _flatten_dense_tensors

from freeze_gui.freezing.bits import NUMPY_KNOWS, Row, any_differs, any_of, apart, bits, flags

Flags = NDArray[np.bool_]


class Layout:
    """How some tensors lie end to end in one array.

    Parameters
    ----------
    shapes
        Of dense ones of one number format, which is not complex, on one device.
    """

    def __init__(self, shapes: Sequence[torch.Size]) -> None:
        self.shapes = shapes
        self.sizes = [shape.numel() for shape in shapes]
        sizes = np.array(self.sizes)
        self.starts = np.cumsum(sizes) - sizes
        self._full = np.flatnonzero(sizes)
        self._starts = self.starts[self._full]

    def by_tensor(self, reduce: np.ufunc, elements: NDArray[Any], of_none: Any) -> NDArray[Any]:
        """Reduce the elements of each tensor to one; `of_none` for a tensor without any."""
        if len(self._full) == len(self.sizes):
            return reduce.reduceat(elements, self._starts)
        found = np.full(len(self.sizes), of_none)
        if len(self._full):
            found[self._full] = reduce.reduceat(elements, self._starts)
        return found


class Values:
    """What some tensors are at one moment.

    Parameters
    ----------
    tensors
        On one device. One alone stays where it is until `kept` copies it, several are copied at once.
    layout
        Of these tensors; None where they do not fit into one array.
    """

    def __init__(self, tensors: Sequence[torch.Tensor], layout: Layout | None) -> None:
        self._layout = layout
        self._array: torch.Tensor | None = None
        self._tensors: list[torch.Tensor] = []   # where there is no array
        if layout is not None:
            with torch.no_grad():
                array = tensors[0].detach() if len(tensors) == 1 else _flatten_dense_tensors(tensors)  # type: ignore[no-untyped-call]
            self._array = array
        else:
            self._tensors = [tensor.detach() for tensor in tensors]

    def __len__(self) -> int:
        return len(self._tensors) if self._array is None or self._layout is None else len(self._layout.sizes)

    def tensors(self) -> list[torch.Tensor]:
        """Return what each tensor was."""
        if self._array is None or self._layout is None:
            return self._tensors
        if len(self) == 1:
            return [self._array]   # as it lies in memory, in rows or channels last
        pieces = torch.split(self._array, self._layout.sizes)
        return [piece.view(shape) for piece, shape in zip(pieces, self._layout.shapes, strict=True)]

    def tensor(self, at: int) -> torch.Tensor:
        """Return what one tensor was."""
        if self._array is None or self._layout is None or len(self) == 1:
            return self.tensors()[at]
        piece = self._array.narrow(0, int(self._layout.starts[at]), self._layout.sizes[at])
        return piece.view(self._layout.shapes[at])

    def only(self, places: Sequence[int]) -> Values:
        """Return some of these values, kept."""
        every = self.tensors()
        some = [every[at] for at in places]
        return Values(some, None if self._array is None else Layout([tensor.shape for tensor in some])).kept()

    def kept(self) -> Values:
        """Return these values, which stay as they are from now on whatever becomes of the tensors."""
        if self._array is None:
            self._tensors = [tensor.clone() for tensor in self._tensors]
        elif len(self) == 1:
            self._array = self._array.clone()
        return self

    def differ(self, other: Values) -> bool | torch.Tensor:
        """Tell whether any bit of any tensor differs; on a GPU by a flag there, for which nobody has waited."""
        a, b = self._array, other._array
        if a is None or b is None:
            return any_of(flags(self._each(other)))
        return any_differs(bits(a), bits(b))

    def flags(self, other: Values) -> Row:
        """Tell for each tensor whether any bit differs, where it is on a GPU by a flag there."""
        a, b, layout = self._array, other._array, self._layout
        if a is None or b is None or layout is None or len(self) == 1 or not a.is_cpu:
            return flags(self._each(other))
        return layout.by_tensor(np.logical_or, bits(a).numpy() != bits(b).numpy(), False)

    def distances(self, other: Values) -> Row:
        """Return the largest absolute difference of an element for each tensor, as `bits.apart` does."""
        a, b, layout = self._array, other._array, self._layout
        if a is None or b is None or layout is None or len(self) == 1 or not a.is_cpu or a.dtype not in NUMPY_KNOWS:
            return [apart(mine, theirs) for mine, theirs in self._each(other)]
        with np.errstate(all="ignore"):   # infinity less infinity is NaN
            difference = np.abs(np.subtract(a.numpy(), b.numpy(), dtype=np.float64))
        return layout.by_tensor(np.maximum, difference, 0.0)

    def _each(self, other: Values) -> list[tuple[torch.Tensor, torch.Tensor]]:
        return list(zip(self.tensors(), other.tensors(), strict=True))
