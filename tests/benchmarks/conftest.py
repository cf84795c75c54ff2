"""Collects what the benchmarks found, prints it at the end, and writes it down where all of them ran."""

from __future__ import annotations

from collections.abc import Callable, Generator
from pathlib import Path

import pytest

from tests.benchmarks.measuring import Table, machine

RESULTS = Path(__file__).with_name("RESULTS.md")
_HEAD = """# Benchmarks

Written by `.venv/bin/python -m pytest -m benchmark tests/benchmarks`. Medians of interleaved rounds in one process, the
quartiles in brackets; trust the ratios more than the milliseconds.

"""
_tables = pytest.StashKey[list[Table]]()
_machine = pytest.StashKey[str]()
_failed = pytest.StashKey[list[str]]()


def pytest_configure(config: pytest.Config) -> None:
    config.stash[_tables], config.stash[_failed], config.stash[_machine] = [], [], machine()


@pytest.fixture
def report(request: pytest.FixtureRequest) -> Callable[[Table], None]:
    """Return what takes a table."""
    return request.config.stash[_tables].append


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    found = yield
    if found.failed:
        item.config.stash[_failed].append(item.nodeid)
    return found


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Write the results down, if no benchmark was left out."""
    ran = {item.path for item in session.items if item.get_closest_marker("benchmark")}
    if session.config.option.collectonly or not ran.issuperset(Path(__file__).parent.glob("test_*.py")):
        return
    stash = session.config.stash
    failed = "".join(f"- failed: {name}\n" for name in stash[_failed])
    tables = "\n".join(table.markdown() for table in stash[_tables])
    RESULTS.write_text(f"{_HEAD}{stash[_machine]}{failed}\n{tables}", encoding="utf-8")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    for table in config.stash[_tables]:
        terminalreporter.write_line("")
        terminalreporter.write_line(table.markdown())
