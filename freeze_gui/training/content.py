"""What a batch is made of, as bytes to hash: every value inside it, or a clear no where one is out of reach."""

from __future__ import annotations

import copyreg
import functools
from collections.abc import Set
from typing import Any

import numpy as np
import torch

from freeze_gui.freezing.bits import NUMPY_KNOWS, bits, parts

Chunk = bytes | memoryview

_PLAIN = frozenset(map(id, (bool, int, float, complex, str, bytes, type(None), type(...), torch.dtype)))
"""By identity: the class of a class may say that it has no hash."""

_MOST_OBJECTS = 100_000
"""Hashed in about a tenth of a second; an object that leads to more, as to its whole data set, is out of reach."""


class OutOfReachError(Exception):
    """Something holds a value whose content cannot be known; the text names what."""


def chunks_of(value: Any) -> list[Chunk]:
    """Return what `value` is made of: kinds, shapes, number formats and bytes, in order.

    Tensors and arrays count with every bit, numbers and text as they are written, containers with what they hold and
    in their order, but sets without one. Of any other object its class counts by name, and its state, as `copy` and
    `pickle` ask for it. An object inside itself counts by how far up it is.

    Raises
    ------
    OutOfReachError
        When there is a function, a generator, an open file or the like in it, or more than can be gone through.
    """
    walk = _Walk()
    try:
        walk.take(value)
    except RecursionError:
        raise OutOfReachError("objects nested too deeply") from None
    return walk.found


class _Walk:
    """One way through a value: what it found, how many objects it met, and inside which of them it is."""

    def __init__(self) -> None:
        self.found: list[Chunk] = []
        self._met = 0
        self._above: list[int] = []

    def take(self, value: Any) -> None:
        self._met += 1
        if self._met > _MOST_OBJECTS:
            raise OutOfReachError(f"more than {_MOST_OBJECTS:,} objects")
        kind = type(value)
        if kind is torch.Tensor or kind is torch.nn.Parameter:
            self._tensor(value)
        elif id(kind) in _PLAIN:
            self._say(repr(value))
        elif kind is np.ndarray or kind is np.memmap or isinstance(value, np.generic):
            self._array(np.asarray(value))
        elif isinstance(value, type):
            self._say(f"class {_name(value)}")
        elif id(value) in self._above:
            self._say(f"above {len(self._above) - self._above.index(id(value))}")
        else:
            self._above.append(id(value))
            self._holder(value)
            self._above.pop()

    def _say(self, text: str, end: str = ";") -> None:
        self.found.append(f"{text}{end}".encode())

    def _holder(self, value: Any) -> None:
        """Take what can hold other values, and so itself."""
        kind = type(value)
        if kind is list or kind is tuple:
            self._say(f"list {len(value)}")
            for item in value:
                self.take(item)
        elif kind is dict:
            self._say(f"mapping {len(value)}")
            for key, item in value.items():
                if type(key) is str:
                    self._say(repr(key), ":")
                else:
                    self.take(key)
                self.take(item)
        elif kind is set or kind is frozenset:
            self._set(value)
        elif isinstance(value, torch.Tensor):
            self._say(_name(kind))
            self._tensor(value)
            if not value.is_nested:   # whose attributes are numbers that no two tensors share
                self.take(vars(value))
        else:
            self._object(value)

    def _set(self, value: Set[Any]) -> None:
        """Take the items sorted by their bytes: the order of a set is another one in every process."""
        outer, items = self.found, []
        for item in value:
            self.found = []
            self.take(item)
            items.append(b"".join(self.found))
        self.found = outer
        self._say(f"set {len(value)}")
        self.found += sorted(items)

    def _object(self, value: Any) -> None:
        """Take an object as its class says that it is made anew: by what, of what, and with which state."""
        kind = type(value)
        try:
            reduce = copyreg.dispatch_table.get(kind)
            made = reduce(value) if reduce is not None else value.__reduce_ex__(4)
        except Exception:   # whatever its own code raises
            raise OutOfReachError(_described(kind)) from None
        if not isinstance(made, tuple) or len(made) < 2:   # by a name alone, as a built-in function
            raise OutOfReachError(_described(kind))
        maker, arguments, *state = made
        self._say(f"{_name(kind)} by {_name(maker)}")
        self.take(arguments)
        for at, part in enumerate(state):   # its __dict__ or what stands for it, then iterators over items
            self._say(f"state {at}")
            self.take(list(part) if at in (1, 2) and part is not None else part)

    def _array(self, array: np.ndarray[Any, Any]) -> None:
        self._say(f"array {array.dtype.str} {array.shape}")
        if array.dtype.names is not None:   # field by field: what lies between them is not content
            for name in array.dtype.names:
                self._say(repr(name))
                self._array(np.asarray(array[name]))
        elif array.dtype.hasobject:
            for item in array.ravel().tolist():
                self.take(item)
        else:
            self.found.append(np.ascontiguousarray(array).reshape(-1).view(np.uint8).data)

    def _tensor(self, tensor: torch.Tensor) -> None:
        if tensor.is_quantized or tensor.is_meta:
            raise OutOfReachError(f"a {'quantized' if tensor.is_quantized else 'meta'} tensor")
        if tensor.is_nested:
            self._say(f"nested {tensor.size(0)}")
            for row in tensor.detach().unbind():
                self._tensor(row)
            return
        self.found.append(_header(tensor.dtype, tensor.shape, tensor.layout))
        try:
            if tensor.layout == torch.strided and not tensor.requires_grad:
                self.found.append(_memory(tensor))
            else:
                self.found += [_memory(part) for part in parts(tensor)]
        except (RuntimeError, TypeError):   # a subclass that holds its values in a way of its own
            raise OutOfReachError(_described(type(tensor))) from None


@functools.lru_cache(maxsize=256)   # a run sees few shapes, at every step
def _header(dtype: torch.dtype, shape: torch.Size, layout: torch.layout) -> bytes:
    return f"tensor {dtype} {tuple(shape)} {layout};".encode()


def _memory(tensor: torch.Tensor) -> memoryview:
    """Return the bytes of a dense tensor in the order of its elements; no copy where it lies so on the CPU."""
    if tensor.is_cpu and tensor.dtype in NUMPY_KNOWS and tensor.is_contiguous() and not tensor.is_neg():
        array = tensor.numpy()
        if array.size:   # as below, in a fourth of the time; Python casts no memory that is empty
            return array.data.cast("B")
    plain = bits(tensor.resolve_neg()).cpu().contiguous().reshape(-1)
    return plain.numpy().view(np.uint8).data


def _name(thing: Any) -> str:
    return f"{getattr(thing, '__module__', '')}.{getattr(thing, '__qualname__', type(thing).__qualname__)}"


def _described(kind: type) -> str:
    """Return ``an object of class data.Graph``, or ``a function`` for what Python itself has."""
    return f"a {kind.__name__}" if kind.__module__ == "builtins" else f"an object of class {_name(kind)}"
