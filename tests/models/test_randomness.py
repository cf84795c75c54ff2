from __future__ import annotations

import pickle
import random
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import numpy as np
import pytest
import torch
from numpy.random import seed as seed_numpy
from sklearn.utils import check_random_state
from torch.utils.data import TensorDataset, random_split

from freeze_gui.models.randomness import own_random, random_state, restore_random, seed_all
from freeze_gui.models.trial import quiet_trial
from tests.support.runs import same_random


@pytest.fixture(autouse=True)
def undisturbed() -> Iterator[None]:
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


SEEDS: dict[str, Callable[[], object]] = {
    "torch.random.manual_seed": lambda: torch.random.manual_seed(1),
    "torch.seed": lambda: torch.seed(),
    "torch.random.seed": lambda: torch.random.seed(),
    "torch.set_rng_state": lambda: torch.set_rng_state(torch.Generator().get_state()),
    "scikit-learn": lambda: check_random_state(None).rand(),
    "scikit-learn, given the module": lambda: check_random_state(np.random).rand(),
    "numpy's seed, taken by its name before": lambda: seed_numpy(1),
    "numpy's other bits": lambda: np.random.bytes(3),
}


@pytest.mark.parametrize("name", SEEDS)
def test_no_other_way_to_a_global_generator_is_open_in_a_trial(name: str) -> None:
    before = random_state()
    with own_random():
        SEEDS[name]()
    assert same_random(random_state(), before)


ONE = torch.ones(2)
DRAWS: dict[str, Callable[[], object]] = {
    "a split": lambda: random_split(TensorDataset(torch.zeros(10, 2)), [7, 3]),
    "the default generator": lambda: torch.rand(2, generator=torch.default_generator),
    "another tensor's shape": lambda: [torch.rand_like(ONE), torch.randn_like(ONE), torch.randint_like(ONE, 3)],
    "counts": lambda: [torch.poisson(ONE), torch.binomial(3 * ONE, 0.5 * ONE)],
}


@pytest.mark.parametrize("name", DRAWS)
def test_no_trial_draws_from_torchs_generator(name: str) -> None:
    before = random_state()
    with quiet_trial():
        DRAWS[name]()
    assert same_random(random_state(), before)


def test_a_trial_draws_on_the_device_that_is_asked_for() -> None:
    with quiet_trial():
        assert torch.rand_like(ONE, device="meta").is_meta


def test_no_trial_seeds_a_device(monkeypatch: pytest.MonkeyPatch) -> None:
    seeded: list[int] = []
    monkeypatch.setattr(torch.cuda, "manual_seed_all", seeded.append)
    monkeypatch.setattr(torch.cuda, "manual_seed", seeded.append)
    with own_random():
        torch.cuda.manual_seed(1)
        torch.cuda.manual_seed_all(1)
    assert seeded == []
    torch.cuda.manual_seed_all(2)
    assert seeded == [2]


def test_the_generator_that_scikit_learn_takes_is_the_global_one_outside_of_trials_and_in_other_threads() -> None:
    seed_all(3)
    expected = [np.random.rand(), np.random.rand()]
    seed_all(3)
    with own_random():
        taken = check_random_state(None)
        copied = pickle.loads(pickle.dumps(taken))
        assert isinstance(taken, np.random.RandomState)
        assert copied.rand() == taken.rand() == np.random.RandomState(0).rand()
        with ThreadPoolExecutor(1) as other:
            found = [other.submit(lambda: taken.rand()).result()]
    assert [*found, taken.rand()] == expected


def test_other_bits_for_numpy_are_the_threads_in_a_trial_and_the_global_ones_outside() -> None:
    def put(bits: np.random.BitGenerator) -> None:
        np.random.set_bit_generator(bits)   # type: ignore[attr-defined]   # documented, and missing in the stubs

    def drawn() -> float:
        put(np.random.PCG64(1))
        return float(np.random.rand())

    usual, before = np.random.mtrand.get_bit_generator(), random_state()
    with own_random():
        expected = drawn()
        with ThreadPoolExecutor(1) as other:
            try:
                assert other.submit(drawn).result() == expected
            finally:
                other.submit(lambda: put(usual)).result()
        assert np.random.rand() != expected
    assert expected == np.random.RandomState(np.random.PCG64(1)).rand()
    assert same_random(random_state(), before)


def test_a_function_that_draws_can_be_sent_to_another_process() -> None:
    with own_random():
        for draw in (random.random, random.seed, np.random.rand, np.random.seed, torch.manual_seed):
            assert pickle.loads(pickle.dumps(draw)) is draw


def test_after_the_last_trial_every_module_has_its_own_functions_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(random, "uniform", lambda a, b: a)   # as a person's test may
    homes = (random, np.random, np.random.mtrand, torch, torch.random, torch.cuda)
    before = [dict(vars(home)) for home in homes]
    other = own_random()
    with suppress(ZeroDivisionError), own_random():
        assert random.random is not before[0]["random"]
        other.__enter__()
        random.shuffle = print   # type: ignore[assignment]   # and another put there meanwhile stays
        1 / 0   # noqa: B018
    assert random.random is not before[0]["random"]
    other.__exit__(None, None, None)
    shuffle, random.shuffle = random.shuffle, before[0]["shuffle"]
    assert shuffle is print
    assert [dict(vars(home)) for home in homes] == before
