"""Where the commands write: never over what they read, never two results in one place, and never nothing."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from freeze_gui.cli import main
from freeze_gui.training.checkpoint import load_checkpoint

Capture = pytest.CaptureFixture[str]

NET = "from torch import nn\n\nclass Net(nn.Linear):\n    def __init__(self):\n        super().__init__(3, 2)\n"
DATA = "import torch\n\ndef batches():\n    return [(torch.ones(4, 3), torch.zeros(4, dtype=torch.long))] * 9\n"
needs_full = pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full here")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Fill the working directory with a configuration that names a model file, a data file and weights."""
    (tmp_path / "net.py").write_text(NET)
    (tmp_path / "data.py").write_text(DATA)
    (tmp_path / "weights.pt").write_bytes(b"w")
    (tmp_path / "run.toml").write_text(
        '[model]\nsource = "file:net.py:Net"\nweights = "weights.pt"\n[data]\nsource = "file:data.py:batches"\n'
        '[train]\nsteps = 3\ndevice = "cpu"\nthreads = 1\n'
    )
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def runs(folder: Path) -> Path:
    """Fill the working directory with a configuration that runs."""
    text = (folder / "run.toml").read_text().replace('weights = "weights.pt"\n', "")
    (folder / "run.toml").write_text(text)
    return folder


def never(*_: object, **__: object) -> None:
    raise AssertionError("it ran")


def refused(capsys: Capture, command: str) -> str:
    """Return the one sentence of a command that must be refused before anything runs, all files as they were."""
    before = {path: path.read_bytes() for path in Path().rglob("*") if path.is_file()}
    with pytest.MonkeyPatch.context() as patch:
        for name in ("execute.execute", "comparison.compare_events", "script.make_script"):
            patch.setattr(f"freeze_gui.runs.{name}", never)
        patch.setattr("freeze_gui.models.inspection.inspect_model", never)
        assert main(command.split()) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert {path: path.read_bytes() for path in Path().rglob("*") if path.is_file()} == before
    (sentence,) = err.splitlines()
    assert sentence.startswith("freeze-gui: ")
    return sentence


@pytest.mark.parametrize(
    ("command", "options"),
    [
        ("run run.toml --json a.json --save a.json", "--json and --save"),
        ("run run.toml --json a.json --save ./x/../a.json", "--json and --save"),
        ("run run.toml --json a.json --checkpoint a.json", "--json and --checkpoint"),
        ("run run.toml --save a --checkpoint a", "--save and --checkpoint"),
        ("compare run.toml --methods all --json a --report a", "--json and --report"),
        ("compare run.toml --methods all --json - --report -", "--json and --report"),
    ],
)
def test_two_results_in_one_place_are_refused(folder: Path, capsys: Capture, command: str, options: str) -> None:
    (folder / "x").mkdir()
    assert f"{options} both go to " in refused(capsys, command)


@pytest.mark.parametrize(
    ("command", "whose"),
    [
        ("run run.toml --json run.toml", "the configuration"),
        ("run run.toml --save link.json", "the configuration"),
        ("run run.toml --json linked/run.toml", "the configuration"),
        ("run run.toml --checkpoint net.py", "the model"),
        ("run run.toml --checkpoint weights.pt", "the weights"),
        ("run run.toml --json data.py", "the data"),
        ("compare run.toml --methods all --report data.py", "the data"),
        ("run run.toml --json old.checkpoint --resume old.checkpoint", "the checkpoint"),
        ("inspect file:net.py:Net --json net.py", "the model"),
        ("script run.toml --output net.py", "the model"),
        ("script run.toml --output weights.py", "the weights"),   # its own weights would lie in weights.pt
    ],
)
@pytest.mark.skipif(os.name == "nt", reason="Windows makes links for administrators only")
def test_a_result_never_takes_the_place_of_what_is_read(
    folder: Path, capsys: Capture, command: str, whose: str
) -> None:
    (folder / "link.json").symlink_to("run.toml")
    (folder / "linked").symlink_to(".")
    (folder / "old.checkpoint").write_bytes(b"c")
    assert f"which belongs to {whose}: choose another file" in refused(capsys, command)


def test_a_picture_of_the_data_is_never_replaced(folder: Path, capsys: Capture) -> None:
    (folder / "cats" / "a").mkdir(parents=True)
    (folder / "cats" / "a" / "1.png").write_bytes(b"p")
    (folder / "cats.toml").write_text('[model]\nsource = "builtin:digits-cnn"\n[data]\nsource = "folder:cats"\n')
    assert "which belongs to the data" in refused(capsys, "run cats.toml --json cats/a/1.png")


@pytest.mark.parametrize("option", ["--save", "--checkpoint"])
def test_what_goes_to_a_file_only_is_not_written_to_a_file_named_like_stdout(
    folder: Path, capsys: Capture, option: str
) -> None:
    assert f"{option} - : it goes to a file and not to stdout" in refused(capsys, f"run run.toml {option} -")


def test_a_name_that_is_empty_and_a_folder_that_is_not_there_are_said(folder: Path, capsys: Capture) -> None:
    assert main(["run", "run.toml", "--json", ""]) == 2
    assert "'' is no name for a file" in capsys.readouterr().err
    sentence = refused(capsys, "run run.toml --json out/of/it.json")
    assert f"out/of/it.json: cannot be written: there is no folder {folder / 'out' / 'of'}" in sentence


def test_a_run_goes_on_in_its_own_checkpoint(runs: Path) -> None:
    assert main(["run", "run.toml", "--checkpoint", "c"]) == 0
    (runs / "run.toml").write_text((runs / "run.toml").read_text().replace("steps = 3", "steps = 5"))
    assert main(["run", "run.toml", "--resume", "c", "--checkpoint", "c"]) == 0
    assert load_checkpoint(Path("c")).step == 5


def test_the_report_on_stdout_is_all_that_is_there_and_in_utf_8(runs: Path) -> None:
    words = ["compare", "run.toml", "--methods", "grad_none,restore", "--report", "-"]
    command = [sys.executable, "-m", "freeze_gui", *words]
    done = subprocess.run(command, capture_output=True, env=os.environ | {"PYTHONIOENCODING": "ascii"}, check=False)
    assert done.returncode == 0, done.stderr
    page = done.stdout.decode("utf-8")
    assert page.startswith("<!DOCTYPE html>")
    assert page.rstrip().endswith("</html>")
    assert not (runs / "-").exists()


@needs_full
@pytest.mark.parametrize("option", ["--json", "--save", "--checkpoint"])
def test_a_result_that_does_not_fit_on_the_disk_keeps_no_other_back(runs: Path, capsys: Capture, option: str) -> None:
    others = {"--json": "s.json", "--save": "saved", "--checkpoint": "c"} | {option: "/dev/full"}
    assert main(["run", "run.toml", *(word for pair in others.items() for word in pair)]) == 1
    out, err = capsys.readouterr()
    assert "completed after 3 steps" in out
    assert err.splitlines()[-1] == "freeze-gui: /dev/full: cannot be written (No space left on device)"
    for name in ("s.json", "saved"):
        if name in others.values():
            assert json.loads(Path(name).read_text())["steps"] == 3
    assert option == "--checkpoint" or load_checkpoint(Path("c")).step == 3


@needs_full
def test_a_script_that_does_not_fit_behind_stdout_is_no_mistake_of_a_person(folder: Path) -> None:
    with open("/dev/full", "wb") as full:
        command = [sys.executable, "-m", "freeze_gui", "script", "10-names"]
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == "freeze-gui: stdout: cannot be written (No space left on device)"


@needs_full
def test_a_full_disk_behind_stdout_is_one_sentence_and_the_files_are_there(runs: Path) -> None:
    with open("/dev/full", "wb") as full:
        command = [sys.executable, "-m", "freeze_gui", "run", "run.toml", "--json", "s.json"]
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == "freeze-gui: stdout: cannot be written (No space left on device)"
    assert "Traceback" not in done.stderr
    assert json.loads((runs / "s.json").read_text())["steps"] == 3


@pytest.mark.parametrize(
    ("done_meanwhile", "says"),
    [("os.mkdir('s.json')", "Is a directory"), ("shutil.rmtree('out')", "No such file or directory")],
)
@pytest.mark.skipif(os.name == "nt", reason="Windows has other words for it")
def test_a_place_that_is_lost_during_the_run_is_told_after_its_result(
    runs: Path, capsys: Capture, done_meanwhile: str, says: str
) -> None:
    (runs / "out").mkdir()
    forward = (
        f"\n    def forward(self, x):\n        try:\n            {done_meanwhile}\n"
        "        except OSError:\n            pass\n        return super().forward(x)\n"
    )
    (runs / "net.py").write_text(f"import os, shutil\n{NET}{forward}")
    assert main(["run", "run.toml", "--json", "s.json", "--save", "saved", "--checkpoint", "out/c"]) == 1
    out, err = capsys.readouterr()
    assert "completed after 3 steps" in out
    assert says in err.splitlines()[-1]
    assert json.loads(Path("saved").read_text())["status"] == "completed"
    assert not [path.name for path in runs.iterdir() if path.name.endswith(".part")]
