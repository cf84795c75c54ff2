from __future__ import annotations

import numpy as np
import pytest

from freeze_gui.gui.export_drawing import finite_runs, symbol_points


def test_a_line_is_cut_where_a_point_is_not_finite() -> None:
    points = np.array([(0, 0), (1, np.nan), (2, 2), (3, 3), (np.inf, 4), (5, 5)], float)
    assert [part.tolist() for part in finite_runs(points)] == [[[0, 0]], [[2, 2], [3, 3]], [[5, 5]]]
    assert finite_runs(np.full((3, 2), np.nan)) == []


@pytest.mark.parametrize("symbol", ["triangle", "diamond", "cross", "circle"])
def test_a_symbol_is_as_large_as_it_says(symbol: str) -> None:
    corners = np.concatenate(symbol_points(symbol, 8.0))   # type: ignore[arg-type]
    assert np.ptp(corners, axis=0) == pytest.approx([8.0, 8.0])
