from __future__ import annotations

import csv
import io

import pytest

from freeze_gui.runs.csv_export import table_csv
from freeze_gui.runs.recorder import RunRecorder
from freeze_gui.training.config import load_config
from freeze_gui.training.trainer import Trainer
from tests.support.runs import network_config


def recorded(label: str, method: str = "requires_grad", lr: float = 0.1) -> RunRecorder:
    config = network_config(method, {"name": "SGD", "lr": lr}, {"from_step": 5, "to_step": 14})
    recorder = RunRecorder(load_config(config), label)
    for event in Trainer(recorder.config).events():
        recorder.handle(event)
    return recorder


def read(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text, newline="")))


def test_the_table_says_in_a_row_what_the_summary_says_of_a_run() -> None:
    run = recorded("plain")
    (row,) = read(table_csv([run]))
    assert (row["run"], row["method"], row["optimizer"], row["steps"]) == ("plain", "requires_grad", "SGD", "20")
    assert row["leaked_layers"] == "norm: running_statistics (9 steps)"
    assert float(row["last_loss"]) == run.summary()["loss"][-1]
    assert row["peak_memory_bytes"] == ""


@pytest.mark.parametrize("label", ['a, "quoted" name', "two\nlines", "semi;colon", "Adam · lr 0.1"])
def test_any_label_comes_back_as_it_was(label: str) -> None:
    assert [row["run"] for row in read(table_csv([recorded(label), recorded("b")]))] == [label, "b"]


def test_a_label_is_never_a_formula() -> None:
    assert read(table_csv([recorded("=1+1")]))[0]["run"] == "'=1+1"


def test_a_run_that_goes_on_has_no_row_and_one_that_failed_has_its_sentence() -> None:
    failed = RunRecorder(load_config({"model": {"source": "builtin:none-such"}}))
    waiting = RunRecorder(failed.config)
    for event in Trainer(failed.config).events():
        failed.handle(event)
    (row,) = read(table_csv([failed, waiting]))
    assert row["status"] == "failed" and "none-such" in row["error"] and row["last_loss"] == ""
