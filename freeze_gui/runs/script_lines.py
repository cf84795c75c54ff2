"""Single lines of a script that depend on several settings at once, and its imports."""

from __future__ import annotations

import ast
import re
import textwrap
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from freeze_gui.models.factory import split_file_source
from freeze_gui.runs.script_rates import Rates
from freeze_gui.training.config import RunConfig
from freeze_gui.training.loading import Loaded

WIDTH = 110
"""Longest line of a script."""

_DTYPES = {"bf16": "torch.bfloat16", "fp16": "torch.float16"}

# name in the script → section (0 standard library, 1 others), module, and what is taken of it: "" for the module itself
_IMPORTS = {
    "os": (0, "os", ""),
    "random": (0, "random", ""),
    "importlib": (0, "importlib.util", ""),
    "sys": (0, "sys", ""),
    "OrderedDict": (0, "collections", "OrderedDict"),
    "partial": (0, "functools", "partial"),
    "chain": (0, "itertools", "chain"),
    "count": (0, "itertools", "count"),
    "islice": (0, "itertools", "islice"),
    "Path": (0, "pathlib", "Path"),
    "np": (1, "numpy as np", ""),
    "torch": (1, "torch", ""),
    "F": (1, "torch.nn.functional as F", ""),
    "torchvision": (1, "torchvision", ""),
    "Image": (1, "PIL", "Image"),
    "Tensor": (1, "torch", "Tensor"),
    "nn": (1, "torch", "nn"),
}


@dataclass(frozen=True)
class ForwardCode:
    """How a script computes the loss of a batch.

    Attributes
    ----------
    loss, amp, device
        As in the configuration.
    call
        What the forward is called with.
    targets
        The targets as the loss takes them.
    adapts
        Whether the targets must be brought to shape and number format of the output.
    """

    loss: str
    call: str
    targets: str
    amp: str
    device: str
    adapts: bool

    @property
    def device_type(self) -> str:
        """What autocast and the gradient scaler are told."""
        if self.device == "auto":
            return "DEVICE"
        return f'"{self.device.partition(":")[0]}"'

    def lines(self, indent: int, keeps_output: bool, share: str = "") -> str:
        """Return the lines from the batch to ``loss``; `share` divides it."""
        wanted = "targets"
        if self.loss == "mse" and (self.adapts or self.amp != "none"):
            keeps_output, wanted = True, "targets.reshape(output.shape).to(output.dtype)"
        output = f"model({self.call})"
        lines = [f"output = {output}"] if keeps_output else []
        lines.append(f"loss = F.{_FUNCTIONS[self.loss]}({'output' if keeps_output else output}, {wanted}){share}")
        if self.amp != "none":
            head = f"with torch.autocast({self.device_type}, dtype={_DTYPES[self.amp]}):"
            lines = [head, *(f"    {line}" for line in lines)]
        return "\n".join(" " * indent + line for line in (*self._prepared(), *lines))

    def _prepared(self) -> list[str]:
        """Return the lines that bring inputs and targets to the device, and targets to what the loss takes."""
        if self.device == "cpu":
            return [] if self.targets == "targets" else [f"targets = {self.targets}"]
        inputs, targets = _MOVED[self.call.partition(", ")[0]], f"{self.targets}.to(DEVICE)"
        if self.call.startswith("inputs"):
            return [f"inputs, targets = {inputs}, {targets}"]
        return [f"inputs = {inputs}", f"targets = {targets}"]


_MOVED = {
    "inputs": "inputs.to(DEVICE)",
    "*inputs": "[part.to(DEVICE) for part in inputs]",
    "**inputs": "{key: part.to(DEVICE) for key, part in inputs.items()}",
}
_FUNCTIONS = {"cross_entropy": "cross_entropy", "mse": "mse_loss"}


def assigned_rates(rates: Rates, indent: int) -> str:
    """Return the lines that give every group the rate of the coming step."""
    source = 'rates[group.get("factor", 1.0)]' if len(rates.stand_in) > 1 else "stand_in.param_groups[0]"
    lines = ["for group in optimizer.param_groups:"]
    if rates.cycled:
        lines += [f"    source = {source}", *(f'    group["{key}"] = source["{key}"]' for key in ("lr", *rates.cycled))]
    else:
        lines.append(f'    group["lr"] = {source}["lr"]')
    return "\n".join(" " * indent + line for line in lines)


def report(indent: int, step: str, has_accuracy: bool) -> str:
    """Return the lines that evaluate and print."""
    found, said = ("val_loss, accuracy", ", accuracy {accuracy:.3f}") if has_accuracy else ("val_loss", "")
    lines = [
        f"{found} = evaluate(model, validation)",
        f'print(f"step {{{step}}}: loss {{losses[-1]:.4f}}, val loss {{val_loss:.4f}}{said}")',
    ]
    return "\n".join(" " * indent + line for line in lines)


def list_constant(name: str | float, layers: Sequence[str], indent: int = 0) -> str:
    """Return a list of names, as a constant or, indented, as an entry of a dict; broken where it is long."""
    sign = ":" if indent else " ="
    items = ", ".join(f'"{layer}"' for layer in layers)
    line = f"{' ' * indent}{name}{sign} [{items}]"
    if len(line) < WIDTH:
        return line
    inner = " " * (indent + 4)
    body = textwrap.fill(f"{items},", WIDTH, initial_indent=inner, subsequent_indent=inner, break_long_words=False)
    return f"{' ' * indent}{name}{sign} [\n{body}\n{' ' * indent}]"


def intro_lines(config: RunConfig, loaded: Loaded, needs: Iterable[str], tensors: Sequence[str]) -> list[str]:
    """Return what stands at the top of a script; `tensors` names what lies in the file beside it."""
    model, data = config.model.source, loaded.data.source
    parts = ["torch", *(["torchvision"] if model.startswith("torchvision:") else []), *needs]
    files = dict.fromkeys(split_file_source(source)[0].name for source in (model, data) if source.startswith("file:"))
    text = (
        f"{model} on {'random data' if data == 'random' else data}, as Freeze GUI ran it. The script stands alone and "
        f"reproduces the losses of that run on the same machine. It needs {_listed([*parts, *files])}."
    )
    if tensors:
        text += f" It reads {_listed(tensors)} from a file beside it, of the same name with the ending .pt."
    return textwrap.wrap(text, WIDTH, break_long_words=False, break_on_hyphens=False)


def with_imports(text: str) -> str:
    """Put the imports that a script needs below its docstring, and tidy its blank lines.

    Sections, and lines and names in them, are sorted as ruff and isort have it.
    """
    tree = ast.parse(text)
    used = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    sections = []
    for section in (0, 1):
        found = [_IMPORTS[name] for name in used & _IMPORTS.keys() if _IMPORTS[name][0] == section]
        plain = sorted(f"import {module}" for _, module, name in found if not name)
        taken: dict[str, list[str]] = {}
        for _, module, name in found:
            if name:
                taken.setdefault(module, []).append(name)
        lines = [f"from {module} import {', '.join(sorted(taken[module]))}" for module in sorted(taken, key=str.lower)]
        if plain or lines:
            sections.append("\n".join([*plain, *lines]))
    first = tree.body[0]
    lines = text.splitlines()
    head, rest = lines[: first.end_lineno], lines[first.end_lineno :]
    whole = "\n".join(head) + "\n\n" + "\n\n".join(sections) + "\n\n" + "\n".join(rest).lstrip("\n")
    whole = re.sub(r"[ \t]+$", "", whole, flags=re.MULTILINE)
    whole = "\n".join(_broken(line) for line in whole.split("\n"))
    return re.sub(r"\n{4,}", "\n\n\n", whole).rstrip() + "\n"


def _broken(line: str) -> str:
    """Put the arguments of a call that is too long on lines of their own, and a remark behind a line above it."""
    code, remark, text = line.partition("  # ")
    if len(line) > WIDTH and remark and code.strip():
        return f"{' ' * (len(code) - len(code.lstrip()))}# {text.strip()}\n{_broken(code.rstrip())}"
    found = re.fullmatch(r"(?P<indent> *)(?P<head>[\w.]+ = [\w.]+\()(?P<body>.*)\)", line)
    if len(line) <= WIDTH or found is None:
        return line
    inner = f"{found['indent']}    "
    body = textwrap.fill(f"{found['body']},", WIDTH, initial_indent=inner, subsequent_indent=inner)
    broken = f"{found['indent']}{found['head']}\n{body}\n{found['indent']})"
    return broken if _says_the_same(broken, line) else line   # a path may be long and have blanks in it


def _says_the_same(a: str, b: str) -> bool:
    """Tell whether two pieces of code are one and the same but for their layout."""
    try:
        return ast.dump(ast.parse(textwrap.dedent(a))) == ast.dump(ast.parse(textwrap.dedent(b)))
    except SyntaxError:
        return False


def _listed(parts: Sequence[str]) -> str:
    if len(parts) < 3:
        return " and ".join(parts)
    return f"{', '.join(parts[:-1])}, and {parts[-1]}"
