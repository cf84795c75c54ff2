"""Every classification model of torchvision: its structure, its weights, and the smallest images it takes.

torchvision takes more than a second to import, so that nothing here imports it before it is needed.
"""

from __future__ import annotations

import functools
import importlib
from typing import Any

import torch
from torch import nn

from freeze_gui.errors import UserError
from freeze_gui.models.lean_meta import LeanMeta
from freeze_gui.models.loaded import LoadedModel, Preprocess, Progress
from freeze_gui.models.trial import import_compiler, quiet_trial, structure_only
from freeze_gui.models.weights import download_weights, head_path, load_weights, read_weights

_SIDES = (32, 64, 96, 128, 160, 192, 224, 256, 384, 512)
_DEFAULT_CLASSES = 1000

# Without these, the two models return a tuple in training and draw their initial weights from scipy for a minute.
_PLAIN_LOGITS: dict[str, dict[str, Any]] = {
    "googlenet": {"aux_logits": False, "init_weights": False},
    "inception_v3": {"aux_logits": False, "init_weights": False},
}


def _models() -> Any:
    import_compiler()   # torchvision does so too
    try:
        return importlib.import_module("torchvision.models")
    except (ImportError, RuntimeError) as error:  # RuntimeError: a torchvision that was built for another torch
        raise UserError(f"torchvision cannot be imported ({error}); install the version that matches torch") from error


@functools.cache
def torchvision_names() -> tuple[str, ...]:
    """Return the names of all classification models, sorted."""
    models = _models()
    return tuple(sorted(models.list_models(module=models)))


def build_torchvision(name: str, *, num_classes: int | None = None) -> nn.Module:
    """Build a model with random weights; it returns plain logits in every mode."""
    classes = _DEFAULT_CLASSES if num_classes is None else num_classes
    module: nn.Module = _models().get_model(name, weights=None, num_classes=classes, **_PLAIN_LOGITS.get(name, {}))
    return module


def torchvision_structure(name: str, num_classes: int | None = None) -> nn.Module:
    """Build a model on the meta device."""
    with structure_only():
        module = build_torchvision(name, num_classes=num_classes)
    return module.to("meta")


def load_torchvision(
    name: str, *, num_classes: int | None, weights: str, seed: int, progress: Progress | None
) -> LoadedModel:
    """Build a model on CPU and fill it: "none" random, "default" torchvision's best weights, else a file."""
    preprocess = None
    if weights == "default":
        module, preprocess = _pretrained(name, num_classes=num_classes, seed=seed, progress=progress)
    else:
        state = None if weights == "none" else read_weights(weights)
        torch.manual_seed(seed)
        module = build_torchvision(name, num_classes=num_classes)
        if state is not None:
            load_weights(module, state, where=weights)
    return describe_torchvision(name, module, num_classes=num_classes, preprocess=preprocess)


def describe_torchvision(
    name: str, module: nn.Module, *, num_classes: int | None, preprocess: Preprocess | None = None
) -> LoadedModel:
    """Wrap a built model with what is known of torchvision's models."""
    side = getattr(module, "image_size", None)  # a vision transformer takes one size alone, which its weights decide
    return LoadedModel(
        module=module,
        source=f"torchvision:{name}",
        num_classes=_DEFAULT_CLASSES if num_classes is None else num_classes,
        input_shape=(3, side, side) if isinstance(side, int) else smallest_input(name),
        default_loss="cross_entropy",
        default_data="random",
        default_layers=(),
        preprocess=preprocess,
    )


def _pretrained(
    name: str, *, num_classes: int | None, seed: int, progress: Progress | None
) -> tuple[nn.Module, Preprocess]:
    models = _models()
    weights = models.get_model_weights(name).DEFAULT
    path = download_weights(weights.url, progress)
    damaged = f"{path} does not hold the weights of torchvision:{name}; delete it and try again"
    try:
        read_weights(path)  # torchvision reads its cache with pickles allowed; what needs code to run stops here
        torch.manual_seed(seed)
        # torchvision's own builder knows the quirks of old checkpoints; it finds the file in the cache.
        module: nn.Module = models.get_model(name, weights=weights, progress=False)
    except (UserError, RuntimeError) as error:
        raise UserError(damaged) from error
    if getattr(module, "aux_logits", False):
        module.aux_logits, module.AuxLogits = False, None  # type: ignore[assignment]
    if num_classes not in (None, len(weights.meta["categories"])):
        replace_head(module, int(num_classes or 0))
    return module, _preprocess(weights)


def _preprocess(weights: Any) -> Preprocess:
    transform = weights.transforms()
    return Preprocess(transform.resize_size[0], transform.crop_size[0], tuple(transform.mean), tuple(transform.std))


def replace_head(module: nn.Module, num_classes: int) -> None:
    """Put a fresh final layer with `num_classes` outputs in place of the old one, of the same kind."""
    path = head_path(module)
    old = None if path is None else module.get_submodule(path)
    match old:
        case nn.Linear():
            new: nn.Module = nn.Linear(old.in_features, num_classes, bias=old.bias is not None)
        case nn.Conv2d():  # squeezenet classifies with a convolution
            new = nn.Conv2d(old.in_channels, num_classes, kernel_size=old.kernel_size, bias=old.bias is not None)  # type: ignore[arg-type]
        case _:
            raise UserError(
                f"the head of {type(module).__name__} is no linear or convolution layer: num_classes is fixed"
            )
    module.set_submodule(str(path), new)


@functools.cache
def smallest_input(name: str) -> tuple[int, int, int]:
    """Return the smallest square image, (3, side, side), with which a model trains, even one image at a time.

    Found on the meta device among the sides 32, 64, 96, …, 512; 224 where none works there. With two images would be
    too weak a test: batch norm over two images of one pixel each runs, but amplifies gradients up to 1e17.
    """
    with quiet_trial(), torch.no_grad():
        module = torchvision_structure(name).train()
        for side in _SIDES:
            try:
                with LeanMeta():
                    module(torch.zeros(1, 3, side, side, device="meta"))
            except Exception:  # too small for the model, which each says in its own way
                continue
            return (3, side, side)
    return (3, 224, 224)
