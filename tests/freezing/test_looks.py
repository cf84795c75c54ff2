from __future__ import annotations

from typing import Any

import pytest
import torch
from numpy.typing import NDArray

from freeze_gui.freezing.bits import Number
from freeze_gui.freezing.looks import Looks
from tests.support.stand_in_device import DEVICE, StandInDevice


class Taken(list[list[float]]):
    def take(self, numbers: NDArray[Any]) -> None:
        self.append(numbers.tolist())


def numbers(there: bool) -> list[Number]:
    found = torch.tensor([2.0, 3.0], dtype=torch.float64)
    two, three = found.to(DEVICE) if there else found.tolist()
    return [True, two, 0.5, three]


def test_what_is_known_needs_nothing_and_is_taken_when_the_step_is_settled() -> None:
    looks, taken = Looks(), Taken()
    looks.add([1.0], taken.take)
    looks.add([], taken.take)   # nothing to look at
    looks.add(numbers(there=False), taken.take)
    assert looks.end_step() is None
    assert taken == []
    looks.settle()
    assert taken == [[1], [1, 2, 0.5, 3]]
    looks.settle()
    assert len(taken) == 2


def test_numbers_on_a_device_come_in_their_places_without_a_wait_while_the_next_step_is_looked_at() -> None:
    device, looks, taken = StandInDevice(), Looks(), Taken()
    with device.there():
        row = numbers(there=True)
        with device.counted() as waits:
            looks.add(row, taken.take)
            looks.add([False], taken.take)
            looks.add(row, taken.take)
            unread = looks.end_step()
            looks.add([7.0], taken.take)
            assert unread is not None
        assert waits == []
        looks.settle(unread.tolist())
    assert taken == [[1, 2, 0.5, 3], [0], [1, 2, 0.5, 3]]
    looks.end_step()
    looks.settle()
    assert taken[3:] == [[7]]


@pytest.mark.parametrize("is_ended", [False, True])
def test_a_step_that_failed_is_taken_as_far_as_it_went(is_ended: bool) -> None:
    looks, taken = Looks(), Taken()
    with StandInDevice().there():
        looks.add(numbers(there=True), taken.take)
        if is_ended:
            looks.end_step()
        looks.finish()
        looks.finish()
    assert taken == [[1, 2, 0.5, 3]]


def test_a_step_that_is_not_taken_is_forgotten_and_the_one_before_it_is_not() -> None:
    looks, taken = Looks(), Taken()
    looks.add([1.0], taken.take)
    looks.end_step()
    looks.add([2.0], taken.take)
    looks.drop_step()
    looks.finish()
    assert taken == [[1]]
