from __future__ import annotations

import time

import pytest
from torch import nn

from freeze_gui import run_config
from freeze_gui.freezing.plan import PhaseSettings
from freeze_gui.freezing.presets import gradual_unfreezing, has_body, head_first
from freeze_gui.models.layer_tree import LayerTree, build_tree
from freeze_gui.models.sources import open_model


@pytest.fixture(scope="module")
def digits() -> LayerTree:
    return build_tree(open_model("builtin:digits-cnn").module)


def stops(phases: tuple[PhaseSettings, ...]) -> dict[str, int | None]:
    return {phase.layers[0]: phase.stop for phase in phases}


def test_blocks_thaw_one_after_another_from_the_last_to_the_first_in_equal_stages(digits: LayerTree) -> None:
    # four blocks below the head: five stages of 60 steps
    phases = gradual_unfreezing(digits, 300)
    assert stops(phases) == {"stem": 240, "blocks.0": 180, "blocks.1": 120, "blocks.2": 60}
    assert all((phase.start, phase.unit, phase.lr_factor) == (0, "step", 1.0) for phase in phases)


def test_stages_that_do_not_come_out_even_end_at_whole_steps(digits: LayerTree) -> None:
    assert stops(gradual_unfreezing(digits, 7)) == {"stem": 5, "blocks.0": 4, "blocks.1": 2, "blocks.2": 1}


def test_in_a_short_run_blocks_share_a_phase_and_one_that_would_thaw_at_once_has_none(digits: LayerTree) -> None:
    assert gradual_unfreezing(digits, 3) == (
        PhaseSettings(("stem",), 0, 2), PhaseSettings(("blocks.0", "blocks.1"), 0, 1),
    )  # fmt: skip


def test_head_first_thaws_the_last_block_at_half_of_the_run_at_a_tenth_of_the_rate(digits: LayerTree) -> None:
    assert head_first(digits, 301) == (
        PhaseSettings(("stem", "blocks.0", "blocks.1")), PhaseSettings(("blocks.2",), 0, 150, "step", 0.1),
    )  # fmt: skip


def test_a_body_of_one_block_thaws_as_a_whole() -> None:
    tree = build_tree(nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2)))
    assert head_first(tree, 10) == (PhaseSettings(("0",), 0, 5, "step", 0.1),)
    assert gradual_unfreezing(tree, 10) == (PhaseSettings(("0",), 0, 5),)


def test_nothing_lies_below_the_head_of_a_single_layer() -> None:
    tree = build_tree(nn.Linear(2, 2))
    assert not has_body(tree)
    assert gradual_unfreezing(tree, 10) == head_first(tree, 10) == ()


def test_a_head_of_several_layers_trains_from_the_first_step() -> None:
    model = nn.Module()
    model.features = nn.Sequential(nn.Conv2d(1, 1, 1), nn.Conv2d(1, 1, 1))
    model.classifier = nn.Sequential(nn.Linear(1, 1), nn.ReLU(), nn.Linear(1, 1))
    tree = build_tree(model)
    assert stops(gradual_unfreezing(tree, 30)) == {"features.0": 20, "features.1": 10}


def test_the_bare_tensors_of_a_block_are_frozen_without_what_lies_below_it() -> None:
    model = nn.Module()
    model.scale = nn.Parameter(nn.Linear(1, 1).weight.detach())
    model.first, model.head = nn.Linear(1, 1), nn.Linear(1, 1)
    assert stops(gradual_unfreezing(build_tree(model), 30)) == {"(own)": 20, "first": 10}


def test_a_gradual_run_trains_more_parameters_stage_by_stage(digits: LayerTree) -> None:
    phases = [
        {"layers": list(phase.layers), "from": phase.start, "to": phase.stop}
        for phase in gradual_unfreezing(digits, 30)
    ]
    summary = run_config(
        {
            "model": {"source": "builtin:digits-cnn"},
            "freeze": {"phase": phases},
            "train": {"steps": 30, "eval_every": 30},
        },
        device="cpu",
    )
    assert summary["status"] == "completed"
    head = 64 * 5 + 5
    blocks = {2: 64 * 48 * 9 + 2 * 64, 1: 48 * 32 * 9 + 2 * 48, 0: 32 * 16 * 9 + 2 * 32}   # convolution and norm
    stem = 16 * 1 * 9 + 2 * 16
    assert summary["trainable_parameters"] == [
        {"step": 0, "count": head},
        {"step": 6, "count": head + blocks[2]},
        {"step": 12, "count": head + blocks[2] + blocks[1]},
        {"step": 18, "count": head + blocks[2] + blocks[1] + blocks[0]},
        {"step": 24, "count": head + blocks[2] + blocks[1] + blocks[0] + stem},
    ]
    held = {layer["path"]: layer["frozen_steps"] for layer in summary["layers"]}
    assert held["blocks.2.conv"] == [[0, 6]]
    assert held["stem.norm"] == [[0, 24]]
    assert held["head"] == []


def test_the_schedules_of_twenty_thousand_modules_are_there_at_once() -> None:
    rows = [nn.Sequential(*(nn.Linear(1, 1, device="meta") for _ in range(9))) for _ in range(2000)]
    tree = build_tree(nn.Sequential(*rows))
    began = time.perf_counter()
    assert has_body(tree)
    assert len(gradual_unfreezing(tree, 300)) < 300   # blocks that thaw at the same step share a phase
    assert len(head_first(tree, 300)) == 2
    assert time.perf_counter() - began < 2.0   # some 0.3 s here: a bound against quadratic work, not a benchmark
