"""Small networks in which one thing about freezing can be seen well; the scenarios run them."""

from __future__ import annotations

from collections import OrderedDict
from typing import ClassVar

import torch
from torch import Tensor, nn

from freeze_gui.models.digits_cnn import ConvBlock

VOCABULARY = 32
TOKENS = 8


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


class EmbeddingLinear(nn.Module):
    """An embedding and three linear layers: the first linear layer, frozen, stands between what trains."""

    input_shape = (TOKENS,)

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(VOCABULARY, 8)
        self.fc1 = nn.Linear(8, 16)
        self.fc2 = nn.Linear(16, 16)
        self.fc3 = nn.Linear(16, 4)

    def forward(self, tokens: Tensor) -> Tensor:
        """Map tokens (batch, 8) to logits (batch, 4)."""
        features = self.embedding(tokens).mean(dim=1)  # (batch, 8)
        logits: Tensor = self.fc3(torch.relu(self.fc2(torch.relu(self.fc1(features)))))
        return logits


class TinyTransformer(nn.Module):
    """A `torch.nn.TransformerEncoder` of four layers between embeddings and a head."""

    input_shape = (TOKENS,)

    def __init__(self) -> None:
        super().__init__()
        self.token_embedding = nn.Embedding(VOCABULARY, 32)
        self.position_embedding = nn.Embedding(TOKENS, 32)
        layer = nn.TransformerEncoderLayer(32, nhead=4, dim_feedforward=64, dropout=0.1, batch_first=True)
        layer.self_attn.dropout = 0.0  # drawn in a function: no module of its own that could be put in eval mode
        self.encoder = nn.TransformerEncoder(layer, num_layers=4, enable_nested_tensor=False)
        self.head = nn.Linear(32, 4)

    def forward(self, tokens: Tensor) -> Tensor:
        """Map tokens (batch, 8) to logits (batch, 4)."""
        positions = torch.arange(tokens.shape[1], device=tokens.device)
        features = self.encoder(self.token_embedding(tokens) + self.position_embedding(positions))
        logits: Tensor = self.head(features.mean(dim=1))
        return logits


class EncoderHead(nn.Module):
    """The pretrained body of the digits network as an encoder, under a new module of two linear layers."""

    input_shape = (1, 8, 8)

    def __init__(self, num_classes: int = 5) -> None:
        super().__init__()
        blocks = nn.Sequential(ConvBlock(16, 32, pool=True), ConvBlock(32, 48), ConvBlock(48, 64))
        self.encoder = nn.Sequential(OrderedDict(stem=ConvBlock(1, 16), blocks=blocks))  # named as the shipped weights
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.new = nn.Sequential(nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, num_classes))

    def forward(self, images: Tensor) -> Tensor:
        """Map images (batch, 1, 8, 8) to logits (batch, num_classes)."""
        logits: Tensor = self.new(self.pool(self.encoder(images)).flatten(1))
        return logits


class Names(nn.Module):
    """Two embeddings, one of whose names is a part of the other's."""

    input_shape = (2,)

    def __init__(self) -> None:
        super().__init__()
        self.id = nn.Embedding(VOCABULARY, 8)
        self.text_id = nn.Embedding(VOCABULARY, 8)
        self.head = nn.Linear(16, 4)

    def forward(self, tokens: Tensor) -> Tensor:
        """Map pairs of tokens (batch, 2), an id and a text id, to logits (batch, 4)."""
        features = torch.cat([self.id(tokens[:, 0]), self.text_id(tokens[:, 1])], dim=1)  # (batch, 16)
        logits: Tensor = self.head(features)
        return logits


class Routes(nn.Module):
    """Three residual blocks that every sample passes; which of them may learn from it depends on the sample's route."""

    task_features: ClassVar[dict[str, int]] = {"near": 12, "far": 12}

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Linear(12, 16)
        self.blocks = nn.ModuleList(nn.Linear(16, 16) for _ in range(3))
        self.head = nn.Linear(16, 4)

    def forward(self, features: Tensor, task: str = "near") -> Tensor:
        """Map features (batch, 12) to logits (batch, 4), by the same way on either route."""
        hidden = torch.tanh(self.stem(features))
        for block in self.blocks:
            hidden = hidden + torch.tanh(block(hidden))
        logits: Tensor = self.head(hidden)
        return logits
