from __future__ import annotations

import gc
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from freeze_gui.freezing.bits import apart, differ
from freeze_gui.freezing.replay import Suspect
from tests.freezing.drive import STEPS, drive, plan
from tests.support.runs import network_config, run_watched

PREAMBLE = "import torch\nfrom torch import nn\nimport torch.nn.functional as F\n"


TIED = """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.a = nn.Linear(6, 6, bias=False)
        self.b = nn.Linear(6, 6, bias=False)
        self.b.weight = self.a.weight
        self.out = nn.Linear(6, 3)
    def forward(self, x):
        return self.out(self.b(torch.tanh(self.a(x))))
"""


def run_module(
    tmp_path: Path, code: str, layers: list[str], method: str = "requires_grad", **more: Any
) -> dict[str, Any]:
    """Run the class Net that `code` defines on batches of (16, 6) floats; return tensors by name and the layers."""
    path = tmp_path / "net.py"
    path.write_text(PREAMBLE + code)
    config = network_config(method, more.pop("optimizer", {"name": "Adam", "lr": 0.01}), {"layers": layers}, steps=6)
    config["model"]["source"] = f"file:{path}:Net"
    config["freeze"].update(more)
    summary = run_watched(config)[2].summary()
    assert summary["status"] == "completed", summary["error"]
    return {tensor["name"]: tensor for tensor in summary["tensors"]}


def causes(tensor: dict[str, Any]) -> dict[str, int]:
    return {cause["cause"]: cause["steps"] for cause in tensor["causes"]}


def test_spectral_norm_vectors_of_a_frozen_layer_are_a_forward_write(tmp_path: Path) -> None:
    code = """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.a = nn.utils.parametrizations.spectral_norm(nn.Linear(6, 6))
        self.b = nn.Linear(6, 3)
    def forward(self, x):
        return self.b(self.a(x))
"""
    tensors = run_module(tmp_path, code, ["a"])
    vectors = [t for name, t in tensors.items() if name.endswith(("._u", "._v"))]
    assert len(vectors) == 2
    assert all(set(causes(t)) == {"forward_write"} for t in vectors)
    assert not tensors["a.parametrizations.weight.original"]["moved"]


def test_an_embedding_with_max_norm_writes_its_frozen_rows_in_the_forward(tmp_path: Path) -> None:
    code = """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.table = nn.Embedding(10, 4, max_norm=0.5)
        self.out = nn.Linear(4, 3)
        self.calls = 0
    def forward(self, x):
        # other rows at each step, so that there is something to write for a while
        self.calls += 1
        return self.out(self.table(torch.full((len(x),), (self.calls * 2) % 10)))
"""
    tensors = run_module(tmp_path, code, ["table"])
    assert set(causes(tensors["table.weight"])) == {"forward_write"}
    assert tensors["table.weight"]["moved_steps"] == 5   # rows 2, 4, 6, 8, 0; then 2 again is short enough


def test_two_parameters_over_one_memory_leak_through_each_other(tmp_path: Path) -> None:
    code = """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.a = nn.Linear(6, 6, bias=False)
        self.b = nn.Linear(6, 6, bias=False)
        self.b.weight = nn.Parameter(self.a.weight.data)   # another Parameter, the same memory
        self.out = nn.Linear(6, 3)
    def forward(self, x):
        return self.out(self.b(torch.tanh(self.a(x))))
"""
    tensors = run_module(tmp_path, code, ["a"])
    assert causes(tensors["a.weight"]) == {"shared_storage": 6}


def test_tied_tensors_freeze_together(tmp_path: Path) -> None:
    tensors = run_module(tmp_path, TIED, ["b"])
    assert set(tensors) == {"a.weight", "out.weight", "out.bias"}   # one tensor, under its first name
    assert tensors["a.weight"]["frozen_steps"] == [[0, 6]]
    assert not tensors["a.weight"]["moved"]


def test_a_module_that_writes_its_own_weights_after_the_step_is_another_writer(tmp_path: Path) -> None:
    code = """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.a = nn.Linear(6, 6)
        self.out = nn.Linear(6, 3)
        self.out.weight.register_post_accumulate_grad_hook(self.meddle)
        self.steps = 0
    def meddle(self, _):
        self.steps += 1
        if self.steps == 4:   # in backward: neither the forward nor the optimizer
            with torch.no_grad():
                self.a.weight.add_(1.0)
    def forward(self, x):
        return self.out(self.a(x))
"""
    tensor = run_module(tmp_path, code, ["a"])["a.weight"]
    assert tensor["moved_steps"] == 1
    assert tensor["first_moved_step"] == 3
    assert tensor["max_abs_change"] == pytest.approx(1.0, abs=1e-6)
    assert causes(tensor) == {"other_writer": 1}


def test_a_change_of_sign_of_zero_counts_as_moved(tmp_path: Path) -> None:
    code = """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.a = nn.Linear(6, 6)
        self.register_buffer("flag", torch.zeros(1))
        self.out = nn.Linear(6, 3)
    def forward(self, x):
        self.flag = -self.flag
        return self.out(self.a(x))
"""
    tensor = run_module(tmp_path, code, ["(own)"])["flag"]
    assert tensor["moved_steps"] == 6
    assert tensor["max_abs_change"] == 0.0
    assert causes(tensor) == {"forward_write": 6}


def test_the_largest_change_is_measured_from_the_start_of_the_window(tmp_path: Path) -> None:
    code = """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.register_buffer("ticks", torch.zeros(1))
        self.out = nn.Linear(6, 3)
    def forward(self, x):
        self.ticks += 1
        return self.out(x)
"""
    tensor = run_module(tmp_path, code, ["(own)"], from_step=2, to_step=5)["ticks"]
    assert tensor["frozen_steps"] == [[2, 5]]
    assert (tensor["moved_steps"], tensor["first_moved_step"], tensor["max_abs_change"]) == (3, 2, 3.0)
    assert tensor["causes"] == [{"cause": "forward_write", "steps": 3, "max_abs_change": 1.0}]


def test_weights_that_are_restored_hold_at_every_step() -> None:
    config = network_config("restore", {"name": "Adam", "lr": 0.1}, {"from_step": 3, "to_step": 9})
    states, _, recorder = run_watched(config)
    for step in range(3, 9):
        assert torch.equal(states[step]["middle.0.weight"], states[2]["middle.0.weight"])
    assert not torch.equal(states[9]["middle.0.weight"], states[2]["middle.0.weight"])
    tensor = next(t for t in recorder.summary()["tensors"] if t["name"] == "middle.0.weight")
    assert (tensor["moved"], tensor["moved_steps"], tensor["max_abs_change"]) == (False, 0, 0.0)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64, torch.complex64])
def test_bits_tell_apart_what_closeness_cannot(dtype: torch.dtype) -> None:
    one = torch.ones(3, dtype=dtype)
    next_to_one = one.clone()
    next_to_one[1] += torch.finfo(dtype).eps
    assert differ([(one, one.clone()), (one, next_to_one)]) == [False, True]
    assert torch.allclose(one, next_to_one, rtol=torch.finfo(dtype).eps)


def test_nan_equals_itself_and_minus_zero_differs_from_zero() -> None:
    nan = torch.tensor([float("nan")])
    assert differ([(nan, nan.clone()), (torch.zeros(1), -torch.zeros(1))]) == [False, True]


def test_the_largest_difference_is_exact_where_squares_would_underflow() -> None:
    assert apart(torch.tensor([1e-30, 0.0]), torch.zeros(2)) == float(torch.tensor(1e-30))


def test_frozen_layers_read_held_only_if_all_their_tensors_held() -> None:
    _, _, recorder = run_watched(network_config("requires_grad", {"name": "Adam"}))
    verdicts = {layer["path"]: layer["verdict"] for layer in recorder.summary()["layers"]}
    assert verdicts == {"first": "held", "norm": "leaked", "middle.0": "held", "last": "trained"}


def test_a_module_may_be_frozen_again_and_each_window_is_judged() -> None:
    phases = [{"layers": ["last"], "from": 2, "to": 4}, {"layers": ["last"], "from": 6, "to": 9}]
    config = network_config("grad_zero", {"name": "SGD", "lr": 0.1, "momentum": 0.5}, {"phase": phases}, steps=12)
    del config["freeze"]["layers"]
    tensor = next(t for t in run_watched(config)[2].summary()["tensors"] if t["name"] == "last.bias")
    assert tensor["frozen_steps"] == [[2, 4], [6, 9]]
    assert (tensor["moved_steps"], causes(tensor)) == (5, {"momentum": 5})


def test_a_frozen_layer_leaks_when_a_tensor_that_it_shares_moves_under_another_layers_name(tmp_path: Path) -> None:
    path = tmp_path / "net.py"
    path.write_text(PREAMBLE + TIED)
    config = network_config("grad_zero", {"name": "Adam", "lr": 0.01}, {"layers": ["b"], "from_step": 3}, steps=6)
    config["model"]["source"] = f"file:{path}:Net"
    _, _, recorder = run_watched(config)
    summary = recorder.summary()
    verdicts = {layer["path"]: layer["verdict"] for layer in summary["layers"]}
    assert verdicts == {"a": "trained", "b": "leaked", "out": "trained"}
    tensor = next(t for t in summary["tensors"] if t["name"] == "a.weight")
    assert (tensor["layer"], tensor["tied_layers"], tensor["moved_steps"]) == ("a", ["b"], 3)
    assert recorder.leaked.tolist() == [0, 3, 0]
    assert {e["kind"]: e["layers"] for e in summary["side_effects"]}["state_evolving"] == ["b"]


@pytest.mark.parametrize("new", ["torch.cat([self.memory, torch.zeros(1)])", "None"])
def test_a_buffer_that_grows_or_goes_is_a_forward_write(tmp_path: Path, new: str) -> None:
    code = f"""
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.register_buffer("memory", torch.zeros(2))
        self.out = nn.Linear(6, 3)
    def forward(self, x):
        self.memory = {new}
        return self.out(x)
"""
    tensor = run_module(tmp_path, code, ["(own)"])["memory"]
    assert tensor["moved"]
    assert set(causes(tensor)) == {"forward_write"}


def test_a_buffer_that_is_gone_stays_watched_when_another_layer_thaws(tmp_path: Path) -> None:
    code = """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.register_buffer("memory", torch.zeros(2))
        self.a = nn.Linear(6, 6)
        self.out = nn.Linear(6, 3)
    def forward(self, x):
        self.memory = None
        return self.out(self.a(x))
"""
    phases = [{"layers": ["(own)"]}, {"layers": ["a"], "to": 3}]
    path = tmp_path / "net.py"
    path.write_text(PREAMBLE + code)
    config = network_config("requires_grad", {"name": "SGD"}, {"phase": phases}, steps=6)
    del config["freeze"]["layers"]
    config["model"]["source"] = f"file:{path}:Net"
    tensors = {t["name"]: t for t in run_watched(config)[2].summary()["tensors"]}
    assert tensors["memory"]["frozen_steps"] == [[0, 6]]
    assert tensors["a.weight"]["frozen_steps"] == [[0, 3]]


@pytest.mark.parametrize("method", ["grad_zero", "restore"])
def test_what_is_kept_to_name_a_cause_is_let_go_before_the_next_forward(method: str) -> None:
    model = nn.Sequential(nn.Linear(3, 4), nn.Linear(4, 2))
    kept: list[int] = []
    model.register_forward_pre_hook(
        lambda *_: kept.append(sum(type(thing) is Suspect for thing in gc.get_objects()))
    )
    freezer = drive(model, torch.optim.Adam(model.parameters()), plan(["0"], 2, method=method), torch.randn(5, 3))
    assert kept == [0] * STEPS
    assert freezer.frozen == {"0"}


REPLACED = """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.out, self.calls = nn.Linear(6, 6), nn.Linear(6, 3), 0
    def forward(self, x):
        self.calls += 1
        if self.calls == 2:
            self.first = nn.Linear(6, 6)
        return self.out(torch.tanh(self.first(x)))
"""


def test_a_module_that_took_the_place_of_another_before_the_freeze_holds_from_then_on(tmp_path: Path) -> None:
    weight = run_module(tmp_path, REPLACED, ["first"], from_step=4)["first.weight"]
    assert weight["frozen_steps"] == [[4, 6]]
    assert not weight["moved"]
