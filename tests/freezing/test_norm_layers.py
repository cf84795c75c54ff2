from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from freeze_gui.freezing.norm_layers import NormReport
from tests.freezing.drive import STEPS, drive, plan

INPUTS = torch.randn(8, 4, generator=torch.Generator().manual_seed(1))


def report(norm: nn.Module, method: str = "requires_grad", policy: str = "leave", start: int = 0) -> NormReport:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 4), norm, nn.Linear(4, 2))
    optimizer = torch.optim.Adam(model.parameters())
    freezer = drive(model, optimizer, plan(["1"], start, method=method, norm=policy), INPUTS)
    (found,) = freezer.norm_reports(STEPS)
    return found


@pytest.mark.parametrize(
    ("method", "policy", "expected"),
    [
        ("requires_grad", "leave", (True, False, False)),   # the weights hold, the statistics follow the batches
        ("requires_grad", "eval", (True, True, True)),
        ("no_grad", "leave", (True, False, False)),
        ("grad_zero", "eval", (False, True, True)),         # momentum
        ("eval_only", "leave", (False, True, True)),        # the weights train on, the rest is at rest
    ],
)
def test_the_three_questions_of_a_frozen_batch_norm_have_answers_of_their_own(
    method: str, policy: str, expected: tuple[bool, bool, bool]
) -> None:
    found = report(nn.BatchNorm1d(4), method, policy, start=2)
    assert (found.affine_still, found.statistics_still, found.same_function) == expected


@pytest.mark.parametrize("norm", [nn.LayerNorm(4), nn.GroupNorm(2, 4)])
def test_norms_without_statistics_are_the_same_function_and_have_none_that_could_move(norm: nn.Module) -> None:
    assert report(norm) == NormReport("1", True, None, True)


def test_a_batch_norm_that_keeps_no_statistics_uses_the_batch_in_evaluation_as_well() -> None:
    assert report(nn.BatchNorm1d(4, track_running_stats=False)) == NormReport("1", True, None, True)


def test_statistics_without_weights_leave_the_first_question_open() -> None:
    assert report(nn.BatchNorm1d(4, affine=False)) == NormReport("1", None, False, False)


def test_only_what_happens_in_the_frozen_window_counts() -> None:
    model = nn.Sequential(nn.Linear(4, 4), nn.BatchNorm1d(4))
    freezer = drive(model, torch.optim.SGD(model.parameters(), lr=0.1), plan(["1"], 2, 4, norm="eval"), INPUTS)
    assert freezer.norm_reports(STEPS) == (NormReport("1", True, True, True),)


def test_norm_layers_that_were_never_frozen_have_no_report() -> None:
    model = nn.Sequential(nn.Linear(4, 4), nn.BatchNorm1d(4))
    assert drive(model, torch.optim.SGD(model.parameters(), lr=0.1), plan(["0"]), INPUTS).norm_reports(STEPS) == ()


def test_spectral_norm_has_the_word_in_its_name_and_is_no_norm_layer() -> None:
    model = nn.Sequential(nn.utils.parametrizations.spectral_norm(nn.Linear(4, 4)), nn.Linear(4, 2))
    wanted = plan([name for name, _ in model.named_modules() if name.startswith("0")])
    assert drive(model, torch.optim.SGD(model.parameters(), lr=0.1), wanted, INPUTS).norm_reports(STEPS) == ()


@pytest.mark.parametrize("attach", [nn.utils.parametrizations.spectral_norm, nn.utils.spectral_norm])
def test_the_policy_leaves_spectral_norm_in_its_mode_whichever_way_it_is_attached(attach: Any) -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 4), attach(nn.Linear(4, 4)), nn.BatchNorm1d(4), nn.Linear(4, 2))
    wanted = plan([name for name, _ in model.named_modules() if name[:1] in ("1", "2")], norm="eval")
    freezer = drive(model, torch.optim.SGD(model.parameters(), lr=0.01), wanted, INPUTS)
    assert {name for name, module in model.named_modules() if not module.training} == {"2"}
    moved = {v.name.rpartition(".")[2]: [c.cause for c in v.causes] for v in freezer.verdicts(STEPS) if v.moved}
    vectors = {"_u", "_v"} if attach is nn.utils.parametrizations.spectral_norm else {"weight_u", "weight_v"}
    assert moved == {key: ["forward_write"] for key in vectors}
