from __future__ import annotations

import torch
from torch import Tensor, nn

from freeze_gui.training.costs import SavedActivations

BATCH, WIDTH, LAYERS = 8, 32, 6
ACTIVATION_BYTES = BATCH * WIDTH * 4


def tower() -> nn.ModuleList:
    return nn.ModuleList(nn.Sequential(nn.Linear(WIDTH, WIDTH), nn.Sigmoid()) for _ in range(LAYERS))


def counted(layers: nn.ModuleList, cut: int | None) -> int | None:
    """Count a forward whose activation after `cut` layers is detached."""
    saved = SavedActivations(layers)
    x: Tensor = torch.randn(BATCH, WIDTH)
    with saved.counting():
        for index, layer in enumerate(layers):
            x = layer(x)
            x = x.detach() if index + 1 == cut else x
    return saved.total_bytes


def test_each_input_of_a_layer_and_each_output_of_a_sigmoid_is_counted_once() -> None:
    # the input of the first layer, and one output of each sigmoid, which is the input of the next layer
    assert counted(tower(), None) == (1 + LAYERS) * ACTIVATION_BYTES


def test_what_lies_in_front_of_a_detached_output_is_let_go_and_not_counted() -> None:
    layers = tower()
    for cut in (2, 4):
        wanted = (1 + LAYERS - cut) * ACTIVATION_BYTES
        assert {counted(layers, cut) for _ in range(20)} == {wanted}
