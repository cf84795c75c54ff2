from __future__ import annotations

import threading
from collections.abc import Iterator
from functools import partial

import numpy as np
import pytest
import torch
from torch import nn

from freeze_gui.training.hands import Hand, Hands
from freeze_gui.training.norms_on_host import NormsOnHost


@pytest.fixture
def two_threads() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


def test_all_jobs_are_done_once_by_two_threads_with_memory_of_their_own(two_threads: None) -> None:
    hands = Hands((3, 2), torch.float32)
    seen: dict[int, tuple[str, int]] = {}
    both = threading.Barrier(2, timeout=30)

    def job(number: int, hand: Hand) -> None:
        if number < 2:   # the first of each: neither goes on without the other
            both.wait()
        assert number not in seen
        seen[number] = threading.current_thread().name, id(hand)

    hands.do([partial(job, number) for number in range(9)])
    assert sorted(seen) == list(range(9))
    assert len({name for name, _ in seen.values()}) == len({hand for _, hand in seen.values()}) == 2
    hands.close()
    assert not any(thread.name.startswith("freeze-gui-norms") for thread in threading.enumerate())


def test_few_jobs_and_one_torch_thread_begin_no_thread(two_threads: None) -> None:
    hands, names = Hands((3, 2), torch.float32), set()
    hands.do([lambda hand: names.add(threading.current_thread().name)] * 5)
    torch.set_num_threads(1)
    hands.do([lambda hand: names.add(threading.current_thread().name)] * 50)
    assert names == {threading.current_thread().name}


def test_a_mistake_in_another_thread_is_not_lost(two_threads: None) -> None:
    hands = Hands((3, 2), torch.float32)

    def fail(hand: Hand) -> None:
        if threading.current_thread().name.startswith("freeze-gui-norms"):
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        hands.do([fail] * 20)
    hands.close()


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_norms_by_two_threads_are_those_by_one(two_threads: None, dtype: torch.dtype) -> None:
    torch.manual_seed(0)
    own = [nn.Parameter(torch.randn(2500, 4000).to(dtype)), nn.Parameter(torch.randn(700, 300).to(dtype))]
    found = []
    norms = [NormsOnHost(own), NormsOnHost(own)]
    for p in own:
        p.grad = torch.randn_like(p)
        p.data += 0.5
    for threads, one in zip((2, 1), norms, strict=True):
        torch.set_num_threads(threads)
        one.look_at_gradients()
        found.append(one.squares(np.zeros(2, bool), torch.zeros(0))[0])
        one.close()
    assert found[0].tolist() == found[1].tolist()
