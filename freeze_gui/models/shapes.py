"""Shapes that are found by trying: what goes into a model, what comes out of it and of each module inside.

Trials run on a copy that shares nothing with the model, on the meta device where that is possible: neither weights nor
running statistics nor the global random state can change.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from freeze_gui.models.lean_meta import LeanMeta
from freeze_gui.models.loaded import LoadedModel
from freeze_gui.models.trial import meta_twin, quiet_trial


def first_leaf(module: nn.Module) -> nn.Module | None:
    """Return the first module without children that owns parameters, in registration order."""
    for child in module.modules():
        if next(child.children(), None) is None and next(child.parameters(recurse=False), None) is not None:
            return child
    return None


def takes_tokens(module: nn.Module) -> bool:
    """Whether the model reads integer tokens: its first layer is an embedding."""
    return isinstance(first_leaf(module), nn.Embedding | nn.EmbeddingBag)


def guess_input_shape(module: nn.Module) -> tuple[int, ...] | None:
    """Return the shape of one sample: the module's own ``input_shape``, else what its first layer takes, else None."""
    declared = getattr(module, "input_shape", None)
    if isinstance(declared, tuple | list) and all(isinstance(size, int) and size > 0 for size in declared):
        return tuple(declared)
    match first_leaf(module):
        case nn.Linear() as leaf:
            return (leaf.in_features,)
        case nn.Conv1d() as leaf:
            return (leaf.in_channels, 64)
        case nn.Conv2d() as leaf:
            return (leaf.in_channels, 32, 32)
        case nn.Conv3d() as leaf:
            return (leaf.in_channels, 16, 32, 32)
        case nn.Embedding() | nn.EmbeddingBag():
            return (16,)
    return None


def sample_inputs(loaded: LoadedModel, batch_size: int) -> Iterator[tuple[Tensor, dict[str, str]]]:
    """Yield inputs of zeros on the current default device, with the keyword arguments of the forward, per task."""
    if loaded.tasks:
        for task, features in loaded.module.task_features.items():  # type: ignore[operator, union-attr]
            yield torch.zeros(batch_size, features), {"task": task}
    elif loaded.input_shape is not None:
        dtype = torch.long if takes_tokens(loaded.module) else torch.float32
        yield torch.zeros(batch_size, *loaded.input_shape, dtype=dtype), {}


@dataclass(frozen=True)
class Call:
    """How a forward is called in a trial, with tensors without values.

    Attributes
    ----------
    arguments, named
        What it is called with.
    task
        The task that they belong to.
    targets
        What the loss compares its output with; None where nobody knows.
    """

    arguments: tuple[Any, ...]
    named: dict[str, Any]
    task: str | None = None
    targets: Tensor | None = None

    def of(self, module: nn.Module) -> Any:
        """Call the forward of `module`."""
        return module(*self.arguments, **self.named)


def sample_calls(loaded: LoadedModel, batch_size: int) -> Iterator[Call]:
    """Yield how the forward is called with `sample_inputs`, per task."""
    for values, keywords in sample_inputs(loaded, batch_size):
        yield Call((values,), dict(keywords), keywords.get("task"))


def first_tensor(output: Any) -> Tensor | None:
    """Return the first tensor in a module's output: itself, or in its tuple, list, dict or dataclass-like values."""
    if isinstance(output, Tensor):
        return output
    if isinstance(output, dict):
        output = list(output.values())
    if isinstance(output, tuple | list):
        return next((found for part in output if (found := first_tensor(part)) is not None), None)
    return None


def output_shapes(loaded: LoadedModel, batch_size: int = 2) -> dict[str, tuple[int, ...]]:
    """Return the output shape of every module that a forward reaches.

    Parameters
    ----------
    loaded
        The model; it is not touched.
    batch_size
        Samples in the trial forward.

    Returns
    -------
    dict
        Module path ("" for the whole) → shape of the first tensor of its output, without batch axis; of the last call
        where the forward calls a module several times. Empty where the forward cannot run on the meta device.
    """
    shapes: dict[str, tuple[int, ...]] = {}
    try:
        with quiet_trial(), torch.no_grad():
            twin = meta_twin(loaded.module).eval()
            for path, child in twin.named_modules():
                child.register_forward_hook(_recorder(path, shapes))
            with torch.device("meta"), LeanMeta(counts_flops=False):
                for inputs, keywords in sample_inputs(loaded, batch_size):
                    twin(inputs, **keywords)
    except Exception:  # a user's forward may raise anything; no shapes is an honest answer
        return {}
    return shapes


def _recorder(path: str, shapes: dict[str, tuple[int, ...]]) -> Any:
    def record(_module: nn.Module, _inputs: Any, output: Any) -> None:
        tensor = first_tensor(output)
        if tensor is not None:
            shapes[path] = tuple(tensor.shape[1:])

    return record


def probe_output(loaded: LoadedModel) -> tuple[int, ...] | None:
    """Return the shape of the model's output for one sample, or None where no forward can be made to run.

    Tried on the meta device first, then with two real samples on a copy in eval mode.
    """
    shapes = output_shapes(loaded)
    if "" in shapes:
        return shapes[""]
    if any(tensor.is_meta for tensor in loaded.module.state_dict().values()):
        return None
    try:
        # A forward may draw in ways that quiet_trial does not catch (dropout as a function); nobody else runs by now.
        with torch.random.fork_rng(devices=[]), quiet_trial(), torch.no_grad():
            twin = copy.deepcopy(loaded.module).cpu().eval()
            for inputs, keywords in sample_inputs(loaded, 2):
                tensor = first_tensor(twin(inputs, **keywords))
                return None if tensor is None else tuple(tensor.shape[1:])
    except Exception:  # as above
        return None
    return None
