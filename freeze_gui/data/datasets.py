"""``torchvision:NAME``: public classification data sets, downloaded once into the user's cache folder."""

from __future__ import annotations

import contextlib
import importlib
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from freeze_gui.data.batches import LoadedData, stratified_split
from freeze_gui.data.images import LabelledImages, image_data, subset
from freeze_gui.errors import UserError
from freeze_gui.models.download import download
from freeze_gui.models.loaded import LoadedModel, Progress

_VALIDATION_FRACTION = 0.2


@dataclass(frozen=True)
class DatasetInfo:
    """How a data set of torchvision is asked for its two parts.

    Attributes
    ----------
    num_classes
        Number of classes.
    training, held_out
        Constructor arguments of the two parts; the same for a set that comes in one part and is split here.
    """

    num_classes: int
    training: tuple[tuple[str, Any], ...] = (("train", True),)
    held_out: tuple[tuple[str, Any], ...] = (("train", False),)


def _by_split(num_classes: int, training: str = "train", held_out: str = "test") -> DatasetInfo:
    return DatasetInfo(num_classes, (("split", training),), (("split", held_out),))


DATASETS = {
    "MNIST": DatasetInfo(10),
    "FashionMNIST": DatasetInfo(10),
    "KMNIST": DatasetInfo(10),
    "USPS": DatasetInfo(10),
    "CIFAR10": DatasetInfo(10),
    "CIFAR100": DatasetInfo(100),
    "SVHN": _by_split(10),
    "STL10": _by_split(10),
    "EuroSAT": DatasetInfo(10, (), ()),
    "Imagenette": _by_split(10, held_out="val"),
    "OxfordIIITPet": _by_split(37, training="trainval"),
    "GTSRB": _by_split(43),
    "DTD": _by_split(47, held_out="val"),
    "FGVCAircraft": _by_split(100, training="trainval"),
    "Food101": _by_split(101),
    "Flowers102": _by_split(102, held_out="val"),
}
"""The data sets that can be loaded, by their name in torchvision.datasets."""


def dataset_folder() -> Path:
    """Return the folder into which data sets are downloaded."""
    if sys.platform == "win32":
        base = Path(os.environ.get("LOCALAPPDATA", Path.home() / "AppData" / "Local"))
    elif sys.platform == "darwin":
        base = Path.home() / "Library" / "Caches"
    else:
        base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return base / "freeze_gui" / "datasets"


def load_torchvision_data(
    name: str, *, model: LoadedModel, loss: str, batch_size: int, seed: int, progress: Progress | None
) -> LoadedData:
    """Load a data set of torchvision with its own split, downloading it where it is not there yet.

    Raises
    ------
    UserError
        When it cannot be downloaded or what lies in the cache is damaged.
    """
    info = DATASETS[name]
    training, class_names = _open(name, dict(info.training), progress)
    if info.training == info.held_out:
        positions, others = stratified_split(training.labels, _VALIDATION_FRACTION, seed)
        training, held_out = subset(training, positions), subset(training, others)
    else:
        held_out, _ = _open(name, dict(info.held_out), progress)
    return image_data(
        f"torchvision:{name}",
        training=training,
        held_out=held_out,
        class_names=class_names,
        model=model,
        loss=loss,
        batch_size=batch_size,
        seed=seed,
    )


def _open(name: str, arguments: dict[str, Any], progress: Progress | None) -> tuple[LabelledImages, tuple[str, ...]]:
    """Open one part of a data set, from the cache if it is there whole; return it and the names of the classes."""
    kind = getattr(importlib.import_module("torchvision.datasets"), name)
    root = dataset_folder() / name
    try:
        root.mkdir(parents=True, exist_ok=True)
        # torchvision prints to stdout, which may carry a run's JSON and nothing else.
        with contextlib.redirect_stdout(sys.stderr):
            try:
                dataset = kind(root, download=False, **arguments)
            except (RuntimeError, FileNotFoundError):  # not there, or not whole
                _fetch_files(name, kind, root, progress)
                dataset = kind(root, download=True, **arguments)
    except (RuntimeError, OSError, EOFError, ValueError) as error:
        reason = getattr(error, "reason", error)
        raise UserError(
            f"could not get the data set {name} ({reason}; no network?); put its files under {root} "
            'or choose another [data] source, such as "random"'
        ) from error
    names = getattr(dataset, "classes", None)
    if names is None or len(names) != DATASETS[name].num_classes:
        names = range(DATASETS[name].num_classes)
    return LabelledImages(lambda index: dataset[index][0], _labels(dataset)), tuple(str(label) for label in names)


def _fetch_files(name: str, kind: Any, root: Path, progress: Progress | None) -> None:
    """Download the archives with progress and a way to cancel; torchvision then finds, checks and unpacks them.

    Only the sets whose addresses torchvision lists are fetched here; the others are left to torchvision itself, which
    cannot be cancelled.
    """
    cure = f'put the file under {root} or choose another [data] source, such as "random"'
    if hasattr(kind, "mirrors") and hasattr(kind, "resources"):
        for file_name, _ in kind.resources:
            _fetch_from_any(
                [mirror + file_name for mirror in kind.mirrors], root / name / "raw" / file_name, progress, cure
            )
    elif isinstance(getattr(kind, "url", None), str) and isinstance(getattr(kind, "filename", None), str):
        download(kind.url, root / kind.filename, progress=progress, cure=cure)
    elif progress is not None:
        progress(f"downloading {name}", 0, None)


def _fetch_from_any(urls: list[str], target: Path, progress: Progress | None, cure: str) -> None:
    for position, url in enumerate(urls):
        try:
            download(url, target, progress=progress, cure=cure)
            return
        except UserError:
            if position == len(urls) - 1:
                raise


def _labels(dataset: Any) -> torch.Tensor:
    """Return the class of every sample, without decoding an image where the data set keeps a list of them."""
    for attribute in ("targets", "labels", "_labels", "_samples"):
        values = getattr(dataset, attribute, None)
        if values is not None:
            if attribute == "_samples":
                values = [label for _, label in values]
            return torch.as_tensor(values, dtype=torch.long).clone()
    return torch.tensor([int(dataset[index][1]) for index in range(len(dataset))])
