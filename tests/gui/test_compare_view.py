from __future__ import annotations

import math
from typing import Any

import pyqtgraph as pg
import pytest
from PySide6.QtCore import QEvent, QItemSelectionModel, QObject, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QWidget
from pytestqt.qtbot import QtBot

from freeze_gui.gui import compare_overlays, growing_traces
from freeze_gui.gui.compare_dialog import CompareDialog
from freeze_gui.gui.compare_tiles import tiles_per_row
from freeze_gui.gui.compare_view import CompareView
from freeze_gui.gui.main_window import MainWindow
from freeze_gui.gui.run_look import run_color, run_dash
from freeze_gui.gui.theme import RUN_DASHES, series_color
from freeze_gui.gui.traces import Trace, traces
from freeze_gui.runs.differences import differing_layers
from freeze_gui.runs.grid import Axes
from freeze_gui.runs.history import HistoryView
from freeze_gui.runs.recorder import RunRecorder
from freeze_gui.training.events import Evaluated
from tests.gui.conftest import RUN_MS
from tests.gui.drawn_lines import drawn_steps
from tests.gui.recorded_runs import add_steps, end_run, started_run, three_runs, waiting_run


def compared(qtbot: QtBot, runs: list[RunRecorder]) -> CompareView:
    view = CompareView()
    qtbot.addWidget(view)
    view.resize(900, 650)
    view.show()
    view.set_runs(runs)
    view.refresh()
    return view


def test_all_heatmaps_share_the_scale_that_holds_every_run(qtbot: QtBot) -> None:
    view = compared(qtbot, three_runs())
    low, high = view.tiles_view.tiles[0].heatmap.levels()
    assert view.tiles_view.tiles[1].heatmap.levels() == (low, high)
    assert low <= -3.0 and high >= 0.0


def test_the_scale_grows_while_a_run_goes_on(qtbot: QtBot) -> None:
    runs = [started_run("a"), started_run("b")]
    add_steps(runs[0], 5)
    view = compared(qtbot, runs)
    add_steps(runs[1], 5, (40.0, 1.0, 1.0, 1.0))
    view.refresh()
    assert view.tiles_view.tiles[0].heatmap.levels() == view.tiles_view.tiles[1].heatmap.levels() == (-1.5, 2.0)


def test_a_layer_is_overlaid_run_by_run_in_its_own_colour_and_dash(qtbot: QtBot) -> None:
    view = compared(qtbot, three_runs())
    view.set_selected(["blocks.1"])
    lines = view.overlays.weight_delta_plot.series
    assert [line.label for line in lines] == ["requires_grad", "grad_zero"]
    assert [(line.color, line.dash) for line in lines] == [(series_color(i), RUN_DASHES[i]) for i in range(2)]
    assert {line.layer for line in lines} == {2} and view.overlays.layer_box.currentData() == "blocks.1"


def test_of_very_many_runs_the_latest_that_have_begun_are_overlaid_and_the_title_says_so(
    qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compare_overlays, "MOST_LINES", 3)
    runs = [started_run(f"run {at}") for at in range(5)] + [waiting_run("run 5"), waiting_run("run 6")]
    view = compared(qtbot, runs)
    overlays = view.overlays
    assert overlays.title.text() == "One layer in the latest 3 of 7 runs"

    def has(*wanted: str) -> bool:
        both = overlays.weight_delta_plot.series, overlays.loss_plot.series
        return all([line.label for line in lines] == [*wanted] for lines in both)

    qtbot.waitUntil(lambda: has("run 2", "run 3", "run 4"))
    assert [line.color for line in overlays.loss_plot.series] == [run_color(at) for at in (2, 3, 4)]
    runs[5].__dict__.update(started_run("run 5").__dict__)
    view.refresh()
    qtbot.waitUntil(lambda: has("run 3", "run 4", "run 5"))
    view.set_runs(runs[:3])
    assert overlays.title.text() == "One layer in every run"


@pytest.mark.parametrize(("height", "least"), [(430, 12), (1_300, 24)])
def test_the_read_out_of_many_runs_has_room_in_the_view_and_counts_those_that_have_not(
    qtbot: QtBot, height: int, least: int
) -> None:
    runs = [started_run(f"run {at}") for at in range(60)]
    for run in runs:
        add_steps(run, 5)
    view = compared(qtbot, runs)
    view.resize(900, height)
    qtbot.wait(1)
    view.overlays.on_hovered(2.0)
    readout = view.overlays.readout
    assert readout.isVisible() and view.rect().contains(readout.geometry())
    told = [at for at in range(60) if f" run {at}&nbsp;" in readout.text()]
    assert told == list(range(60 - len(told), 60)) and least <= len(told) <= 24
    assert f"{60 - len(told)} earlier runs" in readout.text()


def test_a_run_that_is_renamed_is_called_so_in_the_overlays(qtbot: QtBot) -> None:
    runs = three_runs()
    view = compared(qtbot, runs)
    runs[0].label = "the good one"
    view.refresh()
    assert view.overlays.weight_delta_plot.series[0].label == view.overlays.loss_plot.series[0].label == "the good one"


def test_a_waiting_run_takes_its_place_and_joins_when_it_starts(qtbot: QtBot) -> None:
    runs: list[RunRecorder] = [waiting_run("first"), waiting_run("second")]
    view = compared(qtbot, runs)
    assert [tile.verdict.text() for tile in view.tiles_view.tiles.values()] == ["waiting", "waiting"]
    started = started_run("first")
    add_steps(started, 3, frozen=(0,))
    runs[0].__dict__.update(started.__dict__)   # the recorder itself lives on when its run starts
    view.refresh()
    assert view.tiles_view.tiles[0].heatmap.shown_layers == started.history.layers if started.history else False
    assert view.tiles_view.tiles[0].verdict.text() == "✓ running · held"
    assert [line.label for line in view.overlays.grad_norm_plot.series] == ["first"]


def test_a_click_in_a_heatmap_is_passed_on_and_overlays_the_layer(qtbot: QtBot) -> None:
    view = compared(qtbot, three_runs())
    with qtbot.waitSignal(view.layer_clicked) as clicked:
        view.tiles_view.tiles[1].heatmap.layer_clicked.emit("head")
    assert clicked.args == ["head"] and view.overlays.layer_box.currentData() == "head"


@pytest.mark.parametrize("width", [560, 640, 1800])
def test_a_tile_shows_the_name_above_the_verdict_and_neither_is_cut_by_the_other(qtbot: QtBot, width: int) -> None:
    view = compared(qtbot, [*three_runs(), started_run("requires_grad #2")])
    view.resize(width, 650)
    qtbot.wait(1)
    for tile in view.tiles_view.tiles.values():
        assert tile.title.geometry().bottom() <= tile.verdict.geometry().top()
        assert tile.rect().contains(tile.title.geometry()) and tile.rect().contains(tile.verdict.geometry())
    leaked = view.tiles_view.tiles[1]
    assert view.tiles_view.tiles[0].title.shown_text() == "requires_grad"
    assert leaked.verdict.text() == "✗ leaked · momentum" and leaked.verdict.shown_text().startswith("✗ leaked")
    assert "1 of 1 frozen layers moved" in leaked.title.toolTip()
    leaked.verdict.resize(20, 14)
    assert leaked.verdict.shown_text() == "✗"


@pytest.mark.parametrize("width", [560, 640])
def test_every_overlay_lies_inside_its_card_and_shows_all_steps(qtbot: QtBot, width: int) -> None:
    view = compared(qtbot, three_runs())
    view.resize(width, 430)
    qtbot.wait(1)
    view.refresh()
    for plot in view.overlays.plots:
        item = plot.getPlotItem()
        assert plot.viewport().rect().toRectF().adjusted(-1, -1, 1, 1).contains(item.sceneBoundingRect())
        assert plot.view_box.viewRange()[0] == [0, 100] and plot.view_box.width() > 60
        assert plot.heading.sceneBoundingRect().right() <= plot.width()


def test_a_run_has_one_colour_and_dash_in_tile_curves_and_loss(qtbot: QtBot) -> None:
    view = compared(qtbot, [])
    view.set_runs(three_runs(), [5, 12, 3])
    view.refresh()
    looks = [(run_color(number), run_dash(number)) for number in (5, 12, 3)]
    assert [view.tiles_view.tiles[at].dot.number for at in range(3)] == [5, 12, 3]
    assert [(line.color, line.dash) for line in view.overlays.weight_delta_plot.series] == looks[:2]
    assert [(line.color, line.dash) for line in view.overlays.loss_plot.series] == looks


def test_every_evaluation_has_the_colour_of_its_run(qtbot: QtBot) -> None:
    runs = [started_run("a"), started_run("b"), started_run("c")]
    for run, accuracy in zip(runs, (0.5, None, 0.75), strict=True):
        add_steps(run, 3)
        run.handle(Evaluated(3, 0.25, accuracy))
    runs[2].handle(Evaluated(5, math.nan, 0.5))
    view = compared(qtbot, runs)
    qtbot.wait(1)

    def shown(item: pg.ScatterPlotItem) -> list[tuple[float, float, str]]:
        return [(spot.pos().x(), spot.pos().y(), spot.brush().color().name()) for spot in item.points()]

    plot, (a, b, c) = view.overlays.loss_plot, (series_color(at) for at in range(3))
    assert shown(plot.evaluated.item) == [(3, 0.25, a), (3, 0.25, b), (3, 0.25, c)]
    assert shown(plot.accuracies.item) == [(3, 0.5, a), (3, 0.75, c), (5, 0.5, c)]
    view.set_runs(runs[1:], [1, 2])
    qtbot.waitUntil(lambda: shown(plot.evaluated.item) == [(3, 0.25, b), (3, 0.25, c)])


def test_while_one_run_goes_on_the_lines_of_the_others_stay_as_they_are(
    qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = [started_run("a"), started_run("b")]
    for run in runs:
        add_steps(run, 5)
    view = compared(qtbot, runs)
    qtbot.wait(1)
    view.refresh()   # for the size that the plots have now
    plot, found = view.overlays.weight_delta_plot, list[int]()
    assert [drawn_steps(lines.main) for lines in plot.lines] == [[(0, 4)], [(0, 4)]]

    def noted(view: HistoryView, *rest: Any) -> Trace:
        found.append(len(view.step))
        return traces(view, *rest)

    monkeypatch.setattr(growing_traces, "traces", noted)
    add_steps(runs[1], 3)
    view.refresh()
    assert found == [8, 8]   # of the weight delta and of the gradient norm
    assert [drawn_steps(lines.main) for lines in plot.lines] == [[(0, 4)], [(0, 7)]]


def test_a_comparison_after_an_earlier_run_goes_on_with_its_colours(window: MainWindow) -> None:
    bench = window.workbench
    bench.on_run_started(started_run("first"))
    compared_runs = [started_run("a"), started_run("b")]
    bench.on_comparison_started(compared_runs)
    assert window.compare_view.numbers == [1, 2]
    assert [window.runs_table.runs_model.recorders[number] for number in (1, 2)] == compared_runs
    bench.show_run(compared_runs[1])
    assert window.run_plots.loss_plot.series[0].color == run_color(2)


def test_no_two_of_a_hundred_runs_look_alike() -> None:
    assert len({(run_color(number), run_dash(number)) for number in range(100)}) == 100


def test_the_empty_view_offers_a_comparison(qtbot: QtBot) -> None:
    view = compared(qtbot, [])
    assert view.empty_page.button.isVisible() and not view.tiles_view.area.isVisible()
    with qtbot.waitSignal(view.comparison_wanted):
        QTest.mouseClick(view.empty_page.button, Qt.MouseButton.LeftButton)
    view.set_runs(three_runs())
    assert not view.empty_page.button.isVisible() and view.tiles_view.area.isVisible()


def test_the_pointer_over_an_overlay_lists_every_run_with_its_values(qtbot: QtBot) -> None:
    view = compared(qtbot, three_runs())
    view.show_layer("stem")
    viewport = view.overlays.weight_delta_plot.viewport()
    QTest.mouseMove(viewport, viewport.rect().center())
    qtbot.waitUntil(view.overlays.readout.isVisible)
    text = view.overlays.readout.text()
    assert "requires_grad" in text and "grad_zero" in text and "frozen, LEAKED" in text and "exclude" not in text
    view.overlays.weight_delta_plot.step_hovered.emit(None)
    assert not view.overlays.readout.isVisible()


def test_overlays_of_runs_that_wait_say_so_and_have_no_axes(qtbot: QtBot) -> None:
    view = compared(qtbot, [waiting_run(), waiting_run()])
    plots = view.overlays.plots
    qtbot.waitUntil(lambda: all(plot.message.text() == "no steps yet" for plot in plots))
    for plot in plots:
        assert plot.message.isVisible()
        assert not any(plot.getPlotItem().getAxis(name).style["showValues"] for name in ("left", "bottom"))


def test_overlays_that_were_hidden_during_the_runs_show_them_when_they_come_back(qtbot: QtBot) -> None:
    view = compared(qtbot, [])
    view.hide()
    view.set_runs(three_runs())
    view.show()
    qtbot.waitUntil(lambda: all(plot.message.isHidden() for plot in view.overlays.plots))
    assert [line.label for line in view.overlays.weight_delta_plot.series] == ["requires_grad", "grad_zero"]


def test_heatmaps_wrap_into_even_rows_of_four_at_most() -> None:
    assert [tiles_per_row(count) for count in (0, 1, 3, 4, 5, 6, 8, 9, 10)] == [1, 1, 3, 4, 3, 3, 4, 3, 4]


def click_tile(view: CompareView, at: int) -> None:
    heatmap = view.tiles_view.tiles[at].heatmap
    QTest.mouseClick(heatmap, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.ControlModifier, heatmap.rect().center())


def test_two_tiles_clicked_with_ctrl_show_their_difference_and_the_button_leads_back(qtbot: QtBot) -> None:
    runs = three_runs()
    view = compared(qtbot, runs)
    with qtbot.assertNotEmitted(view.layer_clicked):
        click_tile(view, 1)
        assert view.tiles_view.isVisible()
        click_tile(view, 0)
    assert view.difference.isVisible() and view.difference.pair == (runs[1], runs[0])
    assert view.title.text() == "First step that differs: 0 (4 layers)"
    QTest.mouseClick(view.difference_button, Qt.MouseButton.LeftButton)
    assert view.tiles_view.isVisible() and view.title.text() == "Layers × steps, one scale for all runs"


def test_a_tile_clicked_twice_with_ctrl_is_no_pair(qtbot: QtBot) -> None:
    view = compared(qtbot, three_runs())
    click_tile(view, 0)
    click_tile(view, 0)
    click_tile(view, 1)
    assert view.tiles_view.isVisible()


def test_zoom_and_cursor_are_shared_with_the_difference(qtbot: QtBot) -> None:
    view = compared(qtbot, three_runs())
    view.show_pair(*view.recorders[:2])
    view.show_steps(20.0, 40.0)
    assert view.difference.map.x_range() == view.tiles_view.tiles[0].heatmap.x_range() == (20.0, 40.0)
    view.reset_view()
    assert view.difference.map.x_range() == (0.0, 100.0)


def test_diff_only_leaves_the_layers_that_differ_in_every_heatmap(qtbot: QtBot) -> None:
    runs = [started_run("a"), started_run("b")]
    add_steps(runs[0], 10, (0.1, 0.2, 0.1, 0.1))
    add_steps(runs[1], 10, (0.1, 0.3, 0.1, 0.1))
    assert differing_layers(runs) == ("blocks.0",)
    view = compared(qtbot, runs)
    view.set_diff_only(True)
    assert [tile.heatmap.shown_layers for tile in view.tiles_view.tiles.values()] == [("blocks.0",)] * 2
    view.set_diff_only(False)
    assert len(view.tiles_view.tiles[0].heatmap.shown_layers) == 4


def test_equal_runs_have_no_layer_left_and_their_tiles_say_why(qtbot: QtBot) -> None:
    runs = [started_run("a"), started_run("b")]
    for run in runs:
        add_steps(run, 10)
    view = compared(qtbot, runs)
    view.set_diff_only(True)
    assert view.tiles_view.tiles[0].heatmap.empty_text == "every layer is equal in all runs"


def test_twelve_runs_scroll_and_what_comes_into_sight_is_drawn(qtbot: QtBot) -> None:
    view = compared(qtbot, [started_run(f"run {at}") for at in range(12)])
    view.resize(900, 430)
    qtbot.wait(1)
    for recorder in view.recorders:
        add_steps(recorder, 5)
    view.refresh()
    bar, last = view.tiles_view.area.verticalScrollBar(), view.tiles_view.tiles[11]
    assert bar.maximum() > 0 and last.visibleRegion().isEmpty()
    bar.setValue(bar.maximum())
    assert not last.visibleRegion().isEmpty() and last.verdict.text() == "running"


def test_a_frame_waits_for_the_first_pictures_of_its_runs_and_then_draws_what_is_new(
    qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = [started_run("a"), started_run("b")]
    for run in runs:
        add_steps(run, 20)
    view = compared(qtbot, runs)
    view.comparing = True
    drawn: list[int] = []
    monkeypatch.setattr(view.overlays, "refresh", drawn.append)
    view.set_runs(runs)
    for _ in range(4):
        view.refresh()
    assert drawn == [] and view.status.progress.text() == "run 1 of 2 · 20 %"   # words are said at once
    qtbot.waitUntil(lambda: not view._turns.is_working)
    for _ in range(4):
        view.refresh()
    assert sorted(drawn) == [0, 1, 2]


def test_progress_and_proof_stand_above_the_heatmaps_while_runs_go_on(qtbot: QtBot) -> None:
    runs = [started_run("a"), started_run("b"), waiting_run("c")]
    for run in runs[:2]:
        add_steps(run, 100)
        end_run(run, proof="x")
    view = compared(qtbot, runs)
    view.comparing = True
    view.refresh()
    status = view.status
    assert status.progress.text() == "run 3 of 3 · 66 %" and status.bar.value() == 667
    assert status.proof.text() == "same start ✓ · batches ✓ 100 steps · validation ✓"
    assert "hash" in status.proof.toolTip()
    assert status.minimumSizeHint().width() <= 500   # in a window of 1280 pixels there are 532
    assert status.equal.text() == "a = b: the same bits"
    with qtbot.waitSignal(view.cancel_wanted):
        QTest.mouseClick(status.cancel_button, Qt.MouseButton.LeftButton)
    view.comparing = False
    view.refresh()
    assert not status.cancel_button.isVisible() and status.proof.isVisible()


class Clicks(QObject):
    def __init__(self) -> None:
        super().__init__()
        self.count = 0

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        self.count += event.type() == QEvent.Type.MouseButtonPress and isinstance(watched, QWidget)
        return False


def test_a_comparison_of_three_methods_takes_at_most_six_clicks_from_a_fresh_window(
    qtbot: QtBot, window: MainWindow, qapp: QApplication
) -> None:
    clicks = Clicks()
    qapp.installEventFilter(clicks)
    window.run_panel.form.steps_edit.setValue(20)
    QTest.mouseClick(window.run_panel.compare_button, Qt.MouseButton.LeftButton)
    dialog = window.findChild(CompareDialog, "compareDialog")
    assert dialog is not None
    with qtbot.waitSignal(window.controller.comparison_ended, timeout=RUN_MS) as ended:
        QTest.mouseClick(dialog.ok_button, Qt.MouseButton.LeftButton)
    qapp.removeEventFilter(clicks)
    assert len(ended.args[0]["runs"]) == 3
    assert 0 < clicks.count <= 6
    assert window.compare_view.status.proof.text() == "same start ✓ · batches ✓ 20 steps · validation ✓"


def test_a_second_comparison_has_names_of_its_own_and_two_rows_show_their_difference(
    qtbot: QtBot, window: MainWindow
) -> None:
    window.run_panel.form.steps_edit.setValue(5)
    axes = Axes(methods=["requires_grad", "grad_none"])
    for _ in range(2):
        with qtbot.waitSignal(window.controller.comparison_ended, timeout=RUN_MS):
            window.workbench.compare(axes)
    labels = [run.label for run in window.workbench.runs]
    assert labels == ["requires_grad", "grad_none", "requires_grad #2", "grad_none #2"]
    table, view = window.runs_table, window.compare_view
    table.select_run(3)
    flags = QItemSelectionModel.SelectionFlag.Select | QItemSelectionModel.SelectionFlag.Rows
    table.selectionModel().select(table.model().index(0, 0), flags)
    assert view.difference.pair == (window.workbench.runs[3], window.workbench.runs[0])
    assert view.title.text() == "The same bits in 5 steps: every loss and every weight"
    table.select_run(1)
    assert view.tiles_view.isVisible()


def test_a_comparison_of_one_run_says_so_in_the_singular(qtbot: QtBot, window: MainWindow) -> None:
    window.run_panel.form.steps_edit.setValue(3)
    with qtbot.waitSignal(window.controller.comparison_ended, timeout=RUN_MS):
        window.workbench.compare(Axes(methods=["requires_grad"]))
        assert window.status_label.text() == "comparing 1 run"
    assert window.status_label.text() == "compared 1 run"


def test_cancel_beside_the_progress_ends_every_run(qtbot: QtBot, window: MainWindow) -> None:
    window.run_panel.form.steps_edit.setValue(2000)
    window.run_panel.form.pace_box.setCurrentIndex(1)
    with qtbot.waitSignal(window.controller.comparison_ended, timeout=RUN_MS) as ended:
        window.workbench.compare(Axes(methods=["requires_grad", "grad_none"]))
        qtbot.waitUntil(window.compare_view.status.cancel_button.isVisible, timeout=RUN_MS)
        QTest.mouseClick(window.compare_view.status.cancel_button, Qt.MouseButton.LeftButton)
    assert {run["summary"]["status"] for run in ended.args[0]["runs"]} == {"stopped"}
    assert not window.compare_view.status.cancel_button.isVisible()
