from __future__ import annotations

import pytest
from pytestqt.qtbot import QtBot

from freeze_gui.errors import UserError
from freeze_gui.gui.timeline_form import PhaseForm, typed_bar
from freeze_gui.gui.timeline_state import Bar, Span

BAR = Bar(frozenset({"a"}), 3, 9, "step", 0.5, ("a*",))


@pytest.mark.parametrize(
    ("texts", "bar"),
    [
        (("3", "9", "0.5"), BAR),
        ((" 0 ", "END", "1"), Bar(BAR.layers, 0, None, "step", 1.0, ("a*",))),
        (("4", "", "1e-2"), Bar(BAR.layers, 4, None, "step", 0.01, ("a*",))),
        (("4", "4", "2"), Bar(BAR.layers, 4, 4, "step", 2.0, ("a*",))),   # never frozen, with a rate of its own
    ],
)
def test_typed_numbers_are_those_of_the_phase(texts: tuple[str, str, str], bar: Bar) -> None:
    assert typed_bar(BAR, *texts) == bar


@pytest.mark.parametrize(
    "texts", [("x", "9", "1"), ("1.5", "9", "1"), ("3", "2", "1"), ("3", "9", "nan"), ("3", "9", "-1"), ("²", "9", "1")]
)
def test_what_is_no_number_is_refused(texts: tuple[str, str, str]) -> None:
    with pytest.raises(UserError):
        typed_bar(BAR, *texts)


def test_the_fields_show_the_bar_and_emit_only_what_has_changed(qtbot: QtBot) -> None:
    form = PhaseForm()
    qtbot.addWidget(form)
    form.show_bar(BAR, Span(100, 10))
    assert (form.from_edit.text(), form.to_edit.text(), form.factor_edit.text()) == ("3", "9", "0.5")
    with qtbot.assertNotEmitted(form.edited):
        form.take()
    form.from_edit.setText("5")
    with qtbot.waitSignal(form.edited) as edited:
        form.from_edit.editingFinished.emit()
    assert edited.args[0].start == 5


def test_another_unit_is_taken_at_once(qtbot: QtBot) -> None:
    form = PhaseForm()
    qtbot.addWidget(form)
    form.show_bar(Bar(start=20, stop=40), Span(100, 10))
    with qtbot.waitSignal(form.edited) as edited:
        form.unit_box.setCurrentIndex(1)
    assert edited.args[0] == Bar(start=2, stop=4, unit="epoch")
