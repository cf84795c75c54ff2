"""Weights from files and from the network, and how they get into a module."""

from __future__ import annotations

import pickle
import re
from collections import OrderedDict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from freeze_gui.errors import UserError
from freeze_gui.models.download import download
from freeze_gui.models.loaded import Progress

WEIGHT_SUFFIXES = (".safetensors", ".pt", ".pth")
"""Endings of the files that `read_weights` takes."""

_WRAPPERS = ("state_dict", "model", "model_state_dict")
_PREFIXES = ("module.", "_orig_mod.")  # DataParallel and torch.compile put these before every name
_SHOWN = 3


def read_weights(path: str | Path) -> dict[str, Tensor]:
    """Read a state dict from a .safetensors file or a weights-only checkpoint, on CPU.

    Checkpoints that wrap it (``state_dict``, ``model``, ``model_state_dict``) are unwrapped, and the prefixes of
    DataParallel and torch.compile are taken off.

    Raises
    ------
    UserError
        When the file is missing, of another kind, damaged, or would need to run code to be read.
    """
    path = Path(path).expanduser()
    if path.suffix not in WEIGHT_SUFFIXES:
        raise UserError(
            f'weights = "{path}" must be "none", "default" or a file ending in {", ".join(WEIGHT_SUFFIXES)}'
        )
    if not path.is_file():
        raise UserError(f"the weights file {path} does not exist")
    content = _read_safetensors(path) if path.suffix == ".safetensors" else _read_pickle(path)
    return _strip_prefixes(_unwrap(content, path))


def _read_safetensors(path: Path) -> Any:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return load_file(path, device="cpu")
    except (SafetensorError, OSError) as error:
        raise UserError(f"{path} is not a whole .safetensors file ({error})") from error


def _read_pickle(path: Path) -> Any:
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # the unpickler meets arbitrary bytes in arbitrary ways
        asked_for = re.search(r"GLOBAL ([\w.]+)", str(error))
        if not (isinstance(error, pickle.UnpicklingError) and asked_for):
            raise UserError(f"{path} is not a readable PyTorch checkpoint ({_first_line(error)})") from error
        raise UserError(
            f"{path} was refused because reading it would run code stored in the file (it asks for "
            f"{asked_for[1]}); save a plain state_dict with torch.save(model.state_dict(), path) or use .safetensors"
        ) from error


def _unwrap(content: Any, path: Path) -> dict[str, Tensor]:
    for key in _WRAPPERS:
        if isinstance(content, Mapping) and isinstance(content.get(key), Mapping):
            content = content[key]
    if not isinstance(content, Mapping) or not content:
        raise UserError(f"{path} holds no state dict but {_kind(content)}; names with their tensors are wanted")
    odd = [key for key, value in content.items() if not (isinstance(key, str) and isinstance(value, Tensor))]
    if odd:
        raise UserError(f"{path} holds no state dict: {_some(map(str, odd))} is no tensor")
    return dict(content)


def _strip_prefixes(state: dict[str, Tensor]) -> dict[str, Tensor]:
    for prefix in _PREFIXES:
        if all(name.startswith(prefix) for name in state):
            state = {name.removeprefix(prefix): tensor for name, tensor in state.items()}
    return state


def head_path(module: nn.Module) -> str | None:
    """Return the path of the final layer: the last linear or convolution layer in registration order."""
    kinds = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d)
    paths = [path for path, child in module.named_modules() if isinstance(child, kinds)]
    return paths[-1] if paths else None


def load_weights(module: nn.Module, state: Mapping[str, Tensor], *, where: str, fresh_head: bool = False) -> bool:
    """Copy a state dict into a module.

    A head whose number of classes differs keeps its fresh values, and so does every head with `fresh_head`;
    everything else must fit name by name and shape by shape.

    Parameters
    ----------
    module
        Filled in place.
    state
        Names and tensors.
    where
        The file, for the text of errors.
    fresh_head
        Leave the head as it is, whether it fits or not.

    Returns
    -------
    bool
        Whether the head was filled from `state`.

    Raises
    ------
    UserError
        When names are missing or left over, or shapes differ: the first few of them and how many.
    """
    own = module.state_dict()
    head = head_path(module)
    misfits = [name for name in state if name in own and own[name].shape != state[name].shape]
    head_names = {name for name in own if head is not None and name.startswith(head + ".")} if head else set()
    if misfits and all(name in head_names and _other_class_count(own[name], state[name]) for name in misfits):
        fresh_head = True
    elif misfits and not (fresh_head and head_names.issuperset(misfits)):
        shown = _some(f"{name} {tuple(state[name].shape)} instead of {tuple(own[name].shape)}" for name in misfits)
        raise UserError(f"{where} does not fit the model: {len(misfits)} tensor(s) of another shape: {shown}")
    skipped = head_names if fresh_head else set()
    kept = OrderedDict((name, tensor) for name, tensor in state.items() if name not in skipped)
    kept._metadata = own._metadata  # type: ignore[attr-defined]  # without versions, some modules rename or refuse
    result = module.load_state_dict(kept, strict=False)
    missing = [name for name in _truly_missing(module, result.missing_keys, kept) if name not in skipped]
    if missing or result.unexpected_keys:
        raise UserError(f"{where} does not fit the model: {_names_text(missing, result.unexpected_keys)}")
    return not fresh_head


def _other_class_count(own: Tensor, stored: Tensor) -> bool:
    return own.dim() > 0 and own.shape[1:] == stored.shape[1:]


def _truly_missing(module: nn.Module, missing: list[str], stored: Mapping[str, Tensor]) -> list[str]:
    # A tied tensor is stored once and has several names; batch norms before 2018 counted no batches.
    own = module.state_dict(keep_vars=True)
    filled = {id(own[name]) for name in stored if name in own}
    return [name for name in missing if id(own[name]) not in filled and not name.endswith("num_batches_tracked")]


def _names_text(missing: list[str], unexpected: list[str]) -> str:
    parts = []
    if missing:
        parts.append(f"{len(missing)} tensor(s) missing in the file ({_some(missing)})")
    if unexpected:
        parts.append(f"{len(unexpected)} that the model does not have ({_some(unexpected)})")
    return (
        ", ".join(parts) + "; names and shapes must be those of the model, only the head may have another class count"
    )


def _some(names: Any) -> str:
    listed = list(names)
    return ", ".join(listed[:_SHOWN]) + (", …" if len(listed) > _SHOWN else "")


def _kind(content: Any) -> str:
    return "an empty dict" if isinstance(content, Mapping) else f"a {type(content).__name__}"


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]


def download_weights(url: str, progress: Progress | None = None) -> Path:
    """Fetch pretrained weights into torch's usual hub cache and return the file.

    File names there end in the first digits of the file's SHA-256 (``resnet18-f37072fd.pth``), which is checked.

    Raises
    ------
    UserError
        When it cannot be fetched: where to put the file by hand, and the way without it.
    """
    name = url.rsplit("/", 1)[-1]
    target = Path(torch.hub.get_dir()) / "checkpoints" / name
    digits = re.search(r"-([a-f0-9]{8,})\.", name)
    cure = f'put the file at {target} or choose weights = "none"'
    return download(url, target, sha256_prefix=digits.group(1) if digits else "", progress=progress, cure=cure)
