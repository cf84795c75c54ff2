from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from freeze_gui.models.loaded import LoadedModel
from freeze_gui.models.sources import load_model, open_model
from freeze_gui.runs.recorder import RunRecorder
from freeze_gui.training.config import OptimizerSettings, load_config
from freeze_gui.training.trainer import Trainer
from freeze_gui.training.trials import Trials

ADAM = OptimizerSettings("Adam")


def twelve_convolutions() -> LoadedModel:
    model = nn.Sequential(*[nn.Conv2d(8, 8, 3, padding=1) for _ in range(12)])
    return LoadedModel(model, "file:x.py:f", None, (8, 16, 16), "mse", "random", ())


def frozen(*numbers: int) -> frozenset[str]:
    return frozenset(str(number) for number in numbers)


@pytest.mark.parametrize("method", ["requires_grad", "no_grad"])
def test_freezing_the_first_half_saves_a_third_of_the_flops_and_half_the_activations(method: str) -> None:
    forecast = Trials(twelve_convolutions()).cost(frozen(*range(6)), method, ADAM, 4)
    assert forecast is not None
    # a convolution costs 1 forward, 1 for its input's and 1 for its weight's gradient; the first has no input gradient
    assert forecast.share("flops") == pytest.approx((6 + 6 * 3 - 1) / (12 * 3 - 1))
    assert forecast.share("gradient_bytes") == 0.5
    # each saves its input: 6 of 12
    assert forecast.share("saved_activation_bytes") == 0.5
    assert forecast.share("optimizer_state_bytes") == pytest.approx(0.5, abs=1e-9)


def test_freezing_the_last_half_saves_weight_gradients_only() -> None:
    forecast = Trials(twelve_convolutions()).cost(frozen(*range(6, 12)), "requires_grad", ADAM, 4)
    assert forecast is not None
    assert forecast.share("flops") == pytest.approx((12 * 3 - 1 - 6) / (12 * 3 - 1))
    assert forecast.share("saved_activation_bytes") == 1.0
    assert forecast.share("gradient_bytes") == 0.5


@pytest.mark.parametrize("method", ["grad_none", "grad_zero", "restore", "exclude"])
def test_methods_that_keep_the_flags_save_no_flops_activations_or_gradients(method: str) -> None:
    forecast = Trials(twelve_convolutions()).cost(frozen(*range(6)), method, ADAM, 4)
    assert forecast is not None
    shares = [forecast.share(what) for what in ("flops", "saved_activation_bytes", "gradient_bytes")]
    assert shares == [1.0, 1.0, 1.0]


def test_the_flops_of_a_linear_layer_are_two_per_multiplication_forward_and_backward() -> None:
    model = LoadedModel(nn.Linear(7, 5), "file:x.py:f", None, (7,), "mse", "random", ())
    forecast = Trials(model).cost(frozenset(), "requires_grad", OptimizerSettings("SGD"), 3)
    assert forecast is not None
    assert forecast.free.flops == 2 * (3 * 7 * 5) * 2   # forward, and the weight's gradient
    assert forecast.free.gradient_bytes == 4 * (7 * 5 + 5)
    assert forecast.free.optimizer_state_bytes == 0


@pytest.mark.parametrize("method", ["requires_grad", "grad_none", "exclude", "no_grad"])
def test_the_forecast_is_what_a_run_then_costs(method: str) -> None:
    layers = ["stem", "blocks.0"]
    settings: dict[str, Any] = {
        "model": {"source": "builtin:digits-cnn", "num_classes": 5},
        "freeze": {"layers": layers, "method": method},
        "train": {"steps": 2, "device": "cpu"},
    }
    config = load_config(settings)
    recorder = RunRecorder(config)
    for event in Trainer(config).events():
        recorder.handle(event)
    loaded = open_model("builtin:digits-cnn", num_classes=5)
    modules = frozenset(name for name, _ in loaded.module.named_modules() if name.startswith(("stem", "blocks.0")))
    forecast = Trials(loaded).cost(modules, method, config.optimizer, 32)
    assert forecast is not None
    cost = recorder.summary()["cost"]
    assert cost["optimizer_state_bytes"] == forecast.frozen.optimizer_state_bytes
    # a run counts its batch of pixels' float copy and the loss's own few numbers too
    assert cost["saved_activation_bytes"] == pytest.approx(forecast.frozen.saved_activation_bytes, rel=0.01)


def test_a_forecast_touches_neither_the_model_nor_the_random_numbers() -> None:
    loaded = load_model("builtin:digits-cnn", num_classes=5)
    before = {name: tensor.clone() for name, tensor in loaded.module.state_dict().items()}
    torch.manual_seed(3)
    expected = torch.rand(4)
    torch.manual_seed(3)
    assert Trials(loaded).cost(frozenset({"stem"}), "no_grad", ADAM, 32) is not None
    assert torch.equal(torch.rand(4), expected)
    assert all(torch.equal(tensor, before[name]) for name, tensor in loaded.module.state_dict().items())
    assert all(p.requires_grad and p.grad is None for p in loaded.module.parameters())


def test_what_cannot_be_known_has_no_forecast() -> None:
    loaded = twelve_convolutions()
    unknown = LoadedModel(loaded.module, loaded.source, None, None, "mse", "random", ())
    everything = frozenset(name for name, _ in loaded.module.named_modules())
    assert Trials(loaded).cost(everything, "requires_grad", ADAM, 4) is None
    assert Trials(unknown).cost(frozen(0), "requires_grad", ADAM, 4) is None


def test_a_forecast_does_not_hook_the_modules_of_a_run_in_another_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*arguments: object, **keywords: object) -> None:
        raise AssertionError("a global hook would be called by every module of the process")

    for name in ("register_module_forward_pre_hook", "register_module_forward_hook"):
        monkeypatch.setattr(f"torch.nn.modules.module.{name}", refuse)
        monkeypatch.setattr(f"torch.utils.module_tracker.{name}", refuse)
    assert Trials(twelve_convolutions()).cost(frozen(0), "requires_grad", ADAM, 2) is not None
