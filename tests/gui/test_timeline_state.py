from __future__ import annotations

import pytest

from freeze_gui.errors import UserError
from freeze_gui.freezing.plan import FreezeSettings, PhaseSettings, TaskSettings, resolve
from freeze_gui.gui import timeline_state as state
from freeze_gui.gui.timeline_state import Bar, Span, Timeline
from freeze_gui.models.layer_tree import LayerTree, build_tree
from freeze_gui.models.sources import open_model

A, B = frozenset({"stem.conv"}), frozenset({"head"})
RUN = Span(300, 20)


@pytest.fixture(scope="module")
def tree() -> LayerTree:
    return build_tree(open_model("builtin:digits-cnn").module)


def test_ticks_alone_are_one_bar_over_the_whole_run() -> None:
    timeline = state.whole_run(A)
    assert (timeline.layers, timeline.is_schedule, RUN.window(timeline.bar)) == (A, False, (0, 300))


def test_ticks_change_the_selected_bar_and_no_other() -> None:
    timeline = Timeline((Bar(A, 0, 10), Bar(A, 20, 30)), selected=1)
    assert state.with_layers(timeline, B).bars == (Bar(A, 0, 10), Bar(B, 20, 30))


@pytest.mark.parametrize(
    ("start", "units", "moved_to"),
    [(50, 10, (60, 110)), (50, -60, (0, 50)), (50, 500, (250, 300)), (0, -1, (0, 50))],
)
def test_a_moved_bar_keeps_its_length_and_stays_in_the_run(start: int, units: int, moved_to: tuple[int, int]) -> None:
    bar = state.moved(Bar(A, start, start + 50), units, RUN)
    assert (bar.start, bar.stop) == moved_to


def test_of_a_bar_that_lasts_to_the_end_only_the_beginning_moves() -> None:
    assert state.moved(Bar(A), 40, RUN) == Bar(A, 40)
    assert state.moved(Bar(A, 40), 500, RUN) == Bar(A, 299)


def test_the_ends_of_a_bar_keep_one_unit_between_them() -> None:
    bar = Bar(A, 100, 200)
    assert state.starting_at(bar, 250, RUN).start == 199
    assert state.starting_at(bar, -5, RUN).start == 0
    assert state.stopping_at(bar, 3, RUN).stop == 101


def test_a_bar_drawn_to_the_end_of_the_run_lasts_to_the_end() -> None:
    assert state.stopping_at(Bar(A, 0, 10), 300, RUN).stop is None
    assert state.stopping_at(Bar(A, 0, 10), 299, RUN).stop == 299


def test_a_bar_in_epochs_is_as_long_as_its_epochs() -> None:
    bar = Bar(A, 2, 5, "epoch")
    assert RUN.window(bar) == (40, 100)
    assert RUN.units("epoch") == 15
    assert Span(301, 20).units("epoch") == 16   # a begun epoch counts
    assert state.stopping_at(bar, 15, RUN).stop is None


def test_another_unit_counts_to_the_nearest_whole_epochs() -> None:
    assert state.counting_in(Bar(A, 31, 99), "epoch", RUN) == Bar(A, 2, 5, "epoch")
    assert state.counting_in(Bar(A, 2, None, "epoch"), "step", RUN) == Bar(A, 40, None)
    assert state.counting_in(Bar(A, 0, 3), "epoch", RUN).stop == 1   # at least one


def test_an_unknown_epoch_is_drawn_with_an_assumed_length() -> None:
    assert state.span_of(None, 3, None) == Span(3 * state.ASSUMED_EPOCH_STEPS)
    assert state.span_of(None, 3, 16) == Span(48, 16)
    assert state.span_of(70, None, 16) == Span(70, 16)


def test_a_new_bar_has_the_ticks_and_goes_on_where_the_selected_one_ends() -> None:
    timeline = state.adding(Timeline((Bar(A, 0, 100),)), RUN)
    assert (timeline.bars, timeline.selected) == ((Bar(A, 0, 100), Bar(A, 100)), 1)
    assert state.adding(timeline, RUN).bars[2] == Bar(A)   # a twin of one that lasts to the end


def test_of_the_last_bar_an_empty_one_is_left() -> None:
    timeline = state.removing(Timeline((Bar(A, 0, 100), Bar(B)), selected=1))
    assert (timeline.bars, timeline.selected) == ((Bar(A, 0, 100),), 0)
    assert state.removing(timeline).is_empty


def test_a_configuration_keeps_what_a_person_wrote_until_the_ticks_change(tree: LayerTree) -> None:
    phases = (PhaseSettings(("re:.*norm",), 3, 7, "epoch", 0.5), PhaseSettings(("[-1]",)))
    tasks = (TaskSettings("t", ("blocks.*",)),)
    timeline = state.timeline_of(FreezeSettings(phases=phases, tasks=tasks), tree)
    assert state.phases_of(timeline, tree) == phases
    assert state.tasks_of(timeline) == tasks
    assert timeline.bars[1].layers == {"head"}
    ticked = state.with_layers(timeline, frozenset({"stem.conv", "stem.norm"}))
    assert state.phases_of(ticked, tree)[0] == PhaseSettings(("stem",), 3, 7, "epoch", 0.5)


def test_a_bar_without_layers_is_not_part_of_a_configuration(tree: LayerTree) -> None:
    assert state.phases_of(Timeline((Bar(), Bar(B), Bar())), tree) == (PhaseSettings(("head",)),)


def test_a_pattern_that_matches_nothing_is_said(tree: LayerTree) -> None:
    with pytest.raises(UserError, match='"hed" matches no layer'):
        state.timeline_of(FreezeSettings(("hed",)), tree)


def test_bars_freeze_at_each_step_what_the_plan_freezes(tree: LayerTree) -> None:
    settings = FreezeSettings(
        phases=(
            PhaseSettings(("stem",), 1, 3, "epoch"), PhaseSettings(("head",), 50), PhaseSettings(("blocks.1",), 0, 45),
        )
    )  # fmt: skip
    timeline, plan = state.timeline_of(settings, tree), resolve(settings, tree, 20)
    for step in range(0, 300, 5):
        assert state.frozen_at(timeline, step, RUN) == plan.frozen_at(step) & frozenset(tree.layers)
