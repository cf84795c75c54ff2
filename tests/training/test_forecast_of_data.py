"""What is forecast of a person's own model and data, against what their runs then show."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import freeze_gui

CODE = """
import torch
from torch import nn
class Two(nn.Module):
    def __init__(self):
        super().__init__()
        self.h1, self.h2, self.out = nn.Linear(4, 4), nn.Linear(4, 4), nn.Linear(4, 3)
    def forward(self, x, task=None):
        return self.out(torch.sigmoid((self.h1 if task != "t2" else self.h2)(x)))
class Attention(nn.Module):
    def __init__(self):
        super().__init__()
        self.emb, self.pos = nn.Embedding(12, 8), nn.Parameter(torch.randn(5, 8))
        self.att, self.head = nn.MultiheadAttention(8, 2, batch_first=True), nn.Linear(8, 3)
    def forward(self, x):
        x = self.emb(x) + self.pos
        return self.head(self.att(x, x, x)[0].mean(1))
class Norm(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.norm, self.head = nn.Linear(4, 4), nn.LayerNorm(4), nn.Linear(4, 3)
    def forward(self, x):
        return self.head(self.norm(self.a(x)))
class Table(nn.Module):
    def __init__(self):
        super().__init__()
        self.emb, self.head = nn.Embedding(12, 20, max_norm=1.0), nn.Linear(20, 3)
    def forward(self, x):
        return self.head(self.emb(x).mean(1))
class Slices(nn.Module):
    def __init__(self):
        super().__init__()
        block = torch.randn(12, 4)
        self.a, self.b, self.c = (nn.Linear(4, 4, bias=False) for _ in range(3))
        self.a.weight, self.b.weight, self.c.weight = (nn.Parameter(block[i:i + 4]) for i in (0, 4, 2))
        self.head = nn.Linear(4, 3)
    def forward(self, x):
        return self.head(self.c(self.b(self.a(x))))
def two(): return Two()
def attention(): return Attention()
def norm_bf16(): return Norm().bfloat16()
def table(): return Table()
def slices(): return Slices()
def targets(g): return torch.randint(0, 3, (8,), generator=g)
def floats(dtype=torch.float32):
    g = torch.Generator().manual_seed(7)
    return [(torch.randn(8, 4, generator=g).to(dtype), targets(g)) for _ in range(6)]
def bf16(): return floats(torch.bfloat16)
def tokens():
    g = torch.Generator().manual_seed(7)
    return [(torch.randint(0, 12, (8, 5), generator=g), targets(g)) for _ in range(6)]
def tasks(): return [(x, y, ("t1", "t2")[i % 2]) for i, (x, y) in enumerate(floats())]
class Once:
    def __init__(self, items): self.items = items
    def __iter__(self): return iter(self.items)
def tasks_stream(): return Once(tasks())
def floats_stream(): return Once(floats())
def tokens_stream(): return Once(tokens())
"""

TASKS = [{"task": "t1", "layers": ["h2"]}, {"task": "t2", "layers": ["h1"]}]
ADAM = {"name": "Adam", "lr": 0.01}


@pytest.fixture
def code(tmp_path: Path) -> Path:
    path = tmp_path / "own.py"
    path.write_text(CODE)
    return path


def run(
    code: Path, model: str, data: str, freeze: dict[str, Any], optimizer: dict[str, Any], steps: int = 8
) -> dict[str, Any]:
    found = freeze_gui.run_config(
        {
            "model": {"source": f"file:{code}:{model}"},
            "data": {"source": f"file:{code}:{data}"},
            "freeze": freeze,
            "optimizer": optimizer,
            "train": {"steps": steps, "device": "cpu", "threads": 1},
        }
    )
    assert found["status"] == "completed", found["error"]
    return found


def told(found: dict[str, Any]) -> dict[str, set[str]]:
    return {tensor["name"]: set(tensor["causes"]) for tensor in found["forecast"]["tensors"]}


def seen(found: dict[str, Any]) -> dict[str, set[str]]:
    return {t["name"]: {c["cause"] for c in t["causes"]} for t in found["tensors"] if t["frozen_steps"]}


def warned(found: dict[str, Any]) -> dict[str, list[str]]:
    return {warning["kind"]: warning["layers"] for warning in found["forecast"]["warnings"]}


LAWFUL = [   # the other task's layer is not in the forward: what the step sees is what zero_grad left of it
    ("eval_only", "step_start", "zero", {"momentum"}),
    ("grad_zero", "step_start", "none", set()),
    ("requires_grad", "after_backward", "none", set()),
    ("no_grad", "step_start", "none", set()),
    ("requires_grad", "step_start", "never", {"stale_gradient"}),
]


@pytest.mark.parametrize(("method", "moment", "zero_grad", "causes"), LAWFUL)
def test_a_model_of_ones_own_is_tried_with_the_inputs_of_its_own_data_in_each_task(
    code: Path, method: str, moment: str, zero_grad: str, causes: set[str]
) -> None:
    freeze = {"method": method, "moment": moment, "task": TASKS}
    found = run(code, "two", "tasks", freeze, {**ADAM, "zero_grad": zero_grad}, 12)
    assert told(found) == seen(found) == dict.fromkeys(("h1.weight", "h1.bias", "h2.weight", "h2.bias"), causes)
    assert found["forecast"]["disagreements"] == []
    assert not {"frozen_in_the_middle", "upstream_cut"} & warned(found).keys()
    assert found["forecast"]["cost"]["free"]["flops"] > 0


@pytest.mark.parametrize(("method", "moment", "zero_grad", "causes"), LAWFUL)
def test_where_the_data_cannot_be_looked_at_nothing_is_sure_of_what_depends_on_them(
    code: Path, method: str, moment: str, zero_grad: str, causes: set[str]
) -> None:
    freeze = {"method": method, "moment": moment, "task": TASKS}
    found = run(code, "two", "tasks_stream", freeze, {**ADAM, "zero_grad": zero_grad}, 12)
    assert all(forecast <= causes for forecast in told(found).values())
    assert found["forecast"]["disagreements"] == []
    assert not {"frozen_in_the_middle", "upstream_cut"} & warned(found).keys()


@pytest.mark.parametrize("data", ["tokens", "tokens_stream"])
def test_tokens_of_any_length_are_tried_as_whole_numbers(code: Path, data: str) -> None:
    found = run(code, "attention", data, {"layers": ["att.out_proj"], "method": "no_grad"}, ADAM)
    sure = {"gradient"} if data == "tokens" else set()   # attention uses the weight without calling the layer
    assert told(found)["att.out_proj.weight"] == sure
    assert seen(found)["att.out_proj.weight"] == {"gradient"}
    assert found["forecast"]["disagreements"] == []
    assert "upstream_cut" not in warned(found)


@pytest.mark.parametrize("data", ["tasks", "floats", "tasks_stream", "floats_stream"])
def test_a_task_that_never_comes_is_told_before_the_run_or_else_after_it(code: Path, data: str) -> None:
    found = run(code, "two", data, {"task": [{"task": "t9", "layers": ["h1"]}]}, ADAM)
    (warning,) = (w for w in found["forecast"]["warnings"] if w["kind"] == "never_in_effect")
    assert warning["layers"] == ["h1"]
    verb = "came" if data.endswith("stream") else "comes"
    others = "only of t1, t2" if data.startswith("tasks") else "and the data name no task"
    assert f"no step of task t9 {verb}, {others}." in warning["text"]


def test_a_task_that_came_late_is_not_missed(code: Path) -> None:
    found = run(code, "two", "tasks_stream", {"task": [{"task": "t2", "layers": ["h1"]}]}, ADAM)
    assert "never_in_effect" not in warned(found)


def test_a_step_of_half_precision_may_be_lost_in_a_weight_of_one(code: Path) -> None:
    freeze = {"layers": ["norm"], "moment": "after_backward", "from_step": 2}
    for optimizer in ({"name": "SGD", "lr": 1e-4}, {"name": "SGD", "lr": 2.0}):
        found = run(code, "norm_bf16", "bf16", freeze, optimizer)
        assert found["forecast"]["disagreements"] == []
    # half an ULP below 1 is 2e-3: the small rate moves nothing, and SGD says nothing of how large a step is
    assert told(run(code, "norm_bf16", "bf16", freeze, {"name": "SGD", "lr": 1e-4}))["norm.weight"] == set()
    large = run(code, "norm_bf16", "bf16", freeze, {"name": "Adam", "lr": 0.1})
    assert told(large)["norm.weight"] == seen(large)["norm.weight"] == {"gradient"}


@pytest.mark.parametrize(
    ("window", "sure"), [({}, True), ({"from_step": 3}, False), ({"moment": "after_backward"}, False)]
)
def test_rows_that_training_has_cut_already_may_stay(code: Path, window: dict[str, Any], sure: bool) -> None:
    found = run(code, "table", "tokens", {"layers": ["emb"], "method": "grad_none", **window}, ADAM)
    assert told(found)["emb.weight"] == ({"forward_write"} if sure else set())
    assert found["forecast"]["disagreements"] == []


def test_neighbours_in_one_memory_do_not_move_each_other(code: Path) -> None:
    found = run(code, "slices", "floats", {"layers": ["a", "c"], "method": "grad_none"}, ADAM)
    assert told(found) == seen(found) == {"a.weight": set(), "c.weight": {"shared_storage"}}


def test_a_phase_of_no_length_and_rates_that_overlap_are_told(code: Path) -> None:
    empty = run(code, "two", "floats", {"phase": [{"layers": ["h1"], "from": 3, "to": 3}]}, ADAM)
    assert warned(empty)["never_in_effect"] == ["h1"]
    nothing = run(code, "two", "floats", {"phase": [{"layers": []}, {"layers": ["h1"]}]}, ADAM)
    assert warned(nothing)["never_in_effect"] == []
    phases = [{"layers": ["h1"], "to": 2, "lr_factor": 0.5}, {"layers": ["h1", "h2"], "from": 4, "lr_factor": 0.1}]
    assert warned(run(code, "two", "floats", {"phase": phases}, ADAM))["rates_overlap"] == ["h1"]
    same = [{**phase, "lr_factor": 0.5} for phase in phases]
    assert "rates_overlap" not in warned(run(code, "two", "floats", {"phase": same}, ADAM))
