from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from PySide6.QtCore import QPoint, QPointF, Qt, SignalInstance
from PySide6.QtGui import QFontMetricsF, QWheelEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QToolButton, QWidget
from pytestqt.qtbot import QtBot

from freeze_gui.gui.chips import ChipStrip, short_names, widest_name
from freeze_gui.gui.line_item import without_flat_parts
from freeze_gui.gui.log_scale import LogScale, fit, smooth
from freeze_gui.gui.loss_values import loss_range
from freeze_gui.gui.main_window import MainWindow
from freeze_gui.gui.palette import LIGHT
from freeze_gui.gui.plot_axes import LABEL_PX, LogAxis, StepAxis, ValueAxis
from freeze_gui.gui.plots import RunPlots
from freeze_gui.gui.readout import readout_html
from freeze_gui.gui.theme import style_sheet
from freeze_gui.gui.traces import trace
from freeze_gui.runs.recorder import RunRecorder
from freeze_gui.training.events import RunEnded, StepDone
from tests.gui.drawn_lines import drawn_pieces, drawn_steps
from tests.gui.recorded_runs import LAYERS, NO_GRADIENT, add_steps, end_run, started_run, waiting_run


def shown(qtbot: QtBot, run: RunRecorder | None) -> RunPlots:
    plots = RunPlots()
    qtbot.addWidget(plots)
    plots.resize(900, 650)
    plots.show()
    plots.set_run(run)
    plots.refresh()
    return plots


def test_a_line_is_drawn_without_the_points_between_two_of_the_same_height_and_keeps_its_gaps() -> None:
    nan = np.nan
    y = np.array([5, 5, 5, 5, 7, 5, 5, nan, nan, 5, 5, 5])
    x, left = without_flat_parts(np.arange(12.0), y)
    assert x.tolist() == [0, 3, 4, 5, 6, 7, 8, 9, 11]
    assert np.array_equal(left, y[[0, 3, 4, 5, 6, 7, 8, 9, 11]], equal_nan=True)
    for few in ([], [1.0], [1.0, 1.0]):
        assert without_flat_parts(np.arange(float(len(few))), np.array(few))[1].tolist() == few


def test_the_strips_reach_over_all_steps_that_are_seen(qtbot: QtBot) -> None:
    run = started_run()
    add_steps(run, 50, (0.1, 0.0, NO_GRADIENT, 0.1))
    plot = shown(qtbot, run).grad_norm_plot
    for start, stop in ((0, 100), (20, 30), (-500, 1e6)):
        plot.show_steps(start, stop)
        scale = plot.axis.scale_shown
        for strip, middle in ((plot.zero_strip, scale.zero_y), (plot.none_strip, scale.none_y)):
            rect = strip.rect()
            assert strip.isVisible()
            assert (rect.left(), rect.right()) == pytest.approx((start, stop))
            assert rect.center().y() == pytest.approx(middle)
            assert rect.height() == pytest.approx(scale.strip)


def test_zero_lands_in_the_zero_strip_and_missing_values_leave_gaps() -> None:
    scale = LogScale(-3.0, 1.0, has_none=True)
    y = scale.y(np.array([10.0, 0.001, 0.0, NO_GRADIENT, np.nan, np.inf]))
    assert y[:2] == pytest.approx([1.0, -3.0])
    assert y[2] == scale.zero_y and scale.zero_y + scale.strip / 2 < scale.floor
    assert np.isnan(y[3:]).all()
    assert scale.low < scale.none_y < scale.zero_y < scale.floor < scale.top < scale.nan_y < scale.high


def test_zeros_of_several_lines_lie_in_lanes_inside_the_strip() -> None:
    scale = LogScale(-3.0, 1.0)
    lanes = [float(scale.y(np.zeros(1), lane, 8)[0]) for lane in range(8)]
    assert len(set(lanes)) == 8
    assert all(abs(y - scale.zero_y) < scale.strip / 2 for y in lanes)


def test_the_axis_names_zero_none_and_nan_and_never_a_power_inside_the_strips() -> None:
    scale = LogScale(-3.0, 0.0, has_none=True, has_nan=True)
    worded, between = scale.ticks(scale.low, scale.high, 10)
    words = [scale.value_text(y) for y in worded]
    assert words == ["0", "none", "NaN", "0.001", "0.01", "0.1", "1"]
    assert min(between) >= -3.0 and max(between) <= 0.0


def test_the_scale_encloses_all_positive_values_and_only_grows() -> None:
    first = fit(0.02, 0.5, False, False, 300)
    assert (first.floor, first.top) == (-2.0, 0.0)
    wider = fit(3e-5, 0.1, True, False, 300, first)
    assert (wider.floor, wider.top, wider.has_none) == (-5.0, 0.0, True)
    assert fit(1e-30, 1e-30, False, False, 300).top == -29.0   # one decade at least


def test_smoothing_is_causal_and_keeps_zero_missing_and_nan() -> None:
    values = np.array([1.0, 1.0, 0.0, NO_GRADIENT, np.nan, 3.0])
    smoothed = smooth(values, 0.5)
    assert smoothed[:3].tolist() == [1.0, 1.0, 0.0] and smoothed[3] == NO_GRADIENT and np.isnan(smoothed[4])
    weights = 0.5 ** np.array([5, 4, 3, 0])
    assert smoothed[5] == pytest.approx((weights * [1, 1, 0, 3]).sum() / weights.sum(), rel=1e-3)
    assert smooth(values, 0.0) is values


def test_a_spike_of_one_step_among_ten_thousand_survives_in_the_line() -> None:
    run = started_run(total_steps=10_000)
    add_steps(run, 7_000, (0.5, 1, 1, 1))
    add_steps(run, 1, (90.0, 1, 1, 1))
    add_steps(run, 2_999, (0.5, 1, 1, 1))
    assert run.history is not None
    line = trace(run.history.view(), "grad_norm", 0, (0, 10_000), 400, 0.0)
    assert len(line.x) <= 800 and line.values.max() == 90.0 and line.values.min() == 0.5


def test_one_missing_gradient_one_nan_and_one_leak_survive_reduction() -> None:
    run = started_run(total_steps=5_000)
    add_steps(run, 1_000, (1, 1, 1, 1), frozen=(3,))
    add_steps(run, 1, (NO_GRADIENT, float("nan"), 1, 1), frozen=(3,), leaked=(3,))
    add_steps(run, 3_999, (1, 1, 1, 1), frozen=(3,))
    assert run.history is not None
    view = run.history.view()
    lines = [trace(view, "grad_norm", layer, (0, 5_000), 300, 0.0) for layer in range(4)]
    assert lines[0].missing.any() and not lines[2].missing.any()
    assert lines[1].bad.any() and np.isfinite(lines[1].values).all()
    assert lines[3].leaked.any() and lines[3].frozen.all()


def test_frozen_stretches_are_drawn_by_their_own_line_and_missing_gradients_by_theirs(qtbot: QtBot) -> None:
    run = started_run(total_steps=30)
    add_steps(run, 10, (0.5, 1, 1, 1))
    add_steps(run, 10, (NO_GRADIENT, 1, 1, 1), frozen=(0, 1))
    add_steps(run, 10, (0.5, 1, 1, 1))
    plots = shown(qtbot, run)
    plots.set_selected(["stem", "blocks.0"])
    stem, block = plots.grad_norm_plot.lines[:2]
    assert drawn_steps(stem.main) == [(0, 9), (20, 29)]
    assert drawn_steps(stem.none) == [(10, 19)]
    assert drawn_pieces(stem.none)[0][0][1] < plots.grad_norm_plot.axis.scale_shown.zero_y   # not where zeros are
    assert drawn_steps(block.frozen) == [(9, 20)]
    assert drawn_steps(block.main) == [(0, 9), (20, 29)]   # the full line stops where the frozen one runs
    assert stem.faint.is_empty


def test_at_most_eight_selected_layers_are_drawn_beside_the_pinned_ones(qtbot: QtBot) -> None:
    layers = [f"layer{i}" for i in range(20)]
    run = started_run(layers=layers)
    add_steps(run, 3, [0.1] * 20)
    plots = shown(qtbot, run)
    plots.toggle_pin("layer19")
    plots.set_selected(layers[:12])
    assert plots.shown_layers() == ["layer19", *layers[:8]]
    assert plots.chips.note.text() == "and 4 more selected"
    colors = {s.label: s.color for s in plots.weight_delta_plot.series}
    assert len(set(colors.values())) == 9
    plots.set_selected(layers[4:6])
    assert plots.shown_layers() == ["layer19", "layer4", "layer5"]
    assert {s.label: s.color for s in plots.weight_delta_plot.series}["layer4"] == colors["layer4"]
    plots.toggle_pin("layer19")
    assert plots.shown_layers() == ["layer4", "layer5"]


def test_before_a_run_every_view_says_what_will_be_there(qtbot: QtBot) -> None:
    plots = shown(qtbot, None)
    assert plots.heatmap.empty_text.startswith("Press Run")
    assert all(plot.message.isVisible() and plot.message.text() for plot in plots.plots)
    run = started_run()
    plots.set_run(run)
    add_steps(run, 2)
    for _ in range(4):   # beside the training each frame draws one view
        plots.refresh()
    assert not any(plot.message.isVisible() for plot in plots.plots)


def test_a_run_without_a_step_says_what_became_of_it(qtbot: QtBot) -> None:
    run = waiting_run()
    plots = shown(qtbot, run)
    assert plots.heatmap.empty_text == "Curves appear here with the first step"
    run.handle(RunEnded("out_of_memory", "This run needs more memory than there is", 0, ()))
    plots.refresh()
    assert plots.heatmap.empty_text == "Out of memory: there was no step"
    plots.set_run(None)
    assert plots.heatmap.empty_text.startswith("Press Run")


def test_new_steps_reach_every_plot_within_three_quick_refreshes(qtbot: QtBot) -> None:
    run = started_run()
    add_steps(run, 5)
    plots = shown(qtbot, run)
    add_steps(run, 5)
    for _ in range(3):
        plots.refresh()
    assert drawn_steps(plots.weight_delta_plot.lines[0].main) == [(0, 9)]
    assert drawn_steps(plots.grad_norm_plot.lines[0].main) == [(0, 9)]
    assert drawn_steps(plots.loss_plot.lines[0].loss.line) == [(0, 9)]
    end_run(run)
    plots.refresh()
    assert plots.loss_plot.accuracies.item.getData()[1].tolist() == [0.9]


def test_a_zoom_stays_while_steps_arrive_and_the_key_a_ends_it(qtbot: QtBot) -> None:
    run = started_run(total_steps=100)
    add_steps(run, 50)
    plots = shown(qtbot, run)
    plots.loss_plot.view_box.setXRange(10, 20, padding=0)
    plots.loss_plot.on_zoomed(None)
    add_steps(run, 10)
    plots.refresh()
    assert all(plot.view_box.viewRange()[0] == [10, 20] for plot in plots.plots)
    assert plots.heatmap.x_range() == (10, 20)
    QTest.keyClick(plots.loss_plot, Qt.Key.Key_A)
    assert all(plot.view_box.viewRange()[0] == [0, 100] for plot in plots.plots)
    assert plots.heatmap.x_range() == (0, 100)


def test_one_cursor_runs_through_every_view(qtbot: QtBot) -> None:
    run = started_run()
    add_steps(run, 50)
    plots = shown(qtbot, run)
    plots.weight_delta_plot.step_hovered.emit(12.5)
    assert all(plot.cursor_line.isVisible() and plot.cursor_line.value() == 12.5 for plot in plots.plots)
    assert plots.heatmap._cursor == 12.5 and "step 12" in plots.readout.text()
    plots.heatmap.step_hovered.emit(None)
    assert not any(plot.cursor_line.isVisible() for plot in plots.plots) and not plots.readout.isVisible()


def test_the_readout_tells_missing_from_zero_and_leaked_from_held() -> None:
    run = started_run()
    add_steps(run, 5, (0.5, 0.0, NO_GRADIENT, float("nan")), frozen=(0, 1), leaked=(1,))
    assert run.history is not None
    html = readout_html(run.history, [(path, "#000000", row) for row, path in enumerate(LAYERS)], 3.2)
    rows = html.split("<tr>")
    assert "step 3" in rows[1] and "0.5" in rows[2] and "frozen, held" in rows[2]
    assert ">0&nbsp;" in rows[3] and "frozen, LEAKED" in rows[3]
    assert "no gradient" in rows[4] and "NaN" in rows[5]
    assert readout_html(run.history, [], 99) == ""


def test_moments_when_layers_froze_are_marked_in_every_plot(qtbot: QtBot) -> None:
    run = started_run()
    add_steps(run, 20)
    add_steps(run, 20, frozen=(0, 1))
    plots = shown(qtbot, run)
    for plot in plots.plots:
        assert plot.markers.points[0].tolist() == [20, 20]
        assert [label.toPlainText() for label in plot.marker_labels if label.isVisible()] == ["2 froze"]


def test_the_metric_box_rules_the_heatmap_and_its_clicks_are_passed_on(qtbot: QtBot) -> None:
    run = started_run()
    add_steps(run, 5)
    plots = shown(qtbot, run)
    plots.metric_box.setCurrentIndex(2)
    assert plots.heatmap._metric == "grad_norm"
    with qtbot.waitSignal(plots.layer_clicked) as clicked:
        plots.heatmap.layer_clicked.emit("head")
    assert clicked.args == ["head"]


def test_only_the_longest_names_of_chips_are_cut() -> None:
    assert widest_name([30, 40, 50], room=200) == 50
    assert widest_name([30, 100, 120], room=170) == 70   # 30 whole, the other two share 140
    assert widest_name([], room=100) == 0


def test_a_name_of_a_chip_that_was_cut_has_room_for_what_is_left(qtbot: QtBot) -> None:
    long = [f"a_long_name_of_a_layer_that_ends_in_{number}" for number in range(6)]
    chips = ChipStrip()
    qtbot.addWidget(chips)
    chips.setStyleSheet(style_sheet(LIGHT))
    chips.show()
    for width in (1400, 900, 600, 532):
        chips.resize(width, 30)
        chips.set_chips([(path, "#0072b2", False) for path in (*long, "1")], "")
        QApplication.processEvents()
        for button in chips.findChildren(QToolButton):
            around = 12 + 4 + 12 + 2   # dot, gap, padding, border
            assert button.width() >= button.fontMetrics().horizontalAdvance(button.text()) + around


def test_the_font_of_the_system_may_change_while_the_window_is_there(window: MainWindow) -> None:
    window.show_compare_tab()
    QApplication.processEvents()
    hidden = {
        (type(widget).__name__, name)
        for widget in window.findChildren(QWidget)
        for name, value in vars(widget).items()
        if callable(getattr(QWidget, name, None)) and not callable(value) and not isinstance(value, SignalInstance)
    }
    assert not hidden   # Qt calls its function by that name and crashes: `metric` when the font changes
    usual, large = QApplication.font(), QApplication.font()
    large.setPointSizeF(2 * usual.pointSizeF())
    for font in (large, usual):
        QApplication.setFont(font)
        QApplication.processEvents()
        window.grab()


def wheel(plots: RunPlots, at: QPoint) -> None:
    view = plots.weight_delta_plot.viewport()
    place, none = QPointF(at), Qt.MouseButton.NoButton
    turn = QWheelEvent(
        place, QPointF(view.mapToGlobal(at)), QPoint(), QPoint(0, 240), none, Qt.KeyboardModifier.NoModifier,
        Qt.ScrollPhase.NoScrollPhase, False,
    )  # fmt: skip
    QApplication.sendEvent(view, turn)


def test_a_zoom_by_wheel_stays_while_the_run_goes_on_and_a_double_click_ends_it(qtbot: QtBot) -> None:
    run = started_run()
    add_steps(run, 60)
    plots = shown(qtbot, run)
    view = plots.weight_delta_plot.viewport()
    wheel(plots, view.rect().center())
    zoomed = plots.weight_delta_plot.view_box.viewRange()[0]
    assert zoomed[1] - zoomed[0] < 99
    add_steps(run, 20)
    plots.refresh()
    for plot in plots.plots:
        assert plot.view_box.viewRange()[0] == pytest.approx(zoomed)
    QTest.mouseDClick(view, Qt.MouseButton.LeftButton, pos=view.rect().center())
    for plot in plots.plots:
        assert plot.view_box.viewRange()[0] == [0, 100]


def test_the_keyboard_zooms_moves_and_shows_everything_again(qtbot: QtBot) -> None:
    run = started_run()
    add_steps(run, 60)
    plots = shown(qtbot, run)
    plot = plots.loss_plot
    QTest.keyClick(plot, Qt.Key.Key_Plus)
    assert plots.grad_norm_plot.view_box.viewRange()[0] == pytest.approx([10, 90])
    QTest.keyClick(plot, Qt.Key.Key_Left)
    assert plots.grad_norm_plot.view_box.viewRange()[0] == pytest.approx([2, 82])
    QTest.keyClick(plot, Qt.Key.Key_A)
    assert plots.grad_norm_plot.view_box.viewRange()[0] == [0, 100]


def test_a_right_click_opens_no_menu_of_the_plotting_library(qtbot: QtBot) -> None:
    run = started_run()
    add_steps(run, 60)
    plots = shown(qtbot, run)
    for plot in plots.plots:
        view = plot.viewport()
        for at in (view.rect().center(), QPoint(20, 40), QPoint(view.width() // 2, view.height() - 6)):
            QTest.mouseClick(view, Qt.MouseButton.RightButton, pos=at)
            qtbot.wait(1)
            assert QApplication.activePopupWidget() is None
        assert not plot.getPlotItem().menuEnabled() and not plot.view_box.menuEnabled()


def test_the_pointer_over_a_plot_lists_every_shown_layer_those_on_zero_too(qtbot: QtBot) -> None:
    run = started_run()
    add_steps(run, 100, (0.0, 0.0, 0.3, 0.4), frozen=(0, 1), leaked=(1,))
    plots = shown(qtbot, run)
    view = plots.weight_delta_plot.viewport()
    QTest.mouseMove(view, view.rect().center())
    qtbot.waitUntil(plots.readout.isVisible)
    assert all(layer in plots.readout.text() for layer in LAYERS)
    assert "frozen, held" in plots.readout.text() and "frozen, LEAKED" in plots.readout.text()
    assert plots.rect().contains(plots.readout.geometry())


def test_plots_that_were_hidden_during_a_run_show_it_when_they_come_back(qtbot: QtBot) -> None:
    plots = shown(qtbot, None)
    plots.hide()
    run = started_run()
    add_steps(run, 60)
    plots.set_run(run)
    plots.show()
    for plot in plots.plots:
        assert plot.message.isHidden() and plot.view_box.viewRange()[0] == [0, 100]


def test_a_learning_rate_is_drawn_as_steps_only_once_it_has_changed(qtbot: QtBot) -> None:
    run = started_run()
    plot = shown(qtbot, run).loss_plot
    flags, norms = np.zeros(4, bool), (np.ones(4), np.ones(4), np.ones(4))
    for step, rate in enumerate((0.1, 0.1, 0.025, 0.025)):
        run.handle(StepDone(step, 1.0, None, *norms, flags, (), 0.01, 0.001, rate))
        plot.refresh()
        assert plot.lines[0].rate.line.is_empty == (step < 2)
        assert ("learning rate" in plot.title) == (step >= 2)
    path = plot.lines[0].rate.line.path
    corners = [(path.elementAt(at).x, path.elementAt(at).y) for at in range(path.elementCount())]
    assert corners == [(0, 1), (2, 1), (2, 0.25), (3, 0.25)]   # shares of the largest


def test_the_read_out_tells_the_learning_rate_of_the_step() -> None:
    run = started_run()
    assert run.history is not None
    flags, norms = np.zeros(4, bool), (np.ones(4), np.ones(4), np.ones(4))
    for step, rate in enumerate((0.1, 0.025)):
        run.handle(StepDone(step, 1.0, None, *norms, flags, (), 0.01, 0.001, rate))
    for cursor, words in ((0.5, "0.1"), (1.2, "0.025")):
        line = next(row for row in readout_html(run.history, [], cursor).split("<tr>") if "learning rate" in row)
        assert f">{words}&nbsp;" in line


@pytest.mark.parametrize(
    ("paths", "names"),
    [
        (["stem.conv", "blocks.0.conv", "blocks.1.conv", "head"], ["stem.conv", "0.conv", "1.conv", "head"]),
        (["a.b.conv", "c.b.conv", "c.b.norm"], ["a.b.conv", "c.b.conv", "norm"]),
        (["conv", "b.conv"], ["conv", "b.conv"]),   # the first has no more parts
        ([""], ["(model)"]),
    ],
)
def test_a_short_name_is_the_end_of_a_path_that_tells_it_from_the_others(paths: list[str], names: list[str]) -> None:
    assert short_names(paths) == names


@pytest.mark.parametrize("height_px", [30, 45, 70, 120, 400])
def test_numbers_up_a_side_never_overlap(qtbot: QtBot, height_px: int) -> None:
    axis = ValueAxis("right")
    ticks = sorted(y for _, values in axis.tickValues(0.0, 1.04, height_px) for y in values)
    assert len(ticks) >= 2
    assert min(b - a for a, b in pairwise(ticks)) / 1.04 * height_px >= 12


@pytest.mark.parametrize("width_px", [80, 120, 200, 1000])
@pytest.mark.parametrize("steps", [7, 300, 1_500, 40_000, 1_000_000])
def test_numbers_of_steps_never_overlap_and_are_whole(qtbot: QtBot, width_px: int, steps: int) -> None:
    axis = StepAxis("bottom")
    ticks = sorted(x for _, values in axis.tickValues(0.0, steps, width_px) for x in values)
    words = axis.tickStrings(ticks, 1.0, 1.0)
    assert [float(word.replace(",", "")) for word in words] == ticks and len(ticks) >= 2 - (width_px < 200)
    wide = [QFontMetricsF(axis.font()).horizontalAdvance(word) for word in words]
    places = [x / steps * width_px for x in ticks]
    ends = [(place - width / 2, place + width / 2) for place, width in zip(places, wide, strict=True)]
    assert all(after[0] - before[1] >= 4 for before, after in pairwise(ends))


def test_one_word_stands_for_both_strips_where_they_are_too_near_for_two(qtbot: QtBot) -> None:
    axis = LogAxis()
    axis.scale_shown = LogScale(-3.0, 1.0, has_none=True)
    span = axis.scale_shown.high - axis.scale_shown.low
    for height_px, words in ((40, {"0/none"}), (400, {"0", "none"})):
        worded, _ = axis.tickValues(axis.scale_shown.low, axis.scale_shown.high, height_px)
        below = [y for y in worded[1] if y < axis.scale_shown.floor]
        assert set(axis.tickStrings(below, 1.0, 1.0)) == words
        assert len(below) == 1 or (max(below) - min(below)) / span * height_px >= 12


@pytest.mark.parametrize(("least", "largest"), [(1e-3, 1.0), (1e-6, 1e33), (0.5, 2.0)])
def test_a_number_gives_way_to_the_word_for_nan_above_it(qtbot: QtBot, least: float, largest: float) -> None:
    axis = LogAxis()
    for height_px in (40, 60, 400):
        scale = axis.scale_shown = fit(least, largest, False, True, height_px)
        worded = sorted(axis.tickValues(scale.low, scale.high, height_px)[0][1])
        assert axis.tickStrings(worded[-1:], 1.0, 1.0) == ["NaN"]
        assert (worded[-1] - worded[-2]) / (scale.high - scale.low) * height_px >= LABEL_PX


def test_the_axis_of_losses_holds_them_with_room_and_stays_where_one_is_a_little_larger() -> None:
    for scale in (1e-6, 0.3, 1.0, 1.7, 2000.0):
        low, high = loss_range(np.array([0.2, 1.0]) * scale)
        assert low == 0.0
        assert 1.05 * scale <= high <= 1.12 * scale
        below, above = loss_range(np.array([-1.0, 1.0]) * scale)
        assert below <= -1.1 * scale
        assert 1.1 * scale <= above == -below <= 1.23 * scale
    grown = {loss_range(np.array([1.0 + at / 1000]))[1] for at in range(100)}
    assert len(grown) <= 3
    assert loss_range(np.array([np.nan, np.inf])) == (0.0, 1.0)
    assert np.isfinite(loss_range(np.array([-1.7e308, 1.7e308]))).all()
