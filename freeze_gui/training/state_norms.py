"""What an optimizer keeps of each parameter: its step count, and the norms of its first and second moment."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

_FIRST = ("exp_avg", "momentum_buffer")
_SECOND = ("exp_avg_sq", "exp_inf", "square_avg", "sum")

STEP, FIRST, SECOND = range(3)


class StateNorms:
    """Reads the state of every parameter of a model, whatever the optimizer calls its parts."""

    def __init__(self, model: nn.Module) -> None:
        named = dict(model.named_parameters())
        self.names = tuple(named)
        self._parameters = tuple(named.values())

    @torch.no_grad()
    def measure(self, optimizer: torch.optim.Optimizer) -> NDArray[np.float64]:
        """Return (parameters, 3): `STEP`, `FIRST`, `SECOND`; NaN where the optimizer keeps nothing of the kind.

        L2 norms, in one transfer from the device.
        """
        table = np.full((len(self._parameters), 3), np.nan)
        places: list[tuple[int, int]] = []
        moments: list[Tensor] = []
        for row, parameter in enumerate(self._parameters):
            state = optimizer.state.get(parameter, {})
            step = state.get("step")
            if isinstance(step, Tensor) and step.device.type != "cpu":
                places.append((row, STEP))
                moments.append(step)
            elif step is not None:
                table[row, STEP] = float(step)
            for column, keys in ((FIRST, _FIRST), (SECOND, _SECOND)):
                moment = next((state[key] for key in keys if isinstance(state.get(key), Tensor)), None)
                if moment is not None:
                    places.append((row, column))
                    moments.append(moment)
        if moments:
            norms = torch.stack([norm.float() for norm in torch._foreach_norm([_wide(m) for m in moments])]).tolist()
            for place, norm in zip(places, norms, strict=True):
                table[place] = norm
        return table


def _wide(moment: Tensor) -> Tensor:
    dense = moment.to_dense() if moment.is_sparse else moment
    return dense.float() if dense.dtype in (torch.float16, torch.bfloat16) else dense
