from __future__ import annotations

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtTest import QAbstractItemModelTester, QTest
from pytestqt.qtbot import QtBot

from freeze_gui.gui.compare_view import CompareView, RunsTable, tiles_per_row
from freeze_gui.gui.main_window import MainWindow
from freeze_gui.gui.run_look import run_color, run_dash
from freeze_gui.gui.run_verdict import verdict_of
from freeze_gui.gui.theme import RUN_DASHES, series_color
from freeze_gui.runs.recorder import RunRecorder
from tests.gui.recorded_runs import add_steps, end_run, started_run, waiting_run


def three_runs() -> list[RunRecorder]:
    held, leaked, waiting = started_run("requires_grad"), started_run("grad_zero"), waiting_run("exclude")
    add_steps(held, 100, (1.0, 1.0, 1.0, 1.0), frozen=(0,))
    end_run(held)
    add_steps(leaked, 100, (0.001, 0.001, 0.001, 0.001), frozen=(0,), leaked=(0,))
    end_run(leaked, moved=("stem",))
    return [held, leaked, waiting]


def compared(qtbot: QtBot, runs: list[RunRecorder]) -> CompareView:
    view = CompareView()
    qtbot.addWidget(view)
    view.resize(900, 650)
    view.show()
    view.set_runs(runs)
    view.refresh()
    return view


def table_of(qtbot: QtBot, runs: list[RunRecorder]) -> RunsTable:
    table = RunsTable()
    qtbot.addWidget(table)
    table.resize(900, 200)
    table.show()
    table.set_runs(runs)
    return table


def column(table: RunsTable, at: int) -> list[str]:
    model = table.model()
    return [str(model.data(model.index(row, at))) for row in range(model.rowCount())]


def test_all_heatmaps_share_the_scale_that_holds_every_run(qtbot: QtBot) -> None:
    view = compared(qtbot, three_runs())
    low, high = view.tiles[0].heatmap.levels()
    assert view.tiles[1].heatmap.levels() == (low, high)
    assert low <= -3.0 and high >= 0.0


def test_the_scale_grows_while_a_run_goes_on(qtbot: QtBot) -> None:
    runs = [started_run("a"), started_run("b")]
    add_steps(runs[0], 5)
    view = compared(qtbot, runs)
    add_steps(runs[1], 5, (40.0, 1.0, 1.0, 1.0))
    view.refresh()
    assert view.tiles[0].heatmap.levels() == view.tiles[1].heatmap.levels() == (-1.5, 2.0)


def test_a_layer_is_overlaid_run_by_run_in_its_own_colour_and_dash(qtbot: QtBot) -> None:
    view = compared(qtbot, three_runs())
    view.set_selected(["blocks.1"])
    lines = view.weight_delta_plot.series
    assert [line.label for line in lines] == ["requires_grad", "grad_zero"]
    assert [(line.color, line.dash) for line in lines] == [(series_color(i), RUN_DASHES[i]) for i in range(2)]
    assert {line.layer for line in lines} == {2} and view.layer_box.currentData() == "blocks.1"


def test_a_waiting_run_takes_its_place_and_joins_when_it_starts(qtbot: QtBot) -> None:
    runs: list[RunRecorder] = [waiting_run("first"), waiting_run("second")]
    view = compared(qtbot, runs)
    assert [tile.verdict.text() for tile in view.tiles] == ["waiting", "waiting"]
    started = started_run("first")
    add_steps(started, 3, frozen=(0,))
    runs[0].__dict__.update(started.__dict__)   # the recorder itself lives on when its run starts
    view.refresh()
    assert view.tiles[0].heatmap.shown_layers == started.history.layers if started.history else False
    assert view.tiles[0].verdict.text() == "✓ running · held"
    assert [line.label for line in view.grad_norm_plot.series] == ["first"]


def test_a_click_in_a_heatmap_is_passed_on_and_overlays_the_layer(qtbot: QtBot) -> None:
    view = compared(qtbot, three_runs())
    with qtbot.waitSignal(view.layer_clicked) as clicked:
        view.tiles[1].heatmap.layer_clicked.emit("head")
    assert clicked.args == ["head"] and view.layer_box.currentData() == "head"


@pytest.mark.parametrize("width", [560, 640, 1800])
def test_a_tile_shows_the_name_above_the_verdict_and_neither_is_cut_by_the_other(qtbot: QtBot, width: int) -> None:
    view = compared(qtbot, [*three_runs(), started_run("requires_grad #2")])
    view.resize(width, 650)
    qtbot.wait(1)
    for tile in view.tiles[:4]:
        assert tile.title.geometry().bottom() <= tile.verdict.geometry().top()
        assert tile.rect().contains(tile.title.geometry()) and tile.rect().contains(tile.verdict.geometry())
    leaked = view.tiles[1]
    assert view.tiles[0].title.shown_text() == "requires_grad"
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
    for plot in view.plots:
        item = plot.getPlotItem()
        assert plot.viewport().rect().toRectF().adjusted(-1, -1, 1, 1).contains(item.sceneBoundingRect())
        assert plot.view_box.viewRange()[0] == [0, 100] and plot.view_box.width() > 60
        assert plot.heading.sceneBoundingRect().right() <= plot.width()


def test_a_run_has_one_colour_and_dash_in_tile_curves_and_loss(qtbot: QtBot) -> None:
    view = compared(qtbot, [])
    view.set_runs(three_runs(), [5, 12, 3])
    view.refresh()
    looks = [(run_color(number), run_dash(number)) for number in (5, 12, 3)]
    assert [tile.dot.number for tile in view.tiles[:3]] == [5, 12, 3]
    assert [(line.color, line.dash) for line in view.weight_delta_plot.series] == looks[:2]
    assert [(line.color, line.dash) for line in view.loss_plot.series] == looks


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
    assert view.compare_button.isVisible() and not view.tiles_area.isVisible()
    with qtbot.waitSignal(view.comparison_wanted):
        QTest.mouseClick(view.compare_button, Qt.MouseButton.LeftButton)
    view.set_runs(three_runs())
    assert not view.compare_button.isVisible() and view.tiles_area.isVisible()


def test_the_pointer_over_an_overlay_lists_every_run_with_its_values(qtbot: QtBot) -> None:
    view = compared(qtbot, three_runs())
    view.show_layer("stem")
    QTest.mouseMove(view.weight_delta_plot.viewport(), view.weight_delta_plot.viewport().rect().center())
    qtbot.waitUntil(view.readout.isVisible)
    text = view.readout.text()
    assert "requires_grad" in text and "grad_zero" in text and "frozen, LEAKED" in text and "exclude" not in text
    view.weight_delta_plot.step_hovered.emit(None)
    assert not view.readout.isVisible()


def test_overlays_that_were_hidden_during_the_runs_show_them_when_they_come_back(qtbot: QtBot) -> None:
    view = compared(qtbot, [])
    view.hide()
    view.set_runs(three_runs())
    view.show()
    assert [line.label for line in view.weight_delta_plot.series] == ["requires_grad", "grad_zero"]
    assert all(plot.message.isHidden() for plot in view.plots)


def test_heatmaps_wrap_into_even_rows_of_four_at_most() -> None:
    assert [tiles_per_row(count) for count in (0, 1, 3, 4, 5, 6, 8, 9, 10)] == [1, 1, 3, 4, 3, 3, 4, 3, 4]


def test_the_table_tells_held_from_leaked_with_its_cause_and_what_waits(qtbot: QtBot) -> None:
    table = table_of(qtbot, three_runs())
    assert column(table, 0) == ["requires_grad", "grad_zero", "exclude"]
    assert column(table, 1) == ["held", "LEAKED · momentum", "waiting"]
    assert column(table, 2) == ["0.2500", "0.2500", ""] and column(table, 3) == ["0.900", "0.900", ""]
    assert column(table, 4) == ["10.00", "10.00", ""] and column(table, 5) == ["100", "100", ""]


@pytest.mark.parametrize("status", ["completed", "stopped"])
def test_the_verdict_is_the_one_of_the_summary(status: str) -> None:
    for moved in ((), ("stem",)):
        run = started_run()
        add_steps(run, 5, frozen=(0, 1), leaked=(0,) * bool(moved))
        end_run(run, moved, status)
        verdicts = {layer["verdict"] for layer in run.summary()["layers"]}
        assert ("leaked" in verdicts) == (verdict_of(run).tone == "leaked") == bool(moved)
        assert ("stopped" in verdict_of(run).words) == (status == "stopped")


def test_a_run_that_goes_on_a_failed_one_and_an_unfrozen_one_have_their_words() -> None:
    run = started_run()
    assert verdict_of(run).words == "running"
    add_steps(run, 3, frozen=(0,))
    assert verdict_of(run).words == "running · held"
    add_steps(run, 3, frozen=(0,), leaked=(0,))
    assert verdict_of(run).words == "running · LEAKED"
    end_run(run, status="diverged")
    assert (verdict_of(run).words, verdict_of(run).detail) == ("diverged", "loss is NaN")
    free = started_run()
    add_steps(free, 3)
    end_run(free)
    assert verdict_of(free).words == "nothing frozen"


def test_the_table_sorts_by_number_and_still_tells_which_run_was_chosen(qtbot: QtBot) -> None:
    runs = [started_run(name) for name in ("a", "b", "c")]
    for run, steps in zip(runs, (9, 100, 20), strict=True):
        add_steps(run, steps)
    table = table_of(qtbot, runs)
    table.sortByColumn(5, Qt.SortOrder.DescendingOrder)
    assert column(table, 5) == ["100", "20", "9"]
    with qtbot.waitSignal(table.run_selected) as chosen:
        table.selectRow(1)
    assert chosen.args == [2]


def test_the_table_follows_a_run_and_is_quiet_when_nothing_is_new(qtbot: QtBot) -> None:
    run = started_run()
    table = table_of(qtbot, [run])
    with qtbot.waitSignal(table.runs_model.dataChanged):
        add_steps(run, 7)
        table.refresh()
    assert column(table, 5) == ["7"]
    with qtbot.assertNotEmitted(table.runs_model.dataChanged):
        table.refresh()


def test_the_columns_have_their_widths_before_the_first_run(qtbot: QtBot) -> None:
    table = table_of(qtbot, [])
    before = [table.columnWidth(at) for at in range(8)]
    header = table.horizontalHeader()
    assert all(width >= header.sectionSizeHint(at) for at, width in enumerate(before))
    table.set_runs([*three_runs(), started_run("requires_grad #2")])
    assert [table.columnWidth(at) for at in range(8)] == before


@pytest.mark.parametrize("scrolled", ["top", "bottom"])
def test_the_table_shows_three_rows_and_never_a_part_of_one(qtbot: QtBot, scrolled: str) -> None:
    table = table_of(qtbot, [started_run(f"run {at}") for at in range(9)])
    table.resize(900, table.minimumSizeHint().height() + 11)
    bar = table.verticalScrollBar()
    bar.setValue(bar.maximum() if scrolled == "bottom" else 0)
    height = table.viewport().height()
    hidden = sum(strip for _, strip in table.cut_strips())
    assert (height - hidden) // 25 == 3 and (height - hidden) % 25 == 0
    top, strip = table.cut_strips()[0]
    assert (top == 0) if scrolled == "bottom" else (top + strip == height)


def test_copy_gives_tab_separated_text(qtbot: QtBot) -> None:
    table = table_of(qtbot, three_runs())
    table.selectRow(1)
    QTest.keyClick(table, Qt.Key.Key_C, Qt.KeyboardModifier.ControlModifier)
    lines = QGuiApplication.clipboard().text().splitlines()
    assert len(lines) == 2
    assert lines[0].startswith("Run\tVerdict\tLoss") and lines[1].startswith("grad_zero\tLEAKED · momentum\t0.2500")


def test_diff_only_hides_what_is_equal_in_all_runs(qtbot: QtBot) -> None:
    table = table_of(qtbot, three_runs()[:2])
    table.set_diff_only(True)
    assert [table.isColumnHidden(at) for at in range(6)] == [False, False, True, True, True, True]
    table.set_diff_only(False)
    assert not any(table.isColumnHidden(at) for at in range(9))


def test_the_model_of_the_table_keeps_qts_contract(qtbot: QtBot) -> None:
    table = table_of(qtbot, three_runs())
    tester = QAbstractItemModelTester(table.runs_model, QAbstractItemModelTester.FailureReportingMode.Fatal)
    table.set_runs(three_runs()[:1])
    table.set_runs([])
    assert tester.model() is table.runs_model
