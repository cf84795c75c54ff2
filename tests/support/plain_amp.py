"""Mixed precision written out in plain PyTorch, with everything but the last layer frozen."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tests.support.network import batches, build

STEPS = 12
SGD = partial(torch.optim.SGD, lr=0.1)
DTYPES = {"bf16": torch.bfloat16, "fp16": torch.float16}


def plain_amp_run(
    amp: str,
    clip: float | None,
    drop_frozen: bool,
    device: str = "cpu",
    make: Callable[..., torch.optim.Optimizer] = SGD,
) -> list[dict[str, Tensor]]:
    """Write mixed precision out as PyTorch's own pages do; the frozen gradients are dropped, or left in place."""
    torch.manual_seed(0)
    model = build().to(device)
    data = [(x.to(device), y.to(device)) for x, y in batches()]
    frozen = [p for name, p in model.named_parameters() if not name.startswith("last")]
    trained = [p for name, p in model.named_parameters() if name.startswith("last")]
    torch.manual_seed(0)
    optimizer = make(trained)
    scaler = torch.amp.GradScaler(device, enabled=amp == "fp16")
    states = []
    for step in range(STEPS):
        optimizer.zero_grad()
        x, y = data[step % len(data)]
        with torch.autocast(device, DTYPES[amp]):
            loss = F.cross_entropy(model(x), y)
        scaler.scale(loss).backward()   # type: ignore[no-untyped-call]
        if drop_frozen:
            for p in frozen:
                p.grad = None
        scaler.unscale_(optimizer)
        if clip is not None:
            nn.utils.clip_grad_norm_(model.parameters(), clip)
        scaler.step(optimizer)
        scaler.update()
        states.append({name: tensor.detach().clone().cpu() for name, tensor in model.state_dict().items()})
    return states
