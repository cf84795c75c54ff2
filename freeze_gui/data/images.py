"""Labelled images in files or data sets → batches of the size and range that a model takes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from freeze_gui.data.batches import Batch, LazyBatches, LoadedData, chunks, shuffled_epochs
from freeze_gui.data.targets import check_classes, class_targets
from freeze_gui.errors import UserError
from freeze_gui.models.loaded import LoadedModel

_VALIDATION_BATCH = 64


@dataclass(frozen=True)
class LabelledImages:
    """Images to read one by one, with the class of each.

    Attributes
    ----------
    read
        Position → PIL image.
    labels
        Class of each image, (images,).
    """

    read: Callable[[int], Any]
    labels: Tensor


def image_fitter(source: str, model: LoadedModel) -> Callable[[Any], Tensor]:
    """Return a function PIL image → (channels, height, width) as the model takes it.

    Pretrained weights say themselves how to resize, crop and normalise. Else the image is resized to cover the model's
    input shape, cropped in the middle, and scaled from 0–255 to −1–1.

    Raises
    ------
    UserError
        When the model takes no images.
    """
    if model.input_shape is None or len(model.input_shape) != 3:
        found = "of unknown shape" if model.input_shape is None else f"of shape {model.input_shape}"
        raise UserError(
            f'data "{source}" are images (channels, height, width), but {model.source} takes inputs {found}'
        )
    channels, height, width = model.input_shape
    if channels not in (1, 3):
        raise UserError(f'data "{source}" have 1 or 3 channels, but {model.source} takes {channels}')
    if model.preprocess is None:
        resize = max(height, width)
        size = (height, width)
        mean, std = torch.tensor(0.5), torch.tensor(0.5)
    else:
        resize = model.preprocess.resize
        size = (model.preprocess.crop, model.preprocess.crop)
        mean = torch.tensor(model.preprocess.mean).view(-1, 1, 1)
        std = torch.tensor(model.preprocess.std).view(-1, 1, 1)

    def fit(image: Any) -> Tensor:
        pixels = _pixels(image, channels)
        scale = resize / min(pixels.shape[1:])
        scaled = [max(round(side * scale), wanted) for side, wanted in zip(pixels.shape[1:], size, strict=True)]
        pixels = functional.interpolate(pixels[None], size=scaled, mode="bilinear", antialias=True)[0]
        top, left = (scaled[0] - size[0]) // 2, (scaled[1] - size[1]) // 2
        return (pixels[:, top : top + size[0], left : left + size[1]] - mean) / std

    return fit


def _pixels(image: Any, channels: int) -> Tensor:
    """Return a PIL image as (channels, height, width) from 0 to 1; grey is repeated for more than one channel."""
    import numpy as np

    image = image.convert("L" if channels == 1 else "RGB")
    pixels = torch.from_numpy(np.array(image, dtype=np.float32)) / 255
    pixels = pixels[None] if channels == 1 else pixels.permute(2, 0, 1)
    return pixels


def image_data(
    source: str,
    *,
    training: LabelledImages,
    held_out: LabelledImages,
    class_names: tuple[str, ...],
    model: LoadedModel,
    loss: str,
    batch_size: int,
    seed: int,
) -> LoadedData:
    """Make batches that read their images when they are asked for."""
    classes = len(class_names)
    check_classes(source, classes, model)
    fit = image_fitter(source, model)

    def make(images: LabelledImages, positions: Tensor) -> Batch:
        inputs = torch.stack([fit(images.read(position)) for position in positions.tolist()])
        return Batch(inputs, class_targets(images.labels[positions], loss=loss, model=model, classes=classes))

    steps, epoch = shuffled_epochs(len(training.labels), batch_size, seed, lambda positions: make(training, positions))
    parts = chunks(torch.arange(len(held_out.labels)), _VALIDATION_BATCH)
    return LoadedData(
        source=source,
        num_classes=classes,
        epoch_steps=steps,
        make_epoch=epoch,
        validation=LazyBatches(len(parts), lambda index: make(held_out, parts[index])),
        class_names=class_names,
    )


def subset(images: LabelledImages, positions: Tensor) -> LabelledImages:
    """Return the images at some positions only."""
    return LabelledImages(lambda index: images.read(int(positions[index])), images.labels[positions])
