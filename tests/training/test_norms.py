"""Both ways of adding up squares, on the CPU, against float64; the one for devices runs everywhere."""

from __future__ import annotations

import math
import tracemalloc
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from freeze_gui.training.norms_on_device import NormsOnDevice
from freeze_gui.training.norms_on_host import NormsOnHost

ENGINES: list[Any] = [NormsOnHost, NormsOnDevice]
SHAPES = [(1,), (256,), (3, 5, 3, 3), (700, 300), (512, 257), (1100, 256), (64, 64, 9, 9)]


def added_up(norms: Any, still: np.ndarray) -> np.ndarray:
    """Return the sums of squares, as a loop that waits for nothing gets them."""
    numbers = norms.measure(still)
    found: np.ndarray = norms.squares(() if numbers is None else numbers.tolist())
    return found


def wide(tensor: torch.Tensor) -> torch.Tensor:
    return (torch.view_as_real(tensor) if tensor.is_complex() else tensor).detach().double()


def squares64(*pairs: tuple[torch.Tensor, torch.Tensor | float]) -> list[float]:
    return [float((wide(a) - (wide(b) if isinstance(b, torch.Tensor) else b)).square().sum()) for a, b in pairs]


def parameters(dtype: torch.dtype = torch.float32) -> list[nn.Parameter]:
    torch.manual_seed(3)
    found = [nn.Parameter(torch.randn(shape, dtype=dtype)) for shape in SHAPES]
    found[-1].data = found[-1].data.contiguous(memory_format=torch.channels_last)
    return found


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16, torch.complex64])
@pytest.mark.parametrize("engine", ENGINES)
def test_sums_of_squares_are_those_of_float64(engine: Any, dtype: torch.dtype) -> None:
    own = parameters(dtype)
    start = [p.detach().clone() for p in own]
    norms = engine(own)
    for step in range(3):
        before = [p.detach().clone() for p in own]
        for at, p in enumerate(own):
            p.grad = None if at in (step, step + 3) else torch.randn_like(p)
            p.data += 0.01 * torch.randn_like(p)
        norms.look_at_gradients()
        found = added_up(norms, np.zeros(len(own), bool))
        grads = [0.0 if p.grad is None else squares64((p.grad, 0.0))[0] for p in own]
        np.testing.assert_allclose(found[0], grads, 2e-6)
        np.testing.assert_allclose(found[1], squares64(*zip(own, before, strict=True)), 2e-6)
        np.testing.assert_allclose(found[2], squares64(*zip(own, start, strict=True)), 2e-6)


@pytest.mark.parametrize("engine", ENGINES)
def test_what_holds_still_has_no_update_and_keeps_its_distance(engine: Any) -> None:
    own = parameters()
    norms = engine(own)
    moving = np.zeros(len(own), bool)
    for p in own:
        p.data += 0.1
    distance = added_up(norms, moving)[2]
    still = ~moving
    still[3] = False
    own[3].data += 0.1
    found = added_up(norms, still)
    assert found[1].nonzero()[0].tolist() == [3]
    assert np.delete(found[2], 3).tolist() == np.delete(distance, 3).tolist()
    own[4].data += 0.1   # and when it moves again, from where it stood
    own[0].data += 0.1
    found = added_up(norms, moving)
    np.testing.assert_allclose(found[1, [0, 4]], [0.01 * own[0].numel(), 0.01 * own[4].numel()], 1e-5)


@pytest.mark.parametrize("engine", ENGINES)
def test_steps_between_are_no_part_of_the_update(engine: Any) -> None:
    own = parameters()
    norms = engine(own)
    for p in own:
        p.data += 1.0
    norms.remember()
    for p in own:
        p.data += 2.0
    found = added_up(norms, np.zeros(len(own), bool))
    np.testing.assert_allclose(found[1], [4.0 * p.numel() for p in own], 1e-5)
    np.testing.assert_allclose(found[2], [9.0 * p.numel() for p in own], 1e-5)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("size", [7, 300 * 256])
@pytest.mark.parametrize("value", [1e-38, 1e-30, 1e30])
def test_squares_beyond_float32_are_not_lost(engine: Any, size: int, value: float) -> None:
    own = [nn.Parameter(torch.zeros(size))]
    norms = engine(own)
    own[0].grad = torch.full((size,), value)
    own[0].data.fill_(value)
    norms.look_at_gradients()
    found = added_up(norms, np.zeros(1, bool))
    truth = math.sqrt(size) * float(torch.tensor(value).double())
    np.testing.assert_allclose(np.sqrt(found[:, 0]), truth, 1e-6)
    own[0].data.fill_(3 * value)
    norms.look_at_gradients()
    found = added_up(norms, np.zeros(1, bool))
    np.testing.assert_allclose(np.sqrt(found[:, 0]), [truth, 2 * truth, 3 * truth], 1e-6)


@pytest.mark.parametrize("engine", ENGINES)
def test_the_few_rows_of_an_embedding_that_have_a_gradient_are_seen_among_zeros_however_small(engine: Any) -> None:
    own = [nn.Parameter(torch.zeros(3000, 100))]
    norms = engine(own)
    own[0].grad = torch.zeros(3000, 100)
    for row, value in ((7, 1e-30), (2700, 2e-30), (2999, 3e-30)):
        own[0].grad[row] = value
        own[0].data[row] = -value
    norms.look_at_gradients()
    found = added_up(norms, np.zeros(1, bool))
    np.testing.assert_allclose(np.sqrt(found[:, 0]), 1e-30 * math.sqrt(100 * (1 + 4 + 9)), 1e-6)


@pytest.mark.parametrize("with_updates", [True, False])
def test_two_copies_are_kept_beside_a_few_megabytes_and_one_where_updates_are_not_measured(with_updates: bool) -> None:
    own = [nn.Parameter(torch.randn(12 * 1024 * 1024)), nn.Parameter(torch.randn(7))]   # 48 MiB
    own[0].grad = torch.ones_like(own[0])
    tracemalloc.start()
    norms = NormsOnHost(own, with_updates)
    norms.look_at_gradients()
    added_up(norms, np.zeros(2, bool))
    _, most = tracemalloc.get_traced_memory()   # NumPy's arrays count
    tracemalloc.stop()
    assert 48 * (1 + with_updates) <= most / 2**20 < 48 * (1 + with_updates) + 4


@pytest.mark.parametrize("engine", ENGINES)
def test_a_parameter_whose_memory_is_another_is_read_where_it_is_now(engine: Any) -> None:
    own = parameters()
    norms = engine(own)
    still = np.zeros(len(own), bool)
    added_up(norms, still)
    for p in own:
        p.data = (p.data + 1.0).contiguous()
    found = added_up(norms, still)
    np.testing.assert_allclose(found[1], [float(p.numel()) for p in own], 1e-5)


@pytest.mark.parametrize("engine", ENGINES)
def test_a_parameter_that_is_transposed_where_it_lies_is_read_in_its_new_order(engine: Any) -> None:
    own = nn.Parameter(torch.randn(256, 256))
    norms, before = engine([own]), own.detach().clone()
    own.data = own.data.t()
    found = added_up(norms, np.zeros(1, bool))
    np.testing.assert_allclose(found[1:, 0], squares64((own, before)) * 2, rtol=1e-6)


@pytest.mark.parametrize("engine", ENGINES)
def test_a_parameter_without_numbers_may_be_the_first(engine: Any) -> None:
    own = [nn.Parameter(torch.zeros(0, 3)), nn.Parameter(torch.zeros(2))]
    norms = engine(own)
    own[1].data += 3.0
    found = added_up(norms, np.zeros(2, bool))
    np.testing.assert_allclose(found, [[0.0, 0.0], [0.0, 18.0], [0.0, 18.0]], rtol=1e-12)


@pytest.mark.parametrize("engine", ENGINES)
def test_nan_and_infinity_are_said(engine: Any) -> None:
    own = [nn.Parameter(torch.zeros(300 * 256)), nn.Parameter(torch.zeros(3))]
    norms = engine(own)
    own[0].grad, own[1].grad = torch.zeros(300 * 256), torch.zeros(3)
    own[0].grad[12345], own[1].grad[1] = float("nan"), float("inf")
    norms.look_at_gradients()
    found = added_up(norms, np.zeros(2, bool))
    assert math.isnan(found[0, 0])
    assert found[0, 1] == math.inf


@pytest.mark.parametrize("engine", ENGINES)
def test_without_a_copy_of_the_step_before_updates_are_unknown_but_of_what_holds_still(engine: Any) -> None:
    own = parameters()
    norms = engine(own, with_updates=False)
    still = np.zeros(len(own), bool)
    added_up(norms, still)
    still[4] = True
    for at, p in enumerate(own):
        p.data += 0.0 if at == 4 else 2.0
    norms.remember()
    found = added_up(norms, still)
    assert np.isnan(found[1]).tolist() == [at != 4 for at in range(len(own))]
    assert found[1, 4] == 0.0
    np.testing.assert_allclose(found[2], [0.0 if at == 4 else 4.0 * p.numel() for at, p in enumerate(own)], 1e-5)
