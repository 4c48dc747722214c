"""What waits for what among calls, before anything is written."""

import pytest

from penstock import Penstock, Step
from penstock.domain.errors import InvalidArguments
from penstock.queue.together import cycle_in, in_order, waits


@pytest.mark.parametrize(("edges", "cycle"), [
    ({}, None), ({"a": ["b"], "b": ["c"], "c": []}, None), ({"a": ["b", "c"], "b": ["c"]}, None),
    ({"a": ["a"]}, ["a", "a"]), ({"a": ["b"], "b": ["c"], "c": ["b"]}, ["b", "c", "b"]),
    ({"a": ["b"], "b": [], "x": ["y"], "y": ["z"], "z": ["x"]}, ["x", "y", "z", "x"]),
])
def test_a_cycle_is_found_and_told_from_a_diamond(edges: dict[str, list[str]], cycle: list[str] | None):
    assert cycle_in(edges) == cycle


def test_a_long_chain_is_no_deep_recursion():
    assert cycle_in({n: [n + 1] for n in range(20_000)}) is None


def test_calls_go_behind_what_they_wait_for_and_else_as_they_stand():
    app = Penstock("sqlite:///unused.db")

    @app.task
    def work(n: int) -> None: ...

    first, other = work.call(1), work.call(2)
    middle = work.using(after=[first]).call(3)
    last = work.using(after=[middle, first, 99]).call(4)
    calls = [last, other, middle, first]
    assert in_order(calls, None) == [3, 2, 0, 1]
    assert [(wait.place, wait.on_place, wait.on_id) for wait in waits(calls, None)] == [
        (1, 3, None), (1, 4, None), (1, None, 99), (3, 4, None)]


def test_a_step_is_checked_where_it_is_written():
    app = Penstock("sqlite:///unused.db")

    @app.task
    def work() -> None: ...

    assert Step(work.call(), after="a").after == ("a",)
    with pytest.raises(InvalidArguments, match="on_failure: expected 'cancel' or 'run'"):
        Step(work.call(), on_failure="go on")  # type: ignore[arg-type]
