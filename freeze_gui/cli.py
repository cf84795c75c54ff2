"""The command ``freeze-gui``: without arguments the window, else runs, comparisons and trees without Qt.

Exit codes: 0 done (a run that a person stopped is done), 1 a run failed or diverged or a result could not be written,
2 a mistake in what was asked for, 130 interrupted by Ctrl+C where there was nothing to stop in good order.
"""

from __future__ import annotations

import argparse
import signal
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from freeze_gui import __version__
from freeze_gui.errors import NotWrittenError, UserError
from freeze_gui.terminal import have_a_home, open_streams, put, put_document, stdout_kept_clean, stopped_by_signal, tell

# torch, Qt and rich are imported where they are used: --version and --help answer at once
if TYPE_CHECKING:
    from freeze_gui.runs.grid import Axes
    from freeze_gui.runs.recorder import RunRecorder

DONE, FAILED, MISTAKE = 0, 1, 2


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit code."""
    open_streams()
    have_a_home()
    options = _parser().parse_args(arguments)
    try:
        return int(options.command(options))
    except UserError as error:
        tell(f"freeze-gui: {error}")
        return FAILED if isinstance(error, NotWrittenError) else MISTAKE
    except KeyboardInterrupt:
        tell("freeze-gui: interrupted")
        return 128 + signal.SIGINT


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="freeze-gui", description="Explore what freezing layers of a PyTorch model really does. "
        "Without a command, opens the window.",
        epilog="Exit codes: 0 done, or stopped by Ctrl+C with what there is written; 1 a run failed or diverged, or a "
        "result could not be written; 2 a mistake in what was asked for; 130 interrupted.",
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
    compare.add_argument(
        "--methods", required=True, metavar="A,B,C", help="ids of freezing methods, such as grad_none,exclude, or all"
    )
    compare.add_argument(
        "--optimizers", metavar="A,B", help="such as SGD:lr=0.1:momentum=0.9,Adam; default: as configured"
    )
    compare.add_argument("--zero-grad", metavar="A,B", help="some of none, zero, never; default: as configured")
    compare.add_argument("--norm", metavar="A,B", help="one or both of leave, eval; default: as configured")
    compare.add_argument("--reference", action="store_true", help="add a run with nothing frozen")
    compare.add_argument(
        "--ideal", action="store_true", help="add the paused ideal, whose frozen layers are held by construction"
    )
    compare.add_argument(
        "--interleave", action="store_true", help="let the runs take turns, so that their times can be compared"
    )
    compare.add_argument("--json", metavar="OUT", help="write all summaries as JSON; - is stdout")
    compare.add_argument("--report", metavar="OUT.html", help="write tables and figures as one HTML file; - is stdout")
    compare.add_argument("--device", default="auto", help=device_help)
    compare.set_defaults(command=_compare)

    inspect = commands.add_parser("inspect", help="the layers of a model, with counts")
    inspect.add_argument("model", metavar="MODEL", help="builtin:NAME, torchvision:NAME or file:PATH.py:FACTORY")
    inspect.add_argument("--json", metavar="OUT", help="write the layers as JSON; - is stdout")
    inspect.set_defaults(command=_inspect)

    script = commands.add_parser("script", help="the run as a standalone PyTorch script")
    script.add_argument("config", metavar="CONFIG", help=config_help)
    script.add_argument("--output", metavar="FILE.py", help="where to write it, weights beside it; - or none: stdout")
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
    from freeze_gui.delivery import Delivery
    from freeze_gui.runs.execute import execute, never_began
    from freeze_gui.runs.export import to_json
    from freeze_gui.runs.outputs import check_outputs, files_read
    from freeze_gui.runs.scenarios import config_path
    from freeze_gui.runs.store import SUFFIX, RunWriter
    from freeze_gui.training.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
    from freeze_gui.training.config import load_config

    path = config_path(options.config)
    config = load_config(path).with_device(options.device)
    read = {path: "the configuration", **files_read(config)}
    wanted = {"--json": options.json, "--save": options.save}
    places = check_outputs({**wanted, "--checkpoint": options.checkpoint}, read)
    resume = None
    if options.resume:   # the checkpoint may take the place of the one that the run goes on from
        check_outputs(wanted, {Path(options.resume): "the checkpoint"})
        resume = load_checkpoint(Path(options.resume))
    save = places.get("--save")
    writer = RunWriter(save, config) if save is not None and save.suffix == SUFFIX else None
    delivery = Delivery(places)

    def keep_checkpoint(checkpoint: Checkpoint) -> None:
        if "--checkpoint" in places:
            with delivery.collected():
                save_checkpoint(checkpoint, places["--checkpoint"])

    with stopped_by_signal() as control, stdout_kept_clean(), ProgressLine() as progress:
        recorder = execute(config, control, progress.handle, resume, keep_checkpoint, writer)
    if never_began(recorder):
        if writer is not None:
            writer.path.unlink(missing_ok=True)
        raise UserError(f"{options.config}: {_error(recorder)}")
    summary = recorder.summary()
    delivery.write("--json", lambda: to_json(summary))
    if writer is None:
        delivery.write("--save", lambda: to_json(summary))
    elif writer.error is not None:
        delivery.errors.append(writer.error)
    return _exit_code(delivery.finish(run_text(summary)), recorder)


def _compare(options: argparse.Namespace) -> int:
    from freeze_gui.console import ProgressLine, comparison_text
    from freeze_gui.delivery import Delivery
    from freeze_gui.runs.comparison import compare_events, comparison_summary
    from freeze_gui.runs.execute import never_began
    from freeze_gui.runs.export import to_json
    from freeze_gui.runs.grid import grid
    from freeze_gui.runs.outputs import check_outputs, files_read
    from freeze_gui.runs.recorder import RunRecorder
    from freeze_gui.runs.report import comparison_report
    from freeze_gui.runs.scenarios import config_path
    from freeze_gui.training.config import load_config

    path = config_path(options.config)
    config = load_config(path).with_device(options.device)
    read = {path: "the configuration", **files_read(config)}
    places = check_outputs({"--json": options.json, "--report": options.report}, read, ("--json", "--report"))
    runs = grid(config, _axes(options))
    recorders = [RunRecorder(run.config, run.label) for run in runs]
    with stopped_by_signal() as control, stdout_kept_clean(), ProgressLine() as progress:
        for index, event in compare_events([run.config for run in runs], control, options.interleave):
            progress.label = recorders[index].label
            progress.handle(event)
            recorders[index].handle(event)
    if all(never_began(recorder) for recorder in recorders):
        raise UserError(f"{options.config}: {_error(recorders[0])}")
    comparison = comparison_summary(recorders, options.interleave)
    delivery = Delivery(places)
    delivery.write("--json", lambda: to_json(comparison))
    delivery.write("--report", lambda: comparison_report(comparison, recorders))
    return _exit_code(delivery.finish(comparison_text(comparison)), *recorders)


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
    from freeze_gui.delivery import Delivery
    from freeze_gui.models.inspection import inspect_model
    from freeze_gui.runs.export import to_json
    from freeze_gui.runs.outputs import check_outputs, source_read

    delivery = Delivery(check_outputs({"--json": options.json}, source_read(options.model, "the model")))
    with stdout_kept_clean():
        tree, content = inspect_model(options.model)
    delivery.write("--json", lambda: to_json(content))
    return _exit_code(delivery.finish(tree_text(tree)))


def _script(options: argparse.Namespace) -> int:
    from freeze_gui.runs.outputs import check_outputs
    from freeze_gui.runs.scenarios import config_path
    from freeze_gui.runs.script import make_script
    from freeze_gui.runs.script_files import write_script
    from freeze_gui.training.config import load_config

    path = config_path(options.config)
    config = load_config(path)
    if options.output not in (None, "-"):
        check_outputs({"--output": options.output}, {path: "the configuration"})
        with stdout_kept_clean():
            written = write_script(config, options.output)
        put(f"written: {', '.join(map(str, written))}\n")
        return DONE
    with stdout_kept_clean():
        script = make_script(config)
    put_document(script.text)
    if script.tensors:
        names = ", ".join(script.tensors)
        tell(f"freeze-gui: the script reads a file beside it ({names}); --output writes both")
    return DONE


def _scenarios(options: argparse.Namespace) -> int:
    from freeze_gui.delivery import Delivery
    from freeze_gui.runs.export import to_json
    from freeze_gui.runs.outputs import check_outputs
    from freeze_gui.runs.scenarios import list_scenarios

    found = list_scenarios()
    delivery = Delivery(check_outputs({"--json": options.json}, {scenario.path: "a scenario" for scenario in found}))
    width = max((len(scenario.name) for scenario in found), default=0)
    content = [{"name": s.name, "title": s.title, "look_at": s.look_at, "expect": s.expect} for s in found]
    delivery.write("--json", lambda: to_json(content))
    return _exit_code(delivery.finish("\n".join(f"{s.name.ljust(width)}  {s.title}" for s in found)))


def _exit_code(all_written: bool, *recorders: RunRecorder) -> int:
    done = all(recorder.status in ("completed", "stopped") for recorder in recorders)
    return DONE if done and all_written else FAILED


def _error(recorder: RunRecorder) -> str:
    return (recorder.ended.error if recorder.ended else None) or "the run failed before its first step"
