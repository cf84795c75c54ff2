from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from freeze_gui.freezing.bits import Row, any_nonzero, any_of, apart, differ, is_zero, may_be, read
from tests.support.stand_in_device import DEVICE, StandInDevice


def largest_difference(a: torch.Tensor, b: torch.Tensor) -> float:
    return float(read([[apart(a, b)]])[0][0])


@pytest.mark.filterwarnings("ignore:Sparse CSR tensor support is in beta:UserWarning")
@pytest.mark.parametrize("layout", [torch.sparse_coo, torch.sparse_csr])
def test_sparse_tensors_are_compared_by_what_holds_them(layout: torch.layout) -> None:
    def sparse(value: float) -> torch.Tensor:
        return (torch.eye(3) * value).to_sparse(layout=layout)

    assert differ([(sparse(1.0), sparse(1.0)), (sparse(1.0), sparse(1.5))]) == [False, True]
    assert differ([(sparse(1.0), torch.eye(3))]) == [True]
    assert largest_difference(sparse(1.0), sparse(1.5)) == 0.5


def test_a_conjugate_view_of_complex_numbers_has_the_bits_of_the_conjugate() -> None:
    a = torch.tensor([1 + 2j])
    assert differ([(a.conj(), torch.tensor([1 - 2j])), (a.conj(), a)]) == [False, True]


def test_zero_of_either_sign_is_zero_and_what_is_not_a_number_is_not() -> None:
    assert is_zero(torch.tensor([0.0, -0.0]))
    assert is_zero(torch.zeros(0))
    assert not is_zero(torch.tensor([float("nan")]))
    assert is_zero(torch.zeros(3).to_sparse())


def test_an_element_that_is_not_zero_is_found_on_a_device_without_a_wait() -> None:
    tensors = [torch.tensor(values) for values in ([0.0, -0.0], [0.0, math.nan], [0.0, 1e-45], [])]
    tensors += [torch.zeros(3).to_sparse(), torch.eye(3).to_sparse()]
    expected = [False, True, True, False, False, True]
    assert [any_nonzero(tensor) for tensor in tensors] == expected
    device = StandInDevice()
    with device.there():
        there = [tensor.to(DEVICE) for tensor in tensors]
        with device.counted() as waits:
            row: Row = [any_nonzero(tensor) for tensor in there]
        assert waits == []
        assert read([row])[0].tolist() == expected


@pytest.mark.parametrize("count", [2, 65_536, 65_537, 70_000, 70_001])
@pytest.mark.parametrize("dtype", ["float32", "float16", "float64", "int8", "bool", "complex64"])
def test_one_bit_of_one_element_is_found_wherever_the_tensor_lies_in_its_memory(dtype: str, count: int) -> None:
    memory = torch.from_numpy(np.random.default_rng(0).integers(0, 2, 2 * count + 8)).to(getattr(torch, dtype))
    other = memory.clone()
    for tensor, copy in (
        (memory[:count], other[:count]),
        (memory[1 : count + 1], other[1 : count + 1]),
        (memory[: 2 * count : 2], other[: 2 * count : 2]),
        (memory[: count // 2 * 2].view(2, -1).t(), other[: count // 2 * 2].view(2, -1).t()),
    ):
        assert differ([(tensor, copy), (tensor, tensor.clone())]) == [False, False]
        for place in (0, tensor.shape[0] // 2, -1):
            one = copy[place] if copy.dim() == 1 else copy[place, -1]
            before = one.clone()
            one.copy_(-one if dtype.startswith("float") and one == 0 else one == 0)
            assert differ([(tensor, copy)]) == [True]
            one.copy_(before)


@pytest.mark.parametrize("size", [0, 5, 20_000])
@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16", "complex64", "int64", "bool"])
def test_the_largest_difference_is_that_of_float64(dtype: str, size: int) -> None:
    torch.manual_seed(0)
    a, b = ((9 * torch.randn(size)).round().to(getattr(torch, dtype)) for _ in range(2))
    columns = [torch.view_as_real(t).flatten().tolist() if t.is_complex() else t.tolist() for t in (a, b)]
    truth = max((abs(float(x) - float(y)) for x, y in zip(*columns, strict=True)), default=0.0)
    assert largest_difference(a, b) == pytest.approx(truth, rel=1e-7)
    assert largest_difference(torch.tensor([math.inf, 1.0]), torch.tensor([1.0, 1.0])) == math.inf
    assert math.isnan(largest_difference(torch.tensor([math.inf]), torch.tensor([math.inf])))
    assert math.isnan(largest_difference(torch.tensor([1.0, math.nan]), torch.tensor([1.0, 0.0])))


def test_zeros_of_two_signs_and_other_shapes_differ_and_a_nan_is_the_same_as_itself() -> None:
    plus, minus, nan = torch.tensor([0.0]), torch.tensor([-0.0]), torch.tensor([math.nan])
    assert differ([(plus, minus), (plus, plus.clone()), (nan, nan.clone())]) == [True, False, False]
    assert differ([(plus, torch.zeros(2)), (plus, plus.double()), (plus, torch.zeros(()))]) == [True] * 3
    assert differ([]) == []


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("place", [0, 17, 2 * 3 * 2**18 - 1])
def test_the_difference_of_one_element_of_a_large_tensor_is_found_wherever_it_is(
    place: int, layout: torch.memory_format
) -> None:
    """The tensor is gone through in pieces."""
    a = torch.zeros(2, 3, 2**9, 2**9)
    b = a.to(memory_format=layout, copy=True)
    b[np.unravel_index(place, a.shape)] = -3.0
    assert largest_difference(a, b) == 3.0
    b[-1, -1, -1, -1] = math.nan
    assert math.isnan(largest_difference(b, a))


@pytest.mark.parametrize("count", [5, 2**18 + 5])   # by numpy, and in pieces
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_what_is_compared_by_size_stays_as_it_is(dtype: torch.dtype, count: int) -> None:
    a, b = torch.full((count,), 5, dtype=dtype), torch.full((count,), 3, dtype=dtype)
    assert largest_difference(a, b) == 2.0
    assert a.eq(5).all()
    assert b.eq(3).all()


def test_flags_of_which_some_are_still_on_a_device_are_joined_without_a_wait_and_may_have_either_value() -> None:
    assert any_of([]) is any_of([False]) is False
    assert any_of([False, True]) is True
    device = StandInDevice()
    with device.there():
        no, yes = torch.tensor([False, True]).to("cuda", non_blocking=True)
        joined, none = any_of([False, no, yes]), any_of([no, False])
        assert any_of([no, True]) is True   # whatever the other one is
        assert isinstance(joined, torch.Tensor)
        assert isinstance(none, torch.Tensor)
        assert [may_be(flag, answer) for flag in (yes, True, False) for answer in (True, False)] == [
            True, True, True, False, False, True,
        ]  # fmt: skip
        assert device.waits == []
        assert (bool(joined), bool(none)) == (True, False)
