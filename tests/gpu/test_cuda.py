"""The trainer's checks on CUDA; where there is no device they run on the stand-in, as far as it goes."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from typing import Any

import numpy as np
import pytest
import torch

from freeze_gui.freezing.methods import METHODS
from freeze_gui.training.checkpoint import Checkpoint
from freeze_gui.training.config import load_config
from freeze_gui.training.control import RunControl
from freeze_gui.training.events import StepDone
from freeze_gui.training.norms_on_device import NormsOnDevice
from freeze_gui.training.reading import Reading
from freeze_gui.training.stopwatch import Stopwatch
from freeze_gui.training.telemetry import DELTA, GRADIENT, UPDATE, Telemetry
from freeze_gui.training.trainer import Trainer
from tests.support.plain import LAYERS, plain_run
from tests.support.plain_amp import STEPS, plain_amp_run
from tests.support.runs import network_config, run_watched, same_bits

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.filterwarnings("default:.*does not have a deterministic implementation"),   # torch's word on a kernel
]

needs_a_real_device = pytest.mark.needs_a_real_device


@pytest.fixture(autouse=True)
def deterministic() -> Any:
    """The plain loops beside the program need the mode that the program switches on."""
    torch.use_deterministic_algorithms(True, warn_only=True)
    yield
    torch.use_deterministic_algorithms(False)


def on_cuda(method: str, optimizer: dict[str, Any], freeze: dict[str, Any], **train: Any) -> dict[str, Any]:
    config = network_config(method, optimizer, freeze, **train)
    config["train"]["device"] = "cuda"
    return config


@pytest.mark.parametrize(("optimizer", "hyper"), [
    ("SGD", {"lr": 0.01}), ("Adam", {"lr": 0.01}), ("AdamW", {"lr": 0.01, "fused": True}),
    ("SGD", {"lr": 0.01, "momentum": 0.9, "fused": True}),
], ids=str)  # fmt: skip
@pytest.mark.parametrize("method", METHODS)
def test_a_run_has_the_bits_and_norms_of_a_plain_pytorch_loop(
    method: str, optimizer: str, hyper: dict[str, Any]
) -> None:
    plain = plain_run(method, optimizer, hyper, window=(5, 14), device="cuda")
    config = on_cuda(method, {"name": optimizer, **hyper}, {"from_step": 5, "to_step": 14})
    states, _, recorder = run_watched(config)
    assert all(same_bits(ours, theirs) for ours, theirs in zip(states, plain.states, strict=True))
    for row, layer in enumerate(LAYERS):
        ours = recorder.summary()["layers"][row]
        grads = [norms[layer] for norms in plain.grad_norms]
        assert [norm is None for norm in ours["grad_norm"]] == [norm is None for norm in grads]
        for metric, truth in (("update_norm", plain.update_norms), ("weight_delta", plain.weight_deltas)):
            np.testing.assert_allclose(ours[metric], [norms[layer] for norms in truth], rtol=1e-5)


@pytest.mark.parametrize("method", METHODS)
def test_the_same_configuration_gives_the_same_bits_twice(method: str) -> None:
    config = {
        "model": {"source": "builtin:digits-cnn"},
        "freeze": {"layers": ["stem", "blocks.0"], "method": method},
        "train": {"steps": 20, "device": "cuda", "measure_every": 1},
    }
    first, second = run_watched(config)[0], run_watched(config)[0]
    assert all(same_bits(a, b) for a, b in zip(first, second, strict=True))


@pytest.mark.parametrize("amp", ["bf16", "fp16"])
@pytest.mark.parametrize("clip", [None, 0.2])
def test_mixed_precision_has_the_bits_of_the_plain_loop(amp: str, clip: float | None) -> None:
    train: dict[str, Any] = {"amp": amp, "steps": STEPS} | ({} if clip is None else {"clip_grad_norm": clip})
    states, _, recorder = run_watched(on_cuda("grad_none", {"name": "SGD", "lr": 0.1}, {}, **train))
    assert recorder.status == "completed", recorder.ended
    plain = plain_amp_run(amp, clip, drop_frozen=True, device="cuda")
    assert all(same_bits(ours, theirs) for ours, theirs in zip(states, plain, strict=True))


@pytest.mark.parametrize("optimizer", [{"name": "Adam"}, {"name": "AdamW", "fused": True}, {"name": "SGD", "lr": 0.1}])
def test_a_resumed_run_has_the_bits_of_one_that_was_never_left(optimizer: dict[str, Any]) -> None:
    config = load_config(on_cuda("exclude", optimizer, {"from_step": 3, "to_step": 11}, amp="fp16", steps=14))
    last = last_checkpoint(Trainer(config))
    for steps in range(1, 13):
        control = RunControl()
        trainer = Trainer(config, control)
        for event in trainer.events():
            if isinstance(event, StepDone) and event.step == steps - 1:
                control.stop()
        checkpoint = trainer.checkpoint()
        assert checkpoint is not None
        assert checkpoint.step in (steps, steps + 1)   # told when the next one was taken
        ended = last_checkpoint(Trainer(config, None, checkpoint))
        assert all(torch.equal(value, last.tensors[name]) for name, value in ended.tensors.items())


def last_checkpoint(trainer: Trainer) -> Checkpoint:
    """Run to the end and return how the run stands then."""
    steps = [event.step for event in trainer.events() if isinstance(event, StepDone)]
    assert steps[-1] == 13
    found = trainer.checkpoint()
    assert found is not None
    return found


@needs_a_real_device
def test_the_time_of_queued_work_is_that_of_the_device() -> None:
    device = torch.device("cuda:0")
    watch, a = Stopwatch(device), torch.randn(4096, 4096, device=device)
    torch.cuda.synchronize()
    asked_for = time.perf_counter()
    begin = watch.mark()
    for _ in range(50):
        a = a @ a
        a /= a.norm()
    end = watch.mark()
    asked_for = time.perf_counter() - asked_for
    torch.cuda.synchronize()
    assert watch.total([(begin, end)]) > asked_for   # asking is quick, working is not
    assert watch.total([(begin, begin)]) == 0.0


def test_norms_of_a_large_layer_are_within_a_millionth_of_float64() -> None:
    layer = torch.nn.Linear(4096, 8192, device="cuda")
    telemetry = Telemetry([layer])
    start = layer.weight.detach().clone()
    layer.weight.grad, layer.bias.grad = torch.randn_like(layer.weight), torch.zeros_like(layer.bias)
    with torch.no_grad():
        layer.weight.add_(torch.randn_like(layer.weight), alpha=0.01)
    telemetry.look_at_gradients()
    numbers = telemetry.measure(np.zeros(1, bool))
    assert numbers is not None
    norms = telemetry.settle(np.zeros(1, bool), (), numbers.tolist())
    assert norms is not None
    change = float((layer.weight.detach() - start).double().norm())
    assert norms[GRADIENT, 0] == pytest.approx(float(layer.weight.grad.double().norm()), rel=1e-6)
    assert norms[UPDATE, 0] == pytest.approx(change, rel=1e-6)
    assert norms[DELTA, 0] == pytest.approx(change, rel=1e-6)


def test_running_out_of_device_memory_ends_the_run_with_its_own_status(tmp_path: Any) -> None:
    path = tmp_path / "net.py"
    path.write_text(
        "import torch\n"
        "class Net(torch.nn.Linear):\n"
        "    def forward(self, x):\n"
        "        return super().forward(x) + torch.empty(1 << 50, device=x.device).sum()\n"
        "def build():\n"
        "    return Net(6, 3)\n"
    )
    config = on_cuda("requires_grad", {"name": "SGD"}, {"layers": []})
    config["model"]["source"] = f"file:{path}:build"
    assert run_watched(config)[2].status == "out_of_memory"


@pytest.mark.parametrize("norm", ["eval", "leave"])
@pytest.mark.parametrize("layers", [[], ["stem", "blocks.0"]])
def test_no_step_waits_for_the_device_where_torch_raises_at_every_wait(layers: list[str], norm: str) -> None:
    """Under the policy "leave" the statistics of frozen norm layers move, which is told without a wait as well."""
    config = {
        "model": {"source": "builtin:digits-cnn"},
        "freeze": {"layers": layers, "method": "grad_none", "norm": norm},
        "train": {"steps": 12, "device": "cuda", "measure_every": 1, "eval_every": 10**6},
    }
    assert len(leaks_under_error_mode(config)) == (12 if layers and norm == "leave" else 0)


@pytest.mark.parametrize(("method", "optimizer", "stop"), [
    ("grad_zero", {"name": "AdamW"}, None),
    ("grad_zero", {"name": "AdamW", "fused": True}, 9),
    ("grad_zero", {"name": "SGD", "lr": 0.01, "momentum": 0.9, "weight_decay": 0.1}, 9),
    ("lr_zero", {"name": "Rprop"}, None),
    ("requires_grad", {"name": "SGD", "lr": 0.01, "zero_grad": "never"}, 9),
    ("eval_only", {"name": "Adam"}, 9),
], ids=str)  # fmt: skip
def test_no_step_in_which_a_leak_goes_on_waits_where_torch_raises_at_every_wait(
    method: str, optimizer: dict[str, Any], stop: int | None
) -> None:
    """Its first move is told before; a thaw waits for nothing, either."""
    freeze = {"layers": ["stem", "blocks.0"], "method": method, "norm": "eval", "from_step": 1, "to_step": stop}
    config = {
        "model": {"source": "builtin:digits-cnn"},
        "freeze": {key: value for key, value in freeze.items() if value is not None},
        "optimizer": optimizer,
        "train": {"steps": 12, "device": "cuda", "measure_every": 1, "eval_every": 10**6},
    }
    assert leaks_under_error_mode(config) == list(range(1, stop or 12))


def leaks_under_error_mode(config: dict[str, Any]) -> list[int]:
    """Take 12 steps, from the fifth on where torch raises at every wait; return those in which something moved."""
    steps = (event for event in Trainer(load_config(config)).events() if isinstance(event, StepDone))
    told = [next(steps) for _ in range(4)]   # what has not moved before is looked at when it does
    torch.cuda.set_sync_debug_mode("error")
    try:
        told += [next(steps) for _ in range(7)]   # the last one has the end of the run behind it
    finally:
        torch.cuda.set_sync_debug_mode("default")
    told += steps
    assert [event.step for event in told] == list(range(12))
    return [event.step for event in told if event.leaked]


@needs_a_real_device
def test_numbers_on_their_way_lie_in_pinned_memory_and_come_in_parts() -> None:
    one, more = torch.ones(1, device="cuda"), torch.arange(3.0, device="cuda", dtype=torch.float64)
    reading = Reading(one, None, more)
    assert reading._numbers.is_pinned()
    assert reading.read() == (1.0, [[], [0.0, 1.0, 2.0]])


def test_the_error_mode_of_torch_sees_the_wait_of_a_loop_that_reads_its_loss_at_once() -> None:
    loss = torch.ones(3, device="cuda").sum()
    torch.cuda.set_sync_debug_mode("error")
    try:
        with pytest.raises(RuntimeError, match="synchronizing"):
            float(loss)
    finally:
        torch.cuda.set_sync_debug_mode("default")


@needs_a_real_device
def test_the_first_thing_that_a_process_does_on_the_device_may_be_a_run() -> None:
    config = on_cuda("grad_none", {"name": "SGD", "lr": 0.1}, {}, steps=2)
    code = "import json, sys, freeze_gui; print(json.dumps(freeze_gui.run_config(json.loads(sys.argv[1]))['status']))"
    done = subprocess.run(
        [sys.executable, "-c", code, json.dumps(config)], capture_output=True, text=True, check=False
    )
    assert done.stdout.strip() == '"completed"', done.stderr


@pytest.mark.skipif(torch.cuda.device_count() < 2, reason="this machine has one CUDA device")
def test_a_run_on_another_device_leaves_the_first_one_alone() -> None:
    before = torch.cuda.memory_allocated(0)
    config = on_cuda("grad_zero", {"name": "AdamW", "lr": 0.01}, {"from_step": 5, "to_step": 14})
    config["train"]["device"] = "cuda:1"
    states, _, recorder = run_watched(config)
    assert recorder.status == "completed", recorder.ended
    assert torch.cuda.memory_allocated(0) == before
    plain = plain_run("grad_zero", "AdamW", {"lr": 0.01}, window=(5, 14), device="cuda:1")
    assert all(same_bits(ours, theirs) for ours, theirs in zip(states, plain.states, strict=True))


@pytest.mark.parametrize("with_updates", [True, False])
def test_grouped_norms_are_those_of_float64(with_updates: bool) -> None:
    torch.manual_seed(0)
    shapes = [(1,), (3, 5, 3, 3), (2500, 4000), (64, 64, 3, 3), (0,)]
    own = [torch.nn.Parameter(torch.randn(shape, device="cuda")) for shape in shapes]
    norms = NormsOnDevice(own, with_updates)
    for p in own:
        p.grad = torch.randn_like(p)
        p.data += 0.01
    assert norms.look_at_gradients() == [False] * len(own)
    numbers = norms.measure(np.zeros(len(own), bool))
    assert numbers is not None
    found = norms.squares(numbers.tolist())
    grads = [float(p.grad.double().square().sum()) for p in own if p.grad is not None]
    np.testing.assert_allclose(found[0], grads, 1e-6)
    np.testing.assert_allclose(found[2], [1e-4 * p.numel() for p in own], 1e-4)
    if with_updates:
        np.testing.assert_allclose(found[1], found[2], 1e-6)
    else:
        assert np.isnan(found[1]).all()


def test_a_frozen_buffer_that_the_model_keeps_on_the_cpu_is_watched_as_the_others(tmp_path: Any) -> None:
    (tmp_path / "net.py").write_text(
        "import torch\n"
        "from torch import nn\n"
        "class Net(nn.Module):\n"
        "    def __init__(self):\n"
        "        super().__init__()\n"
        "        self.first = nn.Linear(6, 8)\n"
        "        self.first.register_buffer('seen', torch.zeros(1))\n"
        "        self.last = nn.Linear(8, 3)\n"
        "    def forward(self, x):\n"
        "        self.first.seen = torch.ones(1)\n"
        "        return self.last(self.first(x))\n"
        "def build():\n"
        "    return Net()\n"
    )
    config = on_cuda("requires_grad", {"name": "SGD"}, {"layers": ["first"], "from_step": 3})
    config["model"]["source"] = f"file:{tmp_path / 'net.py'}:build"
    _, _, recorder = run_watched(config)
    assert recorder.status == "completed", recorder.ended
    assert not any(tensor["moved"] for tensor in recorder.summary()["tensors"])
