"""Running the program itself, for the tests."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from freeze_gui.data.sources import Batch
from freeze_gui.runs.recorder import RunRecorder
from freeze_gui.training import trainer
from freeze_gui.training.config import load_config
from freeze_gui.training.control import RunControl
from freeze_gui.training.events import RunEvent
from freeze_gui.training.loop import Loop

NETWORK = Path(__file__).with_name("network.py")
DRAWS = Path(__file__).with_name("draws_everywhere.py")


def network_config(
    method: str, optimizer: dict[str, Any], freeze: dict[str, Any] | None = None, **train: Any
) -> dict[str, Any]:
    """Return the configuration of the small network with `first`, `norm` and `middle` frozen."""
    return {
        "model": {"source": f"file:{NETWORK}:build"},
        "data": {"source": f"file:{NETWORK}:batches"},
        "freeze": {"layers": ["first", "norm", "middle"], "method": method, **(freeze or {})},
        "optimizer": optimizer,
        "train": {"device": "cpu", "steps": 20, "measure_every": 1, **train},
    }


class WatchedLoop(Loop):
    """A loop that also keeps the model's state dict after every step: what a GPU did is told one step later."""

    states: list[dict[str, Tensor]]

    def step(self, step: int, group: tuple[Batch, ...]) -> None:
        """Take a step, and note where it came to."""
        super().step(step, group)
        state = self._model.state_dict()
        self.states.append({name: tensor.detach().clone().cpu() for name, tensor in state.items()})


def run_watched(
    config: dict[str, Any], control: RunControl | None = None
) -> tuple[list[dict[str, Tensor]], list[RunEvent], RunRecorder]:
    """Run a configuration; return the state after every step, all events, and the recorder."""
    states: list[dict[str, Tensor]] = []
    read = load_config(config)
    recorder, events = RunRecorder(read), []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(trainer, "Loop", type("Watched", (WatchedLoop,), {"states": states}))
        for event in trainer.Trainer(read, control).events():
            events.append(event)
            recorder.handle(event)
    return states, events, recorder


def same_random(a: dict[str, Any], b: dict[str, Any]) -> bool:
    """Tell whether torch's, Python's and NumPy's generators stood in the same place."""
    return torch.equal(a["cpu"], b["cpu"]) and (a["python"], a["numpy"]) == (b["python"], b["numpy"])


def same_bits(a: dict[str, Tensor], b: dict[str, Tensor]) -> bool:
    """Tell whether two state dicts hold the same bits."""
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)
