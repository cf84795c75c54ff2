from __future__ import annotations

from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from freeze_gui.errors import UserError
from freeze_gui.training.config import load_config
from freeze_gui.training.precision import Precision
from tests.support.network import build
from tests.support.plain_amp import STEPS, plain_amp_run
from tests.support.runs import network_config, run_watched, same_bits


def ours(
    method: str, amp: str, clip: float | None, optimizer: dict[str, Any] | None = None
) -> tuple[list[dict[str, Tensor]], Any]:
    train: dict[str, Any] = {"amp": amp, "steps": STEPS}
    if clip is not None:
        train["clip_grad_norm"] = clip
    states, _, recorder = run_watched(network_config(method, optimizer or {"name": "SGD", "lr": 0.1}, None, **train))
    assert recorder.status == "completed", recorder.ended
    return states, recorder.summary()


@pytest.mark.parametrize("amp", ["bf16", "fp16"])
@pytest.mark.parametrize("clip", [None, 0.2])
def test_mixed_precision_has_the_bits_of_the_plain_amp_run(amp: str, clip: float | None) -> None:
    expected = plain_amp_run(amp, clip, drop_frozen=True)
    states, summary = ours("grad_none", amp, clip)
    assert all(same_bits(state, plain) for state, plain in zip(states, expected, strict=True))
    assert all(state["last.weight"].dtype == torch.float32 for state in states)
    full, _ = ours("grad_none", "none", clip)
    assert not same_bits(full[-1], states[-1])   # the number format does something
    verdicts = {layer["path"]: layer["verdict"] for layer in summary["layers"]}
    assert verdicts == {"first": "held", "norm": "leaked", "middle.0": "held", "last": "trained"}


@pytest.mark.parametrize("clip", [None, 0.2])
def test_a_fused_optimizer_under_a_scaler_has_the_bits_of_the_plain_run(clip: float | None) -> None:
    """torch hands a fused optimizer the scaler's finding, and the kernel itself skips a step."""
    make = partial(torch.optim.AdamW, lr=0.1, fused=True)
    expected = plain_amp_run("fp16", clip, drop_frozen=True, make=make)
    states, _ = ours("grad_none", "fp16", clip, {"name": "AdamW", "lr": 0.1, "fused": True})
    assert all(same_bits(state, plain) for state, plain in zip(states, expected, strict=True))


def test_a_scaler_does_not_unscale_an_excluded_gradient_and_clipping_throttles_everyone() -> None:
    """In fp16 the gradients of parameters outside the optimizer stay 65,536 times too large, and clipping sees them."""
    expected = plain_amp_run("fp16", 0.2, drop_frozen=False)
    states, summary = ours("exclude", "fp16", 0.2)
    assert all(same_bits(state, plain) for state, plain in zip(states, expected, strict=True))
    dropped, _ = ours("grad_none", "fp16", 0.2)
    start = build_state()
    moved = [float((run[-1]["last.weight"] - start).norm()) for run in (states, dropped)]
    assert moved[0] < moved[1] / 1000
    assert "clip_inflated" in {effect["kind"] for effect in summary["side_effects"]}


def build_state() -> Tensor:
    torch.manual_seed(0)
    return build().last.weight.detach().clone()


@pytest.mark.parametrize("fused", [False, True])
def test_an_infinite_gradient_skips_the_step_and_the_scale_is_halved(fused: bool) -> None:
    precision = Precision("fp16", torch.device("cpu"))
    weight = nn.Parameter(torch.ones(2))
    optimizer = torch.optim.SGD([weight], lr=1.0, fused=fused)
    before = precision.state()["scale"]
    precision.scaled((weight * torch.tensor([float("inf"), 1.0])).sum()).backward()   # type: ignore[no-untyped-call]
    precision.unscale(optimizer)
    precision.step(optimizer)
    assert weight.tolist() == [1.0, 1.0]
    assert precision.state()["scale"] == before / 2


def test_a_step_without_any_gradient_is_no_error_under_a_scaler() -> None:
    precision = Precision("fp16", torch.device("cpu"))
    optimizer = torch.optim.SGD([nn.Parameter(torch.ones(2))], lr=1.0)
    precision.unscale(optimizer)
    precision.step(optimizer)


def test_an_unknown_format_is_named() -> None:
    with pytest.raises(UserError, match=r"train\.amp = 'fp8'"):
        load_config({"model": {"source": "builtin:digits-cnn"}, "train": {"amp": "fp8"}})
