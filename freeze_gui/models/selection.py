"""Exact paths, globs, regexes and index ranges → the modules that they name.

=====================  ==============================================================
pattern                names
=====================  ==============================================================
``stem``               that layer, or that block and all below it
``blocks.*.conv``      glob over whole dotted paths (``*`` also crosses dots)
``re:.*norm.*``        regular expression that must match a whole dotted path
``[0:2]``, ``[-1]``    children of the model by position
``encoder.layers[:2]`` children of a block by position
``encoder.(own)``      the bare tensors of a block, nothing below it
``*``                  everything
=====================  ==============================================================
"""

from __future__ import annotations

import difflib
import fnmatch
import re
from collections.abc import Iterable

from freeze_gui.errors import UserError
from freeze_gui.models.layer_tree import OWN, LayerNode, LayerTree

_INDEX = re.compile(r"(?P<block>.*[^.\[\]]|)\[((?P<at>-?\d+)|(?P<start>-?\d+)?:(?P<stop>-?\d+)?)\]")


def select(tree: LayerTree, patterns: Iterable[str]) -> frozenset[str]:
    """Return the paths of all modules that `patterns` name, blocks with everything below them.

    Raises
    ------
    UserError
        When a pattern matches nothing, or is not a valid pattern; nearby names are suggested.
    """
    if isinstance(patterns, str):
        raise UserError(f'layers must be a list of patterns, not one string: write ["{patterns}"]')
    chosen: frozenset[str] = frozenset()
    for pattern in patterns:
        chosen |= _select_one(tree, pattern)
    return chosen


def describe(tree: LayerTree, modules: frozenset[str]) -> tuple[str, ...]:
    """Return the shortest list of patterns that `select` turns back into the layers among `modules`."""
    found: list[str] = []
    counts = tree.frozen_counts(modules)

    def walk(node: LayerNode) -> None:
        frozen, total = counts[node.index]
        if not frozen or node.alias_of is not None:
            return
        if node.is_own_row:
            found.append(f"{node.path}.{OWN}" if node.path else OWN)
        elif frozen == total:
            found.append(node.path or "*")
        else:
            for child in node.children:
                walk(tree.nodes[child])

    walk(tree.root)
    return tuple(found)


def with_passive_modules(tree: LayerTree, layers: frozenset[str]) -> frozenset[str]:
    """Add the modules that own nothing (activations, dropout, containers) and follow the layers around them.

    Such a module counts as frozen when all layers of the nearest block around it that has any are frozen.
    """
    frozen: set[str] = set()
    counts = tree.frozen_counts(layers)

    def walk(node: LayerNode) -> None:
        inside, total = counts[node.index]
        if inside == total:
            frozen.update(row.path for row in tree.rows_below(node) if not row.is_own_row and row.alias_of is None)
        elif inside:
            if node.path in layers:
                frozen.add(node.path)
            for child in node.children:
                if counts[child][1] and tree.nodes[child].alias_of is None and not tree.nodes[child].is_own_row:
                    walk(tree.nodes[child])

    if counts[tree.root.index][1]:
        walk(tree.root)
    return frozenset(frozen)


def _select_one(tree: LayerTree, pattern: str) -> frozenset[str]:
    if not isinstance(pattern, str) or not pattern.strip():
        raise UserError(f"layer pattern {pattern!r}: must be a non-empty string")
    if pattern in ("*", "re:.*"):
        return tree.modules_below(tree.root)
    if pattern == OWN or pattern.endswith(f".{OWN}"):
        return _own_tensors_of(tree, pattern)
    if pattern in tree.by_path:
        return tree.modules_below(tree.by_path[pattern])
    if pattern.startswith("re:"):
        nodes = _matching_regex(tree, pattern)
    elif (index := _INDEX.fullmatch(pattern)) and index["block"] in tree.by_path:
        nodes = _by_position(tree, pattern, index)
    else:
        nodes = [n for n in _module_rows(tree) if fnmatch.fnmatchcase(n.path, pattern)]
    if not nodes:
        raise UserError(_nothing_matches(tree, pattern))
    return frozenset().union(*(tree.modules_below(node) for node in nodes))


def _module_rows(tree: LayerTree) -> list[LayerNode]:
    return [node for node in tree.nodes[1:] if not node.is_own_row]


def _own_tensors_of(tree: LayerTree, pattern: str) -> frozenset[str]:
    path = pattern.removesuffix(OWN).removesuffix(".")
    if path not in tree.row_of_layer:
        raise UserError(f'layer pattern "{pattern}": {path or "the model"} owns no parameters or buffers itself')
    return frozenset({path})


def _matching_regex(tree: LayerTree, pattern: str) -> list[LayerNode]:
    try:
        regex = re.compile(pattern.removeprefix("re:"))
    except re.error as error:
        raise UserError(f'layer pattern "{pattern}": not a valid regular expression ({error})') from None
    return [node for node in _module_rows(tree) if regex.fullmatch(node.path)]


def _by_position(tree: LayerTree, pattern: str, index: re.Match[str]) -> list[LayerNode]:
    block = tree.by_path[index["block"]]
    children = [tree.nodes[child] for child in block.children if not tree.nodes[child].is_own_row]
    if index["at"] is None:
        start, stop = (int(text) if text else None for text in (index["start"], index["stop"]))
        chosen = children[start:stop]
    else:
        position = int(index["at"])
        chosen = [children[position]] if -len(children) <= position < len(children) else []
    if not chosen:
        where = index["block"] or "the model"
        raise UserError(f'layer pattern "{pattern}" matches nothing: {where} has {len(children)} children')
    return chosen


def _nothing_matches(tree: LayerTree, pattern: str) -> str:
    owner, _, last = pattern.rpartition(".")
    row = tree.row_of_layer.get(owner)
    if row is not None and last in row.own_names:
        instead = f"{owner}.{OWN}".lstrip(".") if row.is_own_row else owner or "*"
        return f'layer pattern "{pattern}" names a tensor, and layers are frozen whole: write "{instead}"'
    paths = [node.path for node in _module_rows(tree)]
    near = difflib.get_close_matches(pattern, paths, n=3)
    hint = f"did you mean {', '.join(near)}?" if near else f"the first layers are {', '.join(paths[:5])}"
    return f'layer pattern "{pattern}" matches no layer: {hint}'
