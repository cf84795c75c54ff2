"""The sections of a CONFIG.toml, read and checked; how one value is checked stands in `checks`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

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
from freeze_gui.training.settings import (
    AMP_MODES,
    DEFAULT_STEPS,
    LOSSES,
    MOST_SEED,
    ZERO_GRAD_MODES,
    DataSettings,
    ModelSettings,
    OptimizerSettings,
    TrainSettings,
)

_BESIDE_HYPER = ("name", "zero_grad", "scheduler", "layer_decay")
_MOST_LR_FACTOR = 1e6    # what is beyond is a slip, and products of factors must stay finite
_MOST_THREADS = 1024     # far above any machine; torch aborts the process when threads cannot be had


def read_model(table: Table, folder: Path | None) -> ModelSettings:
    """Read the ``[model]`` section; relative paths are looked up in `folder` first."""
    table.known(field_names(ModelSettings))
    source = table.text("source", None)
    if source is None:
        table.missing("source", 'write for example source = "builtin:digits-cnn"')
    weights = table.text("weights", None)
    if weights not in (None, "none", "default"):
        weights = _in_folder(weights, folder)
    return ModelSettings(_source_in_folder(source, folder), weights, table.whole_or_none("num_classes", least=1))


def read_data(table: Table, folder: Path | None) -> DataSettings:
    """Read the ``[data]`` section, likewise."""
    table.known(field_names(DataSettings))
    source = table.text("source", None)
    if source is not None:
        source = _source_in_folder(source, folder)
    return DataSettings(source, table.whole("batch_size", 32, least=1))


def read_freeze(table: Table) -> FreezeSettings:
    """Read the ``[freeze]`` section with its phases and tasks."""
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
        table.positive("lr_factor", most=_MOST_LR_FACTOR) or 1.0,
    )


def _task(table: Table) -> TaskSettings:
    table.known(("task", "layers"))
    task = table.text("task", None)
    if task is None:
        table.missing("task", "it names the task in whose steps the layers hold")
    if "layers" not in table.content:
        table.missing("layers", "it lists what holds in the steps of that task")
    return TaskSettings(task, table.patterns("layers"))


def read_optimizer(table: Table) -> OptimizerSettings:
    """Read the ``[optimizer]`` section with its scheduler."""
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


def read_train(table: Table) -> TrainSettings:
    """Read the ``[train]`` section."""
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
        threads=table.whole_or_none("threads", least=1, most=_MOST_THREADS),
        amp=table.choice("amp", "none", AMP_MODES),
    )


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
