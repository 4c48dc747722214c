"""Jobs that were enqueued together share ready rows on PostgreSQL: each is still claimed, and cancelled, by itself."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest

from penstock import Penstock
from penstock.domain.jobs import JobState
from penstock.queue.claim import LOWEST, claim_queue, stragglers
from penstock.store.port import Transaction
from penstock.store.postgres import bulk
from tests.clock import Clock
from tests.conformance.workers import Workers
from tests.engine import Engine
from tests.waiting import until

on_postgres = pytest.mark.parametrize("store_url", ["postgres"], indirect=True)


@pytest.fixture(autouse=True)
def few_are_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bulk, "LEAST", 2)


@pytest.fixture
def work(app: Penstock) -> Any:
    @app.task(name="work")
    def work(number: int = 0) -> None: ...

    return work


@pytest.fixture
def engine(app: Penstock, clock: Clock) -> Engine:
    return Engine(app, clock)


def enqueued(app: Penstock, launch: Any, count: int) -> list[int]:
    return [job.id for job in app.enqueue_many(launch.call(number) for number in range(count))]


@pytest.mark.parametrize("size", [1, 7, 100, 101, 1000])
def test_claims_of_any_size_give_each_job_once_and_in_order(app: Penstock, work: Any, engine: Engine, size: int):
    ids = enqueued(app, work, 250)
    claimed: list[int] = []
    while found := engine.claim("default", size):
        assert len(found) == min(size, 250 - len(claimed))
        claimed += [job.id for job in found]
        assert {job.more for job in found} == {len(found) == size}
    assert claimed == ids


def test_what_is_more_urgent_comes_between(app: Penstock, work: Any, engine: Engine):
    ids = enqueued(app, work, 150)
    assert [job.id for job in engine.claim("default", 30)] == ids[:30]
    urgent = [work.using(priority=1).enqueue().id for _ in range(3)]
    assert [job.id for job in engine.claim("default", 10)] == urgent + ids[30:37]
    assert [job.id for job in engine.claim("default", 1000)] == ids[37:]


def test_jobs_of_several_kinds_at_once(app: Penstock, work: Any, engine: Engine, clock: Clock):
    later, mail = work.using(run_after=timedelta(hours=1)), work.using(queue="mail")
    kinds = [work, work, later, mail, mail, mail, work, later, later, work]
    jobs = app.enqueue_many([kind.call() for kind in kinds])
    of = {kind: [job.id for job, each in zip(jobs, kinds, strict=True) if each is kind] for kind in (work, later, mail)}
    assert [job.id for job in engine.claim("mail", 2)] == of[mail][:2]
    assert [job.id for job in engine.claim("default", 10)] == of[work]
    clock.advance(3600)
    app.upkeep().stage()
    assert [job.id for job in engine.claim("default", 10)] == of[later]
    assert [job.id for job in engine.claim("mail", 10)] == of[mail][2:]


@pytest.mark.parametrize("places", [[0], [99], [100], [50], [0, 1, 2], [5, 3, 4], [98, 99, 100], list(range(100))])
def test_cancelling_some_leaves_the_others(app: Penstock, work: Any, engine: Engine, places: list[int]):
    ids = enqueued(app, work, 120)
    gone = [ids[place] for place in places]
    assert [app.cancel(id) for id in gone] == [JobState.CANCELLED] * len(gone)
    assert [app.cancel(id) for id in gone] == [None] * len(gone)
    assert [job.id for job in engine.claim("default", 1000)] == [id for id in ids if id not in gone]
    assert {app.job(id).state for id in gone} == {JobState.CANCELLED}  # type: ignore[union-attr]


def test_cancelling_what_a_divided_row_gave_and_what_it_kept(app: Penstock, work: Any, engine: Engine):
    ids = enqueued(app, work, 60)
    assert [job.id for job in engine.claim("default", 20)] == ids[:20]
    assert app.cancel(ids[19]) == JobState.EXECUTING
    assert app.cancel(ids[20]) == JobState.CANCELLED
    assert app.cancel(ids[-1]) == JobState.CANCELLED
    assert [job.id for job in engine.claim("default", 100)] == ids[21:-1]


def test_below_the_mark_too(app: Penstock, work: Any, engine: Engine):
    work.using(priority=-5).enqueue()
    (last,) = engine.claim("default", 1)
    ids = enqueued(app, work, 130)
    mark = (last.rank, last.id)
    found = stragglers(app.store, "default", mark, 1000)
    worker = engine.worker_id
    first = claim_queue(app.store, worker, "default", 15, mark, found)
    assert [job.id for job in first] == ids[:15]
    rest = stragglers(app.store, "default", mark, 1000)
    assert [job.id for job in claim_queue(app.store, worker, "default", 1000, mark, rest)] == ids[15:]
    assert stragglers(app.store, "default", mark, 1000) == []


def test_workers_at_once_have_each_job_once(app: Penstock, work: Any, engine: Engine):
    ids = enqueued(app, work, 1000)
    together = threading.Barrier(4)

    def drained(size: int) -> list[int]:
        together.wait(60)
        found: list[int] = []
        while jobs := claim_queue(app.store, engine.worker_id, "default", size, (LOWEST, LOWEST)):
            found += [job.id for job in jobs]
        return found

    with ThreadPoolExecutor(4) as threads:
        claimed = [id for found in threads.map(drained, [3, 40, 100, 170]) for id in found]
    claimed += [job.id for job in engine.claim("default", 1000)]  # left over where all met at the last row
    assert sorted(claimed) == ids


class Abandoned(Exception):
    """A claim that is rolled back."""


def claimed_in(tx: Transaction, engine: Engine, count: int) -> list[int]:
    rows = tx.rows("claim", {"worker_id": engine.worker_id, "queue": "default", "count": count, "after": LOWEST,
                             "after_id": LOWEST, "found": "[]", "rows": 1})
    return sorted(row[0] for row in rows)


@on_postgres
def test_a_claim_under_way_hides_no_other_rows(app: Penstock, work: Any, engine: Engine):
    ids = enqueued(app, work, 250)

    def interrupted(tx: Transaction) -> None:
        assert claimed_in(tx, engine, 5) == ids[:5]
        with ThreadPoolExecutor(1) as thread:
            found = thread.submit(engine.claim, "default", 5).result()
        assert [job.id for job in found] == ids[100:105]
        raise Abandoned

    with pytest.raises(Abandoned):
        app.store.write(interrupted)
    assert [job.id for job in engine.claim("default", 1000)] == ids[:100] + ids[105:]


@on_postgres
def test_who_cancels_waits_for_a_claim_that_divides_the_row(app: Penstock, work: Any, engine: Engine, clock: Clock):
    ids = enqueued(app, work, 50)
    with ThreadPoolExecutor(2) as threads:
        asked = []

        def claiming(tx: Transaction) -> None:
            assert claimed_in(tx, engine, 5) == ids[:5]
            for id in (ids[4], ids[30]):
                asked.append(threads.submit(app.cancel, id))
            while clock.fetch("select count(*) from pg_locks where not granted") != [(2,)]:
                pass

        app.store.write(claiming)
        assert [each.result() for each in asked] == [JobState.EXECUTING, JobState.CANCELLED]
    assert [job.id for job in engine.claim("default", 100)] == [*ids[5:30], *ids[31:]]


@on_postgres
def test_a_worker_that_held_more_than_it_took_wakes_the_others(app: Penstock, workers: Workers,
                                                               monkeypatch: pytest.MonkeyPatch):
    @app.task(name="waits")
    def waits() -> None:
        workers.go.wait(60)

    woken: list[str] = []
    monkeypatch.setattr(app.store.control, "wake", lambda: woken.append(threading.current_thread().name))
    app.enqueue_many(waits.call() for _ in range(450))
    workers.start({"default": 3})
    until("every slot is taken", lambda: workers.states() == {"executing": 3, "available": 447})
    workers.go.set()
    workers.wait_for({"completed": 450})
    assert 1 <= len(woken) < 10  # the next claims know better, so there are far fewer than claims
