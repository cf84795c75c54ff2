"""RunConfig: what a CONFIG.toml says, and every check of a person's value.

A wrong value raises `UserError` with the file, the key, the value and what is allowed. Unknown keys are errors that name
the nearest known key.
"""

from __future__ import annotations

import difflib
import math
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from freeze_gui.errors import UserError
from freeze_gui.freezing.methods import METHODS
from freeze_gui.freezing.plan import (
    MOMENTS,
    NORM_POLICIES,
    PHASE_UNITS,
    THAW_MODES,
    FreezeSettings,
    PhaseSettings,
    TaskSettings,
)
from freeze_gui.training.optimizers import check_optimizer

ZERO_GRAD_MODES = ("none", "zero", "never")
LOSSES = ("cross_entropy", "mse")


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
    """The ``[optimizer]`` section; `hyper` holds the class's own hyper-parameters, ``lr`` among them."""

    name: str = "Adam"
    zero_grad: str = "none"
    hyper: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class TrainSettings:
    """The ``[train]`` section. `steps` None with `epochs` set runs whole passes; `loss` None takes the model's own."""

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


DEFAULT_STEPS = 300


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
        return self if device == "auto" else replace(self, train=replace(self.train, device=_device(device, "device")))

    def to_dict(self) -> dict[str, Any]:
        """Return the content of the CONFIG.toml that gives this run; keys at None are left out."""
        return {
            "model": _given(self.model),
            "data": _given(self.data),
            "freeze": _freeze_to_dict(self.freeze),
            "optimizer": {"name": self.optimizer.name, "zero_grad": self.optimizer.zero_grad, **self.optimizer.hyper},
            "train": _given(self.train),
        }


def load_config(config: Mapping[str, Any] | str | Path) -> RunConfig:
    """Read and check a configuration.

    Parameters
    ----------
    config
        The path of a TOML file, or the same content as a dict.

    Raises
    ------
    UserError
        When the file cannot be read, or a key or value is wrong.
    """
    if isinstance(config, Mapping):
        return _Reader("config").config(config, None)
    path = Path(config)
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror})") from None
    except UnicodeDecodeError:
        raise UserError(f"{path}: not a text file in UTF-8") from None
    except tomllib.TOMLDecodeError as error:
        raise UserError(f"{path}: not valid TOML: {error}") from None
    content.pop("scenario", None)   # title and explanation of a scenario; not part of the run
    return _Reader(str(path)).config(content, path.resolve().parent)


class _Reader:
    """Turns tables into settings; knows the file's name, for its sentences."""

    def __init__(self, where: str) -> None:
        self.where = where

    def config(self, content: Mapping[str, Any], folder: Path | None) -> RunConfig:
        self._known(content, "", ("model", "data", "freeze", "optimizer", "train"))
        for section, table in content.items():
            if not isinstance(table, Mapping):
                self._fail(section, table, f"a table: write [{section}]")
        return RunConfig(
            self._model(content.get("model", {}), folder),
            self._data(content.get("data", {}), folder),
            self._freeze(content.get("freeze", {})),
            self._optimizer(content.get("optimizer", {})),
            self._train(content.get("train", {})),
            folder,
        )

    def _model(self, table: Mapping[str, Any], folder: Path | None) -> ModelSettings:
        self._known(table, "model", _names(ModelSettings))
        if "source" not in table:
            raise UserError(f'{self.where}: model.source is missing; write for example source = "builtin:digits-cnn"')
        weights = self._text(table, "model.weights", None)
        if weights not in (None, "none", "default"):
            weights = _in_folder(str(weights), folder)
        source = _source_in_folder(str(self._text(table, "model.source", "")), folder)
        return ModelSettings(source, weights, self._whole(table, "model.num_classes", None, 1))

    def _data(self, table: Mapping[str, Any], folder: Path | None) -> DataSettings:
        self._known(table, "data", _names(DataSettings))
        source = self._text(table, "data.source", None)
        if source is not None:
            source = _source_in_folder(source, folder)
        return DataSettings(source, self._whole(table, "data.batch_size", 32, 1) or 32)

    def _freeze(self, table: Mapping[str, Any]) -> FreezeSettings:
        known = ("layers", "method", "norm", "from_step", "to_step", "moment", "thaw", "phase", "task")
        self._known(table, "freeze", known)
        start = self._whole(table, "freeze.from_step", 0, 0) or 0
        stop = self._whole(table, "freeze.to_step", None, 0)
        if stop is not None and stop < start:
            self._fail("freeze.to_step", stop, f"at least from_step ({start})")
        phases = tuple(self._phase(p, f"freeze.phase[{i}]") for i, p in self._tables(table, "freeze.phase"))
        if phases and ({"layers", "from_step", "to_step"} & set(table)):
            raise UserError(f"{self.where}: freeze: give either layers, from_step and to_step, or [[freeze.phase]]")
        return FreezeSettings(
            layers=self._patterns(table, "freeze.layers"),
            method=self._choice(table, "freeze.method", "requires_grad", tuple(METHODS)),
            norm=self._choice(table, "freeze.norm", "leave", NORM_POLICIES),
            from_step=start,
            to_step=stop,
            moment=self._choice(table, "freeze.moment", "step_start", MOMENTS),
            thaw=self._choice(table, "freeze.thaw", "keep_state", THAW_MODES),
            phases=phases,
            tasks=tuple(self._task(t, f"freeze.task[{i}]") for i, t in self._tables(table, "freeze.task")),
        )

    def _phase(self, table: Mapping[str, Any], key: str) -> PhaseSettings:
        self._known(table, key, ("layers", "from", "to", "unit"))
        start = self._whole(table, f"{key}.from", 0, 0) or 0
        stop = self._whole(table, f"{key}.to", None, 0)
        if stop is not None and stop < start:
            self._fail(f"{key}.to", stop, f"at least from ({start})")
        unit = self._choice(table, f"{key}.unit", "step", PHASE_UNITS)
        return PhaseSettings(self._patterns(table, f"{key}.layers"), start, stop, unit)

    def _task(self, table: Mapping[str, Any], key: str) -> TaskSettings:
        self._known(table, key, ("task", "layers"))
        if "task" not in table:
            raise UserError(f"{self.where}: {key}.task is missing; it names the task in whose steps the layers hold")
        return TaskSettings(str(self._text(table, f"{key}.task", "")), self._patterns(table, f"{key}.layers"))

    def _optimizer(self, table: Mapping[str, Any]) -> OptimizerSettings:
        name = self._text(table, "optimizer.name", "Adam") or "Adam"
        hyper = {key: value for key, value in table.items() if key not in ("name", "zero_grad")}
        try:
            checked = check_optimizer(name, hyper)
        except UserError as error:
            raise UserError(f"{self.where}: {error}") from None
        zero_grad = self._choice(table, "optimizer.zero_grad", "none", ZERO_GRAD_MODES)
        return OptimizerSettings(name, zero_grad, checked)

    def _train(self, table: Mapping[str, Any]) -> TrainSettings:
        self._known(table, "train", _names(TrainSettings))
        steps = self._whole(table, "train.steps", None, 1)
        epochs = self._whole(table, "train.epochs", None, 1)
        if steps is not None and epochs is not None:
            raise UserError(f"{self.where}: train: give steps or epochs, not both")
        loss = self._choice(table, "train.loss", "", LOSSES) or None
        return TrainSettings(
            steps=DEFAULT_STEPS if steps is None and epochs is None else steps,
            epochs=epochs,
            seed=self._whole(table, "train.seed", 0, 0) or 0,
            device=_device(self._text(table, "train.device", "auto") or "auto", f"{self.where}: train.device"),
            loss=loss,
            accumulate=self._whole(table, "train.accumulate", 1, 1) or 1,
            clip_grad_norm=self._positive(table, "train.clip_grad_norm"),
            measure_every=self._whole(table, "train.measure_every", None, 1),
            eval_every=self._whole(table, "train.eval_every", 50, 1) or 50,
            threads=self._whole(table, "train.threads", None, 1),
        )

    def _fail(self, key: str, value: object, allowed: str) -> None:
        raise UserError(f"{self.where}: {key} = {value!r}: must be {allowed}")

    def _known(self, table: Mapping[str, Any], section: str, known: tuple[str, ...]) -> None:
        for key in table:
            if key not in known:
                near = difflib.get_close_matches(key, known, n=1)
                hint = f"did you mean {near[0]}?" if near else f"known are {', '.join(known)}"
                name = f"{section}.{key}" if section else key
                raise UserError(f"{self.where}: {name} is not a known key; {hint}")

    def _text(self, table: Mapping[str, Any], key: str, default: str | None) -> str | None:
        value = table.get(_last(key), default)
        if value is not None and (not isinstance(value, str) or not value):
            self._fail(key, value, "a non-empty string")
        return value

    def _choice(self, table: Mapping[str, Any], key: str, default: str, allowed: tuple[str, ...]) -> str:
        value = table.get(_last(key), default)
        if value != default and value not in allowed:
            self._fail(key, value, "one of " + ", ".join(allowed))
        return str(value)

    def _whole(self, table: Mapping[str, Any], key: str, default: int | None, least: int) -> int | None:
        value = table.get(_last(key), default)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int) or value < least:
            self._fail(key, value, f"a whole number, at least {least}")
        return int(value)

    def _positive(self, table: Mapping[str, Any], key: str) -> float | None:
        value = table.get(_last(key))
        if value is None:
            return None
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        if not is_number or not math.isfinite(value) or value <= 0:
            self._fail(key, value, "a number above 0")
        return float(value)

    def _patterns(self, table: Mapping[str, Any], key: str) -> tuple[str, ...]:
        value = table.get(_last(key), [])
        if not isinstance(value, list | tuple) or not all(isinstance(item, str) and item for item in value):
            self._fail(key, value, 'a list of layer patterns, such as ["stem", "blocks.0.*"]')
        return tuple(value)

    def _tables(self, table: Mapping[str, Any], key: str) -> list[tuple[int, Mapping[str, Any]]]:
        value = table.get(_last(key), [])
        if not isinstance(value, list | tuple) or not all(isinstance(item, Mapping) for item in value):
            self._fail(key, value, f"a list of tables: write [[{key}]]")
        return list(enumerate(value))


def _last(key: str) -> str:
    return key.rpartition(".")[2]


def _names(settings: type) -> tuple[str, ...]:
    return tuple(f.name for f in fields(settings))


def _given(settings: Any) -> dict[str, Any]:
    return {f.name: value for f in fields(settings) if (value := getattr(settings, f.name)) is not None}


def _freeze_to_dict(freeze: FreezeSettings) -> dict[str, Any]:
    table: dict[str, Any] = {"method": freeze.method, "norm": freeze.norm, "moment": freeze.moment, "thaw": freeze.thaw}
    if freeze.phases:
        table["phase"] = [
            {"layers": list(p.layers), "from": p.start, "unit": p.unit, **({} if p.stop is None else {"to": p.stop})}
            for p in freeze.phases
        ]
    else:
        table |= {"layers": list(freeze.layers), "from_step": freeze.from_step}
        if freeze.to_step is not None:
            table["to_step"] = freeze.to_step
    if freeze.tasks:
        table["task"] = [{"task": t.task, "layers": list(t.layers)} for t in freeze.tasks]
    return table


def _device(value: str, where: str) -> str:
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
        return f"file:{_in_folder(path, folder)}{colon}{factory}"
    return source
