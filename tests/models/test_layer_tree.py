from __future__ import annotations

import pytest
import torch
from torch import nn

from freeze_gui.models.builtin import build_builtin
from freeze_gui.models.layer_tree import LayerTree, build_tree, is_dropout, is_norm


class Block(nn.Module):
    """Owns a bare parameter and a buffer beside a child."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(4))
        self.register_buffer("count", torch.zeros(2))
        self.linear = nn.Linear(3, 4)


class Tied(nn.Module):
    """One matrix under two names."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(7, 3)
        self.decoder = nn.Linear(3, 7)
        self.decoder.weight = self.embedding.weight


class SharedModule(nn.Module):
    """The same module in two places, one of them in a block of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 3))
        self.second = nn.Sequential()
        self.second.add_module("again", self.first)
        self.last = nn.Linear(3, 1)


def elements(module: nn.Module) -> tuple[int, int]:
    return sum(p.numel() for p in module.parameters()), sum(b.numel() for b in module.buffers())


def nested() -> nn.Module:
    return nn.Sequential(Block(), nn.ReLU(), nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2)))


@pytest.mark.parametrize(
    "model", [nested(), Tied(), SharedModule(), nn.Linear(2, 2), build_builtin("digits-cnn").module]
)
def test_every_row_counts_what_pytorch_counts_below_it(model: nn.Module) -> None:
    tree = build_tree(model)
    for node in tree.nodes:
        if not node.is_own_row:
            assert (node.parameters, node.buffers) == elements(model.get_submodule(node.path)), node.path


def test_layers_are_the_modules_that_own_tensors_in_registration_order() -> None:
    model = nested()
    owners = tuple(
        path for path, module in model.named_modules() if [*module.parameters(False), *module.buffers(False)]
    )
    assert build_tree(model).layers == owners == ("0", "0.linear", "2.0", "2.1")


def test_a_block_with_bare_tensors_has_a_row_for_them_alone() -> None:
    tree = build_tree(nested())
    row = tree.row_of_layer["0"]
    assert row.is_own_row
    assert (row.parameters, row.buffers, row.own_names) == (4, 2, ("scale", "count"))
    assert tree.nodes[row.parent] is tree.by_path["0"]


def test_a_model_that_is_one_layer_is_its_own_row() -> None:
    tree = build_tree(nn.Linear(2, 3))
    assert tree.layers == ("",)
    assert tree.root.layer == ""


def test_tied_tensors_name_each_other_and_count_once() -> None:
    tree = build_tree(Tied())
    assert tree.row_of_layer["embedding"].tied == ("decoder.weight",)
    assert tree.row_of_layer["decoder"].tied == ("embedding.weight",)
    assert tree.root.parameters == 7 * 3 + 7


def test_a_module_that_hangs_in_two_places_is_one_layer_and_one_alias() -> None:
    tree = build_tree(SharedModule())
    assert tree.layers == ("first.0", "first.1", "last")
    assert tree.by_path["second.again"].alias_of == "first"
    assert tree.layers_below(tree.by_path["second"]) == ("first.0", "first.1")


def test_an_alias_shows_as_frozen_as_what_it_stands_for() -> None:
    tree = build_tree(SharedModule())
    counts = tree.frozen_counts(frozenset({"first.0"}))
    assert counts[tree.by_path["first"].index] == (1, 2)
    assert counts[tree.by_path["second.again"].index] == (1, 2)
    assert counts[tree.root.index] == (1, 3)   # counted once


def test_frozen_counts_go_up_the_tree() -> None:
    tree = build_tree(nested())
    counts = tree.frozen_counts(frozenset({"0", "2.1"}))
    assert [counts[tree.by_path[path].index] for path in ("", "0", "0.linear", "1", "2")] == [
        (2, 4), (1, 2), (0, 1), (0, 0), (1, 2),
    ]


def test_the_tree_is_the_same_on_the_meta_device() -> None:
    with torch.device("meta"):
        on_meta = build_tree(nested())
    here = build_tree(nested())
    assert [(n.path, n.kind, n.parameters, n.buffers) for n in on_meta.nodes] == [
        (n.path, n.kind, n.parameters, n.buffers) for n in here.nodes
    ]


def test_output_shapes_stand_beside_their_rows() -> None:
    tree = build_tree(nested(), {"2.0": (2, 6, 6)})
    assert tree.by_path["2.0"].output_shape == (2, 6, 6)
    assert tree.by_path["2.1"].output_shape is None


def test_a_subtree_is_walked_depth_first() -> None:
    tree: LayerTree = build_tree(nested())
    assert [node.name for node in tree.rows_below(tree.by_path["0"])] == ["0", "(own)", "linear"]


class ConvNormActivation(nn.Sequential):
    pass


@pytest.mark.parametrize(
    ("module", "expected"),
    [
        (nn.BatchNorm2d(2), True),
        (nn.InstanceNorm1d(2), True),
        (nn.LayerNorm(2), True),
        (nn.GroupNorm(1, 2), True),
        (nn.RMSNorm(2), True),
        (ConvNormActivation(nn.Conv2d(1, 1, 1), nn.BatchNorm2d(1)), False),
        (nn.Linear(1, 1), False),
    ],
)
def test_a_norm_layer_is_told_from_a_block_that_only_carries_the_word(module: nn.Module, expected: bool) -> None:
    assert is_norm(module) is expected


def test_dropout_is_known_in_all_its_forms() -> None:
    assert all(is_dropout(module) for module in (nn.Dropout(), nn.Dropout2d(), nn.AlphaDropout()))
    assert not is_dropout(nn.ReLU())
