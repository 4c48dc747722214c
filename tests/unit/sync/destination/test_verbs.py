"""Verbs: plain or async, counting their own calls or not."""

from types import SimpleNamespace
from typing import Any

import pytest

from penstock.domain.errors import DestinationError
from penstock.domain.records import Calls, Change, ChangeKind, Done, Subject
from penstock.sync.declaring.ports import Run
from penstock.sync.destination.verbs import Verbs

CHANGES = [Change(ChangeKind.CREATE, "a"), Change(ChangeKind.CREATE, "b")]


def layer(verb: Any, **destination: Any) -> Any:
    return SimpleNamespace(name="People", verb=lambda name: verb,
                           layer=SimpleNamespace(destination=SimpleNamespace(**destination)))


@pytest.fixture
def run() -> Run:
    return Run(Subject("g1"))


def test_missing_outcomes_are_none(run: Run) -> None:
    assert Verbs(run).call(layer(lambda changes, run: [Done("1")]), "create", CHANGES) == [Done("1"), None]
    assert Verbs(run).call(layer(lambda changes, run: None), "create", CHANGES) == [None, None]


def test_too_many_outcomes_are_refused(run: Run) -> None:
    with pytest.raises(DestinationError, match="at most 2 outcomes"):
        Verbs(run).call(layer(lambda changes, run: [Done("1")] * 3), "create", CHANGES)


def test_async_verbs_share_one_event_loop(run: Run) -> None:
    import asyncio

    loops = set()

    async def create(changes: Any, run: Run) -> list[Done]:
        loops.add(asyncio.get_running_loop())
        await asyncio.to_thread(str)
        return [Done("1"), Done("2")]

    verbs = Verbs(run)
    for _ in range(2):
        assert verbs.call(layer(create), "create", CHANGES) == [Done("1"), Done("2")]
    verbs.close()
    assert len(loops) == 1
    assert next(iter(loops)).is_closed()


def test_a_verb_counts_as_one_call_unless_its_destination_counts(run: Run) -> None:
    verbs = Verbs(run)
    verbs.call(layer(lambda changes, run: []), "create", CHANGES)
    assert verbs.new_calls() == Calls(read=0, write=1)
    verbs.call(layer(lambda changes, run: [], counts_calls=True), "create", CHANGES)
    assert verbs.new_calls() == Calls()

    def counting(changes: Any, run: Run) -> list[Done]:
        run.calls.write += 3
        return []

    verbs.call(layer(counting), "create", CHANGES)
    assert verbs.new_calls() == Calls(read=0, write=3)


def test_what_find_gives_is_a_list_for_each_value(run: Run) -> None:
    found = Verbs(run).find(layer(lambda values, run: {"a": "1", "b": ["2", 3], "c": 4, "d": None}), ["a"])
    assert found == {"a": ["1"], "b": ["2", "3"], "c": ["4"]}
    assert run.calls == Calls(read=1)
