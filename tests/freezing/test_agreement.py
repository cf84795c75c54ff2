from __future__ import annotations

from freeze_gui.freezing.agreement import disagreements
from freeze_gui.freezing.basis import TensorForecast
from freeze_gui.freezing.verdict import Cause, TensorVerdict


def told(*causes: str, unsure: tuple[str, ...] = ()) -> TensorForecast:
    return TensorForecast("a.weight", "parameter", "a", frozenset(causes), frozenset(unsure))


def seen(*causes: str, frozen: bool = True) -> TensorVerdict:
    found = tuple(Cause(cause, 1, 0.1) for cause in causes)
    return TensorVerdict("a.weight", "parameter", "a", ((0, 4),) if frozen else (), bool(causes), causes=found)


def test_what_came_as_it_was_forecast_is_no_disagreement() -> None:
    assert disagreements([told()], [seen()]) == ()
    assert disagreements([told("momentum", "weight_decay")], [seen("weight_decay", "momentum")]) == ()


def test_both_sides_of_a_disagreement_are_named_in_one_sentence() -> None:
    (found,) = disagreements([told("momentum")], [seen()])
    assert (found.name, found.layer, found.forecast, found.seen) == ("a.weight", "a", ("momentum",), ())
    assert found.text == "a.weight was forecast to move by momentum, and was seen to hold."
    (found,) = disagreements([told()], [seen("gradient", "other_writer")])
    assert found.text == "a.weight was forecast to hold, and was seen to move by gradient and other writer."


def test_another_cause_than_the_forecast_one_is_a_disagreement_although_both_say_that_it_moves() -> None:
    assert disagreements([told("momentum")], [seen("gradient")])


def test_what_round_off_decides_may_come_or_not() -> None:
    for causes in ((), ("gradient",)):
        assert disagreements([told(unsure=("gradient",))], [seen(*causes)]) == ()
    assert disagreements([told(unsure=("gradient",))], [seen("momentum")])


def test_a_tensor_that_nobody_forecast_must_hold() -> None:
    assert disagreements([], [seen()]) == ()
    assert disagreements([], [seen("gradient")])[0].forecast == ()


def test_a_tensor_that_was_never_frozen_is_not_compared() -> None:
    assert disagreements([told("momentum")], [seen(frozen=False)]) == ()
