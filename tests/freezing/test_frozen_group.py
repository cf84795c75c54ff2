from __future__ import annotations

import tracemalloc

import pytest
import torch
from torch import nn

from freeze_gui.freezing import values
from freeze_gui.freezing.frozen_group import FrozenGroup, grouped
from freeze_gui.freezing.taken_step import TakenStep
from freeze_gui.freezing.watched import every_tensor
from tests.support.stand_in_device import StandInDevice


def named(groups: list[FrozenGroup]) -> list[list[str]]:
    return [[watched.name for watched in group.members] for group in groups]


def linear(count: int) -> tuple[list[nn.Linear], FrozenGroup]:
    """Return layers whose weights and biases are zero, and the one group that they freeze in."""
    layers = [nn.Linear(2, 2) for _ in range(count)]
    for layer in layers:
        nn.init.zeros_(layer.weight)
        nn.init.zeros_(layer.bias)
    (group,) = grouped(every_tensor(nn.Sequential(*layers)), 0)
    return layers, group


def settled(group: FrozenGroup) -> list[tuple[str, float, float, bool, bool]]:
    moves = TakenStep([group], frozenset(), [], {}, {}).moves(())
    return [(move.watched.name, move.change, move.distance, move.before, move.within) for move in moves]


def written(group: FrozenGroup, step: int) -> list[str]:
    which = group.written(step)
    return [] if which is None else [watched.name for watched, did in zip(group.members, which, strict=True) if did]


def test_small_tensors_of_one_kind_are_compared_together_and_large_ones_where_they_are() -> None:
    model = nn.Sequential(nn.Linear(200, 200), nn.BatchNorm1d(200), nn.Linear(200, 3))
    groups = named(grouped(every_tensor(model), 0))
    assert groups == [
        ["0.weight"],
        ["0.bias", "1.weight", "1.bias", "2.weight", "2.bias"],
        ["1.running_mean", "1.running_var"],
        ["1.num_batches_tracked"],
    ]


def test_a_tensor_without_elements_is_watched_also_where_it_is_the_first() -> None:
    module = nn.Module()
    for name, size in (("a", 0), ("b", 3)):
        module.register_buffer(name, torch.zeros(size))
    (group,) = grouped(every_tensor(module), 2)
    assert [(watched.name, watched.began) for watched in group.members] == [("a", 2), ("b", 2)]
    module.a = torch.zeros(2)   # as one that was None when it froze
    assert [name for name, *_ in settled(group)] == ["a"]


def test_moves_before_and_within_the_step_and_from_the_start_are_told_apart() -> None:
    a, b, model = torch.zeros(3), torch.zeros(2), nn.Module()
    model.register_buffer("a", a)
    model.register_buffer("b", b)
    (group,) = grouped(every_tensor(model), 0)
    a += 1.0
    group.see()
    assert settled(group) == [("a", 1.0, 1.0, True, False)]
    group.see()
    a -= 0.25
    b[1] = 2.0
    assert settled(group) == [("a", 0.25, 0.75, False, True), ("b", 2.0, 2.0, False, True)]
    group.see()
    assert settled(group) == []
    a += 1.0
    group.see()
    a -= 1.0   # and back again
    assert settled(group) == []


def test_a_write_is_seen_at_the_next_look_once_torch_has_counted_it() -> None:
    layers, group = linear(2)
    for _ in range(4):
        settled(group)
    assert written(group, 4) == []
    with torch.no_grad():
        layers[0].weight.add_(1.0)
    assert written(group, 4) == ["0.weight"]
    assert written(group, 4) == []
    assert settled(group) == [("0.weight", 1.0, 1.0, True, False)]


def test_those_that_stay_frozen_keep_their_values_when_others_thaw() -> None:
    layers, group = linear(3)
    with torch.no_grad():
        layers[0].bias.add_(1.0)
    settled(group)
    group.keep([watched for watched in group.members if watched.layer in ("0", "2")])
    with torch.no_grad():
        layers[0].bias.add_(0.5)
        layers[1].bias.add_(5.0)
        layers[2].weight.add_(3.0)
    names = [(name, change, distance) for name, change, distance, *_ in settled(group)]
    assert names == [("0.bias", 0.5, 1.5), ("2.weight", 3.0, 3.0)]


def test_what_is_told_late_is_that_of_the_step_though_some_have_thawed_and_all_were_written_since() -> None:
    layers, group = linear(3)
    with torch.no_grad():
        layers[0].bias.add_(1.0)
        layers[1].weight.add_(2.0)
        taken = TakenStep([group], frozenset(), [], {}, {})
        group.keep([watched for watched in group.members if watched.layer in ("0", "2")])
        layers[0].bias.add_(0.5)
        layers[1].weight.add_(5.0)
        assert written(group, 1) == ["0.bias"]
        moves = [(move.watched.name, move.change, move.distance) for move in taken.moves(())]
        assert moves == [("0.bias", 1.0, 1.0), ("1.weight", 2.0, 2.0)]
        held = [values.tensor(3).tolist() for _, values in taken.held]   # the bias of layer 1, and behind it
        assert held == [[0.0, 0.0]]
        layers[2].weight.add_(3.0)
    assert settled(group) == [("0.bias", 0.5, 1.5, True, False), ("2.weight", 3.0, 3.0, False, True)]


def test_a_group_that_holds_keeps_one_copy_on_a_device_also_if_some_thaw_before_that_is_known() -> None:
    with StandInDevice().there():
        (group,) = grouped(every_tensor(nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2)).to("cuda")), 0)
        for step in range(2):
            taken = TakenStep([group], frozenset(), [], {}, {})
            assert group._last is not group._reference   # nobody knows yet
            if step == 0:
                group.keep(group.members[2:])
            assert taken.unread is not None
            assert taken.moves(taken.unread.tolist()) == []
    assert group._last is group._seen is group._reference


def test_a_tensor_of_another_shape_in_the_place_of_one_has_moved_and_hides_no_other() -> None:
    layers, group = linear(2)
    layers[1].bias = nn.Parameter(torch.zeros(5))
    with torch.no_grad():
        layers[0].bias.add_(1.0)
    assert [name for name, *_ in settled(group)] == ["0.bias", "1.bias"]
    assert settled(group) == []
    with torch.no_grad():
        layers[0].bias.add_(1.0)
    assert settled(group)[0][:3] == ("0.bias", 1.0, 2.0)


@pytest.mark.parametrize("other", [None, nn.Parameter(torch.zeros(5)), nn.Parameter(torch.zeros(2).double())])
@pytest.mark.parametrize("count", [1, 2])
def test_a_tensor_of_another_kind_may_go_again_and_the_first_be_back(count: int, other: nn.Parameter | None) -> None:
    layers, group = linear(count)
    own = layers[0].bias
    layers[0].register_parameter("bias", other)
    assert [name for name, *_ in settled(group)] == ["0.bias"]
    layers[0].bias = own
    assert [(name, distance) for name, _, distance, *_ in settled(group)] == [("0.bias", 0.0)]
    assert settled(group) == []


@pytest.mark.parametrize("other", [torch.zeros(2).bfloat16(), torch.zeros(2, 1), torch.zeros(3)])
@pytest.mark.parametrize("count", [1, 2])
def test_a_tensor_whose_memory_becomes_one_of_another_kind_has_moved(count: int, other: torch.Tensor) -> None:
    layers, group = linear(count)
    own = layers[0].bias.data
    layers[0].bias.data = other   # the parameter is the same, and its numbers too
    assert [name for name, *_ in settled(group)] == ["0.bias"]
    assert settled(group) == []
    layers[0].bias.data = own
    assert [(name, distance) for name, _, distance, *_ in settled(group)] == [("0.bias", 0.0)]


def test_those_that_stay_are_compared_on_when_one_of_another_kind_thaws() -> None:
    layers, group = linear(2)
    layers[0].bias = nn.Parameter(torch.zeros(5))
    settled(group)
    group.keep([watched for watched in group.members if watched.layer == "1"])
    assert settled(group) == []
    with torch.no_grad():
        layers[1].bias.add_(1.0)
    assert settled(group)[0][:3] == ("1.bias", 1.0, 1.0)


def test_the_window_of_each_member_begins_at_the_step() -> None:
    watched = every_tensor(nn.Linear(2, 2))
    grouped(watched, 7)
    assert [one.began for one in watched] == [7, 7]


def test_what_was_written_and_put_back_is_not_seen_as_written_in_the_next_step() -> None:
    layers, group = linear(1)
    with torch.no_grad():
        layers[0].weight.add_(1.0)
        assert written(group, 0) == ["0.weight"]
        layers[0].weight.sub_(1.0)
    assert settled(group) == []
    assert written(group, 1) == []   # a young window is compared at each look


def test_what_holds_still_is_compared_by_one_call_for_all(monkeypatch: pytest.MonkeyPatch) -> None:
    def one_by_one(pairs: object) -> list[bool]:
        raise AssertionError("a call for each")

    layers, group = linear(3)
    for name in ("flags", "apart"):
        monkeypatch.setattr(values, name, one_by_one)
    assert settled(group) == []
    with torch.no_grad():
        layers[1].bias.add_(1.0)
    assert settled(group) == [("1.bias", 1.0, 1.0, False, True)]
    group.keep(group.members[2:])
    assert settled(group) == []


def test_to_tell_how_far_many_small_buffers_moved_takes_little_memory() -> None:
    model = nn.Sequential(*(nn.BatchNorm1d(16384, affine=False) for _ in range(64)))
    groups = grouped([w for w in every_tensor(model) if w.key != "num_batches_tracked"], 0)
    for buffer in model.buffers():
        buffer.add_(1)
    tracemalloc.start()   # NumPy tells it of its arrays
    try:
        moves = TakenStep(groups, frozenset(), [], {}, {}).moves(())
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert [move.change for move in moves] == [1.0] * 128
    assert peak < 8e6   # in double precision all of them take 17 MB


def test_complex_weights_on_a_device_that_hold_are_compared_without_a_wait() -> None:
    """They fit into no array."""
    device = StandInDevice()
    with device.there():
        (group,) = grouped(every_tensor(nn.Linear(2, 1, bias=False, dtype=torch.complex64).to("cuda")), 0)
        with device.counted() as waits:
            taken = TakenStep([group], frozenset(), [], {}, {})
        assert waits == []
        assert taken.unread is not None
        assert taken.moves(taken.unread.tolist()) == []
