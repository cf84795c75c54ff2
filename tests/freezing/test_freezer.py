from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import torch
from torch import nn

from freeze_gui.freezing import verdict
from freeze_gui.freezing.freezer import Freezer
from freeze_gui.freezing.methods import method_class
from freeze_gui.freezing.plan import FreezePlan, Phase
from freeze_gui.freezing.side_effects import SideEffectWatch


class Watching:
    """Knows whether it is entered."""

    inside = False

    def __enter__(self) -> None:
        assert not self.inside
        self.inside = True

    def __exit__(self, *error: object) -> None:
        self.inside = False


@contextmanager
def told(monkeypatch: pytest.MonkeyPatch, watching: Watching, owner: type, moments: list[str]) -> Iterator[set[bool]]:
    """Yield whether `watching` was entered at the calls of `moments`."""
    seen: set[bool] = set()
    for moment in moments:
        original = getattr(owner, moment)

        def call(self: Any, *args: Any, original: Any = original) -> Any:
            seen.add(watching.inside)
            return original(self, *args)

        monkeypatch.setattr(owner, moment, call)
    yield seen


def test_what_only_looks_is_told_from_what_the_method_does(monkeypatch: pytest.MonkeyPatch) -> None:
    watching, model = Watching(), nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 2))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    looks = ["before_forward", "after_backward", "before_step", "after_step"]
    with (
        told(monkeypatch, watching, method_class("restore"), ["freeze", "after_backward", "after_step"]) as acting,
        told(monkeypatch, watching, SideEffectWatch, looks) as effects,
        told(monkeypatch, watching, verdict.FrozenWatch, ["before_step", "after_step", "settle"]) as comparing,
    ):
        plan = FreezePlan((Phase(frozenset({"0"})),), method="restore")
        freezer = Freezer(model, optimizer, plan, watching=watching)
        freezer.begin_step(0, None)
        freezer.before_forward()
        model(torch.randn(4, 3)).sum().backward()
        freezer.after_backward(0)
        freezer.before_step(0)
        optimizer.step()
        freezer.after_step(0)
        freezer.settle(0)
    assert (acting, effects, comparing) == ({False}, {True}, {True})
