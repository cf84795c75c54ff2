"""Many runs: what is said of all is what holding each against each says, and takes no longer with their number."""

from __future__ import annotations

import random
from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest

from freeze_gui.runs.comparability import Answer, comparability
from freeze_gui.runs.recorder import RunRecorder
from tests.gui.recorded_runs import add_steps, end_run, started_run


def random_run(label: str, dice: random.Random) -> RunRecorder:
    """Return a run of a few steps whose start, batches and evaluations are each one of two."""
    run = started_run(label)
    steps = dice.choice([4, 6])
    add_steps(run, steps)
    end_run(run, proof="end", start=dice.choice(["s", "s", "t"]))
    assert run.ended is not None and run.ended.proof is not None
    by_step = np.arange(1, steps + 1, dtype=np.uint64)
    by_step[dice.choice([2, 3, steps]) :] += 50
    evaluations = {steps: dice.choice(["v", "v", "w"])}
    proof = replace(run.ended.proof, batches_by_step=by_step, evaluations=evaluations, is_whole=dice.random() < 0.9)
    run.ended = replace(run.ended, proof=proof if dice.random() < 0.9 else None)
    return run


@pytest.mark.parametrize("seed", range(30))
def test_what_is_said_of_many_runs_is_what_all_pairs_say_together(seed: int) -> None:
    dice = random.Random(seed)
    runs = [random_run(f"run {at}", dice) for at in range(dice.randint(2, 9))]
    found = comparability(runs)
    pairs = [comparability(pair) for pair in combinations(runs, 2)]
    for thing in ("start", "batches", "validation"):
        assert getattr(found, thing) == together([getattr(pair, thing) for pair in pairs]), thing


def together(answers: list[Answer]) -> Answer:
    """Return the earliest no, else the first that is not proven, else yes over the fewest and the most steps."""
    noes = sorted((a for a in answers if a.same is False), key=lambda a: a.first_difference or 0)
    open_ = [a for a in answers if a.same is None and a.why]
    yes = [a for a in answers if a.same]
    if noes or open_ or not yes:
        return [*noes, *open_, Answer()][0]
    return Answer(True, (min(a.compared[0] for a in yes), max(a.compared[1] for a in yes)))


def test_runs_that_are_all_alike_are_held_against_each_other() -> None:
    runs = []
    for at in range(5):
        runs.append(started_run(f"run {at}"))
        add_steps(runs[-1], 4)
        end_run(runs[-1], proof="end")
    found = comparability(runs)
    assert found.start.same is True and found.holds is True
    assert found.batches == Answer(True, (4, 4))
