from __future__ import annotations

import csv
import io

import pytest
from PySide6.QtCore import QEvent, QItemSelectionModel, QObject, QRect, Qt
from PySide6.QtGui import QColor, QGuiApplication, QImage, QPaintEvent, QRegion
from PySide6.QtTest import QAbstractItemModelTester, QTest
from PySide6.QtWidgets import QApplication, QWidget
from pytestqt.qtbot import QtBot

from freeze_gui.gui import compare_table_model
from freeze_gui.gui.compare_columns import COLUMNS, Facts, column_at, facts_of
from freeze_gui.gui.compare_table_model import BAR_ROLE, EQUALS, RUN, VERDICT, RunsModel
from freeze_gui.gui.palette import DARK, LIGHT, Theme, on_selected, selected_back
from freeze_gui.gui.runs_table import AT_ONCE, RunsTable
from freeze_gui.gui.theme import apply_theme, current_theme, style_sheet
from freeze_gui.runs.recorder import RunRecorder
from tests.gui.recorded_runs import add_steps, end_run, started_run, three_runs


def table_of(qtbot: QtBot, runs: list[RunRecorder]) -> RunsTable:
    table = RunsTable()
    qtbot.addWidget(table)
    table.resize(1100, 200)
    table.show()
    table.set_runs(runs)
    return table


class PaintedRegion(QObject):
    """Notes what of a widget is painted."""

    def __init__(self, widget: QWidget) -> None:
        super().__init__(widget)
        self._region = QRegion()
        widget.installEventFilter(self)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if isinstance(event, QPaintEvent):
            self._region += event.region()
        return False

    def take(self) -> QRegion:
        region, self._region = self._region, QRegion()
        return region


def column(table: RunsTable, key: str) -> list[str]:
    model, at = table.model(), column_at(key)
    return [str(model.data(model.index(row, at))) for row in range(model.rowCount())]


def shown(table: RunsTable) -> list[str]:
    return [found.key for at, found in enumerate(COLUMNS) if not table.isColumnHidden(at)]


def select(table: RunsTable, *rows: int) -> None:
    table.clearSelection()
    flags = QItemSelectionModel.SelectionFlag.Select | QItemSelectionModel.SelectionFlag.Rows
    for row in rows:
        table.selectionModel().select(table.model().index(row, 0), flags)


def test_the_table_tells_held_from_leaked_with_its_cause_and_what_waits(qtbot: QtBot) -> None:
    table = table_of(qtbot, three_runs())
    assert column(table, "run") == ["requires_grad", "grad_zero", "exclude"]
    assert column(table, "verdict") == ["held", "LEAKED · momentum", "waiting"]
    assert column(table, "loss") == ["0.2500", "0.2500", ""] and column(table, "accuracy") == ["0.900", "0.900", ""]
    assert column(table, "step_ms") == ["9.00", "9.00", ""] and column(table, "steps") == ["100", "100", ""]


def test_the_table_sorts_by_number_and_still_tells_which_run_was_chosen(qtbot: QtBot) -> None:
    runs = [started_run(name) for name in ("a", "b", "c")]
    for run, steps in zip(runs, (9, 100, 20), strict=True):
        add_steps(run, steps)
    table = table_of(qtbot, runs)
    table.sortByColumn(column_at("steps"), Qt.SortOrder.DescendingOrder)
    assert column(table, "steps") == ["100", "20", "9"]
    with qtbot.waitSignal(table.run_selected) as chosen:
        table.selectRow(1)
    assert chosen.args == [2]


def test_the_table_follows_a_run_and_is_quiet_when_nothing_is_new(qtbot: QtBot) -> None:
    run = started_run()
    table = table_of(qtbot, [run])
    with qtbot.waitSignal(table.runs_model.dataChanged):
        add_steps(run, 7)
        table.refresh()
    assert column(table, "steps") == ["7"]
    with qtbot.assertNotEmitted(table.runs_model.dataChanged):
        table.refresh()


def test_the_columns_have_their_widths_before_the_first_run(qtbot: QtBot) -> None:
    table = table_of(qtbot, [])
    places = range(len(COLUMNS) - 1)
    before = [table.columnWidth(at) for at in places]
    header = table.horizontalHeader()
    titles = [header.fontMetrics().horizontalAdvance(found.title) for found in COLUMNS]
    assert all(table.isColumnHidden(at) or before[at] >= titles[at] + 16 for at in places)
    table.set_runs([*three_runs(), started_run("requires_grad #2")])
    assert [table.columnWidth(at) for at in places] == before


@pytest.mark.parametrize("scrolled", ["top", "bottom"])
def test_the_table_shows_three_rows_and_never_a_part_of_one(qtbot: QtBot, scrolled: str) -> None:
    table = table_of(qtbot, [started_run(f"run {at}") for at in range(9)])
    table.resize(1100, table.minimumSizeHint().height() + 11)
    bar = table.verticalScrollBar()
    bar.setValue(bar.maximum() if scrolled == "bottom" else 0)
    height = table.viewport().height()
    hidden = sum(strip for _, strip in table.cut_strips())
    assert (height - hidden) // 25 == 3 and (height - hidden) % 25 == 0
    top, strip = table.cut_strips()[0]
    assert (top == 0) if scrolled == "bottom" else (top + strip == height)


def test_copy_gives_what_is_seen_as_tab_separated_text(qtbot: QtBot) -> None:
    table = table_of(qtbot, three_runs())
    table.set_shown_keys(["verdict", "loss"])
    table.selectRow(1)
    QTest.keyClick(table, Qt.Key.Key_C, Qt.KeyboardModifier.ControlModifier)
    assert QGuiApplication.clipboard().text() == "Run\tVerdict\tLoss\ngrad_zero\tLEAKED · momentum\t0.2500"


def test_a_name_with_a_comma_stays_one_field_of_the_csv(qtbot: QtBot) -> None:
    table = table_of(qtbot, [started_run("Adam, lr 0.1"), started_run("b")])
    table.copy_csv()
    rows = list(csv.reader(io.StringIO(QGuiApplication.clipboard().text())))
    assert [row[0] for row in rows] == ["Run", "Adam, lr 0.1", "b"] and len({len(row) for row in rows}) == 1


def test_diff_only_hides_what_is_equal_in_all_runs(qtbot: QtBot) -> None:
    table = table_of(qtbot, three_runs()[:2])
    everything = shown(table)
    table.set_diff_only(True)
    assert shown(table) == ["run", "verdict"]   # losses, times and costs of the two are the same
    table.set_diff_only(False)
    assert shown(table) == everything


def test_a_column_that_a_person_hid_stays_hidden_and_the_name_never_is(qtbot: QtBot) -> None:
    table = table_of(qtbot, three_runs())
    table.set_shown_keys(["steps"])
    assert shown(table) == ["run", "steps"]


def test_a_search_leaves_the_runs_in_which_the_words_stand(qtbot: QtBot) -> None:
    table = table_of(qtbot, three_runs())
    table.set_search("momentum")
    assert column(table, "run") == ["grad_zero"]
    table.select_run(0)   # not there now: nothing happens
    assert table.selected_runs() == []
    table.set_search("")
    assert len(column(table, "run")) == 3


def test_selected_runs_come_in_the_order_in_which_they_were_chosen(qtbot: QtBot) -> None:
    table = table_of(qtbot, three_runs())
    table.sortByColumn(column_at("run"), Qt.SortOrder.AscendingOrder)   # exclude, grad_zero, requires_grad
    with qtbot.waitSignal(table.selection_changed):
        select(table, 2, 0)
    assert table.selected_runs() == [0, 2]
    select(table, 0, 2)
    assert table.selected_runs() == [2, 0]


def test_a_bar_is_the_part_of_the_largest_number_in_its_column(qtbot: QtBot) -> None:
    runs = [started_run("slow"), started_run("fast"), started_run("waits")]
    add_steps(runs[0], 10, step_s=0.021)
    add_steps(runs[1], 10, step_s=0.006)   # 1 ms of each is measuring
    table = table_of(qtbot, runs)
    at = column_at("step_ms")
    bars = [table.runs_model.data(table.runs_model.index(row, at), BAR_ROLE) for row in range(3)]
    assert bars[:2] == pytest.approx([1.0, 0.25]) and bars[2] is None
    loss = table.runs_model.index(0, column_at("loss"))
    assert table.runs_model.data(loss, BAR_ROLE) is None


def test_runs_with_the_same_bits_name_each_other(qtbot: QtBot) -> None:
    runs = [started_run("a"), started_run("b"), started_run("c")]
    table = table_of(qtbot, runs)
    for run, end in zip(runs, ("x", "x", "y"), strict=True):
        add_steps(run, 5)
        end_run(run, proof=end)
    table.refresh()
    assert column(table, "equals") == ["b", "a", ""]


def test_a_run_that_has_ended_is_read_once_however_many_come_after_it(
    qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = []

    def facts_of_noted(run: RunRecorder, same_as: str) -> Facts:
        read.append(run.label)
        return facts_of(run, same_as)

    monkeypatch.setattr(compare_table_model, "facts_of", facts_of_noted)
    runs = three_runs()[:2]
    table = table_of(qtbot, runs)
    live = started_run("live")
    table.set_runs([*runs, live])
    for _ in range(2):
        add_steps(live, 3)
        table.refresh()
    assert read == ["grad_zero", "requires_grad", "live", "live", "live"]
    assert column(table, "steps") == ["100", "100", "6"] and column(table, "verdict")[0] == "held"


def test_a_frame_paints_the_cells_that_have_other_words_and_no_more(qtbot: QtBot) -> None:
    live = started_run("live")
    add_steps(live, 20, step_s=0.005)
    table = table_of(qtbot, [*three_runs(), live])
    table.set_shown_keys(["verdict", "loss", "step_ms"])
    painted = PaintedRegion(table.viewport())
    qtbot.waitUntil(lambda: not painted.take().isEmpty())
    qtbot.wait(50)
    painted.take()
    add_steps(live, 1, step_s=0.005)   # another loss, and the same median time
    table.refresh()
    QApplication.processEvents()
    loss = table.visualRect(table.model().index(3, column_at("loss")))
    assert painted.take().boundingRect() == loss


def test_a_selection_stays_when_another_run_comes(qtbot: QtBot) -> None:
    runs = three_runs()
    table = table_of(qtbot, runs)
    select(table, 1, 0)
    table.set_runs([*runs, started_run("new")])
    assert table.selected_runs() == [1, 0]
    assert sorted(index.row() for index in table.selectionModel().selectedRows()) == [0, 1]


def test_many_runs_come_into_the_table_in_turns_and_their_columns_are_wide_enough(qtbot: QtBot) -> None:
    runs = [started_run(f"run {at}") for at in range(60)]
    for run in runs:
        add_steps(run, 3)
        end_run(run, proof="x", moved=["stem"] * (run is runs[0]))
    table = table_of(qtbot, runs)
    assert column(table, "run") == [f"run {at}" for at in range(60)]
    assert column(table, "steps")[-AT_ONCE:] == ["3"] * AT_ONCE
    qtbot.waitUntil(lambda: column(table, "steps") == ["3"] * 60 and all(column(table, "equals")))
    qtbot.waitUntil(lambda: table.columns.is_fitted)
    assert column(table, "equals")[0] == "run 1, run 2, run 3, run 4, run 5, run 6, run 7, run 8 and 51 more"
    table.resize(3000, 300)
    for at, found in enumerate(COLUMNS[:-1]):
        need = min(table.sizeHintForColumn(at), found.most_px)
        assert table.isColumnHidden(at) or table.columnWidth(at) >= need


def test_the_names_of_equal_runs_are_cut_only_where_the_figures_need_the_room(qtbot: QtBot) -> None:
    runs = [started_run(f"a name of some length {at}") for at in range(3)]
    for run in runs:
        add_steps(run, 3)
        end_run(run, proof="x")
    table = table_of(qtbot, runs)
    qtbot.waitUntil(lambda: all(column(table, "equals")))
    qtbot.waitUntil(lambda: table.columns.is_fitted)
    need = table.sizeHintForColumn(EQUALS)
    widths = []
    for width in (1148, 3000, 1148):
        table.resize(width, 300)
        widths.append(table.columnWidth(EQUALS))
    assert widths[0] == widths[2] < need <= widths[1]
    assert table.columnWidth(RUN) >= table.sizeHintForColumn(RUN)   # the names of the runs themselves come first
    table.horizontalHeader().resizeSection(EQUALS, need + 7)
    table.resize(2000, 300)
    assert table.columnWidth(EQUALS) == need + 7   # a person's


def test_names_of_runs_with_the_same_bits_come_in_pieces_that_are_short(qtbot: QtBot) -> None:
    runs = [started_run(f"run {at}") for at in range(200)]
    for run in runs:
        add_steps(run, 1)
        end_run(run, proof="x")
    model = RunsModel()
    changed: list[int] = []
    model.cells_changed.connect(lambda row, columns: changed.append(row))
    model.set_runs(runs)
    most = 0
    for _ in model.refreshed():
        most, changed[:] = max(most, len(changed) * (len(model.words(0, EQUALS)) > 0)), []
    assert 0 < most <= 50
    assert model.words(0, EQUALS) == "run 1, run 2, run 3, run 4, run 5, run 6, run 7, run 8 and 191 more"
    assert model.words(199, EQUALS) == "run 0, run 1, run 2, run 3, run 4, run 5, run 6, run 7 and 191 more"


def test_rows_copied_while_names_come_in_pieces_do_not_go_back_to_the_names_of_before(qtbot: QtBot) -> None:
    runs = [started_run(f"run {at}") for at in range(130)]
    for run in runs:
        add_steps(run, 1)
    for run in runs[:120]:
        end_run(run, proof="x")
    model = RunsModel()
    model.set_runs(runs)
    work = model.refreshed()
    while not model.words(0, EQUALS):
        next(work)
    for run in runs[120:]:
        end_run(run, proof="x")
    model.refresh()   # as a copy does
    for _ in work:
        pass
    assert {model.words(row, EQUALS)[-11:] for row in range(130)} == {"nd 121 more"}


def test_what_other_rows_say_of_a_new_run_waits_for_a_later_turn(qtbot: QtBot) -> None:
    runs = [started_run(f"run {at}") for at in range(30)]
    for run in runs:
        add_steps(run, 1)
        end_run(run, proof="x")
    table = table_of(qtbot, runs[:29])
    qtbot.waitUntil(lambda: column(table, "equals")[0].endswith("and 20 more"))
    table.set_runs(runs)
    assert (column(table, "steps")[29], column(table, "equals")[0][-11:]) == ("1", "and 20 more")
    qtbot.waitUntil(lambda: column(table, "equals")[0].endswith("and 21 more"))


def test_a_run_with_another_name_is_called_so_by_those_that_are_the_same(qtbot: QtBot) -> None:
    runs = [started_run("a"), started_run("b")]
    for run in runs:
        add_steps(run, 3)
        end_run(run, proof="x")
    table = table_of(qtbot, runs)
    runs[0].label = "another"
    table.refresh()
    assert column(table, "run") == ["another", "b"] and column(table, "equals") == ["b", "another"]


def test_the_longest_name_may_become_short_and_leaves_another_one_its_room(qtbot: QtBot) -> None:
    runs = [started_run(LONG), started_run("a name that is longer than the usual ones")]
    table = table_of(qtbot, runs)
    table.resize(2500, 200)
    runs[0].label = "short"
    table.refresh()
    assert table.sizeHintForColumn(RUN) <= table.columnWidth(RUN) <= table.sizeHintForColumn(RUN) + 4


def test_a_column_that_is_shown_later_has_room_for_the_words_that_are_the_widest_then(qtbot: QtBot) -> None:
    runs = [started_run("a"), started_run("b")]
    table = table_of(qtbot, runs)
    assert table.isColumnHidden(column_at("spread"))
    for run, times in zip(runs, ((1000.0, 9000.0), (10.0, 20.0)), strict=True):
        for step_s in times:
            add_steps(run, 10, step_s=step_s)
    table.runs_model.refresh()
    add_steps(runs[0], 200, step_s=0.01)   # the widest words of all are gone
    table.runs_model.refresh()
    table.set_shown_keys(["spread", COLUMNS[-1].key])
    assert table.columnWidth(column_at("spread")) >= table.sizeHintForColumn(column_at("spread"))


def test_every_title_can_be_read_at_the_least_size_with_all_columns_filled(qtbot: QtBot) -> None:
    runs = [started_run(f"requires_grad #{at}") for at in (2, 3)]
    table = table_of(qtbot, runs)
    table.setStyleSheet(style_sheet(current_theme()))
    table.resize(1148, 200)   # what a window of 1280 pixels has for it
    for run in runs:
        add_steps(run, 5, frozen=[0])
        end_run(run, moved=["stem"], proof="x", status="stopped")
    table.refresh()
    header, last = table.horizontalHeader(), len(COLUMNS) - 1
    for at, found in enumerate(COLUMNS):
        need = header.fontMetrics().horizontalAdvance(found.title) + 16   # the padding of the sheet
        assert table.isColumnHidden(at) or table.columnWidth(at) >= need
    assert header.sectionPosition(last) + need <= table.viewport().width()


def test_the_model_of_the_table_keeps_qts_contract(qtbot: QtBot) -> None:
    table = table_of(qtbot, three_runs())
    tester = QAbstractItemModelTester(table.runs_model, QAbstractItemModelTester.FailureReportingMode.Fatal)
    table.set_runs(three_runs()[:1])
    table.set_runs([])
    assert tester.model() is table.runs_model


def test_the_arrow_of_the_sorted_column_leaves_its_name_readable(qtbot: QtBot) -> None:
    table = table_of(qtbot, three_runs())
    table.setStyleSheet(style_sheet(current_theme()))
    header, at = table.horizontalHeader(), column_at("step_ms")

    def name() -> QImage:
        left, wide, top = header.sectionViewportPosition(at), header.sectionSize(at), header.height() // 3
        return header.grab(QRect(left, top, wide, header.height() - top - 2)).toImage()

    plain = name()
    table.sortByColumn(at, Qt.SortOrder.AscendingOrder)
    assert name() == plain
    table.sortByColumn(at, Qt.SortOrder.DescendingOrder)
    assert name() == plain


def test_an_empty_table_says_why(qtbot: QtBot) -> None:
    table = table_of(qtbot, [])
    assert "Runs appear here" in table.empty_text()
    blank = table.viewport().grab().toImage()
    table.set_runs(three_runs())
    assert table.empty_text() == ""
    table.set_search("no such run")
    assert table.empty_text() == "No run matches the search"
    seen = table.viewport().grab().toImage()
    assert seen != blank
    row = seen.rect().center().y()
    assert len({seen.pixel(x, row) for x in range(seen.width())}) > 1   # letters on the ground


LONG = "gradient hook of a name that goes on · resnet18 with many words · lr 0.001 · seed 12345"


def test_a_long_name_is_cut_with_a_tooltip_and_leaves_the_figures_in_sight(qtbot: QtBot) -> None:
    table = table_of(qtbot, three_runs())
    table.resize(1148, 200)   # what a window of 1280 pixels has for it
    usual = table.columnWidth(RUN)
    table.set_runs([*three_runs(), started_run(LONG)])
    last = len(COLUMNS) - 1
    header = table.horizontalHeader()
    cut = table.columnWidth(RUN)
    assert usual <= cut < COLUMNS[RUN].most_px
    assert header.sectionPosition(last) + header.fontMetrics().horizontalAdvance("Side effects") + 16 <= table.width()
    index = table.model().index(3, RUN)
    assert index.data() == index.data(Qt.ItemDataRole.ToolTipRole) == LONG
    widths = []
    for width in (1168, 2500, 600, 1148):
        table.resize(width, 200)
        widths.append(table.columnWidth(RUN))
    assert widths == [cut + 20, COLUMNS[RUN].most_px, usual, cut]


def test_a_width_that_a_person_gave_the_names_stays(qtbot: QtBot) -> None:
    table = table_of(qtbot, three_runs())
    table.horizontalHeader().resizeSection(RUN, 333)
    table.set_runs([*three_runs(), started_run(LONG)])
    table.resize(1600, 200)
    assert table.columnWidth(RUN) == 333


@pytest.mark.parametrize("theme", [LIGHT, DARK], ids=["light", "dark"])
def test_the_verdict_of_a_selected_row_keeps_its_colour_and_other_words_stay_readable(
    qtbot: QtBot, theme: Theme
) -> None:
    app = QApplication.instance()
    assert isinstance(app, QApplication)
    apply_theme(app, theme.name)
    table = table_of(qtbot, three_runs())
    table.setStyleSheet(style_sheet(theme))
    select(table, 1)   # leaked
    inks = []
    for at in (VERDICT, column_at("loss")):
        image = table.viewport().grab(table.visualRect(table.model().index(1, at))).toImage()
        inks.append({QColor(image.pixel(x, y)).name() for x in range(image.width()) for y in range(image.height())})
    verdict, loss = inks
    assert on_selected(theme, theme.leaked) in verdict
    assert theme.text not in verdict
    assert theme.text in loss
    assert selected_back(theme) in verdict & loss
    apply_theme(app, "light")


def test_a_run_that_is_chosen_as_it_comes_is_in_sight(qtbot: QtBot) -> None:
    table = table_of(qtbot, [])
    QApplication.processEvents()
    table.set_runs([started_run(f"run {at}") for at in range(40)])
    table.select_run(39)
    QApplication.processEvents()
    assert table.viewport().rect().contains(table.visualRect(table.currentIndex()).center())


def test_a_run_that_was_chosen_stays_in_sight_when_the_table_becomes_lower(qtbot: QtBot) -> None:
    table = table_of(qtbot, [started_run(f"run {at}") for at in range(15)])
    table.select_run(14)
    QApplication.processEvents()
    table.resize(table.width(), table.height() - 40)
    QApplication.processEvents()
    row = table.visualRect(table.currentIndex())
    assert row.top() >= 0 and row.bottom() <= table.viewport().height()
    table.verticalScrollBar().setValue(0)
    table.resize(table.width(), table.height() - 10)
    assert table.verticalScrollBar().value() == 0   # a person looks at other runs
