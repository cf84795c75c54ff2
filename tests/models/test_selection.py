from __future__ import annotations

import pytest
import torch
from torch import nn

from freeze_gui.errors import UserError
from freeze_gui.models.layer_tree import LayerTree, build_tree
from freeze_gui.models.selection import describe, select, with_passive_modules


class Block(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(2))
        self.linear = nn.Linear(2, 2)
        self.norm = nn.LayerNorm(2)
        self.dropout = nn.Dropout()


class Encoder(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.ModuleList(Block() for _ in range(3))


class Model(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.id = nn.Linear(2, 2)
        self.text_id = nn.Linear(2, 2)
        self.fc1 = nn.Linear(2, 2)
        self.fc10 = nn.Linear(2, 2)
        self.encoder = Encoder()
        self.act = nn.ReLU()


@pytest.fixture
def tree() -> LayerTree:
    return build_tree(Model())


def chosen(tree: LayerTree, *patterns: str) -> list[str]:
    modules = select(tree, patterns)
    return [layer for layer in tree.layers if layer in modules]


def block(index: int) -> list[str]:
    return [f"encoder.layers.{index}{rest}" for rest in ("", ".linear", ".norm")]


def test_a_name_is_a_whole_path_and_never_a_part_of_one(tree: LayerTree) -> None:
    assert chosen(tree, "id") == ["id"]
    assert chosen(tree, "fc1") == ["fc1"]


def test_a_block_brings_all_below_it(tree: LayerTree) -> None:
    assert chosen(tree, "encoder.layers.1") == block(1)


def test_a_glob_matches_whole_dotted_paths_and_crosses_dots(tree: LayerTree) -> None:
    assert chosen(tree, "encoder*norm") == [f"encoder.layers.{i}.norm" for i in range(3)]
    assert chosen(tree, "fc?") == ["fc1"]
    assert chosen(tree, "encoder.layers.[01].norm") == ["encoder.layers.0.norm", "encoder.layers.1.norm"]


def test_a_glob_may_end_in_a_character_class(tree: LayerTree) -> None:
    assert chosen(tree, "fc[1]") == ["fc1"]
    assert chosen(tree, "encoder.layers.[02]") == block(0) + block(2)


def test_a_regular_expression_matches_the_whole_path(tree: LayerTree) -> None:
    assert chosen(tree, r"re:.*\.norm") == [f"encoder.layers.{i}.norm" for i in range(3)]
    assert chosen(tree, "re:fc.*") == ["fc1", "fc10"]
    with pytest.raises(UserError, match="matches no layer"):
        select(tree, ["re:norm"])


@pytest.mark.parametrize(
    ("pattern", "layers"),
    [
        ("[0:2]", ["id", "text_id"]),
        ("[0]", ["id"]),
        ("[-3]", ["fc10"]),
        ("encoder.layers[:2]", block(0) + block(1)),
        ("encoder.layers[-1]", block(2)),
        ("encoder.layers[1:]", block(1) + block(2)),
        ("encoder.layers.0[-3]", ["encoder.layers.0.linear"]),   # the row of bare tensors is no child
    ],
)
def test_index_ranges_count_children_as_python_does(tree: LayerTree, pattern: str, layers: list[str]) -> None:
    assert chosen(tree, pattern) == layers


def test_bare_tensors_can_be_named_without_what_lies_below(tree: LayerTree) -> None:
    assert chosen(tree, "encoder.layers.0.(own)") == ["encoder.layers.0"]


def test_a_star_is_everything(tree: LayerTree) -> None:
    assert chosen(tree, "*") == list(tree.layers)


@pytest.mark.parametrize(
    "pattern", ["fc2", "[7]", "[9:]", "nothing[0]", "[]", "[-]", "[-:1]", "re:(", "", " ", "encoder.(own)"]
)
def test_a_pattern_that_matches_nothing_is_an_error(tree: LayerTree, pattern: str) -> None:
    with pytest.raises(UserError):
        select(tree, [pattern])


def test_the_error_names_the_nearest_layers(tree: LayerTree) -> None:
    with pytest.raises(UserError, match=r"did you mean .*encoder\.layers\.0"):
        select(tree, ["encoder.layer.0"])


def test_naming_a_tensor_says_to_name_its_layer(tree: LayerTree) -> None:
    with pytest.raises(UserError, match='write "fc1"'):
        select(tree, ["fc1.weight"])
    with pytest.raises(UserError, match=r'write "encoder\.layers\.0\.\(own\)"'):
        select(tree, ["encoder.layers.0.scale"])
    with pytest.raises(UserError, match=r'write "\*"'):
        select(build_tree(nn.Linear(1, 1)), ["weight"])


def test_one_string_is_not_taken_letter_by_letter(tree: LayerTree) -> None:
    with pytest.raises(UserError, match=r'write \["id"\]'):
        select(tree, "id")


@pytest.mark.parametrize(
    ("layers", "patterns"),
    [
        (["id"], ("id",)),
        (block(0), ("encoder.layers.0",)),
        (["encoder.layers.0"], ("encoder.layers.0.(own)",)),
        (block(0) + block(1) + block(2), ("encoder",)),
        ([], ()),
    ],
)
def test_what_is_frozen_is_described_by_the_fewest_patterns(
    tree: LayerTree, layers: list[str], patterns: tuple[str, ...]
) -> None:
    assert describe(tree, frozenset(layers)) == patterns
    assert chosen(tree, *patterns) == layers


def test_everything_frozen_is_described_by_a_star(tree: LayerTree) -> None:
    assert describe(tree, frozenset(tree.layers)) == ("*",)


def test_modules_without_tensors_follow_the_layers_around_them(tree: LayerTree) -> None:
    frozen = with_passive_modules(tree, frozenset(block(0)))
    assert {"encoder.layers.0", "encoder.layers.0.dropout"} <= frozen
    assert not {"encoder", "encoder.layers", "act", "encoder.layers.1.dropout"} & frozen


def test_dropout_in_a_half_frozen_block_stays_awake(tree: LayerTree) -> None:
    assert "encoder.layers.0.dropout" not in with_passive_modules(tree, frozenset({"encoder.layers.0.linear"}))
