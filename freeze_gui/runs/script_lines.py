"""Single lines of a script that depend on several settings at once, and its imports."""

from __future__ import annotations

import ast
import re
import textwrap
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from freeze_gui.runs.script_rates import Rates
from freeze_gui.training.config import RunConfig
from freeze_gui.training.loading import Loaded

WIDTH = 110
"""Longest line of a script."""

_DTYPES = {"bf16": "torch.bfloat16", "fp16": "torch.float16"}

# name in the script → section (0 standard library, 1 others), module, and what is taken of it: "" for the module itself
_IMPORTS = {
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
    "load_digits": (1, "sklearn.datasets", "load_digits"),
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

    @property
    def targets_on_device(self) -> str:
        """The targets where the model is."""
        return self.targets if self.device == "cpu" else f"{self.targets}.to(DEVICE)"

    def lines(self, indent: int, keeps_output: bool, share: str = "") -> str:
        """Return the lines from the inputs to ``loss``; `share` divides it."""
        wanted = self.targets_on_device
        if self.loss == "mse" and (self.adapts or self.amp != "none"):
            keeps_output, wanted = True, f"{wanted}.reshape(output.shape).to(output.dtype)"
        output = f"model({self._call()})"
        lines = [f"output = {output}"] if keeps_output else []
        lines.append(f"loss = F.{_FUNCTIONS[self.loss]}({'output' if keeps_output else output}, {wanted}){share}")
        if self.amp != "none":
            head = f"with torch.autocast({self.device_type}, dtype={_DTYPES[self.amp]}):"
            lines = [head, *(f"    {line}" for line in lines)]
        return "\n".join(" " * indent + line for line in lines)

    def _call(self) -> str:
        if self.device == "cpu":
            return self.call
        first, comma, rest = self.call.partition(", ")
        moved = {
            "inputs": "inputs.to(DEVICE)",
            "*inputs": "*(part.to(DEVICE) for part in inputs)",
            "**inputs": "**{key: part.to(DEVICE) for key, part in inputs.items()}",
        }
        return moved[first] + comma + rest


_FUNCTIONS = {"cross_entropy": "cross_entropy", "mse": "mse_loss"}


def assigned_rates(rates: Rates, indent: int) -> str:
    """Return the lines that give every group the rate of the coming step."""
    source = 'rates[group.get("factor", 1.0)]' if len(rates.stand_in) > 1 else "stand_in.param_groups[0]"
    lines = ["for group in optimizer.param_groups:"]
    if rates.cycled:
        lines += [f"    lent = {source}", *(f'    group["{key}"] = lent["{key}"]' for key in ("lr", *rates.cycled))]
    else:
        lines.append(f'    group["lr"] = {source}["lr"]')
    return "\n".join(" " * indent + line for line in lines)


def report(indent: int, step: str, has_accuracy: bool) -> str:
    """Return the lines that evaluate and print."""
    if has_accuracy:
        lines = [
            "validation_loss, accuracy = evaluate(model, validation)",
            f'print(f"step {{{step}}}: loss {{losses[-1]:.4f}}, validation {{validation_loss:.4f}}", end=", ")',
            'print(f"accuracy {accuracy:.3f}")',
        ]
    else:
        lines = [
            "validation_loss = evaluate(model, validation)",
            f'print(f"step {{{step}}}: loss {{losses[-1]:.4f}}, validation {{validation_loss:.4f}}")',
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


def intro_lines(config: RunConfig, loaded: Loaded, needs: Iterable[str], has_weights: bool) -> list[str]:
    """Return what stands at the top of a script."""
    parts = ["torch", *(["torchvision"] if config.model.source.startswith("torchvision:") else []), *needs]
    data = "random data" if loaded.data.source == "random" else loaded.data.source
    text = (
        f"{config.model.source} on {data}, as Freeze GUI ran it. The script stands alone and reproduces "
        f"the losses of that run on the same machine. It needs {_listed(parts)}."
    )
    if has_weights:
        text += " The weights that it starts from lie beside it, in a file of the same name that ends in .pt."
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


def _listed(parts: list[str]) -> str:
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])}, and {parts[-1]}"
