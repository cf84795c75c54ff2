from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import nn
from torch.nn.utils import parametrizations

from freeze_gui.freezing import replay
from freeze_gui.freezing.plan import FreezePlan, Phase
from freeze_gui.models.loaded import LoadedModel
from freeze_gui.training.copies import copies_held
from freeze_gui.training.settings import OptimizerSettings
from freeze_gui.training.trials import Trials

CPU, CUDA = torch.device("cpu"), torch.device("cuda")


def square() -> nn.Module:
    return nn.Linear(16, 16, bias=False)


def held(
    plan: FreezePlan,
    device: torch.device = CPU,
    optimizer: str = "Adam",
    zero_grad: str = "none",
    make: Callable[[], nn.Module] = square,
) -> tuple[float, float]:
    """Return what lasts and what a step adds, in times the frozen one of two weights of a size."""
    module = nn.Sequential(make(), square())
    trials = Trials(LoadedModel(module, "file:x.py:f", None, (16,), "mse", "random", ()))
    size = 4 * 16 * 16
    state = 2 * 2 * size if optimizer == "Adam" else 0   # two moments of both weights
    found = copies_held(trials, plan, OptimizerSettings(optimizer, zero_grad), state, device)
    return found.lasting / size, found.in_step / size


FIRST = frozenset({"0"})
ADAM = 2   # its step's root and quotient
KEPT = 4   # weight, gradient and two moments before the step
REPLAY = 2 + 2 + ADAM   # weight, gradient, two moments


@pytest.mark.parametrize(("method", "zero_grad", "start", "lasting", "in_step"), [
    ("requires_grad", "none", 0, 1, ADAM),     # to prove by
    ("no_grad", "zero", 0, 1, ADAM),           # no gradient came before
    ("grad_none", "never", 0, 1, ADAM),
    ("exclude", "never", 0, 1, ADAM),
    ("paused", "none", 0, 2, ADAM),            # what is put back
    ("restore", "none", 0, 2, KEPT + ADAM),    # to name a side effect by
    ("grad_zero", "none", 0, 2, KEPT + REPLAY),   # the first, and where it was last
    ("lr_zero", "none", 0, 1, KEPT + ADAM),    # nothing moves
    ("requires_grad", "never", 5, 2, KEPT + REPLAY),   # an old gradient may move it
])  # fmt: skip
def test_what_the_optimizer_sees_of_a_frozen_layer_is_kept_to_name_a_cause(
    method: str, zero_grad: str, start: int, lasting: int, in_step: int
) -> None:
    assert held(FreezePlan((Phase(FIRST, start),), method=method), zero_grad=zero_grad) == (lasting, in_step)


def test_a_freeze_after_the_first_backward_leaves_a_gradient_that_may_move_it() -> None:
    later = FreezePlan((Phase(FIRST),), moment="after_backward")
    assert held(later, zero_grad="never") == (2, KEPT + REPLAY)


@pytest.mark.parametrize("optimizer", ["ASGD", "Rprop"])
def test_a_learning_rate_of_zero_moves_what_these_two_step(optimizer: str) -> None:
    without_state = 2 + (2 + 2)   # weight and gradient; a replay and its root and quotient
    assert held(FreezePlan((Phase(FIRST),), method="lr_zero"), optimizer=optimizer) == (2, without_state)


def test_on_cuda_what_tells_of_a_step_lasts_until_the_next_and_all_weights_are_stepped_at_once() -> None:
    looks = 2   # the last one before the step, and that of the next forward
    # from the start, from the last step, as it is now, and weight and gradient in front of the step; a replay
    assert held(FreezePlan((Phase(FIRST),), method="grad_zero"), CUDA, "SGD") == (3 + looks + 2, 2)
    assert held(FreezePlan((Phase(FIRST),)), CUDA, "SGD") == (2 + looks, 1)   # and to compare it
    assert held(FreezePlan(()), CUDA, "Adam") == (0, 2)   # the roots of both


def test_layers_that_are_frozen_one_after_the_other_are_not_held_at_once() -> None:
    second = frozenset({"1"})
    turns = FreezePlan((Phase(FIRST, 0, 3), Phase(second, 3)))
    assert held(turns, optimizer="SGD") == (1, 2 + 2)   # the one that thaws, and its first step again
    tasks = FreezePlan((), (("a", FIRST), ("b", second)))
    assert held(tasks, optimizer="SGD")[0] == 1


WITHIN = frozenset({"0", "0.parametrizations", "0.parametrizations.weight", "0.parametrizations.weight.0"})


@pytest.mark.filterwarnings("ignore:`torch.nn.utils.weight_norm` is deprecated:FutureWarning")
@pytest.mark.parametrize(("make", "method", "lasting", "in_step"), [
    # the weight and what is computed from it, of which a look computes another one
    (lambda: parametrizations.weight_norm(square()), "requires_grad", 2, 1),
    (lambda: nn.utils.weight_norm(square()), "requires_grad", 2, 1),
    # both of the last step as well; weight and gradient, and a replay
    (lambda: parametrizations.weight_norm(square()), "grad_zero", 4, 2 + 2),
    # what is computed from it moves: it is held as it was last, and in a step as it is now, twice for a moment
    (lambda: parametrizations.spectral_norm(square()), "requires_grad", 3, 2),
    (lambda: nn.utils.spectral_norm(square()), "requires_grad", 3, 2),
    (lambda: parametrizations.spectral_norm(square()), "lr_zero", 3, 2 + 2),
])  # fmt: skip
def test_weights_that_are_computed_from_others_are_held_as_well(
    make: Callable[[], nn.Module], method: str, lasting: int, in_step: int
) -> None:
    lasts, adds = held(FreezePlan((Phase(WITHIN),), method=method), optimizer="SGD", make=make)
    vectors = 16 * 4 / 1024   # of each norm, beside the weight; their copies, and those of a replay
    assert (lasts, adds) == pytest.approx((lasting, in_step), abs=8 * vectors)


def test_statistics_that_a_forward_writes_are_held_four_times_and_others_twice() -> None:
    """When the window began, after the last step, before this one, and now; or the first and the third."""
    size = 4 * 16 * 16

    def statistics(make: Callable[[], nn.Module]) -> tuple[float, float]:
        lasting, in_step = held(FreezePlan((Phase(FIRST),)), optimizer="SGD", make=make)
        return lasting * size, in_step * size

    weights, buffers = 4 * 2 * 16, 4 * 2 * 16 + 8   # a count of 8 bytes
    lasting, in_step = statistics(lambda: nn.BatchNorm1d(16))
    assert lasting == weights + 2 * buffers
    assert in_step == 2 * buffers + 4 * 16   # and the largest for a moment
    module = nn.Module()
    module.register_buffer("kept", torch.zeros(16))
    assert statistics(lambda: module) == (4 * 16, 4 * 16)


def test_on_cuda_statistics_are_held_four_times_from_step_to_step() -> None:
    size = 4 * 16 * 16
    weights, buffers = 4 * 2 * 16, 4 * 2 * 16 + 8
    lasting, _ = held(FreezePlan((Phase(FIRST),)), CUDA, "SGD", make=lambda: nn.BatchNorm1d(16))
    assert lasting * size == (2 + 2) * weights + 4 * buffers


def test_a_state_that_was_there_before_the_freeze_is_kept_at_the_thaw() -> None:
    replay = 2 + ADAM + 2   # weight, gradient, what Adam needs, and its two moments
    assert held(FreezePlan((Phase(FIRST, 0, 2),))) == (0, 2 + replay)
    assert held(FreezePlan((Phase(FIRST, 1, 2),))) == (0, KEPT + replay)


def test_of_all_that_may_move_as_many_as_fit_into_a_piece_are_replayed_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    both = FreezePlan((Phase(frozenset({"0", "1"})),), method="grad_zero")
    kept = 2 * 2   # weights and gradients
    assert held(both, optimizer="SGD") == (4, kept + 2 * 2)
    monkeypatch.setattr(replay, "MOST_ON_CPU", 16 * 16)
    assert held(both, optimizer="SGD") == (4, kept + 2)
