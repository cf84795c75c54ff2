"""Networks and data for the benchmarks, as a person's own file would hold them: what they cost is known and fixed."""

from __future__ import annotations

import torch
from torch import Tensor, nn

_BATCHES = 4


def tiny_mlp() -> nn.Module:
    """Return a network whose step takes a fraction of a millisecond."""
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 32), nn.ReLU(), nn.Linear(32, 10))


def digits_sized() -> list[tuple[Tensor, Tensor]]:
    """Return batches of 32 images of 8×8 pixels."""
    return _images(32, 1, 8)


def images_64() -> list[tuple[Tensor, Tensor]]:
    """Return batches of 16 colour images of 64×64 pixels."""
    return _images(16, 3, 64)


def images_224() -> list[tuple[Tensor, Tensor]]:
    """Return batches of 16 colour images of 224×224 pixels."""
    return _images(16, 3, 224)


def many_images_224() -> list[tuple[Tensor, Tensor]]:
    """Return batches of 64 colour images of 224×224 pixels."""
    return _images(64, 3, 224)


def _images(batch: int, channels: int, pixels: int) -> list[tuple[Tensor, Tensor]]:
    return [(torch.randn(batch, channels, pixels, pixels), torch.randint(10, (batch,))) for _ in range(_BATCHES)]
