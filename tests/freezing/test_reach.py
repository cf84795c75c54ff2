from __future__ import annotations

from dataclasses import dataclass

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from freeze_gui.freezing.reach import Reach, reach
from freeze_gui.models.loaded import LoadedModel
from freeze_gui.models.shapes import Call
from freeze_gui.models.sources import open_model
from tests.support.network import Net

ALL = {name for name, _ in Net().named_parameters()}


def reached(frozen: set[str], method: str, norm: str = "leave") -> Reach:
    model = LoadedModel(Net(), "file:x.py:f", None, (6,), "cross_entropy", "random", ())
    found = reach(model, frozenset(frozen), method, norm, None)
    assert found is not None
    return found


MIDDLE = {"middle", "middle.0", "middle.1", "middle.2"}


@pytest.mark.parametrize(
    ("method", "lost"),
    [
        ("grad_none", set()),
        ("requires_grad", {"middle.0.weight", "middle.0.bias"}),
        ("filter", {"middle.0.weight", "middle.0.bias"}),
        ("no_grad", ALL - {"last.weight", "last.bias"}),
        ("detach", ALL - {"last.weight", "last.bias"}),
    ],
)
def test_a_backward_reaches_what_autograd_lets_it(method: str, lost: set[str]) -> None:
    assert reached(MIDDLE, method).learning == ALL - lost


def test_modules_are_listed_as_they_run_with_the_mode_that_they_run_in() -> None:
    found = reached({"norm"}, "requires_grad", "eval")
    assert [path for path in found.ran if path in ("first", "norm", "middle", "last")] == [
        "first", "norm", "middle", "last",
    ]
    assert "norm" not in found.ran_in_training
    assert "first" in found.ran_in_training


def test_a_bias_in_front_of_a_norm_that_takes_the_mean_of_the_batch_off_has_a_gradient_of_round_off() -> None:
    assert reached(set(), "requires_grad").shifted == {"first.bias"}
    assert reached({"norm"}, "requires_grad", "eval").shifted == frozenset()
    model = Net()   # plain PyTorch: next to nothing beside the weight's gradient
    model(torch.randn(16, 6)).square().sum().backward()
    assert model.first.bias.grad is not None
    assert model.first.weight.grad is not None
    assert model.first.bias.grad.abs().max() < 1e-5 * model.first.weight.grad.abs().max()


def test_a_freeze_that_leaves_nothing_to_go_back_from_is_seen() -> None:
    everything = {name for name, _ in Net().named_modules()}
    assert not reached(everything, "requires_grad").trains
    assert not reached({"last"}, "detach").trains
    assert reached(everything, "grad_none").trains


def test_each_task_reaches_its_own_layers() -> None:
    model = open_model("builtin:two-task")
    found = reach(model, frozenset(), "requires_grad", "leave", "task1")
    assert found is not None
    assert found.learning == {"hidden_task1.weight", "output.weight"}


def test_a_forward_that_needs_values_cannot_be_tried() -> None:
    class Asks(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Linear(6, 3)

        def forward(self, x: Tensor) -> Tensor:
            found: Tensor = self.layer(x)
            return found if float(found.sum()) > 0 else -found

    model = LoadedModel(Asks(), "file:x.py:f", None, (6,), "mse", "random", ())
    assert reach(model, frozenset(), "requires_grad", "leave", None) is None


@dataclass
class Sample:
    """What only the forward of its own model can open."""

    values: Tensor


class OfSamples(Net):
    def forward(self, sample: Sample) -> Tensor:   # type: ignore[override]
        return super().forward(F.dropout(sample.values))


def test_a_batch_whose_tensors_nobody_finds_is_tried_without_a_draw_from_the_global_generator() -> None:
    model = LoadedModel(OfSamples(), "file:x.py:f", None, (6,), "cross_entropy", "random", ())
    before = torch.get_rng_state()
    reach(model, frozenset(MIDDLE), "no_grad", "leave", None, [Call((Sample(torch.ones(4, 6)),), {})])
    assert torch.equal(torch.get_rng_state(), before)
