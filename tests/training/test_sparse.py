from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from freeze_gui.freezing.methods import METHODS
from tests.support.runs import run_watched

FILE = """
import torch
from torch import nn

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.first = nn.EmbeddingBag(20, 4, sparse=True)
        self.second = nn.EmbeddingBag(20, 4, sparse=True)

    def forward(self, tokens):
        return self.first(tokens) + self.second(tokens.flip(1) // 2)

def build():
    return Net()

def batches():
    g = torch.Generator().manual_seed(3)
    return [(torch.randint(0, 20, (6, 5), generator=g), torch.randint(0, 4, (6,), generator=g)) for _ in range(4)]
"""
STEPS = 6


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "sparse.py"
    path.write_text(FILE)
    return path


@pytest.mark.parametrize("method", METHODS)
def test_sparse_gradients_and_sparse_adam_run_under_every_method(method: str, file: Path) -> None:
    """Both embeddings learn sparsely; the frozen one holds where its method holds a layer under this rule."""
    config: dict[str, Any] = {
        "model": {"source": f"file:{file}:build"},
        "data": {"source": f"file:{file}:batches"},
        "freeze": {"layers": ["first"], "method": method},
        "optimizer": {"name": "SparseAdam", "lr": 0.1},
        "train": {"steps": STEPS, "device": "cpu"},
    }
    _, _, recorder = run_watched(config)
    summary = recorder.summary()
    assert summary["status"] == "completed", summary["error"]
    verdicts = {layer["path"]: layer["verdict"] for layer in summary["layers"]}
    # SparseAdam moves what has an entry in the gradient: zeroed entries are entries, and its moments go on from zero
    assert verdicts == {"first": "leaked" if method == "eval_only" else "held", "second": "trained"}
    assert summary["cost"]["optimizer_state_bytes"] > 0


def test_bytes_of_sparse_gradients_are_those_of_values_and_indices(file: Path) -> None:
    space: dict[str, Any] = {}
    exec(compile(FILE, str(file), "exec"), space)
    torch.manual_seed(0)
    model: nn.Module = space["build"]()
    tokens, targets = space["batches"]()[(STEPS - 1) % 4]
    F.cross_entropy(model(tokens), targets).backward()   # type: ignore[no-untyped-call]
    expected = 0
    for p in model.parameters():
        assert p.grad is not None
        expected += p.grad._values().nbytes + p.grad._indices().nbytes
    config: dict[str, Any] = {
        "model": {"source": f"file:{file}:build"},
        "data": {"source": f"file:{file}:batches"},
        "optimizer": {"name": "SGD", "lr": 0.1},
        "train": {"steps": STEPS, "device": "cpu"},
    }
    assert run_watched(config)[2].summary()["cost"]["gradient_bytes"] == expected
