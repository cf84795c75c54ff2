"""Schedules that people use by name, as phases for any model: gradual unfreezing, and the head first.

A model is its blocks in order, the last one being the head (`freeze_gui.models.blocks`). The head trains from the first
step in both, for a run in which everything is frozen has nothing to train.
"""

from __future__ import annotations

from freeze_gui.freezing.plan import PhaseSettings
from freeze_gui.models.blocks import blocks, head
from freeze_gui.models.layer_tree import LayerNode, LayerTree
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
        One phase a block, in the order of the model; empty where nothing lies below the head, and without the blocks
        that would thaw at step 0 in a run shorter than its stages.
    """
    body = _body(tree)
    found = []
    for place, block in enumerate(body):
        stop = total_steps * (len(body) - place) // (len(body) + 1)
        if stop:
            found.append(PhaseSettings(_patterns(tree, [block]), 0, stop))
    return tuple(found)


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
    last = PhaseSettings(_patterns(tree, body[-1:]), 0, total_steps // 2, lr_factor=THAWED_LR_FACTOR)
    return (PhaseSettings(_patterns(tree, body[:-1])), last) if body[1:] else (last,)


def _body(tree: LayerTree) -> list[LayerNode]:
    """Return the blocks below the head, in order."""
    above = frozenset(tree.layers_below(head(tree)))
    return [block for block in blocks(tree) if above.isdisjoint(tree.layers_below(block))]


def _patterns(tree: LayerTree, nodes: list[LayerNode]) -> tuple[str, ...]:
    return describe(tree, frozenset(layer for node in nodes for layer in tree.layers_below(node)))
