"""The data of a run as a template of the script, and what that template must know."""

from __future__ import annotations

import importlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from freeze_gui.data.datasets import DATASETS, dataset_folder
from freeze_gui.data.digits import digit_pixels, digit_range
from freeze_gui.data.sources import Batch
from freeze_gui.models.factory import split_file_source
from freeze_gui.models.shapes import first_leaf, probe_output, takes_tokens
from freeze_gui.runs.script_model import quoted
from freeze_gui.training.config import RunConfig
from freeze_gui.training.loading import Loaded


@dataclass(frozen=True)
class DataCode:
    """How a script comes by its batches.

    Attributes
    ----------
    template
        Name of the template that defines ``load_data``.
    values
        What the template is given.
    has_task
        Whether a batch names the task of its step.
    call
        What the model's forward is called with.
    targets
        The targets as the loss takes them.
    has_classes
        Whether the targets are class numbers, so that right predictions can be counted.
    adapts
        Whether an output may differ from its targets in shape or number format.
    needs
        What the script needs beside torch, with the reason.
    tensors
        What ``load_data`` is given, by the name under which it lies in the file beside the script.
    """

    template: str
    values: dict[str, Any]
    has_task: bool = False
    call: str = "inputs"
    targets: str = "targets"
    has_classes: bool = True
    adapts: bool = False
    needs: tuple[str, ...] = ()
    tensors: dict[str, Tensor] = field(default_factory=dict)


def data_code(config: RunConfig, loaded: Loaded) -> DataCode:
    """Return the code of a run's data."""
    source = config.data.source or loaded.model.default_data
    kind, _, name = source.partition(":")
    shape = loaded.model.input_shape
    common: dict[str, Any] = {
        "batch_size": config.data.batch_size,
        "shape": shape,
        "one_hot": _one_hot(loaded),
        "drops_single": False,
    }
    if kind == "digits":
        pixels, labels = digit_pixels(*digit_range(source))
        values = {**common, "drops_single": _drops_single(config, loaded)}
        tensors = {"pixels": pixels, "labels": labels}
        return DataCode("data_digits.py.j2", values, has_classes=loaded.loss != "mse", tensors=tensors)
    if kind == "random":
        return _random(config, loaded)
    if kind == "file":
        return _file(source, loaded)
    values = {**common, "preprocess": loaded.model.preprocess, "drops_single": True}
    needs: tuple[str, ...] = ("Pillow and numpy to read the images",)
    if kind == "folder":
        root = Path(name).expanduser().absolute()
        values |= {"path": quoted(str(root)), "has_split": (root / "train").is_dir() and (root / "val").is_dir()}
        return DataCode("data_folder.py.j2", values, has_classes=loaded.loss != "mse", needs=needs)
    info = DATASETS[name]
    values |= {
        "name": name,
        "labels": _labels_attribute(name),
        "training": _arguments(info.training),
        "held_out": None if info.training == info.held_out else _arguments(info.held_out),
    }
    needs = (*needs, "torchvision for the data")
    return DataCode("data_torchvision.py.j2", values, has_classes=loaded.loss != "mse", needs=needs)


def _random(config: RunConfig, loaded: Loaded) -> DataCode:
    model, batch = loaded.model, config.data.batch_size
    if model.tasks:
        features: dict[str, int] = model.module.task_features   # type: ignore[assignment]
        values = {
            "features": [features[task] for task in model.tasks],
            "tasks": [quoted(task) for task in model.tasks],
            "targets": f"torch.randn(10, {model.num_classes}, generator=generator)"
            if loaded.loss == "mse"
            else f"torch.randint({model.num_classes}, (10,), generator=generator)",
        }
        return DataCode("data_tasks.py.j2", values, has_task=True, call="inputs, task=task")
    output = probe_output(model) or ()
    leaf = first_leaf(model.module)
    size = ", ".join(map(str, (batch, *(model.input_shape or ()))))
    if takes_tokens(model.module) and isinstance(leaf, nn.Embedding | nn.EmbeddingBag):
        inputs = f"torch.randint({leaf.num_embeddings}, ({size}), generator=generator)"
    else:
        inputs = f"torch.randn({size}, generator=generator)"
    if loaded.loss == "mse":
        targets = f"torch.randn({', '.join(map(str, (batch, *output)))}, generator=generator)"
    else:
        targets = f"torch.randint({output[0]}, {(batch, *output[1:])}, generator=generator)"
    values = {"inputs": inputs, "targets": targets}
    return DataCode("data_random.py.j2", values, has_classes=loaded.loss != "mse")


def _file(source: str, loaded: Loaded) -> DataCode:
    """Look at the first batch of a person's file: what it holds decides how the script calls the model."""
    path, factory = split_file_source(source)
    batch: Batch = next(iter(loaded.data.epoch(0)))
    call = "inputs"
    if isinstance(batch.inputs, dict | tuple | list):
        call = "**inputs" if isinstance(batch.inputs, dict) else "*inputs"
    has_task = batch.task is not None
    is_tensor = isinstance(batch.targets, Tensor)
    targets = "targets" if is_tensor else "torch.as_tensor(targets)"
    wanted = torch.as_tensor(batch.targets)
    if loaded.loss == "cross_entropy" and wanted.dtype not in (torch.long, torch.float32):
        targets += ".float()" if wanted.is_floating_point() else ".long()"
    values = {
        "path": quoted(str(path)),
        "factory": quoted(factory),
        "has_validation": bool(loaded.data.validation),
    }
    has_classes = loaded.loss == "cross_entropy" and not wanted.is_floating_point()
    call = f"{call}, task=task" if has_task else call
    return DataCode("data_file.py.j2", values, has_task, call, targets, has_classes, adapts=True)


def _one_hot(loaded: Loaded) -> int | None:
    """Return the outputs that class numbers are spread over where the loss compares like with like."""
    if loaded.loss != "mse":
        return None
    return loaded.model.num_classes or loaded.data.num_classes


def _drops_single(config: RunConfig, loaded: Loaded) -> bool:
    """Tell whether the last batch of an epoch may have been left out, being a single sample."""
    size = config.data.batch_size
    return size > 1 and all(len(batch.targets) == size for batch in loaded.data.epoch(0))


def _arguments(given: tuple[tuple[str, Any], ...]) -> str:
    return "".join(f", {key}={quoted(value) if isinstance(value, str) else value}" for key, value in given)


def _labels_attribute(name: str) -> str:
    """Return the name under which a data set of torchvision keeps its classes, empty where it keeps no list."""
    kind = getattr(importlib.import_module("torchvision.datasets"), name)
    dataset = kind(dataset_folder() / name, download=False, **dict(DATASETS[name].training))
    return next((key for key in ("targets", "labels", "_labels") if getattr(dataset, key, None) is not None), "")
