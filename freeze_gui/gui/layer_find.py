"""The find box: which rows of the tree a text means, as in Netron.

Terms are separated by spaces and must all hold. A term is looked for in path, kind and output shape; ``"quoted"`` must
be the whole path, name or kind; ``!term`` leaves rows out. Capital letters of a kind stand for it: ``bn`` is BatchNorm.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from freeze_gui.models.layer_tree import LayerNode, LayerTree

_TERM = re.compile(r'(!?)(?:"([^"]*)"?|(\S+))')


@dataclass(frozen=True)
class Term:
    """One term of the find box."""

    text: str
    exact: bool
    wanted: bool


@dataclass(frozen=True)
class Found:
    """What a text means in a tree.

    Attributes
    ----------
    shown
        One flag a row: matches, their parents and what is below them.
    matches
        Rows that match themselves, in order.
    layers
        Layers of the matches and below them, those left out excepted: what "Freeze matches" freezes.
    """

    shown: list[bool]
    matches: list[int]
    layers: frozenset[str]


def parse_terms(text: str) -> list[Term]:
    """Split the text of the find box."""
    found = []
    for sign, quoted, plain in _TERM.findall(text):
        word = (quoted or plain).lower()
        if word and word != "!":
            found.append(Term(word, bool(quoted), sign != "!"))
    return found


def find_rows(tree: LayerTree, text: str) -> Found:
    """Return the rows of `tree` that `text` means; an empty text shows all and matches none."""
    terms = parse_terms(text)
    if not terms:
        return Found([True] * len(tree.nodes), [], frozenset())
    wanted = [term for term in terms if term.wanted]
    unwanted = [term for term in terms if not term.wanted]
    left_out = [any(_holds(term, node) for term in unwanted) for node in tree.nodes]
    matches, inside, layers = [], [False] * len(tree.nodes), set()
    shown = [False] * len(tree.nodes)
    for node in tree.nodes:   # parents come before their children
        matching = not left_out[node.index] and node.parent >= 0 and all(_holds(term, node) for term in wanted)
        if matching:
            matches.append(node.index)
        under = node.parent >= 0 and inside[node.parent]
        inside[node.index] = (matching or under) and not left_out[node.index]
        if inside[node.index]:
            shown[node.index] = True
            if node.layer is not None:
                layers.add(node.layer)
    for node in reversed(tree.nodes):
        if shown[node.index] and node.parent >= 0:
            shown[node.parent] = True
    return Found(shown, matches, frozenset(layers))


def _holds(term: Term, node: LayerNode) -> bool:
    path, kind = node.path.lower(), node.kind.lower()
    if term.exact:
        return term.text in (path, node.name.lower(), kind)
    if term.text in path or term.text in kind or term.text == _initials(node.kind):
        return True
    return node.output_shape is not None and term.text in shape_text(node.output_shape).lower()


def _initials(kind: str) -> str:
    return "".join(letter for letter in kind if letter.isupper()).lower()


def shape_text(shape: tuple[int, ...]) -> str:
    """Return a shape as ``16×8×8``; a plain x finds it too."""
    return "×".join(str(side) for side in shape) + " " + "x".join(str(side) for side in shape)
