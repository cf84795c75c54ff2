"""Tensors inside of what a forward takes and gives."""

from __future__ import annotations

from collections import OrderedDict, namedtuple
from typing import Any

import pytest
import torch

from freeze_gui.models.nested import map_tensors, tensors_in

Pair = namedtuple("Pair", "first second")


class NoHash(type):
    def __eq__(cls, other: object) -> bool:   # and so it has no hash
        return cls is other


class RaisesWhenHashed(type):
    def __hash__(cls) -> int:
        raise ValueError("nobody may look this class up")


class RaisesWhenCompared(type):
    def __eq__(cls, other: object) -> bool:
        raise ValueError("nobody may compare this class")

    def __hash__(cls) -> int:
        return hash(list)   # where torch looks, another class is found, and asked whether it is this one


@pytest.mark.parametrize("kind", [NoHash, RaisesWhenHashed, RaisesWhenCompared])
def test_an_object_whose_class_cannot_be_looked_up_is_left_as_it_is(kind: Any) -> None:
    held, one, two = kind("Graph", (), {})(), torch.ones(2), torch.zeros(3)
    nested = {"a": [held, one], "b": (two, held)}
    doubled = map_tensors(lambda tensor: tensor * 2, nested)
    assert doubled["a"][0] is held
    assert doubled["b"][1] is held
    assert torch.equal(doubled["a"][1], torch.full((2,), 2.0))
    found = tensors_in(nested)
    assert found[0] is one
    assert found[1] is two
    assert len(found) == 2
    assert map_tensors(torch.Tensor.detach, held) is held
    assert tensors_in(held) == []


def test_containers_keep_their_kind_and_their_order() -> None:
    nested = OrderedDict(b=Pair(torch.tensor(1.0), "text"), a=[torch.tensor(2.0), None])
    changed = map_tensors(lambda tensor: -tensor, nested)
    assert type(changed) is OrderedDict
    assert list(changed) == ["b", "a"]
    assert changed["b"] == Pair(-1.0, "text")
    assert changed["a"] == [-2.0, None]
    assert tensors_in(nested) == [1.0, 2.0]
