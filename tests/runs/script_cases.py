"""Runs whose scripts are held to them: every method with five plans, and what is special in one way each."""

from __future__ import annotations

from typing import Any

from freeze_gui.freezing.methods import METHODS
from tests.support.runs import NETWORK

Config = dict[str, Any]


def network(method: str, freeze: Config | None = None, optimizer: Config | None = None, **train: Any) -> Config:
    """Return a run of the small network with statistics and dropout, from a person's own files."""
    where = {"layers": ["first", "norm", "middle"]} if freeze is None or "phase" not in freeze else {}
    return {
        "model": {"source": f"file:{NETWORK}:build"},
        "data": {"source": f"file:{NETWORK}:batches"},
        "freeze": {"method": method, **where, **(freeze or {})},
        "optimizer": optimizer or {"name": "Adam", "lr": 0.01},
        "train": {"device": "cpu", "seed": 3, **({} if "epochs" in train else {"steps": 16}), **train},
    }


def builtin(
    name: str, freeze: Config, optimizer: Config | None = None, model: Config | None = None, **train: Any
) -> Config:
    """Return a run of a network that ships with the program."""
    return {
        "model": {"source": f"builtin:{name}", **(model or {})},
        "freeze": freeze,
        "optimizer": optimizer or {"name": "Adam", "lr": 0.01},
        "train": {"device": "cpu", "steps": 10, **train},
    }


PHASES = [
    {"layers": ["first"], "from": 0, "to": 4},
    {"layers": ["norm", "middle"], "from": 2, "to": 9},
    {"layers": ["first"], "from": 8, "to": 12},
    {"layers": ["middle"], "from": 11},
]
EPOCHS = [
    {"layers": ["first"], "to": 1, "unit": "epoch", "lr_factor": 0.3},
    {"layers": ["norm"], "from": 1, "to": 2, "unit": "epoch"},
]
TASKS = [{"task": "task1", "layers": ["hidden_task2"]}, {"task": "task2", "layers": ["hidden_task1"]}]
WINDOW = {"from_step": 5, "to_step": 12}


def cases() -> dict[str, Config]:
    """Return every run whose script is held to it."""
    found: dict[str, Config] = {}
    for method in METHODS:
        found |= {
            f"{method}, to the end": network(method, {"norm": "eval"}),
            f"{method}, phases, reset, accumulation": network(
                method,
                {"phase": PHASES, "thaw": "reset_state"},
                {"name": "SGD", "lr": 0.05, "momentum": 0.9, "zero_grad": "zero"},
                accumulate=3,
            ),
            f"{method}, epochs, after backward, clipping": network(
                method,
                {"phase": EPOCHS, "moment": "after_backward", "norm": "eval"},
                {"name": "AdamW", "lr": 0.01, "zero_grad": "never"},
                epochs=3,
                accumulate=2,
                clip_grad_norm=0.5,
            ),
            f"{method}, window under OneCycleLR, bf16": network(
                method, WINDOW, {"name": "Adam", "lr": 0.01, "scheduler": "OneCycleLR", "layer_decay": 0.7}, amp="bf16"
            ),
            f"{method}, tasks": builtin(
                "two-task", {"method": method, "task": TASKS}, {"name": "Adam", "lr": 0.9, "zero_grad": "zero"}
            ),
        }
    digits = {"layers": ["stem", "blocks.0"], "method": "exclude", "to_step": 4}
    large = {"source": "digits", "batch_size": 179}   # four an epoch: of the 717 samples one is left over
    plateau = {"name": "Adam", "scheduler": {"name": "ReduceLROnPlateau", "patience": 0}}
    found |= {
        "fp16": network("requires_grad", WINDOW, amp="fp16", clip_grad_norm=0.5),
        "fused, a window under fp16": network(
            "requires_grad", WINDOW, {"name": "AdamW", "lr": 0.01, "fused": True}, amp="fp16", clip_grad_norm=0.5
        ),
        "fused SGD, phases by exclusion": network(
            "exclude", {"phase": PHASES}, {"name": "SGD", "lr": 0.05, "momentum": 0.9, "fused": True}
        ),
        "fused, lr = 0 under a scheduler": network(
            "lr_zero", WINDOW, {"name": "Adam", "lr": 0.01, "fused": True, "scheduler": "StepLR", "layer_decay": 0.7}
        ),
        "OneCycleLR over lr = 0": network("lr_zero", {}, {"name": "SGD", "lr": 0.05, "scheduler": "OneCycleLR"}),
        "OneCycleLR, which turns the momentum of a group made after a backward": network(
            "lr_zero",
            {"from_step": 4, "to_step": 6, "moment": "after_backward"},
            {"name": "SGD", "lr": 0.05, "momentum": 0.9, "scheduler": "OneCycleLR"},
            steps=11,
        ),
        "OneCycleLR that ends early": network(
            "exclude", WINDOW, {"name": "Adam", "lr": 0.01, "scheduler": {"name": "OneCycleLR", "total_steps": 9}}
        ),
        "StepLR, a window by exclusion": network("exclude", WINDOW, {"name": "SGD", "lr": 0.1, "scheduler": "StepLR"}),
        "CosineAnnealingLR": network("filter", {}, {"name": "SGD", "lr": 0.1, "scheduler": "CosineAnnealingLR"}),
        "LambdaLR": network("grad_none", {}, {"name": "NAdam", "lr": 0.01, "scheduler": "LambdaLR"}),
        "tasks and phases": builtin(
            "routes",
            {
                "method": "filter",
                "moment": "after_backward",
                "task": [{"task": "near", "layers": ["blocks.0"]}],
                "phase": [{"layers": ["stem", "blocks.0"], "from": 3, "to": 8}],
            },
            {"name": "SGD", "lr": 0.1, "momentum": 0.5, "scheduler": "StepLR"},
        ),
        "pretrained digits": {**builtin("digits-cnn", digits, plateau, eval_every=2), "data": large},
        "digits by mse": builtin(
            "digits-cnn", {"layers": ["stem"]}, None, {"weights": "none", "num_classes": 7}, loss="mse", seed=2**32 - 1
        ),
        "encoder-head": builtin("encoder-head", {"layers": ["encoder"], "norm": "eval"}, eval_every=4),
        "tokens": builtin("embedding-linear", {"layers": ["fc1"], "method": "no_grad"}),
        "attention, whose output is a tuple": builtin(
            "tiny-transformer",
            {"layers": ["encoder.layers[1:3]"], "method": "detach", "norm": "eval", "to_step": 5},
            {"name": "AdamW", "layer_decay": 0.8},
        ),
        "a block's own tensors": builtin(
            "tiny-transformer",
            {"layers": ["encoder.layers.1.self_attn.(own)", "encoder.layers.0.norm1"], "norm": "eval"},
        ),
        "everything": builtin("five-linear", {"layers": ["*"], "method": "exclude", "to_step": 4}),
        "everything in fp16": builtin(
            "five-linear",
            {"layers": ["*"], "method": "grad_none", "from_step": 3, "to_step": 6},
            amp="fp16",
            clip_grad_norm=1.0,
        ),
        "nothing": builtin("names", {}),
        "torchvision": {
            "model": {"source": "torchvision:squeezenet1_1", "num_classes": 3},
            "data": {"source": "random", "batch_size": 2},
            "freeze": {"layers": ["features[:4]"]},
            "train": {"device": "cpu", "steps": 2},
        },
    }   # fmt: skip
    return found


CASES = cases()
