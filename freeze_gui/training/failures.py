"""What went wrong in a run, in the words that a person needs."""

from __future__ import annotations

import traceback
from pathlib import Path

import torch

from freeze_gui.errors import UserError
from freeze_gui.training.memory import DoesNotFit

_PACKAGE = str(Path(__file__).resolve().parents[1])
_TORCH = str(Path(torch.__file__).resolve().parent)


def describe_failure(error: BaseException, device: str) -> tuple[str, str]:
    """Return the status of a run that `error` ended, and the text that says what happened and what to do."""
    if isinstance(error, DoesNotFit):
        return "out_of_memory", str(error)
    if isinstance(error, UserError):
        return "failed", str(error)
    if isinstance(error, torch.OutOfMemoryError | MemoryError) or "allocate memory" in str(error):
        return (
            "out_of_memory",
            f"{device} ran out of memory; choose a smaller batch, a smaller model, or freeze more with requires_grad",
        )
    message = " ".join(str(error).split()) or "no message"
    where = _where(error)
    return "failed", f"{type(error).__name__}: {message[:400]}{f' ({where})' if where else ''}"


def nothing_to_train(step: int) -> UserError:
    """Return the error for a loss that no gradient can come from."""
    return UserError(
        f"Nothing to train at step {step}: the loss depends on no trainable parameter, so backward has nothing to do "
        "and PyTorch refuses. Leave a layer after the frozen ones unfrozen, or choose a method that keeps the graph, "
        "such as grad_none"
    )


def diverged(step: int, loss: float, learning_rate: float) -> str:
    """Return the text for a loss that is no number any more."""
    word = "NaN" if loss != loss else "infinite"
    return (
        f"The loss became {word} at step {step}; the usual cause is a learning rate that is too high "
        f"(it is {learning_rate:g}): lower it, or set train.clip_grad_norm"
    )


def _where(error: BaseException) -> str:
    """Return file and line of the innermost frame that is neither ours nor torch's."""
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        if not frame.filename.startswith((_PACKAGE, _TORCH, "<")):
            return f"{Path(frame.filename).name}, line {frame.lineno}"
    return ""
