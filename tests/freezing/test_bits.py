from __future__ import annotations

import pytest
import torch

from freeze_gui.freezing.bits import differ, is_zero, largest_difference


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
