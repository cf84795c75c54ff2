"""Digests of layers and of whatever else has content: equal bits give equal digests, on every machine."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence

from torch import Tensor, nn

from freeze_gui.models.layer_tree import own_tensors
from freeze_gui.training.content import Chunk, OutOfReachError, chunks_of

DIGEST_BYTES = 16
"""128 bits: two runs that differ would have to be made to agree on purpose."""


def digest(chunks: Iterable[Chunk]) -> bytes:
    """Return the BLAKE2b digest of all chunks, one after another; long ones are hashed without Python's lock."""
    found = hashlib.blake2b(digest_size=DIGEST_BYTES)
    for chunk in chunks:
        found.update(chunk)
    return found.digest()


def layer_digests(model: nn.Module, layers: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Yield each layer with the digest of its own parameters and buffers, as hexadecimal text, empty if out of reach.

    Parameters
    ----------
    model
        On any device; what is not on the CPU is copied there, one tensor after the other.
    layers
        Paths of the layers wanted.
    """
    modules = dict(model.named_modules())
    for path in layers:
        yield path, _digest_of(dict(own_tensors(modules[path])))


def digest_of_all(digests: Mapping[str, str]) -> str:
    """Return one digest of several, with their names."""
    return digest(chunks_of(digests)).hex()


def _digest_of(tensors: Mapping[str, Tensor]) -> str:
    try:
        return digest(chunks_of(tensors)).hex()
    except OutOfReachError:   # a quantized tensor, for one
        return ""
