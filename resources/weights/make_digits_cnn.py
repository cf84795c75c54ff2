"""Pretrain the body of builtin:digits-cnn on the digits 0–4 and write digits-cnn.safetensors beside this file.

Deterministic on one machine; takes some seconds on one core:

    python resources/weights/make_digits_cnn.py
"""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import nn
from torch.nn import functional

from freeze_gui.data.sources import LoadedData, load_data
from freeze_gui.models.sources import load_model

EPOCHS = 40
LEARNING_RATE = 3e-3
SEED = 0


def accuracy(module: nn.Module, data: LoadedData) -> float:
    """Return the share of the validation images that are classified right."""
    module.eval()
    with torch.no_grad():
        hits = [module(batch.inputs).argmax(dim=1) == batch.targets for batch in data.validation or ()]
    module.train()
    return torch.cat(hits).float().mean().item()


def main() -> None:
    """Train, report the accuracy, write the body with its running statistics."""
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    model = load_model("builtin:digits-cnn", weights="none", seed=SEED)
    data = load_data("digits:0-4", model=model, loss="cross_entropy", seed=SEED)
    module = model.module
    optimizer = torch.optim.AdamW(module.parameters(), lr=LEARNING_RATE, weight_decay=1e-2)
    steps = EPOCHS * (data.epoch_steps or 0)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, LEARNING_RATE, total_steps=steps)
    for epoch in range(EPOCHS):
        for batch in data.epoch(epoch):
            optimizer.zero_grad()
            functional.cross_entropy(module(batch.inputs), batch.targets).backward()
            optimizer.step()
            schedule.step()
    print(f"validation accuracy on the digits 0–4: {accuracy(module, data):.4f}")
    # The head is left out: a new task has other classes and starts with a fresh one.
    body = {name: tensor for name, tensor in module.state_dict().items() if not name.startswith("head.")}
    save_file(body, Path(__file__).with_name("digits-cnn.safetensors"))


if __name__ == "__main__":
    main()
