"""Reading one table of a person's configuration: every check of a value, and the sentence when it is wrong."""

from __future__ import annotations

import difflib
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from typing import Any, NoReturn

from freeze_gui.errors import UserError

MOST_WHOLE = 2**31 - 1
"""Largest whole number taken where nothing else limits it: what every 32-bit counter below us can hold."""


def did_you_mean(word: object, known: Iterable[str], otherwise: str) -> str:
    """Return the question after the nearest known word, or `otherwise` when none is near."""
    near = difflib.get_close_matches(str(word), list(known), n=1, cutoff=0.5)
    return f"did you mean {near[0]}?" if near else otherwise


def field_names(settings: type) -> tuple[str, ...]:
    """Return the keys of a section that is read into the dataclass `settings`."""
    return tuple(f.name for f in fields(settings))


@dataclass(frozen=True)
class Table:
    """One table of a configuration.

    Attributes
    ----------
    where
        The file's name, for the sentences.
    name
        Dotted name of the table; empty at the top.
    content
        Its keys and values.

    All readers raise `UserError` with the file, the key, the value and what is allowed.
    """

    where: str
    name: str
    content: Mapping[str, Any]

    def fail(self, key: str, allowed: str) -> NoReturn:
        """Say that the value at `key` is wrong."""
        raise UserError(f"{self.where}: {self._full(key)} = {self.content.get(key)!r}: must be {allowed}")

    def missing(self, key: str, instead: str) -> NoReturn:
        """Say that `key` is not there, and what it is for."""
        raise UserError(f"{self.where}: {self._full(key)} is missing; {instead}")

    def known(self, keys: tuple[str, ...]) -> None:
        """Check that there are no other keys."""
        for key in self.content:
            if key not in keys:
                hint = did_you_mean(key, keys, f"known are {', '.join(keys)}")
                raise UserError(f"{self.where}: {self._full(key)} is not a known key; {hint}")

    def text(self, key: str, default: str | None) -> str | None:
        """Return a non-empty string."""
        value = self.content.get(key, default)
        if value is not None and (not isinstance(value, str) or not value):
            self.fail(key, "a non-empty string")
        return value

    def choice(self, key: str, default: str, allowed: tuple[str, ...]) -> str:
        """Return one of `allowed`, or the default."""
        value = self.content.get(key, default)
        if not isinstance(value, str) or (value not in allowed and value != default):
            near = difflib.get_close_matches(str(value), allowed, n=1)
            self.fail(key, "one of " + ", ".join(allowed) + (f"; did you mean {near[0]}?" if near else ""))
        return value

    def whole(self, key: str, default: int, *, least: int, most: int = MOST_WHOLE) -> int:
        """Return a whole number from `least` to `most`, or the default."""
        found = self.whole_or_none(key, least=least, most=most)
        return default if found is None else found

    def whole_or_none(self, key: str, *, least: int, most: int = MOST_WHOLE) -> int | None:
        """Return a whole number from `least` to `most`, or None where the key is absent."""
        value = self.content.get(key)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int) or value < least:
            self.fail(key, f"a whole number, at least {least}")
        if value > most:
            self.fail(key, f"a whole number, at most {most}")
        return value

    def positive(self, key: str, *, most: float | None = None) -> float | None:
        """Return a finite number above 0, at most `most`, or None where the key is absent."""
        value = self.content.get(key)
        if value is None:
            return None
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        if not is_number or not math.isfinite(value) or value <= 0 or (most is not None and value > most):
            self.fail(key, "a finite number above 0" + (f" and at most {most:g}" if most is not None else ""))
        return float(value)

    def patterns(self, key: str) -> tuple[str, ...]:
        """Return a list of layer patterns, empty where the key is absent."""
        value = self.content.get(key, [])
        if not isinstance(value, list | tuple) or not all(isinstance(item, str) and item for item in value):
            self.fail(key, 'a list of layer patterns, such as ["stem", "blocks.0.*"]')
        return tuple(value)

    def window(self, start_key: str, stop_key: str) -> tuple[int, int | None]:
        """Return a half-open window; its end is None where that key is absent."""
        start = self.whole(start_key, 0, least=0)
        stop = self.whole_or_none(stop_key, least=0)
        if stop is not None and stop < start:
            self.fail(stop_key, f"at least {start_key} ({start})")
        return start, stop

    def table(self, key: str) -> Table:
        """Return the table at `key`, empty where it is absent."""
        value = self.content.get(key, {})
        if not isinstance(value, Mapping):
            self.fail(key, f"a table: write [{self._full(key)}]")
        return Table(self.where, self._full(key), value)

    def tables(self, key: str) -> list[Table]:
        """Return the tables of the list at `key`."""
        value = self.content.get(key, [])
        name = self._full(key)
        if not isinstance(value, list | tuple) or not all(isinstance(item, Mapping) for item in value):
            self.fail(key, f"a list of tables: write [[{name}]]")
        return [Table(self.where, f"{name}[{i}]", item) for i, item in enumerate(value)]

    def _full(self, key: object) -> str:
        return f"{self.name}.{key}" if self.name else str(key)
