from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import pytest
import torch
from torch import nn
from torch.nn.utils import parametrizations, parametrize

from freeze_gui.freezing.effective import effective_weights
from freeze_gui.freezing.values import Values
from freeze_gui.freezing.watched import Watched
from tests.freezing.drive import STEPS, drive, plan

INPUTS = torch.randn(8, 4, generator=torch.Generator().manual_seed(1))
MAKERS: dict[str, Callable[[nn.Module], nn.Module]] = {
    "spectral norm": parametrizations.spectral_norm,
    "weight norm": parametrizations.weight_norm,
    "older spectral norm": nn.utils.spectral_norm,
    "older weight norm": nn.utils.weight_norm,
    "orthogonal": parametrizations.orthogonal,
}
ALL = pytest.mark.parametrize("kind", MAKERS)
pytestmark = pytest.mark.filterwarnings("ignore:`torch.nn.utils.weight_norm` is deprecated:FutureWarning")


def made(kind: str) -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(MAKERS[kind](nn.Linear(4, 4)), nn.Tanh(), nn.Linear(4, 2))


def all_of(model: nn.Module, path: str) -> list[str]:
    return [name for name, _ in model.named_modules() if name == path or name.startswith(f"{path}.")]


@ALL
def test_reading_an_effective_weight_gives_what_the_layer_computes_with_and_changes_nothing(kind: str) -> None:
    model = made(kind)
    model(INPUTS)
    (weight,) = effective_weights(model)
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    versions = [tensor._version for tensor in (*model.parameters(), *model.buffers())]
    first, second = weight.read(), weight.read()
    assert torch.equal(first, second)
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())
    assert versions == [tensor._version for tensor in (*model.parameters(), *model.buffers())]
    assert all(module.training for module in model.modules())
    model.eval()
    x = torch.eye(4)
    expected = model[0](x) - model[0].bias
    torch.testing.assert_close(expected, x @ first.t())
    assert weight.name == "0.weight"


@ALL
def test_the_effective_weight_of_a_frozen_layer_moves_exactly_where_its_vectors_advance(kind: str) -> None:
    model = made(kind)
    freezer = drive(model, torch.optim.Adam(model.parameters()), plan(all_of(model, "0")), INPUTS)
    (verdict,) = freezer.effective_weights(STEPS)
    moves = "spectral" in kind
    assert (verdict.name, verdict.role, verdict.layer) == ("0.weight", "effective", "0")
    assert verdict.frozen_steps == ((0, STEPS),)
    assert verdict.moved == moves
    assert {cause.cause for cause in verdict.causes} == ({"forward_write"} if moves else set())
    assert not any(v.moved for v in freezer.verdicts(STEPS) if v.role == "parameter" and v.layer.startswith("0"))


@ALL
def test_an_effective_weight_moves_for_the_reasons_of_the_tensors_that_it_is_made_of(kind: str) -> None:
    model = made(kind)
    wanted = plan(all_of(model, "0"), 2, method="grad_zero")
    freezer = drive(model, torch.optim.Adam(model.parameters()), wanted, INPUTS)
    (verdict,) = freezer.effective_weights(STEPS)
    expected = {"momentum"} | ({"forward_write"} if "spectral" in kind else set())
    assert {cause.cause for cause in verdict.causes} == expected


@pytest.mark.parametrize("kind", ["spectral norm", "older spectral norm"])
def test_an_effective_weight_moves_in_the_steps_in_which_a_plain_forward_computes_with_another(kind: str) -> None:
    plain = made(kind)
    weights = []
    for _ in range(STEPS + 1):   # what a linear layer with these weights makes of the unit vectors, without its bias
        layer = plain[0].eval()
        weights.append(layer(torch.eye(4)) - layer(torch.zeros(4)))
        plain.train()(INPUTS)
    changes = sum(not torch.equal(a, b) for a, b in pairwise(weights))
    model = made(kind)
    wanted = plan(all_of(model, "0"))
    (verdict,) = drive(model, torch.optim.SGD(model.parameters(), lr=0.01), wanted, INPUTS).effective_weights(STEPS)
    assert abs(verdict.moved_steps - changes) <= 1   # taking the bias off rounds once more
    assert verdict.moved_steps > 1


@ALL
@pytest.mark.parametrize("on_gpu", [False, True])
def test_a_frozen_weight_is_computed_once_a_step_whether_it_moves_or_not(
    kind: str, on_gpu: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a GPU it is not known yet whether it moved when the next look is due."""
    reads = []
    read = Watched.read

    def counted(watched: Watched) -> torch.Tensor:
        if watched.compute is not None:
            reads.append(watched.name)
        return read(watched)

    monkeypatch.setattr(Watched, "read", counted)
    if on_gpu:
        differ = Values.differ
        monkeypatch.setattr(Values, "differ", lambda now, before: torch.tensor(differ(now, before)))
    model, per_step = made(kind), []
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    drive(model, optimizer, plan(all_of(model, "0")), INPUTS, after=lambda step: per_step.append(len(reads)))
    steps = len(per_step) - 1
    assert len(reads) - per_step[0] == steps + 1   # one look behind each step


def test_the_policy_eval_is_for_norm_layers_and_spectral_norm_goes_on_under_it() -> None:
    model = made("spectral norm")
    wanted = plan(all_of(model, "0"), norm="eval")
    (verdict,) = drive(model, torch.optim.Adam(model.parameters()), wanted, INPUTS).effective_weights(STEPS)
    assert [cause.cause for cause in verdict.causes] == ["forward_write"]


def test_a_weight_is_frozen_where_all_that_it_is_made_of_is() -> None:
    model = made("weight norm")
    (verdict,) = drive(model, torch.optim.SGD(model.parameters(), lr=0.1), plan(["0"]), INPUTS).effective_weights(STEPS)
    assert verdict.frozen_steps == ()   # "0" alone owns the bias and no part of the weight


def test_a_persons_own_parametrization_may_have_a_state_that_reading_does_not_touch() -> None:
    class Counting(nn.Module):
        count: torch.Tensor

        def __init__(self) -> None:
            super().__init__()
            self.register_buffer("count", torch.zeros(1))

        def forward(self, weight: torch.Tensor) -> torch.Tensor:
            self.count.add_(1)
            return weight * 2

    layer, counting = nn.Linear(2, 2), Counting()
    parametrize.register_parametrization(layer, "weight", counting)
    (weight,) = effective_weights(nn.Sequential(layer))
    before = float(counting.count)
    weight.read()
    assert float(counting.count) == before


def test_a_model_without_parametrizations_has_none() -> None:
    assert effective_weights(nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2))) == []
