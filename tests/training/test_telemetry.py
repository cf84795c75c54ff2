from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import nn

from freeze_gui.training import telemetry as telemetry_module
from freeze_gui.training.events import NO_GRADIENT
from freeze_gui.training.norms_on_device import NormsOnDevice
from freeze_gui.training.norms_on_host import NormsOnHost
from freeze_gui.training.telemetry import DELTA, GRADIENT, UPDATE, Telemetry


def norm64(*tensors: torch.Tensor) -> float:
    return math.sqrt(sum(float((t.detach().double() ** 2).sum()) for t in tensors))


def measured(telemetry: Telemetry) -> np.ndarray:
    free = np.zeros(telemetry.layers, bool)
    return after_step(telemetry, free, ())


def after_step(telemetry: Telemetry, frozen: np.ndarray, leaked: tuple[int, ...]) -> np.ndarray:
    telemetry.look_at_gradients()
    numbers = telemetry.measure(frozen)
    norms = telemetry.settle(frozen, leaked, () if numbers is None else numbers.tolist())
    assert norms is not None
    return norms


def test_norms_of_odd_sizes_and_layouts_are_those_of_float64() -> None:
    torch.manual_seed(0)
    layers = [nn.Linear(300, 257), nn.Conv2d(3, 5, 3).to(memory_format=torch.channels_last), nn.LayerNorm(1)]
    start = [[p.detach().clone() for p in layer.parameters()] for layer in layers]
    telemetry = Telemetry(layers)
    for _ in range(3):
        before = [[p.detach().clone() for p in layer.parameters()] for layer in layers]
        for layer in layers:
            for p in layer.parameters():
                p.grad = torch.randn_like(p)
                p.data += 0.01 * torch.randn_like(p)
        norms = measured(telemetry)
        for row, layer in enumerate(layers):
            own = list(layer.parameters())
            np.testing.assert_allclose(norms[GRADIENT, row], norm64(*[p.grad for p in own if p.grad is not None]), 1e-6)
            for metric, since in ((UPDATE, before[row]), (DELTA, start[row])):
                truth = norm64(*[p.detach() - s for p, s in zip(own, since, strict=True)])
                np.testing.assert_allclose(norms[metric, row], truth, 1e-6)


def test_a_layer_of_ten_million_weights_is_within_a_millionth_of_float64() -> None:
    layer = nn.Linear(2500, 4000, bias=False)
    telemetry = Telemetry([layer])
    layer.weight.grad = torch.full_like(layer.weight, 0.1)
    start = layer.weight.detach().clone()
    with torch.no_grad():
        layer.weight.add_(0.001)
    norms = measured(telemetry)
    assert norms[GRADIENT, 0] == pytest.approx(norm64(layer.weight.grad), rel=1e-6)
    assert norms[DELTA, 0] == pytest.approx(norm64(layer.weight.detach() - start), rel=1e-6)


def test_no_gradient_zero_gradient_and_tiny_gradient_are_three_things() -> None:
    layers = [nn.Linear(4, 4, bias=False) for _ in range(3)]
    telemetry = Telemetry(layers)
    layers[1].weight.grad = torch.zeros(4, 4)
    layers[2].weight.grad = torch.full((4, 4), 1e-30)
    norms = measured(telemetry)
    assert norms[GRADIENT, 0] == NO_GRADIENT
    assert norms[GRADIENT, 1] == 0.0
    assert norms[GRADIENT, 2] == pytest.approx(4e-30, rel=1e-6)


def test_one_parameter_without_gradient_does_not_hide_the_other() -> None:
    layer = nn.Linear(3, 2)
    telemetry = Telemetry([layer])
    layer.bias.grad = torch.tensor([3.0, 4.0])
    assert measured(telemetry)[GRADIENT, 0] == pytest.approx(5.0, rel=1e-6)


def test_an_old_gradient_does_not_show_through_once_it_is_gone() -> None:
    layer = nn.Linear(3, 2)
    telemetry = Telemetry([layer])
    layer.weight.grad, layer.bias.grad = torch.ones(2, 3), torch.tensor([3.0, 4.0])
    measured(telemetry)
    layer.weight.grad = None
    assert measured(telemetry)[GRADIENT, 0] == pytest.approx(5.0, rel=1e-6)


def test_a_huge_gradient_is_not_infinite_and_nan_stays_nan() -> None:
    layers = [nn.Linear(2, 1, bias=False) for _ in range(2)]
    telemetry = Telemetry(layers)
    layers[0].weight.grad = torch.tensor([[3e30, 4e30]])
    layers[1].weight.grad = torch.tensor([[float("nan"), 1.0]])
    norms = measured(telemetry)
    assert norms[GRADIENT, 0] == pytest.approx(5e30, rel=1e-6)
    assert math.isnan(norms[GRADIENT, 1])


def test_a_weight_that_moved_by_one_ulp_has_an_update_and_one_that_did_not_has_none() -> None:
    layers = [nn.Linear(1, 1, bias=False) for _ in range(2)]
    with torch.no_grad():
        for layer in layers:
            layer.weight.fill_(1e-30)
    telemetry = Telemetry(layers)
    with torch.no_grad():
        layers[0].weight.copy_(torch.nextafter(layers[0].weight, torch.ones(1, 1)))
    moved = float(layers[0].weight.detach().double()) - float(torch.tensor(1e-30).double())
    norms = measured(telemetry)
    assert norms[UPDATE, 0] == pytest.approx(moved, rel=1e-6)
    assert norms[UPDATE, 1] == 0.0


def test_a_tied_parameter_counts_in_each_of_its_layers() -> None:
    a, b = nn.Linear(3, 3, bias=False), nn.Linear(3, 3, bias=False)
    b.weight = a.weight
    telemetry = Telemetry([a, b])
    a.weight.grad = torch.full((3, 3), 2.0)
    norms = measured(telemetry)
    assert norms[GRADIENT].tolist() == pytest.approx([6.0, 6.0], rel=1e-6)


def test_a_layer_without_parameters_has_no_gradient_and_no_distance() -> None:
    norms = measured(Telemetry([nn.BatchNorm1d(3, affine=False), nn.Linear(2, 2)]))
    assert norms[:, 0].tolist() == [NO_GRADIENT, 0.0, 0.0]


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64, torch.complex64])
def test_other_number_formats_are_measured_too(dtype: torch.dtype) -> None:
    layer = nn.Linear(8, 8, bias=False, dtype=dtype)
    telemetry = Telemetry([layer])
    layer.weight.grad = torch.full_like(layer.weight, 0.5)
    assert measured(telemetry)[GRADIENT, 0] == pytest.approx(4.0, rel=1e-6)


@pytest.mark.parametrize("engine", [NormsOnHost, NormsOnDevice])
@pytest.mark.parametrize("size", [256, 2])   # what is large and holds still is not read
def test_a_layer_that_was_frozen_is_measured_again_as_soon_as_it_moved(
    size: int, engine: type, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(telemetry_module, "NormsOnHost", engine)
    layers = [nn.Linear(size, 100, bias=False) for _ in range(3)]
    telemetry = Telemetry(layers)
    frozen, free = np.array([True, True, False]), np.zeros(3, bool)

    def step(moving: tuple[int, ...], mask: np.ndarray, leaked: tuple[int, ...]) -> np.ndarray:
        with torch.no_grad():
            for row in moving:
                layers[row].weight += 0.5
        return after_step(telemetry, mask, leaked)

    length = 0.5 * math.sqrt(100 * size)
    step((), frozen, ())
    np.testing.assert_allclose(step((2,), frozen, ())[UPDATE], [0, 0, length], rtol=1e-6)
    norms = step((0,), frozen, (0,))   # passed over, and leaks
    np.testing.assert_allclose(norms[UPDATE], [length, 0, 0], rtol=1e-6)
    np.testing.assert_allclose(norms[DELTA], [length, 0, length], rtol=1e-6)
    np.testing.assert_allclose(step((0, 2), frozen, (0,))[UPDATE], [length, 0, length], rtol=1e-6)
    step((), frozen, ())
    with torch.no_grad():
        layers[0].weight += 0.5
    assert telemetry.settle(frozen, (0,)) is None   # leaks in a step between, which is not measured
    telemetry.remember_weights()
    norms = step((), frozen, ())
    np.testing.assert_allclose(norms[UPDATE], 0)
    np.testing.assert_allclose(norms[DELTA], [3 * length, 0, 2 * length], rtol=1e-6)
    norms = step((0, 1), free, ())     # thawed
    np.testing.assert_allclose(norms[UPDATE], [length, length, 0], rtol=1e-6)
    np.testing.assert_allclose(norms[DELTA], [4 * length, length, 2 * length], rtol=1e-6)


@pytest.mark.parametrize("engine", [NormsOnHost, NormsOnDevice])
def test_a_large_frozen_layer_that_moves_again_has_the_update_of_all_its_numbers(
    engine: type, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(telemetry_module, "NormsOnHost", engine)
    layer = nn.Linear(331, 331, bias=False)   # 106 rows of 1,024 numbers, and a rest of 1,017
    telemetry, frozen = Telemetry([layer]), np.ones(1, bool)
    for _ in range(2):
        assert after_step(telemetry, frozen, ())[UPDATE, 0] == 0.0
    with torch.no_grad():
        layer.weight += 0.5
    norms = after_step(telemetry, frozen, (0,))
    np.testing.assert_allclose(norms[[UPDATE, DELTA], 0], 0.5 * 331, rtol=1e-6)


def test_a_large_frozen_layer_that_holds_still_is_not_read() -> None:
    layer, frozen = nn.Linear(256, 200, bias=False), np.ones(1, bool)
    telemetry = Telemetry([layer])
    after_step(telemetry, frozen, ())
    with torch.no_grad():
        layer.weight += 0.5   # past the watch, which says that it held still
    assert after_step(telemetry, frozen, ())[:, 0].tolist() == [NO_GRADIENT, 0.0, 0.0]


@pytest.mark.parametrize("size", [3, 200])
def test_a_parameter_that_the_model_puts_in_the_place_of_another_is_measured(size: int) -> None:
    layer = nn.Linear(size, size, bias=False)
    start = layer.weight.detach().clone()
    telemetry = Telemetry([layer])
    measured(telemetry)
    layer.weight = nn.Parameter(start + 1.0)
    layer.weight.grad = torch.full_like(start, 0.5)
    norms = measured(telemetry)[:, 0]
    np.testing.assert_allclose(norms[[GRADIENT, UPDATE, DELTA]], [0.5 * size, size, size], rtol=1e-6)
