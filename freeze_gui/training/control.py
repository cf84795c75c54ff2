"""What a person may ask of a running loop: stop, pause, one step, a pace, another plan. Safe from any thread."""

from __future__ import annotations

import threading
import time

from freeze_gui.freezing.plan import FreezePlan


class RunControl:
    """Wishes from outside, read by the loop at the top of every step. The loop waits for nothing else."""

    def __init__(self) -> None:
        self._stop = threading.Event()
        self._go = threading.Event()   # cleared while paused
        self._go.set()
        self._lock = threading.Lock()
        self._single_steps = 0
        self._pace: float | None = None
        self._plan: FreezePlan | None = None

    @property
    def is_stopping(self) -> bool:
        """Whether the run was asked to stop."""
        return self._stop.is_set()

    @property
    def is_paused(self) -> bool:
        """Whether the run was asked to pause."""
        return not self._go.is_set()

    def stop(self) -> None:
        """Ask the run to end before its next step, even while it is paused."""
        self._stop.set()
        self._go.set()

    def pause(self) -> None:
        """Ask the run to wait before its next step."""
        if not self.is_stopping:
            self._go.clear()

    def resume(self) -> None:
        """Let a paused run go on."""
        with self._lock:
            self._single_steps = 0
        self._go.set()

    def single_step(self) -> None:
        """Take one step, then be paused."""
        with self._lock:
            self._single_steps = 1
        self._go.set()

    def set_pace(self, steps_per_s: float | None) -> None:
        """Take at most so many steps a second; None is as fast as it goes."""
        self._pace = steps_per_s

    def submit_plan(self, plan: FreezePlan) -> None:
        """Put a new plan in the mailbox; a plan that was not taken yet is replaced.

        It says which layers are frozen when; method, norm policy and moment stay those of the run.
        """
        with self._lock:
            self._plan = plan

    def take_plan(self) -> FreezePlan | None:
        """Empty the mailbox; called by the loop."""
        with self._lock:
            plan, self._plan = self._plan, None
        return plan

    def is_my_turn(self, last_step_began: float) -> bool | None:
        """Tell what `wait_for_turn` would; None where it would wait."""
        return self._turn(last_step_began, may_wait=False)

    def wait_for_turn(self, last_step_began: float) -> bool:
        """Wait while paused and for the pace; return False when the run must stop.

        Parameters
        ----------
        last_step_began
            `time.perf_counter` at which the step before began, in seconds.
        """
        return bool(self._turn(last_step_began, may_wait=True))

    def _turn(self, last_step_began: float, may_wait: bool) -> bool | None:
        while not self.is_stopping:
            if may_wait:
                self._go.wait()
            elif not self._go.is_set():
                return None
            pace = self._pace
            rest_s = 0.0 if pace is None else last_step_began + 1 / pace - time.perf_counter()
            if rest_s <= 0:
                break
            if not may_wait:
                return None
            self._stop.wait(min(rest_s, 0.05))   # short, so that a changed pace is heard
        with self._lock:
            if self._single_steps:
                self._single_steps = 0
                self._go.clear()
        return not self.is_stopping
