"""Requests and runs: no request lost, none run twice, one live run of a subject, and only its lease writes."""

import sqlite3
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from penstock.domain.errors import ConfigurationError, PenstockError, StaleLease, UnknownConnection
from penstock.domain.jobs import JobState, Outcome
from penstock.queue.claim import settle
from penstock.sync import Subject, Sync
from tests.conformance.sync_app import Directory
from tests.engine import Engine


@pytest.fixture
def connection(store_url: str, engine: Engine) -> Iterator[Any]:
    """A connection of the application's own, with a transaction open."""
    if store_url.startswith("sqlite:"):
        own = sqlite3.connect(store_url.removeprefix("sqlite:///"), isolation_level=None)
        own.execute("begin immediate")
        yield own
        own.close()
        return
    with psycopg.connect(store_url) as opened:
        yield opened


def runs(engine: Engine) -> list[tuple[Any, ...]]:
    return engine.clock.fetch("select subject, status, priority, reasons from penstock.sync_runs order by id")


def test_a_request_in_a_transaction_is_not_seen_before_its_commit_and_never_missed_after_it(
    engine: Engine, directory: Directory, connection: Any
) -> None:
    directory.sync.using(connection=connection).request("g1", account="acme")
    if isinstance(connection, psycopg.Connection):  # SQLite has one writer, so its dispatcher waits for the commit
        engine.dispatch()
        assert runs(engine) == []
    assert engine.clock.fetch("select count(*) from penstock.sync_requests") == [(0,)]
    connection.commit()
    engine.settle_all()
    assert [(subject, status) for subject, status, *_ in runs(engine)] == [("g1", "succeeded")]


def test_a_request_that_is_rolled_back_never_was(engine: Engine, directory: Directory, connection: Any) -> None:
    directory.sync.using(connection=connection).request("g1", account="acme")
    connection.rollback()
    engine.settle_all()
    assert runs(engine) == []


def test_a_change_committed_while_the_run_of_its_subject_was_starting_is_not_missed(
    engine: Engine, directory: Directory, connection: Any
) -> None:
    """Its request is written before the run is admitted, and committed only when the run has read its source."""
    postgres = isinstance(connection, psycopg.Connection)
    if not postgres:
        connection.rollback()
    directory.sync.request("g1", account="acme")
    engine.dispatch()
    [job] = engine.claim()
    changed = {**directory.groups["g1"], "p3": "changed"}

    def commit_after_reading(records: Any) -> None:
        directory.groups["g1"] = changed
        if not postgres:
            connection.execute("begin immediate")
            directory.sync.using(connection=connection).request("g1", account="acme")
        connection.commit()

    if postgres:
        directory.sync.using(connection=connection).request("g1", account="acme")
    people = engine.app.syncs["people"].layers[0].layer.__class__
    source = people.source

    def late(self: Any, run: Any) -> Any:
        proof = yield from source(self, run)
        commit_after_reading(None)
        people.source = source
        return proof

    people.source = late
    settle(engine.app.store, [engine.execute(job)])
    assert "changed" not in {record["payload"]["name"] for record in directory.people.records.values()}
    engine.settle_all()
    assert [status for _, status, *_ in runs(engine)] == ["succeeded", "succeeded"]
    assert "changed" in {record["payload"]["name"] for record in directory.people.records.values()}


def test_requests_for_one_subject_fold_into_one_run(engine: Engine, directory: Directory) -> None:
    directory.sync.using(priority=1, reason="edited").request("g1", account="acme")
    directory.sync.using(priority=7, reason="urgent").request("g1", account="acme")
    directory.sync.using(priority=3, reason="edited").request("g1", account="acme")
    engine.app.dispatcher().step()
    assert runs(engine) == [("g1", "running", 7, '["edited","urgent"]')]


def test_a_request_folds_into_a_pending_run_and_the_highest_priority_wins(
    engine: Engine, directory: Directory
) -> None:
    directory.groups["g0"] = {}
    engine.app.request([{"sync": "people", "subject": subject, "account": "acme", "priority": 0, "reason": "a"}
                        for subject in ("g0", "g1")])
    engine.dispatch()
    assert [status for _, status, *_ in runs(engine)] == ["running", "pending"]
    directory.sync.using(priority=9, reason="b").request("g1", account="acme")
    directory.sync.using(priority=2, reason="c").request("g1", account="acme")
    engine.dispatch()
    assert runs(engine)[1] == ("g1", "pending", 9, '["a","b","c"]')


def test_a_request_in_the_middle_of_a_run_becomes_the_next_run(engine: Engine, directory: Directory) -> None:
    directory.sync.request("g1", account="acme")
    engine.dispatch()
    directory.sync.request("g1", account="acme")
    engine.dispatch()
    assert len(runs(engine)) == 1
    assert engine.clock.fetch("select count(*) from penstock.sync_requests") == [(1,)]
    engine.settle_all()
    assert [status for _, status, *_ in runs(engine)] == ["succeeded", "succeeded"]
    assert engine.clock.fetch("select count(*) from penstock.sync_requests") == [(0,)]


def test_the_store_itself_allows_one_live_run_of_a_subject(engine: Engine, directory: Directory) -> None:
    directory.sync.request("g1", account="acme")
    engine.dispatch()
    columns = {"syncs": ["people"], "subjects": ["g1"], "accounts": ["acme"], "sizes": [None], "priorities": [0],
               "reasons": ["[]"], "requested_ats": [0], "options": [""]}
    with pytest.raises(PenstockError, match="(?i)unique"):
        engine.app.store.write(lambda tx: tx.batch("runs_create", columns))


def test_at_most_per_account_and_max_concurrent_runs_are_admitted(
    directory: Directory, store_url: str, engine: Engine
) -> None:
    engine.app.close()
    directory.groups = {f"g{number}": {} for number in range(6)}
    app = directory.app(store_url, engine.clock.expression, max_concurrent=3, per_account=2)
    app.migrate()
    app.request([{"sync": "people", "subject": f"g{number}", "account": f"a{number % 2}", "priority": 0, "reason": ""}
                 for number in range(6)])
    for _ in range(4):
        app.dispatcher().step()
    counts = engine.clock.fetch("select account, count(*) from penstock.sync_runs where status = 'running'"
                                " group by account order by account")
    assert counts == [("a0", 2), ("a1", 1)]
    app.close()


def test_an_account_that_is_not_given_comes_from_subjects(engine: Engine, directory: Directory) -> None:
    directory.sync.request("g1")
    engine.settle_all()
    assert engine.clock.fetch("select account, status from penstock.sync_runs") == [("acme", "succeeded")]


def test_a_request_for_an_unknown_subject_fails_and_says_so(engine: Engine, directory: Directory) -> None:
    directory.sync.request("nowhere")
    engine.settle_all()
    [(status, error_class, error)] = engine.clock.fetch("select status, error_class, error from penstock.sync_runs")
    assert (status, error_class) == ("failed", "UnknownSubject")
    assert "'nowhere'" in error


def test_requests_of_a_sync_that_no_worker_declares_wait_and_hold_up_nobody(
    engine: Engine, directory: Directory
) -> None:
    engine.app.request([{"sync": "elsewhere", "subject": str(number), "account": "a", "priority": 0, "reason": ""}
                        for number in range(1200)])
    [run] = engine.sync("people", "g1")
    assert run.status == "succeeded"
    assert engine.clock.fetch("select count(*) from penstock.sync_requests") == [(1200,)]


def test_a_run_whose_worker_died_goes_on_under_a_new_lease(engine: Engine, directory: Directory) -> None:
    directory.sync.request("g1", account="acme")
    engine.dispatch()
    [lost] = engine.claim()
    directory.people.lost = SystemExit("killed")  # dies between the call and saving its outcomes
    attempt = engine.attempt(lost)
    with pytest.raises(SystemExit):
        _run_raw(engine, attempt)
    engine.clock.advance(31)
    engine.register()
    engine.settle_all()
    assert [status for _, status, *_ in runs(engine)] == ["succeeded"]
    keys = sorted(record["key"] for record in directory.people.records.values())
    assert keys == sorted(directory.groups["g1"])


def _run_raw(engine: Engine, attempt: Any) -> None:
    """Serve the window without the executor's safety net, as a process that is killed has none."""
    from penstock.sync.window.serve import serve

    serve(engine.app.store, engine.app.syncs, engine.app.events, job_id=attempt.job.id,
          lease=attempt.job.lease, check=attempt.check, remaining=attempt.remaining)


def test_a_window_that_lost_its_lease_saves_nothing(engine: Engine, directory: Directory) -> None:
    directory.sync.request("g1", account="acme")
    engine.dispatch()
    [slow] = engine.claim()
    create = directory.people.create

    def takes_too_long(changes: Any, run: Any) -> Any:
        """While the call is under way, the worker expires, and another one serves the run to its end."""
        directory.people.create = create  # type: ignore[method-assign]
        outcomes = create(changes, run)
        engine.clock.advance(31)
        engine.app.upkeep().step()
        engine.register()
        engine.settle_all()
        return outcomes

    directory.people.create = takes_too_long  # type: ignore[method-assign]
    with pytest.raises(StaleLease):
        _run_raw(engine, engine.attempt(slow))
    [row] = engine.clock.fetch("select status, created, updated from penstock.sync_runs")
    assert row == ("succeeded", 4, 3)  # the other looked up the three that were in doubt, and adopted them
    assert len(directory.people.records) == 7
    assert settle(engine.app.store, [engine.execute(slow)]) == {slow.id}


def test_a_soft_stop_gives_the_run_back_between_batches(engine: Engine, directory: Directory) -> None:
    directory.sync.request("g1", account="acme")
    engine.dispatch()
    [job] = engine.claim()
    create = directory.people.create

    def stopped(changes: Any, run: Any) -> Any:
        engine.stopping.set()
        return create(changes, run)

    directory.people.create = stopped  # type: ignore[method-assign]
    outcome = engine.execute(job)
    assert outcome.state == JobState.COMPLETED
    settle(engine.app.store, [outcome])
    assert engine.clock.fetch("select status, attempt, created from penstock.sync_runs") == [("pending", 0, 3)]
    directory.people.create = create  # type: ignore[method-assign]
    engine.stopping.clear()
    engine.settle_all()
    assert engine.clock.fetch("select status, created from penstock.sync_runs") == [("succeeded", 7)]


def test_a_run_whose_job_ended_without_settling_it_fails_visibly(engine: Engine, directory: Directory) -> None:
    directory.sync.request("g1", account="acme")
    engine.dispatch()
    [job] = engine.claim()
    settle(engine.app.store, [Outcome(job.id, job.lease, JobState.DISCARDED)])
    engine.dispatch()
    [(status, error_class)] = engine.clock.fetch("select status, error_class from penstock.sync_runs")
    assert (status, error_class) == ("failed", "WindowLost")


def test_two_dispatchers_do_not_both_act(engine: Engine, directory: Directory) -> None:
    directory.groups = {f"g{number}": {} for number in range(8)}
    engine.app.request([{"sync": "people", "subject": f"g{number}", "account": "acme", "priority": 0, "reason": ""}
                        for number in range(8)])
    import threading

    steps = [threading.Thread(target=engine.app.dispatcher().step) for _ in range(6)]
    for step in steps:
        step.start()
    for step in steps:
        step.join()
    assert engine.clock.fetch("select count(*) from penstock.sync_runs where status = 'running'") == [(1,)]
    assert engine.clock.fetch("select count(*) from penstock.jobs") == [(1,)]


def test_a_sync_without_an_app_says_so() -> None:
    class Orphan(Sync[str]):
        pass

    with pytest.raises(PenstockError, match="belongs to no app"):
        Orphan.request("x")


def test_a_request_on_a_foreign_connection_is_refused(engine: Engine, directory: Directory) -> None:
    with pytest.raises(UnknownConnection, match="expected a connection of sqlite3, psycopg"):
        directory.sync.using(connection=object()).request("g1", account="acme")


def test_an_unknown_sync_suggests_the_nearest(engine: Engine) -> None:
    with pytest.raises(ConfigurationError, match="did you mean 'people'"):
        engine.app.definition("peopel")
    assert engine.app.subject("people", "g1") == Subject("g1", account="acme")
