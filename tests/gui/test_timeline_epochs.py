from __future__ import annotations

from pytestqt.qtbot import QtBot

from freeze_gui.gui.main_window import MainWindow
from freeze_gui.gui.timeline_epochs import EpochLengths
from freeze_gui.gui.timeline_state import Span
from freeze_gui.models.sources import open_model
from freeze_gui.resources import resource_path
from freeze_gui.training.config import RunConfig, load_config
from tests.gui.conftest import RUN_MS


def config(source: str, batch_size: int = 32, accumulate: int = 1) -> RunConfig:
    return load_config(
        {
            "model": {"source": "builtin:digits-cnn"},
            "data": {"source": source, "batch_size": batch_size},
            "train": {"accumulate": accumulate},
        }
    )


def test_what_a_run_has_said_is_known_for_runs_on_the_same_data(qtbot: QtBot) -> None:
    lengths = EpochLengths()
    assert lengths.of(config("folder:x")) is None
    assert lengths.learn(config("folder:x"), 12)
    assert not lengths.learn(config("folder:x"), 12)   # no news
    assert lengths.of(config("folder:x")) == 12
    assert lengths.of(config("folder:x", batch_size=64)) is None
    assert lengths.of(config("folder:x", accumulate=2)) is None


def test_data_at_hand_are_asked_beside_the_window(qtbot: QtBot) -> None:
    lengths, loaded = EpochLengths(), open_model("builtin:digits-cnn")
    with qtbot.waitSignal(lengths.found, timeout=RUN_MS):
        lengths.look_up(config("random", accumulate=3), loaded)
    assert lengths.of(config("random", accumulate=3)) == 3   # eight batches in groups of three
    lengths.close()


def test_data_in_files_are_not_read_before_a_run(qtbot: QtBot) -> None:
    lengths = EpochLengths()
    with qtbot.assertNotEmitted(lengths.found, wait=50):
        lengths.look_up(config("folder:/nowhere"), open_model("builtin:digits-cnn"))
    lengths.close()


def test_a_schedule_by_epoch_lies_over_steps_before_its_first_run(qtbot: QtBot, window: MainWindow) -> None:
    window.menus.open_path(resource_path("scenarios", "03-thaw-by-epoch.toml"))
    plan = window.layer_panel.model.plan
    qtbot.waitUntil(lambda: plan.span == Span(40, 8), timeout=RUN_MS)   # 5 epochs of 8 batches
    assert plan.span.window(plan.timeline.bar) == (0, 24)
