from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import nn

from freeze_gui.freezing.facts import ANY, FIRST, TRAINING, TensorFacts, facts_of


def facts(module: nn.Module) -> dict[str, TensorFacts]:
    return {fact.name: fact for fact in facts_of(nn.Sequential(module))}


def test_a_tied_tensor_is_named_once_with_all_its_layers() -> None:
    model = nn.Sequential(nn.Linear(2, 2, bias=False), nn.Linear(2, 2, bias=False))
    model[1].weight = model[0].weight
    assert [(fact.name, fact.layers) for fact in facts_of(model)] == [("0.weight", ("0", "1"))]


def test_two_parameters_in_one_memory_name_each_other() -> None:
    first, second = nn.Linear(2, 2, bias=False), nn.Linear(2, 2, bias=False)
    second.weight = nn.Parameter(first.weight.data)
    found = {fact.name: fact.shares_with for fact in facts_of(nn.Sequential(first, second))}
    assert found == {"0.weight": ("1.weight",), "1.weight": ("0.weight",)}


def test_slices_of_one_block_share_only_the_elements_that_both_have() -> None:
    block = torch.randn(4, 4)
    parts = {"top": block[:2], "bottom": block[2:], "middle": block[1:3], "left": block[:, :2], "right": block[:, 2:]}
    model = nn.ParameterDict({name: nn.Parameter(part) for name, part in parts.items()})
    found = {fact.name: (set(fact.shares_with), set(fact.may_share_with)) for fact in facts_of(model)}
    assert found["top"] == ({"middle"}, {"left", "right"})
    assert found["bottom"] == ({"middle"}, {"left", "right"})
    assert "right" in found["left"][1]   # their stretches of memory lie in one another
    assert found["left"][0] == set()


@pytest.mark.parametrize(
    ("norm", "written"),
    [
        (nn.BatchNorm1d(2), {"running_mean", "running_var", "num_batches_tracked"}),
        (nn.BatchNorm1d(2, momentum=0.0), {"num_batches_tracked"}),
        (nn.InstanceNorm1d(2, track_running_stats=True), {"running_mean", "running_var"}),
        (nn.BatchNorm1d(2, track_running_stats=False), set()),
        (nn.LayerNorm(2), set()),
    ],
    ids=lambda value: str(value) if isinstance(value, nn.Module) else f"{len(value)} written",   # a set has no order
)
def test_the_statistics_that_a_forward_writes_are_those_that_torch_writes(norm: nn.Module, written: set[str]) -> None:
    told = {name.removeprefix("0.") for name, fact in facts(norm).items() if fact.written_in == TRAINING}
    assert told == written
    before = {name: tensor.clone() for name, tensor in norm.state_dict().items()}
    norm.train()(torch.randn(4, 2, 3) if isinstance(norm, nn.InstanceNorm1d | nn.BatchNorm1d) else torch.randn(4, 2))
    assert {name for name, tensor in norm.state_dict().items() if not torch.equal(tensor, before[name])} == written


def test_rows_are_shortened_from_the_start_only_where_one_is_too_long() -> None:
    def written(table: nn.Embedding) -> tuple[str, bool]:
        fact = facts(table)["0.weight"]
        return fact.written_in, fact.surely_written

    table = nn.Embedding(3, 2, max_norm=10.0)
    nn.init.ones_(table.weight)
    assert written(table) == (FIRST, False)
    table.max_norm = 1.0
    assert written(table) == (ANY, True)
    nn.init.zeros_(table.weight[0])
    assert written(table) == (ANY, False)   # it may be the short row alone that is looked up
    assert written(table.to("meta")) == (ANY, False)   # nobody knows


@pytest.mark.parametrize("make", [nn.utils.spectral_norm, nn.utils.parametrizations.spectral_norm])
@pytest.mark.parametrize("rows", [1, 5])
def test_a_matrix_of_one_row_is_its_own_singular_vector(make: Callable[[nn.Module], nn.Module], rows: int) -> None:
    layer = make(nn.Linear(6, rows))
    for _ in range(3):
        layer(torch.randn(2, 6))
    before = {name: value.clone() for name, value in layer.state_dict().items() if name.endswith(("_u", "_v"))}
    layer(torch.randn(2, 6))
    moved = {name: not torch.equal(layer.state_dict()[name], value) for name, value in before.items()}
    surely = {name.removeprefix("0."): fact.surely_written for name, fact in facts(layer).items()}
    for name, did in moved.items():
        assert did or not surely[name]
        assert surely[name] == (rows > 1)


def test_zeros_are_known_where_there_are_values_and_formats_everywhere() -> None:
    layer = nn.Linear(2, 2, dtype=torch.bfloat16)
    nn.init.zeros_(layer.bias)
    layer.weight.requires_grad_(False)
    known, unknown = facts(layer), facts(layer.to("meta"))
    assert (known["0.bias"].is_zero, known["0.weight"].is_zero, unknown["0.bias"].is_zero) == (True, False, False)
    assert known["0.weight"].eps == unknown["0.weight"].eps == 2.0**-7
    assert (known["0.weight"].learns, known["0.bias"].learns) == (False, True)
