"""What the window remembers from one day to the next, in one INI file."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from PySide6.QtCore import QByteArray, QSettings, QStandardPaths

from freeze_gui.gui.theme import Choice

FIRST_MODEL = "builtin:digits-cnn"
THEMES: tuple[Choice, ...] = ("system", "light", "dark")


def default_settings_path() -> Path:
    """Return the person's own settings file."""
    folder = QStandardPaths.writableLocation(QStandardPaths.StandardLocation.GenericConfigLocation)
    return Path(folder) / "freeze-gui" / "freeze-gui.ini"


class Settings:
    """Theme, layout, columns, last configuration, runs that were open, and the Python files that may be run.

    A value that cannot be read, because another version wrote it or somebody edited the file, counts as not there.
    """

    def __init__(self, path: str | Path | None = None) -> None:
        self.path = Path(path) if path is not None else default_settings_path()
        self._store = QSettings(str(self.path), QSettings.Format.IniFormat)

    @property
    def theme(self) -> Choice:
        """``system``, ``light`` or ``dark``."""
        value = self._store.value("theme", "system")
        return next((theme for theme in THEMES if theme == value), "system")

    @theme.setter
    def theme(self, choice: Choice) -> None:
        self._store.setValue("theme", choice)

    def layout(self, name: str) -> QByteArray | None:
        """Return the saved geometry or state of that name."""
        value = self._store.value(f"layout/{name}")
        return value if isinstance(value, QByteArray) else None

    def set_layout(self, name: str, state: QByteArray) -> None:
        """Remember a geometry or state."""
        self._store.setValue(f"layout/{name}", state)

    def forget_layout(self) -> None:
        """Forget all geometries and states."""
        self._store.remove("layout")

    @property
    def last_config(self) -> dict[str, Any] | None:
        """The configuration that the window last showed, as in a CONFIG.toml."""
        try:
            content = json.loads(str(self._store.value("last_config", "")))
        except ValueError:
            return None
        return content if isinstance(content, dict) else None

    @last_config.setter
    def last_config(self, content: Mapping[str, Any]) -> None:
        self._store.setValue("last_config", json.dumps(content, default=list))

    @property
    def last_model(self) -> str:
        """Source of the model that the window last showed, or of the first one."""
        model = (self.last_config or {}).get("model")
        source = model.get("source") if isinstance(model, dict) else None
        return source if isinstance(source, str) else FIRST_MODEL

    @property
    def keeps_runs(self) -> bool:
        """Whether runs are saved as they go."""
        return self._store.value("keeps_runs", "true") != "false"

    @keeps_runs.setter
    def keeps_runs(self, keeps: bool) -> None:
        self._store.setValue("keeps_runs", "true" if keeps else "false")

    @property
    def open_runs(self) -> list[Path]:
        """The files of the runs that the window had last, in order."""
        return self._paths("open_runs")

    @open_runs.setter
    def open_runs(self, paths: list[Path]) -> None:
        self._store.setValue("open_runs", json.dumps([str(path) for path in paths]))

    @property
    def side_by_side(self) -> list[Path]:
        """The files of the runs that stood side by side last, in order."""
        return self._paths("side_by_side")

    @side_by_side.setter
    def side_by_side(self, paths: list[Path]) -> None:
        self._store.setValue("side_by_side", json.dumps([str(path) for path in paths]))

    @property
    def columns(self) -> list[str] | None:
        """The keys of the columns that a person chose for the table of runs; None before that."""
        keys = self._list("columns")
        return [key for key in keys if isinstance(key, str)] if keys is not None else None

    @columns.setter
    def columns(self, keys: list[str]) -> None:
        self._store.setValue("columns", json.dumps(keys))

    @property
    def in_turns(self) -> bool:
        """Whether the runs that stood side by side last took turns with each other."""
        return self._store.value("in_turns", "false") == "true"

    @in_turns.setter
    def in_turns(self, in_turns: bool) -> None:
        self._store.setValue("in_turns", "true" if in_turns else "false")

    @property
    def dark_pictures(self) -> bool:
        """Whether exported pictures are made in dark colours."""
        return self._store.value("dark_pictures", "false") == "true"

    @dark_pictures.setter
    def dark_pictures(self, dark: bool) -> None:
        self._store.setValue("dark_pictures", "true" if dark else "false")

    def is_trusted(self, file: Path) -> bool:
        """Tell whether the person said yes to running this file, with exactly its content of now."""
        mark = _content_mark(file)
        return mark is not None and self._store.value(_trust_key(file)) == mark

    def trust(self, file: Path) -> None:
        """Remember that this file may be run as it is now; a changed file is asked for again."""
        self._store.setValue(_trust_key(file), _content_mark(file) or "")

    def save(self) -> None:
        """Write the file now."""
        self._store.sync()

    def _paths(self, key: str) -> list[Path]:
        return [Path(path) for path in self._list(key) or () if isinstance(path, str)]

    def _list(self, key: str) -> list[Any] | None:
        try:
            content = json.loads(str(self._store.value(key, "")))
        except ValueError:
            return None
        return content if isinstance(content, list) else None


def _trust_key(file: Path) -> str:
    return f"trusted/{hashlib.sha256(str(file.absolute()).encode()).hexdigest()[:24]}"


def _content_mark(file: Path) -> str | None:
    try:
        return hashlib.sha256(file.read_bytes()).hexdigest()
    except OSError:
        return None
