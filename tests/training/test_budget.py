from __future__ import annotations

import itertools

import pytest

from freeze_gui.training.budget import FIRST, SHARE, Budget


def measured_of(budget: Budget, steps: int, measuring_s: float, training_s: float) -> list[int]:
    found = []
    for step in range(steps):
        due = budget.is_due(step, None, False)
        budget.took(measuring_s if due else None, training_s)
        found += [step] * due
    return found


def test_measuring_that_costs_little_takes_place_at_every_step() -> None:
    assert measured_of(Budget(None), 300, 0.00005, 0.01) == list(range(300))


def test_measuring_that_costs_much_takes_its_share_and_no_more() -> None:
    found = measured_of(Budget(None), 10_000, 0.0003, 0.001)   # 30 %: every 64th step is 0.47 %
    assert found[:FIRST] == list(range(FIRST))
    later = found[FIRST:]
    assert len(later) * 0.0003 <= SHARE * 0.001 * (10_000 - FIRST)
    assert {step % 64 for step in later} == {0}
    assert len(later) == len(range(128, 10_000, 64))


def test_steps_of_note_are_measured_in_any_case() -> None:
    budget = Budget(None)
    measured_of(budget, 500, 0.01, 0.001)
    assert budget.every > 1
    assert budget.is_due(501, None, True)
    assert not budget.is_due(502, None, False)


def test_a_cost_near_the_limit_does_not_swing_to_and_fro() -> None:
    budget, seen = Budget(None), []
    for step in range(2000):
        due = budget.is_due(step, None, False)
        # the copy of the weights before the step is not needed where every step is measured
        budget.took((0.000063 if budget.every == 1 else 0.000081) if due else None, 0.01)
        seen.append(budget.every)
    assert sum(a != b for a, b in itertools.pairwise(seen)) == 1


def test_what_becomes_cheaper_is_measured_more_often_again() -> None:
    budget = Budget(None)
    measured_of(budget, 2000, 0.001, 0.001)
    seldom = budget.every
    measured_of(budget, 20_000, 0.000005, 0.001)
    assert seldom == 256
    assert budget.every == 1


def test_an_interval_that_a_person_chose_is_kept() -> None:
    assert measured_of(Budget(7), 30, 1.0, 0.001) == [0, 7, 14, 21, 28]
    assert not Budget(7).is_due(3, None, True)


def test_tasks_that_alternate_are_both_measured_within_the_share() -> None:
    budget, measured = Budget(None), []
    for step in range(4000):
        task = f"task{step % 2}"
        due = budget.is_due(step, task, False)
        budget.took(0.0003 if due else None, 0.001)   # 30 %: two of every 128 steps are 0.47 %
        measured += [step] * due
    later = [step for step in measured if step >= 200]
    assert later == sorted([*range(256, 4000, 128), *range(257, 4000, 128)])


@pytest.mark.parametrize("nth", [4, 10, 30])
def test_a_rare_task_of_long_steps_does_not_make_the_interval_swing(nth: int) -> None:
    budget, seen = Budget(None), []
    for step in range(20_000):
        is_rare = step % nth == nth - 1
        due = budget.is_due(step, "rare" if is_rare else "usual", False)
        budget.took(0.0001 if due else None, 0.1 if is_rare else 0.001)
        seen.append(budget.every)
    assert set(seen[FIRST:]) == {64}   # two of every 64 steps at 10 % of a usual one are 0.31 %
