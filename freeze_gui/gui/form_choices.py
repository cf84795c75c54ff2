"""What the boxes of the form offer, each choice with a sentence."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QComboBox

from freeze_gui.data.datasets import DATASETS
from freeze_gui.freezing.methods import METHODS, summary_line
from freeze_gui.gui.fields import add_heading
from freeze_gui.models.builtin import BUILTIN_NAMES, builtin_label
from freeze_gui.models.loaded import ModelChoice

OPEN_FILE = "Open a file…"
OPEN_FOLDER = "Image folder…"

NORM_TIPS = (
    ("leave", "Frozen norm layers stay in training mode: their running statistics go on moving"),
    ("eval", "Frozen norm and dropout layers run in eval mode, re-applied after every train()"),
)
ZERO_GRAD_TIPS = (
    ("none", "zero_grad(set_to_none=True): gradients are dropped, today's default"),
    ("zero", "zero_grad(set_to_none=False): gradients become zeros, and the optimizer sees them"),
    ("never", "No zero_grad(): gradients pile up from step to step"),
)
LOSS_TIPS = (
    ("default", "The loss that suits the model"),
    ("cross_entropy", "torch.nn.functional.cross_entropy"),
    ("mse", "torch.nn.functional.mse_loss"),
)
WEIGHT_TIPS = (
    ("none", "Random weights from the seed"),
    ("default", "The source's own pretrained weights; torchvision's are downloaded once"),
    (OPEN_FILE, "A .safetensors file or a weights-only checkpoint"),
)
SCHEDULER_TIPS = (
    ("none", "The learning rate stays as it is"),
    ("StepLR", "Times gamma after every step_size steps"),
    ("CosineAnnealingLR", "Down along half a cosine, to eta_min after T_max steps"),
    ("OneCycleLR", "Up to max_lr and down again, once; it overwrites a learning rate of 0"),
    ("ReduceLROnPlateau", "Times factor when the validation loss has not fallen for some evaluations"),
    ("LambdaLR", "A linear warm-up over warmup_steps steps, then the full rate"),
)
AMP_TIPS = (
    ("none", "Everything in the model's own number format"),
    ("bf16", "Forward in bfloat16 where that is safe; gradients need no scaling"),
    ("fp16", "Forward in half precision, with a scaled loss: on CUDA"),
)
MOMENT_TIPS = (
    ("step_start", "A freeze takes hold at the top of a step"),
    ("after_backward", "A freeze takes hold between backward and step of its first step, as flags flipped late do"),
)
THAW_TIPS = (
    ("keep_state", "A thawed layer goes on with the momentum and moments that it had"),
    ("reset_state", "A thawed layer starts with fresh momentum and moments"),
)
DEVICE_TIPS = {
    "auto": "CUDA where there is a GPU, else MPS, else the CPU",
    "cpu": "The processor",
    "mps": "Apple's GPU",
}
FIELD_TIPS = {
    "modelBox": "A network that is built in, one of torchvision, or what a function in a Python file returns",
    "dataBox": "What it is trained on; a field that is empty takes what suits the model",
    "weightsBox": "What the model starts from",
    "batchSizeEdit": "Samples in a batch; a Python file for data makes its own batches",
    "stepsEdit": "Steps of the optimizer in a run",
    "seedEdit": "Begins all random numbers, of weights, batches and dropout: runs of one seed begin alike",
    "deviceBox": "Where it trains",
    "paceBox": "Steps a second at most; at a slow pace each step can be watched, and ticked layers freeze in sight",
    "methodBox": "How the ticked layers are frozen",
    "normBox": "What becomes of the norm and dropout layers that are ticked",
    "optimizerBox": "A class of torch.optim; its other settings are behind the button beside the learning rate",
    "zeroGradBox": "How the gradients of a step are cleared before the next one",
    "lossBox": "What is minimized",
}
"""What each field of the form is for."""
PACES: tuple[tuple[str, float | None], ...] = (
    ("full speed", None), ("60 steps/s", 60.0), ("20 steps/s", 20.0), ("5 steps/s", 5.0), ("1 step/s", 1.0),
)  # fmt: skip


def method_tips() -> tuple[tuple[str, str], ...]:
    """Return id and sentence of every freezing method."""
    return tuple((name, sentence_of(name)) for name in METHODS)


def sentence_of(method: str) -> str:
    """Return what a freezing method does, without the marks of its docstring."""
    return summary_line(METHODS[method]).replace("``", "")


def devices() -> list[str]:
    """Return the devices of this machine by name, ``auto`` first."""
    found = ["auto", "cpu", *(f"cuda:{index}" for index in range(torch.cuda.device_count()))]
    return [*found, "mps"] if torch.backends.mps.is_available() else found


def builtin_choices() -> list[ModelChoice]:
    """Return the models that are there at once, before torchvision is imported."""
    return [ModelChoice(f"builtin:{name}", builtin_label(name), "built in") for name in BUILTIN_NAMES]


def usual_weights(source: str) -> str:
    """Return the weights that a source starts with where nobody says otherwise."""
    return "default" if source.startswith("builtin:") else "none"


def fill_models(box: QComboBox, choices: Sequence[ModelChoice]) -> None:
    """List models under their headings, and the way to a person's own."""
    box.clear()
    group = ""
    for choice in choices:
        if choice.group != group:
            group = choice.group
            add_heading(box, f"— {group} —")
        box.addItem(choice.source, choice.source)
        box.setItemData(box.count() - 1, choice.label, Qt.ItemDataRole.ToolTipRole)
    add_heading(box, "— your own —")
    box.addItem(OPEN_FILE, OPEN_FILE)
    box.setItemData(box.count() - 1, "A Python file with a function that builds the model", Qt.ItemDataRole.ToolTipRole)


def fill_data(box: QComboBox) -> None:
    """List data sources under their headings, and the way to a person's own."""
    add_heading(box, "— built in —")
    for source, tip in (
        ("digits", "1,797 real handwritten digits; the pretrained network sees the digits 5–9, which are new to it"),
        ("random", "Random inputs and targets that fit the model"),
    ):
        box.addItem(source, source)
        box.setItemData(box.count() - 1, tip, Qt.ItemDataRole.ToolTipRole)
    add_heading(box, "— torchvision, downloaded once —")
    for name, info in DATASETS.items():
        box.addItem(f"torchvision:{name}", f"torchvision:{name}")
        box.setItemData(box.count() - 1, f"{info.num_classes} classes", Qt.ItemDataRole.ToolTipRole)
    add_heading(box, "— your own —")
    own = ((OPEN_FOLDER, "One folder of images per class"), (OPEN_FILE, "A Python file that yields batches"))
    for text, tip in own:
        box.addItem(text, text)
        box.setItemData(box.count() - 1, tip, Qt.ItemDataRole.ToolTipRole)
    box.setCurrentIndex(-1)
