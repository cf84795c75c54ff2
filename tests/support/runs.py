"""Running the program itself, for the tests."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from freeze_gui.runs.recorder import RunRecorder
from freeze_gui.training.config import load_config
from freeze_gui.training.control import RunControl
from freeze_gui.training.events import RunEvent, StepDone
from freeze_gui.training.trainer import Trainer

NETWORK = Path(__file__).with_name("network.py")


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


class WatchedTrainer(Trainer):
    """A trainer that also keeps the model's state dict after every step."""

    def states(self) -> tuple[list[dict[str, Tensor]], list[RunEvent], RunRecorder]:
        """Run to the end."""
        states: list[dict[str, Tensor]] = []
        events: list[RunEvent] = []
        recorder = RunRecorder(self._config)
        for event in self.events():
            events.append(event)
            recorder.handle(event)
            if isinstance(event, StepDone):
                assert self._loop is not None
                state = self._loop._model.state_dict()
                states.append({name: tensor.detach().clone().cpu() for name, tensor in state.items()})
        return states, events, recorder


def run_watched(
    config: dict[str, Any], control: RunControl | None = None
) -> tuple[list[dict[str, Tensor]], list[RunEvent], RunRecorder]:
    """Run a configuration; return the state after every step, all events, and the recorder."""
    return WatchedTrainer(load_config(config), control).states()


def same_bits(a: dict[str, Tensor], b: dict[str, Tensor]) -> bool:
    """Tell whether two state dicts hold the same bits."""
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)
