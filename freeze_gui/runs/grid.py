"""The runs of a comparison: methods × optimizers × zero_grad × norm policies, each with a label that tells it apart."""

from __future__ import annotations

import ast
import difflib
import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import product
from typing import Any

from freeze_gui.errors import UserError
from freeze_gui.freezing.methods import METHODS, PausedIdeal
from freeze_gui.freezing.plan import NORM_POLICIES, FreezeSettings
from freeze_gui.runs.words import setting_words
from freeze_gui.training.checks import did_you_mean
from freeze_gui.training.config import OptimizerSettings, RunConfig
from freeze_gui.training.optimizers import check_optimizer
from freeze_gui.training.schedule import check_scheduler
from freeze_gui.training.settings import ZERO_GRAD_MODES

REFERENCE_LABEL = "nothing frozen"
_BETWEEN = " · "


@dataclass(frozen=True)
class OptimizerChoice:
    """An optimizer of a grid; without `hyper` it takes those of the configuration where it is the same one."""

    name: str
    hyper: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Axes:
    """What varies between the runs; an empty axis takes what the configuration says.

    Attributes
    ----------
    methods
        Ids of freezing methods; ``all`` stands for the ten.
    optimizers, zero_grad, norm
        As in the configuration.
    reference
        Whether to add runs with nothing frozen.
    ideal
        Whether to add runs whose frozen layers are held by construction (`PausedIdeal`).
    """

    methods: Sequence[str] = ()
    optimizers: Sequence[OptimizerChoice] = ()
    zero_grad: Sequence[str] = ()
    norm: Sequence[str] = ()
    reference: bool = False
    ideal: bool = False


@dataclass(frozen=True)
class GridRun:
    """One run of a comparison and what it is called there."""

    label: str
    config: RunConfig


def grid(config: RunConfig, axes: Axes) -> list[GridRun]:
    """Return every combination once: nothing frozen first, then the paused ideal, then the methods as named.

    With nothing frozen the norm policy says nothing, so that there is one such run for each optimizer and zero_grad.

    Raises
    ------
    UserError
        When a method, optimizer, mode or policy is unknown, or the scheduler does not suit an optimizer.
    """
    methods = checked_methods(axes.methods) if axes.methods else [config.freeze.method]
    optimizers = [_optimizer(config, choice) for choice in axes.optimizers] or [config.optimizer]
    modes = _checked("zero_grad", axes.zero_grad, ZERO_GRAD_MODES) or [config.optimizer.zero_grad]
    norms = _checked("norm", axes.norm, NORM_POLICIES) or [config.freeze.norm]
    reference, ideal = [REFERENCE_LABEL] * axes.reference, [PausedIdeal.id] * axes.ideal
    found: dict[str, tuple[str, RunConfig]] = {}   # what a run comes to → its method's name and itself
    for method, optimizer, mode, norm in product([*reference, *ideal, *methods], optimizers, modes, norms):
        freeze = replace(config.freeze, method=method, norm=norm)
        if method == REFERENCE_LABEL:
            freeze = _nothing_frozen(config.freeze)
        run = replace(config, freeze=freeze, optimizer=replace(optimizer, zero_grad=mode))
        found.setdefault(json.dumps(run.to_dict(), sort_keys=True, default=str), (method, run))
    return _labelled(list(found.values()))


def checked_methods(methods: Iterable[str]) -> list[str]:
    """Return the methods once each, ``all`` as all ten.

    Raises
    ------
    UserError
        When one is unknown, or none is named.
    """
    chosen: dict[str, None] = {}
    for method in methods:
        if method == "all":
            chosen.update(dict.fromkeys(METHODS))
        elif method in METHODS:
            chosen[method] = None
        else:
            near = difflib.get_close_matches(method, METHODS, n=1, cutoff=0.4)
            hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(METHODS)}"
            raise UserError(f"{method!r} is no freezing method; {hint}")
    if not chosen:
        raise UserError(f"name at least one freezing method: all, or some of {', '.join(METHODS)}")
    return list(chosen)


def read_optimizers(text: str) -> list[OptimizerChoice]:
    """Read ``SGD:lr=0.1:momentum=0.9,Adam`` as it is written on the command line.

    Raises
    ------
    UserError
        When a part is no ``key=value``, or a value is neither a number, true, false nor a list of numbers.
    """
    # a comma within brackets belongs to a value, such as betas=(0.9,0.99)
    parts = re.split(r",(?![^(\[]*[)\]])", text)
    return [_read_optimizer(part.strip()) for part in parts if part.strip()]


def _read_optimizer(text: str) -> OptimizerChoice:
    name, *settings = text.split(":")
    hyper: dict[str, Any] = {}
    for setting in settings:
        key, equals, value = setting.partition("=")
        try:
            if not equals:
                raise ValueError
            hyper[key.strip()] = ast.literal_eval({"true": "True", "false": "False"}.get(value.strip(), value.strip()))
        except (ValueError, SyntaxError):
            raise UserError(
                f"--optimizers: {setting!r} in {text!r} is not understood; write NAME:KEY=VALUE:KEY=VALUE, such as "
                "SGD:lr=0.1:momentum=0.9, with numbers, true, false or (0.9,0.99) as values"
            ) from None
    return OptimizerChoice(name.strip(), hyper)


def _optimizer(config: RunConfig, choice: OptimizerChoice) -> OptimizerSettings:
    own = config.optimizer
    if choice.name == own.name and not choice.hyper:
        return own
    checked = check_optimizer(choice.name, choice.hyper)
    check_scheduler(own.scheduler, choice.name, checked)
    return replace(own, name=choice.name, hyper=checked)


def _checked(key: str, values: Sequence[str], allowed: Sequence[str]) -> list[str]:
    for value in values:
        if value not in allowed:
            hint = did_you_mean(value, allowed, f"there are {', '.join(allowed)}")
            raise UserError(f"{key} = {value!r} is not known; {hint}")
    return list(dict.fromkeys(values))


def _nothing_frozen(freeze: FreezeSettings) -> FreezeSettings:
    """Keep the learning rates that phases give to layers, as phases of no length."""
    kept = tuple(replace(phase, stop=phase.start) for phase in freeze.phases if phase.lr_factor != 1.0)
    return FreezeSettings(phases=kept)


def _labelled(runs: Sequence[tuple[str, RunConfig]]) -> list[GridRun]:
    """Name each run by what differs between them; the first column is there whatever the others say."""
    columns = (
        [PausedIdeal.label if name == PausedIdeal.id else name for name, _ in runs],
        _optimizer_names([run.optimizer for _, run in runs]),
        [f"zero_grad {run.optimizer.zero_grad}" for _, run in runs],
        ["" if name == REFERENCE_LABEL else f"norm {run.freeze.norm}" for name, run in runs],
    )
    telling = [column for column in columns if len({text for text in column if text}) > 1] or columns[:1]
    return [
        GridRun(_BETWEEN.join(text for text in texts if text), run)
        for texts, (_, run) in zip(zip(*telling, strict=True), runs, strict=True)
    ]


def _optimizer_names(optimizers: Sequence[OptimizerSettings]) -> list[str]:
    """Return each optimizer's name, with those of its hyper-parameters that others of the same name have otherwise."""
    values: dict[tuple[str, str], Counter[str]] = {}
    for optimizer in optimizers:
        for key, value in optimizer.hyper.items():
            values.setdefault((optimizer.name, key), Counter())[_text(value)] += 1
    count = Counter(optimizer.name for optimizer in optimizers)
    return [
        " ".join([
            o.name,
            *(setting_words(key, value) for key, value in o.hyper.items()
              if values[o.name, key][_text(value)] < count[o.name]),
        ])
        for o in optimizers
    ]


def _text(value: object) -> str:
    return format(value, "g") if isinstance(value, float) else str(value)
