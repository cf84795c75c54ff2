"""What three statistics of every layer at every step cost, against the bare loop and beside what others charge."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
import torchvision
from torch import nn

from freeze_gui.training import budget
from tests.benchmarks.loops import Slice, bare_loop, case_config, our_loop, telemetry_alone, telemetry_by_its_budget
from tests.benchmarks.measuring import CORES, Table, interleaved, ratio, spread, taken_s
from tests.benchmarks.rivals import RIVALS, AfterStep, Rival

# what others' libraries warn of is theirs
pytestmark = [pytest.mark.benchmark, pytest.mark.timeout(900), pytest.mark.filterwarnings("default")]

_HERE = Path(__file__).with_name("networks.py")
BARE, ALONE, ALONE_BUDGET = "bare loop", "our telemetry alone", "our telemetry alone, by its budget"
EVERY, BUDGET = "our trainer, every step measured", "our trainer, by its budget"
_TITLES = ["watched by", "ms a step", "bare loop ×", "processor time ×", "added ms", "× what our telemetry adds"]

CASES = {
    # name: (model, data, device, threads, rounds, steps of a slice, steps of a slice of a slow rival)
    "tiny MLP": (f"file:{_HERE}:tiny_mlp", f"file:{_HERE}:digits_sized", "cpu", 1, 15, 300, 10),
    "digits-cnn": ("builtin:digits-cnn", "digits", "cpu", 1, 15, 60, 4),
    "resnet18, 16 × 64 px": ("torchvision:resnet18", f"file:{_HERE}:images_64", "cpu", CORES, 9, 5, 1),
    "mobilenet_v3_small, 16 × 224 px": (
        "torchvision:mobilenet_v3_small", f"file:{_HERE}:images_224", "cpu", CORES, 9, 3, 1,
    ),
    "resnet18, 16 × 224 px": ("torchvision:resnet18", f"file:{_HERE}:images_224", "cpu", CORES, 9, 1, 1),
    "resnet50, 64 × 224 px": ("torchvision:resnet50", f"file:{_HERE}:many_images_224", "cuda", 1, 15, 10, 1),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_cost_of_measuring(
    case: str, report: Callable[[Table], None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, data, device, threads, rounds, steps, few = CASES[case]
    if device == "cuda" and not torch.cuda.is_available():
        pytest.skip(f"{case} is measured on CUDA, and there is none here")
    torch.set_num_threads(threads)
    config = partial(case_config, model, data, device, threads)
    calls_s: list[float] = []
    monkeypatch.setattr(budget, "FIRST", 0)   # what lasts is measured, and not the steps that are measured in any case
    loops: dict[str, Slice] = {
        BARE: bare_loop(config(1), steps),
        ALONE: bare_loop(config(1), steps, partial(_timed_telemetry, calls_s)),
        ALONE_BUDGET: bare_loop(config(1), steps, telemetry_by_its_budget),
        EVERY: our_loop(config(1), steps),
        BUDGET: our_loop(config(None), steps, before=20),
    }
    with ExitStack() as stack:
        for name, rival in RIVALS.items():
            if importlib.util.find_spec(rival.package) is not None:
                watch = partial(_entered, stack, rival, tmp_path / rival.package)
                loops[name] = bare_loop(config(1), few if rival.slow else steps, watch)
        found = interleaved(loops, rounds)
    calls_ms = np.median(calls_s) * 1000
    share = np.median(calls_s) / np.median([clock for clock, _ in found[BARE]])
    how = f"SGD with momentum; {rounds} rounds of {steps} steps on {device}, {threads} torch threads."
    inside = f"A call of our telemetry takes {calls_ms:.2f} ms, timed from within: {share:.2%} of a bare step."
    report(Table(f"Telemetry: {case}", _TITLES, _rows(found), f"{how} {inside}"))


def _entered(stack: ExitStack, rival: Rival, folder: Path, model: nn.Module) -> AfterStep:
    return stack.enter_context(rival.watch(model, folder))


def _timed_telemetry(calls_s: list[float], model: nn.Module) -> AfterStep:
    after_step = telemetry_alone(model)
    return lambda step, loss: calls_s.append(taken_s(partial(after_step, step, loss)))


def _rows(found: dict[str, list[tuple[float, float]]]) -> list[list[str]]:
    """Return milliseconds a step, times the bare loop, and the added cost in shares of that of our telemetry."""
    times = {name: np.array(values) for name, values in found.items()}   # (rounds, 2): by the clock, and of processors
    bare = times[BARE]
    added = {name: float(np.median(values[:, 0] - bare[:, 0])) for name, values in times.items()}
    rows = []
    for name, values in times.items():
        shares = f"{added[name] / added[ALONE]:.1f}" if name in RIVALS and added[ALONE] > 0 else ""
        more = f"{added[name] * 1000:.2f}" if name != BARE else ""
        ratios = [ratio(values[:, clock], bare[:, clock]) for clock in (0, 1)]
        rows.append([name, spread(values[:, 0] * 1000, "{:.2f}"), *ratios, more, shares])
    rows += [[name, "skipped: not installed", "", "", "", ""] for name in RIVALS if name not in found]
    return rows


@pytest.mark.parametrize("name", ["resnet18", "mobilenet_v3_small"])
def test_telemetry_beside_the_floor_of_one_pass_through_memory(name: str, report: Callable[[Table], None]) -> None:
    model = torchvision.models.get_model(name)
    size = sum(p.numel() for p in model.parameters())
    after_step = telemetry_alone(model)
    gradient, weight, start, previous = (torch.ones(size) for _ in range(4))
    loss = torch.zeros(())

    def ours() -> float:
        with torch.no_grad():   # weights that rest would be compared bit by bit as well
            for p in model.parameters():
                p.grad = torch.randn_like(p)
                p.add_(p.grad, alpha=-0.001)
        return taken_s(partial(after_step, 0, loss))

    def floor() -> float:
        return taken_s(lambda: [array.sum() for array in (gradient, weight, start, weight, previous)])

    rows = []
    for threads in sorted({1, CORES}):
        torch.set_num_threads(threads)
        found = interleaved({"ours": ours, "floor": floor}, 30)
        ms = [spread(np.array(found[name]) * 1000, "{:.2f}") for name in ("floor", "ours")]
        rows.append([f"{threads}", *ms, ratio(found["ours"], found["floor"])])
    titles = ["torch threads", "floor, ms", "our telemetry, ms", "floor ×"]
    note = "The floor reads gradient, weight, start, weight and previous once, each by one `sum`."
    report(Table(f"Telemetry and the memory floor: {name}, {size / 1e6:.1f} M parameters", titles, rows, note))
