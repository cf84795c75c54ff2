"""What can be loaded: "builtin:digits-cnn", "torchvision:resnet18", "file:net.py:build" → LoadedModel."""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Iterable

import torch
from torch import nn

from freeze_gui.errors import UserError
from freeze_gui.models.builtin import BUILTIN_NAMES, build_builtin, builtin_label, pretrained_body
from freeze_gui.models.factory import load_factory
from freeze_gui.models.loaded import LoadedModel, ModelChoice, Preprocess, Progress
from freeze_gui.models.shapes import guess_input_shape, output_shapes, probe_output
from freeze_gui.models.torchvision_models import (
    describe_torchvision,
    load_torchvision,
    smallest_input,
    torchvision_names,
    torchvision_structure,
)
from freeze_gui.models.trial import meta_twin, quiet_trial, structure_only
from freeze_gui.models.weights import load_weights, read_weights
from freeze_gui.resources import resource_path

__all__ = [
    "LoadedModel",
    "ModelChoice",
    "Preprocess",
    "Progress",
    "list_models",
    "load_model",
    "open_model",
    "output_shapes",
    "smallest_input",
]

_FORMS = "builtin:NAME, torchvision:NAME or file:PATH.py:FACTORY"


def list_models() -> list[ModelChoice]:
    """Return what can be opened by name: the built-in networks, then torchvision's classification models.

    The first call imports torchvision, which takes a second or two.
    """
    builtin = [ModelChoice(f"builtin:{name}", builtin_label(name), "built in") for name in BUILTIN_NAMES]
    return builtin + [ModelChoice(f"torchvision:{name}", name, "torchvision") for name in torchvision_names()]


def open_model(source: str, *, num_classes: int | None = None) -> LoadedModel:
    """Open the structure of a model at once: on the meta device, without allocating or loading weights.

    A ``file:`` factory that cannot run on the meta device is run for real. The global random state stays as it is, so
    that a run in another thread is not disturbed.

    Raises
    ------
    UserError
        When the source is unknown or a user's file fails.
    """
    kind, name = _split(source, num_classes)
    if kind == "file":
        return _open_file(source, num_classes)
    if kind == "torchvision":
        return describe_torchvision(name, torchvision_structure(name, num_classes), num_classes=num_classes)
    with structure_only():
        loaded = build_builtin(name, num_classes=num_classes)
    loaded.module.to("meta")
    return loaded


def load_model(
    source: str,
    *,
    num_classes: int | None = None,
    weights: str | None = None,
    seed: int = 0,
    progress: Progress | None = None,
) -> LoadedModel:
    """Load a model with its values, on CPU, in train mode.

    The seed is set directly before the constructor or FACTORY is called, so that the initial weights are those of
    ``torch.manual_seed(seed); FACTORY()`` in plain PyTorch; for a file, Python's and NumPy's generators are seeded too,
    also before the file is run. The global random state goes on from there.

    Parameters
    ----------
    source
        ``builtin:NAME``, ``torchvision:NAME`` or ``file:PATH.py:FACTORY``; FACTORY is called without arguments and
        its module is used as it is, whatever `num_classes` says, as long as it has so many outputs.
    num_classes
        Outputs of the head; None for the source's own number.
    weights
        "none", "default", or a path; None stands for "default" with builtin:digits-cnn and for "none" elsewhere.
        The default weights of builtin:digits-cnn and builtin:encoder-head are their body, pretrained on the digits
        0–4; the head is always fresh, because the classes of the new task are others. builtin:two-task always starts
        with its article's.
    seed
        Of the initial weights.
    progress
        Told of downloads; may raise to cancel.

    Raises
    ------
    UserError
        When the source is unknown, a file fails, or weights cannot be had or do not fit.
    """
    kind, name = _split(source, num_classes)
    if kind == "builtin":
        return _load_builtin(name, num_classes, weights, seed)
    weights = "none" if weights is None else weights
    if kind == "torchvision":
        return load_torchvision(name, num_classes=num_classes, weights=weights, seed=seed, progress=progress)
    if weights == "default":
        raise UserError(f'{source} has no default weights: weights must be "none" or a file')
    state = None if weights == "none" else read_weights(weights)
    module = _checked(load_factory(source, seed)(), source)
    if state is not None:
        load_weights(module, state, where=weights)
    return _describe_file(source, module.cpu(), num_classes)


def _load_builtin(name: str, num_classes: int | None, weights: str | None, seed: int) -> LoadedModel:
    if weights is None:
        weights = "default"  # where there are no other weights, the initial ones are the default
    state = None if weights in ("none", "default") else read_weights(weights)
    torch.manual_seed(seed)
    loaded = build_builtin(name, num_classes=num_classes)
    body = pretrained_body(name)
    if weights == "default" and body is not None:
        path = resource_path("weights", "digits-cnn.safetensors")
        module = loaded.module.get_submodule(body)
        load_weights(module, read_weights(path), where=str(path), fresh_head=module is loaded.module)
    elif state is not None:
        load_weights(loaded.module, state, where=weights)
    return loaded


def _split(source: str, num_classes: int | None) -> tuple[str, str]:
    """Return kind and name of a source, both checked."""
    if num_classes is not None and num_classes < 1:
        raise UserError(f"num_classes is {num_classes}, but must be 1 or more")
    kind, separator, name = source.partition(":")
    if not separator or kind not in ("builtin", "torchvision", "file"):
        known = [f"{family}:{model}" for family, models in _known().items() for model in models]
        near = _nearest(source, known) or _nearest(f"torchvision:{source}", known)
        raise UserError(f'unknown model source "{source}": it must be {_FORMS}{near}')
    if kind == "builtin" and name not in BUILTIN_NAMES:
        raise UserError(f'there is no built-in model "{name}"; there are {", ".join(BUILTIN_NAMES)}')
    if kind == "torchvision" and name not in torchvision_names():
        raise UserError(f'torchvision has no classification model "{name}"{_nearest(name, torchvision_names())}')
    return kind, name


def _known() -> dict[str, tuple[str, ...]]:
    return {"builtin": BUILTIN_NAMES, "torchvision": torchvision_names()}


def _nearest(name: str, known: Iterable[str]) -> str:
    near = difflib.get_close_matches(name.lower(), list(known), n=3, cutoff=0.5)
    return f"; nearest: {', '.join(near)}" if near else ""


def _open_file(source: str, num_classes: int | None) -> LoadedModel:
    with quiet_trial():
        factory = load_factory(source)
    try:
        with structure_only():
            module = _checked(factory(), source)
        module = meta_twin(module)  # .to("meta") would untie tied weights
    except Exception:  # it may need values; if it fails for another reason, it fails here too and says why
        with quiet_trial():
            module = _checked(factory(), source)
    return _describe_file(source, module, num_classes)


def _checked(module: object, source: str) -> nn.Module:
    if not isinstance(module, nn.Module):
        raise UserError(
            f"the factory of {source} must return a torch.nn.Module, but returned a {type(module).__name__}"
        )
    return module


def _describe_file(source: str, module: nn.Module, num_classes: int | None) -> LoadedModel:
    loaded = LoadedModel(
        module=module,
        source=source,
        num_classes=None,
        input_shape=guess_input_shape(module),
        default_loss="cross_entropy",
        default_data="random",
        default_layers=(),
    )
    if num_classes is None:   # nothing to compare: a person's forward is not run before it must
        return loaded
    output = probe_output(loaded)
    classes = output[0] if output is not None and len(output) == 1 else None
    if classes is not None and classes < num_classes:
        raise UserError(f"num_classes is {num_classes}, but the module of {source} has {classes} output(s)")
    return dataclasses.replace(loaded, num_classes=classes if classes is not None else num_classes)
