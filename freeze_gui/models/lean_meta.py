"""Trials on the meta device without their slowest part, and the floating-point operations that they would take.

Where torch has no kernel of its own for the meta device it works the shapes out in Python, by dozens of operations on
tensors without values: a batch norm takes 2 ms. Where all shapes are known at once, the answer here takes a hundredth
of that; whatever is out of the ordinary goes to torch.

A tensor with values may come in all the same, inside of an object that only the forward can open. What is drawn for
it, as by dropout, has no values from there on: a run that was looked at first would draw other numbers.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

from freeze_gui.models.nested import map_tensors

_aten = torch.ops.aten
_CHOICE = _aten._fused_sdp_choice.default
_COUNTED_AS = {   # torch 2.15 has formulas for the CPU's attention, older ones have none
    _aten._scaled_dot_product_flash_attention_for_cpu: _aten._scaled_dot_product_flash_attention,
    _aten._scaled_dot_product_flash_attention_for_cpu_backward: _aten._scaled_dot_product_flash_attention_backward,
}
_PLAIN = (torch.float32, torch.float64)   # others are worked with in a wider format, which torch knows better

def _ops(*names: str) -> dict[str, Any]:
    """Return torch's operations of these names; one that this version of torch does not have is left out."""
    found = {name: getattr(getattr(_aten, name.split(".")[0], None), name.split(".")[1], None) for name in names}
    return {name: op for name, op in found.items() if op is not None}


_SAME_SHAPE = frozenset(_ops(
    *("add.Tensor", "sub.Tensor", "mul.Tensor", "div.Tensor", "mul.Scalar", "sqrt.default"),
    *("relu.default", "gelu.default", "silu.default", "sigmoid.default", "tanh.default"),
    *("hardswish.default", "hardsigmoid.default", "threshold_backward.default"),
    *("gelu_backward.default", "silu_backward.default", "sigmoid_backward.default"),
    *("hardswish_backward.default", "hardsigmoid_backward.default"),
).values())  # fmt: skip
_HARMLESS = {"alpha", "value", "approximate"}   # arguments by name that change no shape
_IN_PLACE = frozenset(_ops(
    *("add_.Tensor", "sub_.Tensor", "mul_.Tensor", "div_.Tensor", "lerp_.Scalar"),
    *("sqrt_.default", "addcmul_.default", "addcdiv_.default", "relu_.default", "silu_.default"),
    *("zero_.default", "hardswish_.default", "hardsigmoid_.default"),
).values())  # fmt: skip


class LeanMeta(TorchDispatchMode):  # type: ignore[no-untyped-call]   # torch's own __init_subclass__
    """Answers for tensors on the meta device; works in this thread only.

    Attributes
    ----------
    flops
        Floating-point operations so far: matrix products and convolutions, by torch's own formulas.

    Parameters
    ----------
    counts_flops
        Whether to count them, which takes a sixth of a forward's time.
    """

    def __init__(self, *, counts_flops: bool = True) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.flops = 0
        self._counts = counts_flops

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        """Return False: torch would wrap `__torch_dispatch__` to hide it from torch.compile, which never sees it.

        The first call of that wrapper imports the whole compiler, 0.9 s. (torch 2.10 to 2.15; others leave it alone.)
        """
        return False

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if _draws(func) and kwargs.get("generator") is None:
            if _writes(func):
                return args[0]
            args, kwargs = map_tensors(lambda tensor: tensor.to("meta"), (args, kwargs))
            if "device" in kwargs:
                kwargs["device"] = torch.device("meta")
        if func is _aten.zeros_like.default:
            answer = _zeros_like(args[0], kwargs)
        else:
            answer = _answer(func, args) if args and kwargs.keys() <= _HARMLESS else None
        result = func(*args, **kwargs) if answer is None else answer
        count = None
        if self._counts:
            packet = func._overloadpacket
            count = flop_registry.get(_COUNTED_AS.get(packet, packet))
        if count is not None:
            self.flops += count(*args, **kwargs, out_val=result)
        return result


@cache
def _draws(func: Any) -> bool:
    """Tell whether an operation draws from a random generator, the global one where it is given none."""
    chooses = func is _CHOICE   # marked as one that draws, but says only by which kernel attention would
    return torch.Tag.nondeterministic_seeded in func.tags and not chooses


def _writes(func: Any) -> bool:
    """Tell whether an operation writes its result into its first argument."""
    first = func._schema.arguments[0].alias_info
    return first is not None and bool(first.is_write)


def _answer(func: Any, args: Any) -> Any:
    """Return what `func` would, or None where torch has to say it."""
    first = args[0]
    if func is _aten.cat.default:
        return _cat(*args)
    if not isinstance(first, Tensor) or not first.is_meta or first.dtype not in _PLAIN:
        return None
    if func in _SAME_SHAPE:
        return _like(first) if _alike(args) else None
    if func in _IN_PLACE:
        return first if _alike(args) else None
    special = _SPECIAL.get(func)
    if special is None or any(isinstance(value, Tensor) and value.dtype != first.dtype for value in args):
        return None
    return special(*args)


def _alike(args: Any) -> bool:
    """Tell whether all tensors among `args` have one shape, one format and the same order; numbers may be there."""
    first = args[0]
    shape, dtype, order = first.shape, first.dtype, None
    for value in args[1:]:
        if not isinstance(value, Tensor):
            if not isinstance(value, int | float | str):
                return False
        elif value.shape != shape or value.dtype != dtype:
            return False
        elif value.stride() != first.stride():   # parts of a larger tensor lie apart, and yet in the usual order
            order = order or _is_in_order(first)
            if not (order and _is_in_order(value)):
                return False
    return True


def _is_in_order(tensor: Tensor) -> bool:
    strides = tensor.stride()
    return all(a >= b for a, b in pairwise(strides))


def _zeros_like(tensor: Tensor, given: dict[str, Any]) -> Tensor | None:
    usual = all(value is None or value is torch.preserve_format or value is False for value in given.values())
    return _like(tensor) if tensor.is_meta and usual else None


def _new(tensor: Tensor, shape: Sequence[int]) -> Tensor:
    """Return another tensor of its format; ``new_empty`` takes four times as long."""
    return torch.empty(shape, dtype=tensor.dtype, device=tensor.device)


def _like(tensor: Tensor) -> Tensor:
    """Return ``empty_like``, which torch works out in Python: 50 µs, where all that an ordinary tensor needs is 3."""
    return _new(tensor, tensor.shape) if tensor.is_contiguous() else torch.empty_like(tensor)


def _cat(tensors: list[Tensor], dim: int = 0) -> Tensor | None:
    first = tensors[0]
    shape = list(first.shape)
    if not first.is_meta or first.dtype not in _PLAIN or not -len(shape) <= dim < len(shape):
        return None
    others = [list(tensor.shape) for tensor in tensors]
    along = sum(other[dim] for other in others if len(other) == len(shape))
    for tensor, other in zip(tensors, others, strict=True):
        if len(other) != len(shape) or tensor.dtype != first.dtype or not _is_in_order(tensor):
            return None
        other[dim] = shape[dim]
        if other != shape:
            return None
    shape[dim] = along
    return _new(first, shape)


def _convolution(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    stride: list[int],
    padding: list[int],
    dilation: list[int],
    transposed: bool,
    output_padding: list[int],
    groups: int,
) -> Tensor | None:
    axes = weight.ndim - 2
    if transposed or x.ndim != weight.ndim or x.shape[1] != weight.shape[1] * groups or not _is_in_order(x):
        return None
    if any(len(values) != axes for values in (stride, padding, dilation)) or weight.shape[0] % groups:
        return None
    sides = [
        (size + 2 * pad - gap * (kernel - 1) - 1) // step + 1
        for size, kernel, step, pad, gap in zip(x.shape[2:], weight.shape[2:], stride, padding, dilation, strict=True)
    ]
    return _new(x, (x.shape[0], weight.shape[0], *sides)) if min(sides, default=0) > 0 else None


def _convolution_backward(grad: Tensor, x: Tensor, weight: Tensor, *others: Any) -> tuple[Tensor | None, ...] | None:
    if not (_is_in_order(grad) and _is_in_order(x) and _is_in_order(weight)):
        return None
    shapes = (x.shape, weight.shape, others[0] or (0,))
    return tuple(_new(x, shape) if want else None for want, shape in zip(others[-1], shapes, strict=True))


def _batch_norm(x: Tensor, weight: Tensor | None, *others: Any) -> tuple[Tensor, Tensor, Tensor]:
    training = others[3]
    channels = x.shape[1] if training else 0   # of the batch, which plays no part in eval mode
    return _like(x), _new(x, (channels,)), _new(x, (channels,))


def _batch_norm_backward(grad: Tensor, x: Tensor, *others: Any) -> tuple[Tensor | None, ...]:
    channels, wanted = x.shape[1], others[-1]
    shapes = (x.shape, (channels,), (channels,))
    return tuple(_new(x, shape) if want else None for want, shape in zip(wanted, shapes, strict=True))


def _layer_norm(
    x: Tensor, shape: list[int], weight: Tensor | None, bias: Tensor | None, eps: float
) -> tuple[Tensor, Tensor, Tensor] | None:
    if list(x.shape[-len(shape) :]) != list(shape) or any(
        value is not None and list(value.shape) != list(shape) for value in (weight, bias)
    ):
        return None
    outer = (*x.shape[: x.ndim - len(shape)], *(1 for _ in shape))
    return _new(x, x.shape), _new(x, outer), _new(x, outer)


def _layer_norm_backward(grad: Tensor, x: Tensor, *others: Any) -> tuple[Tensor | None, ...]:
    *_, weight, bias, wanted = others
    return tuple(
        _like(value) if want else None for want, value in zip(wanted, (x, weight, bias), strict=True)
    )


def _max_pool(
    x: Tensor,
    kernel: list[int],
    stride: Sequence[int] = (),
    padding: Sequence[int] = (0, 0),
    dilation: Sequence[int] = (1, 1),
    ceil_mode: bool = False,
) -> tuple[Tensor, Tensor] | None:
    stride = stride or kernel
    if x.ndim != 4 or not x.is_contiguous() or ceil_mode or x.numel() == 0:
        return None
    if any(len(values) != 2 for values in (kernel, stride, padding, dilation)):
        return None
    if any(2 * pad > size or step < 1 for size, pad, step in zip(kernel, padding, stride, strict=True)):
        return None
    sides = [
        (size + 2 * pad - gap * (width - 1) - 1) // step + 1
        for size, width, step, pad, gap in zip(x.shape[2:], kernel, stride, padding, dilation, strict=True)
    ]
    if min(sides) < 1:
        return None
    shape = (*x.shape[:2], *sides)
    return _new(x, shape), torch.empty(shape, dtype=torch.int64, device=x.device)


def _mean(x: Tensor, axes: list[int] | None, keepdim: bool = False) -> Tensor | None:
    if not x.is_contiguous() or not axes or not all(-x.ndim <= axis < x.ndim for axis in axes):
        return None
    gone = {axis % x.ndim for axis in axes}
    if len(gone) != len(axes):
        return None
    sizes = [1 if axis in gone else size for axis, size in enumerate(x.shape)]
    return _new(x, sizes if keepdim else [size for axis, size in enumerate(sizes) if axis not in gone])


def _linear(bias: Tensor, x: Tensor, weight: Tensor) -> Tensor | None:
    if x.ndim != 2 or weight.ndim != 2 or x.shape[1] != weight.shape[0] or bias.shape != weight.shape[1:]:
        return None
    return _new(x, (x.shape[0], weight.shape[1]))


_BY_NAME: dict[str, Any] = {
    "addmm.default": _linear,
    "max_pool2d_with_indices.default": _max_pool,
    "mean.dim": _mean,
    "native_batch_norm.default": _batch_norm,
    "native_batch_norm_backward.default": _batch_norm_backward,
    "convolution.default": _convolution,
    "convolution_backward.default": _convolution_backward,
    "native_layer_norm.default": _layer_norm,
    "native_layer_norm_backward.default": _layer_norm_backward,
}
_SPECIAL: dict[Any, Any] = {op: _BY_NAME[name] for name, op in _ops(*_BY_NAME).items()}
