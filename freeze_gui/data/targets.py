"""Class numbers → what the loss and the model's head take."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional

from freeze_gui.errors import UserError
from freeze_gui.models.loaded import LoadedModel


def check_classes(source: str, classes: int, model: LoadedModel) -> None:
    """Raise a UserError when the data have more classes than the model's head has outputs."""
    if model.num_classes is not None and model.num_classes < classes:
        raise UserError(
            f'data "{source}" have {classes} classes, but {model.source} has {model.num_classes} output(s); '
            f"set [model] num_classes = {classes} or take other data"
        )


def class_targets(labels: Tensor, *, loss: str, model: LoadedModel, classes: int) -> Tensor:
    """Return class numbers (batch,) for cross entropy, one-hot floats (batch, outputs) for mse."""
    if loss != "mse":
        return labels
    return functional.one_hot(labels, model.num_classes or classes).float()
