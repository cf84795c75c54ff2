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
        """Tell whether the next step may be taken: None where the run has to wait first, False when it must stop.

        Parameters
        ----------
        last_step_began
            `time.perf_counter` at which the step before began, in seconds.
        """
        if self.is_stopping:
            return False
        if not self._go.is_set() or self._rest_s(last_step_began) > 0:
            return None
        with self._lock:
            if self._single_steps:
                self._single_steps = 0
                self._go.clear()
        return not self.is_stopping

    def wait_for_turn(self, last_step_began: float) -> bool:
        """Wait while paused and for the pace; return False when the run must stop."""
        while (turn := self.is_my_turn(last_step_began)) is None:
            self._go.wait()
            self._stop.wait(max(0.0, min(self._rest_s(last_step_began), 0.05)))   # short: a changed pace is heard
        return turn

    def _rest_s(self, last_step_began: float) -> float:
        """Return how long the pace still lets the run wait; not above 0 where it does not."""
        pace = self._pace
        return 0.0 if pace is None else last_step_began + 1 / pace - time.perf_counter()
