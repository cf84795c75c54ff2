"""nn.Module → a tree of plain nodes: path, kind, shapes, counts, tied tensors, bare parameters.

A *layer* is a module that itself owns parameters or buffers. Each layer has exactly one row in the tree. A module
that owns tensors *and* has children gets an extra first child, the row ``(own)``, so that its bare parameters can be
frozen without what lies below it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

OWN = "(own)"
"""Name of the row, and last part of the pattern, that stands for a block's own tensors alone."""


@dataclass(slots=True)
class LayerNode:
    """One row of the tree.

    Attributes
    ----------
    index, parent, children
        Positions in `LayerTree.nodes`; the root's parent is -1.
    name, path
        Last part and whole of the dotted path; the root's path is empty. An ``(own)`` row has its owner's path.
    kind
        Class name of the module; ``Parameter`` for an ``(own)`` row.
    layer
        Path of the layer whose tensors this row stands for, or None for a row that owns none.
    parameters, buffers
        Elements of this row and all below it, tied tensors counted once.
    own_names
        Names of the tensors that the row itself owns.
    is_norm, is_dropout
        Whether the module behaves differently in training mode because of statistics or dropout.
    output_shape
        Of one sample, where a forward gave it.
    tied
        Other full names under which tensors of this row are registered.
    alias_of
        Path of the first registration when the same module hangs in the tree twice.
    """

    index: int
    name: str
    path: str
    kind: str
    parent: int
    layer: str | None = None
    children: list[int] = field(default_factory=list)
    parameters: int = 0
    buffers: int = 0
    own_names: tuple[str, ...] = ()
    is_norm: bool = False
    is_dropout: bool = False
    output_shape: tuple[int, ...] | None = None
    tied: tuple[str, ...] = ()
    alias_of: str | None = None

    @property
    def is_own_row(self) -> bool:
        """Whether this is the row of a block's bare tensors."""
        return self.name == OWN


class LayerTree:
    """The rows of one model, depth first.

    Attributes
    ----------
    nodes
        All rows; `nodes[0]` is the root.
    layers
        Paths of the layers in registration order: the row order of every table, plot and array of a run.
    place_of_layer
        Path of a layer → its place in `layers`.
    modules
        Paths of all modules, the root ("") first.
    ends
        For each row the row after the last one below it.
    """

    def __init__(self, nodes: list[LayerNode]) -> None:
        self.nodes = nodes
        self.layers: tuple[str, ...] = tuple(
            node.layer for node in nodes if node.layer is not None and node.alias_of is None
        )
        self.modules: tuple[str, ...] = tuple(node.path for node in nodes if not node.is_own_row)
        self.by_path: dict[str, LayerNode] = {node.path: node for node in nodes if not node.is_own_row}
        self.row_of_layer: dict[str, LayerNode] = {
            node.layer: node for node in nodes if node.layer is not None and node.alias_of is None
        }
        self.place_of_layer: dict[str, int] = {layer: place for place, layer in enumerate(self.layers)}
        ends = list(range(1, len(nodes) + 1))   # where each subtree ends: rows below a row come right after it
        for node in reversed(nodes):
            if node.children:
                ends[node.index] = ends[node.children[-1]]
        before = np.cumsum([0] + [node.layer is not None and node.alias_of is None for node in nodes])
        self._has_aliases = any(node.alias_of is not None for node in nodes)
        rows = np.array([n.index if n.alias_of is None else self.by_path[n.alias_of].index for n in nodes], np.int64)
        self.ends: NDArray[np.int64] = np.array(ends, np.int64)
        self._first_layer, self._last_layer = before[rows], before[self.ends[rows]]

    @property
    def root(self) -> LayerNode:
        """The row of the whole model."""
        return self.nodes[0]

    def modules_below(self, node: LayerNode) -> frozenset[str]:
        """Return the module paths that freezing `node` freezes: its own and all below, aliases resolved."""
        paths = set()
        for row in self.rows_below(node):
            target = row.path if row.alias_of is None else row.alias_of
            paths.add(target)
            if row.alias_of is not None:
                paths |= self.modules_below(self.by_path[row.alias_of])
        return frozenset(paths)

    def layers_below(self, node: LayerNode) -> tuple[str, ...]:
        """Return the layers among `modules_below`, in the order of `layers`."""
        if not self._has_aliases:
            return self.layers[self._first_layer[node.index] : self._last_layer[node.index]]
        found = self.modules_below(node)
        return tuple(layer for layer in self.layers if layer in found)

    def mask(self, layers: Iterable[str]) -> NDArray[np.bool_]:
        """Return one flag a layer: whether it is among `layers`, which may name other modules too."""
        flags = np.zeros(len(self.layers), bool)
        flags[[self.place_of_layer[layer] for layer in layers if layer in self.place_of_layer]] = True
        return flags

    def sums(self, of_layers: NDArray[np.bool_]) -> NDArray[np.int64]:
        """Return for each row how many layers at and below it have their flag set; an alias counts as what it names."""
        running = np.concatenate([[0], np.cumsum(of_layers)])
        found: NDArray[np.int64] = running[self._last_layer] - running[self._first_layer]
        return found

    def frozen_counts(self, modules: frozenset[str]) -> list[tuple[int, int]]:
        """Return for each row how many of the layers at and below it are in `modules`, and how many there are."""
        totals = self._last_layer - self._first_layer
        return list(zip(self.sums(self.mask(modules)).tolist(), totals.tolist(), strict=True))

    def rows_below(self, node: LayerNode) -> list[LayerNode]:
        """Return `node` and every row below it, depth first; what an alias stands for is not among them."""
        return self.nodes[node.index : self.ends[node.index]]


def build_tree(module: nn.Module, output_shapes: Mapping[str, tuple[int, ...]] | None = None) -> LayerTree:
    """Read the tree of `module`; works on the meta device too.

    Parameters
    ----------
    module
        The model.
    output_shapes
        Module path → output shape of one sample, shown beside the row.

    Returns
    -------
    LayerTree
    """
    nodes: list[LayerNode] = []
    first_path: dict[int, str] = {}
    names = _names_of_tensors(module)
    shapes = output_shapes or {}

    def add(current: nn.Module, name: str, path: str, parent: int) -> LayerNode:
        node = LayerNode(len(nodes), name, path, type(current).__name__, parent)
        node.is_norm, node.is_dropout = is_norm(current), is_dropout(current)
        node.output_shape = shapes.get(path)
        nodes.append(node)
        if parent >= 0:
            nodes[parent].children.append(node.index)
        if id(current) in first_path:
            node.alias_of = first_path[id(current)]
            return node
        first_path[id(current)] = path
        own = own_tensors(current)
        children = [(key, child) for key, child in current._modules.items() if child is not None]
        if own:
            row = node
            if children:
                row = LayerNode(len(nodes), OWN, path, "Parameter", node.index)
                nodes.append(row)
                node.children.append(row.index)
            row.layer = path
            row.own_names = tuple(own)
            row.tied = _other_names(own, path, names)
        for key, child in children:
            add(child, key, f"{path}.{key}" if path else key, node.index)
        return node

    add(module, type(module).__name__, "", -1)
    _count(module, nodes)
    return LayerTree(nodes)


def own_tensors(module: nn.Module) -> dict[str, torch.Tensor]:
    """Return the parameters and buffers that `module` itself owns, by name, parameters first."""
    own: dict[str, torch.Tensor] = {k: p for k, p in module._parameters.items() if p is not None}
    own.update({k: b for k, b in module._buffers.items() if b is not None})
    return own


def is_norm(module: nn.Module) -> bool:
    """Tell whether `module` is a normalisation layer."""
    if isinstance(module, nn.modules.batchnorm._NormBase):
        return True
    # the others share the word in their name only, and so do blocks of several layers (Conv2dNormActivation)
    return "norm" in type(module).__name__.lower() and not any(True for _ in module.children())


def is_dropout(module: nn.Module) -> bool:
    """Tell whether `module` drops something at random in training mode."""
    drops_blocks = type(module).__name__ in ("StochasticDepth", "DropPath", "DropBlock2d", "DropBlock3d")
    return drops_blocks or isinstance(module, nn.modules.dropout._DropoutNd)


def _names_of_tensors(module: nn.Module) -> dict[int, list[str]]:
    """Map the identity of each tensor to every full name under which it is registered."""
    names: dict[int, list[str]] = {}
    for path, child in module.named_modules():
        for key, tensor in own_tensors(child).items():
            names.setdefault(id(tensor), []).append(f"{path}.{key}" if path else key)
    return names


def _other_names(own: dict[str, torch.Tensor], path: str, names: dict[int, list[str]]) -> tuple[str, ...]:
    others: list[str] = []
    for key, tensor in own.items():
        full = f"{path}.{key}" if path else key
        others += [name for name in names[id(tensor)] if name != full]
    return tuple(others)


def _count(module: nn.Module, nodes: list[LayerNode]) -> None:
    """Fill in the counts of every row; a tensor tied within a subtree counts once there.

    Ties are rare, so the sums go up the tree row by row, and only subtrees that hold a tie are corrected by sets.
    """
    modules = dict(module.named_modules())
    tensors: list[dict[int, tuple[int, bool]]] = []   # per row: identity → elements, is it a parameter
    for node in nodes:
        own: Iterable[torch.Tensor] = ()
        if node.alias_of is not None:   # the whole module again, without rows of its own below
            own = (*modules[node.alias_of].parameters(), *modules[node.alias_of].buffers())
        elif node.layer is not None:
            own = own_tensors(modules[node.path]).values()
        tensors.append({id(t): (t.numel(), isinstance(t, nn.Parameter)) for t in own})
    sizes = {key: size for row in tensors for key, size in row.items()}
    rows_with = Counter(key for row in tensors for key in row)
    tied = {key for key, rows in rows_with.items() if rows > 1}
    inside: list[set[int]] = [set() for _ in nodes]   # tied tensors already counted in the subtree
    for node in reversed(nodes):
        for child in node.children:
            node.parameters += nodes[child].parameters
            node.buffers += nodes[child].buffers
            for key in inside[node.index] & inside[child]:
                _add(node, sizes[key], sign=-1)
            inside[node.index] |= inside[child]
        for key, size in tensors[node.index].items():
            if key in inside[node.index]:
                continue
            if key in tied:
                inside[node.index].add(key)
            _add(node, size)


def _add(node: LayerNode, size: tuple[int, bool], sign: int = 1) -> None:
    elements, is_parameter = size
    if is_parameter:
        node.parameters += sign * elements
    else:
        node.buffers += sign * elements
