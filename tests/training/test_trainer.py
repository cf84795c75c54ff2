from __future__ import annotations

import math
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
import torch

from freeze_gui.errors import UserError
from freeze_gui.freezing.compared import Compared
from freeze_gui.freezing.frozen_group import FrozenGroup
from freeze_gui.freezing.methods import METHODS
from freeze_gui.freezing.plan import FreezePlan, Phase
from freeze_gui.training.batches import loss_of
from freeze_gui.training.config import load_config
from freeze_gui.training.control import RunControl
from freeze_gui.training.events import Evaluated, PlanApplied, RunEnded, RunStarted, StepDone
from freeze_gui.training.loop import Loop
from freeze_gui.training.trainer import Trainer
from tests.support.plain import LAYERS, plain_run
from tests.support.runs import network_config, run_watched, same_bits

OPTIMIZERS: dict[str, dict[str, Any]] = {
    "SGD": {"lr": 0.05, "momentum": 0.9},
    "Adam": {"lr": 0.01},
}


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("method", METHODS)
def test_a_run_has_the_bits_and_norms_of_a_plain_pytorch_loop(method: str, optimizer: str) -> None:
    plain = plain_run(method, optimizer, OPTIMIZERS[optimizer], window=(5, 14))
    freeze = {"from_step": 5, "to_step": 14}
    config = network_config(method, {"name": optimizer, **OPTIMIZERS[optimizer]}, freeze)
    states, _, recorder = run_watched(config)
    assert all(same_bits(ours, theirs) for ours, theirs in zip(states, plain.states, strict=True))
    summary = recorder.summary()
    assert summary["loss"] == plain.losses
    for row, layer in enumerate(LAYERS):
        ours = summary["layers"][row]
        assert ours["path"] == layer
        grads = [norms[layer] for norms in plain.grad_norms]
        assert [norm is None for norm in ours["grad_norm"]] == [norm is None for norm in grads]
        _close([n or 0.0 for n in ours["grad_norm"]], [n or 0.0 for n in grads])
        _close(ours["update_norm"], [norms[layer] for norms in plain.update_norms])
        _close(ours["weight_delta"], [norms[layer] for norms in plain.weight_deltas])


@pytest.mark.parametrize("zero_grad", ["zero", "never"])
@pytest.mark.parametrize("after_backward", [False, True])
@pytest.mark.parametrize("method", METHODS)
def test_zero_grad_modes_and_moments_have_the_bits_of_a_plain_loop(
    method: str, after_backward: bool, zero_grad: str
) -> None:
    hyper = {"lr": 0.01, "weight_decay": 0.1}
    plain = plain_run(method, "AdamW", hyper, zero_grad=zero_grad, after_backward=after_backward, steps=16)
    freeze = {"from_step": 5, "to_step": 14, "moment": "after_backward" if after_backward else "step_start"}
    config = network_config(method, {"name": "AdamW", "zero_grad": zero_grad, **hyper}, freeze, steps=16)
    states, _, recorder = run_watched(config)
    assert all(same_bits(ours, theirs) for ours, theirs in zip(states, plain.states, strict=True))
    assert recorder.summary()["loss"] == plain.losses


def test_the_norm_policy_eval_stops_statistics_and_dropout_of_frozen_layers_only() -> None:
    plain = plain_run("requires_grad", "Adam", {"lr": 0.01}, norm="eval")
    freeze = {"from_step": 5, "to_step": 14, "norm": "eval"}
    # an evaluation in the middle of the window switches modes, and must switch them back
    config = network_config("requires_grad", {"name": "Adam", "lr": 0.01}, freeze, eval_every=3)
    states, _, _ = run_watched(config)
    assert all(same_bits(ours, theirs) for ours, theirs in zip(states, plain.states, strict=True))
    assert torch.equal(states[4]["norm.running_mean"], states[13]["norm.running_mean"])
    assert not torch.equal(states[13]["norm.running_mean"], states[14]["norm.running_mean"])


@pytest.mark.parametrize("method", METHODS)
def test_the_same_configuration_gives_the_same_bits_twice(method: str) -> None:
    config = network_config(method, {"name": "Adam"}, steps=6)
    first, _, _ = run_watched(config)
    second, _, _ = run_watched(config)
    assert all(same_bits(a, b) for a, b in zip(first, second, strict=True))


def test_another_seed_gives_other_weights() -> None:
    first, _, _ = run_watched(network_config("requires_grad", {"name": "Adam"}, steps=1))
    second, _, _ = run_watched(network_config("requires_grad", {"name": "Adam"}, steps=1, seed=1))
    assert not same_bits(first[0], second[0])


def test_events_come_in_order_and_end_with_one_end() -> None:
    config = network_config("requires_grad", {"name": "SGD"}, {"from_step": 2, "to_step": 4}, steps=6)
    _, events, recorder = run_watched(config)
    kinds = [type(event).__name__ for event in events if type(event).__name__ != "Progress"]
    assert kinds == [
        "RunStarted",
        *("PlanApplied", "StepDone", "StepDone"),
        *("PlanApplied", "StepDone", "StepDone"),
        *("PlanApplied", "StepDone", "StepDone"),
        "RunEnded",
    ]
    assert recorder.status == "completed"
    # first 6·8+8, norm 2·8, middle.0 8·8+8, last 8·3+3
    counts = [(e.step, e.trainable_parameters) for e in events if isinstance(e, PlanApplied)]
    assert counts == [(0, 171), (2, 27), (4, 171)]
    assert [layer["frozen_steps"] for layer in recorder.summary()["layers"]] == [[[2, 4]], [[2, 4]], [[2, 4]], []]


def test_stop_ends_the_run_before_its_next_step() -> None:
    control = RunControl()
    done = 0
    for event in Trainer(load_config(network_config("requires_grad", {"name": "SGD"}, steps=1000)), control).events():
        if isinstance(event, StepDone):
            done += 1
            if done == 3:
                control.stop()
    assert isinstance(event, RunEnded)
    assert (event.status, event.steps, done) == ("stopped", 3, 3)
    assert event.error is None


def test_a_plan_put_in_the_mailbox_holds_from_the_next_step() -> None:
    control = RunControl()
    config = network_config("requires_grad", {"name": "Adam"}, {"layers": []}, steps=8)
    events = []
    for event in Trainer(load_config(config), control).events():
        events.append(event)
        if isinstance(event, StepDone) and event.step == 3:
            control.submit_plan(FreezePlan((Phase(frozenset({"last"})),)))
    frozen = [event.frozen.tolist() for event in events if isinstance(event, StepDone)]
    assert frozen == [[False] * 4] * 4 + [[False, False, False, True]] * 4
    norms = [event.update_norm for event in events if isinstance(event, StepDone)]
    updates = [norm[3] for norm in norms if norm is not None]
    assert all(norm > 0 for norm in updates[:4])
    assert updates[4:] == [0.0] * 4
    assert [event.step for event in events if isinstance(event, PlanApplied)] == [0, 4]


def test_a_loss_that_becomes_nan_ends_the_run_as_diverged_with_the_cure() -> None:
    config = network_config("requires_grad", {"name": "SGD", "lr": 1e38}, {"layers": []}, steps=50)
    _, events, recorder = run_watched(config)
    assert recorder.status == "diverged"
    end = events[-1]
    assert isinstance(end, RunEnded)
    assert end.steps < 50
    assert "learning rate" in (end.error or "")
    assert not math.isfinite(recorder.summary()["loss"][-1])


def test_a_model_that_raises_ends_the_run_as_failed_and_says_where(tmp_path: Any) -> None:
    path = tmp_path / "net.py"
    path.write_text(
        "import torch\n"
        "class Net(torch.nn.Linear):\n"
        "    calls = 0\n"
        "    def forward(self, x):\n"
        "        self.calls += 1\n"
        "        if self.calls > 3:\n"
        "            raise ValueError('the fourth is one too many')\n"
        "        return super().forward(x)\n"
        "def build():\n"
        "    return Net(6, 3)\n"
    )
    config = network_config("requires_grad", {"name": "SGD"}, {"layers": []})
    config["model"]["source"] = f"file:{path}:build"
    _, events, recorder = run_watched(config)
    end = events[-1]
    assert isinstance(end, RunEnded)
    assert (end.status, end.steps) == ("failed", 3)
    assert end.error == "ValueError: the fourth is one too many (net.py, line 7)"
    assert len(recorder.summary()["loss"]) == 3


def test_running_out_of_memory_ends_the_run_with_its_own_status(tmp_path: Any) -> None:
    path = tmp_path / "net.py"
    path.write_text(
        "import torch\n"
        "class Net(torch.nn.Linear):\n"
        "    def forward(self, x):\n"
        "        return super().forward(x) + torch.empty(1 << 60).sum()\n"
        "def build():\n"
        "    return Net(6, 3)\n"
    )
    config = network_config("requires_grad", {"name": "SGD"}, {"layers": []})
    config["model"]["source"] = f"file:{path}:build"
    _, events, _ = run_watched(config)
    end = events[-1]
    assert isinstance(end, RunEnded)
    assert end.status == "out_of_memory"
    assert "smaller batch" in (end.error or "")


def test_freezing_everything_fails_with_the_reason_and_a_cure() -> None:
    _, events, _ = run_watched(network_config("requires_grad", {"name": "SGD"}, {"layers": ["*"], "from_step": 2}))
    end = events[-1]
    assert isinstance(end, RunEnded)
    assert (end.status, end.steps) == ("failed", 2)
    assert "grad_none" in (end.error or "")


def test_a_wrong_layer_fails_before_the_first_step() -> None:
    _, events, _ = run_watched(network_config("requires_grad", {"name": "SGD"}, {"layers": ["frist"]}))
    end = events[-1]
    assert isinstance(end, RunEnded)
    assert (end.status, end.steps) == ("failed", 0)
    assert "first" in (end.error or "")
    assert not any(isinstance(event, RunStarted) for event in events)


def test_accumulation_steps_once_for_several_batches_and_keeps_the_incomplete_last_group() -> None:
    # 7 batches: groups of 3, 3 and 1 in each of two epochs
    config = network_config("requires_grad", {"name": "SGD", "lr": 0.1}, {"layers": []}, accumulate=3)
    del config["train"]["steps"]
    config["train"]["epochs"] = 2
    states, _, recorder = run_watched(config)
    assert recorder.summary()["steps"] == 6

    from tests.support.network import batches, build

    torch.manual_seed(0)
    model = build()
    torch.manual_seed(0)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    data = batches()
    for step, group in enumerate((data[:3], data[3:6], data[6:])):
        optimizer.zero_grad()
        for x, y in group:
            (torch.nn.functional.cross_entropy(model(x), y) / len(group)).backward()   # type: ignore[no-untyped-call]
        optimizer.step()
        assert same_bits(states[step], dict(model.state_dict()))


def test_gradient_norms_are_those_in_front_of_an_optimizer_that_writes_into_them() -> None:
    norms = []
    for foreach in (False, True):   # with it, SGD adds the momentum to the gradients themselves
        optimizer = {"name": "SGD", "lr": 0.01, "momentum": 0.9, "nesterov": True, "foreach": foreach}
        summary = run_watched(network_config("requires_grad", optimizer))[2].summary()
        norms.append([[norm or 0.0 for norm in layer["grad_norm"]] for layer in summary["layers"]])
    np.testing.assert_allclose(norms[1], norms[0], rtol=1e-3)


def test_clipping_bounds_the_norm_over_all_parameters() -> None:
    config = network_config("requires_grad", {"name": "SGD"}, {"layers": []}, clip_grad_norm=1e-3)
    _, _, recorder = run_watched(config)
    grads = np.array([layer["grad_norm"] for layer in recorder.summary()["layers"]])
    np.testing.assert_allclose(np.sqrt((grads**2).sum(axis=0)), 1e-3, rtol=1e-3)


@pytest.mark.parametrize("every", [1, 3])
@pytest.mark.parametrize("method", ["requires_grad", "grad_zero", "restore", "exclude"])
def test_updates_are_the_distances_between_the_weights_that_were_seen(method: str, every: int) -> None:
    optimizer = {"name": "SGD", "lr": 0.05, "momentum": 0.9}   # grad_zero leaks by it after step 5
    window = {"from_step": 5, "to_step": 14}
    states, _, recorder = run_watched(network_config(method, optimizer, window, measure_every=every))
    summary = recorder.summary()
    measured = summary["measured_steps"]
    assert measured == list(range(0, 20, every))
    for row in summary["layers"]:
        own = [name for name in states[0] if name.rpartition(".")[0] == row["path"] and "running" not in name]
        weights = [torch.cat([state[name].double().flatten() for name in own if "num" not in name]) for state in states]
        truth = [float((weights[step] - weights[step - 1]).norm()) for step in measured if step > 0]
        np.testing.assert_allclose(row["update_norm"][measured[0] == 0 :], truth, rtol=1e-5)
        first = row["weight_delta"][0]   # ‖w₁ − w₀‖: the distances from w₁ are within it of those from w₀
        for step, delta in zip(measured, row["weight_delta"], strict=True):
            assert abs(delta - float((weights[step] - weights[0]).norm())) <= first * (1 + 1e-5)


def test_a_run_without_an_interval_is_measured_at_the_steps_of_note_and_its_verdict_at_all() -> None:
    config = network_config("grad_zero", {"name": "SGD", "lr": 0.05, "momentum": 0.9}, {"from_step": 301}, steps=420)
    del config["train"]["measure_every"]
    summary = run_watched(config)[2].summary()
    measured = summary["measured_steps"]
    assert measured[:100] == list(range(100))
    assert len(measured) < 420   # a step of so small a network is as long as its measuring
    assert {301, 419} <= set(measured)
    assert all(step % 2 == 0 for step in measured[100:] if step not in (301, 419))
    moved = next(tensor for tensor in summary["tensors"] if tensor["name"] == "first.weight")
    assert (moved["first_moved_step"], moved["causes"][0]["cause"]) == (301, "momentum")
    assert moved["moved_steps"] == moved["causes"][0]["steps"] > 2


def test_evaluation_comes_every_so_many_steps_and_at_the_end() -> None:
    config = {
        "model": {"source": "builtin:digits-cnn"},
        "train": {"steps": 5, "eval_every": 2, "device": "cpu"},
    }
    evaluated = [event for event in Trainer(load_config(config)).events() if isinstance(event, Evaluated)]
    assert [event.step for event in evaluated] == [2, 4, 5]
    assert all(event.accuracy is not None and 0 <= event.accuracy <= 1 for event in evaluated)


def test_a_pause_holds_the_run_and_a_single_step_moves_it_by_one() -> None:
    import threading
    import time

    control = RunControl()
    done: list[int] = []
    control.pause()

    def work() -> None:
        events = Trainer(load_config(network_config("requires_grad", {"name": "SGD"}, steps=5)), control).events()
        done.extend(event.step for event in events if isinstance(event, StepDone))

    def reaches(steps: int) -> bool:
        until = time.monotonic() + 10
        while len(done) < steps and time.monotonic() < until:
            time.sleep(0.005)
        return len(done) == steps

    thread = threading.Thread(target=work)
    thread.start()
    control.single_step()
    assert reaches(1)
    assert control.is_paused
    time.sleep(0.1)
    assert done == [0]
    control.single_step()
    assert reaches(2)
    control.resume()
    thread.join(10)
    assert done == [0, 1, 2, 3, 4]


def _close(ours: list[float], truth: list[float]) -> None:
    np.testing.assert_allclose(ours, truth, rtol=1e-5, atol=0)


def test_a_stop_during_an_evaluation_is_heard_at_its_next_batch(tmp_path: Any) -> None:
    path = tmp_path / "data.py"
    path.write_text(
        "import torch\n"
        "class Data(list):\n"
        "    pass\n"
        "def batches():\n"
        "    batch = (torch.zeros(4, 6), torch.zeros(4, dtype=torch.long))\n"
        "    data = Data([batch] * 5)\n"
        "    data.validation = [batch] * 1000\n"
        "    return data\n"
    )
    control = RunControl()
    config = network_config("requires_grad", {"name": "SGD"}, steps=4, eval_every=1)
    config["data"]["source"] = f"file:{path}:batches"
    events = []
    for event in Trainer(load_config(config), control).events():
        events.append(event)
        if isinstance(event, StepDone):
            control.stop()
    assert not any(isinstance(event, Evaluated) for event in events)
    assert isinstance(events[-1], RunEnded)
    assert events[-1].status == "stopped"


def test_a_model_that_exits_ends_its_run_and_not_the_program(tmp_path: Any) -> None:
    path = tmp_path / "net.py"
    path.write_text(
        "import sys, torch\n"
        "class Net(torch.nn.Linear):\n"
        "    def forward(self, x):\n"
        "        sys.exit(4)\n"
        "def build():\n"
        "    return Net(6, 3)\n"
    )
    config = network_config("requires_grad", {"name": "SGD"}, {"layers": []})
    config["model"]["source"] = f"file:{path}:build"
    recorder = run_watched(config)[2]
    assert recorder.status == "failed"
    assert recorder.summary()["error"] == "SystemExit: 4 (net.py, line 4)"


@pytest.mark.parametrize("method", ["requires_grad", "detach"])
def test_batches_and_outputs_whose_class_cannot_be_looked_up_are_trained_on(method: str, tmp_path: Any) -> None:
    source = tmp_path / "graphs.py"
    source.write_text(
        "import torch\nfrom torch import nn\n"
        "class Odd(type):\n"
        "    def __eq__(cls, other):\n        return cls is other\n"
        "    def __hash__(cls):\n        raise ValueError('no hash')\n"
        "class Graph(metaclass=Odd):\n"
        "    def __init__(self, nodes):\n        self.nodes = nodes\n"
        "class Layer(nn.Linear):\n"
        "    def forward(self, graph):\n        return [Graph(super().forward(graph.nodes))]\n"
        "class Net(nn.Module):\n"
        "    def __init__(self):\n        super().__init__()\n"
        "        self.a, self.b = Layer(3, 2), nn.Linear(2, 2)\n"
        "    def forward(self, graph):\n        return self.b(self.a(graph)[0].nodes)\n"
        "def build():\n    return Net()\n"
        "def batches():\n    return [((Graph(torch.ones(4, 3)),), torch.zeros(4, dtype=torch.long))] * 2\n"
    )
    config = load_config({
        "model": {"source": f"file:{source}:build"}, "data": {"source": f"file:{source}:batches"},
        "optimizer": {"name": "SGD", "lr": 0.1}, "train": {"steps": 3},
        "freeze": {"layers": ["a"], "method": method},
    })  # fmt: skip
    ended = list(Trainer(config).events())[-1]
    assert isinstance(ended, RunEnded)
    assert (ended.status, ended.steps, ended.error) == ("completed", 3, None)


def test_a_run_leaves_the_random_numbers_of_its_caller_alone() -> None:
    torch.manual_seed(11)
    expected = torch.rand(3)
    torch.manual_seed(11)
    run_watched(network_config("requires_grad", {"name": "SGD"}, steps=2))
    assert torch.equal(torch.rand(3), expected)


def test_a_class_below_zero_is_named() -> None:
    with pytest.raises(UserError, match="class -1"):
        loss_of("cross_entropy", torch.zeros(2, 3), torch.tensor([1, -1]), torch.device("cpu"))


def test_a_device_that_is_missing_is_named_as_it_was_written_and_before_anything_is_loaded() -> None:
    config = network_config("requires_grad", {"name": "SGD"})
    config["train"]["device"] = "cuda:7"
    (end,) = Trainer(load_config(config)).events()
    assert isinstance(end, RunEnded)
    assert "'cuda:7'" in (end.error or "")


def test_a_run_that_a_program_leaves_behind_at_its_end_ends_quietly() -> None:
    code = (
        "from freeze_gui.training.config import load_config\n"
        "from freeze_gui.training.trainer import Trainer\n"
        "config = {'model': {'source': 'builtin:digits-cnn'}, 'train': {'device': 'cpu'}}\n"
        "def left():\n"
        "    steps = (e for e in Trainer(load_config(config)).events() if type(e).__name__ == 'StepDone')\n"
        "    next(steps)\n"
        "    return lambda: next(steps)\n"   # in a cycle, so that it is found by the last garbage collection
        "kept = left()\n"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=100, check=False)
    assert (ended.returncode, ended.stderr) == (0, "")


@pytest.mark.parametrize("method", ["grad_zero", "requires_grad"])
def test_flags_of_what_moved_that_come_with_the_loss_as_from_a_gpu_tell_the_same(
    method: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    freeze = {"from_step": 5, "to_step": 14, "norm": "eval"}
    config = network_config(method, {"name": "SGD", "lr": 0.05, "momentum": 0.9}, freeze)
    known = run_watched(config)[2].summary()
    compare = FrozenGroup.compare

    def on_a_gpu(group: FrozenGroup) -> Compared:
        compared = compare(group)
        return compared._replace(moved=torch.tensor(compared.moved))

    monkeypatch.setattr(FrozenGroup, "compare", on_a_gpu)
    assert run_watched(config)[2].summary()["layers"] == known["layers"]
    assert any(layer["verdict"] == "leaked" for layer in known["layers"]) == (method == "grad_zero")


@pytest.mark.parametrize(("lr", "expected"), [(0.1, "failed"), (1e38, "diverged")])
def test_a_device_that_refuses_to_be_read_at_the_end_ends_a_run_as_failed_unless_it_had_ended_otherwise(
    lr: float, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(loop: Loop) -> None:
        raise RuntimeError("the device is lost")

    monkeypatch.setattr(Loop, "cost", refuse)
    config = load_config(network_config("requires_grad", {"name": "SGD", "lr": lr}, {"layers": []}, steps=6))
    end = list(Trainer(config).events())[-1]
    assert isinstance(end, RunEnded)
    assert end.status == expected
    assert end.error is not None
    assert ("the device is lost" in end.error) == (expected == "failed")
