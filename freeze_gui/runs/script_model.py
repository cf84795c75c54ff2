"""The model of a run as source code that needs nothing of the program."""

from __future__ import annotations

import ast
import importlib
import inspect
import json
import re
import sys
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from torch import nn

from freeze_gui.models.builtin import pretrained_body
from freeze_gui.models.factory import split_file_source
from freeze_gui.models.loaded import LoadedModel
from freeze_gui.models.weights import head_path
from freeze_gui.training.config import RunConfig

_WIDTH = 110
_FOR_THE_PROGRAM = ("input_shape", "task_features")
"""What a class tells the program of its inputs."""


@dataclass(frozen=True)
class ModelCode:
    """How a script comes by its model.

    Attributes
    ----------
    source
        Classes and constants, empty where they are imported.
    lines
        What makes ``model``, directly after the seed was set.
    has_weights
        Whether the values of its tensors lie in a file beside the script.
    """

    source: str
    lines: tuple[str, ...]
    has_weights: bool


def model_code(config: RunConfig, loaded: LoadedModel, classes: int | None) -> ModelCode:
    """Return the code of a model.

    Parameters
    ----------
    config
        The run.
    loaded
        Its model.
    classes
        Number of classes that it was loaded with, None for the source's own.
    """
    kind, _, name = config.model.source.partition(":")
    weights = config.model.weights
    if kind == "torchvision":
        return _from_torchvision(name, weights, loaded.module, classes)
    has_file = weights not in (None, "none", "default")
    if kind == "file":
        path, factory = split_file_source(config.model.source)
        return ModelCode("", (f"model = from_file({quoted(str(path))}, {quoted(factory)})()",), has_file)
    built = type(loaded.module)
    takes_classes = "num_classes" in inspect.signature(built).parameters
    call = f"{built.__name__}(num_classes={loaded.num_classes})" if takes_classes else f"{built.__name__}()"
    is_pretrained = weights in (None, "default") and pretrained_body(name) is not None
    return ModelCode("\n\n\n".join(_with_needs(built)), (f"model = {call}",), has_file or is_pretrained)


def quoted(text: str) -> str:
    """Return a text as a Python literal in double quotes."""
    return json.dumps(text, ensure_ascii=False)


def _from_torchvision(name: str, weights: str | None, module: nn.Module, classes: int | None) -> ModelCode:
    if weights != "default":
        given: dict[str, Any] = {} if classes is None else {"num_classes": classes}
        if hasattr(module, "aux_logits"):   # else it returns a tuple in training
            given |= {"aux_logits": False, "init_weights": False}
        arguments = "".join(f", {key}={value}" for key, value in given.items())
        line = f'model = torchvision.models.get_model("{name}"{arguments})'
        return ModelCode("", (line,), weights not in (None, "none"))
    lines = [f'model = torchvision.models.get_model("{name}", weights="DEFAULT")']
    if hasattr(module, "aux_logits"):
        lines.append("model.aux_logits, model.AuxLogits = False, None")
    path = head_path(module)
    models = importlib.import_module("torchvision.models")
    published = len(models.get_model_weights(name).DEFAULT.meta["categories"])
    if path is not None and classes not in (None, published):
        lines.append(f'model.set_submodule("{path}", {_new_head(module.get_submodule(path))})   # a fresh head')
    return ModelCode("", tuple(lines), False)


def _new_head(head: nn.Module) -> str:
    bias = "" if head.bias is not None else ", bias=False"
    if isinstance(head, nn.Conv2d):
        return f"nn.Conv2d({head.in_channels}, {head.out_channels}, kernel_size={head.kernel_size}{bias})"
    return f"nn.Linear({head.in_features}, {head.out_features}{bias})"


def _with_needs(built: type) -> list[str]:
    """Return the source of a class, after that of the classes and constants of the program that it uses."""
    found: dict[str, str] = {}

    def visit(kind: type) -> None:
        home = sys.modules[kind.__module__]
        constants = _constants(home)
        source = _trimmed(inspect.getsource(kind))
        for name in _names(source):
            value = getattr(home, name, None)
            if inspect.isclass(value) and value.__module__.startswith(f"{__package__.partition('.')[0]}."):
                if value is not kind and name not in found:
                    visit(value)
            elif name in constants:
                found.setdefault(name, constants[name])
        found[kind.__name__] = source

    visit(built)
    texts = list(found.values())
    constants = [text for text in texts if not text.startswith("class ")]
    classes = [text for text in texts if text.startswith("class ")]
    return ["\n".join(constants), *classes] if constants else classes


def _names(source: str) -> Iterator[str]:
    seen: dict[str, None] = {}
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Name):
            seen[node.id] = None
    return iter(seen)


def _constants(home: Any) -> dict[str, str]:
    """Return the source of every constant that a module assigns."""
    source = inspect.getsource(home)
    return {
        target.id: ast.get_source_segment(source, node) or ""
        for node in ast.parse(source).body
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name)
    }


def _trimmed(source: str) -> str:
    """Leave out what the script has no use for: docstrings of methods, marks for a type checker and for the program."""
    lines = source.splitlines()
    drop: set[int] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef) and ast.get_docstring(node):
            said = node.body[0]
            drop |= set(range(said.lineno, (said.end_lineno or said.lineno) + 1))
        if isinstance(node, ast.Assign | ast.AnnAssign) and ast.unparse(node).startswith(_FOR_THE_PROGRAM):
            drop |= set(range(node.lineno, (node.end_lineno or node.lineno) + 2))   # and the blank line behind it
    kept = [line for number, line in enumerate(lines, 1) if number not in drop]
    text = re.sub(r"\s+# type: ignore\[.*", "", "\n".join(kept))
    text = re.sub(r"^(\s+\w+): Tensor = ", r"\1 = ", text, flags=re.MULTILINE)
    return "\n".join(_wrapped(line) for line in text.rstrip().split("\n"))


def _wrapped(line: str) -> str:
    """Break a line of prose that is too long for a script."""
    indent = line[: len(line) - len(line.lstrip())]
    is_prose = line.lstrip()[:1].isupper() or line.lstrip().startswith('"""')
    if len(line) <= _WIDTH or not is_prose:
        return line
    return textwrap.fill(line.strip(), _WIDTH, initial_indent=indent, subsequent_indent=indent)
