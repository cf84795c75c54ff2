from __future__ import annotations

import ast
import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from freeze_gui import run_config
from freeze_gui.cli import main
from freeze_gui.errors import UserError
from freeze_gui.freezing.methods import METHODS
from freeze_gui.models.sources import load_model
from freeze_gui.runs.script import standalone_script, write_script
from freeze_gui.training.config import load_config
from tests.support.runs import NETWORK

Config = dict[str, Any]

# What runs every script: alone, in a Python that cannot import the program, with every warning an error.
_DRIVER = """
import contextlib, io, json, runpy, sys
from importlib.abc import MetaPathFinder

class Absent(MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name.partition(".")[0] in ("freeze_gui", "tests", "jinja2", "safetensors"):
            raise ImportError(f"{name} is not there")

sys.meta_path.insert(0, Absent())
results = {}
for path in sys.argv[1:]:
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        losses = runpy.run_path(path)["main"]()
    results[path] = (losses, printed.getvalue())
json.dump(results, sys.stdout)
"""


def network(method: str, freeze: Config | None = None, optimizer: Config | None = None, **train: Any) -> Config:
    """Return a run of the small network with statistics and dropout, from a person's own files."""
    where = {"layers": ["first", "norm", "middle"]} if freeze is None or "phase" not in freeze else {}
    return {
        "model": {"source": f"file:{NETWORK}:build"},
        "data": {"source": f"file:{NETWORK}:batches"},
        "freeze": {"method": method, **where, **(freeze or {})},
        "optimizer": optimizer or {"name": "Adam", "lr": 0.01},
        "train": {"device": "cpu", "seed": 3, **({} if "epochs" in train else {"steps": 16}), **train},
    }


def builtin(
    name: str, freeze: Config, optimizer: Config | None = None, model: Config | None = None, **train: Any
) -> Config:
    """Return a run of a network that ships with the program."""
    return {
        "model": {"source": f"builtin:{name}", **(model or {})},
        "freeze": freeze,
        "optimizer": optimizer or {"name": "Adam", "lr": 0.01},
        "train": {"device": "cpu", "steps": 10, **train},
    }


PHASES = [
    {"layers": ["first"], "from": 0, "to": 4},
    {"layers": ["norm", "middle"], "from": 2, "to": 9},
    {"layers": ["first"], "from": 8, "to": 12},
    {"layers": ["middle"], "from": 11},
]
EPOCHS = [
    {"layers": ["first"], "to": 1, "unit": "epoch", "lr_factor": 0.3},
    {"layers": ["norm"], "from": 1, "to": 2, "unit": "epoch"},
]
TASKS = [{"task": "task1", "layers": ["hidden_task2"]}, {"task": "task2", "layers": ["hidden_task1"]}]
WINDOW = {"from_step": 5, "to_step": 12}


def cases() -> dict[str, Config]:
    """Return every run whose script is held to it."""
    found: dict[str, Config] = {}
    for method in METHODS:
        found |= {
            f"{method}, to the end": network(method, {"norm": "eval"}),
            f"{method}, phases, reset, accumulation": network(
                method,
                {"phase": PHASES, "thaw": "reset_state"},
                {"name": "SGD", "lr": 0.05, "momentum": 0.9, "zero_grad": "zero"},
                accumulate=3,
            ),
            f"{method}, epochs, after backward, clipping": network(
                method,
                {"phase": EPOCHS, "moment": "after_backward", "norm": "eval"},
                {"name": "AdamW", "lr": 0.01, "zero_grad": "never"},
                epochs=3,
                accumulate=2,
                clip_grad_norm=0.5,
            ),
            f"{method}, window under OneCycleLR, bf16": network(
                method, WINDOW, {"name": "Adam", "lr": 0.01, "scheduler": "OneCycleLR", "layer_decay": 0.7}, amp="bf16"
            ),
            f"{method}, tasks": builtin(
                "two-task", {"method": method, "task": TASKS}, {"name": "Adam", "lr": 0.9, "zero_grad": "zero"}
            ),
        }
    digits = {"layers": ["stem", "blocks.0"], "method": "exclude", "to_step": 4}
    large = {"source": "digits", "batch_size": 179}   # four an epoch: of the 717 samples one is left over
    plateau = {"name": "Adam", "scheduler": {"name": "ReduceLROnPlateau", "patience": 0}}
    found |= {
        "fp16": network("requires_grad", WINDOW, amp="fp16", clip_grad_norm=0.5),
        "OneCycleLR over lr = 0": network("lr_zero", {}, {"name": "SGD", "lr": 0.05, "scheduler": "OneCycleLR"}),
        "OneCycleLR, which turns the momentum of a group made after a backward": network(
            "lr_zero",
            {"from_step": 4, "to_step": 6, "moment": "after_backward"},
            {"name": "SGD", "lr": 0.05, "momentum": 0.9, "scheduler": "OneCycleLR"},
            steps=11,
        ),
        "OneCycleLR that ends early": network(
            "exclude", WINDOW, {"name": "Adam", "lr": 0.01, "scheduler": {"name": "OneCycleLR", "total_steps": 9}}
        ),
        "StepLR, a window by exclusion": network("exclude", WINDOW, {"name": "SGD", "lr": 0.1, "scheduler": "StepLR"}),
        "CosineAnnealingLR": network("filter", {}, {"name": "SGD", "lr": 0.1, "scheduler": "CosineAnnealingLR"}),
        "LambdaLR": network("grad_none", {}, {"name": "NAdam", "lr": 0.01, "scheduler": "LambdaLR"}),
        "tasks and phases": builtin(
            "routes",
            {
                "method": "filter",
                "moment": "after_backward",
                "task": [{"task": "near", "layers": ["blocks.0"]}],
                "phase": [{"layers": ["stem", "blocks.0"], "from": 3, "to": 8}],
            },
            {"name": "SGD", "lr": 0.1, "momentum": 0.5, "scheduler": "StepLR"},
        ),
        "pretrained digits": {**builtin("digits-cnn", digits, plateau, eval_every=2), "data": large},
        "digits by mse": builtin(
            "digits-cnn", {"layers": ["stem"]}, None, {"weights": "none", "num_classes": 7}, loss="mse", seed=2**32 - 1
        ),
        "encoder-head": builtin("encoder-head", {"layers": ["encoder"], "norm": "eval"}, eval_every=4),
        "tokens": builtin("embedding-linear", {"layers": ["fc1"], "method": "no_grad"}),
        "attention, whose output is a tuple": builtin(
            "tiny-transformer",
            {"layers": ["encoder.layers[1:3]"], "method": "detach", "norm": "eval", "to_step": 5},
            {"name": "AdamW", "layer_decay": 0.8},
        ),
        "a block's own tensors": builtin(
            "tiny-transformer",
            {"layers": ["encoder.layers.1.self_attn.(own)", "encoder.layers.0.norm1"], "norm": "eval"},
        ),
        "everything": builtin("five-linear", {"layers": ["*"], "method": "exclude", "to_step": 4}),
        "everything in fp16": builtin(
            "five-linear",
            {"layers": ["*"], "method": "grad_none", "from_step": 3, "to_step": 6},
            amp="fp16",
            clip_grad_norm=1.0,
        ),
        "nothing": builtin("names", {}),
        "torchvision": {
            "model": {"source": "torchvision:squeezenet1_1", "num_classes": 3},
            "data": {"source": "random", "batch_size": 2},
            "freeze": {"layers": ["features[:4]"]},
            "train": {"device": "cpu", "steps": 2},
        },
    }   # fmt: skip
    return found


CASES = cases()


@dataclass(frozen=True)
class Result:
    """Losses of a script, and the verdict that it printed for each tensor."""

    losses: list[float]
    verdict: dict[str, str]
    text: str


def run_scripts(paths: list[Path]) -> dict[Path, Result]:
    """Run scripts, one after the other, in one Python that knows nothing of the program."""
    done = subprocess.run(
        [sys.executable, "-I", "-W", "error", "-c", _DRIVER, *map(str, paths)],
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    results = {}
    for path, (losses, printed) in json.loads(done.stdout).items():
        lines = [line.rsplit(": ", 1) for line in printed.splitlines()]
        verdict = {line[0]: line[1] for line in lines if line[-1] in ("held", "leaked")}
        text = Path(path).read_text(encoding="utf-8").replace(str(NETWORK), "network.py")   # however deep it lies
        results[Path(path)] = Result(losses, verdict, text)
    return results


@pytest.fixture(scope="module")
def scripts(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Result]:
    folder = tmp_path_factory.mktemp("scripts")
    paths = {name: folder / f"run_{index}.py" for index, name in enumerate(CASES)}
    for name, path in paths.items():
        write_script(load_config(CASES[name]), path)
    results = run_scripts(list(paths.values()))
    return {name: results[path] for name, path in paths.items()}


def assert_same_run(result: Result, summary: dict[str, Any]) -> None:
    assert summary["status"] == "completed"
    assert result.losses == pytest.approx(summary["loss"], rel=1e-6, abs=0)
    frozen = {t["name"]: "leaked" if t["moved"] else "held" for t in summary["tensors"] if t["frozen_steps"]}
    assert result.verdict == frozen


@pytest.mark.parametrize("name", CASES)
def test_the_script_alone_has_the_losses_and_the_verdict_of_the_run(name: str, scripts: dict[str, Result]) -> None:
    assert_same_run(scripts[name], run_config(CASES[name]))


def test_no_line_is_long_and_nothing_of_the_program_is_named(scripts: dict[str, Result]) -> None:
    for result in scripts.values():
        assert max(map(len, result.text.splitlines())) <= 110
        assert "freeze_gui" not in result.text


def test_ruff_has_nothing_to_say_about_the_scripts(scripts: dict[str, Result], tmp_path: Path) -> None:
    ruff = Path(sys.executable).with_name("ruff")
    if not ruff.exists():
        pytest.skip("ruff is not installed; it comes with the extra dev")
    for index, result in enumerate(scripts.values()):
        (tmp_path / f"run_{index}.py").write_text(result.text, encoding="utf-8")
    options = ["--isolated", "--no-cache", "--select", "E,F,I,B", "--line-length", "110"]
    done = subprocess.run([ruff, "check", *options, tmp_path], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize(
    ("method", "idiom"),
    [
        ("requires_grad", "layer.requires_grad_(False)"),
        ("grad_none", "parameter.grad = None"),
        ("grad_zero", "parameter.grad.zero_()"),
        ("exclude", "(p for p in model.parameters() if p not in held)"),
        ("filter", "(p for p in model.parameters() if p.requires_grad)"),
        ("restore", "parameter.copy_(value)"),
        ("no_grad", "torch.no_grad()(module.forward)"),
        ("detach", "output.detach()"),
        ("lr_zero", '{"params": parameters, "lr": 0.0}'),
        ("eval_only", "module.eval()"),
    ],
)
def test_each_method_is_written_as_its_idiom_and_no_other_is(
    method: str, idiom: str, scripts: dict[str, Result]
) -> None:
    assert set(METHODS) == {  # the table above has them all
        "requires_grad", "grad_none", "grad_zero", "exclude", "filter",
        "restore", "no_grad", "detach", "lr_zero", "eval_only",
    }  # fmt: skip
    text = scripts[f"{method}, to the end"].text
    assert idiom in text
    foreign = {"parameter.grad = None", "grad.zero_()", "copy_(value)", "(module.forward)", ".detach()", '"lr": 0.0'}
    clone = ".detach().clone()"   # what restore keeps
    assert [other for other in foreign if other not in idiom and other in text.replace(clone, "")] == []


def test_a_simple_run_gives_a_short_script_without_what_it_does_not_use() -> None:
    config = builtin("five-linear", {"layers": ["linear2"]})
    text = standalone_script(load_config(config))
    assert len(text.splitlines()) <= 110
    for unused in ("scheduler", "autocast", "scaler", "clip_grad", "micro_batches", "def freeze", "DEVICE", "task"):
        assert unused not in text


def test_a_run_on_any_device_picks_one_and_moves_model_and_batches_there() -> None:
    config = builtin("five-linear", {"layers": ["linear2"]}, amp="bf16")
    config["train"]["device"] = "auto"
    text = standalone_script(load_config(config))
    assert "model.to(DEVICE)" in text and "inputs.to(DEVICE)" in text and "torch.autocast(DEVICE" in text


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


TIED = """
import torch
from torch import nn


class Tied(nn.Module):
    input_shape = (6,)

    def __init__(self):
        super().__init__()
        self.encode, self.middle, self.decode = nn.Embedding(9, 4), nn.Linear(4, 4), nn.Linear(4, 9, bias=False)
        self.decode.weight = self.encode.weight
        self.middle.bias.requires_grad_(False)

    def forward(self, tokens):
        return self.decode(torch.tanh(self.middle(self.encode(tokens).mean(dim=1))))
"""


def test_tied_parameters_and_those_that_their_author_froze_stay_what_they_are(tmp_path: Path) -> None:
    (tmp_path / "tied.py").write_text(TIED, encoding="utf-8")
    configs: dict[Path, Config] = {}
    for method in ("requires_grad", "exclude", "filter", "lr_zero", "restore"):
        layers = ["middle"] if method in ("requires_grad", "filter") else ["*"]   # with all flags off nothing trains
        configs[tmp_path / f"{method}.py"] = {
            "model": {"source": f"file:{tmp_path / 'tied.py'}:Tied"},
            "freeze": {"layers": layers, "from_step": 2, "to_step": 5, "method": method},
            "optimizer": {"name": "SGD", "lr": 0.1, "momentum": 0.9},
            "train": {"device": "cpu", "steps": 9},
        }
    for path, config in configs.items():
        write_script(load_config(config), path)
    for path, result in run_scripts(list(configs)).items():
        assert result.losses == pytest.approx(run_config(configs[path])["loss"], rel=1e-6, abs=0)


def test_the_callers_random_state_is_left_as_it_was() -> None:
    torch.manual_seed(11)
    expected = torch.rand(3)
    torch.manual_seed(11)
    standalone_script(load_config(builtin("two-task", {})))
    assert torch.equal(torch.rand(3), expected)


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
    assert torch.load(tmp_path / "run.pt", weights_only=True).keys() == (
        load_model("builtin:digits-cnn").module.state_dict().keys()
    )


def test_what_a_person_calls_a_task_or_a_folder_is_never_run(tmp_path: Path) -> None:
    folder = tmp_path / 'a"""b\\xr'
    folder.mkdir()
    name = 'x" or print("ran") or "'
    (folder / "net.py").write_text(
        "import torch\n"
        "class Net(torch.nn.Module):\n"
        "    def __init__(self):\n"
        "        super().__init__()\n"
        "        self.a = torch.nn.Linear(3, 2)\n"
        "        self.b = torch.nn.Linear(2, 2)\n"
        "    def forward(self, x, task=None):\n"
        "        return self.b(self.a(x))\n"
        "def build():\n"
        "    return Net()\n"
        "def batches():\n"
        f"    return [(torch.ones(2, 3), torch.tensor([0, 1]), task) for task in ('one', {name!r})]\n"
        "def plain():\n"
        "    return [(torch.ones(2, 3), torch.tensor([0, 1]))]\n"
    )
    config = {
        "model": {"source": f"file:{folder / 'net.py'}:build"},
        "data": {"source": f"file:{folder / 'net.py'}:batches"},
        "freeze": {"task": [{"task": name, "layers": ["b"]}]},
        "train": {"steps": 2, "device": "cpu"},
    }
    text = standalone_script(load_config(config))
    calls = [node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Call)]
    assert not any(isinstance(call.func, ast.Name) and ast.unparse(call) == "print('ran')" for call in calls)
    assert json.dumps(name) in text
    config["data"] = {"source": f"file:{folder / 'net.py'}:plain"}   # no batch names a task: it never comes
    assert "task ==" not in standalone_script(load_config(config))
