"""The colours of the window: two themes, line colours, dashes, and the colour map of the heatmap.

Texts have a contrast of at least 4.5:1 on `window`, `panel` and `plot_background`, lines of at least 4:1. No meaning
hangs on red against green: held is a bluish green, leaked a vermillion, and each comes with a word or a pattern.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

ThemeName = Literal["light", "dark"]


@dataclass(frozen=True)
class Theme:
    """One set of colours, as ``#rrggbb``.

    Attributes
    ----------
    name
        ``light`` or ``dark``.
    window, panel, raised
        Backgrounds: behind everything, of lists and fields, of buttons.
    text, muted, border, accent, accent_text
        Words, lesser words, hairlines, focus and selection, words on the accent.
    held, leaked, frozen, warning
        Words and marks of these states.
    ice, zero
        Heatmap cells that are frozen and held, and cells that are exactly zero.
    plot_background, grid
        Of plots and heatmaps.
    series
        Line colours that are told apart by colour-blind people too.
    """

    name: ThemeName
    window: str
    panel: str
    raised: str
    text: str
    muted: str
    border: str
    accent: str
    accent_text: str
    held: str
    leaked: str
    frozen: str
    warning: str
    ice: str
    zero: str
    plot_background: str
    grid: str
    series: tuple[str, ...]


LIGHT = Theme(
    name="light",
    window="#f4f5f7",
    panel="#ffffff",
    raised="#ffffff",
    text="#1c2128",
    muted="#59636e",
    border="#d3d8df",
    accent="#0b62c4",
    accent_text="#ffffff",
    held="#00765a",
    leaked="#c03d00",
    frozen="#4f6f8f",
    warning="#8a5a00",
    ice="#c4d5e6",
    zero="#000000",
    plot_background="#ffffff",
    grid="#e4e8ed",
    series=(
        "#0072b2", "#b26a00", "#00805a", "#a8429a", "#5b3fc4", "#c2416b", "#6e7a00", "#2187a8", "#7a4a1e", "#3c4450",
    ),
)  # fmt: skip

DARK = Theme(
    name="dark",
    window="#15181d",
    panel="#1d2127",
    raised="#272c34",
    text="#e6e9ee",
    muted="#9aa5b1",
    border="#363d47",
    accent="#5aa9ff",
    accent_text="#0d1117",
    held="#3ecfa4",
    leaked="#ff7a4d",
    frozen="#9fb9d4",
    warning="#e9b949",
    ice="#9fb4c9",
    zero="#000000",
    plot_background="#1d2127",
    grid="#2c323a",
    series=(
        "#6db6ff", "#f2c14e", "#4fd1a5", "#e48ad6", "#b3a1ff", "#ff9db5", "#c3d04b", "#5fd3ec", "#d9a577", "#d5dbe3",
    ),
)  # fmt: skip

RUN_DASHES: tuple[tuple[float, ...] | None, ...] = (
    None, (6, 3), (2, 3), (8, 3, 2, 3), (12, 4), (4, 2, 1, 2, 1, 2), (3, 6), (10, 3, 3, 3), (1, 2), (16, 4, 2, 4),
)  # fmt: skip
"""Dash patterns, in pixels, that tell runs apart beside their colour; None is a full line."""

# viridis (Smith and van der Walt, CC0) at 17 even places: perceptually uniform, and safe for colour-blind people
_VIRIDIS = np.array([
    (68, 1, 84), (72, 23, 105), (71, 44, 122), (66, 63, 133), (59, 81, 139), (51, 98, 141), (44, 113, 142),
    (38, 129, 142), (33, 144, 140), (31, 159, 136), (39, 173, 128), (61, 188, 115), (92, 200, 98), (129, 211, 76),
    (170, 220, 49), (213, 226, 25), (253, 231, 37),
])  # fmt: skip


def color_map(theme: Theme, levels: int) -> NDArray[np.uint32]:
    """Return `levels` colours from low to high as 0xffRRGGBB, shape (levels,).

    The light theme leaves out the palest yellow, the dark one the darkest violet, so that no value melts into the
    background or into the black of an exact zero.
    """
    first, last = (0.0, 0.96) if theme.name == "light" else (0.1, 1.0)
    at = np.linspace(first, last, levels) * (len(_VIRIDIS) - 1)
    channels = [np.interp(at, np.arange(len(_VIRIDIS)), _VIRIDIS[:, c]).round().astype(np.uint32) for c in range(3)]
    red, green, blue = channels
    colors: NDArray[np.uint32] = np.uint32(0xFF000000) | (red << np.uint32(16)) | (green << np.uint32(8)) | blue
    return colors


def rgb(color: str) -> np.uint32:
    """Return ``#rrggbb`` as 0xffRRGGBB."""
    return np.uint32(0xFF000000 | int(color[1:], 16))


def selected_back(theme: Theme) -> str:
    """Return what lies below a selected row."""
    return mix(theme.panel, theme.accent, 0.18)


def disabled_words(theme: Theme) -> str:
    """Return the colour of words of what cannot be used now."""
    return mix(theme.muted, theme.panel, 0.45)


def on_selected(theme: Theme, color: str) -> str:
    """Return a colour of words as it is read on a selected row: nearer to that of the text."""
    return mix(color, theme.text, 0.25)


def mix(color: str, other: str, share: float) -> str:
    """Return `color` with `share` (0 to 1) of `other` mixed in."""
    pairs = [(int(color[i : i + 2], 16), int(other[i : i + 2], 16)) for i in (1, 3, 5)]
    return "#" + "".join(f"{round(a + (b - a) * share):02x}" for a, b in pairs)
