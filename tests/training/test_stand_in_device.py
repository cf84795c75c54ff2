"""The stand-in for a CUDA device refuses and counts what the tests on it rely on."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from tests.support.stand_in_device import DEVICE, StandInDevice, is_there

ON_IT = [
    lambda there: there + there,
    lambda there: there + torch.tensor(2.0),   # a single number of the machine goes along
    lambda there: torch.zeros_like(there),
    lambda there: torch.ones(3, device=DEVICE),
    lambda there: there[torch.tensor([0, 2], device="cpu").to(DEVICE, non_blocking=True)],
    lambda there: torch._foreach_norm([there, there])[1],
    lambda there: there.detach().view(3, 1),
    lambda there: there.to(torch.float64),
]

WAITS: list[tuple[Callable[[Tensor], object], int]] = [
    (lambda there: there.sum(), 0),
    (lambda there: there.sum().item(), 1),
    (lambda there: float(there[0]), 1),
    (lambda there: bool(there.any()), 1),
    (lambda there: there.tolist(), 1),
    (lambda there: there.cpu(), 1),
    (lambda there: there.to("cpu", non_blocking=True), 0),
    (lambda there: torch.ones(3).to(DEVICE), 1),
    (lambda there: torch.ones(3).to(DEVICE, non_blocking=True), 0),
    (lambda there: torch.tensor([1.0, 2.0], device=DEVICE), 1),
    (lambda there: torch.zeros(2, device=DEVICE), 0),
    (lambda there: torch.equal(there, there), 1),
    (lambda there: there.nonzero(), 1),
    (lambda there: there[there > 1], 1),
    (lambda there: there.copy_(torch.ones(3)), 1),
    (lambda there: there.copy_(there.clone()), 0),
    (lambda there: torch.ones(3).copy_(there), 1),
]

REFUSED: list[Callable[[Tensor], object]] = [
    lambda there: there + torch.ones(3),
    lambda there: torch.stack([there.sum(), torch.tensor(1.0)]),
    lambda there: torch.cat([there, torch.ones(3)]),
    lambda there: torch._foreach_sub([there], [torch.ones(3)]),
    lambda there: nn.functional.linear(there, torch.ones(2, 3)),
    lambda there: there.numpy(),
]


@pytest.mark.parametrize("action", ON_IT)
def test_what_comes_of_a_tensor_on_the_device_is_there_too(action: Callable[[Tensor], Tensor]) -> None:
    device = StandInDevice()
    with device.there():
        found = action(torch.arange(3.0).to(DEVICE))
        assert is_there(found)
        assert (found.device, found.is_cuda, found.is_cpu) == (DEVICE, True, False)
        here = found.cpu()
        assert (here.device.type, here.is_cuda, here.is_cpu) == ("cpu", False, True)


@pytest.mark.parametrize(("action", "waits"), WAITS)
def test_what_waits_for_the_device_is_counted(action: Callable[[Tensor], object], waits: int) -> None:
    device = StandInDevice()
    with device.there():
        there = torch.arange(3.0).to(DEVICE)
        with device.counted() as found:
            action(there)
    assert len(found) == waits, found


@pytest.mark.parametrize("action", REFUSED)
def test_what_is_on_two_sides_is_refused(action: Callable[[Tensor], object]) -> None:
    with StandInDevice().there():
        there = torch.arange(3.0).to(DEVICE)
        with pytest.raises((RuntimeError, TypeError), match="cuda:0"):
            action(there)


def test_gradients_of_what_is_on_the_device_are_there() -> None:
    with StandInDevice().there():
        layer = nn.Linear(3, 2).to(DEVICE)
        layer(torch.ones(4, 3).to(DEVICE)).sum().backward()
        assert all(p.grad is not None and is_there(p.grad) and p.is_cuda for p in layer.parameters())
        torch.optim.SGD(layer.parameters(), 0.1).step()
        assert is_there(layer.weight)
        assert layer.bias.cpu().shape == (2,)


def test_a_mark_is_read_only_when_the_device_came_to_it() -> None:
    with StandInDevice().there():
        begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))   # type: ignore[no-untyped-call]
        begin.record()
        end.record()
        with pytest.raises(RuntimeError, match="waited for"):
            begin.elapsed_time(end)
        end.synchronize()
        assert begin.elapsed_time(end) >= 0


def test_a_copy_for_which_nobody_waits_has_come_when_an_event_behind_it_was_waited_for() -> None:
    device = StandInDevice()
    with device.there():
        there = torch.arange(3.0).to(DEVICE)
        here, later = there.to("cpu", non_blocking=True), torch.cuda.Event()   # type: ignore[no-untyped-call]
        assert here.isnan().all()
        later.record()
        there.add_(1.0)
        with device.counted() as waits:
            later.synchronize()
        assert here.tolist() == [0.0, 1.0, 2.0]
        assert waits == []


def test_an_event_with_nothing_behind_it_is_a_wait_once() -> None:
    device = StandInDevice()
    with device.there():
        event = torch.cuda.Event()   # type: ignore[no-untyped-call]
        torch.arange(3.0).to(DEVICE).add_(1.0)
        event.record()
        with device.counted() as waits:
            event.synchronize()
            event.synchronize()
    assert len(waits) == 1
