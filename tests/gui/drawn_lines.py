"""What is seen of a line, read from the path that is painted."""

from __future__ import annotations

from freeze_gui.gui.lines_item import Line


def drawn_pieces(line: Line) -> list[list[tuple[float, float]]]:
    """Return the points of each piece between two gaps; of a level stretch its ends."""
    pieces: list[list[tuple[float, float]]] = []
    for at in range(line.path.elementCount()):
        element = line.path.elementAt(at)
        if element.isMoveTo():
            pieces.append([])
        if not pieces[-1] or pieces[-1][-1] != (element.x, element.y):
            pieces[-1].append((element.x, element.y))
    return [piece for piece in pieces if len(piece) > 1]


def drawn_steps(line: Line) -> list[tuple[float, float]]:
    """Return the first and the last step of each piece."""
    return [(piece[0][0], piece[-1][0]) for piece in drawn_pieces(line)]
