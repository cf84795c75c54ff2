from __future__ import annotations

import dataclasses
import datetime
import enum
import re
import sys
import threading
from collections import OrderedDict, UserDict, defaultdict, deque, namedtuple
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch.nn.utils.rnn import pack_padded_sequence
from torchvision import tv_tensors

from freeze_gui.models.layer_tree import own_tensors
from freeze_gui.training import digests
from freeze_gui.training.checkpoint import all_tensors
from freeze_gui.training.content import OutOfReachError, chunks_of
from freeze_gui.training.digests import digest, layer_digests

Pair = namedtuple("Pair", "a b")


class Colour(enum.Enum):
    RED = 1
    BLUE = 2


@dataclasses.dataclass
class Graph:
    nodes: torch.Tensor
    edges: list[tuple[int, int]] = dataclasses.field(default_factory=list)
    again: Any = None


class Slotted:
    __slots__ = ("x", "y")

    def __init__(self, x: int) -> None:
        self.x = x


class Lazy:
    """Hides its buffer and says what it holds instead."""

    def __init__(self, path: str) -> None:
        self.path, self.handle = path, threading.Lock()

    def __getstate__(self) -> dict[str, str]:
        return {"path": self.path}


class ComparedByName(type):
    """A class of classes that are equal by name, and so have no hash."""

    def __eq__(cls, other: object) -> bool:
        return cls.__name__ == getattr(other, "__name__", None)


class Unhashed(metaclass=ComparedByName):
    pass


def found(value: Any) -> bytes:
    return digest(chunks_of(value))


@pytest.mark.parametrize(
    "values",
    [
        np.arange(6, dtype=np.float32).reshape(2, 3),
        np.arange(6, dtype=np.float64).reshape(3, 1, 2),
        np.arange(5, dtype=np.float16),
        np.arange(4),
        np.array(2.5),
        np.zeros((3, 0), dtype=np.float32),
        np.array([True, False]),
    ],
    ids=lambda values: f"{values.dtype} {values.shape}",
)
def test_a_tensor_is_made_of_what_it_is_and_the_bytes_of_its_elements(values: np.ndarray[Any, Any]) -> None:
    # stored runs are compared by digests of these bytes
    expected = f"tensor torch.{values.dtype} {values.shape} torch.strided;".encode() + values.tobytes()
    tensor = torch.from_numpy(values)
    assert b"".join(chunks_of(tensor)) == expected
    backwards = torch.from_numpy(np.array(values, order="F"))   # the same elements, another order in memory
    assert b"".join(chunks_of(backwards)) == expected
    if tensor.is_floating_point():
        assert b"".join(chunks_of(tensor.clone().requires_grad_())) == expected
        negative = torch.from_numpy(np.asarray(-values))
        assert b"".join(chunks_of(torch._neg_view(negative))) == expected   # as the imaginary part of a conjugate is


def graph(last: float = 1.0) -> Graph:
    return Graph(torch.tensor([1.0, last]), [(0, 1)])


def ring(value: int, length: int) -> list[Any]:
    first: list[Any] = [value]
    here = first
    for _ in range(length - 1):
        here.append([value])
        here = here[1]
    here.append(first)
    return first


MAKERS: list[tuple[Callable[[], Any], Callable[[], Any]]] = [
    (lambda: graph(), lambda: graph(2.0)),
    (lambda: {"g": [graph()]}, lambda: {"g": [graph(np.nextafter(1.0, 2.0, dtype=np.float32))]}),
    (lambda: Pair(1, "x"), lambda: Pair(1, "y")),
    (lambda: Pair(1, 2), lambda: (1, 2)),
    (lambda: Slotted(1), lambda: Slotted(2)),
    (lambda: Lazy("a"), lambda: Lazy("b")),
    (lambda: Colour.RED, lambda: Colour.BLUE),
    (lambda: {3, 1, 2}, lambda: {3, 1}),
    (lambda: frozenset({"a", "b"}), lambda: frozenset({"a", "c"})),
    (lambda: OrderedDict(a=1), lambda: OrderedDict(a=2)),
    (lambda: defaultdict(list, a=[1]), lambda: defaultdict(list, a=[2])),
    (lambda: UserDict(a=1), lambda: UserDict(a=2)),
    (lambda: deque([1, 2]), lambda: deque([2, 1])),
    (lambda: {(1, 2): 0}, lambda: {(1, 3): 0}),
    (lambda: {1: 0}, lambda: {"1": 0}),
    (lambda: datetime.date(2026, 1, 1), lambda: datetime.date(2026, 1, 2)),
    (lambda: Fraction(1, 3), lambda: Fraction(2, 3)),
    (lambda: Path("a"), lambda: Path("b")),
    (lambda: slice(1), lambda: slice(2)),
    (lambda: bytearray(b"a"), lambda: bytearray(b"b")),
    (lambda: Image.new("L", (2, 2), 1), lambda: Image.new("L", (2, 2), 2)),
    (lambda: np.float32(1), lambda: np.float64(1)),
    (lambda: np.array([1, "a", None], object), lambda: np.array([1, "b", None], object)),
    (lambda: np.array([(1, 2.0)], "i4,f8"), lambda: np.array([(1, 3.0)], "i4,f8")),
    (lambda: np.array(["2026-01-01"], "M8[D]"), lambda: np.array(["2026-01-02"], "M8[D]")),
    (lambda: np.ma.array([1, 2], mask=[False, True]), lambda: np.ma.array([1, 2], mask=[True, False])),
    (lambda: packed(1.0), lambda: packed(2.0)),
    (lambda: boxes("XYXY"), lambda: boxes("XYWH")),
    (lambda: nested(1.0), lambda: nested(2.0)),
    (lambda: torch.float16, lambda: torch.float32),
    (lambda: ring(1, 3), lambda: ring(2, 3)),
    (lambda: ring(1, 3), lambda: ring(1, 4)),
    (lambda: int, lambda: float),
    (lambda: torch.Generator().manual_seed(1), lambda: torch.Generator().manual_seed(2)),
]


def packed(value: float) -> Any:
    return pack_padded_sequence(torch.full((3, 1, 2), value), [3])


def boxes(form: str) -> Any:
    return tv_tensors.BoundingBoxes(torch.ones(1, 4), format=form, canvas_size=(8, 8))


def nested(value: float) -> torch.Tensor:
    return torch.nested.nested_tensor([torch.ones(2), torch.full((3,), value)], layout=torch.jagged)


@pytest.mark.parametrize(("one", "other"), MAKERS)
def test_equal_contents_have_one_digest_and_others_another(one: Callable[[], Any], other: Callable[[], Any]) -> None:
    assert found(one()) == found(one())
    assert found(one()) != found(other())


def test_an_object_that_holds_itself_comes_to_an_end() -> None:
    one, same, other = graph(), graph(), graph(2.0)
    for each in (one, same, other):
        each.again = {"me": [each]}
    assert found(one) == found(same) != found(other)


def test_objects_that_lead_to_ever_more_are_out_of_reach() -> None:
    doubled: list[Any] = [1]
    for _ in range(60):   # 2**60 ways through 60 lists
        doubled = [doubled, doubled]
    with pytest.raises(OutOfReachError, match="more than"):
        found(doubled)
    deep: list[Any] = []
    for _ in range(10_000):
        deep = [deep]
    with pytest.raises(OutOfReachError, match="too deeply"):
        found(deep)


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (lambda: 0, "a function"),
        (len, "a builtin_function_or_method"),
        ((i for i in range(3)), "a generator"),
        (threading.Lock(), "an object of class _thread.lock"),
        (Graph(torch.ones(1), again=threading.Lock()), "_thread.lock"),
        (sys, "a module"),
        (torch.ones(1, device="meta"), "a meta tensor"),
        (np.array([threading.Lock()], object), "_thread.lock"),
        (Unhashed(), "test_content.Unhashed"),   # neither `copy` nor `pickle` takes it
    ],
)
def test_what_cannot_be_known_is_never_the_same(value: Any, words: str) -> None:
    with pytest.raises(OutOfReachError, match=re.escape(words)):
        found(value)


@pytest.mark.filterwarnings("ignore:torch.quantize_per_tensor")   # deprecated, and still in people's files
def test_a_quantized_tensor_is_out_of_reach() -> None:
    value = torch.quantize_per_tensor(torch.ones(2), 0.1, 0, torch.qint8)
    with pytest.raises(OutOfReachError, match="a quantized tensor"):
        found(value)
    module = torch.nn.ParameterList([torch.nn.Parameter(value, requires_grad=False)])
    assert digests_of(module) == {"": ""}


def digests_of(module: torch.nn.Module) -> dict[str, str]:
    pieces, done = layer_digests(module, [path for path, _ in module.named_modules()]), 0
    while True:
        try:
            done += next(pieces)
        except StopIteration as end:
            found: dict[str, str] = end.value
            assert done == sum(tensor.numel() * tensor.element_size() for tensor in all_tensors(module).values())
            return found


def test_the_digest_of_a_layer_is_the_same_in_whatever_pieces_it_is_hashed(monkeypatch: pytest.MonkeyPatch) -> None:
    empty = torch.nn.ParameterList([torch.zeros(0, 3)])
    module = torch.nn.Sequential(torch.nn.Linear(50, 7), torch.nn.BatchNorm1d(7), empty)
    whole = {path: digest(chunks_of(dict(own_tensors(part)))).hex() for path, part in module.named_modules()}
    for piece in (1, 13, 1400, 10**9):   # bytes; the first weight has 1400
        monkeypatch.setattr(digests, "_PIECE", piece)
        assert digests_of(module) == whole


def test_nothing_is_used_up_by_looking() -> None:
    left = iter([1, 2, 3])
    next(left)
    found(left)
    assert list(left) == [2, 3]


def test_the_order_of_a_set_is_not_content() -> None:
    one, other = {0, 8}, {8, 0}   # in one place of the table: whoever came first is first
    assert list(one) != list(other) and found(one) == found(other)
    assert found([{1}, 2]) != found([{2}, 1])
