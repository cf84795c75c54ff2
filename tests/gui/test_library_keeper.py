from __future__ import annotations

from pathlib import Path

from freeze_gui.gui.library_keeper import RunKeeper
from freeze_gui.runs.recorder import RunRecorder
from freeze_gui.runs.store import list_runs, open_run
from freeze_gui.training.config import load_config
from freeze_gui.training.events import RunEnded
from tests.support.events import differences, ended, events

CONFIG = load_config({"model": {"source": "builtin:digits-cnn"}})


def test_each_run_of_a_comparison_has_a_file_of_its_own_with_all_that_was_seen(
    runs_in_a_folder_of_the_test: Path,
) -> None:
    keeper, recorders = RunKeeper(), [RunRecorder(CONFIG, "one"), RunRecorder(CONFIG, "two")]
    for count, recorder in enumerate(recorders, 1):
        for event in (*events(5, 30 * count), ended(30 * count)):
            recorder.handle(event)
            keeper.handle(recorder, event)
    keeper.close()
    assert keeper.error is None
    assert [recorder for recorder, _ in keeper.kept] == recorders
    for recorder, path in keeper.kept:
        assert differences(open_run(path), recorder, rounded=True) == []
    assert sorted(card.label for card in list_runs(runs_in_a_folder_of_the_test)) == ["one", "two"]


def test_a_run_that_was_stopped_while_it_waited_leaves_no_file(runs_in_a_folder_of_the_test: Path) -> None:
    keeper = RunKeeper()
    keeper.handle(RunRecorder(CONFIG), RunEnded("stopped", None, 0))
    keeper.close()
    assert keeper.kept == []
    assert list_runs(runs_in_a_folder_of_the_test) == []


def test_a_run_that_failed_before_its_first_step_is_kept_with_its_reason() -> None:
    keeper, recorder = RunKeeper(), RunRecorder(CONFIG)
    keeper.handle(recorder, RunEnded("failed", "no such layer", 0))
    keeper.close()
    again = open_run(keeper.kept[0][1])
    assert again.ended is not None
    assert (again.status, again.ended.error) == ("failed", "no such layer")


def test_a_folder_that_cannot_be_made_is_one_sentence_and_no_exception(runs_in_a_folder_of_the_test: Path) -> None:
    runs_in_a_folder_of_the_test.write_text("a file where the folder should be")
    keeper = RunKeeper()
    for recorder in (RunRecorder(CONFIG, "one"), RunRecorder(CONFIG, "two")):
        for event in (*events(3, 5), ended(5)):
            keeper.handle(recorder, event)
    keeper.close()
    assert keeper.kept == []
    assert keeper.error is not None
    assert keeper.error.startswith("This run is not kept: ")
    assert str(runs_in_a_folder_of_the_test) in keeper.error
