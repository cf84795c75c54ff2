from __future__ import annotations

from pathlib import Path

import pytest
import torch

from freeze_gui.data.sources import LoadedData, load_data, peek_num_classes
from freeze_gui.errors import UserError
from freeze_gui.models.sources import open_model

DATA = """
import torch
from torch.utils.data import DataLoader, TensorDataset

def batches():
    return [(torch.rand(2, 3), torch.zeros(2)), (torch.rand(2, 3), torch.ones(2))]

def tasks():
    return [(torch.ones(1, 3), torch.zeros(1), "task1"), (torch.ones(1, 2), torch.zeros(1), "task2")]

def loader():
    return DataLoader(TensorDataset(torch.arange(10.0), torch.arange(10)), batch_size=4)

class WithValidation(list):
    def __init__(self):
        super().__init__([(torch.zeros(1), torch.zeros(1))])
        self.validation = [(torch.ones(1), torch.ones(1)), (torch.ones(2), torch.ones(2))]

class WithoutValidation(list):
    def __init__(self):
        super().__init__([(torch.zeros(1), torch.zeros(1))])
        self.validation = []

class Once:
    begun = False
    def __iter__(self):
        assert not self.begun
        self.begun = True
        yield torch.zeros(1), torch.zeros(1)

class WithDrawnValidation(list):
    def __init__(self):
        super().__init__([(torch.zeros(1), torch.zeros(1))])
        self.validation = Once()

def generator():
    yield torch.zeros(1), torch.zeros(1)

def empty():
    return []

def empty_generator():
    return iter(())

def four():
    return [(1, 2, 3, 4)]

def bare():
    return [torch.zeros(2, 3)]

def number():
    return 3

def breaks():
    yield torch.zeros(1), torch.zeros(1)
    raise ValueError("second batch")
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    (tmp_path / "data.py").write_text(DATA)
    return tmp_path / "data.py"


def load(path: Path, factory: str, seed: int = 0) -> LoadedData:
    return load_data(f"file:{path}:{factory}", model=open_model("builtin:five-linear"), loss="mse", seed=seed)


def test_a_list_of_batches_is_used_as_it_is_and_iterated_again(path: Path) -> None:
    data = load(path, "batches", seed=6)
    torch.manual_seed(6)
    expected = [torch.rand(2, 3), torch.rand(2, 3)]
    for epoch in range(2):
        found = list(data.epoch(epoch))
        assert all(torch.equal(batch.inputs, inputs) for batch, inputs in zip(found, expected, strict=True))
    assert (data.epoch_steps, data.num_classes, data.validation) == (2, None, None)
    assert peek_num_classes(f"file:{path}:batches") is None


def test_a_third_part_names_the_task(path: Path) -> None:
    assert [batch.task for batch in load(path, "tasks").epoch(0)] == ["task1", "task2"]


def test_a_dataloader_gives_its_length_and_batches(path: Path) -> None:
    data = load(path, "loader")
    assert data.epoch_steps == 3
    assert [batch.targets.tolist() for batch in data.epoch(0)] == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]


def test_an_attribute_validation_is_the_validation_set(path: Path) -> None:
    validation = load(path, "WithValidation").validation
    assert validation is not None
    assert [len(batch.inputs) for batch in validation] == [1, 2]
    assert (len(validation), len(validation[-1].inputs)) == (2, 2)


def test_a_generator_lasts_one_epoch_and_then_says_what_to_return(path: Path) -> None:
    data = load(path, "generator")
    assert len(list(data.epoch(0))) == 1
    assert data.epoch_steps is None
    with pytest.raises(UserError, match="ended after one epoch; return a list or a DataLoader"):
        next(data.epoch(1))


def test_validation_data_without_a_batch_are_none_and_those_without_a_length_are_not_gone_through(path: Path) -> None:
    assert not load(path, "WithoutValidation").validation
    drawn = load(path, "WithDrawnValidation").validation
    assert drawn
    assert [len(batch.inputs) for batch in drawn] == [1]   # the first time that anybody goes through them


@pytest.mark.parametrize("factory", ["empty", "empty_generator"])
def test_data_without_a_batch_are_refused(path: Path, factory: str) -> None:
    with pytest.raises(UserError, match="yield no batch at all"):
        next(load(path, factory).epoch(0))


@pytest.mark.parametrize(("factory", "found"), [("four", "a tuple of 4"), ("bare", "a Tensor")])
def test_an_item_of_another_form_is_refused(path: Path, factory: str, found: str) -> None:
    with pytest.raises(UserError, match=rf"yielded {found}, but every item must be \(inputs, targets\)"):
        next(load(path, factory).epoch(0))


def test_a_factory_that_returns_no_iterable_is_refused(path: Path) -> None:
    with pytest.raises(UserError, match=r"must return an iterable .* but returned a int"):
        load(path, "number")


def test_an_error_within_the_data_is_told_with_its_line(path: Path) -> None:
    line = DATA.splitlines().index('    raise ValueError("second batch")') + 1
    batches = load(path, "breaks").epoch(0)
    next(batches)
    with pytest.raises(UserError, match=f"data.py, line {line}: the data raised ValueError: second batch"):
        next(batches)
