"""Digests of layers and of whatever else has content: equal bits give equal digests, on every machine."""

from __future__ import annotations

import hashlib
from collections.abc import Generator, Iterable, Mapping, Sequence

from torch import Tensor, nn

from freeze_gui.models.layer_tree import own_tensors
from freeze_gui.training.content import Chunk, OutOfReachError, chunks_of

DIGEST_BYTES = 16
"""128 bits: two runs that differ would have to be made to agree on purpose."""

_PIECE = 2**24
"""Bytes that are hashed at a time, some 20 ms."""


def digest(chunks: Iterable[Chunk]) -> bytes:
    """Return the BLAKE2b digest of all chunks, one after another; long ones are hashed without Python's lock."""
    found = hashlib.blake2b(digest_size=DIGEST_BYTES)
    for chunk in chunks:
        found.update(chunk)
    return found.digest()


def layer_digests(model: nn.Module, layers: Sequence[str]) -> Generator[int, None, dict[str, str]]:
    """Return for each layer the digest of its own parameters and buffers, as hexadecimal text, empty if out of reach.

    Yields after each layer, and within a large one after each piece, how many bytes have been hashed since: whoever
    asks may show it, and need not go on.

    Parameters
    ----------
    model
        On any device; what is not on the CPU is copied there, one layer after the other.
    layers
        Paths of the layers wanted.
    """
    modules = dict(model.named_modules())
    found = {}
    for path in layers:
        found[path] = yield from _digest_of(own_tensors(modules[path]))
    return found


def own_bytes(tensors: Mapping[str, Tensor]) -> int:
    """Return how many bytes a layer's tensors count for; sparse ones do not tell, and count as if they were dense."""
    return sum(tensor.numel() * tensor.element_size() for tensor in tensors.values())


def digest_of_all(digests: Mapping[str, str]) -> str:
    """Return one digest of several, with their names."""
    return digest(chunks_of(digests)).hex()


def _digest_of(tensors: Mapping[str, Tensor]) -> Generator[int, None, str]:
    try:
        chunks = chunks_of(dict(tensors))
    except OutOfReachError:   # a quantized tensor, for one
        chunks = None
    found, told = hashlib.blake2b(digest_size=DIGEST_BYTES), 0
    for chunk in chunks or ():
        whole = memoryview(chunk)
        for start in range(0, len(whole), _PIECE):
            if start:
                told += _PIECE
                yield _PIECE
            found.update(whole[start : start + _PIECE])
    yield own_bytes(tensors) - told
    return "" if chunks is None else found.hexdigest()
