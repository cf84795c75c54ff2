"""What happens to the optimizer's state at the moment a layer thaws."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import nn


def reset_state(optimizer: torch.optim.Optimizer, parameters: Iterable[nn.Parameter]) -> None:
    """Forget momentum and moments of `parameters`, so that their next step is a first step."""
    for parameter in parameters:
        optimizer.state.pop(parameter, None)
