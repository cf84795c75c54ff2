"""RunConfig: what a CONFIG.toml says.

A wrong value raises `UserError` with the file, the key, the value and what is allowed. Unknown keys are errors that
name the nearest known key. What a section holds stands in `settings`, how it is read in `config_reading`.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from freeze_gui.errors import UserError
from freeze_gui.freezing.plan import FreezeSettings
from freeze_gui.training.checks import Table
from freeze_gui.training.config_reading import (
    check_device,
    read_data,
    read_freeze,
    read_model,
    read_optimizer,
    read_train,
)
from freeze_gui.training.config_writing import freeze_to_dict, given, optimizer_to_dict
from freeze_gui.training.settings import DataSettings, ModelSettings, OptimizerSettings, TrainSettings

__all__ = [
    "DataSettings", "ModelSettings", "OptimizerSettings", "RunConfig", "TrainSettings", "check_device", "load_config",
]


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
            "model": given(self.model),
            "data": given(self.data),
            "freeze": freeze_to_dict(self.freeze),
            "optimizer": optimizer_to_dict(self.optimizer),
            "train": given(self.train),
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


def _run(top: Table, folder: Path | None) -> RunConfig:
    top.known(("model", "data", "freeze", "optimizer", "train", "scenario"))
    return RunConfig(
        read_model(top.table("model"), folder),
        read_data(top.table("data"), folder),
        read_freeze(top.table("freeze")),
        read_optimizer(top.table("optimizer")),
        read_train(top.table("train")),
        folder,
    )
