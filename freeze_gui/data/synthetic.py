"""Random data that fit a model's input and output: enough to see which layers move, for any model at all."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator

import torch
from torch import Tensor, nn

from freeze_gui.data.batches import Batch, LoadedData, generator_for
from freeze_gui.errors import UserError
from freeze_gui.models.loaded import LoadedModel
from freeze_gui.models.shapes import first_leaf, probe_output, takes_tokens

_POOL = 8
_TASK_SAMPLES = 10


def load_random_data(*, model: LoadedModel, loss: str, batch_size: int, seed: int) -> LoadedData:
    """Make a fixed pool of batches from the seed; each epoch goes over all of them, and one more is for validation.

    Inputs are standard normal, or tokens where the first layer is an embedding. Targets are random: class numbers in
    the range of the outputs for cross entropy (classes on axis 1, as PyTorch has it), standard normal for mse.

    Raises
    ------
    UserError
        When the input or output shape cannot be found out, or has no class axis.
    """
    if model.tasks:
        return _two_tasks(model, loss, seed)
    shape = model.input_shape
    output = None if shape is None else probe_output(model)
    if shape is None or output is None:
        what = "input shape of" if shape is None else f"output of a forward with input shape {shape} through"
        raise UserError(
            f"random data cannot be fitted, because the {what} {model.source} is not known: "
            'set [data] source = "file:…" or give the module an input_shape attribute, the shape of one sample'
        )
    draw_inputs = _input_drawer(model, (batch_size, *shape))
    draw_targets = _target_drawer(model, loss, output, batch_size)

    @functools.cache  # drawn when first used: large images make the pool heavy and short runs do not need all
    def batch(index: int) -> Batch:
        generator = generator_for(seed, index)
        return Batch(draw_inputs(generator), draw_targets(generator))

    def epoch(_index: int) -> Iterator[Batch]:
        return (batch(index) for index in range(_POOL))

    return LoadedData(
        source="random",
        num_classes=output[0] if loss != "mse" else None,
        epoch_steps=_POOL,
        make_epoch=epoch,
        validation=[batch(_POOL)],
    )


def _input_drawer(model: LoadedModel, shape: tuple[int, ...]) -> Callable[[torch.Generator], Tensor]:
    leaf = first_leaf(model.module)
    if takes_tokens(model.module) and isinstance(leaf, nn.Embedding | nn.EmbeddingBag):
        tokens = leaf.num_embeddings
        return lambda generator: torch.randint(tokens, shape, generator=generator)
    return lambda generator: torch.randn(shape, generator=generator)


def _target_drawer(
    model: LoadedModel, loss: str, output: tuple[int, ...], batch_size: int
) -> Callable[[torch.Generator], Tensor]:
    if loss == "mse":
        return lambda generator: torch.randn((batch_size, *output), generator=generator)
    if not output:
        raise UserError(
            f"{model.source} returns one number per sample, which cross entropy cannot take; choose [train] loss = "
            '"mse" or a model with one output per class'
        )
    classes, *rest = output
    return lambda generator: torch.randint(classes, (batch_size, *rest), generator=generator)


def _two_tasks(model: LoadedModel, loss: str, seed: int) -> LoadedData:
    """Ten samples per task, all of them in one batch; the tasks take turns."""
    classes = model.num_classes or 1
    features: dict[str, int] = model.module.task_features  # type: ignore[assignment]
    batches = []
    for stream, task in enumerate(model.tasks):
        generator = generator_for(seed, stream)
        inputs = torch.randn(_TASK_SAMPLES, features[task], generator=generator)
        if loss == "mse":
            targets = torch.randn(_TASK_SAMPLES, classes, generator=generator)
        else:
            targets = torch.randint(classes, (_TASK_SAMPLES,), generator=generator)
        batches.append(Batch(inputs, targets, task))
    return LoadedData("random", classes, len(batches), lambda _index: iter(batches))
