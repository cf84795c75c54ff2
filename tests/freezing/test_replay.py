from __future__ import annotations

import copy
import inspect
import itertools
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from freeze_gui.freezing import replay
from freeze_gui.freezing.replay import Suspect, replayed
from freeze_gui.training.optimizers import hyper_parameters, optimizer_names

HOWS: list[dict[str, bool]] = [{}, {"foreach": True}, {"fused": True}]
TAKEN = [(name, how) for name in optimizer_names() if name != "SparseAdam" for how in HOWS
         if how.keys() <= inspect.signature(getattr(torch.optim, name)).parameters.keys()]  # fmt: skip
SHAPES = [(3, 5), (1, 1), (33, 31), (8, 8), (2, 7), (200, 300)]   # Muon takes matrices only
VARIANTS = [dict(zip(("with_gradient", "with_state", "with_decay"), on, strict=True))
            for on in itertools.product((True, False), repeat=3)]  # fmt: skip


def trained(name: str, how: dict[str, bool], is_sparse: bool = False) -> tuple[torch.optim.Optimizer, set[int]]:
    """Return an optimizer of two groups before its fourth step, and whose gradients are called fresh.

    The last parameter of each group has never had a gradient before, so that it has no state, and fewer steps.
    """
    torch.manual_seed(3)
    own = [nn.Parameter(torch.randn(shape)) for shape in SHAPES]
    own[3] = nn.Parameter(torch.randn(8, 8).t())
    known = hyper_parameters(name)
    known = known if not is_sparse else {key: value for key, value in known.items() if key != "weight_decay"}
    more = {key: value for key, value in (("weight_decay", 0.1), ("momentum", 0.5)) if key in known}
    second = {"lr": 0.02} | {key: 0.3 for key in ("weight_decay", "lambd") if key in more or key in known}
    groups = [{"params": own[:3]}, {"params": own[3:], **second}]
    optimizer: torch.optim.Optimizer = getattr(torch.optim, name)(groups, **{"lr": 0.1, **more, **how})
    new = () if name == "SGD" and how.get("fused") else (2, 5)   # of which torch's own step fails there (2.15)
    for step in range(4):
        for at, p in enumerate(own):
            gradient = torch.randn_like(p)
            p.grad = None if at in new and step < 3 else gradient.to_sparse(1) if is_sparse else gradient
        if step < 3:
            optimizer.step()
    return optimizer, {id(p) for p in own[::2]}


def alone(optimizer: torch.optim.Optimizer, group: dict[str, Any], p: nn.Parameter, variant: dict[str, bool]) -> Tensor:
    """Take the step in plain PyTorch with an optimizer of this one parameter."""
    twin = nn.Parameter(torch.empty_strided(p.size(), p.stride()).copy_(p.detach()))
    assert p.grad is not None
    twin.grad = p.grad.clone() if variant["with_gradient"] else torch.zeros_like(p.grad)
    hyper = {key: value for key, value in group.items() if key in hyper_parameters(type(optimizer).__name__)}
    if not variant["with_decay"]:
        hyper |= {key: 0.0 for key in ("weight_decay", "lambd") if key in hyper}
    own = type(optimizer)([twin], **hyper)
    if variant["with_state"] and optimizer.state.get(p):
        own.state[twin] = copy.deepcopy(optimizer.state[p])
    own.step()
    return twin.detach()


@pytest.mark.parametrize("most", [1, 1000, 2**18])
@pytest.mark.parametrize(("name", "how"), TAKEN, ids=str)
def test_parameters_that_are_replayed_together_come_to_the_bits_of_the_step_and_of_each_by_itself(
    name: str, how: dict[str, bool], most: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(replay, "MOST_ON_CPU", most)
    compare_all(*trained(name, how))


@pytest.mark.filterwarnings("ignore:Sparse invariant checks")   # at a tensor that torch's Adagrad makes
@pytest.mark.parametrize("name", ["SGD", "SparseAdam", "Adagrad"])
def test_rows_of_sparse_gradients_that_are_replayed_together_come_to_the_bits_of_the_step(name: str) -> None:
    compare_all(*trained(name, {}, is_sparse=True))   # which go with no decay


def compare_all(optimizer: torch.optim.Optimizer, fresh: set[int]) -> None:
    """Hold every kind of replay to plain PyTorch, and that of the step itself to the step."""
    own = [(group, p) for group in optimizer.param_groups for p in group["params"]]
    suspects = Suspect.take_all(optimizer, [p for _, p in own], fresh)
    assert [(key, suspect.fresh) for key, suspect in suspects.items()] == [(id(p), id(p) in fresh) for _, p in own]
    for variant in VARIANTS:
        ends = list(replayed(list(suspects.values()), **variant))
        for (group, p), end in zip(own, ends, strict=True):
            assert torch.equal(end, alone(optimizer, group, p, variant)), (variant, p.shape)
    before = list(replayed(list(suspects.values())))
    optimizer.step()
    for (_, p), end in zip(own, before, strict=True):
        assert torch.equal(end, p), p.shape
        assert end.stride() == p.stride()


def test_what_has_no_gradient_or_is_in_no_group_is_no_suspect() -> None:
    a, b, c = (nn.Parameter(torch.ones(2)) for _ in range(3))
    a.grad, c.grad = torch.ones(2), torch.ones(2)
    optimizer = torch.optim.SGD([b, a], lr=0.1)
    assert list(Suspect.take_all(optimizer, [a, b, c], set())) == [id(a)]
    assert Suspect.take_all(optimizer, [], set()) == {}


def test_copies_are_made_some_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replay, "MOST_ON_CPU", 10)
    own = [nn.Parameter(torch.ones(10)) for _ in range(4)]
    for p in own:
        p.grad = torch.ones(10)
    optimizer = torch.optim.SGD(own, lr=0.5)
    made_at_once: list[int] = []
    step = replay._step

    def noted(some: list[Suspect], *rest: Any) -> None:
        made_at_once.append(len(some))
        step(some, *rest)

    monkeypatch.setattr(replay, "_step", noted)
    ends = replayed(list(Suspect.take_all(optimizer, own, set()).values()))
    assert next(ends).tolist() == [0.5] * 10
    assert made_at_once == [1]
    assert len(list(ends)) == 3
