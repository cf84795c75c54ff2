from __future__ import annotations

import pytest

from freeze_gui.gui.run_verdict import verdict_of
from tests.gui.recorded_runs import add_steps, end_run, started_run


@pytest.mark.parametrize("status", ["completed", "stopped"])
def test_the_verdict_is_the_one_of_the_summary(status: str) -> None:
    for moved in ((), ("stem",)):
        run = started_run()
        add_steps(run, 5, frozen=(0, 1), leaked=(0,) * bool(moved))
        end_run(run, moved, status)
        verdicts = {layer["verdict"] for layer in run.summary()["layers"]}
        assert ("leaked" in verdicts) == (verdict_of(run).tone == "leaked") == bool(moved)
        assert ("stopped" in verdict_of(run).words) == (status == "stopped")


def test_a_run_that_goes_on_a_failed_one_and_an_unfrozen_one_have_their_words() -> None:
    run = started_run()
    assert verdict_of(run).words == "running"
    add_steps(run, 3, frozen=(0,))
    assert verdict_of(run).words == "running · held"
    add_steps(run, 3, frozen=(0,), leaked=(0,))
    assert verdict_of(run).words == "running · LEAKED"
    end_run(run, status="diverged")
    assert (verdict_of(run).words, verdict_of(run).detail) == ("diverged", "loss is NaN")
    free = started_run()
    add_steps(free, 3)
    end_run(free)
    assert verdict_of(free).words == "nothing frozen"


