"""The find box: which rows of the tree a text means, as in Netron.

Terms are separated by spaces and must all hold. A term is looked for in path, kind and output shape; ``"quoted"`` must
be the whole path, name or kind; ``!term`` leaves rows out. Capital letters of a kind stand for it: ``bn`` is BatchNorm.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from freeze_gui.models.layer_tree import LayerTree

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


class Finder:
    """Finds rows of one tree; what is looked through is made ready once."""

    def __init__(self, tree: LayerTree) -> None:
        self._nodes = tree.nodes
        self._paths = [node.path.lower() for node in tree.nodes]
        self._kinds = [node.kind.lower() for node in tree.nodes]
        shapes = ("" if n.output_shape is None else shape_text(n.output_shape).lower() for n in tree.nodes)
        self._texts = ["\n".join(parts) for parts in zip(self._paths, self._kinds, shapes, strict=True)]
        initials = {kind: _initials(kind) for kind in {node.kind for node in tree.nodes}}
        self._initials = [initials[node.kind] for node in tree.nodes]

    def find(self, text: str) -> Found:
        """Return the rows that `text` means; an empty text shows all and matches none."""
        terms = parse_terms(text)
        count = len(self._nodes)
        if not terms:
            return Found([True] * count, [], frozenset())
        matching, left_out = np.ones(count, bool), np.zeros(count, bool)
        for term in terms:
            if term.wanted:
                matching &= self._holding(term)
            else:
                left_out |= self._holding(term)
        matching &= ~left_out
        matching[0] = False   # the root stands for all and is no answer
        return self._around(matching.tolist(), left_out.tolist())

    def _holding(self, term: Term) -> NDArray[np.bool_]:
        """Return which rows a term holds for."""
        text = term.text
        if term.exact:
            names = (node.name.lower() for node in self._nodes)
            rows = zip(self._paths, self._kinds, names, strict=True)
            return np.array([text in row for row in rows], bool)
        pairs = zip(self._texts, self._initials, strict=True)
        return np.array([text in row or text == initials for row, initials in pairs], bool)

    def _around(self, matching: list[bool], left_out: list[bool]) -> Found:
        """Return the matches with what is below them and their parents."""
        inside, layers = [False] * len(matching), set()
        for node in self._nodes:   # parents come before their children
            at = node.index
            inside[at] = not left_out[at] and (matching[at] or (node.parent >= 0 and inside[node.parent]))
            if inside[at] and node.layer is not None:
                layers.add(node.layer)
        shown = inside
        for node in reversed(self._nodes):
            if shown[node.index] and node.parent >= 0:
                shown[node.parent] = True
        return Found(shown, [at for at, match in enumerate(matching) if match], frozenset(layers))


def _initials(kind: str) -> str:
    return "".join(letter for letter in kind if letter.isupper()).lower()


def shape_text(shape: tuple[int, ...]) -> str:
    """Return a shape as ``16×8×8``; a plain x finds it too."""
    return "×".join(str(side) for side in shape) + " " + "x".join(str(side) for side in shape)
