from __future__ import annotations

import pytest
import torch
from torch import Tensor

from freeze_gui.training.reading import Reading
from tests.support.stand_in_device import DEVICE, StandInDevice

Parts = tuple[Tensor, Tensor | None, Tensor | None]
PARTS: list[Parts] = [
    (torch.tensor(0.5), None, None),
    (torch.tensor(0.5, dtype=torch.bfloat16), torch.zeros(0), None),
    (torch.tensor(0.1, dtype=torch.float64), torch.tensor([1.0, 0.0]), torch.tensor([1e-300], dtype=torch.float64)),
]


def truth(parts: Parts) -> tuple[float, list[list[float]]]:
    return float(parts[0].double()), [[] if part is None else part.double().tolist() for part in parts[1:]]


@pytest.mark.parametrize("parts", PARTS, ids=len)
def test_each_part_comes_as_it_was_when_it_was_asked_for(parts: Parts) -> None:
    assert Reading(*parts).read() == truth(parts)


@pytest.mark.parametrize("parts", PARTS, ids=len)
def test_on_a_device_it_comes_without_a_wait_whatever_is_done_to_it_meanwhile(parts: Parts) -> None:
    device = StandInDevice()
    with device.there():
        loss, *more = (None if part is None else part.to(DEVICE, copy=True) for part in parts)
        assert loss is not None
        with device.counted() as waits:
            reading = Reading(loss, *more)
            for part in (loss, *more):
                if part is not None:
                    part.zero_()
            assert reading.read() == truth(parts)
        assert waits == []


def test_what_is_on_the_machines_side_comes_along() -> None:
    with StandInDevice().there():
        there, here = torch.tensor([0.25]).to(DEVICE), torch.tensor([1.0, 0.0])
        assert Reading(there[0], here).read() == (0.25, [[1.0, 0.0]])
        assert Reading(here[0], None, there).read() == (1.0, [[], [0.25]])
