from __future__ import annotations

from freeze_gui.gui.timeline_model import TimelineModel
from freeze_gui.gui.timeline_state import Bar, Span, Timeline, selecting, whole_run

A, B = frozenset({"a"}), frozenset({"b"})
TWO = Timeline((Bar(A), Bar(B)))


def heard(model: TimelineModel) -> list[str]:
    said: list[str] = []
    model.changed.connect(lambda timeline: said.append("changed"))
    model.plan_changed.connect(lambda timeline: said.append("plan"))
    model.span_changed.connect(lambda: said.append("span"))
    return said


def test_another_selection_is_no_step_to_undo_and_no_other_plan() -> None:
    model = TimelineModel()
    model.reset(TWO)
    said = heard(model)
    model.change(selecting(TWO, 1), "select")
    assert said == ["changed"]
    assert model.timeline.layers == B
    assert model.undo_stack.count() == 0


def test_undo_goes_back_to_the_phase_that_was_changed() -> None:
    model = TimelineModel()
    model.reset(TWO)
    said = heard(model)
    model.change(Timeline((Bar(A, 0, 9), Bar(B))), "resize")
    model.show(selecting(model.timeline, 1))
    model.undo_stack.undo()
    assert model.timeline == TWO
    assert said == ["changed", "plan", "changed", "changed", "plan"]


def test_repeated_keys_are_one_step_until_something_else_comes_between() -> None:
    model = TimelineModel()
    model.reset(whole_run(A))
    for start, merge in ((1, "move"), (2, "move"), (3, ""), (4, "move"), (5, "other")):
        model.change(Timeline((Bar(A, start),)), "move", merge)
    assert model.undo_stack.count() == 4
    model.undo_stack.setIndex(1)
    assert model.timeline.bar.start == 2


def test_another_model_has_no_history_and_another_length_is_said_once() -> None:
    model = TimelineModel()
    model.change(whole_run(A), "tick")
    said = heard(model)
    model.reset(whole_run(B))
    model.set_span(Span(300))
    model.set_span(Span(300))
    assert model.undo_stack.count() == 0
    assert said == ["changed", "span"]
