from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import nn

from freeze_gui.errors import UserError
from freeze_gui.models.shapes import guess_input_shape
from freeze_gui.models.sources import LoadedModel, list_models, load_model, open_model, output_shapes, smallest_input

NET = """
import torch
from torch import nn

def build():
    return nn.Sequential(nn.Linear(6, 4), nn.BatchNorm1d(4), nn.ReLU(), nn.Dropout(0.5), nn.Linear(4, 3))

class Tied(nn.Module):
    input_shape = (5,)
    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(11, 8, _weight=torch.randn(11, 8))
        self.out = nn.Linear(8, 11, bias=False)
        self.out.weight = self.embed.weight
    def forward(self, tokens):
        return self.out(self.embed(tokens)).mean(dim=1)

def needs_values():
    width = int(nn.Linear(2, 2).weight.abs().sum().item()) + 1
    return nn.Linear(width, 2)

def fails():
    raise ValueError("no such luck")

def returns_text():
    return "text"

def wants(width):
    return nn.Linear(width, 1)

def prints():
    print("hello from the factory")
    return nn.Linear(1, 1)

NUMBER = 3
"""


@pytest.fixture
def net(tmp_path: Path) -> str:
    (tmp_path / "net.py").write_text(NET)
    return f"file:{tmp_path / 'net.py'}"


def message(source: str) -> str:
    with pytest.raises(UserError) as caught:
        load_model(source)
    text = str(caught.value)
    assert "\n" not in text
    return text


def test_a_factory_gets_the_weights_of_plain_pytorch_under_the_same_seed(net: str) -> None:
    loaded = load_model(f"{net}:build", seed=23)
    torch.manual_seed(23)
    plain = nn.Sequential(nn.Linear(6, 4), nn.BatchNorm1d(4), nn.ReLU(), nn.Dropout(0.5), nn.Linear(4, 3))
    expected_next = torch.rand(4)
    assert all(torch.equal(loaded.module.state_dict()[name], value) for name, value in plain.state_dict().items())
    loaded = load_model(f"{net}:build", seed=23)
    assert torch.equal(torch.rand(4), expected_next)  # looking at shapes draws nothing either
    assert loaded.input_shape == (6,)


def test_finding_shapes_changes_neither_running_statistics_nor_mode(net: str) -> None:
    loaded = load_model(f"{net}:build")
    before = {name: value.clone() for name, value in loaded.module.state_dict().items()}
    assert output_shapes(loaded)["0"] == (4,)
    assert loaded.module.training
    assert all(torch.equal(before[name], value) for name, value in loaded.module.state_dict().items())
    assert not any(module._forward_hooks for module in loaded.module.modules())


def test_a_file_opens_without_values_and_its_tied_weights_stay_tied(net: str) -> None:
    opened = open_model(f"{net}:Tied").module
    weight = opened.get_parameter("embed.weight")
    assert weight.is_meta
    assert opened.get_parameter("out.weight") is weight


def test_an_embedding_in_front_is_fed_tokens_and_an_input_shape_attribute_counts(net: str) -> None:
    loaded = load_model(f"{net}:Tied", num_classes=11)
    assert (loaded.input_shape, loaded.num_classes) == ((5,), 11)
    assert output_shapes(loaded)["embed"] == (5, 8)


def test_a_factory_that_computes_with_values_opens_for_real(net: str) -> None:
    assert not open_model(f"{net}:needs_values").module.get_parameter("weight").is_meta


def test_opening_a_model_leaves_the_global_random_state_alone(net: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def touched(*_: object) -> None:
        raise AssertionError("a run in another thread would be disturbed")

    state = torch.get_rng_state()
    # Putting the state back would not do, because a run draws from it meanwhile: it must never be set at all.
    monkeypatch.setattr(torch, "set_rng_state", touched)
    monkeypatch.setattr(torch, "manual_seed", touched)
    sources = ("builtin:digits-cnn", "torchvision:swin_t", "torchvision:mobilenet_v3_small", "torchvision:vit_b_32")
    for source in (f"{net}:needs_values", f"{net}:Tied", f"{net}:build", *sources):
        assert output_shapes(open_model(source))
        assert torch.equal(torch.get_rng_state(), state), source


def test_what_a_factory_prints_stays_off_stdout(net: str, capsys: pytest.CaptureFixture[str]) -> None:
    load_model(f"{net}:prints")
    assert capsys.readouterr() == ("", "hello from the factory\n")


def test_running_a_file_leaves_no_cache_beside_it(net: str, tmp_path: Path) -> None:
    load_model(f"{net}:build")
    assert [path.name for path in tmp_path.iterdir()] == ["net.py"]


def test_an_edited_file_counts_at_the_next_load(tmp_path: Path) -> None:
    path = tmp_path / "net.py"
    for width in (2, 3):
        path.write_text(f"from torch import nn\ndef build():\n    return nn.Linear({width}, 1)\n")
        assert load_model(f"file:{path}:build").input_shape == (width,)


def test_a_file_may_import_its_neighbour_and_be_named_relative_to_the_current_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "freeze_gui_test_neighbour.py").write_text("WIDTH = 12\n")
    (tmp_path / "net.py").write_text(
        "from torch import nn\nfrom freeze_gui_test_neighbour import WIDTH\nclass Net(nn.Linear):\n"
        "    def __init__(self):\n        super().__init__(WIDTH, 2)\n"
    )
    monkeypatch.chdir(tmp_path)
    path = list(sys.path)
    assert load_model("file:net.py:Net").input_shape == (12,)
    assert sys.path == path


def test_a_failing_factory_is_one_sentence_with_file_line_and_error(net: str) -> None:
    line = NET.splitlines().index('    raise ValueError("no such luck")') + 1
    assert message(f"{net}:fails").endswith(f"net.py, line {line}: fails() raised ValueError: no such luck")


@pytest.mark.parametrize(
    ("factory", "part"),
    [
        ("missing", "has no missing; it has build, Tied"),
        ("returns_text", "must return a torch.nn.Module, but returned a str"),
        ("wants", "must be callable without arguments, but there is missing a required argument: 'width'"),
        ("NUMBER", "NUMBER in"),
    ],
)
def test_a_factory_of_another_kind_is_refused_with_what_is_allowed(net: str, factory: str, part: str) -> None:
    assert part in message(f"{net}:{factory}")


def test_a_syntax_error_is_told_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "net.py").write_text("x = 1\ndef build(:\n")
    assert "net.py, line 2: SyntaxError" in message(f"file:{tmp_path / 'net.py'}:build")


def test_a_script_that_exits_does_not_take_the_program_with_it(tmp_path: Path) -> None:
    (tmp_path / "net.py").write_text("import sys\nsys.exit('bye')\n")
    assert "line 2: it raised SystemExit: bye" in message(f"file:{tmp_path / 'net.py'}:build")


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    assert "cannot read" in message(f"file:{tmp_path / 'none.py'}:build")


def test_a_file_source_without_factory_shows_the_form_even_with_a_drive_letter() -> None:
    assert "not of the form file:PATH.py:FACTORY" in message("file:C:\\nets\\net.py")


def test_a_file_head_with_too_few_outputs_for_the_classes_is_refused(net: str) -> None:
    with pytest.raises(UserError, match=r"num_classes is 5, but the module of .* has 3 output\(s\)"):
        load_model(f"{net}:build", num_classes=5)


def test_a_file_has_no_default_weights(net: str) -> None:
    with pytest.raises(UserError, match='weights must be "none" or a file'):
        load_model(f"{net}:build", weights="default")


@pytest.mark.parametrize(
    ("source", "part"),
    [
        ("builtin:digit-cnn", "there are digits-cnn, two-task, five-linear"),
        ("torchvision:resnet17", "nearest: resnet18"),
        ("torchvision:fasterrcnn_resnet50_fpn", "no classification model"),
        ("digits-cnn", "builtin:digits-cnn"),
        ("resnet18", "torchvision:resnet18"),
        ("", "builtin:NAME, torchvision:NAME or file:PATH.py:FACTORY"),
    ],
)
def test_an_unknown_source_is_answered_with_the_nearest_known(source: str, part: str) -> None:
    assert part in message(source)


def test_zero_classes_are_refused() -> None:
    with pytest.raises(UserError, match="num_classes is 0, but must be 1 or more"):
        open_model("builtin:digits-cnn", num_classes=0)


def test_the_list_starts_with_the_builtin_models() -> None:
    choices = list_models()
    assert [choice.source for choice in choices[:3]] == [
        "builtin:digits-cnn",
        "builtin:two-task",
        "builtin:five-linear",
    ]
    assert "torchvision:resnet18" in {choice.source for choice in choices}


def test_importing_sources_does_not_import_torchvision() -> None:
    code = (
        "import sys, freeze_gui.models.sources, freeze_gui.data.sources; "
        "sys.exit('torchvision' in sys.modules or 'sklearn' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_num_classes_decides_the_outputs_of_a_torchvision_model_and_the_seed_its_weights() -> None:
    import torchvision

    loaded = load_model("torchvision:squeezenet1_1", num_classes=5, seed=4)
    torch.manual_seed(4)
    plain = torchvision.models.squeezenet1_1(weights=None, num_classes=5)
    assert loaded.num_classes == 5
    assert all(torch.equal(loaded.module.state_dict()[name], value) for name, value in plain.state_dict().items())


@pytest.mark.parametrize("name", ["inception_v3", "googlenet"])
def test_models_with_auxiliary_heads_return_plain_logits_in_training(name: str) -> None:
    opened = open_model(f"torchvision:{name}", num_classes=5)
    assert isinstance(opened.module.train()(torch.zeros(2, *(opened.input_shape or ()), device="meta")), torch.Tensor)


def test_the_smallest_inputs_respect_the_published_minimum_sizes() -> None:
    # torchvision gives minimum sizes with its weights: 63 for alexnet, 75 for inception_v3, 224 for the transformers.
    # resnet18 and inception_v3 end in batch norms, which need more than one pixel of one image.
    sides = {name: smallest_input(name)[1] for name in ("resnet18", "alexnet", "inception_v3", "vit_b_32", "maxvit_t")}
    assert sides == {"resnet18": 64, "alexnet": 64, "inception_v3": 128, "vit_b_32": 224, "maxvit_t": 224}


@pytest.mark.parametrize(
    ("module", "shape"),
    [
        (nn.Linear(7, 1), (7,)),
        (nn.Conv1d(2, 3, 3), (2, 64)),
        (nn.Sequential(nn.ReLU(), nn.Conv2d(4, 3, 3)), (4, 32, 32)),
        (nn.Conv3d(1, 3, 3), (1, 16, 32, 32)),
        (nn.Embedding(10, 3), (16,)),
        (nn.LSTM(3, 3), None),
        (nn.ReLU(), None),
    ],
)
def test_the_input_shape_is_guessed_from_the_first_layer(module: nn.Module, shape: tuple[int, ...] | None) -> None:
    assert guess_input_shape(module) == shape


def test_a_forward_that_cannot_run_gives_no_shapes_and_no_error() -> None:
    broken = LoadedModel(nn.Linear(3, 2), "file:x.py:y", None, (4,), "cross_entropy", "random", ())
    assert output_shapes(broken) == {}


def test_loading_a_persons_module_does_not_run_its_forward(tmp_path: Path) -> None:
    path = tmp_path / "once.py"
    path.write_text(
        "import torch\n"
        "class Once(torch.nn.Linear):\n"
        "    def forward(self, x):\n"
        "        open(__file__ + '.ran', 'w').close()\n"
        "        return super().forward(x)\n"
        "def build():\n"
        "    return Once(6, 3)\n"
    )
    load_model(f"file:{path}:build")
    assert not path.with_name("once.py.ran").exists()
    load_model(f"file:{path}:build", num_classes=3)   # now there is something to compare
    assert path.with_name("once.py.ran").exists()


def test_the_first_model_opens_and_its_optimizer_is_checked_without_torchs_compiler() -> None:
    """Its import takes a second, and the window cannot be used before the first model is there."""
    code = (
        "import sys\n"
        "from freeze_gui.models.inspection import inspect_model\n"
        "from freeze_gui.training.config import load_config\n"
        "inspect_model('builtin:digits-cnn')\n"
        "optimizer = {'name': 'AdamW', 'lr': 0.01, 'scheduler': 'OneCycleLR'}\n"
        "load_config({'model': {'source': 'builtin:digits-cnn'}, 'optimizer': optimizer})\n"
        "sys.exit('torch._dynamo' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
