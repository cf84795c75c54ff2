from __future__ import annotations

import pytest

from freeze_gui.gui.compare_words import (
    EqualRuns,
    difference_detail,
    difference_line,
    ended_words,
    equal_line,
    equality_words,
    equals_words,
    progress_of,
    proof_line,
    unique_labels,
)
from freeze_gui.runs.differences import FirstDifference
from tests.gui.recorded_runs import add_steps, end_run, started_run, waiting_run


@pytest.mark.parametrize(
    ("labels", "taken", "expected"),
    [
        (["a", "b"], [], ["a", "b"]),
        (["a", "b"], ["a"], ["a #2", "b"]),
        (["a"], ["a", "a #2"], ["a #3"]),
        (["a", "a"], [], ["a", "a #2"]),
        (["a"], ["a", "a #3"], ["a #2"]),
    ],
)
def test_a_label_that_is_there_already_gets_the_next_number(
    labels: list[str], taken: list[str], expected: list[str]
) -> None:
    assert unique_labels(labels, taken) == expected


def test_a_comparison_that_was_stopped_says_how_many_runs_were_completed() -> None:
    def words(*statuses: str) -> str:
        return ended_words({"runs": [{"summary": {"status": status}} for status in statuses]})

    assert words("completed", "completed", "diverged") == "compared 3 runs"
    assert words("completed", "stopped", "stopped") == "comparison stopped: 1 of 3 runs completed"


def test_progress_counts_the_steps_of_all_runs() -> None:
    runs = [started_run("a"), started_run("b"), waiting_run("c"), waiting_run("d")]
    add_steps(runs[0], 100)
    end_run(runs[0])
    add_steps(runs[1], 64)
    progress = progress_of(runs)
    assert progress.share == pytest.approx((1 + 0.64) / 4)
    assert (progress.text, progress.label) == ("run 2 of 4 · 41 %", "b")


def test_progress_in_turns_is_the_step_that_all_runs_have_reached() -> None:
    runs = [started_run("a", 300), started_run("b", 300), waiting_run("c")]
    assert progress_of(runs, in_turns=True).text == "in turns: loading 3 runs"
    runs[2] = started_run("c", 300)
    add_steps(runs[0], 130)
    add_steps(runs[1], 120)
    add_steps(runs[2], 120)
    progress = progress_of(runs, in_turns=True)
    assert progress.text == "in turns: step 120 of 300, 3 runs"
    assert progress.share == pytest.approx(370 / 900)
    add_steps(runs[1], 3)
    end_run(runs[1], status="diverged")   # the others go on without it
    end_run(runs[2])
    assert progress_of(runs, in_turns=True).text == "in turns: step 130 of 300, 3 runs"


def test_progress_of_runs_that_all_ended_is_whole_even_where_some_stopped_early() -> None:
    runs = [started_run("a"), started_run("b")]
    for run in runs:
        add_steps(run, 7)
        end_run(run, status="stopped")
    assert progress_of(runs).text == "run 2 of 2 · 100 %"


def test_the_proof_names_the_batches_that_all_saw_and_has_the_hash_in_its_detail() -> None:
    runs = [started_run("a"), started_run("b")]
    assert proof_line(runs).holds is None
    for run, steps in zip(runs, (100, 30), strict=True):
        add_steps(run, steps)
        end_run(run, proof="x")
    proof = proof_line(runs)
    assert proof.text == "same start ✓ · batches ✓ 30 steps" and proof.holds is True
    assert "hash" in proof.detail


def test_runs_without_hashes_are_neither_a_yes_nor_a_no_and_the_detail_says_why() -> None:
    runs = [started_run("a"), started_run("b")]
    for run, proof in zip(runs, ("x", ""), strict=True):
        add_steps(run, 3)
        end_run(run, proof=proof)
    line = proof_line(runs)
    assert line.text == "same start and batches: not proven"
    assert line.holds is None and "there are no hashes of b" in line.detail


def test_runs_that_took_no_step_have_nothing_to_compare() -> None:
    runs = [started_run("a"), started_run("b")]
    end_run(runs[0], status="failed", proof="x")
    assert proof_line(runs).text == ""   # the other may still come
    end_run(runs[1], status="failed", proof="x")
    assert proof_line(runs).text == "nothing to compare: fewer than two runs finished a step"


def test_another_start_is_a_clear_no() -> None:
    runs = [started_run("a"), started_run("b")]
    for run in runs:
        add_steps(run, 1)
        end_run(run, proof="x", start=run.label)
    proof = proof_line(runs)
    assert proof.text == "same start ✗ · batches ✓ 1 step · validation ✓" and proof.holds is False


def test_equal_runs_are_grouped_as_they_end() -> None:
    runs = [started_run(name) for name in "abc"]
    equal = EqualRuns()
    for run, end in zip(runs, ("x", "y", "x"), strict=True):
        assert equal.groups(runs) == []
        add_steps(run, 3)
        end_run(run, proof=end)
    (group,) = equal.groups(runs)
    assert group == [runs[0], runs[2]]
    assert equal.groups(runs[:2]) == []   # of those that are asked about
    assert equal_line([group]) == "a = c: the same bits"
    assert equals_words([group]) == {runs[0]: "c", runs[2]: "a"}


def test_equal_runs_are_named_in_their_order_whichever_was_compared_first() -> None:
    runs = [started_run(name) for name in "abcd"]
    equal = EqualRuns()
    for run, end in zip(runs, "xyyx", strict=True):
        add_steps(run, 3)
        end_run(run, proof=end)
    for run in reversed(runs):
        equal.add(run)
    assert equal.groups(runs) == [[runs[0], runs[3]], [runs[1], runs[2]]]


def test_of_many_equal_runs_the_first_are_named_and_the_others_counted() -> None:
    group = [waiting_run(name) for name in "abcdefghijk"]
    words = equals_words([group])
    assert words[group[0]] == "b, c, d, e, f, g, h, i and 2 more"
    assert words[group[10]] == "a, b, c, d, e, f, g, h and 2 more"
    assert equals_words([group[:9]])[group[4]] == "a, b, c, d, f, g, h, i"


def test_many_equal_runs_are_said_to_be_so_in_one_short_line() -> None:
    group = [waiting_run(name) for name in "abcde"]
    assert equal_line([group]) == "a = b = c = 2 more: the same bits"
    assert equality_words([["a", "b"], ["c", "d"]]) == ": a = b and c = d, the same bits"
    assert equality_words([]) == ""


@pytest.mark.parametrize(
    ("found", "words"),
    [
        (FirstDifference(0, None, {}, {}), "There is no step yet that both runs took"),
        (FirstDifference(300, 12, {"conv": None, "fc1": 3}, {}), "First step that differs: 12 (loss), 3 (fc1)"),
        (FirstDifference(300, None, {"a": 1, "b": 1, "c": 1}, {}), "First step that differs: 1 (3 layers)"),
        (
            FirstDifference(300, None, {"a": None}, {"a": True}),
            "The same bits in 300 steps: every loss and every weight",
        ),
        (FirstDifference(9, None, {"a": None}, {}), "The same bits in 9 steps: every loss and every update so far"),
        (
            FirstDifference(9, None, {"a": None}, {}, end_unknown="b was stopped before their digests were taken"),
            "The same bits in 9 steps: every loss and every update; not proven of the weights at the end: "
            "b was stopped before their digests were taken",
        ),
        (
            FirstDifference(9, None, {"a": None}, {"a": True}, evaluation=6, same_evaluations=False),
            "Equal losses and updates in 9 steps, but not in the evaluation after 6 steps",
        ),
        (
            FirstDifference(9, None, {"a": None, "bn": None}, {"a": True, "bn": False}),
            "Equal losses and updates in 9 steps, but at the end these differ: bn",
        ),
    ],
)
def test_the_first_difference_is_said_in_one_line(found: FirstDifference, words: str) -> None:
    assert difference_line(found) == words


def test_every_layer_has_a_line_of_its_own_in_the_detail() -> None:
    assert difference_detail(FirstDifference(9, 1, {"a": None, "": 4}, {})) == "a: never\n(model): from step 4"
