from __future__ import annotations

import numpy as np
import pytest

from freeze_gui.gui import compare_difference_codes as codes
from freeze_gui.gui.palette import DARK, LIGHT, Theme


def test_zero_is_the_middle_and_the_sign_decides_the_side() -> None:
    values = np.array([[0.0, 1.0, -1.0, 0.001, -0.001, np.nan, 1e-9]])
    zero, high, low, little, less, missing, tiny = codes.encode(values, (-3.0, 0.0))[0].tolist()
    assert (zero, high, low, missing) == (codes.ZERO, codes.HIGHEST, codes.LOWEST, codes.MISSING)
    assert codes.ZERO < little < high and low < less < codes.ZERO
    assert little - codes.ZERO == codes.ZERO - less
    assert tiny > codes.ZERO   # however small, it is no zero


def test_the_scale_holds_every_difference_and_there_is_none_without_one() -> None:
    low, high = codes.levels_of(np.array([[0.02, -3.0, 0.0, np.nan]])) or (0.0, 0.0)
    assert 10**low <= 0.02 and 10**high >= 3.0
    assert codes.levels_of(np.array([[0.0, np.nan]])) is None


def test_a_difference_of_one_step_among_ten_thousand_is_seen_whatever_its_sign() -> None:
    for sign in (1.0, -1.0):
        values = np.zeros((10_000, 2))
        values[5_003, 1] = sign
        cells = codes.columns(codes.encode(values, (-1.0, 0.0)), np.arange(10_000), 10_000, 100, 0.0, 10_000.0)
        assert cells.shape == (100, 2) and (cells[:, 0] == codes.ZERO).all()
        assert np.flatnonzero(cells[:, 1] != codes.ZERO).tolist() == [50]
        assert codes.to_pixels(np.repeat(cells.T, 40, axis=0), 8)[:, 50].tolist().count(codes.ZERO) < 8


def test_a_pixel_shows_the_farthest_of_its_rows_however_many_there_are() -> None:
    generator = np.random.default_rng(0)
    steps = np.unique(np.concatenate((np.arange(30), generator.integers(0, 400, 60))))   # crowded at first
    rows = generator.integers(codes.LOWEST, codes.HIGHEST + 1, (len(steps), 3), np.uint8)
    cells = codes.columns(rows, steps, 400, 40, 0.0, 400.0)
    for column in np.unique(steps // 10):
        inside = rows[steps // 10 == column].astype(int) - codes.ZERO
        assert (np.abs(inside).max(axis=0) == np.abs(cells[column].astype(int) - codes.ZERO)).all()
        assert all((inside[:, layer] == cells[column, layer].astype(int) - codes.ZERO).any() for layer in range(3))


def test_a_measured_row_stands_for_all_steps_up_to_the_next_and_the_rest_is_empty() -> None:
    row = np.array([[200], [60]], np.uint8)
    cells = codes.columns(row, np.array([0, 5]), 12, 20, 0.0, 20.0)[:, 0]
    assert cells.tolist() == [200] * 5 + [60] * 7 + [codes.EMPTY] * 8


@pytest.mark.parametrize("theme", [LIGHT, DARK])
def test_the_two_ends_are_blue_and_orange_and_the_middle_is_neutral(theme: Theme) -> None:
    table = codes.color_table(theme)
    red, _, blue = (int(table[codes.LOWEST]) >> 16 & 255, 0, int(table[codes.LOWEST]) & 255)
    assert blue > red
    assert int(table[codes.HIGHEST]) >> 16 & 255 > int(table[codes.HIGHEST]) & 255
    middle = [int(table[codes.ZERO]) >> shift & 255 for shift in (16, 8, 0)]
    assert max(middle) - min(middle) < 20
    assert len(set(table[codes.LOWEST : codes.HIGHEST + 1].tolist())) > 150
