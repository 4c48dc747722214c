"""Records are let go again in bounded pieces, however many they are: some at once, the rest by a job that goes on after
whatever interrupts it."""

from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from penstock import JobState
from penstock.app import piecewise
from penstock.domain.errors import ConfigurationError
from penstock.sync.state import failures, retrying
from penstock.testing import drain
from tests.conformance.sync_app import Directory
from tests.engine import Engine

MANY = 20_000
SERIES = {"postgres": "select generate_series(1, {count}) as n",
          "sqlite": "with recursive r(n) as (select 1 union all select n + 1 from r where n < {count}) select n from r"}


def table(engine: Engine) -> str:
    found = next(item.state for item in engine.app.layer_tables if (item.sync, item.layer) == ("people", "People"))
    return f"penstock_{found}" if engine.app.store.dialect == "sqlite" else f"penstock.{found}"


def put(engine: Engine, scope: str, count: int, status: str = "failed", code: str = "taken") -> None:
    """Rows of a layer as failed runs leave them, to go again in an hour."""
    series = SERIES[engine.app.store.dialect].format(count=count)
    later = engine.clock.now_ms + 3_600_000
    engine.clock._connection.execute(
        f"insert into {table(engine)} (scope, key, status, error_class, error, attempts, retry_at, changed_at)"
        f" select '{scope}', '{code}-' || n, '{status}', '{code}', 'it will not do', 1, {later}, 1"
        f" from ({series}) as s")


def waiting(engine: Engine) -> int:
    """How many failed records are not due yet."""
    ((count,),) = engine.clock.fetch(f"select count(*) from {table(engine)} where retry_at is not null")
    return int(count)


def requested(engine: Engine) -> set[str]:
    """The subjects that are to have a run. The sync is paused, so that no run takes a record before it is looked at."""
    return {subject for (subject,) in engine.clock.fetch(
        "select subject from penstock.sync_requests where sync = 'people'"
        " union select subject from penstock.sync_runs where sync = 'people'")}


@pytest.fixture(autouse=True)
def _paused(engine: Engine, directory: Directory) -> None:
    directory.groups = {"g1": {}, "g2": {}, "g3": {}}
    engine.app.pause(sync="people")


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pages of 7 records, 2 of them at once; subjects are requested after every third."""
    monkeypatch.setattr(failures, "_PAGE", 7)
    monkeypatch.setattr(piecewise, "_PAGES_AT_ONCE", 2)
    monkeypatch.setattr(retrying, "_MOST_PAGES", 3)


@pytest.fixture
def sizes(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many records each transaction made due."""
    found: list[int] = []
    make = retrying._Due.make

    def noted(self: Any, page: Any, keys: list[str]) -> None:
        make(self, page, keys)
        found.append(len(keys))

    monkeypatch.setattr(retrying._Due, "make", noted)
    return found


def test_few_are_due_at_once_and_no_job_is_made(engine: Engine, directory: Directory) -> None:
    put(engine, "g1", 30)
    done = engine.app.retry("people", error_class="taken")
    assert (done.count, done.over, done.job, done.subjects) == (30, True, None, {"g1": None})
    assert (waiting(engine), requested(engine)) == (0, {"g1"})


def test_a_large_count_is_made_due_in_pieces(engine: Engine, directory: Directory, sizes: list[int]) -> None:
    for scope in ("g1", "g2"):
        put(engine, scope, MANY // 2)
    put(engine, "g2", 50, code="odd")
    done = engine.app.retry("people", error_class="taken")
    assert (done.count, done.over) == (5 * 1000, False)
    assert waiting(engine) == MANY + 50 - 5000
    assert requested(engine) == {"g1"}
    drained = drain(engine.app, raising=True)
    assert [each.task for each in drained.ran if each.id == done.job] == ["penstock.retry"]
    assert waiting(engine) == 50
    assert max(sizes) == 1000
    assert sum(sizes) == MANY
    found = engine.app.job_found(done.job or 0)
    assert found is not None
    assert (found.state, found.note) == ("completed", "15,000 more records are due")


def test_whatever_is_of_another_state_is_passed_over_without_being_read(
        engine: Engine, directory: Directory, small: None, monkeypatch: pytest.MonkeyPatch) -> None:
    for scope in ("g1", "g2"):
        put(engine, scope, 500, "observed", "seen")
        put(engine, scope, 500, "disabled", "off")
        put(engine, scope, 5)
        put(engine, scope, 5, "in_doubt", "lost")
    looks: list[str] = []
    look = type(engine.app.store).look

    def counted(self: Any, name: str, *given: Any, **more: Any) -> Any:
        looks.append(name)
        return look(self, name, *given, **more)

    monkeypatch.setattr(type(engine.app.store), "look", counted)
    found = failures.error_classes(engine.app.store, engine.app.definition("people"), most=100)
    assert (found.counted, found.more, sorted(each.code for each in found.classes)) == (20, False, ["lost", "taken"])
    assert looks.count("failures_page") <= 10
    cut = failures.error_classes(engine.app.store, engine.app.definition("people"), most=100, most_looks=1)
    assert (cut.counted, cut.more) == (0, True)
    some = failures.error_classes(engine.app.store, engine.app.definition("people"), most=7)
    assert (some.counted, some.more) == (7, True)


def failing_once(monkeypatch: pytest.MonkeyPatch, target: Any, name: str, at: int,
                 instead: Callable[[], object]) -> None:
    """Have a function do something else once, when it is called for the `at`th time."""
    calls, really = iter(range(1, 10_000)), getattr(target, name)

    def called(*args: Any, **kwargs: Any) -> Any:
        if next(calls) == at:
            instead()
        return really(*args, **kwargs)

    monkeypatch.setattr(target, name, called)


def test_a_job_that_is_interrupted_goes_on_from_there(engine: Engine, directory: Directory, small: None,
                                                      sizes: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    for scope in ("g1", "g2", "g3"):
        put(engine, scope, 40)
    done = engine.app.retry("people", error_class="taken")
    assert (done.count, done.over) == (14, False)

    def breaks() -> None:
        raise OSError("the line is cut")

    failing_once(monkeypatch, retrying._Due, "make", 6, breaks)
    drain(engine.app)
    job = engine.app.job_found(done.job or 0)
    assert job is not None
    assert (job.state, waiting(engine)) == ("retryable", 120 - 40 - 2)
    assert requested(engine) == {"g1", "g2"}
    sizes.clear()
    drain(engine.app, with_scheduled=True, raising=True)
    assert waiting(engine) == 0
    assert sum(sizes) == 120 - 5 * 7, "it goes on from where subjects were requested last"
    assert requested(engine) == {"g1", "g2", "g3"}


def test_a_worker_that_dies_between_two_pieces_loses_no_record_and_no_request(
        engine: Engine, directory: Directory, small: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its last pages were made due, and their subjects are not requested: the job does those pages again."""
    for scope in ("g1", "g2", "g3"):
        put(engine, scope, 40)
    done = engine.app.retry("people", error_class="taken")

    def dies() -> None:
        monkeypatch.setattr(retrying._Due, "request", lambda self, done: None)  # nothing of it happens any more
        raise SystemExit

    request = retrying._Due.request
    failing_once(monkeypatch, retrying._Due, "make", 5, dies)
    (claimed,) = engine.claim()
    assert claimed.id == done.job
    engine.execute(claimed)
    monkeypatch.setattr(retrying._Due, "request", request)
    engine.clock.advance(60)
    engine.upkeep()
    drain(engine.app, with_scheduled=True, raising=True)
    job = engine.app.job_found(done.job or 0)
    assert job is not None
    assert (job.state, waiting(engine)) == ("completed", 0)
    assert requested(engine) == {"g1", "g2", "g3"}


def test_a_job_that_is_cancelled_has_requested_what_it_made_due(
        engine: Engine, directory: Directory, small: None, monkeypatch: pytest.MonkeyPatch) -> None:
    put(engine, "g1", 200)
    done = engine.app.retry("people", error_class="taken")
    engine.clock._connection.execute("delete from " + (
        "penstock_sync_requests" if engine.app.store.dialect == "sqlite" else "penstock.sync_requests"))
    failing_once(monkeypatch, retrying._Due, "make", 5, lambda: engine.app.cancel(done.job or 0))
    (claimed,) = engine.claim()
    attempt = engine.attempt(claimed)
    failing_once(monkeypatch, retrying._Due, "make", 2, lambda: setattr(attempt, "ended", "cancelled"))
    assert engine.executor.run(attempt).state == JobState.CANCELLED
    assert 0 < waiting(engine) < 200 - 14
    assert requested(engine) == {"g1"}


def test_one_record_is_found_by_its_key_alone(engine: Engine, directory: Directory, small: None,
                                              sizes: list[int]) -> None:
    for scope in ("g1", "g2", "g3"):
        put(engine, scope, 100)
    done = engine.app.retry("people", layer="People", keys=["taken-9"])
    assert (done.count, done.over) == (2, False)  # two scopes at once
    drain(engine.app, raising=True)
    assert waiting(engine) == 297
    done = engine.app.retry("people", layer="People", keys=["taken-8"], scope="g2")
    assert (done.count, done.over, done.subjects) == (1, True, {"g2": None})
    with pytest.raises(ConfigurationError, match="no record in People with the keys nothing of people failed"):
        engine.app.retry("people", layer="People", keys=["nothing"], scope="g2")


def test_the_job_goes_to_a_queue_that_is_served(engine: Engine, directory: Directory, small: None) -> None:
    put(engine, "g1", 100)

    def queue() -> str:
        job = engine.app.job(engine.app.retry("people", error_class="taken").job or 0)
        assert job is not None
        assert job.priority == 100
        return job.queue

    assert queue() == "penstock.sync", "nobody works, and that is where it belongs"

    def serve(**slots: int) -> None:
        lease = {"worker_id": engine.worker_id, "queues": "[]", "slots": msgspec.json.encode(slots).decode(),
                 "host": "here", "pid": 1, "rss_bytes": 1}
        engine.app.store.write(lambda tx: tx.execute("worker_serves", lease))

    serve(mail=3, reports=5)
    assert queue() == "reports"
    engine.app.pause("reports")
    assert queue() == "mail"
    serve(mail=3, **{"penstock.sync": 1})
    assert queue() == "penstock.sync"
