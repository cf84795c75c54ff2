from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from freeze_gui.freezing.bits import read
from freeze_gui.freezing.values import Layout, Values

FORMATS = [torch.float16, torch.bfloat16, torch.float32, torch.float64, torch.int64, torch.bool]


def layout(of: list[torch.Tensor]) -> Layout:
    return Layout([tensor.shape for tensor in of])


def tensors(dtype: torch.dtype) -> list[torch.Tensor]:
    torch.manual_seed(0)
    shapes: list[tuple[int, ...]] = [(3, 4), (0,), (), (7,), (2, 0), (2, 3, 5, 5)]
    made = [torch.randint(0, 2 if dtype == torch.bool else 50, shape).to(dtype) for shape in shapes]
    made[-1] = made[-1].to(memory_format=torch.channels_last)
    return made


@pytest.mark.parametrize("is_cpu", [True, False])   # where it is False all is left to the device, and read once
@pytest.mark.parametrize("dtype", FORMATS)
def test_what_differs_and_how_far_is_told_of_each_tensor(
    dtype: torch.dtype, is_cpu: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.Tensor, "is_cpu", is_cpu)
    before = tensors(dtype)
    after = [tensor.clone() for tensor in before]
    after[0].view(-1)[5] = 0 if before[0].view(-1)[5] else 1
    after[5][1, 2, 3, 4] = 0 if before[5][1, 2, 3, 4] else 1
    a, b = Values(before, layout(before)), Values(after, layout(after))
    assert bool(b.differ(a)) is True
    assert read([b.flags(a)])[0].tolist() == [True, False, False, False, False, True]
    pairs = zip(before, after, strict=True)
    apart = [float((y.double() - x.double()).abs().max()) if x.numel() else 0.0 for x, y in pairs]
    assert read([b.distances(a)])[0].tolist() == apart
    assert all(map(torch.equal, a.tensors(), before))
    same = Values(before, layout(before))
    assert bool(same.differ(a)) is False
    assert not any(same.flags(a))


@pytest.mark.parametrize("together", [True, False])
def test_zeros_of_two_signs_differ_and_a_nan_equals_itself(together: bool) -> None:
    before = [torch.tensor([0.0, 1.0]), torch.tensor([math.nan]), torch.tensor([math.inf])]
    after = [torch.tensor([-0.0, 1.0]), torch.tensor([math.nan]), torch.tensor([math.inf])]
    a, b = Values(before, layout(before) if together else None), Values(after, layout(after) if together else None)
    assert bool(b.differ(a)) is True
    assert read([b.flags(a)])[0].tolist() == [True, False, False]
    distances = read([b.distances(a)])[0]
    assert distances[0] == 0.0
    assert np.isnan(distances[1:]).all()   # infinity less infinity


def test_one_that_is_of_another_kind_now_differs_and_the_others_are_compared_all_the_same() -> None:
    before = [torch.zeros(3), torch.ones(2), torch.zeros(2)]
    after = [torch.zeros(4), torch.ones(2), torch.zeros(2, dtype=torch.float64)]
    a, b = Values(before, layout(before)).kept(), Values(after, None)
    assert bool(b.differ(a)) is True
    assert read([b.flags(a)])[0].tolist() == [True, False, True]
    distances = read([b.distances(a)])[0]
    assert np.isnan(distances[[0, 2]]).all()
    assert distances[1] == 0.0


@pytest.mark.parametrize("count", [1, 3])
@pytest.mark.parametrize("together", [True, False])
def test_what_is_kept_stays_as_it_was(count: int, together: bool) -> None:
    own = [torch.zeros(4) for _ in range(count)]
    values = Values(own, layout(own) if together else None).kept()
    for tensor in own:
        tensor += 1
    assert all(not tensor.any() for tensor in values.tensors())
    some = values.only([count - 1])
    assert [tensor.tolist() for tensor in some.tensors()] == [[0.0] * 4]
    assert all(Values(own, layout(own) if together else None).flags(values))


def test_sparse_and_complex_tensors_are_compared_one_by_one() -> None:
    before = [torch.eye(3).to_sparse(), torch.tensor([1 + 2j])]
    after = [torch.eye(3).to_sparse(), torch.tensor([1 + 3j])]
    assert Values(after, None).flags(Values(before, None)) == [False, True]
    assert read([Values(after, None).distances(Values(before, None))])[0].tolist() == [0.0, 1.0]
