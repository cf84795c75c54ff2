"""The networks that ship with the program, by name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from torch import nn

from freeze_gui.errors import UserError
from freeze_gui.models.digits_cnn import DigitsCNN
from freeze_gui.models.loaded import LoadedModel
from freeze_gui.models.small_networks import (
    EmbeddingLinear,
    EncoderHead,
    FiveLinear,
    Names,
    Routes,
    TinyTransformer,
    TwoTask,
)


@dataclass(frozen=True)
class _Spec:
    """What there is to know of a network; `body` is the path of the block that the shipped weights fill."""

    label: str
    build: Callable[[int], nn.Module]
    num_classes: int
    input_shape: tuple[int, ...]
    body: str | None = None
    loss: str = "cross_entropy"
    data: str = "random"
    layers: tuple[str, ...] = ()
    tasks: tuple[str, ...] = ()
    fixed_head: bool = True


_SPECS = {
    "digits-cnn": _Spec(
        "Digits CNN, pretrained on 0–4",
        DigitsCNN,
        num_classes=5,
        input_shape=(1, 8, 8),
        body="",
        data="digits",
        layers=("stem", "blocks.0", "blocks.1"),
        fixed_head=False,
    ),
    "two-task": _Spec(
        "Two tasks, one output layer",
        lambda _: TwoTask(),
        num_classes=4,
        input_shape=(3,),
        tasks=("task1", "task2"),
    ),
    "five-linear": _Spec("Five linear layers", lambda _: FiveLinear(), num_classes=1, input_shape=(10,), loss="mse"),
    "embedding-linear": _Spec(
        "Embedding and three linear layers",
        lambda _: EmbeddingLinear(),
        num_classes=4,
        input_shape=EmbeddingLinear.input_shape,
        layers=("fc1",),
    ),
    "tiny-transformer": _Spec(
        "Transformer encoder of four layers",
        lambda _: TinyTransformer(),
        num_classes=4,
        input_shape=TinyTransformer.input_shape,
        layers=("token_embedding", "position_embedding", "encoder.layers[:2]"),
    ),
    "encoder-head": _Spec(
        "Pretrained encoder under a new module",
        EncoderHead,
        num_classes=5,
        input_shape=EncoderHead.input_shape,
        body="encoder",
        data="digits",
        layers=("encoder",),
        fixed_head=False,
    ),
    "names": _Spec(
        "Embeddings id and text_id",
        lambda _: Names(),
        num_classes=4,
        input_shape=Names.input_shape,
        layers=("id",),
    ),
    "routes": _Spec(
        "Three blocks, two routes",
        lambda _: Routes(),
        num_classes=4,
        input_shape=(12,),
        tasks=("near", "far"),
    ),
}

BUILTIN_NAMES = tuple(_SPECS)
"""Names after ``builtin:``."""


def builtin_label(name: str) -> str:
    """Return the text that the list of models shows for a built-in network."""
    return _SPECS[name].label


def pretrained_body(name: str) -> str | None:
    """Return the path of the block that the shipped weights fill, None where none ship for the network."""
    return _SPECS[name].body


def build_builtin(name: str, *, num_classes: int | None = None) -> LoadedModel:
    """Build a built-in network with its constructor's initial weights.

    Raises
    ------
    UserError
        When `num_classes` differs from the outputs of a network whose head is fixed.
    """
    spec = _SPECS[name]
    if spec.fixed_head and num_classes not in (None, spec.num_classes):
        raise UserError(f"builtin:{name} has {spec.num_classes} output(s), so num_classes cannot be {num_classes}")
    classes = spec.num_classes if num_classes is None else num_classes
    return LoadedModel(
        module=spec.build(classes),
        source=f"builtin:{name}",
        num_classes=classes,
        input_shape=spec.input_shape,
        default_loss=spec.loss,
        default_data=spec.data,
        default_layers=spec.layers,
        tasks=spec.tasks,
    )
