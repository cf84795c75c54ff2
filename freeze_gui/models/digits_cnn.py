"""The convolutional network that the program starts with."""

from __future__ import annotations

from torch import Tensor, nn


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
