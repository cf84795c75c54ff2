from __future__ import annotations

from freeze_gui.freezing.verdict import Cause, TensorVerdict
from freeze_gui.gui import row_states as rows
from freeze_gui.gui.row_states import Actual, RowState
from freeze_gui.gui.timeline_state import Bar, Span, TaskBar, Timeline, whole_run
from freeze_gui.models.layer_tree import LayerTree, build_tree
from freeze_gui.models.sources import open_model
from freeze_gui.training.events import RunEnded
from tests.gui.recorded_runs import add_steps, started_run

STEM = frozenset({"stem.conv", "stem.norm"})
HEAD = frozenset({"head"})
RUN = Span(100)
TREE: LayerTree = build_tree(open_model("builtin:digits-cnn").module)


def states(timeline: Timeline, actual: Actual | None = None) -> dict[str, RowState]:
    found = rows.row_codes(TREE, rows.planned_codes(TREE, timeline), timeline, RUN, actual)
    return {node.path: rows.STATES[found[node.index]] for node in TREE.nodes}


def test_ticks_for_the_whole_run_are_frozen_and_the_rest_trains() -> None:
    found = states(whole_run(STEM))
    assert (found["stem.conv"], found["stem"], found["head"], found[""]) == (
        rows.FROZEN, rows.FROZEN, rows.TRAINS, rows.PARTLY,
    )  # fmt: skip


def test_what_holds_in_some_steps_only_says_so_unless_another_phase_holds_it_throughout() -> None:
    timeline = Timeline((Bar(STEM, 0, 50), Bar(HEAD, 10)), (TaskBar("t", frozenset({"blocks.0.conv"}), ("x",)),))
    found = states(timeline)
    assert (found["stem.conv"], found["head"], found["blocks.0.conv"]) == (rows.PHASED, rows.PHASED, rows.TASKED)
    assert states(Timeline((Bar(STEM, 0, 50), Bar(STEM))))["stem.conv"] is rows.FROZEN


def test_a_running_phase_is_no_wish_that_waits() -> None:
    timeline = Timeline((Bar(STEM, 0, 50), Bar(HEAD, 50)))
    held = dict.fromkeys(STEM, rows.HELD)
    early = states(timeline, Actual(STEM, held, True, 20))
    assert (early["stem.conv"], early["head"]) == (rows.HELD, rows.PHASED)
    late = states(timeline, Actual(HEAD, {"head": rows.HELD}, True, 60))
    assert (late["stem.conv"], late["head"]) == (rows.PHASED, rows.HELD)


def test_a_changed_phase_waits_for_the_next_step() -> None:
    timeline = Timeline((Bar(HEAD, 10, 50),))   # the head is wanted now, the stem no longer
    found = states(timeline, Actual(STEM, dict.fromkeys(STEM, rows.HELD), True, 20))
    assert (found["stem.conv"], found["head"]) == (rows.THAWING, rows.FREEZING)


def test_a_run_of_another_program_or_one_that_broke_off_takes_no_ticks() -> None:
    run = started_run()
    add_steps(run, 20, frozen=(0,))
    actual = rows.actual_of(run, obeys=False)
    assert actual is not None and rows.actual_of(run) is not None
    assert (actual.live, actual.step, actual.frozen) == (False, 19, frozenset({run.layers[0].path}))
    found = states(whole_run(HEAD), Actual(STEM, dict.fromkeys(STEM, rows.HELD), False, 19))
    assert (found["stem.conv"], found["head"]) == (rows.TRAINS, rows.FROZEN)   # of the next run; nothing waits


def test_layers_of_tasks_are_wanted_and_not_by_turns() -> None:
    timeline = Timeline((Bar(),), (TaskBar("a", STEM, ("stem",)), TaskBar("b", HEAD, ("head",))))
    found = states(timeline, Actual(STEM, dict.fromkeys(STEM, rows.HELD), True, 7))
    assert (found["stem.conv"], found["head"]) == (rows.HELD, rows.TASKED)


def test_after_a_run_its_verdict_stays_until_the_plan_is_another() -> None:
    ended = Actual(STEM, {**dict.fromkeys(STEM, rows.HELD), "head": rows.LEAKED}, False, 99)
    assert states(whole_run(STEM), ended)["stem.conv"] is rows.HELD
    assert states(whole_run(STEM), ended)["head"] is rows.LEAKED   # frozen for a while in that run
    assert states(whole_run(HEAD), ended)["stem.conv"] is rows.TRAINS
    assert states(whole_run(HEAD), ended)["head"] is rows.FROZEN


def test_a_layer_that_one_cause_moved_names_it_and_a_parent_only_what_all_below_share() -> None:
    causes = {"stem.conv": "momentum", "stem.norm": "momentum", "head": "weight_decay"}
    leaked = {layer: rows.LEAKED_BY[cause] for layer, cause in causes.items()}
    found = states(whole_run(STEM | HEAD), Actual(STEM | HEAD, leaked, False, 99))
    words = [found[path].words for path in ("stem.conv", "stem", "head", "")]
    assert words == ["leaked: momentum", "leaked: momentum", "leaked: decay", "leaked"]


def test_a_layer_that_several_causes_moved_has_just_leaked() -> None:
    run = started_run()
    add_steps(run, 2, frozen=(0, 1, 3), leaked=(0, 1))
    tensors = [
        TensorVerdict(f"{path}.weight", "parameter", path, ((0, 2),), bool(causes), 2, 0, 0.1,
                      tuple(Cause(cause, 2, 0.1) for cause in causes))
        for path, causes in (("stem", ("momentum", "weight_decay")), ("blocks.0", ("stale_gradient",)), ("head", ()))
    ]  # fmt: skip
    run.handle(RunEnded("completed", None, 2, tuple(tensors)))
    actual = rows.actual_of(run)
    assert actual is not None
    words = {path: state.words for path, state in actual.states.items()}
    assert words == {"stem": "leaked", "blocks.0": "leaked: stale grad", "head": "held"}
