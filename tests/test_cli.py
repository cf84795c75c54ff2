from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
import types
from pathlib import Path
from typing import Any

import pytest
from torch import nn

from freeze_gui import __version__
from freeze_gui.cli import main
from freeze_gui.console import claims_lines
from freeze_gui.freezing.methods import METHODS
from freeze_gui.models.builtin import build_builtin
from freeze_gui.runs.scenarios import list_scenarios
from freeze_gui.runs.store import open_run

Capture = pytest.CaptureFixture[str]

CONFIG = """
[model]
source = "builtin:five-linear"
[freeze]
layers = ["linear2"]
[optimizer]
name = "SGD"
lr = 0.01
[train]
steps = 5
device = "cpu"
threads = 1
"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "run.toml"
    path.write_text(CONFIG)
    return path


def strict(text: str) -> Any:
    """Read JSON as a strict reader does: NaN and Infinity are errors."""

    def refuse(token: str) -> None:
        raise AssertionError(f"{token} is not JSON")

    return json.loads(text, parse_constant=refuse)


def mistake(capsys: Capture, *arguments: str) -> str:
    """Run a command that must be refused, and return its one sentence."""
    assert main(arguments) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert "Traceback" not in err
    last = err.strip().splitlines()[-1]
    assert last.startswith("freeze-gui: ")
    return last


def test_a_run_that_was_left_goes_on_from_its_checkpoint(config: Path, tmp_path: Path, capsys: Capture) -> None:
    whole, left, resumed = (tmp_path / f"{name}.json" for name in ("whole", "left", "resumed"))
    half = tmp_path / "half.toml"
    half.write_text(CONFIG.replace("steps = 5", "steps = 3"))
    checkpoint = tmp_path / "run.checkpoint"
    assert main(["run", str(config), "--json", str(whole)]) == 0
    assert main(["run", str(half), "--checkpoint", str(checkpoint), "--json", str(left)]) == 0
    assert main(["run", str(config), "--resume", str(checkpoint), "--json", str(resumed)]) == 0
    capsys.readouterr()
    full, second = strict(whole.read_text()), strict(resumed.read_text())
    assert second["steps"] == 5
    assert second["loss"] == full["loss"][3:]
    assert second["measured_steps"] == [3, 4]
    assert [layer["frozen_steps"] for layer in second["layers"] if layer["path"] == "linear2"] == [[[3, 5]]]
    # from another configuration, from a file that is none, and to a folder that is not there
    half.write_text(CONFIG.replace("lr = 0.01", "lr = 0.02"))
    assert "optimizer.lr is 0.02 here and was 0.01 there" in mistake(
        capsys, "run", str(half), "--resume", str(checkpoint)
    )
    assert "not a checkpoint" in mistake(capsys, "run", str(config), "--resume", str(config))
    assert "missing" in mistake(capsys, "run", str(config), "--checkpoint", str(tmp_path / "missing" / "x"))


def test_version_and_help_are_answered(capsys: Capture) -> None:
    for option, words in (("--version", __version__), ("--help", "compare")):
        with pytest.raises(SystemExit) as done:
            main([option])
        assert done.value.code == 0
        assert words in capsys.readouterr().out


def test_an_unknown_command_or_option_is_a_mistake(capsys: Capture) -> None:
    for arguments in (["fly"], ["run"], ["run", "x.toml", "--jsn", "-"]):
        with pytest.raises(SystemExit) as done:
            main(arguments)
        assert done.value.code == 2
        assert "usage: freeze-gui" in capsys.readouterr().err


def test_a_run_prints_a_verdict_for_each_frozen_layer(config: Path, capsys: Capture) -> None:
    assert main(["run", str(config)]) == 0
    out, err = capsys.readouterr()
    assert "completed after 5 steps" in out
    assert [line.split()[:2] for line in out.splitlines() if line.startswith("linear")] == [["linear2", "held"]]
    assert "5 steps on cpu" in err   # progress is told on stderr


def test_json_on_stdout_is_all_that_is_there(config: Path, capsys: Capture) -> None:
    assert main(["run", str(config), "--json", "-"]) == 0
    summary = strict(capsys.readouterr().out)
    assert (summary["status"], summary["steps"]) == ("completed", 5)


def test_json_in_a_file_and_the_saved_run_hold_the_summary(config: Path, tmp_path: Path) -> None:
    out, saved = tmp_path / "out.json", tmp_path / "saved.json"
    assert main(["run", str(config), "--json", str(out), "--save", str(saved)]) == 0
    assert strict(out.read_text()) == strict(saved.read_text())
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out.json", "run.toml", "saved.json"]   # no leftovers


def test_a_saved_run_file_opens_as_the_run_and_takes_no_other_file_s_place(
    config: Path, tmp_path: Path, capsys: Capture
) -> None:
    out, saved = tmp_path / "out.json", tmp_path / "saved.freezerun"
    assert main(["run", str(config), "--json", str(out), "--save", str(saved)]) == 0
    summary = open_run(saved).summary()
    assert (summary["status"], summary["loss"]) == ("completed", strict(out.read_text())["loss"])
    capsys.readouterr()
    assert "there is a file already" in mistake(capsys, "run", str(config), "--save", str(saved))
    assert open_run(saved).summary() == summary


def test_a_run_that_never_began_leaves_no_run_file(tmp_path: Path, capsys: Capture) -> None:
    wrong, saved = tmp_path / "wrong.toml", tmp_path / "saved.freezerun"
    wrong.write_text('[model]\nsource = "builtin:five-linear"\n[freeze]\nlayers = ["nowhere"]\n')
    assert "nowhere" in mistake(capsys, "run", str(wrong), "--save", str(saved))
    assert list(tmp_path.iterdir()) == [wrong]


def test_a_disk_that_fills_up_during_a_run_is_told_after_its_result(
    config: Path, tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    monkeypatch.setattr("freeze_gui.runs.store_writer.RunWriter._flush", full)
    assert main(["run", str(config), "--save", str(tmp_path / "saved.freezerun")]) == 1
    out, err = capsys.readouterr()
    assert "completed after 5 steps" in out
    assert "the disk is full" in err


def test_an_old_file_is_replaced_whole_and_a_link_stays_a_link(config: Path, tmp_path: Path) -> None:
    real, link = tmp_path / "real.json", tmp_path / "link.json"
    real.write_text("x" * 1_000_000)
    link.symlink_to(real)
    assert main(["run", str(config), "--json", str(link)]) == 0
    assert link.is_symlink()
    assert strict(real.read_text())["steps"] == 5


@pytest.mark.skipif(not Path("/dev/null").exists(), reason="there is no /dev/null here")
def test_a_device_is_written_to_and_never_replaced(config: Path) -> None:
    assert main(["run", str(config), "--json", "/dev/null"]) == 0
    assert not Path("/dev/null").is_file()


def test_what_a_persons_model_prints_does_not_spoil_the_json(config: Path, tmp_path: Path, capsys: Capture) -> None:
    (tmp_path / "net.py").write_text(
        "from torch import nn\n\nclass Net(nn.Linear):\n    def __init__(self):\n        super().__init__(3, 2)\n\n"
        "    def forward(self, x):\n        print('hello from the model')\n        return super().forward(x)\n"
    )
    config.write_text('[model]\nsource = "file:net.py:Net"\n[train]\nsteps = 2\ndevice = "cpu"\n')
    assert main(["run", str(config), "--json", "-"]) == 0
    out, err = capsys.readouterr()
    assert strict(out)["steps"] == 2
    assert "hello from the model" in err


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (("builtin:five-linear", "builtin:six-linear"), "five-linear"),
        (("builtin:five-linear", "file:nowhere.py:build"), "nowhere.py"),
        (('"linear2"', '"linear7"'), 'layer pattern "linear7" matches no layer'),
        (("steps = 5", "steps = 0"), "train.steps = 0: must be a whole number, at least 1"),
        (("steps", "stepz"), "train.stepz is not a known key; did you mean steps?"),
        (('name = "SGD"', 'name = "SDG"'), "did you mean SGD?"),
        (('device = "cpu"', 'device = "cuda:77"'), "cuda"),
        (("[model]", "[model"), "not valid TOML"),
        (("[freeze]", '[data]\nsource = "folder:nowhere"\n[freeze]'), "nowhere"),
    ],
)
def test_a_mistake_in_the_configuration_is_one_sentence_and_writes_nothing(
    config: Path, tmp_path: Path, capsys: Capture, change: tuple[str, str], words: str
) -> None:
    config.write_text(CONFIG.replace(*change))
    out = tmp_path / "out.json"
    assert words in mistake(capsys, "run", str(config), "--json", str(out))
    assert not out.exists()


def test_a_file_that_is_not_there_names_the_nearest_scenario(capsys: Capture) -> None:
    assert "did you mean the scenario 03-thaw-by-epoch?" in mistake(capsys, "run", "03-thaw-by-epochs")


def test_an_output_that_cannot_be_written_is_refused_before_the_run(
    config: Path, tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(*_: object) -> None:
        raise AssertionError("the run began")

    monkeypatch.setattr("freeze_gui.runs.execute.execute", never)
    monkeypatch.setattr("freeze_gui.runs.comparison.compare_events", never)
    for out in (tmp_path / "missing" / "out.json", tmp_path, config / "out.json"):
        for arguments in (
            ["run", str(config), "--json", str(out)],
            ["run", str(config), "--save", str(out)],
            ["compare", str(config), "--methods", "all", "--json", str(out)],
            ["compare", str(config), "--methods", "all", "--report", str(out)],
            ["inspect", "builtin:five-linear", "--json", str(out)],
        ):
            assert f"{out}: cannot be written" in mistake(capsys, *arguments)


def test_a_wrong_device_on_the_command_line_is_a_mistake(config: Path, capsys: Capture) -> None:
    assert "device = 'gpu'" in mistake(capsys, "run", str(config), "--device", "gpu")


def test_a_run_that_diverges_fails_and_still_writes_strict_json(config: Path, capsys: Capture) -> None:
    config.write_text(CONFIG.replace("lr = 0.01", "lr = 1e30"))
    assert main(["run", str(config), "--json", "-"]) == 1
    summary = strict(capsys.readouterr().out)
    assert summary["status"] == "diverged"
    assert None in summary["loss"]   # the loss that was no number
    assert "learning rate" in summary["error"]


def test_a_run_that_fails_on_the_way_still_writes_what_was_done(config: Path, tmp_path: Path, capsys: Capture) -> None:
    (tmp_path / "data.py").write_text(
        "import torch\n\ndef batches():\n    for step in range(9):\n        if step == 3:\n"
        "            raise ValueError('batch 3 is broken')\n        yield torch.ones(4, 10), torch.ones(4, 1)\n"
    )
    config.write_text(CONFIG.replace("[freeze]", '[data]\nsource = "file:data.py:batches"\n[freeze]'))
    assert main(["run", str(config), "--json", "-"]) == 1
    out, err = capsys.readouterr()
    summary = strict(out)
    assert (summary["status"], len(summary["loss"])) == ("failed", 3)
    assert "batch 3 is broken" in summary["error"]
    assert "Traceback" not in err


def test_a_device_from_the_command_line_wins(config: Path, capsys: Capture) -> None:
    config.write_text(CONFIG.replace('device = "cpu"', 'device = "cuda:77"'))
    assert main(["run", str(config), "--device", "cpu", "--json", "-"]) == 0
    assert strict(capsys.readouterr().out)["config"]["train"]["device"] == "cpu"


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGINT to send to one process")
def test_the_first_interrupt_stops_the_run_and_writes_its_summary(config: Path, tmp_path: Path) -> None:
    config.write_text(CONFIG.replace("steps = 5", "steps = 100000000"))
    out = tmp_path / "out.json"
    command = [sys.executable, "-m", "freeze_gui", "run", str(config), "--json", str(out)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        try:
            for line in process.stderr:
                if "steps on" in line:
                    break
            time.sleep(0.3)
            process.send_signal(signal.SIGINT)
            stdout, stderr = process.communicate(timeout=30)
        finally:
            process.kill()   # a run that heard nothing would go on for days
    summary = strict(out.read_text())
    assert summary["status"] == "stopped"
    assert len(summary["loss"]) == summary["steps"] > 0
    assert "stopped after" in stdout
    assert "Traceback" not in stderr
    assert process.returncode == 0


def test_a_comparison_runs_every_method_and_writes_table_json_and_report(
    config: Path, tmp_path: Path, capsys: Capture
) -> None:
    report = tmp_path / "report.html"
    assert main(["compare", str(config), "--methods", "all", "--json", "-", "--report", str(report)]) == 0
    out, err = capsys.readouterr()
    comparison = strict(out)
    assert [run["method"] for run in comparison["runs"]] == list(METHODS)
    leaked = {
        run["method"]
        for run in comparison["runs"]
        if any(layer["verdict"] == "leaked" for layer in run["summary"]["layers"])
    }
    assert leaked == {"eval_only"}   # plain SGD: a zero gradient moves nothing
    assert report.read_text().count('<figcaption>requires_grad</figcaption>') == 1
    assert comparison["same_start"] is comparison["same_batches"] is comparison["same_validation"] is True
    assert "requires_grad: 5 steps on cpu" in err


def test_a_comparison_takes_optimizers_modes_policies_a_reference_and_the_ideal(config: Path, capsys: Capture) -> None:
    axes = ["--optimizers", "SGD,Adam:lr=0.01", "--zero-grad", "none,zero", "--reference", "--ideal", "--interleave"]
    assert main(["compare", str(config), "--methods", "grad_none,exclude", *axes, "--json", "-"]) == 0
    comparison = strict(capsys.readouterr().out)
    labels = [run["label"] for run in comparison["runs"]]
    assert labels[0] == "nothing frozen · SGD · zero_grad none"
    assert labels[-1] == "exclude · Adam · zero_grad zero"
    assert len(set(labels)) == len(labels) == 4 * 4
    assert comparison["interleaved"] is True
    equal = [group for group in comparison["equal_groups"] if "paused ideal · Adam · zero_grad none" in group]
    assert len(equal) == 1 and "exclude · Adam · zero_grad none" in equal[0]


def test_a_comparison_says_which_runs_are_equal_and_what_proves_their_start(config: Path, capsys: Capture) -> None:
    assert main(["compare", str(config), "--methods", "grad_none,exclude"]) == 0
    out = capsys.readouterr().out
    assert "grad_none = exclude: the same bits" in out
    assert "Both runs began with the same bits in every weight and buffer (hash " in out


@pytest.mark.parametrize(
    ("option", "value", "words"),
    [
        ("--optimizers", "Adm", "did you mean Adam?"),
        ("--optimizers", "SGD:lr", "SGD:lr=0.1"),
        ("--zero-grad", "nul", "none, zero, never"),
        ("--norm", "evil", "did you mean eval?"),
    ],
)
def test_a_comparison_refuses_what_it_does_not_know(
    config: Path, capsys: Capture, option: str, value: str, words: str
) -> None:
    assert words in mistake(capsys, "compare", str(config), "--methods", "detach", option, value)


def test_a_comparison_names_the_nearest_method(config: Path, capsys: Capture) -> None:
    sentence = mistake(capsys, "compare", str(config), "--methods", "requires_grad,grad_non")
    assert "'grad_non' is no freezing method; did you mean grad_none?" in sentence


def test_a_method_that_fails_stops_no_other_and_shows_in_the_exit_code(config: Path, capsys: Capture) -> None:
    config.write_text(CONFIG.replace('["linear2"]', '["*"]'))
    assert main(["compare", str(config), "--methods", "requires_grad,restore"]) == 1
    out = capsys.readouterr().out
    assert [line.split()[:3] for line in out.splitlines()[1:3]] == [
        ["requires_grad", "failed", out.splitlines()[1].split()[2]], ["restore", "completed", "held"],
    ]


def test_a_comparison_of_a_model_that_is_not_there_is_a_mistake(config: Path, capsys: Capture) -> None:
    config.write_text(CONFIG.replace("five-linear", "six-linear"))
    assert "six-linear" in mistake(capsys, "compare", str(config), "--methods", "all")


def test_inspect_lists_the_layers_with_pytorchs_own_counts(capsys: Capture) -> None:
    assert main(["inspect", "builtin:digits-cnn", "--json", "-"]) == 0
    content = strict(capsys.readouterr().out)
    model: nn.Module = build_builtin("digits-cnn").module
    assert {layer["path"]: layer["parameters"] for layer in content["layers"]} == {
        path: sum(p.numel() for p in module.parameters(False))
        for path, module in model.named_modules()
        if [*module.parameters(False), *module.buffers(False)]
    }
    assert content["totals"]["parameters"] == sum(p.numel() for p in model.parameters())
    assert content["totals"]["buffers"] == sum(b.numel() for b in model.buffers())
    assert content["layers"][-1]["output_shape"] == [5]


def test_inspect_prints_the_tree_with_tied_tensors(tmp_path: Path, capsys: Capture) -> None:
    (tmp_path / "net.py").write_text(
        "from torch import nn\n\nclass Net(nn.Module):\n    def __init__(self):\n        super().__init__()\n"
        "        self.embedding = nn.Embedding(7, 3)\n        self.decoder = nn.Linear(3, 7)\n"
        "        self.decoder.weight = self.embedding.weight\n\n"
        "    def forward(self, x):\n        return self.decoder(self.embedding(x))\n"
    )
    assert main(["inspect", f"file:{tmp_path / 'net.py'}:Net"]) == 0
    out = capsys.readouterr().out
    assert "tied to embedding.weight" in out
    assert "2 layers, 28 parameters, 0 buffer elements" in out


def test_inspect_of_an_unknown_model_names_the_nearest(capsys: Capture) -> None:
    assert "resnet18" in mistake(capsys, "inspect", "torchvision:resnet19")


def test_scenarios_are_listed_one_a_line(capsys: Capture) -> None:
    assert main(["scenarios"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split("  ")[0] for line in lines] == [scenario.name for scenario in list_scenarios()]
    assert main(["scenarios", "--json", "-"]) == 0
    assert [s["name"] for s in strict(capsys.readouterr().out)] == [scenario.name for scenario in list_scenarios()]


def test_a_scenarios_name_stands_for_its_file(capsys: Capture) -> None:
    assert main(["run", "01-two-tasks-adam-zeroed", "--device", "cpu"]) == 0
    assert "momentum (10 steps)" in capsys.readouterr().out


def test_a_scenarios_run_ends_with_what_is_claimed_and_what_was_seen(capsys: Capture) -> None:
    assert main(["run", "10-names", "--device", "cpu"]) == 0
    lines = [line.strip() for line in capsys.readouterr().out.splitlines()]
    told = lines[lines.index("claimed, and seen in this run:") + 1 :]
    assert told[0].startswith("false  “id” is a part of the name text_id")
    assert told[1] == "seen: frozen: id"
    assert len(told) == 2 * 4   # four claims, each with what was seen


def test_a_run_that_shows_something_else_than_its_scenario_says_is_told_aloud() -> None:
    claim = {"claim": "It holds.", "claimed_true": True, "seen": "it moved", "agrees": False}
    assert claims_lines([claim])[-1].strip() == "SEEN OTHERWISE: it moved"
    assert claims_lines([]) == []


def test_a_reader_that_goes_away_is_no_error() -> None:
    command = [sys.executable, "-m", "freeze_gui", "scenarios"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        process.stdout.close()   # before anything was written
        _, stderr = process.communicate(timeout=60)
    assert stderr == ""
    assert process.returncode == 0


def test_without_arguments_the_window_opens(monkeypatch: pytest.MonkeyPatch) -> None:
    app = types.ModuleType("freeze_gui.gui.app")   # the window itself has its own tests
    monkeypatch.setattr(app, "main", lambda: 7, raising=False)
    monkeypatch.setitem(sys.modules, app.__name__, app)
    assert main([]) == 7
