from __future__ import annotations

import contextlib
import io
import random
import runpy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from freeze_gui import run_config
from freeze_gui.freezing.methods import METHODS
from freeze_gui.runs.script_files import write_script
from freeze_gui.training.config import load_config
from tests.support.runs import NETWORK
from tests.support.scripts import assert_same_run, result_of

LAYERS = {
    f"file:{NETWORK}:build": ["first", "norm", "middle", "middle.*", "[0:2]", "middle.2"],
    "builtin:two-task": ["hidden_task1", "hidden_task2"],
    "builtin:routes": ["stem", "blocks.0", "blocks.1"],
    "builtin:tiny-transformer": ["encoder.layers.0", "encoder.layers[1:3]", "encoder.layers.1.norm1"],
    "builtin:encoder-head": ["encoder", "encoder.stem"],
}
TASKS = {"builtin:two-task": ("task1", "task2"), "builtin:routes": ("near", "far")}
OPTIMIZERS: list[dict[str, Any]] = [
    {"name": "SGD", "lr": 0.05, "momentum": 0.9, "nesterov": True, "weight_decay": 0.01},
    {"name": "SGD", "lr": 0.05},
    {"name": "Adam", "lr": 0.01, "amsgrad": True},
    {"name": "AdamW"},
    {"name": "RMSprop", "lr": 0.005, "momentum": 0.5},
    {"name": "Adagrad", "lr": 0.05, "initial_accumulator_value": 0.1},
    {"name": "Rprop", "lr": 0.005},
]
SCHEDULERS: list[Any] = [
    "none", "StepLR", "LambdaLR", "OneCycleLR", {"name": "CosineAnnealingLR", "eta_min": 0.001},
    {"name": "OneCycleLR", "total_steps": 6, "max_lr": 0.1, "cycle_momentum": False},
    {"name": "ReduceLROnPlateau", "patience": 0},
]  # fmt: skip
SEEDS = range(16)


def random_run(seed: int) -> dict[str, Any]:
    """Return a run that mixes everything with everything."""
    draw = random.Random(seed)
    model = draw.choice(list(LAYERS))
    freeze: dict[str, Any] = {
        "method": list(METHODS)[seed % len(METHODS)],   # each of them comes
        "norm": draw.choice(["leave", "eval"]),
        "moment": draw.choice(["step_start", "after_backward"]),
        "thaw": draw.choice(["keep_state", "reset_state"]),
        "phase": [
            {"layers": draw.sample(LAYERS[model], draw.randint(1, 2)), "from": start, "to": start + draw.randint(1, 5)}
            for start in draw.sample(range(8), draw.randint(1, 3))
        ],
    }
    if draw.random() < 0.3:
        freeze["phase"][0]["lr_factor"] = 0.3
    if model in TASKS and draw.random() < 0.7:
        freeze["task"] = [{"task": task, "layers": [draw.choice(LAYERS[model])]} for task in TASKS[model]]
    scheduler = draw.choice(SCHEDULERS if model not in TASKS and "file" not in model else SCHEDULERS[:-1])
    optimizer = draw.choice(OPTIMIZERS)
    if scheduler == "OneCycleLR" and optimizer["name"] in ("Adagrad", "Rprop"):
        scheduler = "StepLR"   # those have no momentum that it could turn
    decay = {"layer_decay": 0.7} if draw.random() < 0.3 else {}
    clip = {"clip_grad_norm": 0.5} if draw.random() < 0.4 else {}
    return {
        "model": {"source": model},
        **({"data": {"source": f"file:{NETWORK}:batches"}} if "file" in model else {}),
        "freeze": freeze,
        "optimizer": {
            **optimizer, **decay, "scheduler": scheduler, "zero_grad": draw.choice(["none", "zero", "never"]),
        },
        "train": {
            "device": "cpu", "steps": 11, "seed": seed, "eval_every": 3, "accumulate": draw.choice([1, 1, 3]),
            "amp": draw.choice(["none", "none", "bf16"]), **clip,
        },
    }  # fmt: skip


@pytest.fixture
def undisturbed() -> Iterator[None]:
    """Give back what a script sets for all of the process."""
    threads, state = torch.get_num_threads(), torch.get_rng_state()
    yield
    torch.set_num_threads(threads)
    torch.set_rng_state(state)


@pytest.mark.usefixtures("undisturbed")
@pytest.mark.parametrize("seed", SEEDS)
def test_the_script_of_a_random_run_has_its_losses_and_verdict(seed: int, tmp_path: Path) -> None:
    config, path = random_run(seed), tmp_path / "run.py"
    write_script(load_config(config), path)
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        losses = runpy.run_path(str(path))["main"]()
    assert_same_run(result_of(path, losses, printed.getvalue()), run_config(config))
