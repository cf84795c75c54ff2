from __future__ import annotations

import time
from pathlib import Path

import pytest

from freeze_gui.gui.library_words import counted, facts, is_going_on, matches, sentence, tags_of, verdict_words, when
from freeze_gui.runs.store import RunCard

CARD = RunCard(
    Path("a.freezerun"), "first try", "completed", "leaked", 0.0, 1200, "builtin:digits-cnn", "grad_zero",
    ("baseline", "Paper 3"), "momentum did it",
)  # fmt: skip


def card(status: str, verdict: str) -> RunCard:
    return RunCard(Path("a.freezerun"), "a", status, verdict)


@pytest.mark.parametrize(
    ("status", "verdict", "tone", "words"),
    [
        ("completed", "leaked", "leaked", "✗ LEAKED"),
        ("completed", "held", "held", "✓ held"),
        ("completed", "nothing frozen", "muted", "nothing frozen"),
        ("stopped", "held", "held", "✓ held · stopped"),
        ("stopped", "", "muted", "stopped"),
        ("running", "leaked", "leaked", "✗ LEAKED · running"),
        ("loading", "", "muted", "loading"),
        ("interrupted", "held", "held", "✓ held · interrupted"),
        ("interrupted", "nothing frozen", "warning", "nothing frozen · interrupted"),
        ("interrupted", "", "warning", "interrupted"),
        ("diverged", "held", "warning", "diverged"),
        ("out_of_memory", "", "warning", "out of memory"),
        ("unreadable", "", "warning", "unreadable"),
    ],
)
def test_the_verdict_comes_in_a_word_and_never_by_colour_alone(
    status: str, verdict: str, tone: str, words: str
) -> None:
    assert verdict_words(card(status, verdict)) == (tone, words)


def test_only_a_run_that_somebody_writes_is_going_on() -> None:
    going = {"loading", "running"}
    for status in ("loading", "running", "completed", "stopped", "interrupted", "failed", "unreadable"):
        assert is_going_on(card(status, "")) is (status in going)


def test_the_second_line_says_model_method_and_steps_or_why_a_file_cannot_be_read() -> None:
    assert facts(CARD) == "digits-cnn · grad_zero · 1,200 steps"
    assert facts(RunCard(CARD.path, "a", "unreadable", error=f"{CARD.path}: is empty")) == "is empty"


def test_the_nearer_a_day_the_shorter_its_name() -> None:
    now = time.mktime((2026, 11, 21, 15, 0, 0, 0, 0, -1))
    assert when(now - 3600, now) == "14:00"
    assert when(time.mktime((2026, 11, 20, 23, 59, 0, 0, 0, -1)), now) == "yesterday 23:59"
    assert when(time.mktime((2026, 11, 3, 9, 5, 0, 0, 0, -1)), now) == "3 Nov 09:05"
    assert when(time.mktime((2025, 11, 21, 9, 5, 0, 0, 0, -1)), now) == "21 Nov 2025"
    assert when(0.0, now) == ""


@pytest.mark.parametrize(
    ("search", "found"),
    [
        ("", True), ("  ", True), ("FIRST", True), ("digits zero", True), ("leaked", True), ("momentum", True),
        ("paper", True), ("#paper", True), ("#base leaked", True), ("#momentum", False), ("held", False),
        ("first second", False), ("#", True),
    ],
)  # fmt: skip
def test_every_word_of_a_search_must_be_found_and_a_hash_asks_for_a_tag(search: str, found: bool) -> None:
    assert matches(CARD, search) is found


def test_tags_are_set_apart_by_commas_and_come_once() -> None:
    assert tags_of(" #baseline, paper 3,, baseline ,") == ["baseline", "paper 3"]
    assert tags_of("") == []


def test_a_screen_reader_hears_all_that_a_row_shows() -> None:
    said = sentence(CARD, time.time())
    for part in ("first try", "LEAKED", "digits-cnn", "grad_zero", "1,200 steps", "baseline, Paper 3", "momentum"):
        assert part in said


def test_the_count_says_how_many_a_search_hides() -> None:
    assert counted(1, 1) == "1 run"
    assert counted(3, 3) == "3 runs"
    assert counted(1, 3) == "1 of 3 runs"
