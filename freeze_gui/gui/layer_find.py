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
        One flag a row: matches, their parents and what is below them; None where all are shown.
    matches
        Rows that match themselves, in order.
    layers
        Layers of the matches and below them, those left out excepted: what "Freeze matches" freezes.
    """

    shown: list[bool] | None
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
        self._nodes, self._ends = tree.nodes, tree.ends
        self._parents = [node.parent for node in tree.nodes]
        self._layers = np.array([node.layer for node in tree.nodes], object)
        self._is_layer = np.array([node.layer is not None for node in tree.nodes], bool)
        self._paths = [node.path.lower() for node in tree.nodes]
        self._kinds = [node.kind.lower() for node in tree.nodes]
        shapes = ("" if n.output_shape is None else shape_text(n.output_shape).lower() for n in tree.nodes)
        self._texts = ["\n".join(parts) for parts in zip(self._paths, self._kinds, shapes, strict=True)]
        kinds, self._kind_of = np.unique([node.kind for node in tree.nodes], return_inverse=True)
        self._initials = [_initials(kind) for kind in kinds.tolist()]

    def find(self, text: str) -> Found:
        """Return the rows that `text` means; an empty text shows all and matches none."""
        terms = parse_terms(text)
        count = len(self._nodes)
        if not terms:
            return Found(None, [], frozenset())
        matching, left_out = np.ones(count, bool), np.zeros(count, bool)
        for term in terms:
            if term.wanted:
                matching &= self._holding(term)
            else:
                left_out |= self._holding(term)
        matching &= ~left_out
        matching[0] = False   # the root stands for all and is no answer
        return self._around(matching, left_out)

    def _holding(self, term: Term) -> NDArray[np.bool_]:
        """Return which rows a term holds for."""
        text = term.text
        if term.exact:
            names = (node.name.lower() for node in self._nodes)
            rows = zip(self._paths, self._kinds, names, strict=True)
            return np.array([text in row for row in rows], bool)
        holding = np.array([text in row for row in self._texts], bool)
        kinds = [place for place, initials in enumerate(self._initials) if initials == text]
        return holding | np.isin(self._kind_of, kinds) if kinds else holding

    def _around(self, matching: NDArray[np.bool_], left_out: NDArray[np.bool_]) -> Found:
        """Return the matches with what is below them and their parents."""
        inside = self._below(matching, left_out)
        so_far = np.concatenate([[0], np.cumsum(inside)])
        shown = so_far[self._ends] > so_far[:-1]   # rows below a row come right after it
        layers = frozenset(self._layers[inside & self._is_layer].tolist())
        return Found(shown.tolist(), np.flatnonzero(matching).tolist(), layers)

    def _below(self, matching: NDArray[np.bool_], left_out: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Return the matches and what is below them, but not what is below a row that was left out."""
        if not left_out.any():
            steps = np.zeros(len(matching) + 1, np.int64)
            np.add.at(steps, np.flatnonzero(matching), 1)
            np.add.at(steps, self._ends[matching], -1)
            return np.cumsum(steps[:-1]) > 0
        inside, out = matching.tolist(), left_out.tolist()
        for at, parent in enumerate(self._parents):   # parents come before their children
            if not inside[at]:
                inside[at] = parent >= 0 and inside[parent] and not out[at]
        return np.array(inside, bool)


def _initials(kind: str) -> str:
    return "".join(letter for letter in kind if letter.isupper()).lower()


def shape_text(shape: tuple[int, ...]) -> str:
    """Return a shape as ``16×8×8``; a plain x finds it too."""
    return "×".join(str(side) for side in shape) + " " + "x".join(str(side) for side in shape)
