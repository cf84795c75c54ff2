"""The command ``freeze-gui``: without arguments the window, else runs, comparisons and trees without Qt.

Exit codes: 0 done (a run that a person stopped is done), 1 a run failed or diverged, 2 a mistake in what was asked for.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import signal
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from freeze_gui import __version__
from freeze_gui.errors import UserError

# torch, Qt and rich are imported where they are used: --version and --help answer at once
if TYPE_CHECKING:
    from freeze_gui.runs.grid import Axes
    from freeze_gui.runs.recorder import RunRecorder
    from freeze_gui.training.control import RunControl

DONE, FAILED, MISTAKE = 0, 1, 2


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit code."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):   # a terminal that lacks a character shows a question mark
            stream.reconfigure(errors="replace")
    options = _parser().parse_args(arguments)
    try:
        return int(options.command(options))
    except UserError as error:
        print(f"freeze-gui: {error}", file=sys.stderr)
        return MISTAKE
    except BrokenPipeError:   # the reader went away, as `head` does; nothing more can be said
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return DONE
    except KeyboardInterrupt:
        print("freeze-gui: interrupted", file=sys.stderr)
        return 128 + signal.SIGINT


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="freeze-gui", description="Explore what freezing layers of a PyTorch model really does. "
        "Without a command, opens the window."
    )
    parser.add_argument("--version", action="version", version=f"freeze-gui {__version__}")
    parser.set_defaults(command=_window)
    commands = parser.add_subparsers(title="commands", metavar="COMMAND")
    config_help = "a TOML file, or the name of a scenario"
    device_help = "auto, cpu, cuda, cuda:N or mps; auto keeps what the configuration says"

    run = commands.add_parser("run", help="one run, without the window")
    run.add_argument("config", metavar="CONFIG", help=config_help)
    run.add_argument("--json", metavar="OUT", help="write the summary as JSON; - is stdout")
    run.add_argument("--save", metavar="RUN", help="keep the run: as it goes in a new file where the name ends "
                     "in .freezerun, else its summary with all measured series as JSON")
    run.add_argument("--checkpoint", metavar="FILE", help="write where the run stands when it ends or is stopped")
    run.add_argument("--resume", metavar="FILE", help="go on from a checkpoint of the same configuration")
    run.add_argument("--device", default="auto", help=device_help)
    run.set_defaults(command=_run)

    compare = commands.add_parser("compare", help="several freezing methods from the same start")
    compare.add_argument("config", metavar="CONFIG", help=config_help)
    compare.add_argument("--methods", required=True, metavar="A,B,C", help="ids of freezing methods, or all")
    compare.add_argument(
        "--optimizers", metavar="A,B", help="such as SGD:lr=0.1:momentum=0.9,Adam; default: as configured"
    )
    compare.add_argument("--zero-grad", metavar="A,B", help="some of none, zero, never; default: as configured")
    compare.add_argument("--norm", metavar="A,B", help="leave, eval or both; default: as configured")
    compare.add_argument("--reference", action="store_true", help="add a run with nothing frozen")
    compare.add_argument(
        "--ideal", action="store_true", help="add the paused ideal, whose frozen layers are held by construction"
    )
    compare.add_argument(
        "--interleave", action="store_true", help="let the runs take turns, so that their times can be compared"
    )
    compare.add_argument("--json", metavar="OUT", help="write all summaries as JSON; - is stdout")
    compare.add_argument("--report", metavar="OUT.html", help="write tables and figures as one HTML file")
    compare.add_argument("--device", default="auto", help=device_help)
    compare.set_defaults(command=_compare)

    inspect = commands.add_parser("inspect", help="the layers of a model, with counts")
    inspect.add_argument("model", metavar="MODEL", help="builtin:NAME, torchvision:NAME or file:PATH.py:FACTORY")
    inspect.add_argument("--json", metavar="OUT", help="write the layers as JSON; - is stdout")
    inspect.set_defaults(command=_inspect)

    script = commands.add_parser("script", help="the run as a standalone PyTorch script")
    script.add_argument("config", metavar="CONFIG", help=config_help)
    script.add_argument("--output", metavar="FILE.py", help="where to write it, weights beside it; default: stdout")
    script.set_defaults(command=_script)

    scenarios = commands.add_parser("scenarios", help="the scenarios that ship with the program")
    scenarios.add_argument("--json", metavar="OUT", help="write them as JSON; - is stdout")
    scenarios.set_defaults(command=_scenarios)
    return parser


def _window(options: argparse.Namespace) -> int:
    from freeze_gui.gui.app import main as open_window

    return int(open_window())


def _run(options: argparse.Namespace) -> int:
    from freeze_gui.console import ProgressLine, run_text
    from freeze_gui.runs.execute import execute, never_began
    from freeze_gui.runs.export import check_writable, to_json, write_text
    from freeze_gui.runs.scenarios import config_path
    from freeze_gui.runs.store import SUFFIX, RunWriter
    from freeze_gui.training.checkpoint import load_checkpoint
    from freeze_gui.training.config import load_config

    json_path = _output(options.json)
    save_path = check_writable(options.save) if options.save else None
    checkpoint_path = check_writable(options.checkpoint) if options.checkpoint else None
    config = load_config(config_path(options.config)).with_device(options.device)
    resume = load_checkpoint(Path(options.resume)) if options.resume else None
    writer = RunWriter(save_path, config) if save_path is not None and save_path.suffix == SUFFIX else None
    with _stopped_by_interrupt() as control, _stdout_kept_clean(), ProgressLine() as progress:
        recorder = execute(config, control, progress.handle, resume, checkpoint_path, writer)
    if never_began(recorder):
        if writer is not None:
            writer.path.unlink(missing_ok=True)
        raise UserError(f"{options.config}: {_error(recorder)}")
    summary = recorder.summary()
    if save_path is not None and writer is None:
        write_text(save_path, to_json(summary))
    _write(json_path, summary, run_text(summary))
    if writer is not None and writer.error is not None:
        raise UserError(writer.error)
    return _exit_code([recorder])


def _compare(options: argparse.Namespace) -> int:
    from freeze_gui.console import ProgressLine, comparison_text
    from freeze_gui.runs.comparison import compare_events, comparison_summary
    from freeze_gui.runs.execute import never_began
    from freeze_gui.runs.export import check_writable, write_text
    from freeze_gui.runs.grid import grid
    from freeze_gui.runs.recorder import RunRecorder
    from freeze_gui.runs.report import comparison_report
    from freeze_gui.runs.scenarios import config_path
    from freeze_gui.training.config import load_config

    json_path = _output(options.json)
    report_path = check_writable(options.report) if options.report else None
    config = load_config(config_path(options.config)).with_device(options.device)
    runs = grid(config, _axes(options))
    recorders = [RunRecorder(run.config, run.label) for run in runs]
    with _stopped_by_interrupt() as control, _stdout_kept_clean(), ProgressLine() as progress:
        for index, event in compare_events([run.config for run in runs], control, options.interleave):
            progress.label = recorders[index].label
            progress.handle(event)
            recorders[index].handle(event)
    if all(never_began(recorder) for recorder in recorders):
        raise UserError(f"{options.config}: {_error(recorders[0])}")
    comparison = comparison_summary(recorders, options.interleave)
    if report_path is not None:
        write_text(report_path, comparison_report(comparison, recorders))
    _write(json_path, comparison, comparison_text(comparison))
    return _exit_code(recorders)


def _axes(options: argparse.Namespace) -> Axes:
    from freeze_gui.runs.grid import Axes, checked_methods, read_optimizers

    return Axes(
        checked_methods(_listed(options.methods)),
        read_optimizers(options.optimizers or ""),
        _listed(options.zero_grad),
        _listed(options.norm),
        options.reference,
        options.ideal,
    )


def _listed(option: str | None) -> list[str]:
    return [name.strip() for name in (option or "").split(",") if name.strip()]


def _inspect(options: argparse.Namespace) -> int:
    from freeze_gui.console import tree_text
    from freeze_gui.models.inspection import inspect_model

    json_path = _output(options.json)
    with _stdout_kept_clean():
        tree, content = inspect_model(options.model)
    _write(json_path, content, tree_text(tree))
    return DONE


def _script(options: argparse.Namespace) -> int:
    from freeze_gui.runs.scenarios import config_path
    from freeze_gui.runs.script import make_script, write_script
    from freeze_gui.training.config import load_config

    config = load_config(config_path(options.config))
    if options.output:
        with _stdout_kept_clean():
            written = write_script(config, options.output)
        print(f"written: {', '.join(map(str, written))}")
        return DONE
    with _stdout_kept_clean():
        script = make_script(config)
    sys.stdout.write(script.text)
    sys.stdout.flush()
    if script.weights is not None:
        print("freeze-gui: the script reads weights from a file beside it; --output writes both", file=sys.stderr)
    return DONE


def _scenarios(options: argparse.Namespace) -> int:
    from freeze_gui.runs.scenarios import list_scenarios

    json_path = _output(options.json)
    found = list_scenarios()
    width = max((len(scenario.name) for scenario in found), default=0)
    content = [
        {"name": s.name, "title": s.title, "look_at": s.look_at, "expect": s.expect} for s in found
    ]
    _write(json_path, content, "\n".join(f"{s.name.ljust(width)}  {s.title}" for s in found))
    return DONE


def _output(option: str | None) -> Path | str | None:
    """Check where JSON goes before anything runs: None, ``-``, or a path that can be written."""
    from freeze_gui.runs.export import check_writable

    return option if option in (None, "-") else check_writable(option)


def _write(where: Path | str | None, content: object, text: str) -> None:
    """Write `content` as JSON where it was wanted, and `text` on stdout unless the JSON is there."""
    from freeze_gui.runs.export import to_json, write_text

    if where == "-":
        sys.stdout.write(to_json(content))
    else:
        if isinstance(where, Path):
            write_text(where, to_json(content))
        print(text)
    sys.stdout.flush()


def _exit_code(recorders: Sequence[RunRecorder]) -> int:
    return DONE if all(recorder.status in ("completed", "stopped") for recorder in recorders) else FAILED


def _error(recorder: RunRecorder) -> str:
    return (recorder.ended.error if recorder.ended else None) or "the run failed before its first step"


@contextlib.contextmanager
def _stopped_by_interrupt() -> Iterator[RunControl]:
    """Yield a control that the first Ctrl+C stops; a second one interrupts as usual."""
    from freeze_gui.training.control import RunControl

    control = RunControl()

    def on_interrupt(*_: object) -> None:
        control.stop()
        signal.signal(signal.SIGINT, before)

    before = signal.signal(signal.SIGINT, on_interrupt)
    try:
        yield control
    finally:
        signal.signal(signal.SIGINT, before)


@contextlib.contextmanager
def _stdout_kept_clean() -> Iterator[None]:
    """Send what a person's model or data file prints to stderr, by whatever way: stdout carries the result alone."""
    sys.stdout.flush()
    kept = os.dup(1)
    os.dup2(2, 1)
    try:
        with contextlib.redirect_stdout(sys.stderr):
            yield
    finally:
        os.dup2(kept, 1)
        os.close(kept)
