from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from sklearn.datasets import load_digits

from freeze_gui import run_config
from freeze_gui.cli import main
from freeze_gui.errors import UserError
from freeze_gui.models.sources import load_model
from freeze_gui.runs.script_files import write_script
from freeze_gui.training.config import load_config
from tests.runs.script_cases import builtin
from tests.support.scripts import ABSENT, assert_same_run, run_scripts


def test_the_digits_of_a_run_lie_beside_its_script_which_needs_torch_alone(tmp_path: Path) -> None:
    config = builtin("digits-cnn", {"layers": ["stem"]}, None, {"weights": "none"}, steps=4)
    config["data"] = {"source": "digits:3-7"}
    path = tmp_path / "run.py"
    assert write_script(load_config(config), path) == [path, tmp_path / "run.pt"]
    assert_same_run(run_scripts([path], (*ABSENT, "numpy"))[path], run_config(config))
    digits = load_digits()
    wanted = (digits.target >= 3) & (digits.target <= 7)
    beside = torch.load(tmp_path / "run.pt", weights_only=True)
    assert beside["pixels"].dtype == torch.uint8
    assert np.array_equal(beside["pixels"].numpy(), digits.images[wanted])
    assert np.array_equal(beside["labels"].numpy(), digits.target[wanted] - 3)


def test_a_file_of_a_persons_own_beside_the_script_is_never_replaced(tmp_path: Path) -> None:
    config = load_config(builtin("digits-cnn", {"layers": ["stem"]}))
    path, beside = tmp_path / "run.py", tmp_path / "run.pt"
    mine = {"weight": torch.ones(2)}
    for content in (mine, [mine], None):
        if content is None:
            beside.write_bytes(b"no file of torch's")
        else:
            torch.save(content, beside)
        before = beside.read_bytes()
        with pytest.raises(UserError, match=r"run\.pt: not replaced.*another name than run\.py"):
            write_script(config, path)
        assert beside.read_bytes() == before
        assert not path.exists()


def test_the_file_beside_an_earlier_script_is_replaced_with_it(tmp_path: Path) -> None:
    path, beside = tmp_path / "run.py", tmp_path / "run.pt"
    write_script(load_config(builtin("digits-cnn", {}, None, {"weights": "none"})), path)
    assert torch.load(beside, weights_only=True).keys() == {"made_by", "pixels", "labels"}
    write_script(load_config(builtin("encoder-head", {})), path)
    assert torch.load(beside, weights_only=True).keys() == {"made_by", "pixels", "labels", "weights"}


def test_a_script_that_reads_nothing_leaves_a_file_beside_it_alone(tmp_path: Path) -> None:
    beside = tmp_path / "run.pt"
    beside.write_bytes(b"mine")
    assert write_script(load_config(builtin("five-linear", {})), tmp_path / "run.py") == [tmp_path / "run.py"]
    assert beside.read_bytes() == b"mine"


def test_images_of_a_folder_and_weights_of_a_file_are_the_runs(tmp_path: Path) -> None:
    draws = np.random.default_rng(0)
    for name in ("cat", "dog"):
        (tmp_path / "images" / name).mkdir(parents=True)
        for index in range(9):
            pixels = draws.integers(0, 255, (10 + index, 13, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(tmp_path / "images" / name / f"{index}.png")
    state = load_model("builtin:digits-cnn", num_classes=9, seed=5).module.state_dict()
    torch.save({"state_dict": state}, tmp_path / "weights.pth")   # the head has another class count and stays fresh
    config = builtin("digits-cnn", {"layers": ["stem"]}, None, {"weights": str(tmp_path / "weights.pth")}, steps=6)
    config["data"] = {"source": f"folder:{tmp_path / 'images'}", "batch_size": 7}
    path = tmp_path / "run.py"
    assert write_script(load_config(config), path) == [path, tmp_path / "run.pt"]
    assert_same_run(run_scripts([path])[path], run_config(config))


def test_a_name_that_is_no_python_file_is_refused_in_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"must end in \.py"):
        write_script(load_config(builtin("five-linear", {})), tmp_path / "run.txt")


def test_the_command_writes_the_script_to_stdout_or_with_its_weights_to_a_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["script", "06-fine-tune"]) == 0
    captured = capsys.readouterr()
    compile(captured.out, "script", "exec")
    assert "weights" in captured.err
    assert main(["script", "06-fine-tune", "--output", str(tmp_path / "run.py")]) == 0
    assert (tmp_path / "run.py").read_text(encoding="utf-8") == captured.out
    beside = torch.load(tmp_path / "run.pt", weights_only=True)
    assert beside["weights"].keys() == load_model("builtin:digits-cnn").module.state_dict().keys()
