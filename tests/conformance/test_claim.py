"""Claiming, settling, staging and rescuing: a lease is had once, and only who has it settles."""

import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest

from penstock import Penstock, RetryPolicy
from penstock.domain.jobs import JobState, Outcome
from penstock.events import JobsRescued
from penstock.queue.claim import claim, held, release, settle
from tests.clock import START_MS, Clock
from tests.engine import Engine


@pytest.fixture
def work(app: Penstock) -> Any:
    @app.task(name="work", retry=RetryPolicy(max_attempts=3, base_seconds=10, factor=3, jitter=0))
    def work(number: int = 0) -> None:
        if number < 0:
            raise ValueError(f"number {number} \0 cannot be")

    return work


@pytest.fixture
def engine(app: Penstock, clock: Clock) -> Engine:
    return Engine(app, clock)


@pytest.fixture
def row(clock: Clock) -> Callable[[int], dict[str, Any]]:
    columns = "state attempt run_at lease worker_id error_class error finished_at".split()

    def read(id: int) -> dict[str, Any]:
        (found,) = clock.fetch(f"select {', '.join(columns)} from penstock.jobs where id = {id}")
        return dict(zip(columns, found, strict=True))

    return read


def completed(job: Any) -> Outcome:
    return Outcome(job.id, job.lease, JobState.COMPLETED, keep_ms=86_400_000)


def test_the_most_urgent_first_then_the_oldest(app: Penstock, work: Any, engine: Engine):
    priorities = [0, 5, -1, 5, 0, 9, -1]
    ids = [work.using(priority=priority).enqueue(1).id for priority in priorities]
    expected = [id for _, id in sorted(zip([-each for each in priorities], ids, strict=True))]
    first = engine.claim("default", 3)
    assert [job.id for job in first] == expected[:3]
    assert [job.id for job in engine.claim("default", 10)] == expected[3:]
    assert engine.claim("default", 10) == []


def test_a_claim_is_all_that_a_worker_needs(app: Penstock, work: Any, engine: Engine, row: Any):
    made = work.enqueue(7)
    (job,) = engine.claim("default")
    assert (job.id, job.task, job.queue, job.arguments, job.attempt, job.max_attempts) == (
        made.id, "work", "default", '{"number":7}', 1, 3)
    assert row(job.id)["state"] == "executing"
    assert row(job.id)["lease"] == job.lease
    assert row(job.id)["worker_id"] == engine.worker_id


def test_only_the_queues_that_were_asked_for_and_as_much_as_there_is_room(app: Penstock, work: Any, engine: Engine):
    app.enqueue_many(work.using(queue=queue).call(1) for queue in ["a", "b", "c"] for _ in range(5))
    claimed = claim(app.store, engine.worker_id, {"a": 2, "c": 9})
    assert Counter(job.queue for job in claimed) == {"a": 2, "c": 5}


def test_leases_only_ever_grow(app: Penstock, work: Any, engine: Engine):
    app.enqueue_many(work.call(number) for number in range(20))
    leases = [engine.claim("default", 2)[0].lease for _ in range(10)]
    assert leases == sorted(set(leases))


def test_nothing_for_a_worker_without_a_row(app: Penstock, work: Any, engine: Engine, row: Any):
    job = work.enqueue(1)
    assert claim(app.store, engine.worker_id + 1, {"default": 5}) == []
    assert row(job.id)["state"] == "available"


def test_no_job_twice_and_never_more_than_asked(app: Penstock, work: Any, engine: Engine):
    count, asked = 400, 7
    app.enqueue_many(work.call(number) for number in range(count))
    started = threading.Barrier(8)

    def worker(_: int) -> list[int]:
        got: list[int] = []
        started.wait(60)
        while batch := engine.claim("default", asked):
            assert len(batch) <= asked
            got += [job.id for job in batch]
        return got

    with ThreadPoolExecutor(8) as pool:
        batches = list(pool.map(worker, range(8)))
    claimed = [id for batch in batches for id in batch]
    assert len(claimed) == len(set(claimed))
    # A claim that met only locked rows saw nothing to do; what was left over is still there.
    claimed += [job.id for job in engine.claim("default", count)]
    assert len(set(claimed)) == len(claimed) == count


class TestSettling:
    def test_what_an_attempt_came_to(self, app: Penstock, work: Any, engine: Engine, row: Any):
        work.enqueue(1)
        (job,) = engine.claim("default")
        assert settle(app.store, [engine.execute(job)]) == set()
        assert row(job.id) == {"state": "completed", "attempt": 1, "run_at": START_MS, "lease": None, "worker_id": None,
                               "error_class": None, "error": None, "finished_at": START_MS}

    def test_an_error_waits_longer_each_time_and_then_is_kept(
            self, app: Penstock, work: Any, engine: Engine, clock: Clock, row: Any):
        id = work.enqueue(-1).id
        for wait_ms in (10_000, 30_000):
            (job,) = engine.claim("default")
            settle(app.store, [engine.execute(job)])
            assert row(id)["state"] == "retryable"
            assert row(id)["run_at"] == clock.now_ms + wait_ms
            assert row(id)["finished_at"] is None
            clock.advance(wait_ms / 1000 - 0.001)
            assert app.upkeep().stage() == 0
            clock.advance(0.001)
            assert app.upkeep().stage() == 1
        (job,) = engine.claim("default")
        assert job.attempt == 3
        settle(app.store, [engine.execute(job)])
        assert row(id)["state"] == "discarded"
        assert row(id)["error_class"] == "ValueError"
        assert "number -1 \N{REPLACEMENT CHARACTER} cannot be" in row(id)["error"]
        assert "Traceback" in row(id)["error"]
        assert row(id)["finished_at"] == clock.now_ms

    def test_a_stale_owner_changes_nothing(
            self, app: Penstock, work: Any, engine: Engine, clock: Clock, row: Any):
        work.enqueue(1)
        (first,) = engine.claim("default")
        clock.advance(31)
        assert app.upkeep().rescue() == 1
        assert settle(app.store, [completed(first)]) == {first.id}
        assert row(first.id)["state"] == "available"
        engine.register()
        (second,) = engine.claim("default")
        assert second.id == first.id
        assert second.lease > first.lease
        before = row(first.id)
        assert settle(app.store, [completed(first)]) == {first.id}
        assert release(app.store, [(first.id, first.lease)]) == {first.id}
        assert row(first.id) == before
        assert settle(app.store, [completed(second)]) == set()
        assert settle(app.store, [completed(second)]) == {second.id}

    def test_an_attempt_number_is_no_lease(self, app: Penstock, work: Any, engine: Engine, row: Any):
        work.enqueue(1)
        for _ in range(5):
            (job,) = engine.claim("default")
            release(app.store, [(job.id, job.lease)], [job.lease])
        (job,) = engine.claim("default")
        forged = completed(job)
        forged.lease = job.attempt
        assert settle(app.store, [forged]) == {job.id}
        assert row(job.id)["state"] == "executing"

    def test_many_at_once(self, app: Penstock, work: Any, engine: Engine, clock: Clock):
        app.enqueue_many(work.call(number) for number in range(500))
        jobs = engine.claim("default", 500)
        assert settle(app.store, [completed(job) for job in jobs]) == set()
        assert clock.fetch("select state, count(*) from penstock.jobs group by state") == [("completed", 500)]

    def test_given_back_as_if_never_claimed(self, app: Penstock, work: Any, engine: Engine, row: Any):
        work.enqueue(1)
        (job,) = engine.claim("default")
        assert held(app.store, engine.worker_id) == {(job.id, job.lease)}
        assert release(app.store, [(job.id, job.lease)]) == set()
        assert held(app.store, engine.worker_id) == set()
        assert row(job.id)["attempt"] == 0
        assert engine.claim("default")[0].attempt == 1

    def test_a_task_that_nobody_declares_is_kept(
            self, app: Penstock, engine: Engine, clock: Clock, row: Any):
        app.task(lambda: None, name="work_old").enqueue()
        del app.tasks["work_old"]
        app.task(lambda: None, name="work_new")
        for _ in range(30):  # longer than any number of attempts would last
            (job,) = engine.claim("default")
            settle(app.store, [engine.execute(job)])
            clock.advance(60)
            engine.register()
            app.upkeep().stage()
        assert row(job.id)["attempt"] == 0
        assert row(job.id)["error_class"] == "UnknownTask"
        assert "no task 'work_old'; did you mean 'work_new'?" in row(job.id)["error"]


class TestStaging:
    def test_only_what_is_due(self, app: Penstock, work: Any, engine: Engine, clock: Clock):
        soon = work.using(run_after=timedelta(seconds=10)).enqueue(1)
        late = work.using(run_after=timedelta(seconds=20)).enqueue(1)
        assert engine.claim("default", 9) == []
        assert app.upkeep().step() == pytest.approx(1.0)
        clock.advance(9.5)
        assert app.upkeep().step() == pytest.approx(0.5)  # in time for the next one, however long a tick is
        assert engine.claim("default", 9) == []
        clock.advance(0.5)
        app.upkeep().step()
        assert [job.id for job in engine.claim("default", 9)] == [soon.id]
        clock.advance(10)
        app.upkeep().step()
        assert [job.id for job in engine.claim("default", 9)] == [late.id]

    def test_a_backlog_is_staged_in_pieces(self, app: Penstock, work: Any, clock: Clock):
        app.enqueue_many(work.using(run_after=timedelta(seconds=1)).call(number) for number in range(2_300))
        clock.advance(1)
        upkeep = app.upkeep()
        assert upkeep.step() == 0
        assert upkeep.step() == 0
        assert upkeep.step() > 0
        assert clock.fetch("select state, count(*) from penstock.jobs group by state") == [("available", 2_300)]


class TestRescue:
    def test_the_jobs_of_a_silent_worker_go_to_others(
            self, app: Penstock, work: Any, engine: Engine, clock: Clock, row: Any):
        events: list[Any] = []
        app.listen(events.append)
        work.enqueue(1)
        (job,) = engine.claim("default")
        clock.advance(29)
        assert app.upkeep().rescue() == 0
        clock.advance(2)
        assert app.upkeep().rescue() == 1
        assert JobsRescued(available=1, discarded=0) in events
        assert row(job.id)["state"] == "available"
        assert row(job.id)["error_class"] == "WorkerLost"
        assert row(job.id)["attempt"] == 1  # it may well have been this job that ended its worker
        assert engine.claim("default") == []  # the lost worker has no row to claim with
        engine.register()
        (again,) = engine.claim("default")
        assert (again.attempt, again.lease > job.lease) == (2, True)

    def test_the_last_attempt_is_discarded(self, app: Penstock, work: Any, engine: Engine, clock: Clock, row: Any):
        work.enqueue(1)
        for attempt in (1, 2, 3):
            (job,) = engine.claim("default")
            assert job.attempt == attempt
            clock.advance(31)
            assert app.upkeep().rescue() == 1
            engine.register()
        assert row(job.id)["state"] == "discarded"
        assert row(job.id)["finished_at"] == clock.now_ms
        assert engine.claim("default") == []

    def test_jobs_of_a_worker_whose_row_is_gone_already(
            self, app: Penstock, work: Any, engine: Engine, row: Any):
        work.enqueue(1)
        (job,) = engine.claim("default")
        app.store.write(lambda tx: tx.execute("worker_stop", {"worker_id": engine.worker_id}))
        assert app.upkeep().rescue() == 1
        assert row(job.id)["state"] == "available"

    def test_a_worker_that_renews_keeps_its_jobs(self, app: Penstock, work: Any, engine: Engine, clock: Clock):
        work.enqueue(1)
        engine.claim("default")
        params = {"worker_id": engine.worker_id, "lease_ms": 30_000}
        for _ in range(5):
            clock.advance(20)
            assert app.store.write(lambda tx: tx.execute("worker_renew", params)) == 1
            assert app.upkeep().rescue() == 0

    def test_finished_jobs_are_left_alone(self, app: Penstock, work: Any, engine: Engine, clock: Clock, row: Any):
        work.enqueue(1)
        (job,) = engine.claim("default")
        settle(app.store, [completed(job)])
        clock.advance(31)
        assert app.upkeep().rescue() == 0
        assert row(job.id)["state"] == "completed"


def test_a_claim_that_commits_late_is_never_orphaned(app: Penstock, work: Any, engine: Engine, clock: Clock, row: Any):
    """The rescue removes the worker's row first, and so waits for a claim that is still under way."""
    if app.store.dialect == "sqlite":
        return  # there is one writer: a claim and a rescue are never under way together
    id = work.enqueue(1).id
    clock.advance(31)  # the worker has expired, and is slow: it claims all the same
    claimed, commit = threading.Event(), threading.Event()

    def slow(tx: Any) -> None:
        rows = tx.rows("claim", {"worker_id": engine.worker_id, "queue": "default", "count": 1, "after": -1,
                                 "after_id": -1, "found": "[]", "rows": 10})
        assert len(rows) == 1
        claimed.set()
        assert commit.wait(60)

    with ThreadPoolExecutor(2) as pool:
        claiming = pool.submit(app.store.write, slow)
        assert claimed.wait(60)
        rescuing = pool.submit(app.upkeep().rescue)
        while not clock.fetch("select 1 from pg_locks where not granted"):
            assert not rescuing.done(), "the rescue did not wait for the claim"
        commit.set()
        claiming.result(60)
        assert rescuing.result(60) == 1
    assert row(id)["state"] == "available"


def test_a_rescue_that_comes_first_leaves_the_claim_nothing(app: Penstock, work: Any, engine: Engine, clock: Clock):
    if app.store.dialect == "sqlite":
        return  # there is one writer
    work.enqueue(1)
    clock.advance(31)
    removed, commit = threading.Event(), threading.Event()

    def slow(tx: Any) -> None:
        assert tx.rows("workers_expire") == [(engine.worker_id,)]
        removed.set()
        assert commit.wait(60)

    with ThreadPoolExecutor(2) as pool:
        rescuing = pool.submit(app.store.write, slow)
        assert removed.wait(60)
        claiming = pool.submit(engine.claim, "default")
        while not clock.fetch("select 1 from pg_locks where not granted"):
            assert not claiming.done(), "the claim did not wait for the rescue"
        commit.set()
        rescuing.result(60)
        assert claiming.result(60) == []
