"""Models as people do not expect them: the tree, the find box and the forecast bear them all."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from PySide6.QtCore import Qt
from pytestqt.qtbot import QtBot
from torch import nn

from freeze_gui.gui.forecaster import Forecasting
from freeze_gui.gui.layer_panel import LayerPanel
from freeze_gui.gui.timeline_state import whole_run
from freeze_gui.models.layer_tree import build_tree
from freeze_gui.models.loaded import LoadedModel
from freeze_gui.training.config import load_config
from freeze_gui.training.trials import Trials


def deep() -> nn.Module:
    module: nn.Module = nn.Linear(4, 4)
    for _ in range(200):
        module = nn.Sequential(module)
    return module


def oddly_named() -> nn.Module:
    module = nn.Sequential()
    module._modules = {"a.b": nn.Linear(4, 4), "層 ✓": nn.Linear(4, 2), "": nn.ReLU()}   # add_module refuses the dot
    return module


ODD: dict[str, tuple[Callable[[], nn.Module], int, int]] = {   # rows, layers
    "no module inside": (nn.Sequential, 1, 0),
    "nothing to train": (lambda: nn.Sequential(nn.ReLU(), nn.Flatten()), 3, 0),
    "one module": (lambda: nn.Linear(4, 2), 1, 1),
    "200 levels": (deep, 201, 1),
    "odd names": (oddly_named, 4, 2),
}


@pytest.mark.parametrize("name", ODD)
def test_an_odd_model_can_be_opened_ticked_searched_and_forecast(qtbot: QtBot, name: str) -> None:
    make, rows, layers = ODD[name]
    loaded = LoadedModel(make().to("meta"), "file:x.py:f", None, (4,), "mse", "random", ())
    tree = build_tree(loaded.module)
    assert (len(tree.nodes), len(tree.layers)) == (rows, layers)
    panel = LayerPanel()
    qtbot.addWidget(panel)
    panel.set_tree(tree, whole_run(frozenset()))
    ticked = panel.model.setData(panel.model.index_of(tree.root), 2, Qt.ItemDataRole.CheckStateRole)
    assert ticked == (layers > 0)
    assert panel.model.layers == frozenset(tree.layers)
    for text in ("a.b", "層", "!linear", '"0"', ""):
        panel.find_bar.edit.setText(text)
        panel.find_bar.find_layers()
    content = {"model": {"source": "file:x.py:f"}, "freeze": {"layers": ["*"]}, "train": {"device": "cpu"}}
    assert bool(Forecasting(Trials(loaded), tree, load_config(content))().leaks) == (layers > 0)
