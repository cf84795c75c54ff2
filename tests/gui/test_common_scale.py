from __future__ import annotations

from freeze_gui.gui.common_scale import CommonScale
from tests.gui.recorded_runs import add_steps, started_run


def test_the_scale_holds_the_half_decades_of_all_runs_and_grows_with_each_look() -> None:
    one, other = started_run("a"), started_run("b")
    assert one.history is not None and other.history is not None
    scale, both = CommonScale(), [one.history, other.history]
    assert list(scale.look(both, "weight_delta")) == [None, None] and scale.levels is None
    add_steps(one, 3, (0.02, 0.2, 0.1, 0.1))   # 10 ** -1.7 to 10 ** -0.7
    list(scale.look(both, "weight_delta"))
    assert scale.levels == (-2.0, -0.5)
    add_steps(other, 3, (0.2, 40.0, 1.0, 1.0))
    assert scale.levels == (-2.0, -0.5)   # nobody has looked
    list(scale.look(both, "weight_delta"))
    assert scale.levels == (-2.0, 2.0)
    list(scale.look(both[1:], "weight_delta"))
    assert scale.levels == (-1.0, 2.0)


def test_another_metric_has_a_scale_of_its_own() -> None:
    run = started_run("a")
    assert run.history is not None
    add_steps(run, 3, frozen=(0,))
    scale = CommonScale()
    for metric in ("weight_delta", "grad_norm", "update_norm"):
        list(scale.look([run.history], metric))
        assert [codes.metric for codes in scale._codes] == [metric]
