from __future__ import annotations

import pytest
import torch
from torch import Tensor

from freeze_gui.training.reading import Reading
from tests.support.stand_in_device import DEVICE, StandInDevice

PARTS: list[tuple[Tensor | None, ...]] = [
    (torch.tensor([0.5]), None, None),
    (torch.tensor([0.5], dtype=torch.bfloat16), torch.zeros(0), None),
    (torch.tensor([0.1], dtype=torch.float64), torch.tensor([1.0, 0.0]), torch.tensor([1e-300], dtype=torch.float64)),
]


def truth(parts: tuple[Tensor | None, ...]) -> list[list[float]]:
    return [[] if part is None else part.double().tolist() for part in parts]


@pytest.mark.parametrize("parts", PARTS, ids=len)
def test_each_part_comes_as_it_was_when_it_was_asked_for(parts: tuple[Tensor | None, ...]) -> None:
    assert Reading(parts).read() == truth(parts)


@pytest.mark.parametrize("parts", PARTS, ids=len)
def test_on_a_device_it_comes_without_a_wait_whatever_is_done_to_it_meanwhile(parts: tuple[Tensor | None, ...]) -> None:
    device = StandInDevice()
    with device.there():
        there = [None if part is None else part.to(DEVICE, copy=True) for part in parts]
        with device.counted() as waits:
            reading = Reading(there)
            for part in there:
                if part is not None:
                    part.zero_()
            assert reading.read() == truth(parts)
        assert waits == []


def test_what_is_on_the_machines_side_comes_along() -> None:
    with StandInDevice().there():
        loss, here = torch.tensor([0.25]).to(DEVICE), torch.tensor([1.0, 0.0])
        assert Reading((loss, here)).read() == [[0.25], [1.0, 0.0]]
        assert Reading((here, None, loss)).read() == [[1.0, 0.0], [], [0.25]]
