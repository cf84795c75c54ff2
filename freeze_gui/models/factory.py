"""``file:PATH.py:FACTORY``: call a function or class of a user's Python file, and say in one sentence what failed."""

from __future__ import annotations

import contextlib
import inspect
import sys
import traceback
import types
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from freeze_gui.errors import UserError
from freeze_gui.models.randomness import seed_all


def split_file_source(source: str) -> tuple[Path, str]:
    r"""Split ``file:PATH.py:FACTORY`` into the absolute path and the name; ``C:\\…`` keeps its colon.

    Raises
    ------
    UserError
        When there is no path or FACTORY is not a Python name.
    """
    path, _, name = source.removeprefix("file:").rpartition(":")
    if not path or not name.isidentifier():
        raise UserError(f'"{source}" is not of the form file:PATH.py:FACTORY, with a function or class of that file')
    return Path(path).expanduser().absolute(), name


def load_factory(source: str, seed: int | None = None) -> Callable[[], Any]:
    """Run the file and return its FACTORY, to be called without arguments.

    The file is run anew each time, so that an edited file counts. What it prints goes to stderr. Every global random
    generator is set to `seed` before the file is run, and again directly before each call; None leaves them alone.

    Raises
    ------
    UserError
        Here: when the file is missing, fails, or has no such factory. On the call: when the factory fails.
    """
    path, name = split_file_source(source)
    if seed is not None:
        seed_all(seed)
    module = _run_file(path)
    factory = getattr(module, name, None)
    if factory is None:
        raise UserError(f"{path} has no {name}{_known_names(module)}")
    if not (inspect.isfunction(factory) or inspect.isclass(factory) or inspect.isbuiltin(factory)):
        kind = type(factory).__name__
        raise UserError(f"{name} in {path} is a {kind}, but must be a function or class to call without arguments")
    _check_arguments(factory, name, path)

    def call() -> Any:
        with _users_code(path, f"{name}()"):
            if seed is not None:
                seed_all(seed)
            return factory()

    return call


def _run_file(path: Path) -> types.ModuleType:
    try:
        code = path.read_bytes()
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror or error}") from None
    # Run here rather than imported: an import would leave a __pycache__ beside the user's file and could find a stale
    # one there. It is registered all the same, because dataclasses and pickle look their module up.
    module = types.ModuleType(f"freeze_gui_user_{path.stem}")
    module.__file__ = str(path)
    sys.modules[module.__name__] = module
    with _users_code(path, "it"):
        exec(compile(code, str(path), "exec"), module.__dict__)
    return module


def _check_arguments(factory: Callable[..., Any], name: str, path: Path) -> None:
    try:
        inspect.signature(factory).bind()
    except TypeError as error:
        raise UserError(f"{name} in {path} must be callable without arguments, but there is {error}") from None
    except ValueError:  # a builtin without signature
        return


def _known_names(module: types.ModuleType) -> str:
    names = [
        name
        for name, value in vars(module).items()
        if (inspect.isfunction(value) or inspect.isclass(value)) and value.__module__ == module.__name__
    ]
    return f"; it has {', '.join(names[:8])}" if names else "; it defines no function or class"


@contextlib.contextmanager
def _users_code(path: Path, what: str) -> Iterator[None]:
    """Run a user's code: neighbours of the file importable, prints to stderr, any failure one sentence."""
    folder = str(path.parent)
    sys.path.insert(0, folder)
    try:
        # stdout may carry a run's JSON and nothing else.
        with contextlib.redirect_stdout(sys.stderr):
            yield
    except UserError:
        raise
    except SyntaxError as error:
        place = f"{error.filename or path}, line {error.lineno}"
        raise UserError(f"{place}: {type(error).__name__}: {error.msg}") from error
    except (Exception, SystemExit) as error:
        raise UserError(f"{path}{users_line(error, path)}: {what} raised {describe(error)}") from error
    finally:
        with contextlib.suppress(ValueError):
            sys.path.remove(folder)


def users_line(error: BaseException, path: Path) -> str:
    """Return ``, line N`` for the innermost place in the user's file where the error came through, or nothing."""
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(path)]
    return f", line {lines[-1]}" if lines else ""


def describe(error: BaseException) -> str:
    """Return an exception as ``Type: first line of its message``."""
    text = str(error).strip().splitlines()
    return f"{type(error).__name__}: {text[0]}" if text else type(error).__name__
