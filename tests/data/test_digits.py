from __future__ import annotations

import dataclasses

import pytest
import torch
from sklearn.datasets import load_digits
from torch import nn

from freeze_gui.data.sources import LoadedData, load_data, peek_num_classes
from freeze_gui.errors import UserError
from freeze_gui.models.sources import LoadedModel, open_model


def digits(source: str = "digits", *, loss: str = "cross_entropy", batch_size: int = 32, seed: int = 0) -> LoadedData:
    model = open_model("builtin:digits-cnn")
    return load_data(source, model=model, loss=loss, batch_size=batch_size, seed=seed)


def all_targets(data: LoadedData) -> torch.Tensor:
    assert data.validation is not None
    return torch.cat([batch.targets for batch in [*data.epoch(0), *data.validation]])


def test_the_five_upper_digits_are_split_80_to_20_class_by_class() -> None:
    data = digits()
    counts = torch.bincount(torch.as_tensor(load_digits().target))[5:]  # 182, 181, 179, 174, 180
    held_out = torch.bincount(data.validation[0].targets)  # type: ignore[index]
    assert torch.equal(torch.bincount(all_targets(data)), counts)
    assert held_out.tolist() == [36, 36, 36, 35, 36]
    assert (data.num_classes, data.class_names) == (5, ("5", "6", "7", "8", "9"))


def test_images_are_the_pixels_shifted_and_scaled_and_keep_their_labels() -> None:
    bunch = load_digits()
    known = {image.tobytes(): label for image, label in zip(bunch.images.round(), bunch.target, strict=True)}
    data = digits("digits:0-4")
    for batch in data.epoch(0):
        pixels = (batch.inputs * 6.017 + 4.884).round().double().squeeze(1).numpy()
        assert [known[image.tobytes()] for image in pixels] == batch.targets.tolist()


def test_no_training_image_is_held_out_too() -> None:
    data = digits()
    training = {image.numpy().tobytes() for batch in data.epoch(0) for image in batch.inputs}
    assert not training & {image.numpy().tobytes() for batch in data.validation or () for image in batch.inputs}


def test_an_epoch_is_one_pass_in_an_order_of_its_own() -> None:
    data = digits()
    first, second = ([batch.inputs.sum(dim=(1, 2, 3)) for batch in data.epoch(index)] for index in (0, 1))
    assert len(first) == data.epoch_steps == 23  # 717 = 22 × 32 + 13
    assert not torch.equal(torch.cat(first), torch.cat(second))
    assert torch.equal(torch.cat(first).sort().values, torch.cat(second).sort().values)


def test_the_order_depends_on_seed_and_epoch_and_not_on_the_global_random_state() -> None:
    def order(seed: int, index: int) -> list[int]:
        return [target for batch in digits(seed=seed).epoch(index) for target in batch.targets.tolist()]

    torch.manual_seed(1)
    expected = order(0, 3)
    torch.manual_seed(2)
    state = torch.get_rng_state()
    assert order(0, 3) == expected
    assert torch.equal(torch.get_rng_state(), state)
    assert order(1, 3) != expected
    assert order(0, 4) != expected


def test_a_last_batch_of_one_image_is_left_out_because_batch_norm_cannot_take_it() -> None:
    data = digits(batch_size=179)  # 717 = 4 × 179 + 1
    assert [len(batch.targets) for batch in data.epoch(0)] == [179] * 4
    assert data.epoch_steps == 4


def test_another_image_model_gets_the_digits_repeated_and_resized() -> None:
    model = open_model("torchvision:resnet18", num_classes=5)
    batch = next(load_data("digits", model=model, loss="cross_entropy").epoch(0))
    assert batch.inputs.shape == (32, 3, 64, 64)
    assert torch.equal(batch.inputs[:, 0], batch.inputs[:, 2])


def test_mse_takes_the_classes_one_hot() -> None:
    batch = next(digits(loss="mse").epoch(0))
    assert batch.targets.dtype == torch.float32
    assert torch.equal(batch.targets.argmax(dim=1), next(digits().epoch(0)).targets)
    assert batch.targets.sum().item() == 32


def test_a_head_with_too_few_outputs_is_refused() -> None:
    model = dataclasses.replace(open_model("builtin:digits-cnn", num_classes=4), source="my model")
    with pytest.raises(
        UserError, match=r"have 5 classes, but my model has 4 output\(s\); set \[model\] num_classes = 5"
    ):
        load_data("digits", model=model, loss="cross_entropy")


def test_a_model_that_takes_no_images_is_refused() -> None:
    model = LoadedModel(nn.Linear(10, 5), "file:a.py:b", 5, (10,), "cross_entropy", "random", ())
    with pytest.raises(UserError, match=r"are images .* takes inputs of shape \(10,\)"):
        load_data("digits", model=model, loss="cross_entropy")


@pytest.mark.parametrize("source", ["digits:", "digits:3-3", "digits:4-1", "digits:0-10", "digits:a-b"])
def test_a_digit_range_of_another_form_is_refused(source: str) -> None:
    with pytest.raises(UserError, match="two digits A < B"):
        peek_num_classes(source)
