"""What a plan does to a model, as a script says it: groups of layers, and the steps in which they freeze and thaw."""

from __future__ import annotations

import copy
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from freeze_gui.freezing.norm_layers import is_inside_parametrization
from freeze_gui.freezing.plan import FreezePlan
from freeze_gui.models.layer_tree import is_dropout, is_norm, own_tensors
from freeze_gui.models.loaded import LoadedModel
from freeze_gui.models.shapes import sample_inputs
from freeze_gui.runs.script_model import quoted

_WRAPPING = ("no_grad", "detach")


@dataclass(frozen=True)
class Group:
    """Layers that are frozen in the same steps.

    Attributes
    ----------
    name
        Constant of the script that lists them.
    layers
        Their paths; blocks stand for all below them where the script is not flat.
    windows
        Steps [from, to) in which they are frozen, in order and apart; `to` None means to the end.
    tasks
        Tasks in whose steps they are frozen besides.
    """

    name: str
    layers: tuple[str, ...]
    windows: tuple[tuple[int, int | None], ...]
    tasks: tuple[str, ...]


@dataclass(frozen=True)
class Event:
    """What thaws and what freezes at one step: names of groups."""

    step: int
    thaws: tuple[str, ...]
    freezes: tuple[str, ...]


@dataclass(frozen=True)
class ScriptPlan:
    """A plan as a script says it.

    Attributes
    ----------
    groups
        What is frozen at some step of the run.
    is_flat
        Whether the layers are single modules, with nothing of what lies below them.
    resting
        Class names of the norm and dropout modules among them, for the policy ``eval``.
    unheld
        Layers that the method cannot wrap, because something below them trains.
    """

    groups: tuple[Group, ...]
    is_flat: bool
    resting: tuple[str, ...]
    unheld: tuple[str, ...] = ()

    @property
    def has_tasks(self) -> bool:
        """Whether what is frozen depends on the task of a step."""
        return any(group.tasks for group in self.groups)

    @property
    def is_static(self) -> bool:
        """Whether one group is frozen before the first step and for good."""
        return len(self.groups) == 1 and self.groups[0].windows == ((0, None),) and not self.has_tasks

    @property
    def rests(self) -> str:
        """The expression that tells whether ``module`` rests under the policy ``eval``; empty where none does."""
        known = [name for name in self.resting if name.startswith("nn.")]
        others = [name for name in self.resting if not name.startswith("nn.")]
        parts = []
        if known:
            kinds = known[0] if len(known) == 1 else f"({', '.join(known)})"
            parts.append(f"isinstance(module, {kinds})")
        if others:
            parts.append(f"type(module).__name__ in {set(others)!r}".replace("'", '"'))
        return " or ".join(parts)

    @property
    def layers(self) -> tuple[str, ...]:
        """Every layer of every group."""
        return tuple(layer for group in self.groups for layer in group.layers)

    def events(self) -> tuple[Event, ...]:
        """Return every change, in order of steps."""
        ends = {end for group in self.groups for window in group.windows for end in window}
        steps = sorted(end for end in ends if end is not None)
        return tuple(
            Event(
                step,
                tuple(g.name for g in self.groups if step in [stop for _, stop in g.windows]),
                tuple(g.name for g in self.groups if step in [start for start, _ in g.windows]),
            )
            for step in steps
        )


def frozen_when(group: Group) -> str:
    """Return in words when a group is frozen, for the remark behind its constant."""
    parts = []
    for start, stop in group.windows:
        if stop is None:
            parts.append(f"from step {start} on" if start else "in all steps")
        else:
            parts.append(f"in step {start}" if stop == start + 1 else f"in steps {start} to {stop - 1}")
    parts += [f"in steps of {quoted(task)}" for task in group.tasks]
    return f"frozen {' and '.join(parts)}"


def script_plan(plan: FreezePlan, model: nn.Module, total_steps: int) -> ScriptPlan:
    """Sort the modules that `plan` freezes into groups of equal fate.

    Parameters
    ----------
    plan
        The plan, looked up in the model.
    model
        The network.
    total_steps
        Length of the run; 0 where nobody knows it. What lies behind the end is left out.
    """
    modules = dict(model.named_modules())
    fates = {path: _fate(plan, path, total_steps) for path in modules}
    members: dict[_Fate, list[str]] = {}
    for path, fate in fates.items():
        if fate != _NEVER:
            members.setdefault(fate, []).append(path)
    found = [_roots(paths, modules) for paths in members.values()]
    is_flat = any(rest for _, rest in found) or ("" in fates and fates[""] != _NEVER)
    unheld: list[str] = []
    layers = []
    for paths, (roots, _) in zip(members.values(), found, strict=True):
        if not is_flat:
            layers.append(roots)
            continue
        acting = [path for path in paths if _acts(path, modules[path], plan)]
        if plan.method in _WRAPPING:
            unheld += [path for path in acting if not _is_whole(path, fates)]
            acting = [path for path in acting if _is_whole(path, fates)]
        layers.append(acting)
    kept = [(fate, own) for fate, own in zip(members, layers, strict=True) if own]
    names = ["FROZEN"] if len(kept) == 1 else [f"LAYERS_{index + 1}" for index in range(len(kept))]
    groups = tuple(Group(name, tuple(own), *fate) for name, (fate, own) in zip(names, kept, strict=True))
    return ScriptPlan(groups, is_flat, _resting(modules, fates, plan), tuple(unheld))


_Fate = tuple[tuple[tuple[int, int | None], ...], tuple[str, ...]]
_NEVER: _Fate = ((), ())


def _fate(plan: FreezePlan, path: str, total_steps: int) -> _Fate:
    """Return windows, merged where they touch, and tasks of one module."""
    windows: list[tuple[int, int | None]] = []
    for start, stop in sorted(((p.start, p.stop) for p in plan.phases if path in p.modules), key=lambda w: w[0]):
        if total_steps and start >= total_steps:
            continue
        end = None if stop is None or (total_steps and stop >= total_steps) else stop
        if windows and (windows[-1][1] is None or start <= windows[-1][1]):
            last = windows[-1][1]
            windows[-1] = (windows[-1][0], None if last is None or end is None else max(last, end))
        else:
            windows.append((start, end))
    return tuple(windows), tuple(sorted({task for task, modules in plan.tasks if path in modules}))


def detaches_tuples(loaded: LoadedModel, plan: ScriptPlan) -> bool:
    """Tell whether a forward hook on the frozen layers meets an output that is no single tensor."""
    found: list[bool] = []
    twin = copy.deepcopy(loaded.module).eval()
    for name in plan.layers:
        for module in twin.get_submodule(name).modules():
            module.register_forward_hook(lambda module, inputs, output: found.append(not isinstance(output, Tensor)))
    try:
        with torch.no_grad(), torch.random.fork_rng(devices=[]):
            for inputs, keywords in sample_inputs(loaded, 2):
                twin(inputs, **keywords)
    except Exception:   # a person's forward may raise anything: be ready for both
        return True
    return any(found) or not found


def _roots(paths: list[str], modules: dict[str, nn.Module]) -> tuple[list[str], list[str]]:
    """Return the topmost blocks that lie in `paths` with all below them, and what of `paths` is in none of them."""
    inside = set(paths)
    outside = [path for path in modules if path not in inside]
    partly = {ancestor for path in outside for ancestor in _ancestors(path)}
    whole = {path for path in paths if path not in partly}
    roots = [path for path in paths if path in whole and not whole.intersection(_ancestors(path))]
    rest = [path for path in paths if path not in whole and own_tensors(modules[path])]
    return roots, rest


def _ancestors(path: str) -> list[str]:
    parts = path.split(".") if path else []
    return [".".join(parts[:n]) for n in range(len(parts) - 1, -1, -1)]


def _is_whole(path: str, fates: dict[str, _Fate]) -> bool:
    """Tell whether everything below a module is frozen whenever it is itself."""
    below = f"{path}." if path else ""
    return all(_covers(fate, fates[path]) for other, fate in fates.items() if other.startswith(below))


def _covers(outer: _Fate, inner: _Fate) -> bool:
    within = all(
        any(a <= start and (b is None or (stop is not None and stop <= b)) for a, b in outer[0])
        for start, stop in inner[0]
    )
    return within and set(inner[1]) <= set(outer[1])


def _acts(path: str, module: nn.Module, plan: FreezePlan) -> bool:
    """Tell whether freezing a module, with nothing below it, does anything."""
    rests = plan.norm == "eval" and _rests(path, module)
    return rests or plan.method in ("eval_only", *_WRAPPING) or bool(own_tensors(module))


def _resting(modules: dict[str, nn.Module], fates: dict[str, _Fate], plan: FreezePlan) -> tuple[str, ...]:
    if plan.norm != "eval":
        return ()
    frozen = [path for path in modules if fates[path] != _NEVER]
    return tuple(sorted({_class_name(modules[path]) for path in frozen if _rests(path, modules[path])}))


def _rests(path: str, module: nn.Module) -> bool:
    """Tell whether the norm policy ``eval`` holds a module in eval mode."""
    return (is_norm(module) or is_dropout(module)) and not is_inside_parametrization(path)


def _class_name(module: nn.Module) -> str:
    """Return ``nn.BatchNorm2d`` for a class of torch.nn, else the bare name."""
    kind = type(module)
    return f"nn.{kind.__name__}" if getattr(nn, kind.__name__, None) is kind else kind.__name__
