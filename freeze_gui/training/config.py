"""RunConfig: what a CONFIG.toml says, and every check of a person's value.

A wrong value raises `UserError` with the file, the key, the value and what is allowed. Unknown keys are errors that
name the nearest known key. How one value is checked stands in `checks`, what a section holds stands here.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from freeze_gui.errors import UserError
from freeze_gui.freezing.methods import METHODS, PausedIdeal
from freeze_gui.freezing.plan import (
    MOMENTS,
    NORM_POLICIES,
    PHASE_UNITS,
    THAW_MODES,
    FreezeSettings,
    PhaseSettings,
    TaskSettings,
)
from freeze_gui.training.checks import Table, field_names
from freeze_gui.training.optimizers import check_optimizer
from freeze_gui.training.schedule import SCHEDULERS, SchedulerSettings, check_scheduler

ZERO_GRAD_MODES = ("none", "zero", "never")
LOSSES = ("cross_entropy", "mse")
AMP_MODES = ("none", "bf16", "fp16")
DEFAULT_STEPS = 300
_BESIDE_HYPER = ("name", "zero_grad", "scheduler", "layer_decay")
MOST_SEED = 2**32 - 1   # what numpy's and scikit-learn's generators take
MOST_LR_FACTOR = 1e6    # what is beyond is a slip, and products of factors must stay finite
MOST_THREADS = 1024     # far above any machine; torch aborts the process when threads cannot be had


@dataclass(frozen=True)
class ModelSettings:
    """The ``[model]`` section; `weights` None takes the source's own default."""

    source: str
    weights: str | None = None
    num_classes: int | None = None


@dataclass(frozen=True)
class DataSettings:
    """The ``[data]`` section; `source` None takes what the model suggests."""

    source: str | None = None
    batch_size: int = 32


@dataclass(frozen=True)
class OptimizerSettings:
    """The ``[optimizer]`` section; `hyper` holds the class's own hyper-parameters, ``lr`` among them.

    `layer_decay` multiplies the learning rate once for every block that lies between a layer's block and the last one;
    None is one rate for all.
    """

    name: str = "Adam"
    zero_grad: str = "none"
    hyper: Mapping[str, Any] = field(default_factory=dict)
    scheduler: SchedulerSettings = SchedulerSettings()
    layer_decay: float | None = None


@dataclass(frozen=True)
class TrainSettings:
    """The ``[train]`` section.

    `steps` None with `epochs` set runs whole passes; `loss` None takes the model's own. `amp` is the number format of
    the forward under autocast.
    """

    steps: int | None = None
    epochs: int | None = None
    seed: int = 0
    device: str = "auto"
    loss: str | None = None
    accumulate: int = 1
    clip_grad_norm: float | None = None
    measure_every: int | None = None
    eval_every: int = 50
    threads: int | None = None
    amp: str = "none"


@dataclass(frozen=True)
class RunConfig:
    """One run, as a person wrote it; `folder` is where relative paths are looked up first."""

    model: ModelSettings
    data: DataSettings = DataSettings()
    freeze: FreezeSettings = FreezeSettings()
    optimizer: OptimizerSettings = OptimizerSettings()
    train: TrainSettings = TrainSettings()
    folder: Path | None = None

    def with_method(self, method: str) -> RunConfig:
        """Return the same run with another freezing method."""
        return replace(self, freeze=replace(self.freeze, method=method))

    def with_device(self, device: str) -> RunConfig:
        """Return the same run on another device; ``auto`` keeps what the configuration says."""
        return self if device == "auto" else replace(self, train=replace(self.train, device=check_device(device)))

    def to_dict(self) -> dict[str, Any]:
        """Return the content of the CONFIG.toml that gives this run; keys at None are left out."""
        return {
            "model": _given(self.model),
            "data": _given(self.data),
            "freeze": _freeze_to_dict(self.freeze),
            "optimizer": _optimizer_to_dict(self.optimizer),
            "train": _given(self.train),
        }


def load_config(config: Mapping[str, Any] | str | Path) -> RunConfig:
    """Read and check a configuration.

    Parameters
    ----------
    config
        The path of a TOML file, or the same content as a dict. A ``[scenario]`` table in it, the text of a scenario, is
        passed over.

    Raises
    ------
    UserError
        When the file cannot be read, or a key or value is wrong.
    """
    if isinstance(config, Mapping):
        return _run(Table("config", "", config), None)
    path = Path(config)
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8-sig"))   # some editors write a mark before UTF-8
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror})") from None
    except UnicodeDecodeError:
        raise UserError(f"{path}: not a text file in UTF-8") from None
    except tomllib.TOMLDecodeError as error:
        raise UserError(f"{path}: not valid TOML: {error}") from None
    return _run(Table(str(path), "", content), path.resolve().parent)


def check_device(value: str, where: str = "device") -> str:
    """Return `value` if it is the name of a device, there or not.

    Raises
    ------
    UserError
        When it is no such name.
    """
    if not re.fullmatch(r"auto|cpu|mps|cuda(:\d+)?", value):
        raise UserError(f"{where} = {value!r}: must be auto, cpu, cuda, cuda:N or mps")
    return value


def _run(top: Table, folder: Path | None) -> RunConfig:
    top.known(("model", "data", "freeze", "optimizer", "train", "scenario"))
    return RunConfig(
        _model(top.table("model"), folder),
        _data(top.table("data"), folder),
        _freeze(top.table("freeze")),
        _optimizer(top.table("optimizer")),
        _train(top.table("train")),
        folder,
    )


def _model(table: Table, folder: Path | None) -> ModelSettings:
    table.known(field_names(ModelSettings))
    source = table.text("source", None)
    if source is None:
        table.missing("source", 'write for example source = "builtin:digits-cnn"')
    weights = table.text("weights", None)
    if weights not in (None, "none", "default"):
        weights = _in_folder(weights, folder)
    return ModelSettings(_source_in_folder(source, folder), weights, table.whole_or_none("num_classes", least=1))


def _data(table: Table, folder: Path | None) -> DataSettings:
    table.known(field_names(DataSettings))
    source = table.text("source", None)
    if source is not None:
        source = _source_in_folder(source, folder)
    return DataSettings(source, table.whole("batch_size", 32, least=1))


def _freeze(table: Table) -> FreezeSettings:
    table.known(("layers", "method", "norm", "from_step", "to_step", "moment", "thaw", "phase", "task"))
    start, stop = table.window("from_step", "to_step")
    phases = tuple(_phase(phase) for phase in table.tables("phase"))
    if phases and ({"layers", "from_step", "to_step"} & set(table.content)):
        raise UserError(f"{table.where}: freeze: give either layers, from_step and to_step, or [[freeze.phase]]")
    return FreezeSettings(
        layers=table.patterns("layers"),
        method=_method(table),
        norm=table.choice("norm", "leave", NORM_POLICIES),
        from_step=start,
        to_step=stop,
        moment=table.choice("moment", "step_start", MOMENTS),
        thaw=table.choice("thaw", "keep_state", THAW_MODES),
        phases=phases,
        tasks=tuple(_task(task) for task in table.tables("task")),
    )


def _method(table: Table) -> str:
    """Read a freezing method; the paused ideal of a comparison can be read back but is offered to nobody."""
    if table.content.get("method") == PausedIdeal.id:
        return PausedIdeal.id
    return table.choice("method", "requires_grad", tuple(METHODS))


def _phase(table: Table) -> PhaseSettings:
    table.known(("layers", "from", "to", "unit", "lr_factor"))
    if "layers" not in table.content:
        table.missing("layers", "it lists what the phase freezes")
    return PhaseSettings(
        table.patterns("layers"),
        *table.window("from", "to"),
        table.choice("unit", "step", PHASE_UNITS),
        table.positive("lr_factor", most=MOST_LR_FACTOR) or 1.0,
    )


def _task(table: Table) -> TaskSettings:
    table.known(("task", "layers"))
    task = table.text("task", None)
    if task is None:
        table.missing("task", "it names the task in whose steps the layers hold")
    if "layers" not in table.content:
        table.missing("layers", "it lists what holds in the steps of that task")
    return TaskSettings(task, table.patterns("layers"))


def _optimizer(table: Table) -> OptimizerSettings:
    name = table.text("name", None) or "Adam"
    hyper = {key: value for key, value in table.content.items() if key not in _BESIDE_HYPER}
    scheduler = _scheduler(table)
    try:
        checked = check_optimizer(name, hyper)
        check_scheduler(scheduler, name, checked)
    except UserError as error:
        raise UserError(f"{table.where}: {error}") from None
    zero_grad = table.choice("zero_grad", "none", ZERO_GRAD_MODES)
    return OptimizerSettings(name, zero_grad, checked, scheduler, table.positive("layer_decay", most=1.0))


def _scheduler(table: Table) -> SchedulerSettings:
    """Read ``scheduler``: a name, or a table of a name and what the scheduler is given."""
    value = table.content.get("scheduler", "none")
    if isinstance(value, str):
        return SchedulerSettings(value)
    if not isinstance(value, Mapping):
        table.fail("scheduler", f"one of {', '.join(SCHEDULERS)}, or a table [optimizer.scheduler] of name and keys")
    below = table.table("scheduler")
    name = below.text("name", None)
    if name is None:
        below.missing("name", f"it is one of {', '.join(SCHEDULERS)}")
    return SchedulerSettings(name, {key: item for key, item in below.content.items() if key != "name"})


def _train(table: Table) -> TrainSettings:
    table.known(field_names(TrainSettings))
    steps = table.whole_or_none("steps", least=1)
    epochs = table.whole_or_none("epochs", least=1)
    if steps is not None and epochs is not None:
        raise UserError(f"{table.where}: train: give steps or epochs, not both")
    return TrainSettings(
        steps=DEFAULT_STEPS if steps is None and epochs is None else steps,
        epochs=epochs,
        seed=table.whole("seed", 0, least=0, most=MOST_SEED),
        device=check_device(table.text("device", None) or "auto", f"{table.where}: train.device"),
        loss=table.choice("loss", "", LOSSES) or None,
        accumulate=table.whole("accumulate", 1, least=1),
        clip_grad_norm=table.positive("clip_grad_norm"),
        measure_every=table.whole_or_none("measure_every", least=1),
        eval_every=table.whole("eval_every", 50, least=1),
        threads=table.whole_or_none("threads", least=1, most=MOST_THREADS),
        amp=table.choice("amp", "none", AMP_MODES),
    )


def _given(settings: Any) -> dict[str, Any]:
    return {f.name: value for f in fields(settings) if (value := getattr(settings, f.name)) is not None}


def _optimizer_to_dict(optimizer: OptimizerSettings) -> dict[str, Any]:
    table: dict[str, Any] = {"name": optimizer.name, "zero_grad": optimizer.zero_grad}
    table |= {key: value for key, value in optimizer.hyper.items() if value is not None}
    if optimizer.layer_decay is not None:
        table["layer_decay"] = optimizer.layer_decay
    if optimizer.scheduler.name != "none":
        table["scheduler"] = {"name": optimizer.scheduler.name, **optimizer.scheduler.hyper}
    return table


def _phase_to_dict(phase: PhaseSettings) -> dict[str, Any]:
    table: dict[str, Any] = {"layers": list(phase.layers), "from": phase.start, "unit": phase.unit}
    if phase.stop is not None:
        table["to"] = phase.stop
    if phase.lr_factor != 1.0:
        table["lr_factor"] = phase.lr_factor
    return table


def _freeze_to_dict(freeze: FreezeSettings) -> dict[str, Any]:
    table: dict[str, Any] = {"method": freeze.method, "norm": freeze.norm, "moment": freeze.moment, "thaw": freeze.thaw}
    if freeze.phases:
        table["phase"] = [_phase_to_dict(phase) for phase in freeze.phases]
    else:
        table |= {"layers": list(freeze.layers), "from_step": freeze.from_step}
        if freeze.to_step is not None:
            table["to_step"] = freeze.to_step
    if freeze.tasks:
        table["task"] = [{"task": t.task, "layers": list(t.layers)} for t in freeze.tasks]
    return table


def _in_folder(path: str, folder: Path | None) -> str:
    """Look a relative path up beside the configuration first, then in the current directory."""
    if folder is not None and not Path(path).is_absolute() and (folder / path).exists():
        return str(folder / path)
    return path


def _source_in_folder(source: str, folder: Path | None) -> str:
    kind, _, rest = source.partition(":")
    if kind == "folder":
        return f"folder:{_in_folder(rest, folder)}"
    if kind == "file":
        path, colon, factory = rest.rpartition(":")
        return f"file:{_in_folder(path, folder)}:{factory}" if colon else source
    return source
