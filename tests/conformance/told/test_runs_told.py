"""A run as people look at it: what it did in each layer, which windows served it; and a run that is called off."""

import itertools
from typing import Any

import pytest

from penstock.domain.errors import ConfigurationError, Unavailable
from penstock.domain.records import Rejected
from penstock.sync.state.tally import LayerCounts
from penstock.sync.telling.runs import RunTold
from tests.conformance.sync_app import Directory
from tests.engine import Engine


def told(engine: Engine, id: int) -> RunTold:
    found = engine.app.run(id)
    assert found is not None
    return found


def request(engine: Engine, subject: str = "g1", **asked: Any) -> None:
    engine.app.request_subject("people", subject, account="acme", **asked)


def test_a_run_tells_what_it_did_in_each_layer(engine: Engine, directory: Directory) -> None:
    directory.people.refused["p3"] = Rejected("invalid", "no such name")
    [run] = engine.sync("directory", "g1")
    found = told(engine, run.id)
    assert found.run == run
    assert found.layers == {
        "Rooms": LayerCounts(read=1, created=1, write_calls=1),
        "Everybody": LayerCounts(read=7, created=6, failed=1, write_calls=3),
        "Members": LayerCounts(read=7, created=6, blocked=1, write_calls=1)}
    assert sum(each.created for each in found.layers.values()) == run.created
    [window] = found.windows
    assert [(each.id, each.subject, each.status) for each in window.served_runs] == [(run.id, "g1", "succeeded")]
    del directory.groups["g1"]["p1"]
    [run] = engine.sync("directory", "g1")
    assert told(engine, run.id).layers["Members"].deleted == 1


def test_counts_and_windows_go_on_in_a_later_attempt(engine: Engine, directory: Directory) -> None:
    directory.people.before = Unavailable("down", retry_after=5.0)
    [run] = engine.sync("people", "g1")
    assert run.status == "pending"
    first = told(engine, run.id)
    assert [window.ended_by for window in first.windows] == ["connection"]
    engine.clock.advance(60)
    engine.settle_all()
    found = told(engine, run.id)
    assert found.run.status == "succeeded"
    assert found.layers["People"].created == 7
    assert found.layers["People"].read == found.run.read
    assert [window.id for window in found.windows] == [first.windows[0].id + 1, first.windows[0].id]


def test_a_window_that_is_at_work_is_told_of_too(engine: Engine, directory: Directory) -> None:
    seen: list[RunTold] = []
    once = directory.people.create

    def create(changes: Any, run: Any) -> Any:
        seen.append(told(engine, engine.app.runs("people")[0].id))
        return once(changes, run)

    directory.people.create = create  # type: ignore[method-assign]
    engine.sync("people", "g1")
    assert [(each.run.status, [window.ended_at for window in each.windows]) for each in seen[:1]] == [
        ("running", [None])]
    assert seen[-1].layers["People"].created == 6


def test_there_is_no_such_run(engine: Engine) -> None:
    assert engine.app.run(404) is None
    assert engine.app.cancel_run(404, "why not") is None


def test_a_run_that_waits_is_cancelled_and_the_next_of_its_line_goes(engine: Engine) -> None:
    request(engine, "g1")
    request(engine, "g2")
    engine.dispatch()
    first, second = sorted(engine.app.runs("people", status="pending") + engine.app.runs("people", status="running"),
                           key=lambda run: run.id)
    waiting = next(run for run in (first, second) if run.status == "pending")
    assert engine.app.cancel_run(waiting.id, "not needed any more") == "cancelled"
    found = told(engine, waiting.id).run
    assert (found.status, found.error_class, found.error) == ("cancelled", "RunCancelled", "not needed any more")
    assert engine.app.cancel_run(waiting.id, "again") is None
    engine.settle_all()
    assert {run.subject: run.status for run in engine.app.runs("people")} == {
        waiting.subject: "cancelled", ({"g1", "g2"} - {waiting.subject}).pop(): "succeeded"}


def test_the_head_of_a_line_is_cancelled_and_the_rest_go_on(engine: Engine) -> None:
    engine.app.pause(sync="people", account="acme")
    for subject in ("g1", "g2"):
        request(engine, subject)
        engine.dispatch()
        engine.clock.advance(1)
    head = engine.app.runs("people", "g1")[0]
    assert engine.app.cancel_run(head.id, "first of the line") == "cancelled"
    engine.app.resume(sync="people", account="acme")
    engine.settle_all()
    assert engine.app.runs("people", "g2")[0].status == "succeeded"
    assert engine.app.runs("people", "g1")[0].status == "cancelled"


def test_a_run_that_is_served_ends_where_it_may_stop_and_the_next_is_served(engine: Engine, directory: Directory,
                                                                            ) -> None:
    at = [0.0]
    engine.app.monotonic = lambda: at[0]
    once = directory.people.create
    said: list[str | None] = []

    def create(changes: Any, run: Any) -> Any:
        if not said:
            [mine] = engine.app.runs("people", status="running")
            said.extend(engine.app.cancel_run(mine.id, reason) for reason in ("wrong group", "twice"))
        at[0] += 2.0
        return once(changes, run)

    directory.people.create = create  # type: ignore[method-assign]
    [run] = engine.sync("people", "g1")
    assert said == ["asked", None]
    assert (run.status, run.created, run.error_class, run.error) == ("cancelled", 3, "RunCancelled", "wrong group")
    [run] = engine.sync("people", "g1")
    assert (run.status, run.created) == ("succeeded", 4)


def test_a_run_that_was_admitted_and_called_off_ends_before_it_begins(engine: Engine, directory: Directory) -> None:
    request(engine)
    engine.dispatch()
    [run] = engine.app.runs("people", status="running")
    assert engine.app.cancel_run(run.id, "just now") == "asked"
    engine.settle_all()
    assert told(engine, run.id).run.status == "cancelled"
    assert directory.people.calls == []


@pytest.mark.parametrize("reason", ["", "a\0b"])
def test_a_run_is_not_cancelled_without_a_reason(engine: Engine, reason: str) -> None:
    with pytest.raises(ConfigurationError, match="reason"):
        engine.app.cancel_run(1, reason)


def test_a_request_by_hand_raises_the_priority_of_the_run_that_waits(engine: Engine) -> None:
    engine.app.pause(sync="people")
    request(engine)
    engine.dispatch()
    request(engine, priority=10, reason="a customer waits")
    engine.dispatch()
    [run] = engine.app.runs("people")
    assert (run.priority, run.reasons) == (10, '["by hand","a customer waits"]')


def test_an_audit_and_a_full_run_are_asked_for_but_not_both(engine: Engine) -> None:
    engine.app.pause(sync="people")
    request(engine, audit=True)
    engine.dispatch()
    assert '"audit"' in engine.app.runs("people")[0].options
    with pytest.raises(ConfigurationError, match="got both"):
        request(engine, full=True, audit=True)


def test_the_trend_of_a_subject_is_that_of_its_last_runs_the_oldest_first(engine: Engine) -> None:
    engine.sync("people", "g1", "g2")
    engine.clock.advance(1)
    engine.sync("people", "g1")
    found = engine.app.subject_trends("people", ["g1", "g2", "nobody"])
    assert {subject: len(runs) for subject, runs in found.items()} == {"g1": 2, "g2": 1}
    assert [each.id for each in found["g1"]] == sorted(each.id for each in found["g1"])
    assert engine.app.subject_trends("people", []) == {}


def test_the_trend_of_an_account_is_that_of_its_last_runs_that_ended(engine: Engine) -> None:
    engine.sync("people", "g1", "g2")
    engine.clock.advance(1)
    engine.sync("people", "g1")
    account = engine.app.runs("people", "g1")[0].account
    request(engine)
    engine.dispatch()
    found = engine.app.account_trends("people", [account, "nobody"])
    of_account = [run.id for run in engine.app.runs("people", account=account) if run.status == "succeeded"]
    assert {name: [each.id for each in runs] for name, runs in found.items()} == {account: sorted(of_account)}
    assert engine.app.account_trends("people", []) == {}


def test_a_sync_tells_how_it_stands(engine: Engine) -> None:
    seconds = itertools.count()
    engine.app.monotonic = lambda: float(next(seconds))
    engine.sync("people", "g1")
    engine.upkeep()
    engine.app.pause(sync="people")
    request(engine)
    engine.dispatch()
    people, directory = engine.app.sync_states()
    assert (people.name, people.layers, people.pending, people.running, people.asked) == ("people", ["People"], 1, 0, 0)
    assert (people.statistics.runs, people.paused_at, len(people.trend)) == (1, engine.clock.now_ms, 1)
    assert (directory.name, directory.statistics.runs, directory.paused_at) == ("directory", 0, None)
    assert [each.name for each in engine.app.sync_states(["directory"])] == ["directory"]
