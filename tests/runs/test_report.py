from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser
from typing import Any

import pytest

from freeze_gui.freezing.methods import METHODS
from freeze_gui.runs.comparison import compare_events, comparison_summary
from freeze_gui.runs.grid import Axes, grid
from freeze_gui.runs.recorder import RunRecorder
from freeze_gui.runs.report import comparison_report
from freeze_gui.training.config import RunConfig, load_config
from tests.support.runs import network_config

ADAM = {"name": "Adam", "lr": 0.01, "zero_grad": "zero"}
_VOID = {"meta", "br", "i"}


def compared(axes: Axes, config: RunConfig | None = None, **changed: Any) -> list[RunRecorder]:
    config = config or load_config(network_config("grad_none", ADAM, {"from_step": 5}, **changed))
    runs = grid(config, axes)
    recorders = [RunRecorder(run.config, run.label) for run in runs]
    for index, event in compare_events([run.config for run in runs]):
        recorders[index].handle(event)
    return recorders


def report_on(recorders: list[RunRecorder]) -> str:
    return comparison_report(comparison_summary(recorders), recorders)


@pytest.fixture(scope="module")
def report() -> str:
    return report_on(compared(Axes(["grad_none", "exclude", "grad_zero"], reference=True, ideal=True)))


def rows(report: str, table: str) -> list[str]:
    body = re.search(rf'<table class="{table}">.*?<tbody>(.*?)</tbody>', report, re.DOTALL)
    assert body is not None
    return re.findall(r"<tr>.*?</tr>", body[1], re.DOTALL)


def test_a_report_needs_no_network_and_follows_the_readers_theme(report: str) -> None:
    outside = re.findall(r"(?:src|href)=\"(?!data:)|url\((?!#)|@import|https?:|<script", report)
    assert outside == []
    assert "prefers-color-scheme: dark" in report
    assert "@media print" in report


def test_every_tag_of_a_report_is_closed_in_order(report: str) -> None:
    open_tags: list[str] = []

    class Checker(HTMLParser):
        def handle_starttag(self, tag: str, attrs: object) -> None:
            if tag not in {"meta"}:
                open_tags.append(tag)

        def handle_endtag(self, tag: str) -> None:
            assert open_tags.pop() == tag

        def handle_startendtag(self, tag: str, attrs: object) -> None:
            """Is closed where it begins."""

    Checker().feed(report)
    assert open_tags == []


def test_a_row_tells_the_verdict_with_its_causes_and_what_happened_beside(report: str) -> None:
    found = rows(report, "verdicts")
    assert len(found) == 5
    nothing, ideal, none, _, zero = found
    assert ">nothing frozen</span>" in nothing
    assert ">held</span>" in ideal and "running statistics" not in ideal
    assert ">leaked</span>" in none and "1 of 3 layers" in none
    assert "running statistics (15 steps): norm" in none and "momentum" not in none
    assert "momentum (15 steps): first, norm and middle.0" in zero
    assert "state evolving" in zero and "state evolving" not in none


def test_runs_that_are_one_are_said_to_be_and_drawn_once(report: str) -> None:
    assert "<li>grad_none = exclude: the same bits, in every loss, evaluation and weight.</li>" in report
    legend = re.findall(r'<path class="curve s(\d) d\d" d="M1 5H33"/></svg>(.*?)</li>', report)
    assert [label for _, label in legend] == ["nothing frozen", "paused ideal", "grad_none = exclude", "grad_zero"]
    assert "All 5 runs began with the same bits" in report


def test_costs_stand_against_the_run_with_nothing_frozen() -> None:
    recorders = compared(Axes(["requires_grad", "grad_none"], reference=True))
    summaries = [recorder.summary() for recorder in recorders]
    activations = [summary["cost"]["saved_activation_bytes"] for summary in summaries]
    found = rows(report_on(recorders), "costs")
    assert "100 %" in found[0]
    share = f"{100 * activations[1] / activations[0]:.0f} %"
    assert found[1].rindex(share) > 0
    assert activations[2] == activations[0]


def test_a_report_shows_text_as_text() -> None:
    recorders = compared(Axes(["grad_none"]))
    recorders[0].label = "<b>bold</b>"
    assert recorders[0].ended is not None
    recorders[0].ended = replace(recorders[0].ended, status="failed", error="a < b & c")
    report = report_on(recorders)
    assert "<b>bold" not in report
    assert "a &lt; b &amp; c" in report


def test_runs_that_never_began_are_rows_without_figures() -> None:
    report = report_on(compared(Axes(["all"]), load_config({"model": {"source": "builtin:none-such"}})))
    assert len(rows(report, "verdicts")) == len(METHODS)
    assert "none-such" in report
    assert "<figure>" not in report and "Training loss" not in report


def test_a_start_that_is_not_the_same_is_no_good_mark() -> None:
    one, other = compared(Axes(["grad_none"])), compared(Axes(["grad_none"]), seed=1)
    report = report_on([*one, *other])
    assert 'class="proof bad"' in report
    assert "did NOT begin with the same bits" in report


def test_what_cannot_be_proven_has_a_mark_of_its_own_and_says_why() -> None:
    one, other = compared(Axes(["grad_none", "exclude"]))
    assert other.ended is not None
    other.ended = replace(other.ended, proof=None)
    report = report_on([one, other])
    assert 'class="proof open"' in report and 'class="proof good"' not in report
    assert "cannot be proven: there are no hashes of exclude" in report


def test_a_report_on_ten_long_runs_stays_small() -> None:
    report = report_on(10 * compared(Axes(["grad_none"]), steps=1500))
    assert len(report) < 1_500_000
    assert max(len(uri) for uri in re.findall(r"data:image/png[^\"]*", report)) < 40_000
