"""The 1,797 handwritten digits of scikit-learn, 8×8 pixels: the data of the built-in network."""

from __future__ import annotations

import re

import torch
from torch import Tensor
from torch.nn import functional

from freeze_gui.data.batches import Batch, LoadedData, shuffled_epochs, stratified_split
from freeze_gui.data.targets import check_classes, class_targets
from freeze_gui.errors import UserError
from freeze_gui.models.loaded import LoadedModel

# Mean and standard deviation of all pixels, which go from 0 to 16. Fixed, because the pretrained weights rest on them.
_PIXEL_MEAN = 4.884
_PIXEL_STD = 6.017
_VALIDATION_FRACTION = 0.2
_VALIDATION_BATCH = 256


def digit_range(source: str) -> tuple[int, int]:
    """Return first and last digit of ``digits`` (5 to 9) or ``digits:A-B``.

    Raises
    ------
    UserError
        When the source is of another form or names fewer than two digits.
    """
    if source == "digits":
        return 5, 9
    found = re.fullmatch(r"digits:(\d)-(\d)", source)
    if found is None or int(found[1]) >= int(found[2]):
        raise UserError(f'data source "{source}" must be "digits" (5 to 9) or "digits:A-B" with two digits A < B')
    return int(found[1]), int(found[2])


def digit_pixels(first: int, last: int) -> tuple[Tensor, Tensor]:
    """Return pixels from 0 to 16 (samples, 8, 8), in one byte each, and labels (samples,) from 0 at the first digit."""
    from sklearn.datasets import load_digits  # takes a second to import

    bunch = load_digits()
    labels = torch.as_tensor(bunch.target, dtype=torch.long)
    wanted = (labels >= first) & (labels <= last)
    return torch.as_tensor(bunch.images, dtype=torch.uint8)[wanted], labels[wanted] - first


def read_digits(first: int, last: int) -> tuple[Tensor, Tensor]:
    """Return normalised images (samples, 1, 8, 8) and labels (samples,) that count from 0 at the first digit."""
    pixels, labels = digit_pixels(first, last)
    return (pixels.float().unsqueeze(1) - _PIXEL_MEAN) / _PIXEL_STD, labels


def load_digits_data(source: str, *, model: LoadedModel, loss: str, batch_size: int, seed: int) -> LoadedData:
    """Load the digits, 80 % of each class for training; repeated and resized where the model wants other images."""
    first, last = digit_range(source)
    classes = last - first + 1
    check_classes(source, classes, model)
    images, labels = read_digits(first, last)
    shape = _image_shape(source, model)
    targets = class_targets(labels, loss=loss, model=model, classes=classes)
    training, held_out = stratified_split(labels, _VALIDATION_FRACTION, seed)

    def batch(positions: Tensor) -> Batch:
        return Batch(_fit(images[positions], shape), targets[positions])

    steps, epoch = shuffled_epochs(len(training), batch_size, seed, lambda positions: batch(training[positions]))
    return LoadedData(
        source=source,
        num_classes=classes,
        epoch_steps=steps,
        make_epoch=epoch,
        validation=[batch(positions) for positions in torch.split(held_out, _VALIDATION_BATCH)],
        class_names=tuple(str(digit) for digit in range(first, last + 1)),
    )


def _image_shape(source: str, model: LoadedModel) -> tuple[int, int, int]:
    if model.input_shape is None or len(model.input_shape) != 3:
        found = "of unknown shape" if model.input_shape is None else f"of shape {model.input_shape}"
        raise UserError(
            f'data "{source}" are images (channels, height, width), but {model.source} takes inputs {found}'
        )
    channels, height, width = model.input_shape
    return channels, height, width


def _fit(images: Tensor, shape: tuple[int, int, int]) -> Tensor:
    """Repeat one channel and resize (batch, 1, 8, 8) to (batch, *shape)."""
    if tuple(images.shape[-2:]) != shape[1:]:
        images = functional.interpolate(images, size=shape[1:], mode="bilinear", align_corners=False)
    return images.expand(-1, shape[0], -1, -1).contiguous()
