"""Schedules that people use by name, as phases for any model: gradual unfreezing, and the head first.

A model is its blocks in order, the last one being the head (`freeze_gui.models.blocks`). The head trains from the first
step in both, for a run in which everything is frozen has nothing to train.
"""

from __future__ import annotations

from freeze_gui.freezing.plan import PhaseSettings
from freeze_gui.models.blocks import blocks, head
from freeze_gui.models.layer_tree import OWN, LayerNode, LayerTree
from freeze_gui.models.selection import describe

THAWED_LR_FACTOR = 0.1
"""Learning rate of a pretrained block that thaws beside a trained head: ten times smaller than the head's."""


def has_body(tree: LayerTree) -> bool:
    """Tell whether anything lies below the head, which is what these schedules freeze."""
    return bool(_body(tree))


def gradual_unfreezing(tree: LayerTree, total_steps: int) -> tuple[PhaseSettings, ...]:
    """Thaw one block after another, from the last to the first, in equal stages of the run.

    With `n` blocks below the head the run has `n + 1` stages. In the first one the head trains alone; the block that is
    `k`-th from the head holds until step ``total_steps * k // (n + 1)``.

    Returns
    -------
    tuple
        One phase a block, in the order of the model. In a run shorter than its stages the blocks that thaw at the same
        step share a phase, and those that would thaw at step 0 have none. Empty where nothing lies below the head.
    """
    body = _body(tree)
    names: dict[int, list[str]] = {}
    for place, block in enumerate(body):
        names.setdefault(total_steps * (len(body) - place) // (len(body) + 1), []).append(_name(block))
    return tuple(PhaseSettings(tuple(patterns), 0, stop) for stop, patterns in names.items() if stop)


def head_first(tree: LayerTree, total_steps: int) -> tuple[PhaseSettings, ...]:
    """Train the head alone for half of the run, then the last block below it too, at a tenth of the learning rate.

    Returns
    -------
    tuple
        What holds throughout, then what thaws at ``total_steps // 2``; empty where nothing lies below the head.
    """
    body = _body(tree)
    if not body:
        return ()
    last = PhaseSettings((_name(body[-1]),), 0, total_steps // 2, lr_factor=THAWED_LR_FACTOR)
    before = describe(tree, frozenset[str]().union(*(_layers(tree, block) for block in body[:-1])))
    return (PhaseSettings(before), last) if before else (last,)


def _body(tree: LayerTree) -> list[LayerNode]:
    """Return the blocks below the head, in order."""
    above = _layers(tree, head(tree))
    return [block for block in blocks(tree) if above.isdisjoint(_layers(tree, block))]


def _layers(tree: LayerTree, node: LayerNode) -> frozenset[str]:
    return frozenset(path for path in tree.modules_below(node) if path in tree.row_of_layer)


def _name(node: LayerNode) -> str:
    """Return the pattern of a row and all below it."""
    return f"{node.path}.{OWN}".lstrip(".") if node.is_own_row else node.path
