"""Every classification model of torchvision opens, counts right and trains; all of them with ``-m slow``."""

from __future__ import annotations

import importlib
from typing import Any

import pytest
import torch
from torch.nn import functional

from freeze_gui.data.sources import load_data
from freeze_gui.models.layer_tree import build_tree
from freeze_gui.models.sources import list_models, load_model, open_model, output_shapes

SMALL = ("mobilenet_v3_small", "resnet18", "shufflenet_v2_x0_5", "squeezenet1_1")
ALL = tuple(choice.label for choice in list_models() if choice.group == "torchvision")
LARGEST_TRAINED = 100_000_000

# torchvision counts the auxiliary heads, which are left out here, and the images of 518 pixels of its own weights.
OTHER_COUNTS = {"inception_v3": 27_161_264 - 3_326_696, "vit_h_14": 632_045_800}


def published_parameters(name: str) -> int:
    models: Any = importlib.import_module("torchvision.models")
    count: int = models.get_model_weights(name).DEFAULT.meta["num_params"]
    return OTHER_COUNTS.get(name, count)


def check_structure(name: str) -> int:
    opened = open_model(f"torchvision:{name}")
    tree = build_tree(opened.module, output_shapes(opened))
    assert all(tensor.is_meta for tensor in opened.module.state_dict().values())
    assert tree.root.parameters == published_parameters(name)
    assert tree.root.output_shape == (1000,)
    return tree.root.parameters


def check_two_steps(name: str) -> None:
    torch.set_num_threads(1)
    model = load_model(f"torchvision:{name}", num_classes=5)
    data = load_data("random", model=model, loss="cross_entropy", batch_size=2)
    before = {key: value.clone() for key, value in model.module.named_parameters()}
    optimizer = torch.optim.SGD(model.module.parameters(), lr=1e-3)
    batches = data.epoch(0)
    for _ in range(2):
        batch = next(batches)
        optimizer.zero_grad()
        loss = functional.cross_entropy(model.module(batch.inputs), batch.targets)
        torch.autograd.backward(loss)
        optimizer.step()
        assert torch.isfinite(loss)
    head = list(before)[-1]
    assert not torch.equal(before[head], model.module.get_parameter(head))


@pytest.mark.parametrize("name", SMALL)
def test_a_small_torchvision_model_opens_and_trains_at_its_smallest_input(name: str) -> None:
    check_structure(name)
    check_two_steps(name)


def test_the_list_holds_all_eighty_classification_models_and_no_other_kind() -> None:
    assert len(ALL) >= 80  # torchvision 0.25 to 0.29 have 80
    assert not [name for name in ALL if "rcnn" in name or "lraspp" in name or "quantized" in name or "raft" in name]


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("name", ALL)
def test_every_torchvision_model_opens_and_those_under_100_million_parameters_train(name: str) -> None:
    if check_structure(name) < LARGEST_TRAINED:
        check_two_steps(name)
