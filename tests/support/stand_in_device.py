"""A stand-in for a CUDA device: it computes on the CPU, says "cuda:0", refuses what CUDA refuses and counts the waits.

Tensors stay plain ones in the machine's memory, so that autograd and the optimizers work as ever; a mark on their
storage says on which side they are. A function mode answers what is asked of a tensor (`device`, `is_cpu`) and sees
transfers, of which nothing is left further down; a dispatch mode sees every operation, backward's too, hands the marks
on, refuses a mix of both sides, and counts what would make the program wait for the device: those that
``torch.cuda.set_sync_debug_mode`` speaks of, blocking copies in both directions (``c10::cuda::memcpy_and_sync``), and
events with nothing queued behind them. A copy for which nobody waits has come once an event behind it was waited for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from tests.support.stand_in_driver import driver

DEVICE = torch.device("cuda:0")
_CPU = torch.device("cpu")

_WAIT = {
    "_local_scalar_dense", "equal", "nonzero", "masked_select", "_unique2", "unique_consecutive", "unique_dim",
    "repeat_interleave", "bincount", "_coalesce", "to_sparse", "_to_sparse", "argwhere",
}  # fmt: skip
"""Their answer, or the shape of it, is needed by the program."""

_INDEXED = {"index", "index_put", "index_put_", "_index_put_impl_", "_unsafe_index", "_unsafe_index_put"}
_JOIN = {"cat", "stack"}
"""Every other operation takes a single number from the machine's side."""

_TRANSFERS = {Tensor.to, Tensor.cpu, Tensor.cuda}
_READ_AT_ONCE = {Tensor.tolist}
_COPIED_THERE = {torch.tensor, torch.as_tensor, torch.asarray}


def is_there(tensor: Tensor) -> bool:
    """Tell whether a tensor is on the device."""
    with torch._C.DisableTorchFunction():
        return all(_is_marked(part) for part in _dense(tensor))


class StandInDevice:
    """Counts what is done on the device; `waits` names every operation that a program would have waited for."""

    def __init__(self) -> None:
        self.waits: list[str] = []
        self.refuses_waits = False   # as torch does in its debug mode "error", events aside
        self.operations: list[str] = []
        self.come_to = 0
        self.on_the_way: list[tuple[Tensor, Tensor]] = []
        self.has_begun = False   # the driver is started by the first thing that is done

    def wait(self, name: str) -> None:
        """Note an operation that a program would have waited for."""
        if self.refuses_waits:
            raise RuntimeError(f"called a synchronizing CUDA operation: {name}")
        self.waits.append(name)

    @contextmanager
    def counted(self) -> Iterator[list[str]]:
        """Yield the waits of what is done inside, filled in as they come."""
        before, self.waits = self.waits, []
        try:
            yield self.waits
        finally:
            self.waits = before + self.waits

    @contextmanager
    def there(self) -> Iterator[None]:
        """Make the program see the device."""
        with pytest.MonkeyPatch.context() as patch, _Functions(self), _Operations(self):
            self._install(patch)
            yield

    def _install(self, patch: pytest.MonkeyPatch) -> None:
        for name, value in driver(self).items():
            patch.setattr(torch.cuda, name, value)
        patch.setattr(torch, "autocast", _autocast(torch.autocast))
        patch.setattr(torch._C, "_group_tensors_by_device_and_dtype", _grouped)
        patch.setattr(torch.UntypedStorage, "clone", _cloned_storage)
        for name in vars(torch.optim.Optimizer):   # which asks the driver whether a graph is being captured
            if name.endswith("graph_capture_health_check"):
                patch.setattr(torch.optim.Optimizer, name, lambda optimizer: None)


class _Functions(TorchFunctionMode):
    def __init__(self, device: StandInDevice) -> None:
        super().__init__()
        self._device = device

    def __torch_function__(
        self, func: Any, types: Iterable[type], args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = dict(kwargs or {})
        about = getattr(func, "__self__", None)
        if about is Tensor.device:
            return DEVICE if args[0].device.type == "cpu" and is_there(args[0]) else args[0].device
        if about is Tensor.is_cpu:
            return args[0].is_cpu and not is_there(args[0])
        if about is Tensor.is_cuda:
            return is_there(args[0])
        if func in _TRANSFERS:
            return self._moved(func, *args, **kwargs)
        if func in _READ_AT_ONCE and is_there(args[0]):
            self._device.wait(func.__name__)
        if func in (Tensor.numpy, Tensor.__array__) and is_there(args[0]):
            raise TypeError("can't convert cuda:0 device type tensor to numpy")
        if kwargs.get("device") is not None and not isinstance(func, type):
            return self._made(func, torch.device(kwargs.pop("device")), args, kwargs)
        return func(*args, **kwargs)

    def _made(self, func: Any, wanted: torch.device, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Call a factory whose result goes to `wanted`."""
        if wanted.type == "meta":
            return func(*args, **kwargs, device=wanted)
        made = func(*args, **kwargs, device=_CPU)
        if isinstance(made, Tensor):
            given = [arg for arg in tree_leaves(args) if isinstance(arg, Tensor)]
            if func in _COPIED_THERE and wanted.type == "cuda" and not all(map(is_there, given or [made])):
                self._device.wait(func.__name__)
            _mark(made, wanted.type == "cuda")
        return made

    def _moved(self, func: Any, tensor: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        """Take a tensor to the other side, or change its format where it is."""
        copy = kwargs.pop("copy", False)
        if func is Tensor.cpu:
            args = (_CPU, *args)
        elif func is not Tensor.to:
            args = args or (DEVICE,)
        if args and isinstance(args[0], Tensor):
            wanted, dtype, is_blocking = _side(args[0]), args[0].dtype, not kwargs.get("non_blocking", False)
            layout = None
        else:
            given, dtype, non_blocking, layout = torch._C._nn._parse_to(*args, **kwargs)
            wanted, is_blocking = given if given is not None else _side(tensor), not non_blocking
        if wanted.type == "meta" or tensor.is_meta:
            return tensor.to(wanted, dtype or tensor.dtype)
        there = is_there(tensor)
        crosses = there != (wanted.type == "cuda")
        more: dict[str, Any] = {} if layout is None else {"memory_format": layout}
        moved = tensor.to(dtype=dtype or tensor.dtype, copy=copy or crosses, **more)
        if crosses:
            if is_blocking:
                self._device.wait(f"{func.__name__} {'from' if there else 'onto'} the device")
            _mark(moved, not there)
            if there and not is_blocking:   # whoever reads it before it has come reads what was in that memory
                self._device.on_the_way.append((moved, moved.clone()))
                moved.fill_(float("nan") if moved.is_floating_point() else 77)
            self._device.has_begun = True
        return moved


class _Operations(TorchDispatchMode):   # type: ignore[no-untyped-call]
    def __init__(self, device: StandInDevice) -> None:
        super().__init__()   # type: ignore[no-untyped-call]
        self._device = device

    def __torch_dispatch__(
        self, func: Any, types: Iterable[type], args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        name = func.overloadpacket.__name__
        given = [value for value in tree_leaves((args, kwargs)) if isinstance(value, Tensor) and not value.is_meta]
        there = [is_there(value) for value in given]
        if any(there):
            self._device.operations.append(name)
            self._look(name, given, there, args, kwargs)
        made = func(*args, **kwargs)
        for value, was_there in zip(given, there, strict=True):
            if was_there and not is_there(value):   # written in place, a sparse tensor gets memory anew
                _mark(value, True)
        if any(there):
            known = {part.untyped_storage()._cdata for value in given for part in _dense(value)}
            for value in tree_leaves(made):
                if isinstance(value, Tensor) and not value.is_meta and not _lies_in(value, known):
                    _mark(value, True)
        return made

    def _look(
        self, name: str, given: list[Tensor], there: list[bool], args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> None:
        """Count a wait, and refuse what CUDA refuses."""
        if name == "copy_":
            is_blocking = not (args[2] if len(args) > 2 else kwargs.get("non_blocking", False))
            if there[0] != there[1] and is_blocking:
                self._device.wait(name)
            return
        if name in _INDEXED:
            indices = [index for index in args[1] if index is not None]
            for index in indices:
                if index.dtype == torch.bool or not is_there(index):
                    self._device.wait(name)
            given, there = [args[0]], [is_there(args[0])]
        if name in _WAIT:
            self._device.wait(name)
        here = [value for value, is_marked in zip(given, there, strict=True) if not is_marked]
        if here and (name in _JOIN or any(value.dim() for value in here)):
            raise RuntimeError(f"{name}: expected all tensors to be on the same device, found cuda:0 and cpu")


def _side(tensor: Tensor) -> torch.device:
    return DEVICE if is_there(tensor) else tensor.device


def _dense(tensor: Tensor) -> list[Tensor]:
    """Return what has memory of its own: a sparse tensor has its indices and values."""
    if tensor.layout == torch.sparse_coo:
        return [tensor._indices(), tensor._values()]
    return [tensor]


def _is_marked(tensor: Tensor) -> bool:
    return not tensor.is_meta and hasattr(tensor.untyped_storage(), "is_there")


def _mark(tensor: Tensor, there: bool) -> None:
    with torch._C.DisableTorchFunction():
        for part in _dense(tensor):
            storage = part.untyped_storage()
            if there:
                storage.is_there = True   # type: ignore[attr-defined]
            elif hasattr(storage, "is_there"):
                del storage.is_there


def _lies_in(tensor: Tensor, storages: set[int]) -> bool:
    return all(part.untyped_storage()._cdata in storages for part in _dense(tensor))


def _autocast(original: Any) -> Callable[..., Any]:
    return lambda device_type, *args, **kwargs: original("cpu", *args, **kwargs)


def _grouped(lists: list[list[Tensor | None]], with_indices: bool = False) -> dict[Any, Any]:
    """Stand in for what groups tensors by where they are, by the first list, as torch says."""
    found: dict[Any, Any] = {}
    for at, first in enumerate(lists[0]):
        assert first is not None
        groups, indices = found.setdefault((_side(first), first.dtype), ([[] for _ in lists], []))
        for group, tensors in zip(groups, lists, strict=True):
            if tensors:
                group.append(tensors[at])
        if with_indices:
            indices.append(at)
    return found


def _cloned_storage(storage: torch.UntypedStorage) -> torch.UntypedStorage:
    copy = torch.UntypedStorage(storage.nbytes()).copy_(storage)   # type: ignore[no-untyped-call]
    if hasattr(storage, "is_there"):
        copy.is_there = True   # type: ignore[attr-defined]
    return copy
