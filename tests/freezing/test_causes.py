from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.optim.optimizer import register_optimizer_step_post_hook

from freeze_gui.freezing.causes import causes_of_step, freshly_written, gradient_marks
from freeze_gui.freezing.replay import Suspect, replayed
from tests.freezing.drive import STEPS, causes, drive, plan

INPUTS = torch.randn(8, 4, generator=torch.Generator().manual_seed(1))


def two_layers(dtype: torch.dtype = torch.float32) -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(4, 4), nn.Tanh(), nn.Linear(4, 2)).to(dtype)


# what a zero gradient does after live steps, and whether decay moves too: the law, written out
SETTINGS: list[tuple[str, dict[str, Any], set[str]]] = [
    ("Rprop", {}, set()),
    ("ASGD", {}, {"weight_decay"}),
    ("ASGD", {"lambd": 0.0}, set()),
    ("Adafactor", {}, set()),
    ("Adam", {"amsgrad": True}, {"momentum"}),
    ("AdamW", {"maximize": True, "weight_decay": 0.1}, {"momentum", "weight_decay"}),
    ("SGD", {"lr": 0.1, "momentum": 0.9, "weight_decay": 0.1}, {"momentum", "weight_decay"}),
    ("SGD", {"lr": 0.1, "maximize": True}, set()),
    ("Adagrad", {"initial_accumulator_value": 0.1}, set()),
    ("NAdam", {"decoupled_weight_decay": True, "weight_decay": 0.1}, {"momentum", "weight_decay"}),
]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("how", [{}, {"foreach": True}, {"fused": True}], ids=str)
@pytest.mark.parametrize(("name", "hyper", "expected"), SETTINGS, ids=str)
def test_a_replay_gives_the_bits_of_every_optimizer_in_every_implementation(
    name: str, hyper: dict[str, Any], expected: set[str], how: dict[str, bool], dtype: torch.dtype
) -> None:
    model = two_layers(dtype)
    try:
        optimizer = getattr(torch.optim, name)(model.parameters(), **hyper, **how)
    except (TypeError, RuntimeError):
        pytest.skip(f"torch has no such {name}")
    found = causes(drive(model, optimizer, plan(["0"], 2, method="grad_zero"), INPUTS.to(dtype)))
    assert set(found["0.weight"]) == expected


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize(
    ("name", "hyper"),
    [
        ("SGD", {"momentum": 0.9, "weight_decay": 0.1}), ("Adam", {"amsgrad": True}), ("AdamW", {}), ("Adagrad", {}),
    ],
)
def test_a_fused_step_of_many_tensors_has_the_bits_of_its_replay_one_by_one(
    name: str, hyper: dict[str, Any], threads: int
) -> None:
    """The kernels take whole registers and then what is left over, and share large tensors among threads."""
    before, generator = torch.get_num_threads(), torch.Generator().manual_seed(4)
    torch.set_num_threads(threads)
    try:
        sizes = (1, 7, 8, 9, 31, 33, 1001, 32769, 200_003)
        parameters = [nn.Parameter(torch.randn(size, generator=generator)) for size in sizes]
        optimizer = getattr(torch.optim, name)(parameters, lr=0.01, fused=True, **hyper)
        for _ in range(3):
            for p in parameters:
                p.grad = torch.randn(p.shape, generator=generator)
            suspects = list(Suspect.take_all(optimizer, parameters, set(map(id, parameters))).values())
            optimizer.step()
            for suspect, p in zip(suspects, parameters, strict=True):
                assert causes_of_step(suspect, p.detach()) == ["gradient"], p.shape
    finally:
        torch.set_num_threads(before)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.complex64])
def test_half_and_complex_parameters_are_replayed_too(dtype: torch.dtype) -> None:
    model = nn.Sequential(nn.Linear(4, 4, dtype=dtype), nn.Linear(4, 2, dtype=dtype))
    optimizer = torch.optim.Adam(model.parameters(), lr=0.1, eps=1e-3)
    found = causes(drive(model, optimizer, plan(["0"], 2, method="eval_only"), INPUTS.to(dtype)))
    assert found["0.weight"] == {"gradient": 4}


class Odd(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.tensor(2.0))
        self.empty = nn.Parameter(torch.zeros(0, 3))
        self.every_second = nn.Parameter(torch.randn(4, 8)[:, ::2])
        self.turned = nn.Parameter(torch.randn(4, 4).t())

    def forward(self, x: Tensor) -> Tensor:
        return x @ self.every_second @ self.turned * self.scale + self.empty.sum()


@pytest.mark.parametrize("fused", [False, True])
def test_parameters_without_dimensions_elements_or_contiguous_memory_are_replayed(fused: bool) -> None:
    model = Odd()
    optimizer = torch.optim.Adam(model.parameters(), fused=fused)
    found = causes(drive(model, optimizer, plan([""], 2, method="grad_zero"), INPUTS))
    assert found == {
        "scale": {"momentum": 4}, "empty": {}, "every_second": {"momentum": 4}, "turned": {"momentum": 4},
    }


def test_a_stale_gradient_stays_stale_when_clipping_has_written_into_it() -> None:
    model = two_layers()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    found = causes(drive(model, optimizer, plan(["0"], 2), INPUTS, zero_grad="never", clip=1.0))
    assert found["0.weight"] == {"stale_gradient": 4}


def test_a_gradient_in_the_place_of_one_that_the_forward_has_dropped_is_fresh() -> None:
    weight = nn.Parameter(torch.ones(3))
    for _ in range(20):   # mostly in the same memory
        weight.grad = torch.ones(3)
        marks = gradient_marks([weight])
        weight.grad = None
        weight.grad = torch.ones(3)
        assert freshly_written([weight], marks) == {id(weight)}
    assert freshly_written([weight], gradient_marks([weight])) == set()


def test_whoever_writes_after_the_optimizer_is_another_writer_also_where_the_optimizer_moved_it_as_well() -> None:
    for method in ("requires_grad", "grad_zero", "eval_only"):
        model = two_layers()
        optimizer = torch.optim.Adam(model.parameters())

        weight = next(model.parameters())

        def meddle(*_: object, weight: Tensor = weight) -> None:
            weight.data.add_(1e-3)

        optimizer.register_step_post_hook(meddle)
        found = causes(drive(model, optimizer, plan(["0"], 2, method=method), INPUTS))
        assert found["0.weight"] == {"other_writer": 4}, method


def test_a_replay_does_not_call_the_hooks_of_other_optimizers() -> None:
    calls: list[object] = []
    hook = register_optimizer_step_post_hook(lambda *_: calls.append(None))
    try:
        model = two_layers()
        drive(model, torch.optim.SGD(model.parameters(), lr=0.1), plan(["0"], method="eval_only"), INPUTS)
    finally:
        hook.remove()
    assert len(calls) == STEPS


@pytest.mark.parametrize("optimizer", ["SGD", "Adam"])
@pytest.mark.parametrize("method", ["requires_grad", "grad_none", "exclude", "lr_zero", "grad_zero", "restore"])
def test_two_parameters_in_one_memory_are_replayed_together(method: str, optimizer: str) -> None:
    model = nn.Sequential(nn.Linear(4, 4, bias=False), nn.Tanh(), nn.Linear(4, 4, bias=False))
    model[2].weight = nn.Parameter(next(model.parameters()).data)
    made = getattr(torch.optim, optimizer)(model.parameters(), lr=0.01)
    found = causes(drive(model, made, plan(["0"], 2, method=method), INPUTS))["0.weight"]
    own = {"momentum": 4} if (method, optimizer) == ("grad_zero", "Adam") else {}   # its own zeros move it as well
    assert found == ({} if method == "restore" else {**own, "shared_storage": 4})


@pytest.mark.parametrize("method", ["lr_zero", "eval_only"])
def test_two_parameters_in_one_memory_that_are_stepped_at_once_are_replayed_so(method: str) -> None:
    model = nn.Sequential(nn.Linear(4, 4, bias=False), nn.Tanh(), nn.Linear(4, 4, bias=False))
    model[2].weight = nn.Parameter(next(model.parameters()).data)
    # all decay, then all go along their gradients: one after the other ends elsewhere
    made = torch.optim.AdamW(model.parameters(), lr=0.01, weight_decay=0.3, foreach=True)
    found = causes(drive(model, made, plan(["0"], 2, method=method), INPUTS))["0.weight"]
    assert found == {"lr_zero": {"shared_storage": 4}, "eval_only": {"gradient": 4, "shared_storage": 4}}[method]


class Slices(nn.Module):
    """Two weights in one block of memory, and a buffer that looks at the second."""

    def __init__(self) -> None:
        super().__init__()
        block = torch.randn(32)
        self.a, self.b = nn.Linear(4, 4, bias=False), nn.Linear(4, 4, bias=False)
        self.a.weight, self.b.weight = nn.Parameter(block[:16].view(4, 4)), nn.Parameter(block[16:].view(4, 4))
        self.view = nn.Module()
        self.view.register_buffer("seen", self.b.weight.data)

    def forward(self, x: Tensor) -> Tensor:
        found: Tensor = self.b(self.a(x))
        return found


def test_neighbours_in_one_block_of_memory_share_nothing_and_a_view_does() -> None:
    model = Slices()
    found = causes(drive(model, torch.optim.SGD(model.parameters(), lr=0.01), plan(["a", "view"]), INPUTS))
    assert found == {"a.weight": {}, "view.seen": {"shared_storage": STEPS}}


def suspect(optimizer: torch.optim.Optimizer, parameter: nn.Parameter) -> Suspect:
    return Suspect.take_all(optimizer, [parameter], {id(parameter)})[id(parameter)]


def test_momentum_and_decay_that_move_a_weight_together_only_are_both_named() -> None:
    # below 1.0 half an ULP is 2⁻²⁵; each of the two takes 0.6 of it
    half = 2.0**-25
    weight = nn.Parameter(torch.ones(1))
    weight.grad = torch.zeros(1)
    optimizer = torch.optim.SGD([weight], lr=1.0, momentum=0.5, weight_decay=0.6 * half)
    optimizer.state[weight]["momentum_buffer"] = torch.full((1,), 0.6 * half / 0.5)
    before = suspect(optimizer, weight)
    optimizer.step()
    assert weight.item() == 1.0 - 2 * half
    assert causes_of_step(before, weight.detach()) == ["momentum", "weight_decay"]


def test_the_decay_of_averaged_sgd_by_the_step_size_that_its_state_keeps_is_decay() -> None:
    weight = nn.Parameter(torch.ones(3))
    optimizer = torch.optim.ASGD([weight], lr=0.1, lambd=0.1)
    weight.grad = torch.ones(3)
    optimizer.step()
    weight.grad = torch.zeros(3)
    optimizer.param_groups[0]["lr"] = 0.0   # it follows one step late
    before = suspect(optimizer, weight)
    optimizer.step()
    assert not torch.equal(before.value, weight)
    assert causes_of_step(before, weight.detach()) == ["weight_decay"]


def test_a_fresh_step_of_adagrad_starts_from_the_accumulator_that_it_was_given() -> None:
    weight = nn.Parameter(torch.zeros(1))
    optimizer = torch.optim.Adagrad([weight], lr=0.5, initial_accumulator_value=3.0, eps=0.0)
    weight.grad = torch.ones(1)
    (fresh_step,) = replayed([suspect(optimizer, weight)], with_state=False)
    assert fresh_step.item() == pytest.approx(-0.5 / (3.0 + 1.0) ** 0.5)


@pytest.mark.parametrize("method", ["eval_only", "grad_zero", "restore"])
def test_rows_of_a_sparse_gradient_are_replayed(method: str) -> None:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.table = nn.Embedding(10, 4, sparse=True)
            self.register_buffer("graph", torch.eye(3).to_sparse())

        def forward(self, x: Tensor) -> Tensor:
            found: Tensor = self.table(torch.arange(5))
            return found

    for optimizer in (torch.optim.SparseAdam, torch.optim.SGD):
        model = Net()
        made = optimizer(model.parameters(), lr=0.1)
        found = causes(drive(model, made, plan(["table", ""], 2, method=method), INPUTS))
        assert found == {"graph": {}, "table.weight": {"gradient": 4} if method == "eval_only" else {}}


class Writer(nn.Module):
    """Writes a weight of its own from some step on: in its forward, or in a hook of its backward."""

    def __init__(self, where: str, since: int) -> None:
        super().__init__()
        self.a, self.out = nn.Linear(4, 4), nn.Linear(4, 2)
        self.where, self.left = where, since
        if where == "backward":
            self.out.weight.register_hook(self.write)   # type: ignore[no-untyped-call]

    def write(self, _: object) -> None:
        self.left -= 1
        if self.left < 0:
            with torch.no_grad():
                self.a.weight.add_(0.1)

    def forward(self, x: Tensor) -> Tensor:
        if self.where == "forward":
            self.write(None)
        found: Tensor = self.out(self.a(x))
        return found


@pytest.mark.parametrize("since", [0, 4])
@pytest.mark.parametrize(("where", "cause"), [("forward", "forward_write"), ("backward", "other_writer")])
def test_what_the_forward_writes_is_told_from_what_a_backward_hook_writes(where: str, cause: str, since: int) -> None:
    model = Writer(where, since)
    found = causes(drive(model, torch.optim.SGD(model.parameters(), lr=0.01), plan(["a"]), INPUTS))
    assert found == {"a.weight": {cause: STEPS - since}, "a.bias": {}}


def test_a_row_that_max_norm_shortens_late_is_a_forward_write() -> None:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.table, self.calls = nn.Embedding(10, 4, max_norm=0.5), 0
            nn.init.ones_(self.table.weight)

        def forward(self, x: Tensor) -> Tensor:
            self.calls += 1
            found: Tensor = self.table(torch.tensor([0, max(self.calls - 3, 0)]))
            return found

    model = Net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    found = causes(drive(model, optimizer, plan(["table"], method="grad_none"), INPUTS))
    assert found == {"table.weight": {"forward_write": 4}}   # row 0, then rows 1, 2 and 3


def test_a_module_that_takes_the_place_of_a_frozen_one_has_moved_the_layer() -> None:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a, self.out, self.calls = nn.Linear(4, 4), nn.Linear(4, 2), 0

        def forward(self, x: Tensor) -> Tensor:
            self.calls += 1
            if self.calls == 4:
                self.a = nn.Linear(4, 4)
            found: Tensor = self.out(self.a(x))
            return found

    model = Net()
    found = causes(drive(model, torch.optim.Adam(model.parameters()), plan(["a"]), INPUTS))
    assert found["a.weight"] == {"forward_write": 1}


def test_a_nan_that_stays_the_same_nan_holds() -> None:
    model = two_layers()
    with torch.no_grad():
        next(model.parameters())[0, 0] = float("nan")
    assert not any(causes(drive(model, torch.optim.Adam(model.parameters()), plan(["0"]), INPUTS)).values())


def test_an_infinite_gradient_that_clipping_turns_into_nan_does_not_reach_what_has_none() -> None:
    model = two_layers()
    list(model.parameters())[2].register_hook(   # type: ignore[no-untyped-call]
        lambda gradient: gradient * float("inf")
    )
    found = causes(drive(model, torch.optim.SGD(model.parameters(), lr=0.1), plan(["0"]), INPUTS, clip=1.0))
    assert not any(found.values())
