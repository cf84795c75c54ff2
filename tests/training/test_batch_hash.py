from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
import torch

from freeze_gui.data.sources import Batch
from freeze_gui.training import batch_hash
from freeze_gui.training.batch_hash import BatchHash
from freeze_gui.training.content import chunks_of
from freeze_gui.training.digests import digest

SMALL, LARGE = (4, 3), (64, 3, 32, 32)   # 48 bytes are hashed at once, 786 kB by the thread


def hashed(groups: Sequence[tuple[Batch, ...]]) -> BatchHash:
    found = BatchHash()
    for group in groups:
        found.add(group)
    found.close()
    return found


def some(shape: tuple[int, ...], seed: int, task: str | None = None) -> Batch:
    generator = torch.Generator().manual_seed(seed)
    return Batch(torch.randn(*shape, generator=generator), torch.arange(shape[0]), task)


@pytest.mark.parametrize("shape", [SMALL, LARGE])
def test_equal_batches_give_equal_digests_and_any_other_bit_task_or_order_another_one(shape: tuple[int, ...]) -> None:
    groups = [(some(shape, 1),), (some(shape, 2),)]
    wanted = hashed(groups).result()
    assert hashed([(some(shape, 1),), (some(shape, 2),)]).result() == wanted
    flipped = some(shape, 1)
    flipped.inputs.view(torch.int32).view(-1)[-1] ^= 1
    assert hashed([(flipped,), groups[1]]).result() != wanted
    assert hashed(groups[::-1]).result() != wanted
    assert hashed([(some(shape, 1, "task1"),), groups[1]]).result() != wanted
    assert hashed([(some(shape, 1), some(shape, 2))]).result() != wanted   # one step of two micro-batches


def test_a_shorter_run_agrees_up_to_its_last_step() -> None:
    groups = [(some(SMALL if step % 2 else LARGE, step),) for step in range(6)]
    long, short, other = hashed(groups), hashed(groups[:4]), hashed([*groups[:3], (some(SMALL, 99),)])
    assert list(long.steps[:4]) == list(short.steps)
    assert list(long.steps[:3]) == list(other.steps[:3])
    assert long.steps[3] != other.steps[3]


def test_memory_that_is_filled_again_with_the_next_batch_is_hashed_as_it_was() -> None:
    memory = torch.empty(LARGE)
    found = BatchHash()
    for step in range(5):
        memory.copy_(some(LARGE, step).inputs)
        found.add((Batch(memory, step),))
        memory.fill_(-1.0)
    assert found.result() == hashed([(Batch(some(LARGE, step).inputs, step),) for step in range(5)]).result()
    found.close()


def test_batches_that_are_hashed_at_the_same_time_count_in_the_order_of_their_steps(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    groups = [(some(LARGE, step),) for step in range(6)]
    wanted = hashed(groups)
    together = threading.Barrier(3, timeout=30)   # raises where fewer than three are under way at once

    def slow(chunks: Sequence[bytes]) -> bytes:
        if threading.current_thread() is not threading.main_thread():
            together.wait()
        return digest(chunks)

    monkeypatch.setattr(batch_hash, "_THREADS", 3)
    monkeypatch.setattr(batch_hash, "digest", slow)
    found = hashed(groups)
    assert list(found.steps) == list(wanted.steps)
    assert found.result() == wanted.result()


def test_the_thread_is_gone_when_the_run_has_ended() -> None:
    found = BatchHash()
    found.add((some(LARGE, 0),))
    assert any("batch-hash" in thread.name for thread in threading.enumerate())
    found.close()
    assert not any("batch-hash" in thread.name for thread in threading.enumerate())
    assert found.result() == hashed([(some(LARGE, 0),)]).result()


def test_no_batches_have_no_digest() -> None:
    assert BatchHash().result() == ""


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (torch.zeros(2, 3), torch.zeros(3, 2)),
        (torch.zeros(2), torch.zeros(2, dtype=torch.int32)),
        (torch.tensor(0.0), torch.tensor(-0.0)),
        (torch.tensor([1.0, 2.0], dtype=torch.bfloat16), torch.tensor([1.0, 2.0], dtype=torch.float16)),
        ({"a": 1}, {"b": 1}),
        ([[1], 2], [1, [2]]),
        (1, "1"),
        (np.zeros(2), np.ones(2)),
        (torch.eye(2).to_sparse(), 2 * torch.eye(2).to_sparse()),
    ],
)
def test_what_is_not_the_same_has_another_digest(one: Any, other: Any) -> None:
    assert digest(chunks_of(one)) != digest(chunks_of(other))


def test_a_view_counts_by_its_elements_and_not_by_its_memory() -> None:
    whole = torch.arange(12.0).view(3, 4)
    assert digest(chunks_of(whole.t())) == digest(chunks_of(whole.t().contiguous()))
