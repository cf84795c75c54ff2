"""Several runs in turns of a few steps each, so that their step times are measured under the same conditions.

One after another, the first run meets another machine than the last: another clock, other programs beside it. In turns
each of them meets all of it. What a run sets for the whole process changes hands with every turn, so that no bit
depends on the others.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from freeze_gui.runs.words import counted
from freeze_gui.training.config import RunConfig
from freeze_gui.training.control import RunControl
from freeze_gui.training.events import Progress, RunEnded, RunEvent, RunStarted, StepDone
from freeze_gui.training.global_state import GlobalState
from freeze_gui.training.trainer import Trainer

STEPS_A_TURN = 10
"""Long enough that what lies in the processor's caches is the run's own in all but the first step of a turn."""

_COPIES = 6
"""Weights, gradients, two moments of Adam, and the two copies that measuring needs."""

_ELEMENT_BYTES = 4


@dataclass
class _Turn:
    """One run, and what the process was set to when its last turn ended."""

    index: int
    events: Generator[RunEvent, None, None]
    state: GlobalState
    has_ended: bool = False


def interleaved_events(
    configs: Sequence[RunConfig], control: RunControl, steps_a_turn: int = STEPS_A_TURN
) -> Iterator[tuple[int, RunEvent]]:
    """Yield (index of the run, event) of all runs, which take turns of `steps_a_turn` steps.

    All are loaded before the first step is taken. Where their models would fill more than half of the memory that is
    free, the runs go one after another instead, and a `Progress` of the second run says so. Peak memory on a GPU is not
    told apart for runs that are there together: it is None.
    """
    callers = GlobalState.now()
    waiting: deque[_Turn] = deque()
    with ExitStack() as stack:
        stack.callback(callers.put_back)
        for index, config in enumerate(configs):
            turn = _Turn(index, _events(config, control), callers)
            stack.enter_context(closing(turn.events))
            started = None
            for event in _turn(turn, lambda event: isinstance(event, RunStarted)):
                started = event if isinstance(event, RunStarted) else started
                yield index, event
            if started is not None:
                waiting.append(turn)
                words = _too_much(started, len(configs))
                if words and index == 0:
                    yield 1, Progress(words)
                    yield from _one_after_another(waiting, configs, control, callers)
                    return
        while waiting:
            turn = waiting.popleft()
            for event in _turn(turn, _counting(steps_a_turn)):
                yield turn.index, _without_peak(event)
            if not turn.has_ended:
                waiting.append(turn)


def free_memory_bytes(device: str) -> int | None:
    """Return the memory that is free on a device, None where the system does not say."""
    if device.startswith("cuda"):
        return int(torch.cuda.mem_get_info(device)[0])
    try:
        for line in Path("/proc/meminfo").read_text(encoding="ascii").splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
        return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, AttributeError):
        return None


def _turn(turn: _Turn, is_last: Callable[[RunEvent], bool]) -> Iterator[RunEvent]:
    """Go on with a run, the process set as the run left it, up to the event that is the last of this turn."""
    turn.state.put_back()
    try:
        while (event := next(turn.events, None)) is not None:
            turn.has_ended = isinstance(event, RunEnded)
            yield event
            if turn.has_ended or is_last(event):
                return
    finally:
        turn.state = GlobalState.now()


def _counting(steps: int) -> Callable[[RunEvent], bool]:
    """Return what tells the `steps`-th step from the others."""
    left = steps

    def is_last(event: RunEvent) -> bool:
        nonlocal left
        left -= isinstance(event, StepDone)
        return left == 0

    return is_last


def _one_after_another(
    begun: deque[_Turn], configs: Sequence[RunConfig], control: RunControl, callers: GlobalState
) -> Iterator[tuple[int, RunEvent]]:
    for turn in begun:
        for event in _turn(turn, lambda event: False):
            yield turn.index, event
    for index, config in list(enumerate(configs))[1:]:
        callers.put_back()
        with closing(_events(config, control)) as events:
            for event in events:
                yield index, event


def _too_much(started: RunStarted, runs: int) -> str:
    """Return why the runs cannot all be there at once, empty where they can."""
    free = free_memory_bytes(started.device)
    needed = sum(layer.parameters for layer in started.layers) * _ELEMENT_BYTES * _COPIES * runs
    if runs == 1 or free is None or needed <= free / 2:
        return ""
    return (
        f"the runs go one after another: {counted(runs, 'model')} at once would need about {needed / 1e9:.1f} GB, and "
        f"{free / 1e9:.1f} GB are free; step times are then not measured side by side"
    )


def _without_peak(event: RunEvent) -> RunEvent:
    if not isinstance(event, RunEnded) or event.cost is None:
        return event
    return replace(event, cost=replace(event.cost, peak_memory_bytes=None))


def _events(config: RunConfig, control: RunControl) -> Generator[RunEvent, None, None]:
    yield from Trainer(config, control).events()
