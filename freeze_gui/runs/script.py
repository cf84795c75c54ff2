"""The same run as a standalone PyTorch script, which needs nothing of this program.

Every branch is decided here, so that the script holds only what the run uses. Its text comes from the templates in
``resources/templates``; the parts around them are found by `script_model`, `script_data`, `script_plan` and
`script_rates`.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, replace
from typing import Any

import jinja2
from torch import Tensor, nn

from freeze_gui.data.sources import peek_num_classes
from freeze_gui.errors import UserError
from freeze_gui.freezing.methods import PausedIdeal
from freeze_gui.freezing.plan import resolve
from freeze_gui.models.layer_tree import build_tree
from freeze_gui.models.randomness import random_state, restore_random
from freeze_gui.models.sources import LoadedModel
from freeze_gui.resources import resource_path
from freeze_gui.runs.script_data import data_code
from freeze_gui.runs.script_lines import ForwardCode, assigned_rates, intro_lines, list_constant, report, with_imports
from freeze_gui.runs.script_model import model_code, quoted
from freeze_gui.runs.script_plan import ScriptPlan, detaches_tuples, frozen_when, script_plan
from freeze_gui.runs.script_rates import GROUP_CHANGING, rates_of
from freeze_gui.training.batches import epoch_steps
from freeze_gui.training.config import RunConfig
from freeze_gui.training.control import RunControl
from freeze_gui.training.device import choose_threads
from freeze_gui.training.loading import Loaded, load
from freeze_gui.training.schedule import check_data_suit


@dataclass(frozen=True)
class Script:
    """A script and what it reads.

    Attributes
    ----------
    text
        The script.
    tensors
        What must lie beside it, under its name with the ending ``.pt``: ``weights``, the state dict that it starts
        from, and what its data are made of. Empty where it needs nothing.
    """

    text: str
    tensors: dict[str, Tensor | dict[str, Tensor]]


def make_script(config: RunConfig) -> Script:
    """Return a run as a Python script that needs only torch, and what its data need, with the tensors that it reads.

    Raises
    ------
    UserError
        When model, data or plan of the run are wrong, or the run is the paused ideal of a comparison.
    """
    if config.freeze.method == PausedIdeal.id:
        raise UserError(
            "The paused ideal is a yardstick for comparisons and no way to freeze in PyTorch, so it has no script. "
            "Take the script of a run with another method"
        )
    callers_random = random_state()
    try:
        loaded = _loaded(config)
        values = _values(config, loaded)
    finally:
        restore_random(callers_random)
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(resource_path("templates")),
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
        autoescape=False,   # it is Python, not HTML
    )
    values["data_source"] = environment.get_template(values["data"].template).render(values | values["data"].values)
    text = with_imports(environment.get_template("script.py.j2").render(values))
    tensors: dict[str, Tensor | dict[str, Tensor]] = dict(values["data"].tensors)
    if values["model"].has_weights:
        tensors["weights"] = {name: tensor.clone() for name, tensor in loaded.model.module.state_dict().items()}
    return Script(text, tensors)


def _loaded(config: RunConfig) -> Loaded:
    """Load model and data as a run does."""
    loading: Generator[Any, None, Loaded | None] = load(config, RunControl())
    while True:
        try:
            next(loading)
        except StopIteration as done:
            loaded: Loaded = done.value   # never None: nobody can have stopped it
            return loaded


def _values(config: RunConfig, loaded: Loaded) -> dict[str, Any]:
    """Return all that the templates are given."""
    train = config.train
    steps_per_epoch = epoch_steps(loaded.data, train.accumulate)
    total = train.steps or (train.epochs or 0) * (steps_per_epoch or 0)
    check_data_suit(config.optimizer.scheduler, bool(loaded.data.validation), total)
    module = loaded.model.module
    data = data_code(config, loaded)
    wanted = resolve(config.freeze, build_tree(module), steps_per_epoch)
    # a task that no batch names is never there
    plan = script_plan(wanted if data.has_task else replace(wanted, tasks=()), module, total)
    values = _plan_values(config, loaded.model, plan, total)
    rates = values["rates"]
    forward = ForwardCode(loaded.loss, data.call, data.targets, train.amp, train.device, data.adapts)
    evaluated = bool(loaded.data.validation)
    has_accuracy = evaluated and data.has_classes
    within = evaluated and (not total or train.eval_every <= total)
    names = "inputs, targets, task" if data.has_task else "inputs, targets"
    uses_step = within or bool(values["late_events"]) or rates.last_step is not None or values["conditions_use_step"]
    model = model_code(config, loaded.model, config.model.num_classes or _classes_of(config))
    beside = [*["the weights at the start"] * model.has_weights, *["the digits"] * bool(data.tensors)]
    model_from_file = "from_file" in "".join(model.lines)
    uses_file = model_from_file or data.template == "data_file.py.j2"
    needs = (*data.needs, *("numpy to seed what a file may draw from",) * uses_file)
    return values | {
        "title": "A training run with frozen layers" if plan.groups else "A training run",
        "intro": [_in_docstring(line) for line in intro_lines(config, loaded, needs, beside)],
        "beside": " and ".join(beside),
        "seed": train.seed,
        "steps": train.steps,
        "epochs": train.epochs,
        "batch_size": config.data.batch_size,
        "device": train.device,
        "threads": train.threads or (1 if choose_threads(sum(p.numel() for p in module.parameters())) == 1 else None),
        "model": model,
        "data": data,
        "uses_file": uses_file,
        "model_from_file": model_from_file,
        "seeded": "seed_all()" if uses_file else "torch.manual_seed(SEED)",   # built-in parts draw from torch alone
        "data_arguments": ", ".join(f'beside["{name}"]' for name in data.tensors),
        "uses_batch_size": "drops_single" in data.values,
        "accumulate": train.accumulate,
        "has_validation": evaluated,
        "has_accuracy": has_accuracy,
        "batch_names": names,
        "forward": forward.lines,
        "backward": "scaler.scale(loss).backward()" if train.amp == "fp16" else "loss.backward()",
        "scaled": train.amp == "fp16",
        "device_type": forward.device_type,
        "batches": _batches(config),
        "loop_head": _loop_head(config, names, uses_step),
        "zero_grad": config.optimizer.zero_grad,
        "clip": train.clip_grad_norm,
        "evaluates_within": within,
        "evaluates_at_end": evaluated and (not total or total % train.eval_every != 0),
        "eval_every": train.eval_every,
        "report": lambda indent, step="step + 1": report(indent, step, has_accuracy),
        "list_constant": list_constant,
        "assign_rates": lambda indent: assigned_rates(rates, indent),
    }


def _plan_values(config: RunConfig, model: LoadedModel, plan: ScriptPlan, total: int) -> dict[str, Any]:
    """Return what the templates are given of freezing and of learning rates."""
    method, late = config.freeze.method, config.freeze.moment == "after_backward"
    first = [event for event in plan.events() if event.step == 0 and not late]
    later = tuple(event for event in plan.events() if event not in first)
    groups_change = method in GROUP_CHANGING and bool(later or plan.has_tasks)
    rates = rates_of(config.optimizer, config.freeze, model.module, total, groups_change)
    everything = {id(p) for p in model.module.parameters()}
    frozen = {id(p) for name in plan.layers for p in model.module.get_submodule(name).parameters()}
    takes_some = method not in GROUP_CHANGING or (not rates.factors and frozen < everything)
    is_inline = not plan.groups or (plan.is_static and not late and takes_some)
    in_groups = bool(plan.groups) and not is_inline
    conditions = [(g.name, _condition(g.windows, g.tasks)) for g in plan.groups] if plan.has_tasks else []
    tuples = method == "detach" and bool(plan.groups) and detaches_tuples(model, plan)
    thaws = plan.has_tasks or any(event.thaws for event in later)
    resets = config.freeze.thaw == "reset_state"
    rests = plan.rests if method != "eval_only" else ""
    return {
        "plan": plan,
        "when": frozen_when,
        "method": method,
        "summary": _SUMMARIES[method],
        "rates": rates,
        "is_inline": is_inline,
        "after_backward": late,
        "events": later,
        "late_events": later if not is_inline and not plan.has_tasks else (),
        "conditions": conditions,
        "conditions_use_step": any("step" in condition for _, condition in conditions),
        "starts_frozen": first[0].freezes if first and not plan.has_tasks else (),
        "thaws": thaws,
        "uses_parameters": in_groups and (method not in _BY_MODULE or (thaws and resets)),
        "changing": "changing" if _share_parameters(plan, model.module) else "parameters_of",
        "resets_state": resets,
        "listed": "list(dict.fromkeys({}))".format if _has_ties(model.module) else "[{}]".format,
        "has_own_frozen": any(not p.requires_grad for p in model.module.parameters()),
        "may_lack_gradients": config.train.amp == "fp16" and bool(everything) and frozen >= everything,
        "takes_out": in_groups
        and (method in ("exclude", "lr_zero") or (method == "filter" and bool(rates.scheduler or rates.factors))),
        "modes": bool(plan.groups) and (method == "eval_only" or bool(rests)),
        "rests": rests,
        "rest": "module.training = False" if plan.is_flat else "module.eval()",
        "detaches_tuples": tuples,
        "state": "tensors_of({}).items()".format if plan.is_flat else "{}.state_dict().items()".format,
        "wrap": lambda module, indent: _wrap(method, module, indent, is_inline, tuples),
    }


_BY_MODULE = ("no_grad", "detach", "eval_only")

_SUMMARIES = {
    "requires_grad": "autograd computes no gradient for the frozen layers.",
    "grad_none": "the gradient of a frozen layer is computed, then dropped, so that the optimizer skips it.",
    "grad_zero": "the gradient of a frozen layer is computed, then zeroed; momentum and decay still move it.",
    "exclude": "the optimizer does not know the frozen layers; their gradients pile up in .grad.",
    "filter": "requires_grad is off in the frozen layers, and the optimizer is built from what is left.",
    "restore": "the step moves the frozen layers too, then their values are copied back.",
    "no_grad": "frozen layers run under no_grad; nothing in front of them learns either.",
    "detach": "the output of a frozen layer is detached; nothing in front of it learns either.",
    "lr_zero": "the frozen layers are in a group of their own, at learning rate 0.",
    "eval_only": "the frozen layers are in eval mode and nothing else; their weights train on.",
}


def _has_ties(module: nn.Module) -> bool:
    """Tell whether two layers own the same parameter, which must be listed once."""
    names = list(module.named_parameters(remove_duplicate=False))
    return len({id(parameter) for _, parameter in names}) < len(names)


def _share_parameters(plan: ScriptPlan, module: nn.Module) -> bool:
    """Tell whether layers that freeze at different steps own the same parameter."""
    groups = [
        {id(p) for name in group.layers for p in module.get_submodule(name).parameters(recurse=not plan.is_flat)}
        for group in plan.groups
    ]
    return sum(map(len, groups)) > len(set().union(*groups))


def _wrap(method: str, module: str, indent: int, is_inline: bool, tuples: bool) -> str:
    if method == "no_grad":
        line = f"{module}.forward = torch.no_grad()({module}.forward)"
    else:
        output = "detached(output)" if tuples else "output.detach()"
        line = f"{module}.register_forward_hook(lambda module, inputs, output: {output})"
        line = line if is_inline else f"hooks[{module}] = {line}"
    return " " * indent + line


def _condition(windows: tuple[tuple[int, int | None], ...], tasks: tuple[str, ...]) -> str:
    """Return when a group is frozen, as an expression over ``step`` and ``task``."""
    parts = [f"task == {quoted(task)}" for task in tasks]
    for start, stop in windows:
        if stop is None:
            parts.append(f"step >= {start}" if start else "True")
        else:
            parts.append(f"{start} <= step < {stop}" if start else f"step < {stop}")
    return "True" if "True" in parts else " or ".join(parts)


def _in_docstring(line: str) -> str:
    """Return a line that ends no docstring and escapes nothing in it, whatever a person's path is called."""
    return line.replace("\\", "\\\\").replace('"', '\\"') if "\\" in line or '"' in line else line


def _batches(config: RunConfig) -> str:
    epochs = "count()" if config.train.steps is not None else "range(EPOCHS)"
    if config.train.accumulate > 1:
        return f"chain.from_iterable(grouped(epoch_batches(epoch)) for epoch in {epochs})"
    return f"chain.from_iterable(map(epoch_batches, {epochs}))   # epoch after epoch"


def _loop_head(config: RunConfig, names: str, uses_step: bool) -> str:
    batch = "micro_batches" if config.train.accumulate > 1 else names
    over = "batches" if config.train.steps is None else "islice(batches, STEPS)"
    if not uses_step:
        return f"{batch} in {over}"
    return f"step, {batch if config.train.accumulate > 1 else f'({batch})'} in enumerate({over})"


def _classes_of(config: RunConfig) -> int | None:
    return None if config.data.source is None else peek_num_classes(config.data.source)
