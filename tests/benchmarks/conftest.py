"""Runs each benchmark in a process of its own, prints what they found, and writes it down where all of them ran."""

from __future__ import annotations

from collections.abc import Callable, Generator
from pathlib import Path

import pytest

from tests.benchmarks.measuring import Table, machine
from tests.benchmarks.own_process import hand_over, is_own_process, tables_of

RESULTS = Path(__file__).with_name("RESULTS.md")
_HEAD = """# Benchmarks

Written by `.venv/bin/python -m pytest -m benchmark tests/benchmarks`. Each benchmark runs in a fresh process; in it all
that is compared takes turns. Medians of the rounds, the quartiles in brackets; trust the ratios more than the
milliseconds.

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


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> bool | None:
    """Run a benchmark in a process of its own, unless this is it."""
    if is_own_process() or not item.get_closest_marker("benchmark"):
        return None
    item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
    tables = item.config.stash[_tables]
    call = pytest.CallInfo.from_call(
        lambda: tables.extend(tables_of(item.nodeid, item.config.rootpath)), "call", reraise=KeyboardInterrupt
    )
    found = item.ihook.pytest_runtest_makereport(item=item, call=call)
    item.ihook.pytest_runtest_logreport(report=found)
    item.ihook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)
    return True


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    found = yield
    if found.failed:
        item.config.stash[_failed].append(item.nodeid)
    return found


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """Hand the results over to the process that wants them, or write them down, if no benchmark was left out."""
    if is_own_process():
        hand_over(session.config.stash[_tables])
        return
    ran = {item.path for item in session.items if item.get_closest_marker("benchmark")}
    to_the_end = exitstatus in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED) and not session.shouldfail
    if not to_the_end or session.config.option.collectonly:
        return
    if not ran.issuperset(Path(__file__).parent.glob("test_*.py")):
        return
    stash = session.config.stash
    failed = "".join(f"- failed: {name}\n" for name in stash[_failed])
    tables = "\n".join(table.markdown() for table in stash[_tables])
    RESULTS.write_text(f"{_HEAD}{stash[_machine]}{failed}\n{tables}", encoding="utf-8")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    for table in config.stash[_tables]:
        terminalreporter.write_line("")
        terminalreporter.write_line(table.markdown())
