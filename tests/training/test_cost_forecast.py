from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import freeze_gui
from freeze_gui.freezing.methods import METHODS
from freeze_gui.models.loaded import LoadedModel
from freeze_gui.models.sources import load_model
from freeze_gui.training.config import OptimizerSettings
from freeze_gui.training.cost_forecast import forecast_step
from freeze_gui.training.trials import Trials

ADAM = OptimizerSettings("Adam")


def costs_of(config: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return what a run cost, and what was forecast of it."""
    summary = freeze_gui.run_config(config)
    assert summary["status"] == "completed", summary["error"]
    return summary["cost"], summary["forecast"]["cost"]


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
    # each saves its input: 6 of 12; the loss saves the output and what it is compared with
    assert forecast.share("saved_activation_bytes") == (6 + 2) / (12 + 2)
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


FIRST = {
    "builtin:digits-cnn": ["stem", "blocks.0"],
    "builtin:tiny-transformer": ["*_embedding", "encoder.layers.0"],
    "builtin:two-task": ["hidden_task2"],   # the first step, which a run counts, is of the other task
    "torchvision:resnet18": ["conv1", "bn1", "layer1"],
}


@pytest.mark.parametrize(("source", "loss", "method"), [
    *(("builtin:digits-cnn", loss, method) for loss in ("cross_entropy", "mse") for method in METHODS),
    *((source, "cross_entropy", method) for source in list(FIRST)[1:] for method in ("requires_grad", "no_grad")),
])  # fmt: skip
def test_the_forecast_is_to_the_byte_what_a_run_then_costs(source: str, loss: str, method: str) -> None:
    cost, forecast = costs_of({
        "model": {"source": source},
        "data": {"batch_size": {"builtin:two-task": 10, "torchvision:resnet18": 2}.get(source, 16)},
        "freeze": {"layers": FIRST[source], "method": method},
        "train": {"steps": 1 if "resnet" in source else 3, "device": "cpu", "loss": loss},
    })  # fmt: skip
    for what in ("saved_activation_bytes", "optimizer_state_bytes"):
        assert cost[what] == forecast["frozen"][what], what


DENSE = """
import torch
from torch import nn

def build():
    return nn.Conv2d(3, 5, 3, padding=1)

def pictures(targets):
    return [(torch.randn(2, 3, 6, 6), targets) for _ in range(2)]

def classes(): return pictures(torch.randint(5, (2, 6, 6)))
def bytes_(): return pictures(torch.randint(5, (2, 6, 6), dtype=torch.uint8))
def shares(): return pictures(torch.rand(2, 5, 6, 6).softmax(1))
def values(): return pictures(torch.rand(2, 5, 6, 6, dtype=torch.float64))
"""


@pytest.mark.parametrize("data", ["classes", "bytes_", "shares", "values"])
def test_what_the_loss_keeps_of_a_persons_own_targets_is_forecast_to_the_byte(data: str, tmp_path: Path) -> None:
    (tmp_path / "dense.py").write_text(DENSE)
    cost, forecast = costs_of({
        "model": {"source": f"file:{tmp_path}/dense.py:build"},
        "data": {"source": f"file:{tmp_path}/dense.py:{data}"},
        "train": {"steps": 1, "device": "cpu", "loss": "mse" if data == "values" else "cross_entropy"},
    })  # fmt: skip
    assert cost["saved_activation_bytes"] == forecast["free"]["saved_activation_bytes"]


@pytest.mark.parametrize("loss", [F.cross_entropy, F.mse_loss])
@pytest.mark.parametrize("source", ["builtin:digits-cnn", "builtin:tiny-transformer", "torchvision:resnet18"])
def test_a_plain_step_keeps_for_backward_what_is_forecast(source: str, loss: Callable[..., Tensor]) -> None:
    loaded = load_model(source, weights="none")
    model, kept = loaded.module.train(), dict[int, Tensor]()
    own = {t.untyped_storage().data_ptr() for t in (*model.parameters(), *model.buffers())}

    def keep(tensor: Tensor) -> Tensor:
        kept[tensor.untyped_storage().data_ptr()] = tensor
        return tensor

    shape = loaded.input_shape or ()
    inputs = torch.randint(4, (4, *shape)) if "transformer" in source else torch.randn(4, *shape)
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        output = model(inputs)
        targets = torch.zeros(4, dtype=torch.long) if loss is F.cross_entropy else torch.zeros_like(output)
        value = loss(output, targets)
    found = forecast_step(loaded, frozenset(), "requires_grad", ADAM, 4, loss=loss.__name__.removesuffix("_loss"))
    assert found is not None
    assert found.saved_activation_bytes == sum(
        tensor.untyped_storage().nbytes() for pointer, tensor in kept.items() if pointer not in own
    )
    value.backward()   # type: ignore[no-untyped-call]   # until here all of it is held


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
