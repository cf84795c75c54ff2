from __future__ import annotations

import base64
import re
import struct
import zlib

import numpy as np
from numpy.typing import NDArray

from freeze_gui.runs.history import History, HistoryView
from freeze_gui.runs.png import indexed_png
from freeze_gui.runs.report_heatmap import COLUMNS, Scale, common_scale, heatmap_svg
from freeze_gui.training.events import StepDone

LAYERS = ("first", "second")
GREY = (150, 158, 168)


def view(updates: NDArray[np.float64], frozen: NDArray[np.bool_], leaks: dict[int, tuple[int, ...]]) -> HistoryView:
    history = History(tuple(map(str, range(updates.shape[1]))))
    for step, row in enumerate(updates):
        history.append(StepDone(step, 1.0, None, row, row, row, frozen[step], leaks.get(step, ()), 0.1, 0.01, 0.1))
    return history.view()


def decoded(png: bytes) -> NDArray[np.uint8]:
    """Read a PNG by its specification: red, green, blue and alpha, (height, width, 4)."""
    chunks, at = {}, 8
    assert png[:8] == b"\x89PNG\r\n\x1a\n"
    while at < len(png):
        length, kind = struct.unpack(">I4s", png[at : at + 8])
        content = png[at + 8 : at + 8 + length]
        assert struct.unpack(">I", png[at + 8 + length : at + 12 + length])[0] == zlib.crc32(kind + content)
        chunks[kind] = content
        at += 12 + length
    width, height = struct.unpack(">II", chunks[b"IHDR"][:8])
    rows = np.frombuffer(zlib.decompress(chunks[b"IDAT"]), np.uint8).reshape(height, width + 1)
    assert not rows[:, 0].any()
    colors = np.frombuffer(chunks[b"PLTE"], np.uint8).reshape(-1, 3)
    alpha = np.full(len(colors), 255, np.uint8)
    clear = chunks.get(b"tRNS", b"")
    alpha[: len(clear)] = np.frombuffer(clear, np.uint8)
    return np.concatenate((colors, alpha[:, None]), axis=1)[rows[:, 1:]]


def picture(svg: str) -> NDArray[np.uint8]:
    uri = re.search(r"base64,([^\"]*)", svg)
    assert uri is not None
    return decoded(base64.b64decode(uri[1]))


def test_a_png_holds_its_pixels() -> None:
    found = decoded(indexed_png(np.array([[0, 1, 2]], np.uint8), [(1, 2, 3), (4, 5, 6), (7, 8, 9)], clear=1))
    assert found.tolist() == [[[1, 2, 3, 255], [4, 5, 6, 0], [7, 8, 9, 255]]]


def test_a_layer_is_a_row_frozen_is_grey_and_nothing_is_clear() -> None:
    updates = np.array([[1e-3, 0.0], [1e-1, 0.0], [1e-2, 0.0], [0.0, np.nan]])
    frozen = np.array([[False, True], [False, True], [False, True], [False, False]])
    found = picture(heatmap_svg(view(updates, frozen, {}), LAYERS, Scale(1e-3, 1e-1), "a"))
    assert found.shape == (2, 4, 4)
    assert found[0, 0].tolist() == [68, 1, 84, 255]       # the low end of viridis
    assert found[0, 1].tolist() == [253, 231, 37, 255]    # its high end
    np.testing.assert_allclose(found[0, 2, :3], [33, 144, 140], atol=2)   # the middle, by the logarithm
    assert found[1, :3].tolist() == [[*GREY, 255]] * 3
    assert found[0, 3, 3] == found[1, 3, 3] == 0


def test_a_frozen_layer_that_moved_is_hatched_where_it_did_and_not_grey() -> None:
    updates = np.array([[1e-2, 1e-2]] * 4)
    svg = heatmap_svg(view(updates, np.full((4, 2), True), {1: (1,), 2: (1,)}), LAYERS, Scale(1e-3, 1e-1), "a")
    hatched = re.search(r'class="hatched" d="([^"]*)"', svg)
    assert hatched is not None
    assert hatched[1].count("M") == 1
    left, top, width = re.match(r"M([\d.]+) ([\d.]+)h([\d.]+)", hatched[1]).groups()   # type: ignore[union-attr]
    frame = 300 - 96
    assert (float(left), float(top), float(width)) == (96 + frame / 4, 18.0, frame / 2)
    assert picture(svg)[1, 1, :3].tolist() != list(GREY)
    assert "1 frozen layers leaked" in svg


def test_a_long_run_keeps_its_largest_updates_and_stays_small() -> None:
    steps, layers = 20_000, 161
    generator = np.random.default_rng(0)
    updates = generator.uniform(1e-4, 1e-3, (steps, layers))
    updates[7000, 3] = 1.0
    leaks = {step: tuple(range(0, layers, 2)) for step in range(0, steps, 2)}
    shown = view(updates, np.full((steps, layers), True), leaks)
    svg = heatmap_svg(shown, [str(n) for n in range(layers)], Scale(1e-4, 1.0), "a")
    assert len(svg) < 90_000
    assert picture(svg).shape == (layers, COLUMNS, 4)
    assert picture(svg)[3, 7000 * COLUMNS // steps].tolist() == [253, 231, 37, 255]


def test_runs_measured_at_different_steps_have_the_same_moment_in_the_same_place() -> None:
    pictures = []
    for measured in (range(400), [*range(100), *range(104, 400, 8), 399]):
        history = History(("layer",))
        for step in range(400):
            row = np.full(1, 1e-1 if step >= 240 else 1e-3) if step in measured else None
            history.append(StepDone(step, 1.0, None, row, row, row, np.zeros(1, bool), (), 0.1, 0.01, 0.1))
        svg = heatmap_svg(history.view(), ("layer",), Scale(1e-3, 1e-1), "a")
        assert "step 0 to 399" in svg
        pictures.append(picture(svg))
    for found in pictures:
        assert found.shape == (1, COLUMNS, 4)
        assert (found[0, : 240 * COLUMNS // 400, :3] == (68, 1, 84)).all()
        assert (found[0, 240 * COLUMNS // 400 :, :3] == (253, 231, 37)).all()


def test_all_runs_share_one_scale_and_a_run_that_never_moved_has_none() -> None:
    none = np.full((5, 2), False)
    small, large = view(np.full((5, 2), 1e-6), none, {}), view(np.full((5, 2), 1e-1), none, {})
    scale = common_scale([small, large])
    assert scale is not None
    assert (scale.low, scale.high) == (1e-6, 1e-1)
    assert common_scale([view(np.zeros((5, 2)), none, {})]) is common_scale([]) is None
    alone = common_scale([small])
    assert alone is not None and alone.low < 1e-6 < alone.high
