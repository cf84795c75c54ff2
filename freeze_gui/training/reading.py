"""Numbers of a step on their way from the device: on CUDA nobody has to wait for them before they are needed."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from freeze_gui.freezing.bits import wide


class Reading:
    """Takes numbers from where they are in one transfer; on CUDA into pinned memory, behind what is queued.

    Parameters
    ----------
    loss
        One number.
    parts
        Tensors of shape (n,), or None for one without numbers.
    """

    __slots__ = ("_has_come", "_numbers", "_sizes")

    def __init__(self, loss: Tensor, *parts: Tensor | None) -> None:
        self._sizes = [0 if part is None else len(part) for part in parts]
        self._numbers = loss.view(1)
        if any(self._sizes):
            self._numbers = _joined([self._numbers, *(part for part in parts if part is not None)])
        self._has_come: torch.cuda.Event | None = None
        if self._numbers.is_cuda:
            queue = torch.cuda.current_stream(self._numbers.device)
            self._numbers = self._numbers.to("cpu", non_blocking=True)
            self._has_come = torch.cuda.Event(blocking=True)   # type: ignore[no-untyped-call]
            self._has_come.record(queue)

    def read(self) -> tuple[float, list[list[float]]]:
        """Return the loss and the numbers of each part; on CUDA once the device has come to the transfer."""
        if self._has_come is not None:
            self._has_come.synchronize()
        loss, *rest = self._numbers.tolist()
        parts = []
        for size in self._sizes:
            parts.append(rest[:size])
            rest = rest[size:]
        return loss, parts


def _joined(parts: Sequence[Tensor]) -> Tensor:
    """Return all numbers end to end, on a device if any of them is on one."""
    device = next((part.device for part in parts if not part.is_cpu), parts[0].device)
    return torch.cat([part.to(device, wide(device), non_blocking=True) for part in parts])
