from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from freeze_gui.data.factory import load_file_data
from freeze_gui.data.sources import LoadedData
from freeze_gui.training.data_ahead import look_ahead

BATCHES = """
import torch
class Counting(list):
    begun = 0
    def __iter__(self):
        Counting.begun += 1
        return super().__iter__()
def items(tasks):
    return [(torch.ones(2, 4) * i, torch.zeros(2, dtype=torch.long), *([t] if t else [])) for i, t in enumerate(tasks)]
def by_turns(): return items(["b", "a"] * 3)
def uneven(): return tuple(items(["a", "a", "b"]))
def plain(): return items([None] * 5)
def derived(): return Counting(items(["a"]))
def stream(): return (item for item in items(["a"]))
def loader():
    return torch.utils.data.DataLoader(torch.utils.data.TensorDataset(torch.ones(8, 4), torch.zeros(8)), shuffle=True)
def pairs(): return [((torch.ones(2).long(), torch.ones(2).long()), torch.zeros(2))]
def words(): return [({"ids": torch.ones(2).long(), "mask": torch.ones(2).long()}, torch.zeros(2))]
class Odd(type):
    __hash__ = None
class Graph(metaclass=Odd): pass
def graphs(): return [((Graph(), torch.ones(2)), torch.zeros(2))]
def broken(): return items(["a"]) + [3]
"""


@pytest.fixture
def made(tmp_path: Path) -> Path:
    path = tmp_path / "data.py"
    path.write_text(BATCHES)
    return path


def data(path: Path, name: str) -> LoadedData:
    return load_file_data(f"file:{path}:{name}", seed=0)


def test_the_tasks_of_a_list_are_known_in_turn_with_the_shapes_of_each(made: Path) -> None:
    found = look_ahead(data(made, "by_turns"), 1)
    assert found is not None
    assert found.turns == ("b", "a")
    assert [(call.task, call.named) for call in found.calls] == [("b", {"task": "b"}), ("a", {"task": "a"})]
    for call in found.calls:
        (inputs,) = call.arguments
        assert (tuple(inputs.shape), inputs.dtype, inputs.is_meta) == ((2, 4), torch.float32, True)
    uneven, plain = look_ahead(data(made, "uneven"), 1), look_ahead(data(made, "plain"), 1)
    assert uneven is not None
    assert uneven.turns == ("a", "a", "b")
    assert plain is not None
    assert plain.turns == (None,)


@pytest.mark.parametrize(("accumulate", "turns"), [(2, "ba"), (4, "bababa")])
def test_turns_are_shortened_only_where_steps_repeat_with_them(made: Path, accumulate: int, turns: str) -> None:
    found = look_ahead(data(made, "by_turns"), accumulate)   # steps of four: b a b a, then b a
    assert found is not None
    assert found.turns == tuple(turns)


@pytest.mark.parametrize("name", ["derived", "stream", "loader", "broken"])
def test_what_could_change_by_being_looked_at_is_left_alone(made: Path, name: str) -> None:
    loaded = data(made, name)
    state = torch.get_rng_state()
    assert look_ahead(loaded, 1) is None
    assert torch.equal(torch.get_rng_state(), state)
    if name != "broken":
        assert sum(1 for _ in loaded.epoch(0)) == (8 if name == "loader" else 1)   # nothing was used up


@pytest.mark.parametrize(("name", "arguments", "named"), [("pairs", 2, set()), ("words", 0, {"ids", "mask"})])
def test_inputs_are_given_to_the_forward_as_a_run_gives_them(
    made: Path, name: str, arguments: int, named: set[str]
) -> None:
    found = look_ahead(data(made, name), 1)
    assert found is not None
    (call,) = found.calls
    assert (len(call.arguments), set(call.named)) == (arguments, named)
    assert all(x.dtype == torch.long for x in (*call.arguments, *call.named.values()))


def test_a_batch_whose_class_has_no_hash_is_known_as_it_is(made: Path) -> None:
    ahead = look_ahead(data(made, "graphs"), 1)
    assert ahead is not None
    graph, values = ahead.calls[0].arguments
    assert type(graph).__name__ == "Graph"
    assert values.is_meta


def test_data_of_the_program_are_not_read() -> None:
    def epoch(_index: int) -> Iterator[None]:
        raise AssertionError

    assert look_ahead(LoadedData("random", None, 1, epoch), 1) is None   # type: ignore[arg-type]
