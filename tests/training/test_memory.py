from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from freeze_gui.freezing.plan import FreezePlan, Phase
from freeze_gui.models.loaded import LoadedModel
from freeze_gui.training import loading, loop, memory
from freeze_gui.training.config import RunConfig, load_config
from freeze_gui.training.cost_forecast import StepCost
from freeze_gui.training.events import Progress, RunEnded
from freeze_gui.training.memory import DoesNotFit, MemoryForecast, forecast_memory, free_bytes, has_room_for_updates
from freeze_gui.training.norms_on_device import NormsOnDevice
from freeze_gui.training.norms_on_host import NormsOnHost
from freeze_gui.training.telemetry import bytes_held
from freeze_gui.training.trainer import Trainer
from freeze_gui.training.trials import Trials
from tests.support.runs import network_config, run_watched

CPU = torch.device("cpu")
FIRST, SECOND = 4 * (7 * 5 + 5), 4 * (5 * 3 + 3)   # bytes of the weights of two layers in float32
ROWS = 4 * 4 * 256   # four small tensors, each in a row of its own
MEASURING = 5 * ROWS   # start, before the step, and room for gradient, update and distance


def two_layers(device: str = "meta") -> LoadedModel:
    module = nn.Sequential(nn.Linear(7, 5), nn.Linear(5, 3)).to(device)
    return LoadedModel(module, "file:x.py:f", None, (7,), "mse", "random", ())


def config(**optimizer: Any) -> RunConfig:
    return load_config({"model": {"source": "builtin:digits-cnn"}, "data": {"batch_size": 2}, "optimizer": optimizer})


def plan(*phases: Phase, method: str = "requires_grad") -> FreezePlan:
    return FreezePlan(phases, method=method)


def test_an_adam_run_holds_weights_gradients_two_moments_a_count_and_the_copies() -> None:
    found = forecast_memory(config(name="Adam"), Trials(two_layers()), plan(), CPU)
    weights = FIRST + SECOND
    assert (found.weights, found.measuring, found.updates, found.holding) == (weights, MEASURING, ROWS, 0)
    assert found.step is not None
    assert found.step.gradient_bytes == weights
    assert found.step.optimizer_state_bytes == 2 * weights + 4 * 4   # a count for each of four tensors
    activations = 2 * (7 + 5) * 4 + 2 * 2 * 3 * 4   # each layer saves its input, the loss the output and its targets
    assert found.step.saved_activation_bytes == activations
    scratch = 2 * 4 * 7 * 5   # what Adam takes for a moment of the largest weight, when the activations are gone
    assert found.total == MEASURING + (1 + 1 + 2) * weights + 16 + scratch


def test_what_is_frozen_throughout_needs_no_gradient_but_a_copy_to_prove_by() -> None:
    found = forecast_memory(config(name="SGD"), Trials(two_layers()), plan(Phase(frozenset({"0"}))), CPU)
    assert found.step is not None
    assert (found.step.gradient_bytes, found.holding) == (SECOND, FIRST)


def _held(norms: Any) -> int:
    """Return the bytes of all arrays that an engine keeps, but the fixed room of a chunk and the sums of rows."""
    if isinstance(norms, NormsOnDevice):
        return sum(t.nbytes for t in (*norms._start, *(norms._previous or ())))
    small = norms._small
    arrays = [copy for parts in norms._large._chunks for chunk in parts for copy in (chunk.start, chunk.previous)]
    arrays += [small._numbers, small._start] + ([] if small._previous is None else [small._previous])
    return sum(array.nbytes for array in arrays)


@pytest.mark.parametrize("device", ["cpu", "cuda"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16, torch.complex64])
def test_what_measuring_holds_is_what_its_arrays_take(device: str, dtype: torch.dtype) -> None:
    shapes = [(300, 300), (7, 5), (1000,), (40_001,)]
    parameters = [nn.Parameter(torch.zeros(shape, dtype=dtype)) for shape in shapes]
    engine = NormsOnDevice if device == "cuda" else NormsOnHost
    taken = [_held(engine(parameters, with_updates)) for with_updates in (False, True)]
    least, updates = bytes_held(parameters, torch.device(device))
    if device == "cuda":
        least -= least // 2   # as much again for the differences of one group
    assert (least, updates) == (taken[0], taken[1] - taken[0])


def test_what_thaws_later_counts_as_training() -> None:
    found = forecast_memory(config(name="SGD"), Trials(two_layers()), plan(Phase(frozenset({"0"}), 0, 5)), CPU)
    assert found.step is not None
    assert found.step.gradient_bytes == FIRST + SECOND
    replay = 2 * FIRST   # weights and gradients, once more
    assert (found.holding, found.in_step) == (0, 2 * FIRST + replay)   # its first step is compared with a fresh one


def test_activations_are_gone_when_a_step_is_taken() -> None:
    step = StepCost(0, 500, 0, 0)
    few, many = (MemoryForecast(1000, 0, 0, step, in_step=size) for size in (400, 700))
    assert (few.total, many.total) == (1500, 1700)
    assert few.parts() == "weights 1 kB, activations 500 B"
    assert many.parts() == "weights 1 kB, copies to measure and prove by 700 B"


@pytest.mark.filterwarnings("ignore:`torch.nn.utils.weight_norm` is deprecated:FutureWarning")
def test_a_weight_that_an_older_hook_leaves_on_its_module_counts_as_well() -> None:
    trials = two_layers("cpu")
    layer = next(part for part in trials.module.modules() if isinstance(part, nn.Linear))
    size = 4 * layer.weight.numel()
    plain = forecast_memory(config(name="SGD"), Trials(trials), plan(), CPU).weights
    nn.utils.weight_norm(layer)
    lengths = 4 * dict(layer.named_parameters())["weight_g"].numel()
    assert forecast_memory(config(name="SGD"), Trials(trials), plan(), CPU).weights == plain + size + lengths


def test_weights_that_are_on_the_device_are_not_needed_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "free_bytes", lambda device: 900)
    found = forecast_memory(config(name="SGD"), Trials(two_layers("cpu")), plan(), CPU)
    assert found.allocated == FIRST + SECOND
    assert has_room_for_updates(MemoryForecast(1000, 0, 0, None, 100), CPU)
    with pytest.raises(DoesNotFit, match=r"needs 1 kB of memory, and cpu has 950 B free for it \(weights 1 kB\):"):
        has_room_for_updates(MemoryForecast(1000, 0, 0, None, 50), CPU)


def test_the_copy_that_updates_are_measured_by_gives_way_first(monkeypatch: pytest.MonkeyPatch) -> None:
    for free, roomy in ((10_000, True), (10_000 - 1, False), (8_000, False)):
        monkeypatch.setattr(memory, "free_bytes", lambda device, free=free: free)
        assert has_room_for_updates(MemoryForecast(6000, 4000, 0, None, updates=2000), CPU) is roomy
    monkeypatch.setattr(memory, "free_bytes", lambda device: 7_999)
    with pytest.raises(DoesNotFit, match=r"needs 8 kB of memory.*weights 6 kB, copies to measure and prove by 2 kB"):
        has_room_for_updates(MemoryForecast(6000, 4000, 0, None, updates=2000), CPU)


def test_a_run_without_room_for_updates_says_so_and_measures_all_else(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop, "has_room_for_updates", lambda *args: False)
    _, events, recorder = run_watched(network_config("requires_grad", {"name": "Adam"}))
    assert any(isinstance(event, Progress) and "memory is short" in event.text for event in events)
    first, head = recorder.summary()["layers"][0], recorder.summary()["layers"][-1]
    assert first["verdict"] == "held"
    assert (np.isnan(first["update_norm"][0]), set(first["update_norm"][1:])) == (True, {0.0})   # known to be still
    assert np.isnan(head["update_norm"]).all()
    assert np.isfinite(head["weight_delta"]).all()


def test_where_the_system_does_not_say_what_is_free_nothing_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "_MEMINFO", Path("/nowhere/meminfo"))
    assert free_bytes(CPU) is None
    assert has_room_for_updates(MemoryForecast(10**18, 0, 0, None), CPU)


def test_free_memory_is_read_in_kilobytes(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    file = tmp_path / "meminfo"
    file.write_text("MemTotal:       24000000 kB\nMemAvailable:   20000000 kB\n")
    monkeypatch.setattr(memory, "_MEMINFO", file)
    assert free_bytes(CPU) == 20_000_000 * 1024


def test_a_large_model_is_refused_before_its_weights_are_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (memory, loading):
        monkeypatch.setattr(module, "free_bytes", lambda device: 50_000_000)
    monkeypatch.setattr(loading, "load_model", lambda *args, **named: pytest.fail("it was loaded"))
    content = {"model": {"source": "torchvision:resnet18"}, "train": {"steps": 1, "device": "cpu"}}
    end = list(Trainer(load_config(content)).events())[-1]
    assert isinstance(end, RunEnded)
    assert (end.status, end.steps) == ("out_of_memory", 0)
    assert end.error is not None
    # 11,689,512 parameters of 4 bytes
    assert "cpu has 50 MB free for it (weights 47 MB, gradients 47 MB, optimizer state 94 MB" in end.error
    assert "choose a smaller batch" in end.error


def test_a_run_that_its_batch_makes_too_large_is_refused_before_its_first_step(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(memory, "free_bytes", lambda device: 100)
    monkeypatch.setattr(loop.Loop, "step", lambda *args: pytest.fail("a step was taken"))
    end = list(Trainer(load_config(network_config("requires_grad", {"name": "Adam"}))).events())[-1]
    assert isinstance(end, RunEnded)
    assert (end.status, end.steps) == ("out_of_memory", 0)
