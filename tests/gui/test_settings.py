from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from PySide6.QtCore import QByteArray

from freeze_gui.gui.main_window import MainWindow
from freeze_gui.gui.settings import Settings

pytestmark = pytest.mark.timeout(60)


def test_what_is_saved_is_read_again(tmp_path: Path) -> None:
    path = tmp_path / "settings.ini"
    settings = Settings(path)
    settings.theme = "dark"
    settings.set_layout("rows", QByteArray(b"\x00\x01"))
    settings.last_config = {"model": {"source": "builtin:two-task"}, "optimizer": {"betas": (0.9, 0.99)}}
    settings.columns, settings.dark_pictures = ["loss", "peak"], True
    settings.open_runs = settings.side_by_side = [tmp_path / "a.freezerun", tmp_path / "b, c.freezerun"]
    settings.save()
    again = Settings(path)
    assert (again.columns, again.dark_pictures) == (["loss", "peak"], True)
    assert again.open_runs == again.side_by_side == [tmp_path / "a.freezerun", tmp_path / "b, c.freezerun"]
    assert again.theme == "dark"
    assert again.layout("rows") == QByteArray(b"\x00\x01")
    assert again.last_config == {"model": {"source": "builtin:two-task"}, "optimizer": {"betas": [0.9, 0.99]}}
    again.forget_layout()
    assert again.layout("rows") is None


def test_values_that_make_no_sense_count_as_not_there(tmp_path: Path) -> None:
    path = tmp_path / "settings.ini"
    path.write_text("[General]\ntheme=purple\nlast_config={half\n")
    assert Settings(path).theme == "system"
    assert Settings(path).last_config is None
    assert (Settings(path).columns, Settings(path).dark_pictures, Settings(path).side_by_side) == (None, False, [])


def test_a_yes_holds_until_the_file_changes(tmp_path: Path) -> None:
    settings, file = Settings(tmp_path / "settings.ini"), tmp_path / "net.py"
    file.write_text("x = 1\n")
    assert not settings.is_trusted(file)
    settings.trust(file)
    assert settings.is_trusted(file)
    file.write_text("x = 2\n")
    assert not settings.is_trusted(file)
    file.unlink()
    assert not settings.is_trusted(file)


def test_the_window_comes_back_as_it_was(make_window: Callable[..., MainWindow], tmp_path: Path) -> None:
    window = make_window()
    form = window.run_panel.form
    window.right.setSizes([100, 300])
    code_share = window.right.sizes()[1] / sum(window.right.sizes())
    form.method_box.setCurrentIndex(form.method_box.findText("restore"))
    form.steps_edit.setValue(42)
    window.layer_panel.model.change(frozenset({"head"}), "head")
    window.close()
    again = make_window()
    assert again.run_panel.form.method_box.currentText() == "restore"
    assert again.run_panel.form.steps_edit.value() == 42
    assert again.layer_panel.model.layers == {"head"}
    assert again.right.sizes()[1] / sum(again.right.sizes()) == pytest.approx(code_share, abs=0.05)


def test_a_configuration_of_another_version_gives_the_defaults(
    make_window: Callable[..., MainWindow], tmp_path: Path
) -> None:
    settings = Settings(tmp_path / "settings.ini")
    settings.last_config = {"model": {"source": "builtin:digits-cnn", "colour": "blue"}}
    settings.save()
    window = make_window()
    assert window.run_panel.form.model_source() == "builtin:digits-cnn"
    assert "stem.conv" in window.layer_panel.model.layers


def test_the_open_runs_and_whether_runs_are_kept_are_read_again(tmp_path: Path) -> None:
    settings = Settings(tmp_path / "settings.ini")
    assert settings.keeps_runs
    assert settings.open_runs == []
    runs = [tmp_path / "1 a, b.freezerun", tmp_path / "ü.freezerun"]
    settings.keeps_runs, settings.open_runs = False, runs
    settings.save()
    again = Settings(tmp_path / "settings.ini")
    assert not again.keeps_runs
    assert again.open_runs == runs


@pytest.mark.parametrize("value", ["{half", "7", '"a path"', "[3, null]"])
def test_open_runs_that_make_no_sense_count_as_none(tmp_path: Path, value: str) -> None:
    settings = Settings(tmp_path / "settings.ini")
    settings._store.setValue("open_runs", value)
    assert settings.open_runs == []


def test_the_model_of_last_time_is_known_before_its_configuration_is_checked(tmp_path: Path) -> None:
    settings = Settings(tmp_path / "settings.ini")
    assert settings.last_model == "builtin:digits-cnn"
    settings.last_config = {"model": {"source": "builtin:names"}}
    assert settings.last_model == "builtin:names"
    settings.last_config = {"model": "half a file"}
    assert settings.last_model == "builtin:digits-cnn"
