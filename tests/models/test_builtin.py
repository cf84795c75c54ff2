from __future__ import annotations

import math

import pytest
import torch
from torch.nn import functional

from freeze_gui.data.sources import load_data
from freeze_gui.errors import UserError
from freeze_gui.models.builtin import BUILTIN_NAMES
from freeze_gui.models.digits_cnn import DigitsCNN
from freeze_gui.models.layer_tree import build_tree
from freeze_gui.models.selection import select
from freeze_gui.models.sources import load_model, open_model, output_shapes
from freeze_gui.models.weights import read_weights
from freeze_gui.resources import resource_path


def test_five_linear_has_73_parameters_12_of_them_in_the_second_layer() -> None:
    module = load_model("builtin:five-linear").module
    assert sum(parameter.numel() for parameter in module.parameters()) == 73
    assert sum(parameter.numel() for parameter in module.get_submodule("linear2").parameters()) == 12


def test_five_linear_is_the_product_of_its_matrices_as_there_are_no_activations() -> None:
    module = load_model("builtin:five-linear", seed=3).module
    inputs = torch.randn(4, 10, dtype=torch.float64)
    expected = inputs
    for layer in module.double().children():
        expected = expected @ layer.weight.T + layer.bias  # type: ignore[operator]
    assert torch.allclose(module(inputs), expected)


@pytest.mark.parametrize("weights", [None, "none", "default"])
def test_two_task_starts_with_the_articles_weights_whatever_the_seed(weights: str | None) -> None:
    state = load_model("builtin:two-task", seed=17, weights=weights).module.state_dict()
    assert state["hidden_task1.weight"][0].tolist() == pytest.approx([-0.0043, 0.3097, -0.4752])
    assert state["hidden_task2.weight"][2].tolist() == pytest.approx([-0.4683, -0.2915])
    assert state["output.weight"][3].tolist() == pytest.approx([-0.0931, 0.0611, 0.5228])
    assert sum(tensor.numel() for tensor in state.values()) == 9 + 6 + 12


def test_two_task_routes_by_task_through_sigmoid_output_and_softmax() -> None:
    module = load_model("builtin:two-task").module
    # Worked by hand for an input of zeros: sigmoid gives 0.5 everywhere, so the logits are half the row sums.
    logits = [0.298, -0.21655, 0.3963, 0.2454]
    total = sum(math.exp(value) for value in logits)
    expected = [math.exp(value) / total for value in logits]
    assert module(torch.zeros(1, 3))[0].tolist() == pytest.approx(expected, abs=1e-6)
    assert module(torch.zeros(1, 2), task="task2")[0].tolist() == pytest.approx(expected, abs=1e-6)


def test_a_step_of_one_task_gives_the_other_hidden_layer_no_gradient() -> None:
    module = load_model("builtin:two-task").module
    module(torch.ones(1, 2), task="task2").sum().backward()
    assert module.get_parameter("hidden_task1.weight").grad is None
    assert module.get_parameter("hidden_task2.weight").grad is not None


def test_the_digits_body_is_the_shipped_one_and_its_head_is_fresh_from_the_seed() -> None:
    shipped = read_weights(resource_path("weights", "digits-cnn.safetensors"))
    loaded = load_model("builtin:digits-cnn", seed=5).module.state_dict()
    torch.manual_seed(5)
    fresh = DigitsCNN(5).state_dict()
    assert set(loaded) - set(shipped) == {"head.weight", "head.bias"}
    assert all(torch.equal(loaded[name], tensor) for name, tensor in shipped.items())
    assert torch.equal(loaded["head.weight"], fresh["head.weight"])


def test_the_shipped_running_statistics_have_seen_batches() -> None:
    shipped = read_weights(resource_path("weights", "digits-cnn.safetensors"))
    counts = [int(tensor) for name, tensor in shipped.items() if name.endswith("num_batches_tracked")]
    assert len(counts) == 4 and all(count > 100 for count in counts)


def test_without_weights_the_digits_network_is_the_one_of_plain_pytorch() -> None:
    loaded = load_model("builtin:digits-cnn", num_classes=7, weights="none", seed=9).module.state_dict()
    torch.manual_seed(9)
    plain = DigitsCNN(7).state_dict()
    assert all(torch.equal(loaded[name], tensor) for name, tensor in plain.items())


def test_the_default_layers_are_blocks_of_the_digits_network() -> None:
    loaded = open_model("builtin:digits-cnn")
    assert loaded.default_layers == ("stem", "blocks.0", "blocks.1")
    for path in loaded.default_layers:
        assert list(loaded.module.get_submodule(path).parameters())


def test_a_fixed_head_refuses_another_number_of_classes() -> None:
    with pytest.raises(UserError, match=r"builtin:two-task has 4 output\(s\)"):
        open_model("builtin:two-task", num_classes=5)


def test_the_encoder_is_the_shipped_body_and_the_module_above_it_is_fresh_from_the_seed() -> None:
    shipped = read_weights(resource_path("weights", "digits-cnn.safetensors"))
    state = load_model("builtin:encoder-head", seed=5).module.state_dict()
    plain = load_model("builtin:encoder-head", seed=5, weights="none").module.state_dict()
    assert {name for name in state if not name.startswith("encoder.")} == {
        "new.0.weight", "new.0.bias", "new.2.weight", "new.2.bias"
    }
    assert all(torch.equal(state[f"encoder.{name}"], tensor) for name, tensor in shipped.items())
    assert torch.equal(state["new.0.weight"], plain["new.0.weight"])
    assert not torch.equal(state["encoder.stem.conv.weight"], plain["encoder.stem.conv.weight"])


def test_the_transformer_of_the_scenario_is_the_one_of_torch() -> None:
    module = load_model("builtin:tiny-transformer").module
    assert type(module.get_submodule("encoder")) is torch.nn.TransformerEncoder
    chosen = select(build_tree(module), ["encoder.layers[:2]"])
    assert {path for path in chosen if path.count(".") == 2} == {"encoder.layers.0", "encoder.layers.1"}


def test_the_two_routes_share_every_weight() -> None:
    module = load_model("builtin:routes").module
    features = torch.ones(3, 12)
    assert torch.equal(module(features, task="near"), module(features, task="far"))


def test_an_id_decides_by_its_own_embedding_and_a_text_id_by_its_own() -> None:
    module = load_model("builtin:names").module
    module(torch.tensor([[3, 7]])).sum().backward()
    for name, row in (("id", 3), ("text_id", 7)):
        gradient = module.get_parameter(f"{name}.weight").grad
        assert gradient is not None
        assert gradient.abs().sum(dim=1).nonzero().flatten().tolist() == [row]


@pytest.mark.parametrize("name", BUILTIN_NAMES)
def test_the_layers_that_the_window_ticks_at_first_are_in_the_network(name: str) -> None:
    opened = open_model(f"builtin:{name}")
    assert bool(select(build_tree(opened.module), opened.default_layers)) is bool(opened.default_layers)


@pytest.mark.parametrize("name", BUILTIN_NAMES)
def test_every_builtin_model_gets_random_data_that_its_forward_takes(name: str) -> None:
    model = load_model(f"builtin:{name}")
    batch = next(load_data("random", model=model, loss=model.default_loss, batch_size=3).epoch(0))
    keywords = {} if batch.task is None else {"task": batch.task}
    assert model.module(batch.inputs, **keywords).shape == (len(batch.targets), model.num_classes)


@pytest.mark.parametrize("name", BUILTIN_NAMES)
def test_every_builtin_model_opens_without_values_and_with_the_shapes_of_the_real_one(name: str) -> None:
    opened = open_model(f"builtin:{name}")
    assert all(tensor.is_meta for tensor in opened.module.state_dict().values())
    loaded = load_model(f"builtin:{name}")
    assert output_shapes(opened) == output_shapes(loaded)
    assert output_shapes(opened)[""] == (loaded.num_classes,)


def test_digits_5_to_9_are_learned_by_the_last_block_and_head_on_a_frozen_body() -> None:
    torch.set_num_threads(1)
    model = load_model("builtin:digits-cnn", num_classes=5)
    data = load_data("digits", model=model, loss="cross_entropy")
    for path in model.default_layers:
        model.module.get_submodule(path).requires_grad_(False)
    optimizer = torch.optim.Adam(model.module.parameters(), lr=1e-3)
    for epoch in range(6):  # 138 steps of 32
        for batch in data.epoch(epoch):
            optimizer.zero_grad()
            torch.autograd.backward(functional.cross_entropy(model.module(batch.inputs), batch.targets))
            optimizer.step()
    model.module.eval()
    assert data.validation is not None
    with torch.no_grad():
        hits = [model.module(batch.inputs).argmax(dim=1) == batch.targets for batch in data.validation]
    assert torch.cat(hits).float().mean() > 0.95  # 0.97 to 0.99 over five seeds
