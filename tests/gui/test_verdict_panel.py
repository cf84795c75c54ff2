from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from PySide6.QtCore import QModelIndex, Qt, QUrl
from PySide6.QtGui import QGuiApplication
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QTextBrowser
from pytestqt.qtbot import QtBot

from freeze_gui.freezing.advice import ForecastWarning
from freeze_gui.freezing.explain import EXPLANATIONS
from freeze_gui.freezing.norm_layers import NormReport
from freeze_gui.freezing.side_effects import SideEffect, ThawReport
from freeze_gui.freezing.verdict import Cause, TensorVerdict
from freeze_gui.gui.forecaster import NOT_SURE, ForecastText
from freeze_gui.gui.main_window import MainWindow
from freeze_gui.gui.theme import current_theme
from freeze_gui.gui.verdict_panel import VerdictPanel
from freeze_gui.gui.verdict_text import verdict_text
from freeze_gui.resources import resource_path
from freeze_gui.runs.recorder import RunRecorder
from freeze_gui.training.events import Progress, RunEnded
from tests.gui.conftest import run_and_wait, start_slowly
from tests.gui.recorded_runs import LAYERS, add_steps, end_run, started_run

CLAIM: dict[str, Any] = {"claim": "It leaks", "claimed_true": False, "seen": "head held", "agrees": True}


@pytest.fixture
def panel(qtbot: QtBot) -> VerdictPanel:
    panel = VerdictPanel()
    qtbot.addWidget(panel)
    panel.resize(300, 400)
    panel.show()
    return panel


def ended(findings: dict[str, Any] | None = None, moved: tuple[str, ...] = (), **more: Any) -> RunRecorder:
    """Return a run in which every layer but the last was frozen, with `more` in its last record."""
    run = started_run()
    add_steps(run, 5, frozen=(0, 1, 2), leaked=tuple(LAYERS.index(path) for path in moved))
    end_run(run, moved)
    assert run.ended is not None
    run.handle(replace(run.ended, **more))
    run.findings = findings or {}
    return run


def test_what_is_done_after_the_last_step_is_said_with_how_far_it_has_come(panel: VerdictPanel) -> None:
    run = started_run()
    add_steps(run, 5)
    panel.set_run(run)
    assert "step 5" in panel.sub_label.text()
    run.handle(Progress("taking the digest of every layer at the end", 3 * 2**31, 4 * 2**31))   # bytes: beyond 32 bits
    panel.refresh()
    assert panel.sub_label.text().endswith("taking the digest of every layer at the end")
    assert panel.progress.value() / panel.progress.maximum() == 0.75


def said(panel: VerdictPanel, run: RunRecorder | None) -> str:
    panel.set_run(run)
    return panel.details.toPlainText()


def forecast(**changed: Any) -> dict[str, Any]:
    found = {"known": True, "compared": True, "tensors": [{"name": "stem.weight"}], "warnings": [], "disagreements": []}
    return {"forecast": found | changed}


def test_claims_stand_first_then_why_and_leaks_and_what_held_comes_last(panel: VerdictPanel) -> None:
    effect = SideEffect("state_evolving", ("stem",), "What happened. The cure")
    words = said(panel, ended({**forecast(), "claims": [CLAIM]}, ("stem",), side_effects=(effect,)))
    places = [words.index(title) for title in ("Claimed and seen", "Why", "Leaked", "Forecast", "Side effects", "Held")]
    assert places == sorted(places)
    assert EXPLANATIONS["momentum"].cure in words
    assert "blocks.0 and blocks.1" in words


def test_of_very_many_leaks_the_furthest_are_told_and_the_others_counted(panel: VerdictPanel) -> None:
    names = [f"layer{number}" for number in range(20)]
    run = started_run(layers=names)
    add_steps(run, 2, [0.1] * 20, frozen=range(20), leaked=range(20))
    tensors = tuple(
        TensorVerdict(f"{name}.weight", "parameter", name, ((0, 2),), True, 2, 0, size, (Cause("momentum", 2, size),))
        for size, name in enumerate(names, 1)
    )
    run.handle(RunEnded("completed", None, 2, tensors))
    words = said(panel, run)
    assert "leaked: 20 layers, by momentum" in panel.label.text()
    assert "layer19: 2 steps, by up to 20" in words
    assert "8 more layers, by up to 8 — momentum" in words
    assert "layer7:" not in words


def test_a_forecast_that_came_true_is_one_line(panel: VerdictPanel) -> None:
    assert "✓ As seen" in said(panel, ended(forecast()))


def test_where_nothing_was_frozen_no_forecast_came_true(panel: VerdictPanel) -> None:
    assert "Forecast" not in said(panel, ended(forecast(tensors=[])))


def test_every_disagreement_between_forecast_and_verdict_is_shown(panel: VerdictPanel) -> None:
    wrong = [
        {"name": f"{path}.weight", "layer": path, "forecast": ["momentum"], "seen": [], "text": f"{path}: it held"}
        for path in ("stem", "blocks.0")
    ]
    words = said(panel, ended(forecast(disagreements=wrong)))
    assert "not as seen" in words
    assert "As seen" not in words
    assert "stem: it held" in words
    assert "blocks.0: it held" in words


@pytest.mark.parametrize(
    ("found", "words"),
    [({"compared": False}, "the plan was changed by hand"), ({"known": False}, "does not know this optimizer")],
)
def test_what_was_not_compared_says_why(panel: VerdictPanel, found: dict[str, Any], words: str) -> None:
    assert words in said(panel, ended(forecast(**found)))


def test_a_false_claim_is_marked_as_false_and_a_claim_that_was_not_borne_out_too(panel: VerdictPanel) -> None:
    other = CLAIM | {"claim": "It holds", "claimed_true": True, "agrees": False}
    words = said(panel, ended({"claims": [CLAIM, other]}))
    assert "✗ “It leaks”" in words
    assert "False under today's PyTorch. Seen: head held." in words
    assert "! “It holds”" in words
    assert "True. Seen: head held. This is not what the scenario says" in words


def test_the_three_questions_of_norm_layers_are_answered_in_words_and_alike_layers_share_a_row(
    panel: VerdictPanel,
) -> None:
    reports = (
        NormReport("stem.norm", True, False, False), NormReport("body.norm", True, False, False),
        NormReport("head.norm", None, True, True),
    )  # fmt: skip
    words = said(panel, ended(norm_reports=reports)).split("\n")
    row = words.index("stem.norm and body.norm")
    assert words[row + 1 : row + 4] == ["✓ yes", "✗ no", "✗ no"]
    row = words.index("head.norm")
    assert words[row + 1 : row + 4] == ["– none", "✓ yes", "✓ yes"]


def test_a_leap_at_the_thaw_is_a_warning_with_an_explanation_and_a_plain_step_is_not(panel: VerdictPanel) -> None:
    thaws = (ThawReport(3, "stem", 0.31, 0.1, 3.1, 3.1), ThawReport(3, "head", 0.1, 0.1, 1.0, 1.0))
    jump = SideEffect("thaw_jump", ("stem",), "Too far. The cure")
    words = said(panel, ended(thaws=thaws, side_effects=(jump,)))
    assert "! stem at step 3: 3.1 × lr, 3.1 × a fresh optimizer's — a leap at the thaw" in words
    assert "· head at step 3: 1 × lr, 1 × a fresh optimizer's" in words
    panel.on_link(QUrl("explain:thaw_jump"))
    assert "At step 3" in panel.explanation.text.text()
    assert "3.1 times" in panel.explanation.text.text()


def test_a_computed_weight_that_moved_makes_its_layer_leak(panel: VerdictPanel) -> None:
    causes = (Cause("forward_write", 5, 0.25),)
    weight = TensorVerdict("stem.weight", "effective", "stem", ((0, 5),), True, 5, 0, 0.25, causes)
    words = said(panel, ended(effective_weights=(weight,)))
    assert "leaked: 1 layer" in panel.label.text()
    assert "Computed weights" in words
    assert "stem.weight (computed) 0.25" in words


def test_a_cause_opens_its_explanation_and_the_back_button_and_escape_return(panel: VerdictPanel) -> None:
    panel.set_run(ended(moved=("stem",)))
    panel.on_link(QUrl("explain:momentum"))
    assert panel.explanation.isVisible()
    text = panel.explanation.text.text()
    for word in ("stem", "Adam", "3 steps", "What happens", "Why", "The cure"):
        assert word in text
    QTest.mouseClick(panel.explanation.back_button, Qt.MouseButton.LeftButton)
    assert panel.details.isVisible()
    panel.show_explanation("momentum")
    QTest.keyClick(panel.explanation, Qt.Key.Key_Escape)
    assert panel.details.isVisible()


def test_enter_on_a_link_opens_its_explanation(panel: VerdictPanel, qtbot: QtBot) -> None:
    panel.set_run(ended(moved=("stem",)))
    panel.details.setFocus()
    QTest.keyClick(panel.details, Qt.Key.Key_Tab)
    QTest.keyClick(panel.details, Qt.Key.Key_Return)
    assert panel.explanation.isVisible()


@pytest.mark.parametrize("kind", EXPLANATIONS)
def test_the_code_of_every_cure_is_seen_whole_and_is_copied(panel: VerdictPanel, kind: str) -> None:
    panel.show_explanation(kind)
    code = panel.explanation.code
    assert not code.verticalScrollBar().maximum()
    QTest.mouseClick(panel.explanation.copy_button, Qt.MouseButton.LeftButton)
    assert QGuiApplication.clipboard().text() == EXPLANATIONS[kind].code


def test_another_run_leaves_the_explanation_and_the_same_run_keeps_it(panel: VerdictPanel) -> None:
    run = ended(moved=("stem",))
    panel.set_run(run)
    panel.show_explanation("momentum")
    panel.set_run(run)
    assert panel.explanation.isVisible()
    panel.set_run(ended())
    assert panel.details.isVisible()


def test_the_forecast_of_the_next_run_is_there_without_a_run_and_gone_while_one_goes_on(panel: VerdictPanel) -> None:
    warning = ForecastWarning("head_frozen", ("head",), "The head is frozen. Take it out")
    panel.set_forecast(ForecastText(causes=(("weight_decay", ("stem",)),), warnings=(warning,)))
    words = said(panel, None)
    assert "will leak: stem — weight decay" in words
    assert "The head is frozen. Take it out" in words
    panel.show_explanation("head_frozen")
    assert "head: the last layer" in panel.explanation.text.text()
    run = started_run()
    add_steps(run, 3)
    assert "next run" not in said(panel, run)


def test_what_cannot_be_forecast_for_sure_is_said_to_be_unsure_and_is_explained(panel: VerdictPanel) -> None:
    panel.set_forecast(ForecastText(unsure=(("gradient", ("stem",)),)))
    words = said(panel, None)
    assert "may leak: stem" in words
    assert NOT_SURE in words
    assert "will leak" not in words
    panel.show_explanation("gradient")
    assert "stem" in panel.explanation.text.text()


def test_links_and_words_take_the_colours_of_the_theme(panel: VerdictPanel) -> None:
    panel.set_run(ended(moved=("stem",)))
    assert current_theme().accent in panel.details.toHtml()


def test_after_a_run_in_the_window_forecast_and_norm_layers_are_there(
    qtbot: QtBot, make_window: Callable[..., MainWindow]
) -> None:
    window = make_window()
    qtbot.waitUntil(lambda: window.run_panel.run_button.isEnabled(), timeout=20_000)
    summary = run_and_wait(qtbot, window, 4)
    details = window.findChild(QTextBrowser, "verdictDetails")
    assert details is not None
    words = details.toPlainText()
    assert summary["forecast"]["disagreements"] == []
    assert "✓ As seen" in words
    assert "Frozen norm layers" in words
    row = words.split("\n").index("stem.norm, blocks.0.norm and blocks.1.norm")
    assert words.split("\n")[row + 1 : row + 4] == ["✓ yes", "✗ no", "✗ no"]   # the flag holds scale and shift alone


def test_a_plan_changed_by_hand_is_not_compared_and_says_so(
    qtbot: QtBot, make_window: Callable[..., MainWindow]
) -> None:
    window = make_window()
    qtbot.waitUntil(lambda: window.run_panel.run_button.isEnabled(), timeout=20_000)
    start_slowly(qtbot, window)
    head, ticked = tree_index_in_model(window, "head"), Qt.CheckState.Checked
    assert window.layer_panel.model.setData(head, ticked, Qt.ItemDataRole.CheckStateRole)
    frozen = window.controller.recorders[0]
    qtbot.waitUntil(lambda: bool(frozen.frozen_windows(len(frozen.layers) - 1)), timeout=20_000)
    with qtbot.waitSignal(window.controller.run_ended, timeout=20_000):
        window.controller.stop()
    assert "the plan was changed by hand" in window.verdict_panel.details.toPlainText()


def test_a_scenario_run_in_the_window_says_what_was_claimed_and_seen(
    qtbot: QtBot, make_window: Callable[..., MainWindow]
) -> None:
    window = make_window()
    qtbot.waitUntil(lambda: window.run_panel.run_button.isEnabled(), timeout=20_000)
    window.menus.open_path(resource_path("scenarios", "01-two-tasks-adam-zeroed.toml"))
    qtbot.waitUntil(lambda: window.workbench.desk.opened is not None
                    and window.workbench.desk.opened.loaded.source == "builtin:two-task", timeout=20_000)
    summary = run_and_wait(qtbot, window)
    words = window.verdict_panel.details.toPlainText()
    assert words.startswith("Claimed and seen")
    for claim in summary["claims"]:
        assert claim["claim"] in words
        assert claim["seen"] in words


def tree_index_in_model(window: MainWindow, path: str) -> QModelIndex:
    tree = window.layer_panel.model.tree
    assert tree is not None
    return window.layer_panel.model.index_of(tree.by_path[path], 0)


def test_a_run_that_was_stopped_before_its_first_step_does_not_say_that_nothing_was_frozen() -> None:
    run = started_run()
    end_run(run, status="stopped")
    assert verdict_text(run).headlines == (("muted", "Stopped before the first step"),)
    run = started_run()
    add_steps(run, 1)
    end_run(run, status="stopped")
    assert verdict_text(run).headlines == (("muted", "Nothing was frozen"),)


def test_a_long_error_is_shown_whole_where_there_is_room_and_asks_for_no_higher_window(qtbot: QtBot) -> None:
    panel = VerdictPanel()
    qtbot.addWidget(panel)
    panel.resize(260, 300)
    panel.show()
    least = panel.minimumSizeHint().height()
    run = started_run()
    error = "This run needs more memory than is free: choose a smaller batch, freeze more layers, or less. " * 3
    run.handle(RunEnded("out_of_memory", error.strip(), 0, ()))
    panel.set_run(run)
    QApplication.processEvents()
    label = panel.label
    assert label.height() >= label.heightForWidth(label.width()) > 8 * label.fontMetrics().height()
    assert panel.minimumSizeHint().height() <= least
    assert label.toolTip() == error.strip()
