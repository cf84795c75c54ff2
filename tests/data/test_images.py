"""Folders of images and torchvision's data sets, on tiny files that the tests write."""

from __future__ import annotations

import gzip
import struct
import urllib.request
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from freeze_gui.data import datasets
from freeze_gui.data.sources import LoadedData, load_data, peek_num_classes
from freeze_gui.errors import UserError
from freeze_gui.models.loaded import Preprocess
from freeze_gui.models.sources import LoadedModel

COLOURS = {"blue": (0, 0, 255), "red": (255, 0, 0)}


def image_model(shape: tuple[int, ...] = (3, 16, 16), preprocess: Preprocess | None = None) -> LoadedModel:
    return LoadedModel(nn.Flatten(), "net", None, shape, "cross_entropy", "random", (), preprocess=preprocess)


def write_images(root: Path, per_class: int = 5, size: tuple[int, int] = (20, 30)) -> None:
    for name, colour in COLOURS.items():
        (root / name).mkdir(parents=True)
        for index in range(per_class):
            Image.new("RGB", size, colour).save(root / name / f"{index}.png")


def load(source: str, model: LoadedModel | None = None, loss: str = "cross_entropy") -> LoadedData:
    return load_data(source, model=model or image_model(), loss=loss, batch_size=4)


def refusal(source: str, model: LoadedModel | None = None) -> str:
    with pytest.raises(UserError) as caught:
        load(source, model)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_folder_is_split_by_class_and_its_pixels_come_scaled_and_cropped(tmp_path: Path) -> None:
    write_images(tmp_path)
    data = load(f"folder:{tmp_path}")
    assert (data.class_names, data.num_classes, data.epoch_steps) == (("blue", "red"), 2, 2)
    assert data.validation is not None and sorted(data.validation[0].targets.tolist()) == [0, 1]
    for batch in [*data.epoch(0), *data.validation]:
        for image, target in zip(batch.inputs, batch.targets, strict=True):
            red, green, blue = (1.0, -1.0, -1.0) if target == 1 else (-1.0, -1.0, 1.0)
            expected = torch.tensor([red, green, blue]).view(3, 1, 1).expand(3, 16, 16)
            assert torch.allclose(image, expected, atol=1e-6)


def test_a_folder_with_train_and_val_keeps_its_own_split(tmp_path: Path) -> None:
    write_images(tmp_path / "train", per_class=3)
    write_images(tmp_path / "val", per_class=1)
    data = load(f"folder:{tmp_path}")
    assert sum(len(batch.targets) for batch in data.epoch(0)) == 6
    assert data.validation is not None and data.validation[0].targets.tolist() == [0, 1]
    assert peek_num_classes(f"folder:{tmp_path}") == 2


def test_pretrained_weights_decide_size_and_normalisation(tmp_path: Path) -> None:
    write_images(tmp_path)
    mean, std = (0.5, 0.4, 0.3), (0.2, 0.3, 0.4)
    model = image_model(preprocess=Preprocess(resize=30, crop=24, mean=mean, std=std))
    batch = next(load(f"folder:{tmp_path}", model).epoch(0))
    assert batch.inputs.shape[1:] == (3, 24, 24)
    for image, target in zip(batch.inputs, batch.targets, strict=True):
        colour = (1.0, 0.0, 0.0) if target == 1 else (0.0, 0.0, 1.0)
        expected = [(value - mean[index]) / std[index] for index, value in enumerate(colour)]
        assert image[:, 5, 5].tolist() == pytest.approx(expected, abs=1e-5)


def test_the_middle_of_an_image_is_cut_out(tmp_path: Path) -> None:
    write_images(tmp_path)
    pixels = np.zeros((16, 48), dtype=np.uint8)
    pixels[:, 16:32] = 255  # the middle third is white
    for file in tmp_path.rglob("*.png"):
        Image.fromarray(pixels).save(file)
    batch = next(load(f"folder:{tmp_path}", image_model((1, 16, 16))).epoch(0))
    assert torch.equal(batch.inputs, torch.ones(4, 1, 16, 16))


def test_an_unreadable_image_is_named_when_it_is_read(tmp_path: Path) -> None:
    write_images(tmp_path)
    for file in (tmp_path / "red").iterdir():
        file.write_bytes(b"no image")
    data = load(f"folder:{tmp_path}")
    with pytest.raises(UserError, match=r"the image .*red.*\.png cannot be read"):
        list(data.epoch(0))


def test_a_folder_that_is_missing_empty_or_of_one_class_is_refused(tmp_path: Path) -> None:
    assert "does not exist" in refusal(f"folder:{tmp_path / 'none'}")
    assert "has 0 class folder(s)" in refusal(f"folder:{tmp_path}")
    (tmp_path / "only").mkdir()
    assert "has 1 class folder(s), but at least two are needed" in refusal(f"folder:{tmp_path}")
    (tmp_path / "other").mkdir()
    assert "holds no image" in refusal(f"folder:{tmp_path}")


def test_a_model_with_two_channels_is_refused(tmp_path: Path) -> None:
    write_images(tmp_path)
    assert "have 1 or 3 channels, but net takes 2" in refusal(f"folder:{tmp_path}", image_model((2, 8, 8)))
    assert "takes inputs of shape (8,)" in refusal(f"folder:{tmp_path}", image_model((8,)))


# --- torchvision's data sets


def idx(array: np.ndarray[Any, Any]) -> bytes:
    """Return an array of bytes in the format of the MNIST files: magic number, sizes, values."""
    return struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape) + array.tobytes()


def mnist_files(count: int) -> dict[str, bytes]:
    files = {}
    for part in ("train", "t10k"):
        images = np.arange(count, dtype=np.uint8)[:, None, None] * 10 + np.zeros((1, 28, 28), dtype=np.uint8)
        files[f"{part}-images-idx3-ubyte"] = idx(images)
        files[f"{part}-labels-idx1-ubyte"] = idx(np.arange(count, dtype=np.uint8) % 10)
    return files


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(datasets, "dataset_folder", lambda: tmp_path / "cache")
    return tmp_path / "cache"


def test_a_data_set_in_the_cache_is_read_with_its_own_split(cache: Path) -> None:
    raw = cache / "MNIST" / "MNIST" / "raw"
    raw.mkdir(parents=True)
    for name, content in mnist_files(12).items():
        (raw / name).write_bytes(content)
    data = load("torchvision:MNIST", image_model((1, 28, 28)))
    assert peek_num_classes("torchvision:MNIST") == data.num_classes == 10
    assert data.class_names[0] == "0 - zero"
    for batch in data.epoch(0):
        number = ((batch.inputs[:, 0, 0, 0] * 0.5 + 0.5) * 25.5).round().long()
        assert torch.equal(number % 10, batch.targets)
    assert data.validation is not None and len(data.validation[0].targets) == 12


def test_a_data_set_is_downloaded_with_progress_from_its_mirror(
    cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import hashlib

    from torchvision.datasets import KMNIST

    mirror = tmp_path / "mirror"
    mirror.mkdir()
    resources = []
    for name, content in mnist_files(12).items():
        packed = gzip.compress(content)
        (mirror / f"{name}.gz").write_bytes(packed)
        resources.append((f"{name}.gz", hashlib.md5(packed).hexdigest()))
    monkeypatch.setattr(KMNIST, "mirrors", [(tmp_path / "absent").as_uri() + "/", mirror.as_uri() + "/"])
    monkeypatch.setattr(KMNIST, "resources", resources)
    reports: list[str] = []
    data = load_data(
        "torchvision:KMNIST",
        model=image_model((1, 28, 28)),
        loss="cross_entropy",
        progress=lambda text, _done, _total: reports.append(text),
    )
    assert reports == [f"downloading {name}" for name, _ in resources]
    assert len(next(data.epoch(0)).targets) == 12
    assert (cache / "KMNIST" / "KMNIST" / "raw" / "train-images-idx3-ubyte").exists()


@pytest.mark.parametrize("name", ["MNIST", "CIFAR10", "SVHN", "DTD"])
def test_without_network_a_data_set_is_refused_with_the_place_for_its_files(
    cache: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    def no_network(*_: Any, **__: Any) -> None:
        raise urllib.error.URLError("Name or service not known")

    monkeypatch.setattr(urllib.request, "urlopen", no_network)
    text = refusal(f"torchvision:{name}")
    assert "Name or service not known; no network?" in text
    assert str(cache / name) in text


def test_an_unknown_data_set_is_answered_with_the_nearest() -> None:
    assert "nearest: MNIST" in refusal("torchvision:mnits")


@pytest.mark.parametrize(
    ("source", "near"), [("digts", "; nearest: digits"), ("folders:x", "; nearest: folder"), ("random:3", "")]
)
def test_an_unknown_source_is_answered_with_the_forms(source: str, near: str) -> None:
    text = refusal(source)
    assert text.startswith(f'unknown data source "{source}": it must be "digits", "random", "folder:PATH"')
    assert near in text


def test_a_batch_size_of_zero_is_refused() -> None:
    with pytest.raises(UserError, match="batch_size is 0, but must be 1 or more"):
        load_data("digits", model=image_model(), loss="cross_entropy", batch_size=0)
