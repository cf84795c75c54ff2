from __future__ import annotations

import re

import numpy as np

from freeze_gui.runs.report_curves import Bar, Curve, bars_svg, curves_svg, line_class, smooth


def curve(values: list[float], label: str = "loss") -> Curve:
    return Curve(label, 0, np.arange(len(values)), np.array(values))


def points(svg: str) -> list[tuple[float, float]]:
    path = re.search(r'class="curve s0 d0" d="([^"]*)"', svg)
    assert path is not None
    return [(float(x), float(y)) for x, y in re.findall(r"[ML]([\d.]+) ([\d.]+)", path[1])]


def test_a_curve_goes_from_left_to_right_and_higher_values_lie_higher() -> None:
    (x0, y0), (x1, y1), (x2, y2) = points(curves_svg([curve([2.0, 1.0, 3.0])], "loss"))
    assert x0 < x1 < x2
    assert y2 < y0 < y1
    assert y1 - y0 == y0 - y2


def test_what_is_no_number_leaves_a_gap() -> None:
    nan = float("nan")
    svg = curves_svg([curve([2.0, 1.0, nan, nan, 1.0, 2.0])], "loss")
    assert re.search(r'class="curve s0 d0" d="([^"]*)"', svg)[1].count("M") == 2   # type: ignore[index]
    assert curves_svg([curve([nan, nan])], "loss") == curves_svg([], "loss") == ""


def test_a_point_between_two_gaps_is_a_short_dash_around_it() -> None:
    nan = float("nan")
    path = re.search(r' d="([^"]*)"', curves_svg([curve([1.0, nan, 2.0, nan, 1.0, 2.0])], "loss"))
    assert path is not None
    alone, second, joined = path[1][1:].split("M")
    assert alone.endswith("m-1 0h2") and second.endswith("m-1 0h2") and "h" not in joined


def test_a_long_curve_stays_small_and_keeps_its_spike() -> None:
    found = points(curves_svg([curve([1.0] * 50_000 + [9.0] + [1.0] * 50_000)], "loss"))
    assert len(found) <= 400
    assert sum(y < 100 for _, y in found) == 1


def test_values_of_many_sizes_are_drawn_by_their_logarithm() -> None:
    (_, a), (_, b), (_, c) = points(curves_svg([curve([1.0, 0.1, 0.01])], "loss"))
    assert abs((b - a) - (c - b)) < 0.2


def test_one_value_all_along_is_a_level_line() -> None:
    for value in (0.0, 2.5, -1.0):
        found = points(curves_svg([curve([value] * 5)], "loss"))
        assert len({y for _, y in found}) == 1


def test_smoothing_is_the_mean_of_what_was_there_so_far() -> None:
    np.testing.assert_allclose(smooth(np.array([4.0, 2.0, 0.0, 4.0, 8.0]), 3), [4, 3, 2, 2, 4])
    np.testing.assert_array_equal(smooth(np.array([4.0, 2.0]), 1), [4, 2])


def test_bars_begin_at_zero_and_are_as_long_as_what_they_stand_for() -> None:
    svg = bars_svg([Bar("a", ((1, 10.0), (2, 30.0)), "40"), Bar("<b>", ((1, 20.0),), "20", (15.0, 25.0))], "memory")
    widths = [float(width) for width in re.findall(r'<rect[^>]* width="([\d.]+)"', svg)]
    assert abs(widths[1] - 3 * widths[0]) < 0.3 and abs(widths[2] - 2 * widths[0]) < 0.3
    assert "&lt;b&gt;" in svg and "<b>" not in svg
    assert bars_svg([], "memory") == bars_svg([Bar("a", ((1, 0.0),), "0")], "memory") == ""


def test_the_words_behind_the_longest_bar_have_room() -> None:
    words = "1234.56 ms · 0.994"
    svg = bars_svg([Bar("a", ((0, 9.0),), words, (5.0, 10.0))], "time", width=460)
    at = re.search(r'class="tick" x="([\d.]+)"', svg)
    assert at is not None
    assert float(at[1]) + 7.6 * len(words) <= 460   # 12 px in DejaVu Sans, the widest of the fonts


def test_a_hundred_lines_are_told_apart_by_colour_or_dash() -> None:
    assert len({line_class(style) for style in range(100)}) == 100
    assert line_class(3) == "curve s3 d3"
