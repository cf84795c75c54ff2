from __future__ import annotations

import json
import math
import zlib
from pathlib import Path

import numpy as np
import pytest

from freeze_gui.freezing.norm_layers import NormReport
from freeze_gui.freezing.side_effects import SideEffect, ThawReport
from freeze_gui.freezing.verdict import TensorVerdict
from freeze_gui.freezing.watched import Cause
from freeze_gui.runs.execute import execute
from freeze_gui.runs.store_records import from_plain, pack, to_plain, unpack
from freeze_gui.training.config import RunConfig, load_config
from freeze_gui.training.events import Cost, LayerRecord, RunEnded, RunStarted

ENDED = RunEnded(
    "diverged",
    "the loss is NaN",
    7,
    (TensorVerdict("a.w", "parameter", "a", ((0, 2), (5, 7)), True, 3, 1, 1e-30, (Cause("momentum", 3, math.inf),)),),
    (SideEffect("thaw_jump", ("a", "b"), "häßlich"),),
    Cost(1, 2**40, None, 4),
    norm_reports=(NormReport("n", None, True, False),),
    thaws=(ThawReport(3, "a", 0.1, 0.2, None, 1 / 3),),
    plan_changed=True,
)


def test_a_record_comes_back_equal_to_the_last_bit() -> None:
    assert unpack(RunEnded, pack(ENDED)) == ENDED


def test_arrays_come_back_with_what_is_no_number() -> None:
    state = np.array([[1.0, math.nan, 1 / 3], [2.0, math.inf, 5e-324]])
    back = unpack(RunEnded, pack(RunEnded("stopped", None, 0, optimizer_state=state)))
    assert back.optimizer_state is not None
    assert back.optimizer_state.tobytes() == state.tobytes()


@pytest.mark.parametrize(
    "optimizer",
    [
        {"name": "AdamW", "betas": [0.8, 0.9]},
        {"name": "SGD", "lr": 0.1, "scheduler": {"name": "StepLR", "step_size": 3}},
    ],
)
def test_a_configuration_and_a_forecast_come_back_equal(optimizer: dict[str, object]) -> None:
    config = load_config({
        "model": {"source": "builtin:two-task"},
        "freeze": {
            "phase": [{"layers": ["output"], "from": 1, "to": 3}],
            "task": [{"task": "task1", "layers": ["hidden_task2"]}],
        },
        "optimizer": optimizer,
        "train": {"steps": 4, "device": "cpu"},
    })  # fmt: skip
    recorder = execute(config)
    assert recorder.started is not None and recorder.started.forecast is not None
    assert recorder.started.forecast.basis is not None and recorder.started.forecast.basis.reaches
    assert unpack(RunConfig, pack(config)) == config
    assert unpack(RunStarted, pack(recorder.started)) == recorder.started


def test_a_folder_of_another_machine_is_only_text(tmp_path: Path) -> None:
    (tmp_path / "c.toml").write_text('[model]\nsource = "builtin:digits-cnn"\n')
    config = load_config(tmp_path / "c.toml")
    assert config.folder == tmp_path.resolve()
    packed = pack(config)
    (tmp_path / "c.toml").unlink()
    tmp_path.rmdir()
    assert unpack(RunConfig, packed) == config


def test_a_field_that_the_file_lacks_takes_its_default_and_one_that_nobody_knows_is_passed_over() -> None:
    plain = to_plain(ENDED)
    del plain["thaws"], plain["plan_changed"]
    plain["weather"] = "fine"
    back = from_plain(RunEnded, plain)
    assert (back.thaws, back.plan_changed, back.tensors) == ((), False, ENDED.tensors)


@pytest.mark.parametrize(
    "plain",
    [
        None, [], {}, {"path": "a", "kind": "b"}, {"path": "a", "kind": "b", "parameters": "6"},
        {"path": 1, "kind": "b", "parameters": 6}, {"path": "a", "kind": "b", "parameters": True},
    ],
)  # fmt: skip
def test_values_of_other_types_are_no_record(plain: object) -> None:
    with pytest.raises(ValueError, match=r"LayerRecord|is no"):
        from_plain(LayerRecord, plain)


@pytest.mark.parametrize("spoil", [lambda b: b[:-9], lambda b: b"", lambda b: b"x" + b, lambda b: zlib.compress(b"{")])
def test_bytes_that_were_cut_or_changed_are_no_record(spoil: object) -> None:
    with pytest.raises(ValueError):   # noqa: PT011   # of the JSON reader or ours: whatever it says is shown with the file
        unpack(RunEnded, spoil(pack(ENDED)))   # type: ignore[operator]


def test_what_is_no_plain_value_is_refused() -> None:
    with pytest.raises(TypeError, match="no plain value"):
        pack({"a": object()})


def test_a_small_file_that_unpacks_to_very_much_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("freeze_gui.runs.store_records._MOST_BYTES", 10_000)
    with pytest.raises(ValueError, match="too large"):
        unpack(RunEnded, zlib.compress(json.dumps({"status": "x" * 20_000}).encode()))
