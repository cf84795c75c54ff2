"""What can be trained on: "digits", "random", "folder:…", "torchvision:MNIST", "file:data.py:batches" → LoadedData."""

from __future__ import annotations

import difflib

from freeze_gui.data.batches import Batch, LoadedData
from freeze_gui.data.datasets import DATASETS, load_torchvision_data
from freeze_gui.data.digits import digit_range, load_digits_data
from freeze_gui.data.factory import load_file_data
from freeze_gui.data.folder import count_class_folders, load_folder_data
from freeze_gui.data.synthetic import load_random_data
from freeze_gui.errors import UserError
from freeze_gui.models.loaded import LoadedModel, Progress

__all__ = ["Batch", "LoadedData", "load_data", "peek_num_classes"]

_FORMS = '"digits", "random", "folder:PATH", "torchvision:NAME" or "file:PATH.py:FACTORY"'


def peek_num_classes(source: str) -> int | None:
    """Return the number of classes without loading the data; None for ``random`` and ``file:``, which do not say.

    Raises
    ------
    UserError
        When the source is unknown or a folder does not exist.
    """
    kind, name = _split(source)
    match kind:
        case "digits":
            first, last = digit_range(source)
            return last - first + 1
        case "folder":
            return count_class_folders(name)
        case "torchvision":
            return DATASETS[name].num_classes
    return None


def load_data(
    source: str | None,
    *,
    model: LoadedModel,
    loss: str,
    batch_size: int = 32,
    seed: int = 0,
    progress: Progress | None = None,
) -> LoadedData:
    """Load data that fit a model.

    The split, the random data and the order of the batches depend on the seed alone. A last batch of a single sample
    is left out of an epoch, because batch norm cannot train on it.

    Parameters
    ----------
    source
        None for the model's own default.
    model
        Gives the shape of the inputs and the number of classes that the targets must fit.
    loss
        "cross_entropy" for class numbers as targets; "mse" for floats (one-hot, where the data have classes).
    batch_size
        Samples per batch; ``file:`` data and two-task data come in batches of their own.
    seed
        Of split, shuffling and random data; set globally directly before a FACTORY is called.
    progress
        Told of downloads; may raise to cancel.

    Raises
    ------
    UserError
        When the source is unknown, cannot be read, or does not fit the model.
    """
    source = model.default_data if source is None else source
    kind, name = _split(source)
    if batch_size < 1:
        raise UserError(f"batch_size is {batch_size}, but must be 1 or more")
    match kind:
        case "digits":
            return load_digits_data(source, model=model, loss=loss, batch_size=batch_size, seed=seed)
        case "random":
            return load_random_data(model=model, loss=loss, batch_size=batch_size, seed=seed)
        case "folder":
            return load_folder_data(name, model=model, loss=loss, batch_size=batch_size, seed=seed)
        case "torchvision":
            return load_torchvision_data(
                name, model=model, loss=loss, batch_size=batch_size, seed=seed, progress=progress
            )
    return load_file_data(source, seed=seed)


def _split(source: str) -> tuple[str, str]:
    """Return kind and name of a source, both checked."""
    kind, separator, name = source.partition(":")
    plain = kind == "digits" or source == "random"
    if not plain and (kind not in ("folder", "torchvision", "file") or not separator):
        near = difflib.get_close_matches(kind, ["digits", "random", "folder", "torchvision", "file"], n=1)
        hint = f"; nearest: {near[0]}" if near else ""
        raise UserError(f'unknown data source "{source}": it must be {_FORMS}{hint}')
    if kind == "torchvision" and name not in DATASETS:
        near = difflib.get_close_matches(name.lower(), {known.lower(): known for known in DATASETS}, n=3)
        listed = ", ".join(known for known in DATASETS if not near or known.lower() in near)
        raise UserError(
            f'there is no torchvision data set "{name}" to classify; {"nearest" if near else "known"}: {listed}'
        )
    return kind, name
