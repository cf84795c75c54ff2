"""What a person can do with the ticks of the tree, as plain functions from one set of frozen layers to the next."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from freeze_gui.models.blocks import blocks
from freeze_gui.models.layer_tree import LayerNode, LayerTree
from freeze_gui.models.selection import describe, with_passive_modules

Layers = frozenset[str]

_MOST_NAMES = 4
EVERYTHING_FROZEN = "Everything is frozen: nothing can train"


@dataclass(frozen=True)
class MixedMemory:
    """The mixed ticks below a parent before it was clicked, and the ticks that the clicks have led to since."""

    node: int
    mixed: Layers
    now: Layers


def click(
    tree: LayerTree, layers: Layers, node: LayerNode, tick: bool, memory: MixedMemory | None
) -> tuple[Layers, MixedMemory | None]:
    """Tick or untick a row and all below it; a mixed parent goes to all, then none, then back to what it was.

    Returns
    -------
    tuple
        The new set of frozen layers, and what to remember for the next click.
    """
    below = frozenset(tree.layers_below(node))
    if memory is not None and (memory.node != node.index or memory.now != layers):
        memory = None
    inside = layers & below
    if inside and inside != below:
        memory = MixedMemory(node.index, inside, layers | below)
        return layers | below, memory
    if tick and not inside and memory is not None:
        return layers | memory.mixed, None
    after = layers | below if tick else layers - below
    return after, None if memory is None else MixedMemory(node.index, memory.mixed, after)


def up_to(tree: LayerTree, node: LayerNode) -> Layers:
    """Freeze every layer from the first one to the last one of `node`."""
    last = max((tree.place_of_layer[layer] for layer in tree.layers_below(node)), default=-1)
    return frozenset(tree.layers[: last + 1])


def only(tree: LayerTree, nodes: Iterable[LayerNode]) -> Layers:
    """Freeze these rows and nothing else."""
    return frozenset(layer for node in nodes for layer in tree.layers_below(node))


def all_but(tree: LayerTree, nodes: Iterable[LayerNode]) -> Layers:
    """Freeze everything but these rows."""
    return frozenset(tree.layers) - only(tree, nodes)


def inverted(tree: LayerTree, layers: Layers) -> Layers:
    """Freeze what trains, and let what is frozen train."""
    return frozenset(tree.layers) - layers


def norm_layers(tree: LayerTree) -> Layers:
    """Return all normalisation layers."""
    return frozenset(layer for layer, node in tree.row_of_layer.items() if tree.by_path[node.path].is_norm)


def first_blocks(tree: LayerTree, count: int) -> Layers:
    """Freeze the first `count` blocks."""
    return only(tree, blocks(tree)[:count])


def modules_to_freeze(tree: LayerTree, layers: Layers) -> frozenset[str]:
    """Return the modules of a plan that freezes `layers`: these and the activations and dropout among them."""
    return with_passive_modules(tree, layers)


def patterns(tree: LayerTree, layers: Layers) -> tuple[str, ...]:
    """Return the ticks as patterns for a configuration."""
    return describe(tree, modules_to_freeze(tree, layers))


def status_line(tree: LayerTree, layers: Layers) -> str:
    """Return the line under the tree: the share that trains, and what is frozen, in a few words."""
    total = tree.root.parameters
    frozen = min(sum(tree.row_of_layer[layer].parameters for layer in layers), total)
    share = 100 * (total - frozen) / total if total else 0.0
    percent = f"{share:.0f}" if share == 0 or 1 <= share <= 99 or share == 100 else f"{share:.1f}"
    names = [name if name != "*" else "everything" for name in describe(tree, layers)]
    shown = ", ".join(names[:_MOST_NAMES])
    if len(names) > _MOST_NAMES:
        shown += f" and {len(names) - _MOST_NAMES} more"
    return f"{percent} % trainable · {total - frozen:,} of {total:,} parameters · frozen: {shown or 'nothing'}"


def warnings(tree: LayerTree, layers: Layers, method: str) -> list[str]:
    """Return what makes a run with these ticks pointless."""
    if layers and method == "eval_only":
        return ["eval() alone freezes no weight: choose another method to hold them"]
    if layers and layers >= frozenset(tree.layers):
        return [EVERYTHING_FROZEN]
    return []
