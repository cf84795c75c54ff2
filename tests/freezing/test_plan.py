from __future__ import annotations

import pytest
from torch import nn

from freeze_gui.errors import UserError
from freeze_gui.freezing.plan import FreezePlan, FreezeSettings, PhaseSettings, TaskSettings, resolve
from freeze_gui.models.layer_tree import LayerTree, build_tree


@pytest.fixture
def tree() -> LayerTree:
    return build_tree(nn.Sequential(nn.Linear(1, 1), nn.Sequential(nn.Linear(1, 1), nn.ReLU()), nn.Linear(1, 1)))


def steps_frozen(plan: FreezePlan, path: str, task: str | None = None) -> list[int]:
    return [step for step in range(20) if path in plan.frozen_at(step, task)]


def test_a_window_holds_its_first_step_and_not_its_last(tree: LayerTree) -> None:
    plan = resolve(FreezeSettings(("0",), from_step=3, to_step=7), tree)
    assert steps_frozen(plan, "0") == [3, 4, 5, 6]
    assert steps_frozen(plan, "2") == []


def test_a_window_without_an_end_lasts(tree: LayerTree) -> None:
    assert steps_frozen(resolve(FreezeSettings(("0",), from_step=18), tree), "0") == [18, 19]


def test_an_empty_window_freezes_nothing(tree: LayerTree) -> None:
    assert steps_frozen(resolve(FreezeSettings(("0",), from_step=4, to_step=4), tree), "0") == []


def test_a_block_freezes_with_everything_below_it(tree: LayerTree) -> None:
    assert resolve(FreezeSettings(("1",)), tree).frozen_at(0) == {"1", "1.0", "1.1"}


def test_phases_may_overlap_and_add_up(tree: LayerTree) -> None:
    phases = (PhaseSettings(("0",), 0, 4), PhaseSettings(("0",), 2, 6), PhaseSettings(("0",), 10, 12))
    assert steps_frozen(resolve(FreezeSettings(phases=phases), tree), "0") == [0, 1, 2, 3, 4, 5, 10, 11]


def test_a_phase_in_epochs_counts_whole_passes_over_the_data(tree: LayerTree) -> None:
    settings = FreezeSettings(phases=(PhaseSettings(("0",), 1, 3, "epoch"),))
    assert steps_frozen(resolve(settings, tree, epoch_steps=4), "0") == list(range(4, 12))


def test_a_phase_in_epochs_needs_data_that_say_how_long_one_is(tree: LayerTree) -> None:
    settings = FreezeSettings(phases=(PhaseSettings(("0",), 0, 3, "epoch"),))
    with pytest.raises(UserError, match='unit = "step"'):
        resolve(settings, tree, epoch_steps=None)


def test_a_task_holds_its_layers_in_its_own_steps_only(tree: LayerTree) -> None:
    plan = resolve(FreezeSettings(tasks=(TaskSettings("a", ("0",)), TaskSettings("b", ("2",)))), tree)
    assert (steps_frozen(plan, "0", "a"), steps_frozen(plan, "0", "b"), steps_frozen(plan, "0")) == (
        list(range(20)), [], [],
    )


def test_resuming_at_a_step_gives_the_layers_of_an_uninterrupted_run(tree: LayerTree) -> None:
    settings = FreezeSettings(("0",), from_step=3, to_step=7)
    once, again = resolve(settings, tree), resolve(settings, tree)
    straight = [once.frozen_at(step) for step in range(10)]
    assert [again.frozen_at(step) for step in reversed(range(10))] == straight[::-1]


def test_a_pattern_that_matches_nothing_is_found_before_the_run_wherever_it_stands(tree: LayerTree) -> None:
    for settings in (
        FreezeSettings(("9",)),
        FreezeSettings(phases=(PhaseSettings(("9",)),)),
        FreezeSettings(tasks=(TaskSettings("a", ("9",)),)),
    ):
        with pytest.raises(UserError, match='"9" matches no layer'):
            resolve(settings, tree)
