"""What an optimizer keeps of each parameter: its step count, and the norms of its first and second moment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

_FIRST = ("exp_avg", "momentum_buffer")
_SECOND = ("exp_avg_sq", "exp_inf", "square_avg", "sum")

STEP, FIRST, SECOND = range(3)


Floats = NDArray[np.float64]


class StateNorms:
    """Reads the state of every parameter of a model, whatever the optimizer calls its parts."""

    def __init__(self, model: nn.Module) -> None:
        named = dict(model.named_parameters())
        self.names = tuple(named)
        self._parameters = tuple(named.values())

    @torch.no_grad()
    def measure(self, every: Mapping[Tensor, Mapping[str, Any]]) -> MeasuredState:
        """Look at the state of an optimizer now; nobody waits for a device."""
        table = np.full((len(self._parameters), 3), np.nan)
        places: list[tuple[int, int]] = []
        moments: list[Tensor] = []
        for row, parameter in enumerate(self._parameters):
            state = every.get(parameter, {})
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
        norms = torch._foreach_norm([_wide(moment) for moment in moments]) if moments else []
        numbers = torch.stack([norm.float() for norm in norms]) if moments else None
        return MeasuredState(table, places, numbers)


@dataclass(frozen=True)
class MeasuredState:
    """What an optimizer kept of each parameter at one moment, some of it still on a device.

    Attributes
    ----------
    known, places
        What is known, shape (parameters, 3): `STEP`, `FIRST`, `SECOND`; and where the numbers go that are missing.
    unread
        These numbers (n,), where they are; None without any.
    """

    known: Floats
    places: Sequence[tuple[int, int]]
    unread: Tensor | None

    def table(self, numbers: Sequence[float]) -> Floats:
        """Return L2 norms, shape (parameters, 3), from the numbers of `unread`, which have come from their device.

        NaN where the optimizer keeps nothing of the kind.
        """
        if self.places:
            self.known[tuple(zip(*self.places, strict=True))] = numbers
        return self.known

    def read(self) -> Floats:
        """Return the same, with a wait for the device."""
        return self.table([] if self.unread is None else self.unread.tolist())


def _wide(moment: Tensor) -> Tensor:
    dense = moment.to_dense() if moment.is_sparse else moment
    return dense.float() if dense.dtype in (torch.float16, torch.bfloat16) else dense
