"""A network and data with tasks, as a person's own files would hold them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

_NETWORK = """
from torch import nn
from tests.support.network import Net


class WithTask(Net):
    def forward(self, x, task=None):
        return super().forward(x)


def build():
    return WithTask()
"""


def task_data(folder: Path, tasks: Sequence[str]) -> str:
    """Write data whose batches belong to `tasks` in turns; return it as a source."""
    batches = f"[(torch.ones(4, 6), torch.zeros(4).long(), task) for task in {list(tasks)}]"
    (folder / "data.py").write_text(f"import torch\n\n\ndef batches():\n    return {batches}\n")
    return f"file:{folder / 'data.py'}:batches"


def task_network(folder: Path) -> str:
    """Write the network of `tests.support.network`, to which the task of a batch is passed; return it as a source."""
    (folder / "net.py").write_text(_NETWORK)
    return f"file:{folder / 'net.py'}:build"
