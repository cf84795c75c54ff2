from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from freeze_gui.runs.differences import first_difference, layer_difference
from freeze_gui.runs.equivalence import are_equal, equal_groups, equality_sentences
from freeze_gui.runs.recorder import RunRecorder
from freeze_gui.runs.store import RunWriter, open_run
from freeze_gui.training.config import load_config
from freeze_gui.training.trainer import Trainer
from tests.support.plain import plain_run
from tests.support.runs import network_config

OPTIMIZER = {"name": "Adam", "lr": 0.01}


def run(method: str, freeze: dict[str, Any] | None = None, **train: Any) -> RunRecorder:
    config = network_config(method, OPTIMIZER, {"from_step": 5, "norm": "eval", **(freeze or {})}, **train)
    recorder = RunRecorder(load_config(config))
    for event in Trainer(recorder.config).events():
        recorder.handle(event)
    return recorder


def test_methods_that_the_law_says_are_alike_are_one_group_and_the_others_are_not() -> None:
    # first frozen at step 5 with Adam and zero_grad none: no gradient, so no step; zeroed gradients move by momentum
    names = ["requires_grad", "grad_zero", "grad_none", "exclude", "lr_zero", "detach", "paused"]
    recorders = [run(name) for name in names]
    groups = [[names[index] for index in group] for group in equal_groups(recorders)]
    # middle is frozen behind first: detach cuts nothing that would learn
    assert groups == [["requires_grad", "grad_none", "exclude", "lr_zero", "detach", "paused"]]
    assert equality_sentences([["a", "b"]]) == ["a = b: the same bits, in every loss, evaluation and weight"]


def test_one_bit_of_one_weight_at_the_end_parts_two_runs() -> None:
    one, other = run("restore"), run("restore")
    assert are_equal(one, other)
    assert other.ended is not None and other.ended.proof is not None
    end = {**other.ended.proof.end, "last": "0" * 32}
    other.ended = replace(other.ended, proof=replace(other.ended.proof, end=end))
    assert not are_equal(one, other)


def test_runs_of_different_length_are_never_the_same_run() -> None:
    assert not are_equal(run("restore"), run("restore", steps=19))


def test_the_first_step_at_which_two_runs_differ_is_that_of_the_plain_loops() -> None:
    methods = ("grad_none", "grad_zero")
    plain = [plain_run(method, "Adam", {"lr": 0.01}, window=(5, 20), norm="eval") for method in methods]
    found = first_difference(*(run(method) for method in methods))
    losses = [a != b for a, b in zip(plain[0].losses, plain[1].losses, strict=True)]
    assert found.loss == losses.index(True) == 6   # moved by momentum in step 5, seen by the forward of step 6
    for layer in ("first", "middle.0", "norm"):
        assert found.layers[layer] == 5
    assert found.layers["last"] == 6
    assert found.step == 5
    assert found.common_steps == 20
    for layer, equal in found.end_equal.items():
        tensors = [name for name in plain[0].states[-1] if name.rpartition(".")[0] == layer]
        assert equal == all(torch.equal(*(p.states[-1][name] for p in plain)) for name in tensors), layer


def test_equal_runs_never_differ() -> None:
    found = first_difference(run("grad_none"), run("exclude"))
    assert found.step is None
    assert all(found.end_equal.values())


def test_the_difference_of_a_measure_is_signed_and_takes_the_steps_that_both_measured() -> None:
    one, other = run("grad_none", measure_every=2), run("grad_zero", measure_every=3, steps=15)
    difference = layer_difference(one, other, "weight_delta")
    assert difference.steps.tolist() == [0, 6, 12]
    assert one.history is not None and other.history is not None
    row = difference.layers.index("first")
    wanted = one.history.view().weight_delta[6, row] - other.history.view().weight_delta[4, row]
    assert difference.values[2, row] == wanted
    assert wanted < 0   # the layer with zeroed gradients drifts on
    backward = layer_difference(other, one, "weight_delta")
    np.testing.assert_array_equal(backward.values, -difference.values)


def test_no_gradient_against_a_gradient_is_missing_and_no_gradient_in_both_is_no_difference() -> None:
    zero = {"from_step": 0}
    with_none, with_zeros, again = run("grad_none", zero), run("grad_zero", zero), run("requires_grad", zero)
    row = [layer.path for layer in with_none.layers].index("first")
    assert np.isnan(layer_difference(with_none, with_zeros, "grad_norm").values[:, row]).all()
    assert (layer_difference(with_none, again, "grad_norm").values[:, row] == 0).all()


def test_runs_whose_evaluations_differ_in_one_bit_or_in_their_steps_are_not_equal() -> None:
    one, other, fewer = (end_of_evaluations(values) for values in ([0.5, 0.25], [0.5, np.nextafter(0.25, 1)], [0.5]))
    assert are_equal(one, end_of_evaluations([0.5, 0.25]))
    assert not are_equal(one, other) and not are_equal(one, fewer)
    assert first_difference(one, other).evaluation == 20 and first_difference(one, fewer).evaluation is None
    assert are_equal(end_of_evaluations([float("nan")]), end_of_evaluations([float("nan")]))
    assert not are_equal(end_of_evaluations([0.0]), end_of_evaluations([-0.0]))


def end_of_evaluations(losses: list[float]) -> RunRecorder:
    recorder = run("restore")
    assert recorder.history is not None
    recorder.history.evaluations += [(10 * at, loss, 0.9) for at, loss in enumerate(losses, start=1)]
    return recorder


def test_runs_that_failed_in_their_first_step_are_not_equal() -> None:
    runs = [run("requires_grad", {"layers": ["*"], "from_step": 0}) for _ in range(2)]
    for recorder in runs:
        assert recorder.status == "failed" and recorder.ended is not None
        assert recorder.ended.steps == 0 and recorder.ended.proof is not None   # it looked at its first batch
    assert equal_groups(runs) == []


def test_a_run_out_of_its_file_is_equal_to_the_same_run_in_memory(tmp_path: Path) -> None:
    config = load_config(network_config("grad_none", OPTIMIZER, {"from_step": 5}))
    events = list(Trainer(config).events())
    writer = RunWriter(tmp_path / "one.freezerun", config, "one")
    recorder = RunRecorder(config)
    for event in events:
        writer.handle(event)
        recorder.handle(event)
    writer.close()
    stored = open_run(tmp_path / "one.freezerun")
    found = first_difference(stored, recorder)   # the file keeps the norms in float32
    assert found.step is None and are_equal(stored, recorder)


def test_a_summary_names_its_start_its_batches_and_its_end() -> None:
    recorder = run("grad_none")
    summary = recorder.summary()
    assert summary["batches_steps"] == 20
    assert len({summary[key] for key in ("start_hash", "end_hash", "batches_hash")}) == 3
    assert summary["layers"][0]["end_hash"] == recorder.ended.proof.end["first"]   # type: ignore[union-attr]


@pytest.mark.parametrize("values", [[4.0, 1.0, 9.0, 1.0, 2.0, 3.0, 4.0, 5.0]])
def test_the_cost_of_a_step_is_a_median_with_its_spread_and_leaves_the_warm_up_out(values: list[float]) -> None:
    recorder = run("grad_none", steps=len(values))
    assert recorder.history is not None
    recorder.history._by_step.records["step_s"][: len(values)] = values
    cost = recorder.summary()["cost"]
    # without the first three: 1, 2, 3, 4, 5; quartiles 2 and 4
    assert cost["step_ms_median"] == 3000
    assert cost["step_ms_iqr"] == 2000
    assert cost["overhead_ms_median"] > 0
