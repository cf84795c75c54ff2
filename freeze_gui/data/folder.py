"""``folder:PATH``: one folder of images per class, with ``train`` and ``val`` above them where both exist."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from freeze_gui.data.batches import LoadedData, stratified_split
from freeze_gui.data.images import LabelledImages, image_data, subset
from freeze_gui.errors import UserError
from freeze_gui.models.loaded import LoadedModel

_SUFFIXES = (".jpg", ".jpeg", ".png", ".ppm", ".bmp", ".pgm", ".tif", ".tiff", ".webp")
_VALIDATION_FRACTION = 0.2


def load_folder_data(path: str, *, model: LoadedModel, loss: str, batch_size: int, seed: int) -> LoadedData:
    """Load a folder of images: its own split where it has ``train`` and ``val``, else 20 % of each class held out.

    Raises
    ------
    UserError
        When the folder is missing, has fewer than two classes or a class without images, or an image cannot be read.
    """
    root = _root(path)
    training_root = _training_root(root)
    classes = _class_names(training_root)
    training = _read_folder(training_root, classes)
    if training_root != root:
        held_out = _read_folder(root / "val", classes)
    else:
        positions, others = stratified_split(training.labels, _VALIDATION_FRACTION, seed)
        training, held_out = subset(training, positions), subset(training, others)
    return image_data(
        f"folder:{path}",
        training=training,
        held_out=held_out,
        class_names=classes,
        model=model,
        loss=loss,
        batch_size=batch_size,
        seed=seed,
    )


def count_class_folders(path: str) -> int:
    """Return the number of class folders without reading an image."""
    return len(_class_names(_training_root(_root(path))))


def _root(path: str) -> Path:
    root = Path(path).expanduser()
    if not root.is_dir():
        raise UserError(f"the image folder {root} does not exist or is no folder")
    return root


def _training_root(root: Path) -> Path:
    return root / "train" if (root / "train").is_dir() and (root / "val").is_dir() else root


def _class_names(root: Path) -> tuple[str, ...]:
    names = tuple(sorted(entry.name for entry in root.iterdir() if entry.is_dir() and not entry.name.startswith(".")))
    if len(names) < 2:
        raise UserError(f"{root} has {len(names)} class folder(s), but at least two are needed, one per class")
    return names


def _read_folder(root: Path, classes: tuple[str, ...]) -> LabelledImages:
    files: list[Path] = []
    labels: list[int] = []
    for label, name in enumerate(classes):
        found = sorted(file for file in (root / name).rglob("*") if file.suffix.lower() in _SUFFIXES)
        if not found:
            raise UserError(f"{root / name} holds no image; files must end in {', '.join(_SUFFIXES)}")
        files += found
        labels += [label] * len(found)
    return LabelledImages(lambda index: _open_image(files[index]), torch.tensor(labels))


def _open_image(file: Path) -> Any:
    from PIL import Image

    try:
        with Image.open(file) as image:
            image.load()
            return image
    except (
        OSError,
        SyntaxError,
        ValueError,
        Image.DecompressionBombError,
    ) as error:  # PIL: SyntaxError on a bad header
        raise UserError(f"the image {file} cannot be read ({error}); repair or remove it") from error
