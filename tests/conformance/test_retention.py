"""How long jobs that have ended are kept, and the counters that nobody has to count for."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import psycopg
import pytest

from penstock import Cancel, Penstock, Retention, RetryPolicy
from penstock.domain.errors import DeclarationError
from penstock.domain.jobs import FINAL_STATES, Outcome
from penstock.queue.claim import settle
from penstock.queue.control import fold_counts
from tests.clock import Clock
from tests.conformance.workers import Workers
from tests.engine import Engine

HOUR = 3_600


@pytest.fixture
def engine(app: Penstock, clock: Clock) -> Engine:
    return Engine(app, clock)


@pytest.fixture
def watch(app: Penstock, clock: Clock) -> Workers:
    """Reads counters and states; no worker is started."""
    return Workers(app, clock)


def finish(engine: Engine, state: str, keep: timedelta, count: int = 1, **more: Any) -> list[int]:
    """End jobs as a worker does; return their ids."""
    jobs = engine.claim("default", count)
    keep_ms = keep // timedelta(milliseconds=1)
    outcomes = [Outcome(job.id, job.lease, state, keep_ms=keep_ms, **more) for job in jobs]
    assert settle(engine.app.store, outcomes) == set()
    return [job.id for job in jobs]


def kept(clock: Clock) -> list[int]:
    return [id for (id,) in clock.fetch("select id from penstock.finished_jobs order by id")]


def pruned_after(app: Penstock, clock: Clock, seconds: float) -> list[int]:
    clock.advance(seconds)
    app.upkeep().prune()
    return kept(clock)


class TestHowLong:
    def test_by_task_and_by_what_it_came_to(self, app: Penstock, clock: Clock):
        brief = Retention(completed=timedelta(minutes=5), discarded=timedelta(days=2), cancelled=timedelta(hours=3))
        ended = {"completed": None, "cancelled": "Cancel", "discarded": "error"}
        workers = Workers(app, clock)

        def end(how: str | None) -> Any:
            if how == "Cancel":
                return Cancel()
            if how == "error":
                raise ValueError(how)
            return None

        once = RetryPolicy(max_attempts=1)
        tasks = {"brief": app.task(end, name="brief", retention=brief, retry=once),
                 "usual": app.task(end, name="usual", retry=once)}
        jobs = {(name, state): task.enqueue(how).id for name, task in tasks.items() for state, how in ended.items()}
        workers.start()
        workers.wait_until_settled()
        workers.close()
        rows = dict(clock.fetch("select id, prune_at from penstock.finished_jobs"))  # type: ignore[arg-type]
        assert {key: (rows[id] - clock.now_ms) // 60_000 for key, id in jobs.items()} == {
            ("brief", "completed"): 5, ("brief", "cancelled"): 180, ("brief", "discarded"): 2 * 1_440,
            ("usual", "completed"): 1_440, ("usual", "cancelled"): 1_440, ("usual", "discarded"): 30 * 1_440}

    def test_what_was_slow_is_kept_longer(self, app: Penstock, clock: Clock):
        rule = Retention(completed=timedelta(hours=1), slow=timedelta(days=3), slow_after=timedelta(milliseconds=30))
        workers = Workers(app, clock)
        pause = threading.Event()

        def work(seconds: float) -> None:
            if seconds:
                pause.wait(seconds)

        task = app.task(work, name="work", retention=rule)
        slow, quick = task.enqueue(0.05).id, task.enqueue(0).id
        workers.start({"default": 1})
        workers.wait_for({"completed": 2})
        workers.close()
        assert [workers.clock.fetch(f"select prune_at - finished_at from penstock.finished_jobs where id = {id}")[0][0]
                for id in (slow, quick)] == [3 * 86_400_000, 3_600_000]

    def test_what_cannot_be(self):
        with pytest.raises(DeclarationError) as caught:
            Retention(completed=timedelta(-1), slow=5, discarded=timedelta(days=40_000))  # type: ignore[arg-type]
        assert len(caught.value.faults) == 3
        assert "completed: expected a timedelta from 0 to 36,500 days, got" in caught.value.faults[0]


KEEP = [timedelta(0), timedelta(minutes=30), timedelta(hours=24), timedelta(days=2), timedelta(days=32),
        timedelta(days=100)]


class TestPruning:
    @pytest.mark.parametrize("keep", KEEP, ids=str)
    @pytest.mark.parametrize("state", FINAL_STATES)
    def test_what_is_past_its_time_goes_and_nothing_else(
            self, app: Penstock, engine: Engine, clock: Clock, watch: Workers, keep: timedelta, state: str):
        task = app.task(lambda: None, name="work")
        app.enqueue_many(task.call() for _ in range(5))
        finish(engine, state, keep, 3)
        if keep:
            assert len(pruned_after(app, clock, keep / timedelta(seconds=1) - 1)) == 3
            assert watch.counts_agree()
        # A part of the table is emptied when all in it is past its time: within three hours, or four days.
        late = 3 * HOUR if keep <= timedelta(days=1) else 4 * 24 * HOUR
        assert pruned_after(app, clock, late + 1) == []
        assert watch.counts_agree()
        assert watch.states() == {"available": 2}

    def test_each_at_its_own_time(self, app: Penstock, engine: Engine, clock: Clock, watch: Workers):
        task = app.task(lambda: None, name="work")
        app.enqueue_many(task.call() for _ in range(len(KEEP)))
        ids = [finish(engine, "completed", keep)[0] for keep in KEEP]
        elapsed = timedelta(0)
        for step in [timedelta(hours=1)] * 30 + [timedelta(days=1)] * 100:
            elapsed += step
            clock.advance(step / timedelta(seconds=1))
            app.upkeep().prune()
            left = set(kept(clock))
            for id, keep in zip(ids, KEEP, strict=True):
                late = timedelta(hours=3) if keep <= timedelta(days=1) else timedelta(days=4)
                assert id in left or keep <= elapsed
                assert id not in left or elapsed < keep + late
        assert watch.counts_agree()

    def test_a_slot_that_is_read_is_left_for_the_next_pass(
            self, app: Penstock, engine: Engine, clock: Clock, store_url: str):
        """Whoever reads what ended is not waited for, and nobody waits behind who would empty it."""
        if app.store.dialect == "sqlite":
            return  # there are no slots: rows go in small batches
        app.task(lambda: None, name="work").enqueue()
        ids = finish(engine, "completed", timedelta(hours=1))
        clock.advance(5 * HOUR)
        with psycopg.connect(store_url) as reader:
            assert reader.execute("select count(*) from penstock.finished_jobs").fetchone() == (1,)
            app.upkeep().prune()
            assert kept(clock) == ids
            reader.rollback()
        app.upkeep().prune()
        assert kept(clock) == []

    def test_slots_that_hold_nothing_are_not_asked_one_by_one(
            self, app: Penstock, monkeypatch: pytest.MonkeyPatch):
        upkeep, store = app.upkeep(), app.store.control
        reads: list[Any] = []
        read = store.read
        monkeypatch.setattr(store, "read", lambda work: reads.append(work) or read(work))
        upkeep.prune()
        assert len(reads) <= 2

    def test_slots_are_emptied_at_once_however_many_rows_they_hold(
            self, app: Penstock, engine: Engine, clock: Clock, store_url: str):
        if app.store.dialect == "sqlite":
            return
        task = app.task(lambda: None, name="work")
        app.enqueue_many(task.call() for _ in range(2_000))
        for _ in range(4):
            finish(engine, "completed", timedelta(hours=1), 500)
        clock.advance(5 * HOUR)
        with psycopg.connect(store_url) as connection:
            before = connection.execute("select pg_current_wal_insert_lsn()").fetchone()
            app.upkeep().prune()
            (written,) = connection.execute("select pg_wal_lsn_diff(pg_current_wal_insert_lsn(), %s)",
                                            [before[0]]).fetchone()  # type: ignore[index, misc]
        assert kept(clock) == []
        assert written < 100_000  # row by row it would be more than fifty bytes for each

    def test_on_sqlite_no_transaction_takes_more_than_a_batch(
            self, app: Penstock, engine: Engine, clock: Clock):
        if app.store.dialect == "postgres":
            return
        task = app.task(lambda: None, name="work")
        app.enqueue_many(task.call() for _ in range(2_300))
        for _ in range(5):
            finish(engine, "completed", timedelta(hours=1), 500)
        clock.advance(2 * HOUR)
        sizes = [removed for what, removed in app.upkeep().pruning() if what == "finished jobs"]
        assert sizes == [1_000, 1_000, 300]


class TestCounters:
    def test_right_after_every_operation(self, app: Penstock, engine: Engine, clock: Clock, watch: Workers):
        task = app.task(lambda number: None, name="work")
        other = app.task(lambda: None, name="other", queue="other")
        claimed: list[Any] = []

        def settled(state: str, **more: Any) -> Callable[[], object]:
            def step() -> None:
                job = claimed.pop()
                settle(app.store, [Outcome(job.id, job.lease, state, keep_ms=HOUR * 1_000, **more)])
            return step

        steps: list[Callable[[], object]] = [
            lambda: app.enqueue_many(task.call(number) for number in range(20)),
            lambda: other.enqueue(),
            lambda: task.using(run_after=timedelta(seconds=5)).enqueue(1),
            lambda: task.using(tags=["t"]).enqueue(1),
            lambda: claimed.extend(engine.claim("default", 9)),
            settled("completed"), settled("discarded"), settled("cancelled"), settled("retryable", delay_ms=1_000),
            settled("scheduled", delay_ms=1_000, counted=0), settled("available", counted=0),
            lambda: app.requeue(2), lambda: app.requeue(1),
            lambda: app.cancel(15), lambda: app.cancel(22),
            lambda: app.invalidate("t"),
            lambda: clock.advance(6), lambda: app.upkeep().stage(),
            lambda: clock.advance(30), lambda: app.upkeep().rescue(), engine.register,
            lambda: claimed.extend(engine.claim("default", 50)),
            *[settled("completed") for _ in range(10)],
            lambda: app.upkeep().prune(), lambda: clock.advance(HOUR * 3), lambda: app.upkeep().prune(),
        ]
        for fold in (False, True):
            for number, step in enumerate(steps[:4] if fold else steps):
                step()
                if fold or number % 3 == 2:
                    fold_counts(app.store)
                assert watch.counts_agree(), number
        assert {each.queue for each in app.counts()} == {"default", "other"}

    def test_by_queue_task_and_state(self, app: Penstock, engine: Engine, watch: Workers):
        task = app.task(lambda: None, name="work")
        app.enqueue_many([*(task.call() for _ in range(4)), task.using(queue="other").call()])
        engine.claim("default", 3)
        assert [(each.queue, each.task, each.state, each.jobs) for each in app.counts()] == [
            ("default", "work", "available", 1), ("default", "work", "executing", 3), ("other", "work", "available", 1)]

    def test_upkeep_folds_them(self, app: Penstock, engine: Engine, clock: Clock, watch: Workers):
        task = app.task(lambda: None, name="work")
        for _ in range(30):
            task.enqueue()
        assert len(clock.fetch("select 1 from penstock.count_deltas")) == 30
        app.upkeep().step()
        assert clock.fetch("select count(*) from penstock.count_deltas") == [(0,)]
        assert clock.fetch("select queue, task, state, n from penstock.counts") == [
            ("default", "work", "available", 30)]

    def test_callers_transactions_share_no_row(self, app: Penstock, engine: Engine, store_url: str, clock: Clock,
                                               watch: Workers):
        """Two of them, a fold and a reader, all open at once: nobody waits for anybody."""
        if app.store.dialect == "sqlite":
            return  # there is one writer
        task = app.task(lambda: None, name="work")
        task.enqueue()
        fold_counts(app.store)
        with psycopg.connect(store_url) as one, psycopg.connect(store_url) as two:
            for connection in (one, two):
                connection.execute("set lock_timeout = '2s'")
                task.using(connection=connection).enqueue()
            app.upkeep().step()
            assert [each.jobs for each in app.counts()] == [1]
            two.commit()
            assert [each.jobs for each in app.counts()] == [2]
            one.rollback()
        assert watch.counts_agree()

    def test_whatever_happens_at_once_nothing_is_counted_twice(
            self, app: Penstock, engine: Engine, clock: Clock, watch: Workers):
        task = app.task(lambda number: None, name="work")

        def enqueue(number: int) -> None:
            for _ in range(10):
                app.enqueue_many(task.call(number) for _ in range(3))

        def fold(_: int) -> None:
            for _ in range(15):
                fold_counts(app.store)

        with ThreadPoolExecutor(4) as pool:
            done = [pool.submit(enqueue, 1), pool.submit(fold, 1), pool.submit(enqueue, 2), pool.submit(fold, 2)]
            for each in done:
                each.result(30)
        assert [each.jobs for each in app.counts()] == [60]
        assert watch.counts_agree()

    def test_a_reader_sees_them_whole_while_they_are_folded(self, app: Penstock, engine: Engine, clock: Clock):
        task = app.task(lambda: None, name="work")
        app.enqueue_many(task.call() for _ in range(50))
        stop = threading.Event()
        seen: set[int] = set()

        def read() -> None:
            while not stop.is_set():
                seen.update(each.jobs for each in app.counts())

        def churn() -> None:
            for _ in range(20):
                app.store.write(lambda tx: tx.execute("queue_pause", {"queue": "x"}))
                fold_counts(app.store)

        with ThreadPoolExecutor(2) as pool:
            reading = pool.submit(read)
            churn()
            stop.set()
            reading.result(60)
        assert seen == {50}
