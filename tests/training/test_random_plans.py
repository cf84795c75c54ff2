"""Random plans with several phases, frozen again and again, against the same freeze written out in plain PyTorch."""

from __future__ import annotations

import random
from typing import Any

import pytest

from freeze_gui.freezing.methods import METHODS
from tests.support.plain_plan import Phase, plain_plan_run
from tests.support.runs import network_config, run_watched, same_bits

STEPS = 14
OPTIMIZERS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("SGD", {"lr": 0.1}),
    ("SGD", {"lr": 0.05, "momentum": 0.9, "weight_decay": 0.01}),
    ("Adam", {"lr": 0.01}),
    ("AdamW", {"lr": 0.01}),
    ("Adam", {"lr": 0.01, "amsgrad": True, "weight_decay": 0.1}),
    ("RMSprop", {"lr": 0.01, "momentum": 0.5}),
    ("NAdam", {"lr": 0.01}),
    ("Adagrad", {"lr": 0.05, "initial_accumulator_value": 0.5}),
    ("Adadelta", {"lr": 1.0}),
    ("Rprop", {"lr": 0.01}),
    ("ASGD", {"lr": 0.01}),
    ("Adafactor", {"lr": 0.01}),
    ("SGD", {"lr": 0.1, "fused": True}),
    ("AdamW", {"lr": 0.01, "fused": True}),
    ("Adam", {"lr": 0.01, "fused": True, "amsgrad": True, "weight_decay": 0.1}),
    ("Adagrad", {"lr": 0.05, "fused": True}),
)


def random_phases(draw: random.Random) -> list[Phase]:
    """Draw up to three windows for each child but the last one, which keeps on training."""
    phases: list[Phase] = []
    for name in ("first", "norm", "middle"):
        for _ in range(draw.randint(0, 3)):
            start = draw.randrange(STEPS)
            phases.append(((name,), start, draw.randint(start, STEPS + 3)))
    return phases or [(("middle",), 3, 9)]


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("seed", range(6))
def test_a_random_plan_has_the_bits_and_the_verdict_of_plain_pytorch(method: str, seed: int) -> None:
    draw = random.Random(f"{method} {seed}")
    name, hyper = draw.choice(OPTIMIZERS)
    phases = random_phases(draw)
    zero_grad, norm = draw.choice(["none", "zero", "never"]), draw.choice(["leave", "eval"])
    accumulate, clip = draw.choice([1, 1, 2, 3]), draw.choice([None, None, 0.5])
    after_backward, thaw = draw.random() < 0.3, draw.choice(["keep_state", "reset_state"])
    plain = plain_plan_run(
        method, name, hyper, phases, zero_grad=zero_grad, norm=norm, steps=STEPS, accumulate=accumulate, clip=clip,
        after_backward=after_backward, thaw=thaw,
    )  # fmt: skip
    train: dict[str, Any] = {"steps": STEPS, "accumulate": accumulate}
    if clip is not None:
        train["clip_grad_norm"] = clip
    config = network_config(method, {"name": name, "zero_grad": zero_grad, **hyper}, None, **train)
    config["freeze"] = {
        "method": method,
        "norm": norm,
        "moment": "after_backward" if after_backward else "step_start",
        "thaw": thaw,
        "phase": [{"layers": list(names), "from": start, "to": stop} for names, start, stop in phases],
    }
    states, _, recorder = run_watched(config)
    assert recorder.status == "completed", recorder.ended
    assert len(states) == STEPS
    for step, (ours, theirs) in enumerate(zip(states, plain.states, strict=True)):
        assert same_bits(ours, theirs), f"step {step}"
    summary = recorder.summary()
    assert summary["loss"] == pytest.approx(plain.losses, rel=1e-6)
    for tensor in summary["tensors"]:
        moves = plain.moves.get(tensor["name"])
        if moves is None:
            assert tensor["frozen_steps"] == []
            assert not tensor["moved"]
            continue
        assert tensor["frozen_steps"] == moves.windows, tensor["name"]
        assert tensor["moved_steps"] == len(moves.steps), tensor["name"]
        assert tensor["first_moved_step"] == (moves.steps[0] if moves.steps else None)
        assert tensor["max_abs_change"] == pytest.approx(moves.largest, rel=1e-12)
        assert tensor["moved"] == bool(moves.steps) == bool(tensor["causes"])
        assert "other_writer" not in [cause["cause"] for cause in tensor["causes"]]
