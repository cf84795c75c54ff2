from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from freeze_gui.data.sources import load_data
from freeze_gui.errors import UserError
from freeze_gui.models.sources import LoadedModel, load_model, open_model


def wrap(module: nn.Module, shape: tuple[int, ...] | None, loss: str = "cross_entropy") -> LoadedModel:
    return LoadedModel(module, "file:net.py:build", None, shape, loss, "random", ())


class Stubborn(nn.Module):
    """Has values in its way, so that no forward on the meta device can run."""

    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.BatchNorm1d(3)
        self.head = nn.Linear(3, 4)

    def forward(self, inputs: Tensor) -> Tensor:
        outputs: Tensor = self.head(self.norm(inputs))
        return outputs * float(outputs.sum().item() > -1e9) + torch.rand(1)


def test_inputs_and_class_numbers_fit_the_model() -> None:
    model = open_model("torchvision:resnet18", num_classes=7)
    data = load_data("random", model=model, loss="cross_entropy", batch_size=4)
    batch = next(data.epoch(0))
    assert batch.inputs.shape == (4, 3, 64, 64)
    assert batch.targets.shape == (4,) and batch.targets.dtype == torch.long
    assert data.num_classes == 7


def test_mse_targets_have_the_shape_of_the_output() -> None:
    batch = next(load_data(None, model=open_model("builtin:five-linear"), loss="mse").epoch(0))
    assert (batch.inputs.shape, batch.targets.shape) == ((32, 10), (32, 1))
    assert batch.targets.dtype == torch.float32


def test_class_numbers_cover_the_range_of_the_outputs_and_no_more() -> None:
    data = load_data("random", model=wrap(nn.Linear(2, 3), (2,)), loss="cross_entropy")
    assert set(torch.cat([batch.targets for batch in data.epoch(0)]).tolist()) == {0, 1, 2}


def test_outputs_with_more_axes_get_one_class_per_place() -> None:
    model = wrap(nn.Conv2d(3, 6, 3, padding=1), (3, 8, 9))
    assert next(load_data("random", model=model, loss="cross_entropy").epoch(0)).targets.shape == (32, 8, 9)


def test_a_model_with_an_embedding_in_front_gets_tokens_of_its_vocabulary() -> None:
    model = wrap(nn.Sequential(nn.Embedding(5, 4), nn.Flatten(), nn.Linear(64, 2)), (16,))
    inputs = torch.cat([batch.inputs for batch in load_data("random", model=model, loss="cross_entropy").epoch(0)])
    assert inputs.shape == (8 * 32, 16)
    assert set(inputs.unique().tolist()) == {0, 1, 2, 3, 4}  # type: ignore[no-untyped-call]


def test_every_epoch_goes_over_the_same_eight_batches_and_validation_is_another() -> None:
    data = load_data("random", model=open_model("builtin:five-linear"), loss="mse")
    first, second = list(data.epoch(0)), list(data.epoch(1))
    assert len(first) == data.epoch_steps == 8
    assert all(one.inputs is two.inputs for one, two in zip(first, second, strict=True))
    assert data.validation is not None and len(data.validation) == 1
    assert not any(torch.equal(batch.inputs, data.validation[0].inputs) for batch in first)


def test_the_seed_alone_decides_the_data() -> None:
    model = open_model("builtin:five-linear")

    def inputs(seed: int) -> Tensor:
        tensor: Tensor = next(load_data("random", model=model, loss="mse", seed=seed).epoch(0)).inputs
        return tensor

    torch.manual_seed(3)
    state = torch.get_rng_state()
    expected = inputs(0)
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.equal(inputs(0), expected)
    assert not torch.equal(inputs(1), expected)


def test_a_model_that_runs_only_with_values_is_probed_without_a_trace() -> None:
    model = wrap(Stubborn(), (3,))
    before = {name: value.clone() for name, value in model.module.state_dict().items()}
    torch.manual_seed(5)
    state = torch.get_rng_state()
    batch = next(load_data("random", model=model, loss="mse").epoch(0))
    assert batch.targets.shape == (32, 4)
    assert torch.equal(torch.get_rng_state(), state)
    assert model.module.training
    assert all(torch.equal(before[name], value) for name, value in model.module.state_dict().items())


def test_two_task_data_are_ten_samples_per_task_and_the_tasks_take_turns() -> None:
    model = load_model("builtin:two-task")
    data = load_data(None, model=model, loss="cross_entropy", batch_size=3)
    batches = [*data.epoch(0), *data.epoch(1)]
    assert [batch.task for batch in batches] == ["task1", "task2", "task1", "task2"]
    assert [tuple(batch.inputs.shape) for batch in batches[:2]] == [(10, 3), (10, 2)]
    assert all(batch.targets.shape == (10,) and int(batch.targets.min()) >= 0 for batch in batches)
    assert all(int(batch.targets.max()) <= 3 for batch in batches)
    assert data.validation is None
    for batch in batches[:2]:
        assert model.module(batch.inputs, task=batch.task).shape == (10, 4)


def test_an_unknown_input_shape_is_answered_with_the_two_ways_out() -> None:
    with pytest.raises(UserError, match=r'set \[data\] source = "file:…" or give the module an input_shape attribute'):
        load_data("random", model=wrap(nn.LSTM(3, 3), None), loss="mse")


def test_an_input_shape_that_the_forward_refuses_is_named() -> None:
    with pytest.raises(UserError, match=r"forward with input shape \(4,\) through file:net.py:build is not known"):
        load_data("random", model=wrap(nn.Linear(3, 3), (4,)), loss="mse")


def test_cross_entropy_on_one_number_per_sample_is_refused() -> None:
    model = wrap(nn.Sequential(nn.Linear(3, 1), nn.Flatten(0)), (3,))
    with pytest.raises(UserError, match=r'choose \[train\] loss = "mse"'):
        load_data("random", model=model, loss="cross_entropy")
