"""The training step as plain PyTorch, where scheduler, clipping, mixed precision or accumulation make it longer.

The code takes the names ``model``, ``optimizer``, ``loss_function``, ``steps`` (lists of (inputs, targets) pairs, one
list a step) and ``device``.
"""

from __future__ import annotations

from freeze_gui.training.config import RunConfig
from freeze_gui.training.schedule import SchedulerSettings

_DTYPES = {"bf16": "torch.bfloat16", "fp16": "torch.float16"}
_BEFORE_CLIPPING = ("grad_none", "grad_zero")


def loop_code(config: RunConfig) -> str:
    """Return the lines of the loop with the settings of a run; empty where none of them is set."""
    train, scheduler = config.train, config.optimizer.scheduler
    clip, scaled = train.clip_grad_norm, train.amp == "fp16"
    if train.amp == "none" and clip is None and train.accumulate == 1 and scheduler.name == "none":
        return ""
    lines = _before(config, scheduler, scaled)
    lines += ["for micro_batches in steps:", f"    {_zero_grad(config)}"]
    lines += [f"    {line}" for line in _backward(train.amp, train.accumulate)]
    if config.freeze.method in _BEFORE_CLIPPING:
        lines.append("    ...                    # the frozen gradients go here, before clipping")
    if clip is not None:
        if scaled:
            lines.append("    scaler.unscale_(optimizer)   # else scaled gradients are clipped")
        lines.append(f"    torch.nn.utils.clip_grad_norm_(model.parameters(), {clip:g})")
        if config.freeze.method not in _BEFORE_CLIPPING:
            lines.append("    # frozen gradients that are left in place count in this norm")
    if scaled:
        lines.append("    scaler.step(optimizer)   # no step if one gradient is infinite, a frozen one too")
        lines.append("    scaler.update()")
    else:
        lines.append("    optimizer.step()")
    lines += _after(scheduler)
    return "\n".join(lines)


def scheduler_code(scheduler: SchedulerSettings, total_steps: int, rate: float) -> str:
    """Return the expression that makes a scheduler; what is not given follows from the run, as in the program."""
    given = dict(scheduler.hyper)
    match scheduler.name:
        case "LambdaLR":
            warm_up = given.get("warmup_steps") or max(total_steps // 10, 1)
            return f"LambdaLR(optimizer, lambda step: min(1, (step + 1) / {warm_up}))"
        case "StepLR":
            given = {"step_size": max(total_steps // 3, 1), **given}
        case "CosineAnnealingLR":
            given = {"T_max": total_steps, **given}
        case "OneCycleLR":
            given = {"max_lr": rate, "total_steps": total_steps, **given}
    arguments = "".join(f", {key}={value!r}" for key, value in given.items())
    return f"{scheduler.name}(optimizer{arguments})"


def _before(config: RunConfig, scheduler: SchedulerSettings, scaled: bool) -> list[str]:
    lines = []
    if scheduler.name != "none":
        steps = config.train.steps or 1000   # as long as nobody knows how many an epoch has
        rate = float(config.optimizer.hyper.get("lr", 0.001))
        made = scheduler_code(scheduler, steps, rate)
        lines.append(f"scheduler = torch.optim.lr_scheduler.{made}")
        if scheduler.name == "OneCycleLR":
            lines.append("# it overwrites a learning rate of 0, and raises if a group is added later")
        elif scheduler.name in ("LambdaLR", "CosineAnnealingLR"):
            lines.append("# add_param_group raises under it: a thaw needs a new scheduler")
        elif scheduler.name == "StepLR":
            lines.append("# a group that is added later starts at the optimizer's first rate")
    if scaled:
        lines.append("scaler = torch.amp.GradScaler(device)   # small gradients would be 0 in fp16")
    return lines


def _zero_grad(config: RunConfig) -> str:
    match config.optimizer.zero_grad:
        case "zero":
            return "optimizer.zero_grad(set_to_none=False)   # zeros: momentum and decay go on"
        case "never":
            return "# no zero_grad(): every step applies all gradients so far"
    return "optimizer.zero_grad()"


def _backward(amp: str, accumulate: int) -> list[str]:
    share = " / len(micro_batches)" if accumulate > 1 else ""
    lines = [
        f"for inputs, targets in micro_batches:   # {accumulate}; the last group may be smaller"
        if accumulate > 1
        else "for inputs, targets in micro_batches:"
    ]
    loss = f"loss = loss_function(model(inputs), targets){share}"
    if amp in _DTYPES:
        lines += [f"    with torch.autocast(device, dtype={_DTYPES[amp]}):", f"        {loss}"]
    else:
        lines.append(f"    {loss}")
    return [*lines, "    scaler.scale(loss).backward()" if amp == "fp16" else "    loss.backward()"]


def _after(scheduler: SchedulerSettings) -> list[str]:
    if scheduler.name == "none":
        return []
    if scheduler.name == "ReduceLROnPlateau":
        return ["    # after each evaluation: scheduler.step(validation_loss)"]
    return ["    scheduler.step()       # after optimizer.step(), or the first rate is skipped"]
