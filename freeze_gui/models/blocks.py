"""The blocks of a model in order, and its head: the units in which people freeze and thaw."""

from __future__ import annotations

from freeze_gui.models.layer_tree import LayerNode, LayerTree

_CONTAINERS = ("Sequential", "ModuleList")


def head(tree: LayerTree) -> LayerNode:
    """Return the last block of the model that owns tensors: what fine-tuning trains at least."""
    node, counts = tree.root, tree.frozen_counts(frozenset())
    while len(children := _with_layers(tree, node, counts)) == 1 and not children[0].is_own_row:
        node = children[0]
    return children[-1] if children else node


def blocks(tree: LayerTree) -> list[LayerNode]:
    """Return the blocks in order: the children of the model that own tensors, plain containers opened."""
    node, counts = tree.root, tree.frozen_counts(frozenset())
    while len(children := _with_layers(tree, node, counts)) == 1:
        node = children[0]
    found = []
    for child in children:
        inside = _with_layers(tree, child, counts)
        found += inside if child.kind in _CONTAINERS and len(inside) > 1 else [child]
    return found


def _with_layers(tree: LayerTree, node: LayerNode, counts: list[tuple[int, int]]) -> list[LayerNode]:
    rows = (tree.nodes[child] for child in node.children)
    return [row for row in rows if row.alias_of is None and counts[row.index][1]]
