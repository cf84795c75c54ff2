"""What a model source yields: the module and what the rest of the program must know about it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from torch import nn

Progress = Callable[[str, int, int | None], None]
"""Called with (text, done, total), for example bytes; the total is None while unknown. It may raise to cancel."""


@dataclass(frozen=True)
class Preprocess:
    """How pretrained weights want their images: RGB in 0–1, resized, cropped, then normalised per channel.

    Attributes
    ----------
    resize, crop
        Length of the shorter side, and side of the square cut from the middle, in pixels.
    mean, std
        One value per channel.
    """

    resize: int
    crop: int
    mean: tuple[float, ...]
    std: tuple[float, ...]


@dataclass(frozen=True)
class LoadedModel:
    """A module with its source and what fits it.

    Attributes
    ----------
    module
        The network, in train mode; on the meta device where only the structure was asked for.
    source
        The source it came from, as written by the user.
    num_classes
        Outputs of the head; None where not known.
    input_shape
        Of one sample, without batch axis; None where not known.
    default_loss, default_data
        What a run takes where the user says nothing.
    default_layers
        Patterns of the layers that the window ticks at the start.
    tasks
        Names that the forward takes as ``task=``; empty for most.
    preprocess
        What the pretrained weights expect of images; None without such weights.
    """

    module: nn.Module
    source: str
    num_classes: int | None
    input_shape: tuple[int, ...] | None
    default_loss: str
    default_data: str
    default_layers: tuple[str, ...]
    tasks: tuple[str, ...] = ()
    preprocess: Preprocess | None = None


@dataclass(frozen=True)
class ModelChoice:
    """One entry of the list of models: what to open, how to call it, and the heading it stands under."""

    source: str
    label: str
    group: str
