"""Digests of tensors and of whatever else a batch is made of: equal bits give equal digests, on every machine."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import nn

from freeze_gui.freezing.bits import bits, parts
from freeze_gui.models.layer_tree import own_tensors

DIGEST_BYTES = 16
"""128 bits: two runs that differ would have to be made to agree on purpose."""

Chunk = bytes | memoryview


def digest(chunks: Iterator[Chunk] | Sequence[Chunk]) -> bytes:
    """Return the BLAKE2b digest of all chunks, one after another; long ones are hashed without Python's lock."""
    found = hashlib.blake2b(digest_size=DIGEST_BYTES)
    for chunk in chunks:
        found.update(chunk)
    return found.digest()


def chunks_of(value: Any) -> Iterator[Chunk]:
    """Yield what `value` is made of: kinds, shapes, number formats and bytes, in order.

    Tensors and arrays count with every bit, numbers and text as they are written, containers with their keys. Of
    anything else only its class is known.
    """
    if isinstance(value, torch.Tensor) and not (value.is_quantized or value.is_nested or value.is_meta):
        yield f"tensor {value.dtype} {tuple(value.shape)} {value.layout};".encode()
        for part in parts(value):
            yield _memory(part)
    elif isinstance(value, np.ndarray) and value.dtype.kind not in "OV":
        yield f"array {value.dtype.str} {value.shape};".encode()
        yield np.ascontiguousarray(value).reshape(-1).view(np.uint8).data
    elif isinstance(value, Mapping):
        yield f"mapping {len(value)};".encode()
        for key, item in value.items():
            yield f"{key!r}:".encode()
            yield from chunks_of(item)
    elif isinstance(value, list | tuple):
        yield f"list {len(value)};".encode()
        for item in value:
            yield from chunks_of(item)
    elif value is None or isinstance(value, bool | int | float | complex | str | bytes):
        yield f"{value!r};".encode()
    else:
        yield f"{type(value).__module__}.{type(value).__qualname__};".encode()


def layer_digests(model: nn.Module, layers: Sequence[str]) -> dict[str, str]:
    """Return the digest of each layer's own parameters and buffers, as hexadecimal text.

    Parameters
    ----------
    model
        On any device; what is not on the CPU is copied there, one tensor after the other.
    layers
        Paths of the layers wanted.
    """
    modules = dict(model.named_modules())
    return {path: digest(chunks_of(dict(own_tensors(modules[path])))).hex() for path in layers}


def digest_of_all(digests: Mapping[str, str]) -> str:
    """Return one digest of several, with their names."""
    return digest(chunks_of(digests)).hex()


def _memory(tensor: torch.Tensor) -> memoryview:
    """Return the bytes of a dense tensor in the order of its elements; no copy where it lies so on the CPU."""
    plain = bits(tensor.resolve_neg()).cpu().contiguous().reshape(-1)
    return plain.numpy().view(np.uint8).data
