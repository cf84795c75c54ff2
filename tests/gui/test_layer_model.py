from __future__ import annotations

import time

import pytest
from PySide6.QtCore import QAbstractItemModel, QModelIndex, QPersistentModelIndex, Qt
from PySide6.QtTest import QAbstractItemModelTester
from pytestqt.qtbot import QtBot
from torch import nn

from freeze_gui.gui import ticks
from freeze_gui.gui.layer_cells import FREEZE, PATH_ROLE, STATE, STATISTICS
from freeze_gui.gui.layer_find import Finder
from freeze_gui.gui.layer_model import LayerModel
from freeze_gui.gui.layer_rows import count_text
from freeze_gui.gui.timeline_state import Timeline, whole_run
from freeze_gui.models.blocks import blocks, head
from freeze_gui.models.layer_tree import LayerTree, build_tree
from freeze_gui.models.sources import open_model

CHECK = Qt.ItemDataRole.CheckStateRole
CHECKED, UNCHECKED, PARTLY = Qt.CheckState.Checked, Qt.CheckState.Unchecked, Qt.CheckState.PartiallyChecked


@pytest.fixture(scope="module")
def tree() -> LayerTree:
    return build_tree(open_model("builtin:digits-cnn").module)


@pytest.fixture
def model(qtbot: QtBot, tree: LayerTree) -> LayerModel:
    model = LayerModel()
    model.set_tree(tree, whole_run(frozenset()))
    return model


def at(model: LayerModel, path: str, column: int = FREEZE) -> QModelIndex:
    assert model.tree is not None
    return model.index_of(model.tree.by_path[path], column)


def state(model: LayerModel, path: str) -> Qt.CheckState:
    found: Qt.CheckState = at(model, path).data(CHECK)
    return found


def checked_by_qt(model: QAbstractItemModel) -> QAbstractItemModelTester:
    return QAbstractItemModelTester(model, QAbstractItemModelTester.FailureReportingMode.Fatal, model)


def test_qts_model_checker_finds_no_fault_while_rows_are_ticked_and_models_change(model: LayerModel) -> None:
    checker = checked_by_qt(model)
    model.setData(at(model, "blocks"), 2, CHECK)
    model.undo_stack.undo()
    other = build_tree(nn.Sequential(nn.Linear(2, 2), nn.ReLU(), nn.Sequential(nn.BatchNorm1d(2))))
    model.set_tree(other, whole_run(frozenset({"0"})))
    model.setData(at(model, "2"), CHECKED, CHECK)
    assert checker.model() is model


def test_qts_model_checker_finds_no_fault_in_the_filtered_tree(model: LayerModel, tree: LayerTree) -> None:
    checker = checked_by_qt(model)
    for text in ("conv !bn", "head", "nothing of that name", ""):
        model.show_rows(Finder(tree).find(text).shown)
        model.setData(at(model, "blocks"), 2, CHECK)
    assert checker.model() is model


def test_what_is_held_on_to_moves_with_the_rows_that_are_hidden_and_is_let_go_where_it_is_hidden_itself(
    model: LayerModel, tree: LayerTree
) -> None:
    block, conv, head = (QPersistentModelIndex(at(model, path)) for path in ("blocks.1", "blocks.1.conv", "head"))
    model.show_rows(Finder(tree).find('"blocks.1"').shown)
    assert (block.row(), block.data(PATH_ROLE)) == (0, "blocks.1")   # its elder sister is hidden
    assert (conv.row(), conv.data(PATH_ROLE), conv.parent().data(PATH_ROLE)) == (0, "blocks.1.conv", "blocks.1")
    assert not head.isValid()
    assert not at(model, "head").isValid()
    assert model.rowCount(block.parent()) == 1
    model.show_rows(None)
    assert (block.row(), model.rowCount(block.parent())) == (1, len(tree.by_path["blocks"].children))


def test_a_tick_freezes_a_row_and_all_below_it_and_makes_its_parents_partial(model: LayerModel) -> None:
    assert model.setData(at(model, "blocks.0"), 2, CHECK)   # views hand over the integer
    assert model.layers == {"blocks.0.conv", "blocks.0.norm"}
    assert state(model, "blocks.0.conv") == CHECKED
    assert state(model, "blocks") == state(model, "") == PARTLY
    assert state(model, "head") == UNCHECKED


def test_a_partial_parent_goes_to_all_then_none_then_back_to_what_it_was(model: LayerModel, tree: LayerTree) -> None:
    model.setData(at(model, "blocks.1"), CHECKED, CHECK)
    mixed = model.layers
    model.setData(at(model, "blocks"), CHECKED, CHECK)
    assert state(model, "blocks") == CHECKED
    model.setData(at(model, "blocks"), UNCHECKED, CHECK)
    assert state(model, "blocks") == UNCHECKED
    model.setData(at(model, "blocks"), CHECKED, CHECK)
    assert model.layers == mixed
    model.setData(at(model, "blocks"), CHECKED, CHECK)
    assert state(model, "blocks") == CHECKED


def test_a_click_elsewhere_forgets_the_mixed_ticks(model: LayerModel) -> None:
    model.setData(at(model, "blocks.1"), CHECKED, CHECK)
    model.setData(at(model, "blocks"), CHECKED, CHECK)
    model.setData(at(model, "blocks"), UNCHECKED, CHECK)
    model.setData(at(model, "head"), CHECKED, CHECK)
    model.setData(at(model, "blocks"), CHECKED, CHECK)
    assert state(model, "blocks") == CHECKED


def test_every_change_of_ticks_can_be_undone_and_done_again(model: LayerModel) -> None:
    model.setData(at(model, "stem"), CHECKED, CHECK)
    first = model.layers
    model.setData(at(model, "head"), CHECKED, CHECK)
    model.undo_stack.undo()
    assert model.layers == first
    model.undo_stack.undo()
    assert model.layers == frozenset()
    model.undo_stack.redo()
    assert model.layers == first


def test_rows_that_own_nothing_have_no_box(model: LayerModel) -> None:
    assert at(model, "stem.act").data(CHECK) is None
    assert not at(model, "stem.act").flags() & Qt.ItemFlag.ItemIsUserCheckable
    assert not model.setData(at(model, "stem.act"), CHECKED, CHECK)


def test_a_tick_sends_one_range_of_changed_rows_per_parent(model: LayerModel, qtbot: QtBot) -> None:
    parents: list[str] = []
    model.dataChanged.connect(lambda first, last: parents.append(str(first.parent().data())))
    model.setData(at(model, ""), CHECKED, CHECK)
    assert len(parents) == len(set(parents))


def test_state_and_statistics_say_what_the_next_run_will_do(model: LayerModel) -> None:
    model.setData(at(model, "stem"), CHECKED, CHECK)
    assert at(model, "stem.norm", STATE).data() == "frozen"
    assert at(model, "head", STATE).data() == "trains"
    assert at(model, "stem.norm", STATISTICS).data() == "moving"
    model.set_policy("requires_grad", "eval")
    assert at(model, "stem.norm", STATISTICS).data() == "still"
    assert at(model, "blocks.2.norm", STATISTICS).data() == "moving"
    assert at(model, "stem.conv", STATISTICS).data() == ""


def test_the_root_of_twenty_thousand_modules_is_ticked_at_once(qtbot: QtBot) -> None:
    blocks = [nn.Sequential(*(nn.Linear(1, 1, device="meta") for _ in range(9))) for _ in range(2000)]
    model = LayerModel()
    model.set_tree(build_tree(nn.Sequential(*blocks)), Timeline())
    began = time.perf_counter()
    model.setData(model.index(0, 0), CHECKED, CHECK)
    assert time.perf_counter() - began < 1.0   # some 0.1 s here: a bound against quadratic work, not a benchmark
    assert len(model.layers) == 18_000


@pytest.mark.parametrize(
    ("text", "layers"),
    [
        ("conv !bn", {"stem.conv", "blocks.0.conv", "blocks.1.conv", "blocks.2.conv"}),
        ("blocks.1", {"blocks.1.conv", "blocks.1.norm"}),
        ('"head"', {"head"}),
        ("linear", {"head"}),
        ("bn blocks", {"blocks.0.norm", "blocks.1.norm", "blocks.2.norm"}),
        ("nothing-like-it", set()),
    ],
)
def test_the_find_box_means_these_layers(tree: LayerTree, text: str, layers: set[str]) -> None:
    assert Finder(tree).find(text).layers == layers


def test_found_rows_are_shown_with_their_parents_and_what_is_below_them(tree: LayerTree) -> None:
    shown = Finder(tree).find('"0"').shown
    assert shown is not None
    paths = {node.path for node in tree.nodes if shown[node.index]}
    assert paths == {"", "blocks", "blocks.0", "blocks.0.conv", "blocks.0.norm", "blocks.0.act", "blocks.0.pool"}


def test_presets_freeze_what_their_names_say(tree: LayerTree) -> None:
    everything = frozenset(tree.layers)
    assert ticks.up_to(tree, tree.by_path["blocks.0"]) == {
        "stem.conv", "stem.norm", "blocks.0.conv", "blocks.0.norm"
    }  # fmt: skip
    assert ticks.all_but(tree, [head(tree)]) == everything - {"head"}
    assert [block.path for block in blocks(tree)] == ["stem", "blocks.0", "blocks.1", "blocks.2", "head"]
    assert ticks.first_blocks(tree, 2) == ticks.up_to(tree, tree.by_path["blocks.0"])
    assert ticks.inverted(tree, everything) == frozenset()
    assert all(path.endswith("norm") for path in ticks.norm_layers(tree))


def test_the_status_line_says_the_share_that_trains(tree: LayerTree) -> None:
    assert ticks.status_line(tree, frozenset()) == "100 % trainable · 46,869 of 46,869 parameters · frozen: nothing"
    assert ticks.status_line(tree, frozenset(tree.layers)).startswith("0 % trainable")
    assert ticks.warnings(tree, frozenset(tree.layers), "requires_grad") == [ticks.EVERYTHING_FROZEN]


@pytest.mark.parametrize(
    ("count", "text"), [(0, ""), (325, "325"), (46_869, "46,869"), (230_144, "230 k"), (11_689_512, "11.7 M")]
)
def test_parameter_counts_are_short(count: int, text: str) -> None:
    assert count_text(count) == text
