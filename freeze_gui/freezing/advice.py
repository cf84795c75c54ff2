"""What a person should know before a run: warnings with what will happen, why, and the cure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from freeze_gui.freezing.basis import Basis, TensorForecast
from freeze_gui.freezing.life import CUTTING
from freeze_gui.freezing.reach import Reach

FLAGS = ("requires_grad", "filter")
"""Methods that turn requires_grad off."""


@dataclass(frozen=True)
class ForecastWarning:
    """One warning: its `kind`, the layers concerned, and in `text` what will happen and why, and the cure."""

    kind: str
    layers: tuple[str, ...]
    text: str


@dataclass(frozen=True)
class Circumstances:
    """What warnings are judged by.

    Attributes
    ----------
    basis
        What the forecast is made from.
    tensors
        The forecast; None where the law does not know the optimizer.
    layers
        Layers with parameters that learn, in the order of the forward where that could be tried, else in the order of
        the model's modules, which is the same for most.
    head
        Layers of the last block.
    made
        Layers whose weights are computed from other tensors.
    optimizer
        Its class.
    has_state
        Whether the optimizer keeps anything from step to step.
    clipping
        Whether gradients are clipped over all parameters.
    steps
        Length of the run.
    model_tasks
        Tasks that the model takes; empty where it says nothing of tasks.
    """

    basis: Basis
    tensors: tuple[TensorForecast, ...] | None
    layers: tuple[str, ...]
    head: tuple[str, ...]
    made: tuple[str, ...]
    optimizer: str
    has_state: bool
    clipping: bool
    steps: int
    model_tasks: tuple[str, ...]

    def sets(self) -> list[frozenset[str]]:
        """Return every set of modules that is frozen at some step, each once."""
        plan, found = self.basis.plan, dict[frozenset[str], None]()
        starts = {0} | {edge for p in plan.phases for edge in (p.start, p.stop or 0) if edge < self.steps}
        for start in sorted(starts):
            for task in (*dict.fromkeys((*self.basis.turns, *(name for name, _ in plan.tasks))),):
                found[plan.frozen_at(start, task)] = None
        return [modules for modules in found if modules]

    def frozen(self) -> list[str]:
        """Return the layers of `layers` that are frozen at some step."""
        ever = frozenset[str]().union(*self.sets())
        return [layer for layer in self.layers if layer in ever]

    def reaches(self) -> Iterator[tuple[frozenset[str], Reach, Reach | None]]:
        """Yield frozen modules, what a backward reaches under them, and what it reaches with nothing frozen."""
        for (modules, task), reach in self.basis.reaches.items():
            if modules:
                yield modules, reach, self.basis.reaches.get((frozenset(), task))


def advise(seen: Circumstances) -> tuple[ForecastWarning, ...]:
    """Return what a person should know about a run, the gravest first."""
    judges = _JUDGES if seen.frozen() else (_never_in_effect,)
    found = [judge(seen) for judge in judges]
    return tuple(warning for warning in found if warning is not None)


def _warning(kind: str, layers: Iterable[str], text: str) -> ForecastWarning | None:
    named = tuple(dict.fromkeys(layers))
    return ForecastWarning(kind, named, text) if named else None


def _nothing_to_train(seen: Circumstances) -> ForecastWarning | None:
    method = seen.basis.plan.method
    known = [modules for modules, reach, _ in seen.reaches() if not reach.trains]
    if not seen.basis.reaches and method in CUTTING:
        known = [modules for modules in seen.sets() if seen.head and set(seen.head) <= modules]
    layers = (layer for modules in known for layer in seen.layers if layer in modules)
    return _warning(
        "nothing_to_train",
        layers,
        f"With these layers frozen by {method} the loss depends on nothing that can learn, and backward() raises. "
        "Leave the last layer unfrozen.",
    )


def _everything_frozen(seen: Circumstances) -> ForecastWarning | None:
    whole = any(set(seen.layers) <= modules for modules in seen.sets())
    return _warning(
        "everything_frozen",
        seen.layers if whole else (),
        "Every layer with parameters is frozen at the same time, so nothing is left to train. Leave at least the last "
        "layer unfrozen.",
    )


def _unknown_optimizer(seen: Circumstances) -> ForecastWarning | None:
    return _warning(
        "unknown_optimizer",
        seen.frozen() if seen.tensors is None else (),
        f"The law does not say what {seen.optimizer} does with a gradient of zero: unknown optimizer, cannot forecast. "
        "Look at the verdict after the run, or take an optimizer such as Adam or SGD.",
    )


def _eval_only(seen: Circumstances) -> ForecastWarning | None:
    return _warning(
        "eval_only_freezes_nothing",
        seen.frozen() if seen.basis.plan.method == "eval_only" else (),
        "eval() rests dropout and batch statistics and freezes no weight: these layers train on. Take requires_grad to "
        "hold the weights.",
    )


def _upstream_cut(seen: Circumstances) -> ForecastWarning | None:
    if seen.basis.plan.method not in CUTTING:
        return None
    cut: dict[str, None] = {}
    owner = {facts.name: facts.layers[0] for facts in seen.basis.tensors}
    tried = False
    for modules, reach, free in seen.reaches():
        if free is not None:
            tried = True
            lost = {owner[name] for name in free.learning - reach.learning}
            reached = {owner[name] for name in reach.learning}
            cut |= dict.fromkeys(layer for layer in seen.layers if layer in lost - reached - modules)
    if not tried:
        for modules in seen.sets():
            places = [place for place, layer in enumerate(seen.layers) if layer in modules]
            cut |= dict.fromkeys(layer for layer in seen.layers[: max(places, default=0)] if layer not in modules)
    return _warning(
        "upstream_cut",
        cut,
        f"{seen.basis.plan.method} ends the graph at the frozen layers, so these layers in front of them get no "
        "gradient and stop learning without a word. Freeze by requires_grad, which lets gradients through.",
    )


def _scheduler(seen: Circumstances) -> ForecastWarning | None:
    overwritten = seen.basis.plan.method == "lr_zero" and seen.basis.held_until is not None
    return _warning(
        "scheduler_overwrites_lr_zero",
        seen.frozen() if overwritten else (),
        "The scheduler sets the learning rate of every group, that of the frozen layers too, which then train. Take "
        "requires_grad, or a scheduler that multiplies, such as StepLR.",
    )


def _decays(seen: Circumstances) -> ForecastWarning | None:
    layers = (t.layer for t in seen.tensors or () if "weight_decay" in t.causes)
    return _warning(
        "adamw_decays",
        layers,
        f"The gradient will be zero and not missing, and {seen.optimizer} decays every weight that has one: these "
        "layers shrink a little in each step. Set zero_grad to none with requires_grad, or take grad_none.",
    )


def _pile_up(seen: Circumstances) -> ForecastWarning | None:
    return _warning(
        "gradients_pile_up",
        seen.frozen() if seen.basis.plan.method == "exclude" else (),
        "These layers are left out of the optimizer with requires_grad still on, so that nobody clears their "
        "gradients, which grow in every step. Turn requires_grad off as well, as filter does.",
    )


def _clipping(seen: Circumstances) -> ForecastWarning | None:
    layers = (t.layer for t in seen.tensors or () if seen.clipping and t.leaves_gradient)
    return _warning(
        "clipping_sees_frozen",
        layers,
        "The gradients of these frozen layers stay in place and count in the clipping norm, which shrinks everyone "
        "else's step. Take requires_grad or grad_none, or clip the trainable parameters only.",
    )


def _middle(seen: Circumstances) -> ForecastWarning | None:
    # layers of another task do not run, so that they stand in front of nothing
    runs = [(modules, [p for p in reach.ran if p in seen.layers]) for modules, reach, _ in seen.reaches()]
    runs = runs or [(modules, list(seen.layers)) for modules in seen.sets()]
    found: dict[str, None] = {}
    for modules, order in runs if seen.basis.plan.method in FLAGS else ():
        first_trained = next((place for place, layer in enumerate(order) if layer not in modules), len(order))
        found |= dict.fromkeys(layer for layer in order[first_trained:] if layer in modules)
    return _warning(
        "frozen_in_the_middle",
        found,
        "Layers in front of these train, so backward passes through the frozen layers all the same and the freeze "
        "saves no activations there. Freeze from the input on, without a gap.",
    )


def _head(seen: Circumstances) -> ForecastWarning | None:
    whole = any(set(seen.layers) <= modules for modules in seen.sets())
    head = [] if whole else [layer for layer in seen.head if layer in seen.frozen()]
    return _warning(
        "head_frozen",
        head,
        "The last layer, which turns features into answers, is frozen while layers in front of it train: they have to "
        "suit a readout that cannot move. Take the head out of the freeze.",
    )


def _tied(seen: Circumstances) -> ForecastWarning | None:
    ever = frozenset[str]().union(*seen.sets())
    layers = (
        layer
        for facts in seen.basis.tensors
        if facts.role == "parameter" and len(facts.layers) > 1 and any(layer in ever for layer in facts.layers)
        for layer in facts.layers
    )
    return _warning(
        "tied_tensors",
        layers,
        "These layers own one and the same tensor, which freezes or trains for all of them, whichever is ticked. Tick "
        "all of them, or give one a copy of its own.",
    )


def _parametrized(seen: Circumstances) -> ForecastWarning | None:
    ever = frozenset[str]().union(*seen.sets())
    return _warning(
        "parametrized",
        (layer for layer in seen.made if layer in ever),
        "The weight of these layers is computed in each forward from other tensors, and may move while those hold: "
        "spectral norm advances its vectors in training mode. Remove the parametrization before freezing, or set norm "
        "to eval.",
    )


def _never_in_effect(seen: Circumstances) -> ForecastWarning | None:
    plan = seen.basis.plan
    late = {m for p in plan.phases for m in p.modules if p.start >= seen.steps or (p.stop or seen.steps) <= p.start}
    late -= {m for p in plan.phases if p.start < min(seen.steps, p.stop or seen.steps) for m in p.modules}
    missing = [name for name, _ in plan.tasks if seen.model_tasks and name not in seen.model_tasks]
    of_tasks = {m for name, modules in plan.tasks if name in missing for m in modules}
    reasons = [f"the run has {seen.steps} steps, and their window opens after the last or holds none"] * bool(late)
    if missing:
        reasons.append(f"the model has no task {', '.join(missing)}, only {', '.join(seen.model_tasks)}")
    return _warning(
        "never_in_effect",
        (layer for layer in seen.layers if layer in late | of_tasks),
        f"This part of the plan never freezes these layers: {'; and '.join(reasons)}. Move the window, make the run "
        "longer, or name a task that comes.",
    )


def _momentum_dropped(seen: Circumstances) -> ForecastWarning | None:
    plan = seen.basis.plan
    late = {m for p in plan.phases if 0 < p.start < seen.steps for m in p.modules}
    late |= {m for _, modules in plan.tasks for m in modules}   # these freeze again at each turn of their task
    mid_run = plan.method == "filter" and seen.has_state
    return _warning(
        "momentum_dropped",
        (layer for layer in seen.layers if mid_run and layer in late),
        f"filter builds {seen.optimizer} anew when these layers freeze, and every layer loses its momentum and "
        "moments. Take exclude or requires_grad, which change nothing for the others.",
    )


def _thaw_jump(seen: Circumstances) -> ForecastWarning | None:
    plan = seen.basis.plan
    thawing = {m for p in plan.phases if p.stop is not None and p.start < p.stop < seen.steps for m in p.modules}
    evolving = {t.layer for t in seen.tensors or () if t.state_evolves} if plan.thaw == "keep_state" else set()
    return _warning(
        "thaw_jump",
        (layer for layer in seen.layers if layer in thawing and layer in evolving),
        f"{seen.optimizer} goes on changing the momentum of these layers while they are frozen, so that their first "
        "step after the thaw may be many times too large. Thaw with reset_state, or freeze with gradients of None.",
    )


_JUDGES: tuple[Callable[[Circumstances], ForecastWarning | None], ...] = (
    _nothing_to_train, _everything_frozen, _unknown_optimizer, _eval_only, _upstream_cut, _scheduler, _decays,
    _thaw_jump, _momentum_dropped, _pile_up, _clipping, _head, _middle, _tied, _parametrized, _never_in_effect,
)
