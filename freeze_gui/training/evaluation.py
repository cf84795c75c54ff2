"""Loss and accuracy on validation data, without leaving a trace in the model."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import nn

from freeze_gui.data.sources import Batch
from freeze_gui.training.batch_hash import BatchHash
from freeze_gui.training.batches import forward, hits, loss_of


@torch.no_grad()
def evaluate(
    model: nn.Module,
    validation: Sequence[Batch],
    loss: str,
    device: torch.device,
    is_stopping: Callable[[], bool] = lambda: False,
    seen: BatchHash | None = None,
) -> tuple[float, float | None] | None:
    """Return the mean loss a batch and the share of right predictions, None where there are no classes.

    Every module's training flag is put back as it was found, so a frozen layer in eval mode stays there. Returns None
    altogether when `is_stopping` said so between two batches. `seen` takes in each batch before the model does.
    """
    modes = {module: module.training for module in model.modules()}
    model.eval()
    losses: list[torch.Tensor] = []
    right = total = 0
    try:
        for batch in validation:
            if is_stopping():
                return None
            if seen is not None:
                seen.add((batch,))
            output = forward(model, batch, device)
            # read at once: without a wait the next batch could be written into memory that is still on its way
            losses.append(loss_of(loss, output, batch.targets, device).cpu())
            counted = hits(output, batch.targets, device)
            if counted is not None:
                right, total = right + counted[0], total + counted[1]
    finally:
        for module, training in modes.items():
            module.training = training
    return float(torch.stack(losses).mean()), right / total if total else None
