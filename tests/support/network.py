"""A small network and its data, as a person's own file would hold them."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class Net(nn.Module):
    """Four layers with statistics, dropout and an activation between them."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Linear(6, 8)
        self.norm = nn.BatchNorm1d(8)
        self.middle = nn.Sequential(nn.Linear(8, 8), nn.Tanh(), nn.Dropout(0.2))
        self.last = nn.Linear(8, 3)

    def forward(self, x: Tensor) -> Tensor:
        """Map (batch, 6) to (batch, 3)."""
        found: Tensor = self.last(self.middle(torch.relu(self.norm(self.first(x)))))
        return found


def build() -> Net:
    """Return the network, its weights drawn from the global generator."""
    return Net()


def batches() -> list[tuple[Tensor, Tensor]]:
    """Return 7 batches of 16 samples."""
    generator = torch.Generator().manual_seed(5)
    return [
        (torch.randn(16, 6, generator=generator), torch.randint(0, 3, (16,), generator=generator)) for _ in range(7)
    ]
