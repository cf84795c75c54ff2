"""One watched tensor: how to read it, when it was frozen, and what is known of its moves."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

import torch
from torch import nn

from freeze_gui.models.layer_tree import own_tensors


@dataclass(frozen=True)
class Cause:
    """Why a frozen tensor moved: in how many `steps`, and the largest change of one element that it made in a step."""

    cause: str
    steps: int
    max_abs_change: float


@dataclass(eq=False)
class Watched:
    """One tensor of the model, and what is known about it.

    Attributes
    ----------
    name, role, layer, tied_layers
        As in `TensorVerdict`.
    key
        Its name in its module.
    owner
        The module that owns it; another one where the model has put another in its place.
    compute
        Makes it, where it is computed from others.
    made_of, parts
        The layers that own what it is computed from, all of which must be frozen for it to be, and the names of those
        tensors. Any other tensor is frozen with one of its layers.
    began
        The step from which on it is frozen now; None where it is not.
    """

    name: str
    role: str
    layer: str
    key: str
    owner: nn.Module
    tied_layers: list[str] = field(default_factory=list)
    compute: Callable[[], torch.Tensor] | None = None
    made_of: tuple[str, ...] = ()
    parts: tuple[str, ...] = ()
    began: int | None = None
    windows: list[tuple[int, int]] = field(default_factory=list)
    moved_steps: int = 0
    first_moved_step: int | None = None
    max_abs_change: float = 0.0
    causes: dict[str, Cause] = field(default_factory=dict)

    @property
    def is_statistic(self) -> bool:
        """Whether it is the running statistics of a norm layer."""
        return self.role == "buffer" and is_statistic(self.key)

    def owners_in(self, modules: frozenset[str]) -> list[str]:
        """Return those of its layers that are among `modules`; none where too few are for it to be frozen."""
        if self.made_of and not modules.issuperset(self.made_of):
            return []
        return [layer for layer in (self.layer, *self.tied_layers) if layer in modules]

    def read(self) -> torch.Tensor:
        """Return the tensor as it is now: a module may put another one, or None (here: empty), in its place."""
        if self.compute is not None:
            return self.compute()
        found = self.owner._parameters.get(self.key)
        value = found if found is not None else self.owner._buffers.get(self.key)
        return torch.empty(0) if value is None else value

    def place(self) -> tuple[Mapping[str, torch.Tensor | None], str]:
        """Return where its module holds it, under which name; nowhere, if it is computed."""
        if self.compute is not None:
            return {}, ""
        return self.owner._parameters if self.key in self.owner._parameters else self.owner._buffers, self.key

    def end(self, step: int) -> None:
        """Close its window before `step`."""
        if self.began is not None:
            self.windows.append((self.began, step))
        self.began = None

    def moved(self, step: int, change: float, distance: float, causes: Iterable[str]) -> None:
        """Note that `step` moved it, and why: an element by at most `change`, to `distance` from where it began."""
        for cause in causes:
            known = self.causes.get(cause, Cause(cause, 0, 0.0))
            self.causes[cause] = Cause(cause, known.steps + 1, _larger(known.max_abs_change, change))
        self.moved_steps += 1
        self.max_abs_change = _larger(self.max_abs_change, distance)
        if self.first_moved_step is None:
            self.first_moved_step = step

    def windows_until(self, steps: int) -> tuple[tuple[int, int], ...]:
        """Return its frozen windows in a run of `steps` steps so far."""
        open_window = [(self.began, steps)] if self.began is not None and steps > self.began else []
        return (*self.windows, *open_window)


def every_tensor(model: nn.Module) -> list[Watched]:
    """Return every parameter and buffer of the model, tied ones once."""
    found: dict[int, Watched] = {}
    for path, module in model.named_modules():
        for key, tensor in own_tensors(module).items():
            if id(tensor) in found:
                found[id(tensor)].tied_layers.append(path)
            else:
                role = "parameter" if isinstance(tensor, nn.Parameter) else "buffer"
                found[id(tensor)] = Watched(f"{path}.{key}" if path else key, role, path, key, module)
    return list(found.values())


def is_statistic(key: str) -> bool:
    """Tell whether a tensor of this name is a running statistic of a norm layer."""
    return key.startswith("running_") or key == "num_batches_tracked"


def _larger(a: float, b: float) -> float:
    return b if b > a or b != b else a   # a NaN stays
