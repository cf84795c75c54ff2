"""A model and data that draw from torch, Python and NumPy at every turn, as a person's own file may."""

from __future__ import annotations

import random
from collections.abc import Iterator
from random import gauss

import numpy as np
import torch
from torch import Tensor, nn

ROWS = np.random.permutation(24)   # drawn as the file is run
SAMPLES = torch.randn(24, 10) * random.uniform(0.5, 1.5)


class Net(nn.Module):
    """Leaves a layer out of a forward now and then."""

    input_shape = (10,)

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Linear(10, 8)
        self.middle = nn.Sequential(nn.Linear(8, 8), nn.Dropout(0.2))
        self.last = nn.Linear(8, 2)
        nn.init.constant_(self.last.bias, random.random() + float(np.random.rand()))

    def forward(self, x: Tensor) -> Tensor:
        """Map (batch, 10) to (batch, 2)."""
        x = torch.relu(self.first(x))
        if random.random() < 0.7:
            x = self.middle(x) * float(np.random.uniform(0.5, 1.0))
        found: Tensor = self.last(x)
        return found


class Augmented:
    """Three batches of 8 in an order of their own, each changed at random; they say nothing of how many they are."""

    def __init__(self) -> None:
        self.scale = random.uniform(0.5, 2.0) * float(np.random.uniform(0.5, 2.0))

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        order = list(ROWS)
        random.shuffle(order)
        for start in range(0, 24, 8):
            rows = order[start : start + 8]
            noise = torch.from_numpy(np.random.normal(0.0, 0.1, size=(8, 10))).float() + gauss(0.0, 0.1)
            yield self.scale * random.choice([1, -1]) * SAMPLES[rows] + noise, (SAMPLES[rows] > 0)[:, 0].long()


def build() -> Net:
    """Return the model."""
    return Net()


def batches() -> Augmented:
    """Return the data, with validation data of the same kind."""
    data = Augmented()
    data.validation = Augmented()   # type: ignore[attr-defined]
    return data
