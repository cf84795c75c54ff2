"""What did happen: did each frozen tensor hold still, bit by bit, and if not, why?"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import torch
from torch import nn

from freeze_gui.freezing.bits import differ, largest_difference
from freeze_gui.freezing.causes import Marks, Suspect, causes_of_step, gradient_mark
from freeze_gui.freezing.context import FreezeContext
from freeze_gui.models.layer_tree import own_tensors


@dataclass(frozen=True)
class Cause:
    """Why a frozen tensor moved: in how many `steps`, and the largest change of one element that it made in a step."""

    cause: str
    steps: int
    max_abs_change: float


@dataclass(frozen=True)
class TensorVerdict:
    """What happened to one parameter or buffer while it was frozen.

    Attributes
    ----------
    name, role, layer
        Full name, ``parameter`` or ``buffer``, path of its layer.
    tied_layers
        Paths of further layers that own the same tensor.
    frozen_steps
        Frozen windows as [from, to) pairs of steps.
    moved, moved_steps, first_moved_step
        Whether any bit moved inside the windows, in how many steps, and in which first.
    max_abs_change
        Largest distance of an element from its value when its window began.
    causes
        One entry a cause, the one with most steps first.
    """

    name: str
    role: str
    layer: str
    frozen_steps: tuple[tuple[int, int], ...] = ()
    moved: bool = False
    moved_steps: int = 0
    first_moved_step: int | None = None
    max_abs_change: float = 0.0
    causes: tuple[Cause, ...] = ()
    tied_layers: tuple[str, ...] = ()

    @property
    def layers(self) -> tuple[str, ...]:
        """Every layer that owns the tensor: when it moves, each of them that is frozen has leaked."""
        return (self.layer, *self.tied_layers)


@dataclass
class _Watched:
    """One tensor of the model, and what is known about it; `reference` is set while it is frozen."""

    name: str
    role: str
    layer: str
    owner: nn.Module
    key: str
    tied_layers: list[str] = field(default_factory=list)
    reference: torch.Tensor | None = None   # value when the window began
    last: torch.Tensor | None = None        # value after the step before; the reference itself until the first move
    began: int = 0
    windows: list[tuple[int, int]] = field(default_factory=list)
    moved_steps: int = 0
    first_moved_step: int | None = None
    max_abs_change: float = 0.0
    causes: dict[str, Cause] = field(default_factory=dict)

    @property
    def tensor(self) -> torch.Tensor:
        """The tensor now; looked up each time, since a module may put another one, or None, in its place."""
        found = self.owner._parameters.get(self.key)
        value = found if found is not None else self.owner._buffers.get(self.key)
        return torch.empty(0) if value is None else value

    def owners_in(self, modules: frozenset[str]) -> list[str]:
        """Return those of the layers that own the tensor which are among `modules`."""
        return [layer for layer in (self.layer, *self.tied_layers) if layer in modules]


class FrozenWatch:
    """Compares every parameter and buffer of every frozen layer, bit by bit, at every step of its frozen window.

    The freezer calls `begin` where a freeze takes effect, `before_step` and `after_step` at those moments of each step,
    and `end` where a layer thaws.
    """

    def __init__(self, context: FreezeContext) -> None:
        self._context = context
        self._all = list(_every_tensor(context.model))
        self._frozen: list[_Watched] = []
        self._suspects: dict[int, Suspect] = {}
        self._written: dict[int, str] = {}
        self._storages = _shared_storages(self._all)

    def begin(self, modules: frozenset[str], step: int) -> None:
        """Take the values of all tensors of `modules` as those that must hold."""
        for watched in self._all:
            if watched.reference is None and watched.owners_in(modules):
                watched.reference = watched.last = watched.tensor.detach().clone()
                watched.began = step
                self._frozen.append(watched)

    def end(self, step: int) -> None:
        """Close the windows of all tensors that no frozen module owns any more."""
        for watched in [w for w in self._frozen if not w.owners_in(self._context.frozen)]:
            if step > watched.began:
                watched.windows.append((watched.began, step))
            watched.reference = watched.last = None
            self._frozen.remove(watched)

    def before_step(self, step: int, marks: Marks) -> list[tuple[str, nn.Parameter, Suspect]]:
        """Find what the forward wrote, and keep what is needed to replay the optimizer on tensors it may move.

        Parameters
        ----------
        step
            The step that is about to be taken.
        marks
            The gradients that were there before this step's backward: one that it did not touch is stale.

        Returns
        -------
        list
            Layer, parameter and what was kept, for each frozen parameter that the optimizer may move.
        """
        self._suspects = {}
        self._written = {}
        groups = {id(p): group for group in self._context.optimizer.param_groups for p in group["params"]}
        doubted = []
        for watched in self._frozen:
            tensor = watched.tensor
            suspect = isinstance(tensor, nn.Parameter) and tensor.grad is not None and id(tensor) in groups
            # comparing everything twice a step would double the price of a clean run: weights that no forward has
            # written in the first two steps of a window are compared after the step alone
            if suspect or watched.role == "buffer" or step - watched.began < 2 or watched.moved_steps:
                doubted.append(watched)
        pairs = [(w.tensor, w.last) for w in doubted if w.last is not None]
        for watched, wrote in zip(doubted, differ(pairs), strict=True):
            if wrote:
                self._written[id(watched)] = _forward_cause(watched)
        kept: list[tuple[str, nn.Parameter, Suspect]] = []
        for watched in doubted:
            tensor = watched.tensor
            if isinstance(tensor, nn.Parameter) and tensor.grad is not None and id(tensor) in groups:
                fresh = marks.get(id(tensor)) != gradient_mark(tensor)
                suspect_now = Suspect.take(self._context.optimizer, groups[id(tensor)], tensor, fresh)
                self._suspects[id(watched)] = suspect_now
                kept += [(layer, tensor, suspect_now) for layer in watched.owners_in(self._context.frozen)]
        return kept

    def after_step(self, step: int) -> list[str]:
        """Compare all frozen tensors; return the layers of those that moved in this step."""
        pairs = [(w.tensor, w.last) for w in self._frozen if w.last is not None]
        moved = [w for w, did in zip(self._frozen, differ(pairs), strict=True) if did]
        for watched in moved:
            self._record(watched, step)
        return list(dict.fromkeys(layer for w in moved for layer in w.owners_in(self._context.frozen)))

    def verdicts(self, steps: int) -> tuple[TensorVerdict, ...]:
        """Return the verdict on every tensor after `steps` steps."""
        return tuple(_verdict(watched, steps) for watched in self._all)

    def _record(self, watched: _Watched, step: int) -> None:
        tensor, last, reference = watched.tensor, watched.last, watched.reference
        assert last is not None
        assert reference is not None
        change = largest_difference(tensor, last)
        for cause in self._causes(watched):
            known = watched.causes.get(cause, Cause(cause, 0, 0.0))
            watched.causes[cause] = Cause(cause, known.steps + 1, _larger(known.max_abs_change, change))
        watched.moved_steps += 1
        watched.max_abs_change = _larger(watched.max_abs_change, largest_difference(tensor, reference))
        if watched.first_moved_step is None:
            watched.first_moved_step = step
        watched.last = tensor.detach().clone()

    def _causes(self, watched: _Watched) -> list[str]:
        """Name what moved a tensor in this step, from what was kept before the step."""
        found = [self._written[id(watched)]] if id(watched) in self._written else []
        suspect = self._suspects.get(id(watched))
        if suspect is not None and suspect.was_moved(watched.tensor):
            found += causes_of_step(suspect, watched.tensor)
        elif not found:
            shared = watched.tensor.untyped_storage().data_ptr() in self._storages
            found.append("shared_storage" if shared else "other_writer")
        return found


def _every_tensor(model: nn.Module) -> Iterable[_Watched]:
    found: dict[int, _Watched] = {}
    for path, module in model.named_modules():
        for key, tensor in own_tensors(module).items():
            if id(tensor) in found:
                found[id(tensor)].tied_layers.append(path)
            else:
                role = "parameter" if isinstance(tensor, nn.Parameter) else "buffer"
                found[id(tensor)] = _Watched(f"{path}.{key}" if path else key, role, path, module, key)
    return found.values()


def _shared_storages(tensors: Iterable[_Watched]) -> set[int]:
    """Return the memory that two different tensors of the model lie in."""
    seen: set[int] = set()
    shared: set[int] = set()
    for watched in tensors:
        address = watched.tensor.untyped_storage().data_ptr()
        (shared if address in seen else seen).add(address)
    return shared - {0}


def _forward_cause(watched: _Watched) -> str:
    """Name a write that happened before the optimizer's step: statistics of a norm layer, or any other."""
    statistics = watched.key in ("running_mean", "running_var", "num_batches_tracked")
    return "running_statistics" if statistics and watched.role == "buffer" else "forward_write"


def _larger(a: float, b: float) -> float:
    return b if b > a or b != b else a   # a NaN stays


def _verdict(watched: _Watched, steps: int) -> TensorVerdict:
    windows = list(watched.windows)
    if watched.reference is not None and steps > watched.began:
        windows.append((watched.began, steps))
    return TensorVerdict(
        watched.name,
        watched.role,
        watched.layer,
        tuple(windows),
        watched.moved_steps > 0,
        watched.moved_steps,
        watched.first_moved_step,
        watched.max_abs_change,
        tuple(sorted(watched.causes.values(), key=lambda cause: -cause.steps)),
        tuple(watched.tied_layers),
    )
