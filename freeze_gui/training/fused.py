"""torch's fused optimizers: what they cannot train, said before the run, and the one step that they cannot take."""

from __future__ import annotations

import torch
from torch import nn

from freeze_gui.errors import UserError
from freeze_gui.training.optimizers import trial_class
from freeze_gui.training.settings import OptimizerSettings

_CURE = "leave optimizer.fused out"


def check_fused(settings: OptimizerSettings, amp: str, model: nn.Module) -> None:
    """Check that a fused optimizer, where one was chosen, can train `model`, which is on its device.

    Raises
    ------
    UserError
        When torch would refuse a parameter or its gradient in the first step, or go wrong without a word: its kernels
        take every memory as one without gaps, and SGD's momentum is left uninitialised where a gradient scaler skips
        the step that would begin it (torch 2.15).
    """
    if not settings.hyper.get("fused"):
        return
    name = settings.name
    if name == "SGD" and settings.hyper.get("momentum") and amp == "fp16":
        raise UserError(
            "optimizer.fused under train.amp = 'fp16': torch leaves the momentum of fused SGD uninitialised where the "
            f"gradient scaler skips the first step, as it often does; take bf16, leave momentum out, or {_CURE}"
        )
    for path, module in model.named_modules():
        if isinstance(module, nn.Embedding | nn.EmbeddingBag) and module.sparse:
            raise UserError(f"optimizer.fused: {path} has sparse gradients, which fused {name} does not take; {_CURE}")
    tried: set[tuple[torch.dtype, torch.device]] = set()
    for path, parameter in model.named_parameters():
        if torch.empty_like(parameter, device="meta").stride() != parameter.stride():   # a copy has no gaps
            raise UserError(
                f"optimizer.fused: the memory of {path} has gaps or overlaps, and fused {name} would write beside it; "
                f"{_CURE}"
            )
        kind = parameter.dtype, parameter.device
        if kind not in tried:
            tried.add(kind)
            _try(settings, path, parameter)


def explain_failed_step(optimizer: torch.optim.Optimizer) -> None:
    """Say why a fused step failed, if it is the one that fused SGD cannot take; else do nothing.

    Raises
    ------
    UserError
        When some parameters of a group have momentum already and others get their first gradient now.
    """
    for group in optimizer.param_groups:
        if not (isinstance(optimizer, torch.optim.SGD) and group.get("fused") and group.get("momentum")):
            continue
        moving = [p for p in group["params"] if p.grad is not None]
        new = sum(optimizer.state.get(p, {}).get("momentum_buffer") is None for p in moving)
        if 0 < new < len(moving):
            raise UserError(
                f"Fused SGD cannot take this step: {new} of {len(moving)} parameters of a group get their first "
                "gradient now and the others have momentum already, a mix that PyTorch does not take; "
                f"{_CURE}, or thaw with exclude or filter, which give what thaws a group of its own"
            )


def _try(settings: OptimizerSettings, path: str, like: nn.Parameter) -> None:
    """Take one step on a weight of the same type and device."""
    weight = nn.Parameter(torch.zeros(1, dtype=like.dtype, device=like.device))
    weight.grad = torch.zeros_like(weight)
    try:
        trial_class(settings.name)([weight], **settings.hyper).step()
    except (RuntimeError, TypeError, ValueError) as error:   # NotImplementedError is a RuntimeError
        kind = f"{like.dtype} on {like.device.type}".removeprefix("torch.")
        raise UserError(
            f"optimizer.fused: torch has no fused {settings.name} for {path}, which is {kind} ({error}); {_CURE}"
        ) from None
