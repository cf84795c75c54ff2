from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from freeze_gui.freezing.context import FreezeContext
from freeze_gui.freezing.looks import Looks
from freeze_gui.freezing.methods import METHODS
from freeze_gui.freezing.side_effects import SideEffectWatch, ThawReport
from tests.freezing.drive import STEPS, drive, plan
from tests.freezing.drive import effects as drive_effects
from tests.support.runs import network_config, run_watched

CUTTING = {"no_grad", "detach"}
RECORDED = {"grad_none", "grad_zero", "exclude", "restore", "lr_zero", "eval_only"}   # the flags stay on


def effects(
    method: str, layers: list[str], optimizer: dict[str, Any] | None = None, **more: Any
) -> dict[str, list[str]]:
    """Run 12 steps of the small network and return kind → layers."""
    train = {key: more.pop(key) for key in ("clip_grad_norm",) if key in more}
    freeze = {"layers": layers, **more}
    config = network_config(method, optimizer or {"name": "Adam", "lr": 0.01}, freeze, steps=12, **train)
    summary = run_watched(config)[2].summary()
    assert summary["status"] == "completed", summary["error"]
    assert all(effect["text"].endswith(".") for effect in summary["side_effects"])
    return {effect["kind"]: effect["layers"] for effect in summary["side_effects"]}


@pytest.mark.parametrize("method", METHODS)
def test_a_block_frozen_in_the_middle_cuts_upstream_exactly_where_the_graph_ends(method: str) -> None:
    cut = effects(method, ["middle"]).get("upstream_cut")
    assert cut == (["first", "norm"] if method in CUTTING else None)


@pytest.mark.parametrize("method", METHODS)
def test_freezing_from_the_input_on_saves_activations_unless_the_flags_stay_on(method: str) -> None:
    found = effects(method, ["first", "norm", "middle"]).get("no_saving")
    assert found == (["first", "norm", "middle.0"] if method in RECORDED else None)


@pytest.mark.parametrize("method", ["requires_grad", "filter"])
def test_flags_off_in_the_middle_save_nothing(method: str) -> None:
    assert effects(method, ["middle"])["no_saving"] == ["middle.0"]


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("zero_grad", ["none", "zero"])
def test_state_evolves_exactly_for_what_is_in_a_group_and_has_a_gradient(method: str, zero_grad: str) -> None:
    found = effects(method, ["middle"], {"name": "Adam", "zero_grad": zero_grad}, from_step=3).get("state_evolving")
    flags_off_but_zeroed = method in {"requires_grad", *CUTTING} and zero_grad == "zero"
    evolves = method in {"grad_zero", "lr_zero", "restore", "eval_only"} or flags_off_but_zeroed
    assert found == (["middle.0"] if evolves else None)


def test_an_optimizer_without_state_has_none_that_evolves() -> None:
    assert "state_evolving" not in effects("lr_zero", ["middle"], {"name": "SGD", "lr": 0.1})


class TwoStates(torch.optim.SGD):
    """Keeps two tensors of each parameter, of which the second counts by `adds`."""

    adds = 0.0

    def step(self, closure: Any = None) -> None:   # type: ignore[override]
        super().step()
        for p in self.param_groups[0]["params"]:
            state = self.state[p]
            state["start"] = torch.zeros(2)
            state["count"] = state.get("count", torch.zeros(1)) + self.adds


@pytest.mark.parametrize("adds", [0.0, 1.0])
def test_a_state_evolves_if_any_of_its_tensors_does(adds: float) -> None:
    model = Paths("nothing")
    optimizer = TwoStates(model.parameters(), lr=0.1)
    optimizer.adds = adds
    found = drive_effects(drive(model, optimizer, plan(["middle"], 2, method="grad_zero"), INPUTS))
    assert found.get("state_evolving") == (("middle",) if adds else None)


@pytest.mark.parametrize("method", METHODS)
def test_frozen_gradients_inflate_the_clipping_norm_where_they_are_left_in_place(method: str) -> None:
    found = effects(method, ["middle"], clip_grad_norm=0.1).get("clip_inflated")
    assert found == (["middle.0"] if method in {"exclude", "restore", "lr_zero", "eval_only"} else None)


def test_without_clipping_nothing_is_inflated() -> None:
    assert "clip_inflated" not in effects("lr_zero", ["middle"])


@pytest.mark.parametrize("method", METHODS)
def test_gradients_pile_up_where_no_optimizer_clears_them(method: str) -> None:
    assert effects(method, ["middle"]).get("gradients_accumulate") == (["middle.0"] if method == "exclude" else None)


def test_a_thaw_with_the_momentum_of_restored_steps_jumps_and_a_reset_one_does_not() -> None:
    # ten restored steps pile up to (1 − 0.9¹⁰) / 0.1 = 6.5 gradients of momentum that the weights never followed
    sgd = {"name": "SGD", "lr": 0.001, "momentum": 0.9}
    window = {"from_step": 0, "to_step": 10}
    assert effects("restore", ["middle"], sgd, **window)["thaw_jump"] == ["middle.0"]
    assert "thaw_jump" not in effects("restore", ["middle"], sgd, thaw="reset_state", **window)
    assert "thaw_jump" not in effects("grad_none", ["middle"], sgd, **window)


def test_a_trainable_layer_in_no_group_is_a_dead_thaw() -> None:
    model = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2), nn.Linear(2, 2))
    optimizer = torch.optim.SGD([*model[0].parameters(), *model[1].parameters()], lr=0.1)
    context = FreezeContext(model, optimizer)
    looks = Looks()
    watch = SideEffectWatch(context, clipping=False, looks=looks)
    context.frozen = frozenset({"0"})
    watch.before_forward()
    model(torch.ones(1, 2)).sum().backward()
    watch.after_backward({id(p) for p in model.parameters()})
    looks.finish()
    found = {effect.kind: effect.layers for effect in watch.side_effects()}
    assert found["dead_thaw"] == ("2",)


def test_nothing_frozen_has_no_side_effects() -> None:
    assert effects("requires_grad", []) == {}


class Paths(nn.Module):
    """Three layers, with something done to what lies between them."""

    def __init__(self, what: str) -> None:
        super().__init__()
        self.front, self.middle, self.side, self.last = (nn.Linear(4, 4) for _ in range(4))
        self.what = what

    def forward(self, x: Tensor) -> Tensor:
        front: Tensor = self.front(x)
        if self.what == "detached in front":
            front = front.detach()
        if self.what == "checkpointed":
            middle: Tensor = checkpoint(self.middle, front, use_reentrant=False)
        elif self.what == "the model's own no_grad":
            with torch.no_grad():
                middle = self.middle(front)
        else:
            middle = self.middle(front)
        if self.what == "residual":
            middle = middle + front
        if self.what == "a branch that learns nothing by itself":
            middle = middle + self.side(x).detach()
        found: Tensor = self.last(middle)
        return found


INPUTS = torch.randn(8, 4, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("method", ["requires_grad", "no_grad", "detach", "grad_none"])
@pytest.mark.parametrize(
    ("what", "cut_by_wrapping"),
    [
        ("nothing", True),
        ("checkpointed", True),
        ("a branch that learns nothing by itself", True),
        ("residual", False),             # the gradient goes around the frozen layer
        ("detached in front", False),    # the model cuts by itself, with or without the freeze
    ],
)
def test_only_layers_that_the_freeze_itself_cuts_off_are_named(what: str, cut_by_wrapping: bool, method: str) -> None:
    if what == "checkpointed" and method == "no_grad":
        pytest.skip("torch refuses to checkpoint what needs no gradient")
    model = Paths(what)
    found = drive_effects(drive(model, torch.optim.Adam(model.parameters()), plan(["middle"], method=method), INPUTS))
    cut = cut_by_wrapping and method in CUTTING
    assert found.get("upstream_cut") == (("front",) if cut else None)


@pytest.mark.parametrize("method", ["requires_grad", "grad_none"])
def test_a_model_that_runs_its_middle_under_no_grad_is_not_blamed_on_the_freeze(method: str) -> None:
    model = Paths("the model's own no_grad")
    found = drive_effects(drive(model, torch.optim.Adam(model.parameters()), plan(["middle"], method=method), INPUTS))
    assert "upstream_cut" not in found


def test_a_tied_tensor_that_a_frozen_layer_holds_is_not_cut_off_elsewhere() -> None:
    model = nn.Sequential(nn.Linear(4, 4, bias=False), nn.Tanh(), nn.Linear(4, 4, bias=False), nn.Linear(4, 2))
    model[2].weight = model[0].weight
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    found = drive_effects(drive(model, optimizer, plan(["2"], method="detach"), INPUTS))
    assert "upstream_cut" not in found


@pytest.mark.parametrize(("zero_grad", "enters"), [("none", False), ("zero", False), ("never", True)])
def test_a_stale_gradient_enters_the_clipping_norm_and_zeros_do_not(zero_grad: str, enters: bool) -> None:
    optimizer = {"name": "SGD", "lr": 0.1, "zero_grad": zero_grad}
    found = effects("requires_grad", ["middle"], optimizer, clip_grad_norm=0.1, from_step=3)
    assert found.get("clip_inflated") == (["middle.0"] if enters else None)


def test_a_module_that_a_model_puts_in_mid_run_is_in_no_group_and_dead() -> None:
    model = Paths("nothing")

    def swap(step: int) -> None:
        if step == 2:
            model.last = nn.Linear(4, 4)

    freezer = drive(model, torch.optim.SGD(model.parameters(), lr=0.1), plan(["front"]), INPUTS, after=swap)
    assert drive_effects(freezer)["dead_thaw"] == ("last",)


def test_a_parameter_that_somebody_lets_learn_again_by_hand_is_in_its_group_and_not_dead() -> None:
    model = Paths("nothing")
    model.front.weight.requires_grad_(False)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)

    def let_go(step: int) -> None:
        model.front.weight.requires_grad_(True)

    freezer = drive(model, optimizer, plan(["middle"]), INPUTS, after=let_go)
    assert "dead_thaw" not in drive_effects(freezer)


def test_a_thawed_layer_that_was_left_out_of_every_group_is_dead_when_nothing_is_frozen_any_more() -> None:
    model = Paths("nothing")
    optimizer = torch.optim.SGD([*model.front.parameters(), *model.last.parameters()], lr=0.1)
    freezer = drive(model, optimizer, plan(["middle"], 0, 3), INPUTS)
    assert drive_effects(freezer)["dead_thaw"] == ("middle",)


def test_a_layer_in_no_group_is_no_effect_of_a_freeze_where_nothing_was_frozen() -> None:
    model = Paths("nothing")
    optimizer = torch.optim.SGD([*model.front.parameters(), *model.last.parameters()], lr=0.1)
    assert drive_effects(drive(model, optimizer, plan([]), INPUTS)) == {}


def test_a_tied_tensor_that_is_excluded_under_one_name_is_not_dead_under_the_other() -> None:
    model = nn.Sequential(nn.Linear(4, 4, bias=False), nn.Tanh(), nn.Linear(4, 4, bias=False), nn.Linear(4, 2))
    model[2].weight = model[0].weight
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    found = drive_effects(drive(model, optimizer, plan(["2"], method="exclude"), INPUTS))
    assert "dead_thaw" not in found
    assert found["gradients_accumulate"] == ("2",)


class OneWeight(nn.Module):
    """The loss is (w·c)² with a gradient of 1 at every step: the weight learns nothing from its own steps."""

    def __init__(self) -> None:
        super().__init__()
        self.held, self.other = nn.Linear(1, 1, bias=False), nn.Linear(1, 1)

    def forward(self, x: Tensor) -> Tensor:
        # squared and summed by the loop: d/dw of (sqrt(1 + w − w₀))² is 1 wherever w is
        here = self.held.weight
        found: Tensor = torch.sqrt(1 + here - here.detach()) + 0 * self.other(x)
        return found


@pytest.mark.parametrize(("dropped_by", "expected"), [("nobody", STEPS), ("the person's own loop", 1)])
def test_gradients_of_an_excluded_layer_grow_where_nobody_drops_them_and_only_then_is_it_told(
    dropped_by: str, expected: int
) -> None:
    model = OneWeight()   # a gradient of 1 at every step
    seen = []

    def look(step: int) -> None:
        assert model.held.weight.grad is not None
        seen.append(float(model.held.weight.grad))
        if dropped_by != "nobody":
            model.zero_grad()

    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    found = drive_effects(drive(model, optimizer, plan(["held"], method="exclude"), torch.ones(1, 1), after=look))
    assert seen[-1] == expected
    assert ("gradients_accumulate" in found) == (expected > 1)


class Clearing(OneWeight):
    """Clears its gradients at the start of its forward, by writing zeros into them or by letting them go."""

    def __init__(self, how: str) -> None:
        super().__init__()
        self.how = how

    def forward(self, x: Tensor) -> Tensor:
        for p in self.parameters():
            if p.grad is not None and self.how == "zero":
                p.grad.zero_()
            elif self.how == "none":
                p.grad = None
        return super().forward(x)


@pytest.mark.parametrize(("how", "expected"), [("zero", 1), ("none", 1), ("never", STEPS)])
def test_gradients_that_a_model_clears_in_its_own_forward_have_not_grown(how: str, expected: int) -> None:
    model = Clearing(how)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    found = drive_effects(drive(model, optimizer, plan(["held"], method="exclude"), torch.ones(1, 1)))
    assert float(model.held.weight.grad) == expected   # type: ignore[arg-type]
    assert ("gradients_accumulate" in found) == (expected > 1)


def test_the_gradient_of_one_excluded_step_has_not_grown() -> None:
    model = OneWeight()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    freezer = drive(model, optimizer, plan(["held"], 0, 1, method="exclude"), torch.ones(1, 1))
    assert "gradients_accumulate" not in drive_effects(freezer)


def test_gradients_that_the_optimizer_zeroes_have_not_grown_beside_a_layer_in_no_group() -> None:
    model = Paths("nothing")
    optimizer = torch.optim.SGD([*model.front.parameters(), *model.last.parameters()], lr=0.1)   # middle in none
    found = drive_effects(drive(model, optimizer, plan(["front"], method="lr_zero"), INPUTS, zero_grad="zero"))
    assert found["dead_thaw"] == ("middle",)
    assert "gradients_accumulate" not in found


def thaw_of(
    method: str, optimizer: torch.optim.Optimizer, model: OneWeight, frozen: tuple[int, int], thaw: str = "keep_state"
) -> tuple[ThawReport, dict[str, tuple[str, ...]]]:
    window = plan(["held"], *frozen, method=method, thaw=thaw)
    freezer = drive(model, optimizer, window, torch.ones(1, 1), steps=frozen[1] + 1, zero_grad="zero")
    (report,) = (r for r in freezer.thaws() if r.layer == "held")
    return report, drive_effects(freezer)


@pytest.mark.parametrize("method", ["restore", "lr_zero"])
@pytest.mark.parametrize("held_steps", [2, 5, 20])
def test_the_first_step_after_restored_steps_carries_their_whole_momentum(method: str, held_steps: int) -> None:
    model = OneWeight()
    report, found = thaw_of(method, torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9), model, (0, held_steps))
    # momentum of n + 1 gradients of 1: the sum of the powers of 0.9
    expected = (1 - 0.9 ** (held_steps + 1)) / 0.1
    assert (report.step, report.layer, report.lr) == (held_steps, "held", 0.01)
    assert report.over_fresh == pytest.approx(expected, rel=1e-4)
    assert report.over_lr == pytest.approx(expected, rel=1e-4)
    assert report.largest_update == pytest.approx(0.01 * expected, rel=1e-4)
    assert found["thaw_jump"] == ("held",)


def test_zeros_fed_to_adam_make_the_first_live_step_as_large_as_the_root_of_ten() -> None:
    model = OneWeight()
    report, found = thaw_of("grad_zero", torch.optim.Adam(model.parameters(), lr=0.01), model, (0, 3000))
    # m = 0.1 and v = 0.001 with both corrections at 1 by then … 1 − 0.999³⁰⁰¹ = 0.9503
    assert report.over_lr == pytest.approx(0.1 / (0.001 / (1 - 0.999**3001)) ** 0.5, rel=1e-3)
    assert report.over_fresh == pytest.approx(report.over_lr, rel=1e-3)   # a fresh first step of Adam is lr
    assert found["thaw_jump"] == ("held",)


@pytest.mark.parametrize("method", ["restore", "lr_zero", "grad_zero"])
def test_a_fresh_state_makes_the_first_step_one_step(method: str) -> None:
    model = OneWeight()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    report, found = thaw_of(method, optimizer, model, (2, 30), thaw="reset_state")
    assert report.over_fresh == pytest.approx(1.0, rel=1e-6)
    assert "thaw_jump" not in found


def test_momentum_from_before_the_freeze_is_no_jump() -> None:
    model = OneWeight()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)
    report, found = thaw_of("grad_none", optimizer, model, (10, 15))
    assert report.over_fresh == pytest.approx((1 - 0.9**11) / 0.1, rel=1e-4)   # it goes on as if it had paused
    assert "thaw_jump" not in found


def test_of_a_layer_that_thaws_again_and_again_the_first_reports_are_kept() -> None:
    phases = [{"layers": ["middle"], "from": 2 * n, "to": 2 * n + 1} for n in range(12)]
    config = network_config("grad_none", {"name": "SGD", "lr": 0.1}, {"phase": phases}, steps=30)
    del config["freeze"]["layers"]
    thaws = run_watched(config)[2].summary()["thaws"]
    assert [report["step"] for report in thaws][:8] == [1, 3, 5, 7, 9, 11, 13, 15]
    assert all(report["over_fresh"] == pytest.approx(1.0) for report in thaws)   # plain SGD: every step is a fresh one
