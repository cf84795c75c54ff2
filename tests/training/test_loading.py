from __future__ import annotations

import threading
import time
from typing import Any

import pytest

from freeze_gui.errors import UserError
from freeze_gui.training import loading
from freeze_gui.training.config import load_config
from freeze_gui.training.control import RunControl
from freeze_gui.training.events import Progress, RunEnded
from freeze_gui.training.trainer import Trainer
from tests.support.runs import network_config

CONFIG = load_config(network_config("requires_grad", {"name": "SGD"}))


def test_what_a_download_reports_comes_out_as_progress(monkeypatch: pytest.MonkeyPatch) -> None:
    def slow(config: Any, report: loading.Report) -> Any:
        report("downloading", 1, 2)
        report("downloading", 2, 2)
        raise UserError("the rest is missing")

    monkeypatch.setattr(loading, "_load", slow)
    events = list(Trainer(CONFIG).events())
    assert events[:2] == [Progress("downloading", 1, 2), Progress("downloading", 2, 2)]
    end = events[2]
    assert isinstance(end, RunEnded)
    assert (end.status, end.error, end.steps) == ("failed", "the rest is missing", 0)


def test_a_stop_leaves_a_download_at_its_next_report(monkeypatch: pytest.MonkeyPatch) -> None:
    control = RunControl()
    reports = 0

    def endless(config: Any, report: loading.Report) -> Any:
        nonlocal reports
        while True:
            reports += 1
            report("downloading", reports, None)
            time.sleep(0.001)

    monkeypatch.setattr(loading, "_load", endless)
    events = []
    for event in Trainer(CONFIG, control).events():
        events.append(event)
        control.stop()
    end = events[-1]
    assert isinstance(end, RunEnded)
    assert end.status == "stopped"
    assert not any(thread.name == "freeze-gui-loading" for thread in threading.enumerate())


def test_a_stop_does_not_wait_for_a_loader_that_hangs(monkeypatch: pytest.MonkeyPatch) -> None:
    release = threading.Event()
    monkeypatch.setattr(loading, "_load", lambda config, report: release.wait(30))
    control = RunControl()
    threading.Timer(0.1, control.stop).start()
    began = time.monotonic()
    (end,) = Trainer(CONFIG, control).events()
    release.set()
    assert isinstance(end, RunEnded)
    assert end.status == "stopped"
    assert time.monotonic() - began < 10


def test_a_data_set_that_raises_ends_the_run_as_failed_and_says_where(tmp_path: Any) -> None:
    path = tmp_path / "data.py"
    path.write_text(
        "import torch\n"
        "class Data:\n"
        "    def __iter__(self):\n"
        "        yield torch.zeros(4, 6), torch.zeros(4, dtype=torch.long)\n"
        "        yield torch.zeros(4, 6), torch.zeros(4, dtype=torch.long)\n"
        "        raise OSError('the disk is gone')\n"
        "def batches():\n"
        "    return Data()\n"
    )
    config = network_config("requires_grad", {"name": "SGD"})
    config["data"]["source"] = f"file:{path}:batches"
    *_, end = Trainer(load_config(config)).events()
    assert isinstance(end, RunEnded)
    assert (end.status, end.steps) == ("failed", 2)
    assert "the disk is gone" in (end.error or "")
    assert "line 6" in (end.error or "")
