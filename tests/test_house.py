"""The laws of the house that a linter cannot see alone: what may be imported, and by whom."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]

WITHOUT_QT = """
import importlib, pkgutil, sys

class NoQt:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("PySide6", "shiboken6", "pyqtgraph"):
            raise ImportError(name + " must not be imported here")

sys.meta_path.insert(0, NoQt())
import freeze_gui
names = [m.name for m in pkgutil.walk_packages(freeze_gui.__path__, "freeze_gui.")]
names = [n for n in names if not n.startswith("freeze_gui.gui") and n != "freeze_gui.__main__"]
for name in names:
    importlib.import_module(name)
assert "freeze_gui.training.trainer" in names and "freeze_gui.cli" in names
print(len(names))
"""


def python(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=100, check=False)


def test_everything_but_the_window_works_where_qt_is_not_installed() -> None:
    done = python(WITHOUT_QT)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 20


def test_importing_the_package_loads_neither_torch_nor_qt() -> None:
    done = python(
        "import sys, freeze_gui; heavy = {'torch', 'numpy', 'PySide6', 'pyqtgraph', 'rich'} & set(sys.modules); "
        "sys.exit(str(heavy) if heavy else 0)"
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("arguments", [["--version"], ["--help"], ["scenarios"], ["run", "--help"]])
def test_the_command_line_answers_at_once_where_nothing_is_computed(arguments: list[str]) -> None:
    code = (
        "import sys\nfrom freeze_gui.cli import main\n"
        f"try:\n    code = main({arguments!r})\nexcept SystemExit as done:\n    code = done.code\n"
        "heavy = {'torch', 'numpy', 'PySide6', 'pyqtgraph'} & set(sys.modules)\n"
        "sys.exit(str(heavy) if heavy else code)"
    )
    began = time.perf_counter()
    done = python(code)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip()
    assert time.perf_counter() - began < 5   # 0.1 s where nothing else runs


def test_the_packages_import_each_other_in_one_direction_only() -> None:
    pytest.importorskip("importlinter", reason="import-linter comes with the dev extra")
    done = subprocess.run(
        [sys.executable, "-c", "from importlinter.cli import lint_imports_command; lint_imports_command()"],
        capture_output=True, text=True, timeout=100, check=False, cwd=ROOT,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_no_file_of_the_package_outgrows_a_look() -> None:
    long = {
        str(path.relative_to(ROOT)): lines
        for path in (ROOT / "freeze_gui").rglob("*.py")
        if (lines := len(path.read_text(encoding="utf-8").splitlines())) > 450
    }
    assert not long
