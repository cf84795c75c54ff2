from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from freeze_gui import run_config
from freeze_gui.errors import UserError
from freeze_gui.freezing.methods import METHODS
from freeze_gui.runs.script import make_script
from freeze_gui.runs.script_files import write_script
from freeze_gui.training.config import load_config
from tests.runs.script_cases import CASES, Config, builtin
from tests.support.runs import DRAWS
from tests.support.scripts import Result, assert_same_run, run_scripts


@pytest.fixture(scope="module")
def scripts(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Result]:
    folder = tmp_path_factory.mktemp("scripts")
    paths = {name: folder / f"run_{index}.py" for index, name in enumerate(CASES)}
    for name, path in paths.items():
        write_script(load_config(CASES[name]), path)
    results = run_scripts(list(paths.values()))
    return {name: results[path] for name, path in paths.items()}


@pytest.mark.parametrize("name", CASES)
def test_the_script_alone_has_the_losses_and_the_verdict_of_the_run(name: str, scripts: dict[str, Result]) -> None:
    assert_same_run(scripts[name], run_config(CASES[name]))


def test_a_script_makes_its_optimizer_with_fused_wherever_the_run_does(scripts: dict[str, Result]) -> None:
    """The losses alone would not tell: they agree to a millionth without it."""
    for name, result in scripts.items():
        made = [line for line in re.findall(r"torch\.optim\.[A-Z].*", result.text) if "lr_scheduler" not in line]
        assert made, name
        assert all(("fused=True" in line) == name.startswith("fused") for line in made), name


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
    text = make_script(load_config(config)).text
    assert len(text.splitlines()) <= 110
    for unused in ("scheduler", "autocast", "scaler", "clip_grad", "micro_batches", "def freeze", "DEVICE", "task"):
        assert unused not in text


def test_a_run_on_any_device_picks_one_and_moves_model_and_batches_there() -> None:
    config = builtin("five-linear", {"layers": ["linear2"]}, amp="bf16")
    config["train"]["device"] = "auto"
    text = make_script(load_config(config)).text
    assert "model.to(DEVICE)" in text and "inputs.to(DEVICE)" in text and "torch.autocast(DEVICE" in text


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
    make_script(load_config(builtin("two-task", {})))
    assert torch.equal(torch.rand(3), expected)


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
    text = make_script(load_config(config)).text
    calls = [node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Call)]
    assert not any(isinstance(call.func, ast.Name) and ast.unparse(call) == "print('ran')" for call in calls)
    assert json.dumps(name) in text
    config["data"] = {"source": f"file:{folder / 'net.py'}:plain"}   # no batch names a task: it never comes
    assert "task ==" not in make_script(load_config(config)).text


def test_the_paused_ideal_of_a_comparison_has_no_script_and_says_why() -> None:
    with pytest.raises(UserError, match="no way to freeze in PyTorch"):
        make_script(load_config(builtin("five-linear", {"method": "paused", "layers": ["linear1"]})))


def test_each_list_of_layers_says_when_it_is_frozen() -> None:
    phases = [{"layers": ["linear1"], "to": 3}, {"layers": ["linear1"], "from": 5, "to": 6}, {"layers": ["linear2"]}]
    text = make_script(load_config(builtin("five-linear", {"phase": phases}))).text
    assert 'LAYERS_1 = ["linear1"]   # frozen in steps 0 to 2 and in step 5\n' in text
    assert 'LAYERS_2 = ["linear2"]   # frozen in all steps\n' in text


@pytest.mark.parametrize("model", [f"file:{DRAWS}:build", "builtin:five-linear"])
def test_a_file_that_draws_from_python_and_numpy_draws_the_same_in_the_script(model: str, tmp_path: Path) -> None:
    config = {
        "model": {"source": model},
        "data": {"source": f"file:{DRAWS}:batches"},
        "freeze": {"layers": ["[0]"], "from_step": 2, "to_step": 5},
        "train": {"device": "cpu", "steps": 8, "seed": 4, "eval_every": 3},
    }
    write_script(load_config(config), tmp_path / "run.py")
    assert run_scripts([tmp_path / "run.py"])[tmp_path / "run.py"].losses == run_config(config)["loss"]


_TIED = """
import torch
from torch import nn

class Net(nn.Sequential):
    def __init__(self):
        super().__init__(nn.Linear(6, 6), nn.Tanh(), nn.Linear(6, 6), nn.Linear(6, 3))
        self[2].weight = self[0].weight

def batches():
    generator = torch.Generator().manual_seed(5)
    return [(torch.randn(8, 6, generator=generator), torch.arange(8) % 3) for _ in range(3)]
"""


def test_layers_of_one_weight_that_freeze_apart_hold_it_together(tmp_path: Path) -> None:
    (tmp_path / "tied.py").write_text(_TIED)
    phases = [{"layers": ["0"], "from": 0, "to": 4}, {"layers": ["2"], "from": 2, "to": 7}]
    configs = {
        tmp_path / f"{method}.py": {
            "model": {"source": f"file:{tmp_path}/tied.py:Net"},
            "data": {"source": f"file:{tmp_path}/tied.py:batches"},
            "freeze": {"method": method, "phase": phases},
            "optimizer": {"name": "SGD", "lr": 0.1, "momentum": 0.9},
            "train": {"device": "cpu", "steps": 10},
        }
        for method in METHODS
    }
    for path, config in configs.items():
        write_script(load_config(config), path)
    for path, result in run_scripts(list(configs)).items():
        summary = run_config(configs[path])
        assert result.losses == pytest.approx(summary["loss"], rel=1e-6, abs=0)
        assert result.verdict["0.weight"] == ("leaked" if summary["tensors"][0]["moved"] else "held")
