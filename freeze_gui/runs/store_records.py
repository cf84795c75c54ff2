"""Records as JSON and back, led by their types: frozen dataclasses of numbers, texts, tuples, sets and arrays.

Nothing in the JSON names a class: what is built is decided by the type that the reader asks for, so that a file can
only ever hold values. A field that the file lacks takes its default, and one that the program does not know is passed
over, so that a record may gain fields without a new file format. NaN and infinities are written as Python's JSON does.
"""

from __future__ import annotations

import functools
import json
import types
import typing
import zlib
from collections.abc import Callable, Mapping
from dataclasses import MISSING, fields, is_dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from freeze_gui.training.run_forecast import RunForecast

T = TypeVar("T")
Decoder = Callable[[Any], Any]

_MOST_BYTES = 1 << 28
"""Largest record that is unpacked: a damaged or spiteful file must not fill the memory."""


def pack(record: object) -> bytes:
    """Return a record as compressed JSON.

    Raises
    ------
    TypeError
        When it holds something that is no plain value.
    """
    return zlib.compress(json.dumps(to_plain(record), separators=(",", ":")).encode())


def unpack(kind: type[T], packed: bytes) -> T:
    """Return the record of type `kind` that `pack` packed.

    Raises
    ------
    ValueError
        When the bytes are not such a record.
    """
    unpacker = zlib.decompressobj()
    try:
        text = unpacker.decompress(packed, _MOST_BYTES)
    except zlib.error as error:
        raise ValueError(f"{kind.__name__}: {error}") from None
    if not unpacker.eof:
        raise ValueError(f"{kind.__name__}: cut off, or too large")
    return from_plain(kind, json.loads(text))


def to_plain(value: Any) -> Any:
    """Return `value` in what JSON has; a mapping whose keys are no texts becomes a list of pairs."""
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if is_dataclass(value):
        return {f.name: to_plain(getattr(value, f.name)) for f in fields(value)}
    if isinstance(value, Mapping):
        if all(isinstance(key, str) for key in value):
            return {key: to_plain(item) for key, item in value.items()}
        return [[to_plain(key), to_plain(item)] for key, item in value.items()]
    if isinstance(value, frozenset | set):
        return sorted(to_plain(item) for item in value)
    if isinstance(value, tuple | list):
        return [to_plain(item) for item in value]
    if isinstance(value, np.ndarray | np.generic):
        return value.tolist()
    if isinstance(value, Path):
        return str(value)
    raise TypeError(f"{type(value).__name__} is no plain value")


def from_plain(kind: type[T], value: Any) -> T:
    """Return `value`, made by `to_plain`, as a `kind` again.

    Raises
    ------
    ValueError
        When it does not fit.
    """
    made: T = _decoder(typing.cast(Any, kind))(value)
    return made


@functools.cache
def _decoder(kind: Any) -> Decoder:
    origin, inner = typing.get_origin(kind), typing.get_args(kind)
    if kind is Any:
        return _anything
    if origin in (typing.Union, types.UnionType):
        (some,) = (each for each in inner if each is not types.NoneType)   # no record has another union
        decode = _decoder(some)
        return lambda value: None if value is None else decode(value)
    if origin is tuple:
        return _tuple(inner)
    if origin is frozenset:
        item = _decoder(inner[0])
        return lambda value: frozenset([item(each) for each in _list(value)])
    if origin is not None and issubclass(origin, Mapping):
        return _mapping(_decoder(inner[0]), _decoder(inner[1]))
    if origin is np.ndarray:
        return lambda value: np.array(_list(value), np.float64)
    if kind is Path:
        return lambda value: Path(_checked(str, value))
    if is_dataclass(kind):
        return _dataclass(kind)
    return functools.partial(_checked, kind)


def _anything(value: Any) -> Any:
    """Return a value of no known type as a frozen record holds it: with tuples where JSON has lists."""
    if isinstance(value, list):
        return tuple([_anything(each) for each in value])
    return {key: _anything(item) for key, item in value.items()} if isinstance(value, dict) else value


def _tuple(inner: tuple[Any, ...]) -> Decoder:
    if len(inner) == 2 and inner[1] is ...:
        item = _decoder(inner[0])
        return lambda value: tuple([item(each) for each in _list(value)])
    items = [_decoder(each) for each in inner]
    return lambda value: tuple([item(each) for item, each in zip(items, _list(value), strict=True)])


def _mapping(key: Decoder, item: Decoder) -> Decoder:
    def decode(value: Any) -> dict[Any, Any]:
        pairs = value.items() if isinstance(value, dict) else [(first, last) for first, last in _list(value)]
        return {key(first): item(last) for first, last in pairs}

    return decode


def _dataclass(kind: Any) -> Decoder:
    hints = typing.get_type_hints(kind, localns={"RunForecast": RunForecast})   # events name it for the type alone
    decoders = {f.name: _decoder(hints[f.name]) for f in fields(kind)}
    needed = {f.name for f in fields(kind) if f.default is MISSING and f.default_factory is MISSING}

    def decode(value: Any) -> Any:
        if not isinstance(value, dict) or not needed <= value.keys():
            raise ValueError(f"{kind.__name__}: {', '.join(sorted(needed))} expected")
        return kind(**{name: decoders[name](item) for name, item in value.items() if name in decoders})

    return decode


def _checked(kind: type, value: Any) -> Any:
    if kind is float and type(value) is int:
        return float(value)
    if type(value) is not kind:
        raise ValueError(f"{value!r} is no {kind.__name__}")
    return value


def _list(value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise ValueError(f"{value!r} is no list")
    return value
