from __future__ import annotations

import pickle
import random
import threading
from collections.abc import Iterator

import numpy as np
import pytest
import torch

from freeze_gui.models.randomness import look_at_the_thread, own_random, random_state, restore_random, seed_all
from tests.support.runs import same_random


@pytest.fixture(autouse=True)
def undisturbed() -> Iterator[None]:
    look_at_the_thread()
    before = random_state()
    yield
    restore_random(before)


def draw_from_each() -> list[object]:
    return [
        random.random(), random.gauss(0, 1), random.sample(range(9), 3), random.getrandbits(40),
        np.random.rand(), np.random.standard_normal(), np.random.permutation(5).tolist(), np.random.sample(),
    ]  # fmt: skip


def test_a_seed_gives_the_numbers_of_the_three_modules_seeded_one_by_one() -> None:
    seed_all(7)
    assert draw_from_each()[:2] == [(one := random.Random(7)).random(), one.gauss(0, 1)]
    seed_all(7)
    assert np.random.rand() == np.random.RandomState(7).random_sample()
    assert torch.equal(torch.rand(3), torch.rand(3, generator=torch.Generator().manual_seed(7)))


def test_what_is_read_and_put_back_gives_the_same_numbers_again_half_used_pairs_too() -> None:
    random.gauss(0, 1)
    np.random.standard_normal()   # each keeps the second number of a pair
    state = random_state()
    first = draw_from_each()
    restore_random(state)
    assert draw_from_each() == first


def test_a_trial_neither_draws_from_nor_seeds_the_global_generators() -> None:
    before = random_state()
    with own_random():
        drawn = draw_from_each()
        random.seed(1)
        np.random.seed(1)
        torch.manual_seed(1)
        with own_random():
            assert draw_from_each() == drawn   # each trial begins alike
        assert np.random.rand() == np.random.RandomState(1).random_sample()
    assert same_random(random_state(), before)


def test_another_thread_goes_on_with_the_global_numbers_while_a_trial_is_on() -> None:
    seed_all(3)
    expected = draw_from_each()
    seed_all(3)
    found: list[object] = []
    with own_random():
        thread = threading.Thread(target=lambda: found.extend(draw_from_each()))
        thread.start()
        thread.join()
    assert found == expected


def test_a_function_that_draws_can_be_sent_to_another_process() -> None:
    for draw in (random.random, random.seed, np.random.rand, np.random.seed, torch.manual_seed):
        assert pickle.loads(pickle.dumps(draw)) is draw
