"""Mixed precision: the forward under autocast, and for fp16 a loss that is scaled so that small gradients survive."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext

import torch
from torch import Tensor

from freeze_gui.errors import UserError
from freeze_gui.training.fused import explain_failed_step

_DTYPES = {"bf16": torch.bfloat16, "fp16": torch.float16}


class Precision:
    """The number format of a run's forward.

    Parameters
    ----------
    mode
        ``none``, ``bf16`` or ``fp16``; the weights stay as they are in each.
    device
        Where the run takes place.

    Raises
    ------
    UserError
        When the device has no autocast for the mode.
    """

    def __init__(self, mode: str, device: torch.device) -> None:
        self._dtype = _DTYPES.get(mode)
        self._device_type = device.type
        if mode == "fp16" and device.type not in ("cuda", "cpu"):
            raise UserError(f"train.amp = 'fp16': {device.type} has no gradient scaler; must be none or bf16 there")
        self._scaler = torch.amp.GradScaler(device.type) if mode == "fp16" else None

    def forward(self) -> AbstractContextManager[object]:
        """Run a forward and its loss in the number format."""
        return nullcontext() if self._dtype is None else torch.autocast(self._device_type, self._dtype)

    def scaled(self, loss: Tensor) -> Tensor:
        """Return the loss that backward starts from."""
        return loss if self._scaler is None else self._scaler.scale(loss)

    def unscale(self, optimizer: torch.optim.Optimizer) -> None:
        """Divide the gradients by the scale: of those parameters that the optimizer holds, and of no others.

        A gradient that is left on a parameter outside the optimizer stays as large as the scale made it; clipping over
        all parameters then sees it.
        """
        if self._scaler is not None and _has_gradient(optimizer):
            self._scaler.unscale_(optimizer)

    def step(self, optimizer: torch.optim.Optimizer) -> None:
        """Take the optimizer's step; with a scaler none where a gradient is infinite or NaN, frozen ones included."""
        if self._scaler is None or not _has_gradient(optimizer):
            try:
                optimizer.step()
            except TypeError:
                explain_failed_step(optimizer)
                raise
        else:
            self._scaler.step(optimizer)
            self._scaler.update()

    def state(self) -> dict[str, float]:
        """Return what a resumed run needs."""
        return {} if self._scaler is None else dict(self._scaler.state_dict())

    def resume(self, state: dict[str, float]) -> None:
        """Go on from `state`."""
        if self._scaler is not None and state:
            self._scaler.load_state_dict(state)


def _has_gradient(optimizer: torch.optim.Optimizer) -> bool:
    return any(p.grad is not None for group in optimizer.param_groups for p in group["params"])
