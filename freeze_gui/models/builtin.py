"""The small networks that ship with the program."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from freeze_gui.errors import UserError
from freeze_gui.models.loaded import LoadedModel


class ConvBlock(nn.Module):
    """Convolution, batch norm and ReLU, with 2×2 max pooling at the end where asked for."""

    def __init__(self, in_channels: int, out_channels: int, *, pool: bool = False) -> None:
        super().__init__()
        self.conv = nn.Conv2d(in_channels, out_channels, kernel_size=3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(out_channels)
        self.act = nn.ReLU()
        if pool:
            self.pool = nn.MaxPool2d(2)

    def forward(self, images: Tensor) -> Tensor:
        """Map (batch, in_channels, h, w) to (batch, out_channels, h, w), or half of h and w with pooling."""
        features: Tensor = self.act(self.norm(self.conv(images)))
        return self.pool(features) if hasattr(self, "pool") else features


class DigitsCNN(nn.Module):
    """A convolutional network for 8×8 digits, small enough for a few milliseconds per step on one core."""

    def __init__(self, num_classes: int = 5) -> None:
        super().__init__()
        self.stem = ConvBlock(1, 16)
        self.blocks = nn.Sequential(ConvBlock(16, 32, pool=True), ConvBlock(32, 48), ConvBlock(48, 64))
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.dropout = nn.Dropout(0.2)
        self.head = nn.Linear(64, num_classes)

    def forward(self, images: Tensor) -> Tensor:
        """Map images (batch, 1, 8, 8) to logits (batch, num_classes)."""
        features = self.pool(self.blocks(self.stem(images))).flatten(1)  # (batch, 64)
        logits: Tensor = self.head(self.dropout(features))
        return logits


_TWO_TASK_WEIGHTS = {
    "hidden_task1": [[-0.0043, 0.3097, -0.4752], [-0.4249, -0.2224, 0.1548], [-0.0114, 0.4578, -0.0512]],
    "hidden_task2": [[0.1871, -0.2137], [-0.1390, -0.6755], [-0.4683, -0.2915]],
    "output": [
        [0.0214, 0.2282, 0.3464],
        [-0.3914, -0.2514, 0.2097],
        [0.4794, -0.1188, 0.4320],
        [-0.0931, 0.0611, 0.5228],
    ],
}


class TwoTask(nn.Module):
    """Two hidden layers, one per task, in front of one shared output layer.

    The article that it comes from puts cross entropy on top of the softmax; so does this one, to show the same numbers.
    Its initial weights are the article's, whatever the seed.
    """

    task_features: ClassVar[dict[str, int]] = {"task1": 3, "task2": 2}

    def __init__(self) -> None:
        super().__init__()
        self.hidden_task1 = nn.Linear(3, 3, bias=False)
        self.hidden_task2 = nn.Linear(2, 3, bias=False)
        self.sigmoid = nn.Sigmoid()
        self.output = nn.Linear(3, 4, bias=False)
        self.softmax = nn.Softmax(dim=1)
        with torch.no_grad():
            for name, values in _TWO_TASK_WEIGHTS.items():
                self.get_submodule(name).weight.copy_(torch.tensor(values))  # type: ignore[operator]

    def forward(self, features: Tensor, task: str = "task1") -> Tensor:
        """Map features, (batch, 3) of task1 or (batch, 2) of task2, to class probabilities (batch, 4)."""
        hidden = self.hidden_task1(features) if task == "task1" else self.hidden_task2(features)
        probabilities: Tensor = self.softmax(self.output(self.sigmoid(hidden)))
        return probabilities


class FiveLinear(nn.Module):
    """Five linear layers without activations: 73 parameters, 12 of them in the second layer."""

    def __init__(self) -> None:
        super().__init__()
        self.linear1 = nn.Linear(10, 3)
        self.linear2 = nn.Linear(3, 3)
        self.linear3 = nn.Linear(3, 3)
        self.linear4 = nn.Linear(3, 3)
        self.linear5 = nn.Linear(3, 1)

    def forward(self, features: Tensor) -> Tensor:
        """Map features (batch, 10) to one value per sample (batch, 1)."""
        for layer in (self.linear1, self.linear2, self.linear3, self.linear4, self.linear5):
            features = layer(features)
        return features


@dataclass(frozen=True)
class _Spec:
    label: str
    build: Callable[[int], nn.Module]
    num_classes: int
    input_shape: tuple[int, ...]
    loss: str = "cross_entropy"
    data: str = "random"
    layers: tuple[str, ...] = ()
    tasks: tuple[str, ...] = ()
    fixed_head: bool = True


_SPECS = {
    "digits-cnn": _Spec(
        "Digits CNN, pretrained on 0–4",
        DigitsCNN,
        num_classes=5,
        input_shape=(1, 8, 8),
        data="digits",
        layers=("stem", "blocks.0", "blocks.1"),
        fixed_head=False,
    ),
    "two-task": _Spec(
        "Two tasks, one output layer",
        lambda _: TwoTask(),
        num_classes=4,
        input_shape=(3,),
        tasks=("task1", "task2"),
    ),
    "five-linear": _Spec("Five linear layers", lambda _: FiveLinear(), num_classes=1, input_shape=(10,), loss="mse"),
}

BUILTIN_NAMES = tuple(_SPECS)
"""Names after ``builtin:``."""


def builtin_label(name: str) -> str:
    """Return the text that the list of models shows for a built-in network."""
    return _SPECS[name].label


def build_builtin(name: str, *, num_classes: int | None = None) -> LoadedModel:
    """Build a built-in network with its constructor's initial weights.

    Raises
    ------
    UserError
        When `num_classes` differs from the outputs of a network whose head is fixed.
    """
    spec = _SPECS[name]
    if spec.fixed_head and num_classes not in (None, spec.num_classes):
        raise UserError(f"builtin:{name} has {spec.num_classes} output(s), so num_classes cannot be {num_classes}")
    classes = spec.num_classes if num_classes is None else num_classes
    return LoadedModel(
        module=spec.build(classes),
        source=f"builtin:{name}",
        num_classes=classes,
        input_shape=spec.input_shape,
        default_loss=spec.loss,
        default_data=spec.data,
        default_layers=spec.layers,
        tasks=spec.tasks,
    )
