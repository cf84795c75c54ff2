"""A small picture of numbered colours as a PNG, written with nothing but the standard library."""

from __future__ import annotations

import base64
import struct
import zlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


def indexed_png(pixels: NDArray[np.uint8], colors: Sequence[tuple[int, int, int]], clear: int | None = None) -> bytes:
    """Return a PNG (RFC 2083, colour type 3).

    Parameters
    ----------
    pixels
        Number of the colour of each pixel, shape (height, width).
    colors
        Red, green and blue of each number, at most 256.
    clear
        The colour that lets the page shine through; None for none.
    """
    height, width = pixels.shape
    rows = np.zeros((height, width + 1), np.uint8)   # each row begins with its filter, 0 for none
    rows[:, 1:] = pixels
    transparent = b"" if clear is None else bytes(0 if index == clear else 255 for index in range(clear + 1))
    parts = [
        _chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 3, 0, 0, 0)),
        _chunk(b"PLTE", bytes(channel for color in colors for channel in color)),
        _chunk(b"tRNS", transparent) if transparent else b"",
        _chunk(b"IDAT", zlib.compress(rows.tobytes(), 9)),
        _chunk(b"IEND", b""),
    ]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def data_uri(png: bytes) -> str:
    """Return a PNG as an address that carries it."""
    return f"data:image/png;base64,{base64.b64encode(png).decode('ascii')}"


def _chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
