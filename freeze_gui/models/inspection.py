"""The layers of a model as plain data, without its weights."""

from __future__ import annotations

from typing import Any

from freeze_gui.models.layer_tree import LayerNode, LayerTree, build_tree
from freeze_gui.models.sources import open_model, output_shapes

FORMAT = 1
"""Version of the JSON."""


def inspect_model(source: str) -> tuple[LayerTree, dict[str, Any]]:
    """Open a model without its weights; return its tree and the same ready for JSON.

    Raises
    ------
    UserError
        When the source is unknown or its file fails.
    """
    loaded = open_model(source)
    tree = build_tree(loaded.module, output_shapes(loaded))
    layers = [tree.row_of_layer[path] for path in tree.layers]
    return tree, {
        "format": FORMAT,
        "model": source,
        "layers": [_layer(tree, node) for node in layers],
        "totals": {"layers": len(layers), "parameters": tree.root.parameters, "buffers": tree.root.buffers},
    }


def _layer(tree: LayerTree, node: LayerNode) -> dict[str, Any]:
    module = tree.by_path[node.path]   # for a block's bare tensors the block's own kind and shape, not the row's
    return {
        "path": node.path,
        "kind": module.kind,
        "parameters": node.parameters,
        "buffers": node.buffers,
        "output_shape": None if module.output_shape is None else list(module.output_shape),
        "tied": list(node.tied),
    }
