from __future__ import annotations

import threading
from typing import Any

import numpy as np

from freeze_gui.runs.history import History
from freeze_gui.training.events import StepDone

LAYERS = ("a", "b", "c")


def step(number: int, *, measured: bool = True, leaked: tuple[int, ...] = (), **changed: Any) -> StepDone:
    norms = np.array([number, 10.0 * number, 100.0 * number]) if measured else None
    values: dict[str, Any] = {
        "step": number, "loss": float(-number), "task": None, "grad_norm": norms, "update_norm": norms,
        "weight_delta": norms, "frozen": np.array([True, False, False]), "leaked": leaked,
        "step_s": 0.5, "learning_rate": 0.1, "overhead_s": 0.1,
    }
    return StepDone(**(values | changed))


def test_all_rows_survive_the_growing_of_the_arrays() -> None:
    history = History(LAYERS)
    for number in range(1000):   # beyond 256 and 512
        history.append(step(number))
    view = history.view()
    expected = np.arange(1000.0)
    assert np.array_equal(view.weight_delta, np.stack([expected, 10 * expected, 100 * expected], axis=1))
    assert np.array_equal(view.loss, -expected)
    assert np.array_equal(view.step, np.arange(1000))
    assert view.frozen[:, 0].all()
    assert not view.frozen[:, 1:].any()


def test_steps_that_were_not_measured_keep_their_loss_and_have_no_row() -> None:
    history = History(LAYERS)
    for number in range(10):
        history.append(step(number, measured=number % 4 == 0))
    view = history.view()
    assert view.step.tolist() == [0, 4, 8]
    assert view.loss_step.tolist() == list(range(10))
    assert (history.rows, history.steps) == (3, 10)


def test_a_leak_between_two_measured_steps_shows_in_the_next_row_and_only_there() -> None:
    history = History(LAYERS)
    history.append(step(0))
    history.append(step(1, measured=False, leaked=(2,)))
    history.append(step(2))
    history.append(step(3))
    assert history.view().leaked[:, 2].tolist() == [False, True, False]


def test_a_view_stays_as_it_was_while_the_run_goes_on() -> None:
    history = History(LAYERS)
    history.append(step(1))
    view = history.view()
    for number in range(2, 600):
        history.append(step(number))
    assert view.weight_delta.tolist() == [[1.0, 10.0, 100.0]]
    assert view.loss.tolist() == [-1.0]


def test_views_taken_from_another_thread_are_always_whole() -> None:
    history = History(LAYERS)

    def write() -> None:
        for number in range(5000):
            history.append(step(number))

    writer = threading.Thread(target=write)
    writer.start()
    while writer.is_alive():
        view = history.view()
        rows = len(view.step)
        assert np.array_equal(view.step, np.arange(rows))
        assert np.array_equal(view.weight_delta[:, 2], 100.0 * np.arange(rows))
        assert len(view.loss) >= rows
    writer.join()


def test_a_model_without_layers_has_a_history_too() -> None:
    history = History(())
    empty = np.zeros(0)
    history.append(step(0, grad_norm=empty, update_norm=empty, weight_delta=empty, frozen=empty.astype(bool)))
    assert history.view().weight_delta.shape == (1, 0)


def test_the_optimizer_state_of_every_read_survives_the_growing_of_the_arrays() -> None:
    history = History(LAYERS)
    for number in range(200):   # beyond 64 and 128
        state = np.array([[number, np.nan, 0.5 * number]] * 2)
        history.append(step(number, optimizer_state=state if number % 2 else None))
    view = history.view()
    assert np.array_equal(view.state_step, np.arange(1, 200, 2))
    assert view.optimizer_state.shape == (100, 2, 3)
    assert np.array_equal(view.optimizer_state[:, 1, 2], 0.5 * view.state_step)
    assert np.isnan(view.optimizer_state[:, :, 1]).all()


def test_a_run_without_reads_keeps_no_optimizer_state() -> None:
    history = History(LAYERS)
    history.append(step(0))
    assert history.view().optimizer_state.size == 0
