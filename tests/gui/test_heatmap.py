from __future__ import annotations

import numpy as np
import pytest
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtGui import QFont, QFontMetrics
from PySide6.QtTest import QTest
from pytestqt.qtbot import QtBot

from freeze_gui.gui import heatmap_codes as codes
from freeze_gui.gui.heatmap import HeatmapView
from freeze_gui.gui.heatmap_labels import fitted_paths, labels_for, nice_step
from freeze_gui.gui.heatmap_legend import lookup_table, power_text, scale_ticks
from freeze_gui.gui.theme import current_theme
from freeze_gui.runs.history import History
from freeze_gui.runs.recorder import RunRecorder
from freeze_gui.training.events import StepDone
from tests.gui.recorded_runs import LAYERS, NO_GRADIENT, add_steps, started_run


def shown(qtbot: QtBot, run: RunRecorder, metric: str = "grad_norm") -> HeatmapView:
    view = HeatmapView()
    qtbot.addWidget(view)
    view.resize(640, 320)
    view.set_metric(metric)
    view.set_history(run.history)
    view.show()
    view.refresh()
    return view


def place(view: HeatmapView, layer: int, step: float) -> QPoint:
    rect, (start, stop) = view.plot_rect(), view.x_range()
    x = rect.left() + (step - start) / (stop - start) * rect.width()
    return QPoint(round(x), round(rect.top() + (layer + 0.5) * rect.height() / len(view.shown_layers)))


def colors_around(view: HeatmapView, layer: int, step: float) -> set[int]:
    image, at = view.grab().toImage(), place(view, layer, step)
    return {image.pixel(at.x() + dx, at.y() + dy) for dx in range(-4, 5) for dy in range(-4, 5)}


def test_each_state_of_a_cell_has_its_own_colour_or_pattern(qtbot: QtBot) -> None:
    run = started_run()
    add_steps(run, 50, (0.1, 0.1, 0.0, NO_GRADIENT), frozen=(0, 1), leaked=(1,))
    view, table = shown(qtbot, run), lookup_table(current_theme())
    assert colors_around(view, 0, 25) == {int(table[codes.FROZEN])}
    assert colors_around(view, 1, 25) == {int(table[codes.LEAKED]), int(table[codes.LEAKED_HATCH])}
    assert colors_around(view, 2, 25) == {int(table[codes.ZERO])}
    assert colors_around(view, 3, 25) == {int(table[codes.MISSING]), int(table[codes.MISSING_HATCH])}
    assert colors_around(view, 0, 75) == {int(table[codes.EMPTY])}   # still to come


def test_a_frozen_layer_without_gradient_is_hatched_ice_and_nan_is_a_checker(qtbot: QtBot) -> None:
    run = started_run(total_steps=10)
    add_steps(run, 10, (NO_GRADIENT, float("nan"), float("inf"), 1.0), frozen=(0,))
    view, table = shown(qtbot, run), lookup_table(current_theme())
    assert colors_around(view, 0, 5) == {int(table[codes.FROZEN]), int(table[codes.FROZEN_HATCH])}
    for layer in (1, 2):
        assert colors_around(view, layer, 5) == {int(table[codes.NAN]), int(table[codes.NAN_HATCH])}


def test_values_take_the_colour_of_their_place_on_the_log_scale(qtbot: QtBot) -> None:
    run = started_run(total_steps=10)
    add_steps(run, 10, (1e-3, 1e-2, 1e-1, 1.0))
    view, table = shown(qtbot, run), lookup_table(current_theme())
    view.set_levels(1e-3, 1.0)
    span = codes.SCALE_LAST - codes.SCALE_FIRST
    for layer in range(4):
        expected = int(table[codes.SCALE_FIRST + round(span * layer / 3)])
        assert colors_around(view, layer, 5) == {expected}


@pytest.mark.parametrize("spike", ["value", "leak"])
def test_one_step_among_ten_thousand_is_still_seen(qtbot: QtBot, spike: str) -> None:
    run = started_run(total_steps=10_000)
    add_steps(run, 6_000, (0.01, 0.01, 0.01, 0.01), frozen=(1,))
    add_steps(run, 1, (100.0, 0.01, 0.01, 0.01), frozen=(1,), leaked=(1,))
    add_steps(run, 3_999, (0.01, 0.01, 0.01, 0.01), frozen=(1,))
    view, table = shown(qtbot, run), lookup_table(current_theme())
    if spike == "value":
        assert int(table[codes.SCALE_LAST]) in colors_around(view, 0, 6_000)
    else:
        found = colors_around(view, 1, 6_000)
        assert found & {int(table[codes.LEAKED]), int(table[codes.LEAKED_HATCH])} and int(table[codes.FROZEN]) in found


def test_drawing_step_by_step_gives_the_same_picture_as_drawing_once(qtbot: QtBot) -> None:
    run = started_run(total_steps=3_000)
    view = shown(qtbot, run)
    rng = np.random.default_rng(0)
    for part in range(30):
        add_steps(run, 83, tuple(10 ** rng.uniform(-3, 0, 4)), frozen=(part % 4,), leaked=(part % 4,) * (part % 3 == 0))
        view.refresh()
    assert view.grab().toImage() == shown(qtbot, run).grab().toImage()


def test_every_seventh_measured_step_leaves_no_gap() -> None:
    run = started_run(total_steps=70)
    assert run.history is not None
    for step in range(70):
        norms, flags = None if step % 7 else np.full(4, 0.1), np.zeros(4, bool)
        run.history.append(StepDone(step, 1.0, None, norms, norms, norms, flags, (), 0.01, 0.001, 0.1))
    cells = codes.HeatmapCodes(run.history, "grad_norm")
    cells.look()
    assert (cells.columns((-3.0, 0.0), 140, 0, 70) >= codes.SCALE_FIRST).all() and cells.end_step == 70


def test_the_last_measured_step_stands_for_all_up_to_the_newest_and_for_none_to_come() -> None:
    run = started_run(total_steps=40)
    assert run.history is not None
    cells = codes.HeatmapCodes(run.history, "grad_norm")
    for step in range(30):   # as after a change of the plan at step 9, and a stop
        norms, flags = np.full(4, 0.1) if step in (0, 8, 9, 24) else None, np.zeros(4, bool)
        run.history.append(StepDone(step, 1.0, None, norms, norms, norms, flags, (), 0.01, 0.001, 0.1))
        cells.look()
        found = cells.columns((-3.0, 0.0), 40, 0, 40) >= codes.SCALE_FIRST
        assert found[: step + 1].all() and not found[step + 1 :].any()
        assert cells.end_step == step + 1


def test_a_live_heatmap_goes_on_while_no_step_is_measured(qtbot: QtBot) -> None:
    run = started_run(total_steps=300)
    view, table = shown(qtbot, run), lookup_table(current_theme())
    view.live = True
    norms, flags = np.full(4, 0.1), np.zeros(4, bool)
    for step in range(200):
        measured = norms if step <= 64 else None
        run.handle(StepDone(step, 1.0, None, measured, measured, measured, flags, (), 0.01, 0.001, 0.1))
        view.refresh()
    assert int(table[codes.EMPTY]) not in colors_around(view, 0, 190)
    assert colors_around(view, 0, 210) == {int(table[codes.EMPTY])}


def test_many_layers_in_few_pixels_keep_the_one_that_leaks() -> None:
    cells = np.full((600, 10), codes.FROZEN, np.uint8)
    cells[301] = codes.LEAKED
    pixels = codes.to_pixels(cells, 100)
    assert pixels.shape == (100, 10)
    assert set(np.unique(pixels[50])) == {codes.LEAKED, codes.LEAKED_HATCH} and (pixels[49] == codes.FROZEN).all()


def test_the_words_at_the_pointer_tell_layer_step_value_and_state(qtbot: QtBot) -> None:
    run = started_run()
    add_steps(run, 50, (0.125, 0.1, 0.0, NO_GRADIENT), frozen=(0, 1), leaked=(1,))
    view = shown(qtbot, run)
    words = [view.describe(QPointF(place(view, layer, 25.5))) for layer in range(4)]
    assert words[0] == "stem · step 25 · gradient norm 0.125 · frozen, held"
    assert words[1].endswith("frozen, LEAKED")
    assert words[2] == "blocks.1 · step 25 · gradient norm 0 · trains"
    assert words[3] == "head · step 25 · no gradient · trains"
    assert view.describe(QPointF(place(view, 0, 80))) == "stem · step 80 · still to come"


def test_a_click_and_the_keyboard_choose_a_layer(qtbot: QtBot) -> None:
    run = started_run()
    add_steps(run, 5)
    view = shown(qtbot, run)
    with qtbot.waitSignal(view.layer_clicked) as clicked:
        QTest.mouseClick(view, Qt.MouseButton.LeftButton, pos=place(view, 2, 50))
    assert clicked.args == ["blocks.1"]
    with qtbot.waitSignal(view.layer_clicked) as chosen:
        QTest.keyClick(view, Qt.Key.Key_Down)
        QTest.keyClick(view, Qt.Key.Key_Return)
    assert chosen.args == ["head"]


def test_a_filter_shows_only_some_rows(qtbot: QtBot) -> None:
    run = started_run(total_steps=10)
    add_steps(run, 10, (0.0, 1.0, 0.0, 1.0))
    view = shown(qtbot, run)
    view.set_row_filter(["head", "stem"])
    assert list(view.shown_layers) == ["stem", "head"]
    assert colors_around(view, 0, 5) == {int(lookup_table(current_theme())[codes.ZERO])}
    view.set_row_filter(None)
    assert list(view.shown_layers) == list(LAYERS)


def test_nothing_is_drawn_again_when_nothing_is_new(qtbot: QtBot, monkeypatch: pytest.MonkeyPatch) -> None:
    run = started_run()
    add_steps(run, 5)
    view = shown(qtbot, run)
    drawn: list[int] = []
    monkeypatch.setattr(view, "_draw", lambda rect: drawn.append(1))
    view.refresh()
    assert not drawn
    add_steps(run, 1)
    view.refresh()
    assert drawn == [1]
    view.hide()
    add_steps(run, 1)
    view.refresh()
    assert drawn == [1]


def test_no_run_and_a_run_without_steps_show_a_line_of_words(qtbot: QtBot) -> None:
    view = HeatmapView()
    qtbot.addWidget(view)
    view.show()
    assert len({view.grab().toImage().pixel(x, view.height() // 2) for x in range(view.width())}) > 1
    view.set_history(History(("a", "b"), 10))
    view.refresh()
    view.set_history(None)
    assert view.shown_layers == () and view.content[0] is None


def test_an_unknown_metric_is_refused(qtbot: QtBot) -> None:
    view = HeatmapView()
    qtbot.addWidget(view)
    with pytest.raises(ValueError, match="not one of"):
        view.set_metric("sharpness")


@pytest.mark.parametrize("rows", [1, 10 * 512])   # the latter are looked at bin by bin
def test_the_colour_scale_is_that_of_what_trains_and_is_a_number_above_zero(rows: int) -> None:
    run = started_run(total_steps=2 * rows)
    add_steps(run, rows, (1e-9, 1e9, 0.0, NO_GRADIENT), frozen=(0, 1), leaked=(1,))
    add_steps(run, rows, (float("nan"), float("inf"), 0.01, 10.0))
    assert run.history is not None
    cells = codes.HeatmapCodes(run.history, "grad_norm")
    cells.look()
    assert cells.range == (-2.0, 1.0)


def test_levels_widen_to_half_decades_and_span_six_at_most() -> None:
    assert codes.nice_levels(-2.2, -0.9) == (-2.5, -0.5)
    assert codes.nice_levels(-30.0, 0.3) == (-5.5, 0.5)
    assert codes.nice_levels(-1.0, -1.0) == (-1.5, -1.0)


def test_thin_rows_are_labelled_by_block_and_ticks_are_round() -> None:
    layers = [f"layer{b}.{i}.conv" for b in range(4) for i in range(10)]
    assert [words for _, _, words in labels_for(layers, 80, 12)] == ["layer0", "layer1", "layer2", "layer3"]
    assert [words for _, _, words in labels_for(layers, 800, 12)] == layers
    assert [nice_step(span, 6) for span in (3, 60, 301, 10_000)] == [1, 10, 100, 2000]
    assert scale_ticks(-4.5, 0.0) == [-4.0, -2.0, 0.0] and scale_ticks(-0.5, 0.0) == [-0.5, 0.0]
    assert [power_text(p) for p in (-5, -3, -0.5, 0, 2, 6)] == ["1e-5", "0.001", "0.32", "1", "100", "1e6"]


def test_rows_of_nine_pixels_still_have_their_names(qtbot: QtBot) -> None:
    layers = [f"blocks.{at // 2}.{'conv' if at % 2 else 'norm'}" for at in range(9)]
    assert [words for _, _, words in labels_for(layers, 81, 14)] == layers
    assert len(labels_for(layers, 71, 14)) < 9


def test_paths_lose_the_letters_of_their_parents_before_their_own_and_all_alike(qtbot: QtBot) -> None:
    metrics, paths = QFontMetrics(QFont()), ["stem", "blocks.0.conv", "blocks.0.normalize"]
    assert fitted_paths(paths, metrics, 500) == paths
    room = metrics.horizontalAdvance("blocks.0.normalize") - 1
    assert fitted_paths(paths, metrics, room) == ["stem", "b.0.conv", "b.0.normalize"]
    assert all(metrics.horizontalAdvance(text) <= 40 for text in fitted_paths(paths, metrics, 40))


def test_a_low_heatmap_gives_its_height_to_the_rows(qtbot: QtBot) -> None:
    run = started_run(layers=[f"layer{at}" for at in range(9)])
    add_steps(run, 10, [0.1] * 9)
    view = shown(qtbot, run)
    view.resize(500, view.minimumSizeHint().height())
    assert view.plot_rect().height() >= 9 * 9
    assert view.legend.geometry().bottom() <= view.height()


def test_the_keyboard_comes_to_a_row_as_soon_as_the_heatmap_has_it(qtbot: QtBot) -> None:
    run = started_run()
    add_steps(run, 10)
    view = shown(qtbot, run)
    view.set_selected(["blocks.1"])
    view.activateWindow()
    view.setFocus()
    qtbot.waitUntil(view.hasFocus)
    for key, layer in ((Qt.Key.Key_Return, "blocks.1"), (Qt.Key.Key_End, "head"), (Qt.Key.Key_Home, "stem")):
        QTest.keyClick(view, key)
        with qtbot.waitSignal(view.layer_clicked) as clicked:
            QTest.keyClick(view, Qt.Key.Key_Return)
        assert clicked.args == [layer]
