"""Fused optimizers: the bits of plain PyTorch with ``fused=True``, the law, and what they cannot train."""

from __future__ import annotations

import itertools
import random
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from freeze_gui import run_config
from freeze_gui.errors import UserError
from freeze_gui.freezing.methods import METHODS
from freeze_gui.training.config import OptimizerSettings, load_config
from freeze_gui.training.fused import check_fused
from freeze_gui.training.optimizers import check_optimizer
from tests.freezing.law import RULES
from tests.freezing.test_law import MOMENTS, check_cell
from tests.support.plain import plain_run
from tests.support.runs import network_config, run_watched, same_bits

OPTIMIZERS: dict[str, dict[str, Any]] = {
    "SGD": {"lr": 0.05, "momentum": 0.9, "fused": True},
    "Adam": {"lr": 0.01, "fused": True},
    "AdamW": {"lr": 0.01, "fused": True},
}
FUSED_RULES = [name for name, rule in RULES.items() if rule.name in ("SGD", "Adam", "AdamW", "Adagrad")]
CELLS = list(itertools.product(METHODS, FUSED_RULES, ("none", "zero", "never"), MOMENTS))
DRAWN = random.Random(3).sample(CELLS, 60)   # of 1,200; all of them hold, and take a minute


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("method", METHODS)
def test_a_fused_run_has_the_bits_of_a_plain_loop_with_fused(method: str, optimizer: str) -> None:
    plain = plain_run(method, optimizer, OPTIMIZERS[optimizer], window=(5, 14))
    usual = plain_run(method, optimizer, {**OPTIMIZERS[optimizer], "fused": None}, window=(5, 14))
    config = network_config(method, {"name": optimizer, **OPTIMIZERS[optimizer]}, {"from_step": 5, "to_step": 14})
    states, _, recorder = run_watched(config)
    assert all(same_bits(ours, theirs) for ours, theirs in zip(states, plain.states, strict=True))
    assert not same_bits(states[-1], usual.states[-1])   # the other kernel was at work
    assert recorder.summary()["loss"] == plain.losses


@pytest.mark.parametrize("cell", DRAWN, ids=" | ".join)
def test_the_law_and_the_causes_are_the_same_under_fused(cell: tuple[str, str, str, str]) -> None:
    method, rule, zero_grad, moment = cell
    check_cell(method, rule, zero_grad, moment, fused=True)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_every_cell_of_the_law_holds_under_fused() -> None:
    for method, rule, zero_grad, moment in CELLS:
        check_cell(method, rule, zero_grad, moment, fused=True)


@pytest.mark.parametrize("optimizer", ["AdamW", "SGD"])
def test_a_weight_in_channels_last_takes_the_step_of_a_contiguous_one(optimizer: str, tmp_path: Path) -> None:
    """A fused kernel goes through the memory and not through the indices: gradient and state must lie as the weight."""
    file = tmp_path / "net.py"
    file.write_text(
        "import torch\n"
        "from torch import nn\n"
        "def build():\n"
        "    torch.manual_seed(1)\n"
        "    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.Tanh(), nn.Conv2d(4, 4, 2), nn.Flatten(), nn.Linear(4, 3))\n"
        "def turned():\n"
        "    return build().to(memory_format=torch.channels_last)\n"
        "def batches():\n"
        "    g = torch.Generator().manual_seed(2)\n"
        "    return [(torch.randn(4, 3, 4, 4, generator=g), torch.randint(0, 3, (4,), generator=g))]\n"
    )
    last = []
    for factory, fused in (("build", False), ("turned", True)):
        hyper = {"lr": 0.01, "fused": fused} | ({"momentum": 0.9} if optimizer == "SGD" else {"eps": 1e-3})
        config = {
            "model": {"source": f"file:{file}:{factory}"},
            "data": {"source": f"file:{file}:batches"},
            "freeze": {"layers": ["2"], "from_step": 2, "method": "grad_none"},
            "optimizer": {"name": optimizer, **hyper},
            "train": {"steps": 6, "device": "cpu"},
        }
        states, _, recorder = run_watched(config)
        assert recorder.status == "completed", recorder.ended
        last.append(states[-1])
    for name, weight in last[0].items():
        assert torch.allclose(weight, last[1][name], rtol=0, atol=1e-6), name


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("thaw", ["keep_state", "reset_state"])
def test_what_fused_sgd_cannot_thaw_ends_as_plain_pytorch_does_with_a_cure(method: str, thaw: str) -> None:
    """Layers that have no momentum when they join a group that has: PyTorch raises, with a sentence of its own."""
    freeze = {"layers": ["middle"], "from_step": 0, "to_step": 4, "thaw": thaw}
    optimizer = {"name": "SGD", "lr": 0.05, "momentum": 0.9, "fused": True}
    _, _, recorder = run_watched(network_config(method, optimizer, freeze, steps=8))
    warned = "thaw_fails" in {warning["kind"] for warning in recorder.summary()["forecast"]["warnings"]}
    assert warned == (recorder.status == "failed")
    apart = method in ("exclude", "filter")   # what thaws becomes a group of its own
    never_had_any = method in ("requires_grad", "grad_none", "no_grad", "detach")
    if not apart and (thaw == "reset_state" or never_had_any):
        assert recorder.status == "failed"
        assert recorder.ended is not None
        assert recorder.ended.error is not None
        assert recorder.ended.error.startswith("Fused SGD cannot take this step: ")
        assert recorder.ended.steps == 4
    else:
        assert recorder.status == "completed", recorder.ended


def test_plain_pytorch_raises_where_we_say_that_fused_sgd_cannot_go_on() -> None:
    one, other = (nn.Parameter(torch.ones(2)) for _ in range(2))
    optimizer = torch.optim.SGD([one, other], lr=0.1, momentum=0.9, fused=True)
    one.grad = torch.ones(2)
    optimizer.step()
    other.grad = torch.ones(2)
    with pytest.raises(TypeError, match="got NoneType"):
        optimizer.step()


def test_the_forecast_of_costs_is_that_of_the_usual_optimizer() -> None:
    costs = []
    for fused in (True, False):
        config = {
            "model": {"source": "builtin:digits-cnn"},
            "freeze": {"layers": ["stem"]},
            "optimizer": {"name": "AdamW", "fused": fused},
            "train": {"steps": 1, "device": "cpu"},
        }
        costs.append(run_config(config)["forecast"]["cost"])
    assert costs[0] is not None
    assert costs[0] == costs[1]


@pytest.mark.parametrize("name", ["RMSprop", "NAdam", "Muon"])
def test_an_optimizer_without_a_fused_form_says_which_have_one(name: str) -> None:
    with pytest.raises(UserError, match=f"torch has no fused {name}, only fused SGD, Adam, AdamW, Adagrad"):
        check_optimizer(name, {"fused": True})


def test_fused_and_foreach_exclude_each_other() -> None:
    with pytest.raises(UserError, match="`fused` and `foreach` cannot be `True` together"):
        check_optimizer("Adam", {"fused": True, "foreach": True})


class Gaps(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.every_second = nn.Parameter(torch.ones(4, 8)[:, ::2])


@pytest.mark.parametrize(
    ("model", "name", "amp", "words"),
    [
        (nn.Linear(2, 2, dtype=torch.cfloat), "AdamW", "none", "no fused AdamW for weight, which is complex64 on cpu"),
        (nn.Sequential(nn.EmbeddingBag(9, 2, sparse=True)), "SGD", "none", "0 has sparse gradients, which fused SGD"),
        (Gaps(), "Adam", "none", "the memory of every_second has gaps or overlaps"),
    ],
)
def test_what_a_fused_optimizer_cannot_train_is_refused_before_the_run(
    model: nn.Module, name: str, amp: str, words: str
) -> None:
    with pytest.raises(UserError, match=words):
        check_fused(OptimizerSettings(name, hyper={"fused": True}), amp, model)
    check_fused(OptimizerSettings(name, hyper={"lr": 0.1}), amp, model)   # nothing to say without it


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float64])
def test_other_real_numbers_are_taken(dtype: torch.dtype) -> None:
    check_fused(OptimizerSettings("AdamW", hyper={"fused": True}), "none", nn.Linear(2, 2, dtype=dtype))


@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_fused_sgd_is_refused_under_fp16_where_plain_pytorch_goes_wrong_after_a_skipped_first_step(
    momentum: float,
) -> None:
    """The gradient scaler skips the step whose gradient is infinite; the second is to be the first of any optimizer."""
    weight = nn.Parameter(torch.ones(4))
    optimizer = torch.optim.SGD([weight], lr=0.5, momentum=momentum, fused=True)
    scaler = torch.amp.GradScaler("cpu", init_scale=4.0)
    for gradient in (float("inf"), 1.0):
        optimizer.zero_grad()
        scaler.scale((weight * gradient).sum()).backward()   # type: ignore[no-untyped-call]
        scaler.unscale_(optimizer)
        scaler.step(optimizer)
        scaler.update()
        if gradient == float("inf"):
            assert torch.equal(weight.detach(), torch.ones(4))
            if momentum:   # what torch has left there is whatever the memory held: it is made to be seen
                optimizer.state[weight]["momentum_buffer"].fill_(7.0)
    goes_wrong = not torch.equal(weight.detach(), torch.full((4,), 0.5))
    assert goes_wrong == bool(momentum)
    settings = OptimizerSettings("SGD", hyper={"fused": True, "momentum": momentum})
    if goes_wrong:
        with pytest.raises(UserError, match=r"uninitialised.*take bf16, leave momentum out, or leave"):
            check_fused(settings, "fp16", nn.Linear(2, 2))
    else:
        check_fused(settings, "fp16", nn.Linear(2, 2))


def test_a_run_that_cannot_be_fused_is_refused_in_one_sentence() -> None:
    config = network_config("exclude", {"name": "SGD", "fused": True, "momentum": 0.9}, None, amp="fp16")
    with pytest.raises(UserError, match=r"take bf16, leave momentum out, or leave optimizer\.fused out"):
        run_config(config)


def test_fused_goes_through_a_configuration() -> None:
    config = load_config(network_config("exclude", {"name": "AdamW", "fused": True}))
    assert config.optimizer.hyper == {"fused": True}
    assert load_config(config.to_dict()).optimizer == config.optimizer
