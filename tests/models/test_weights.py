from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file, save_model
from torch import Tensor, nn

from freeze_gui.errors import UserError
from freeze_gui.models.download import download
from freeze_gui.models.sources import load_model
from freeze_gui.models.torchvision_models import replace_head
from freeze_gui.models.weights import download_weights, load_weights, read_weights


def net(classes: int = 3) -> nn.Module:
    return nn.Sequential(nn.Linear(6, 4), nn.BatchNorm1d(4), nn.Linear(4, classes))


def same(module: nn.Module, state: dict[str, Tensor]) -> bool:
    return all(torch.equal(value, state[name]) for name, value in module.state_dict().items())


@pytest.mark.parametrize("name", ["net.safetensors", "net.pt", "net.pth"])
def test_a_saved_state_dict_comes_back_bit_by_bit(tmp_path: Path, name: str) -> None:
    state = net().state_dict()
    path = tmp_path / name
    if path.suffix == ".safetensors":
        save_file(state, path)
    else:
        torch.save(state, path)
    module = net()
    assert load_weights(module, read_weights(path), where=name)
    assert same(module, state)


@pytest.mark.parametrize("key", ["state_dict", "model", "model_state_dict"])
def test_a_training_checkpoint_is_unwrapped_and_its_prefix_taken_off(tmp_path: Path, key: str) -> None:
    state = net().state_dict()
    path = tmp_path / "checkpoint.pt"
    torch.save({"epoch": 3, key: {f"module.{name}": value for name, value in state.items()}}, path)
    module = net()
    load_weights(module, read_weights(path), where="checkpoint.pt")
    assert same(module, state)


def test_a_head_with_another_number_of_classes_stays_fresh(tmp_path: Path) -> None:
    state = net(classes=10).state_dict()
    module = net(classes=3)
    head = module.get_parameter("2.weight").clone()
    assert not load_weights(module, state, where="file")
    assert torch.equal(module.get_parameter("2.weight"), head)
    assert torch.equal(module.get_parameter("0.weight"), state["0.weight"])


def refusal(module: nn.Module, state: dict[str, Tensor]) -> str:
    with pytest.raises(UserError) as caught:
        load_weights(module, state, where="w.pt")
    return str(caught.value)


def test_another_shape_in_the_body_is_refused_with_name_and_shapes() -> None:
    state = {**net().state_dict(), "0.weight": torch.zeros(4, 7)}
    text = "w.pt does not fit the model: 1 tensor(s) of another shape: 0.weight (4, 7) instead of (4, 6)"
    assert refusal(net(), state) == text


def test_missing_and_unknown_names_are_counted_and_the_first_shown() -> None:
    state = {f"x{index}": torch.zeros(1) for index in range(5)}
    text = refusal(net(), state)
    assert "8 tensor(s) missing in the file (0.weight, 0.bias, 1.weight, …)" in text
    assert "5 that the model does not have (x0, x1, x2, …)" in text


def test_an_old_checkpoint_without_batch_counters_is_no_mistake() -> None:
    state = {name: value for name, value in net().state_dict().items() if not name.endswith("num_batches_tracked")}
    load_weights(net(), state, where="w.pt")


def test_a_module_that_checks_its_version_loads_from_a_file_that_holds_none(tmp_path: Path) -> None:
    original = load_model("torchvision:mnasnet0_5", num_classes=3, seed=1).module
    save_file(original.state_dict(), tmp_path / "mnasnet.safetensors")
    loaded = load_model("torchvision:mnasnet0_5", num_classes=3, weights=str(tmp_path / "mnasnet.safetensors"))
    assert same(loaded.module, dict(original.state_dict()))


def test_a_tied_weight_that_is_stored_once_is_not_missing(tmp_path: Path) -> None:
    def tied() -> nn.Module:
        module = nn.Sequential(nn.Embedding(5, 4), nn.Linear(4, 5, bias=False))
        module[1].weight = module[0].weight
        return module

    original, module = tied(), tied()
    save_model(original, str(tmp_path / "tied.safetensors"))
    load_weights(module, read_weights(tmp_path / "tied.safetensors"), where="tied")
    assert same(module, original.state_dict())


class Evil:
    """Runs a command where pickle is allowed to."""

    def __reduce__(self) -> Any:
        return os.system, ("touch freeze_gui_was_here",)


def test_a_pickle_that_would_run_code_is_refused_and_does_not_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    torch.save({"weight": Evil()}, "evil.pt")
    with pytest.raises(UserError, match="was refused because reading it would run code stored in the file") as caught:
        read_weights("evil.pt")
    assert "\n" not in str(caught.value)
    assert "system" in str(caught.value)
    assert not Path("freeze_gui_was_here").exists()


def test_a_whole_pickled_module_is_refused_with_the_way_to_save_it(tmp_path: Path) -> None:
    torch.save(net(), tmp_path / "whole.pt")
    with pytest.raises(UserError, match=r"save a plain state_dict"):
        read_weights(tmp_path / "whole.pt")


@pytest.mark.parametrize(
    ("name", "content", "part"),
    [
        ("net.bin", b"", 'must be "none", "default" or a file ending in .safetensors, .pt, .pth'),
        ("none.pt", None, "does not exist"),
        ("net.safetensors", b"rubbish", "is not a whole .safetensors file"),
        ("net.pt", b"", "is not a readable PyTorch checkpoint"),
        ("net.pt", b"rubbish", "is not a readable PyTorch checkpoint"),
        ("net.pth", b"PK\x03\x04rubbish", "is not a readable PyTorch checkpoint"),
    ],
)
def test_a_file_that_holds_no_weights_is_refused(tmp_path: Path, name: str, content: bytes | None, part: str) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(UserError, match=part.replace("(", r"\(")) as caught:
        read_weights(tmp_path / name)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("content", "part"), [([1], "a list"), ({}, "an empty dict"), ({"epoch": 3}, "epoch is no tensor")]
)
def test_a_checkpoint_without_tensors_is_refused(tmp_path: Path, content: Any, part: str) -> None:
    torch.save(content, tmp_path / "odd.pt")
    with pytest.raises(UserError, match=part):
        read_weights(tmp_path / "odd.pt")


def test_weights_of_the_digits_network_load_from_a_file_with_a_fresh_head_for_other_classes(tmp_path: Path) -> None:
    original = load_model("builtin:digits-cnn", num_classes=10, seed=1)
    save_file(original.module.state_dict(), tmp_path / "ten.safetensors")
    five = load_model("builtin:digits-cnn", num_classes=5, weights=str(tmp_path / "ten.safetensors"))
    ten = load_model("builtin:digits-cnn", num_classes=10, weights=str(tmp_path / "ten.safetensors"))
    assert five.module.get_parameter("head.weight").shape == (5, 64)
    assert same(ten.module, original.module.state_dict())


# --- downloads, from file:// addresses: the real code without a network


def test_a_download_reports_its_bytes_and_keeps_the_file(tmp_path: Path) -> None:
    content = bytes(range(256)) * 2000
    (tmp_path / "from.bin").write_bytes(content)
    reports: list[tuple[str, int, int | None]] = []
    target = download(
        (tmp_path / "from.bin").as_uri(),
        tmp_path / "cache" / "to.bin",
        sha256_prefix=hashlib.sha256(content).hexdigest()[:8],
        progress=lambda *report: reports.append(report),
    )
    assert target.read_bytes() == content
    assert reports[-1] == ("downloading to.bin", 512_000, 512_000)
    assert len(reports) == 4  # chunks of 128 KiB
    assert [path.name for path in target.parent.iterdir()] == ["to.bin"]


class Cancelled(Exception):
    """Raised by the progress of this test."""


def test_a_cancelled_download_passes_the_exception_on_and_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "from.bin").write_bytes(bytes(300_000))

    def cancel(_text: str, _done: int, _total: int | None) -> None:
        raise Cancelled

    with pytest.raises(Cancelled):
        download((tmp_path / "from.bin").as_uri(), tmp_path / "cache" / "to.bin", progress=cancel)
    assert list((tmp_path / "cache").iterdir()) == []


def test_a_download_with_another_hash_is_thrown_away(tmp_path: Path) -> None:
    (tmp_path / "from.bin").write_bytes(b"other")
    with pytest.raises(UserError, match="arrived damaged"):
        download((tmp_path / "from.bin").as_uri(), tmp_path / "cache" / "to.bin", sha256_prefix="0" * 8)
    assert list((tmp_path / "cache").iterdir()) == []


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path / "hub"))
    return tmp_path / "hub" / "checkpoints"


def test_without_network_one_sentence_says_where_to_put_the_weights(hub: Path, tmp_path: Path) -> None:
    url = (tmp_path / "absent-01234567.pth").as_uri()
    with pytest.raises(UserError) as caught:
        download_weights(url)
    text = str(caught.value)
    assert text.startswith(f"could not download {url} (") and "\n" not in text
    assert text.endswith(f'put the file at {hub / "absent-01234567.pth"} or choose weights = "none"')


def test_the_hash_in_the_name_of_a_weights_file_is_checked(hub: Path, tmp_path: Path) -> None:
    content = b"weights"
    good = hashlib.sha256(content).hexdigest()[:8]
    for digits in (good, "00000000"):
        (tmp_path / f"net-{digits}.pth").write_bytes(content)
    assert download_weights((tmp_path / f"net-{good}.pth").as_uri()) == hub / f"net-{good}.pth"
    with pytest.raises(UserError, match="arrived damaged"):
        download_weights((tmp_path / "net-00000000.pth").as_uri())


@pytest.mark.parametrize(
    ("name", "head"), [("squeezenet1_1", "classifier.1."), ("googlenet", "fc."), ("inception_v3", "fc.")]
)
def test_pretrained_weights_come_from_the_cache_with_a_fresh_head_of_as_many_classes(
    hub: Path, name: str, head: str
) -> None:
    import torchvision

    torch.manual_seed(8)
    options = {} if name == "squeezenet1_1" else {"init_weights": False, "aux_logits": True}
    plain = torchvision.models.get_model(name, weights=None, **options).state_dict()
    weights = torchvision.models.get_model_weights(name).DEFAULT
    hub.mkdir(parents=True)
    torch.save(plain, hub / weights.url.rsplit("/", 1)[-1])
    loaded = load_model(f"torchvision:{name}", num_classes=5, weights="default")
    state = loaded.module.state_dict()
    assert {key for key, value in state.items() if value.shape != plain[key].shape} == {head + "weight", head + "bias"}
    assert all(torch.equal(value, plain[key]) for key, value in state.items() if not key.startswith(head))
    assert {key.partition(".")[0] for key in set(plain) - set(state)} <= {"aux1", "aux2", "AuxLogits"}
    assert loaded.preprocess is not None and loaded.preprocess.crop == weights.transforms().crop_size[0]
    assert loaded.module.train()(torch.zeros(2, *(loaded.input_shape or ()))).shape == (2, 5)


def test_a_damaged_file_in_the_cache_is_named(hub: Path) -> None:
    import torchvision

    hub.mkdir(parents=True)
    path = hub / torchvision.models.ResNet18_Weights.DEFAULT.url.rsplit("/", 1)[-1]
    path.write_bytes(b"rubbish")
    with pytest.raises(UserError, match="does not hold the weights of torchvision:resnet18; delete it"):
        load_model("torchvision:resnet18", weights="default")


def test_a_replaced_head_keeps_its_kind_and_all_other_layers() -> None:
    module = nn.Sequential(nn.Conv2d(3, 8, 3), nn.Conv2d(8, 10, 1))
    first = module[0]
    replace_head(module, 4)
    assert module[0] is first
    assert (module[1].weight.shape, module[1].bias is not None) == ((4, 8, 1, 1), True)
