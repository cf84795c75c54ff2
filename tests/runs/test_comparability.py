from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from freeze_gui.runs.comparability import Answer, comparability
from freeze_gui.runs.comparability_words import comparability_line, comparability_sentences
from freeze_gui.runs.comparison import comparison_summary
from freeze_gui.runs.recorder import RunRecorder
from freeze_gui.runs.store import RunWriter, open_run
from freeze_gui.runs.store_records import from_plain, pack, to_plain, unpack
from freeze_gui.training.checkpoint import Checkpoint
from freeze_gui.training.config import load_config
from freeze_gui.training.control import RunControl
from freeze_gui.training.events import Proof, RunEnded, StepDone
from freeze_gui.training.trainer import Trainer
from tests.support.runs import network_config

OPTIMIZER = {"name": "SGD", "lr": 0.01}

DATA = """
import threading
import torch

LINES = torch.randn(8, 6, generator=torch.Generator().manual_seed(0)), torch.arange(8) % 3
TRAINED = TRAIN

class Batches(list):
    pass

class Shuffled:
    def __iter__(self):
        return iter([(LINES[0][order], LINES[1][order]) for order in torch.randperm(8).split(4)])
    def __len__(self):
        return 2

class Labels(list):   # the targets, with something beside them
    def __init__(self, beside):
        super().__init__(LINES[1].tolist())
        self.beside = beside

def batches():
    found = Batches((LINES[0] * (1 + step), LINES[1]) for step in range(12))
    if TRAINED is not None:
        step, targets = TRAINED
        found[step] = (found[step][0], targets())
    found.validation = VALIDATION
    return found
"""
FIXED = "[(LINES[0], LINES[1])]"


def run(
    tmp_path: Path, label: str, steps: int = 6, validation: str = FIXED, train: str = "None", **more: Any
) -> RunRecorder:
    """Train the small network on a file whose step `train` names is another one."""
    file = tmp_path / "data.py"
    file.write_text(DATA.replace("TRAIN\n", f"{train}\n").replace("= VALIDATION", f"= {validation}"))
    config = network_config("grad_none", OPTIMIZER, steps=steps, **{"eval_every": 3, **more})
    recorder = RunRecorder(load_config({**config, "data": {"source": f"file:{file}:batches"}}), label)
    for event in Trainer(recorder.config).events():
        recorder.handle(event)
    assert recorder.status == "completed", recorder.ended
    return recorder


def test_each_two_runs_are_compared_over_the_steps_that_both_took(tmp_path: Path) -> None:
    other = "4, lambda: LINES[1].flip(0)"
    short, long, late = run(tmp_path, "short", 3), run(tmp_path, "long", 6), run(tmp_path, "late", 6, train=other)
    # the shortest agrees with both; the other two part at step 4, which it never took
    found = comparability([short, long, late])
    pairs = [comparability(pair).batches for pair in ([short, long], [short, late], [long, late])]
    assert [batches.same for batches in pairs] == [True, True, False]
    assert [batches.compared for batches in pairs] == [(3, 3), (3, 3), (6, 6)]
    assert found.batches == Answer(False, (6, 6), 4, ("long", "late"))
    assert found.holds is False and found.common_steps == 3
    sentences = comparability_sentences(found)
    assert "They did NOT see the same training batches: those of long and late differ from step 4 on." in sentences
    assert "batches ✗ from step 4" in comparability_line(found)


def test_runs_that_agree_say_over_how_many_steps_and_evaluations(tmp_path: Path) -> None:
    found = comparability([run(tmp_path, "a", 4), run(tmp_path, "b", 6), run(tmp_path, "c", 6)])
    assert found.holds is True
    assert found.batches.compared == (4, 6)
    assert comparability_sentences(found) == (
        f"All 3 runs began with the same bits in every weight and buffer (hash {found.start_hash[:8]}). They saw the "
        "same training batches, each two in the 4 to 6 steps of both. They saw the same validation batches, each two "
        "in the 1 to 2 evaluations of both."
    )
    assert comparability_line(found) == "same start ✓ · batches ✓ 4 to 6 steps · validation ✓"


def test_another_seed_is_another_start(tmp_path: Path) -> None:
    found = comparability([run(tmp_path, "a"), run(tmp_path, "b", seed=1)])
    assert (found.start.same, found.batches.same, found.validation.same) == (False, True, True)
    assert "did NOT begin with the same bits: a and b differ" in comparability_sentences(found)
    assert comparability_line(found) == "same start ✗ · batches ✓ 6 steps · validation ✓"


def test_batches_that_nobody_can_look_into_prove_nothing_from_there_on(tmp_path: Path) -> None:
    locked = "2, lambda: Labels(threading.Lock())"
    one, other = run(tmp_path, "one", train=locked), run(tmp_path, "other", train=locked)
    found = comparability([one, other])
    assert found.batches.same is None and found.batches.compared == (2, 2)
    assert found.batches.why.startswith("from step 2 on, the batches of one hold an object of class _thread.lock")
    assert found.holds is None
    assert comparability_line(found) == "same start ✓ · batches not proven · validation ✓"
    summary = json.loads(json.dumps(comparison_summary([one, other])["comparability"]))
    assert summary["batches"]["same"] is None and "_thread.lock" in summary["batches"]["why"]
    parted = run(tmp_path, "parted", train="1, lambda: LINES[1].flip(0)")   # before that, a difference is one
    assert comparability([one, parted]).batches == Answer(False, (6, 6), 1, ("one", "parted"))


def test_an_object_with_a_state_is_known_by_it(tmp_path: Path) -> None:
    one, same, other = (run(tmp_path, name, train=f"2, lambda: Labels('{name[:1]}')") for name in ("a1", "a2", "b"))
    assert comparability([one, same]).batches == Answer(True, (6, 6))
    assert comparability([one, other]).batches.first_difference == 2


def test_validation_batches_count_by_content_and_order(tmp_path: Path) -> None:
    fixed, negated = run(tmp_path, "fixed"), run(tmp_path, "negated", validation="[(-LINES[0], LINES[1])]")
    assert comparability([fixed, run(tmp_path, "again")]).validation == Answer(True, (2, 2))
    found = comparability([fixed, negated])
    assert comparability_line(found) == "same start ✓ · batches ✓ 6 steps · validation ✗ after 3 steps"
    assert (found.batches.same, found.validation) == (True, Answer(False, (2, 2), 3, ("fixed", "negated")))
    assert "after 3 steps those of fixed and negated differ, in content or order" in comparability_sentences(found)
    shuffled = [run(tmp_path, name, 4, validation="Shuffled()", eval_every=at) for name, at in (("a", 2), ("b", 4))]
    # the loader's order after step 4 depends on how often it was drawn before: the second time, and the first
    assert comparability(shuffled).validation == Answer(False, (1, 1), 4, ("a", "b"))


def test_validation_batches_out_of_reach_prove_nothing(tmp_path: Path) -> None:
    locked = "[(LINES[0], Labels(threading.Lock()))]"
    found = comparability([run(tmp_path, name, validation=locked) for name in "ab"])
    assert (found.batches.same, found.validation.same, found.holds) == (True, None, None)
    assert found.validation.why.startswith("the validation batches of a hold an object of class _thread.lock")


def test_runs_without_an_evaluation_in_common_have_nothing_to_compare_there(tmp_path: Path) -> None:
    found = comparability([run(tmp_path, name, validation="None") for name in "ab"])
    assert found.validation == Answer() and found.holds is True
    assert comparability_line(found) == "same start ✓ · batches ✓ 6 steps"


def failed(label: str) -> RunRecorder:
    """Return a run that failed in its first step: everything is frozen."""
    config = network_config("requires_grad", OPTIMIZER, {"layers": ["*"]})
    recorder = RunRecorder(load_config(config), label)
    for event in Trainer(recorder.config).events():
        recorder.handle(event)
    assert recorder.status == "failed" and recorder.ended is not None and recorder.ended.proof is not None
    return recorder


def test_runs_that_finished_no_step_are_left_out(tmp_path: Path) -> None:
    found = comparability([failed("x"), failed("y")])
    assert found.start == found.batches == found.validation == Answer() and found.holds is None
    assert comparability_line(found) == "nothing to compare: fewer than two runs finished a step"
    summary = comparison_summary([failed("x"), failed("y")])
    assert summary["same_start"] is summary["same_batches"] is summary["same_validation"] is None
    assert summary["proof"].startswith("There is nothing to compare")
    with_others = comparability([failed("x"), run(tmp_path, "a"), run(tmp_path, "b")])
    assert with_others.holds is True and with_others.left_out == ("x",)
    assert comparability_sentences(with_others).endswith("Left out, for they finished no step: x.")


def older(recorder: RunRecorder, without: set[str]) -> RunRecorder:
    """Return the run as it comes out of a file of a version that did not know these fields of its proof."""
    assert recorder.ended is not None
    plain = to_plain(recorder.ended)
    plain["proof"] = {key: value for key, value in plain["proof"].items() if key not in without}
    recorder.ended = from_plain(RunEnded, plain)
    return recorder


def test_runs_of_older_versions_prove_what_their_hashes_can(tmp_path: Path) -> None:
    new, old = run(tmp_path, "new"), run(tmp_path, "old")
    added = {"batches_out_of_reach", "evaluations", "evaluations_out_of_reach", "is_whole"}
    found = comparability([new, older(old, added)])
    assert (found.start.same, found.batches.same, found.validation.same) == (True, None, None)
    assert found.batches.why == "old was written by an older version, whose hashes of the batches are not complete"
    assert old.ended is not None
    old.ended = replace(old.ended, proof=None)   # older still
    found = comparability([new, old])
    assert found.start.same is found.batches.same is found.validation.same is found.holds is None
    assert found.start.why.startswith("there are no hashes of old")


def test_a_run_that_was_cut_off_has_nothing_to_prove_with(tmp_path: Path) -> None:
    whole = run(tmp_path, "whole")
    config = whole.config
    cut = RunRecorder(config, "cut")
    for event in Trainer(config).events():
        if not isinstance(event, RunEnded):
            cut.handle(event)
    assert comparability([whole, cut]).runs == ("whole",)   # it goes on: not yet
    cut.status = "interrupted"
    assert comparability([whole, cut]).start.why.startswith("there are no hashes of cut")


def test_a_resumed_run_is_not_held_against_one_from_the_start(tmp_path: Path) -> None:
    whole = run(tmp_path, "whole")
    checkpoint = stopped_after(3, whole)
    resumed = RunRecorder(whole.config, "resumed")
    for event in Trainer(whole.config, resume=checkpoint).events():
        resumed.handle(event)
    assert resumed.first_step == 3
    found = comparability([whole, resumed])
    assert found.start.same is found.batches.same is None
    assert found.batches.why == "whole begins at step 0 and resumed at step 3"
    assert found.validation == Answer(True, (2, 2))   # those after steps 3, where the stop left it undone, and 6


def stopped_after(steps: int, recorder: RunRecorder) -> Checkpoint:
    control = RunControl()
    trainer = Trainer(recorder.config, control)
    for event in trainer.events():
        if isinstance(event, StepDone) and event.step == steps - 1:
            control.stop()
    checkpoint = trainer.checkpoint()
    assert checkpoint is not None
    return checkpoint


def test_a_run_out_of_its_file_proves_what_it_proved_before(tmp_path: Path) -> None:
    one = run(tmp_path, "one")
    with RunWriter(tmp_path / "two.freezerun", one.config, "two") as writer:
        for event in Trainer(one.config).events():
            writer.handle(event)
    two = open_run(tmp_path / "two.freezerun")
    assert comparability([one, two]).holds is True
    assert two.ended is not None and two.ended.proof is not None
    assert unpack(RunEnded, pack(two.ended)) is not two.ended
    assert max(two.ended.proof.batches_by_step) > 2**40   # numbers that a short float would round


@pytest.mark.parametrize("empty", ["one", "both"])
def test_a_layer_that_cannot_be_hashed_is_not_said_to_be_the_same(tmp_path: Path, empty: str) -> None:
    one, other = run(tmp_path, "one"), run(tmp_path, "other")
    for recorder in (one, other)[: 1 + (empty == "both")]:
        assert recorder.ended is not None and recorder.ended.proof is not None
        proof: Proof = recorder.ended.proof
        recorder.ended = replace(recorder.ended, proof=replace(proof, start={**proof.start, "last": ""}))
    found = comparability([one, other])
    assert found.start == Answer(between=("one", "other"), why="the layer last holds a tensor that cannot be hashed")
