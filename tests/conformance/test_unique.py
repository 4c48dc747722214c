"""Uniqueness: of jobs with the same key there is one, whoever enqueues, in bulk too; and a key outlives no job."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import timedelta
from typing import Any

import pytest

from penstock import Job, JobState, Penstock, RetryPolicy, Snooze, Unique
from penstock.domain.errors import DeclarationError, InvalidArguments
from penstock.domain.jobs import LIVE_STATES, Outcome
from penstock.queue.claim import release, settle
from penstock.queue.enqueue import plan
from penstock.store.statements import statement
from tests.caller import caller
from tests.clock import Clock
from tests.engine import Engine

DAY_MS = 86_400_000


@pytest.fixture
def sync(app: Penstock) -> Any:
    @app.task(name="sync", unique=Unique())
    def sync(customer: int, full: bool = False, note: str = "") -> None: ...

    return sync


@pytest.fixture
def engine(app: Penstock, sync: Any, clock: Clock) -> Engine:
    return Engine(app, clock)


def end(engine: Engine, state: str, **more: Any) -> int:
    """Claim the next job and settle it; return its id."""
    (job,) = engine.claim("default")
    assert settle(engine.app.store, [Outcome(job.id, job.lease, state, **{"keep_ms": DAY_MS, **more})]) == set()
    return job.id


class TestTheKey:
    def test_one_that_meets_its_double_is_skipped_and_gives_it_back(self, sync: Any, engine: Engine, clock: Clock):
        first = sync.enqueue(7)
        again = sync.enqueue(7)
        assert (first.skipped, again) == (False, Job(first.id, "sync", "default", skipped=True))
        assert not sync.enqueue(8).skipped
        assert clock.fetch("select count(*) from penstock.jobs") == [(2,)]

    def test_a_default_that_is_given_and_one_that_is_not_are_the_same(self, sync: Any, engine: Engine):
        id = sync.enqueue(7).id
        assert sync.enqueue(customer=7).id == id
        assert sync.enqueue(7, False, note="").id == id
        assert sync.enqueue(7, True).id != id

    @pytest.mark.parametrize(("args", "same", "other"), [
        (("customer",), [(7, True, "x"), (7, False, "")], [(8, False, "")]),
        (("full", "customer"), [(7, False, "x")], [(7, True, ""), (8, False, "")]),
        ((), [(8, True, "x")], []),
    ])
    def test_by_some_arguments(self, app: Penstock, sync: Any, engine: Engine, args: tuple[str, ...],
                               same: list[Any], other: list[Any]):
        launch = sync.using(unique=Unique(args=args))
        id = launch.enqueue(7).id
        assert [launch.enqueue(*each).id for each in same] == [id] * len(same)
        assert all(not launch.enqueue(*each).skipped for each in other)

    def test_tasks_do_not_share_keys(self, app: Penstock, sync: Any, engine: Engine):
        other = app.task(lambda customer: None, name="other", unique=Unique(args=("customer",)))
        assert not sync.using(unique=Unique(args=("customer",))).enqueue(7).skipped
        assert not other.enqueue(7).skipped

    def test_arguments_that_nobody_has(self, app: Penstock, sync: Any):
        with pytest.raises(InvalidArguments, match="unique: no parameter 'custmer'; did you mean 'customer'"):
            sync.using(unique=Unique(args=("custmer",)))
        with pytest.raises(DeclarationError, match="no parameter 'a'"):
            app.task(lambda b: None, name="wrong", unique=Unique(args=("a",)))

    def test_without_a_key_nothing_is_met(self, app: Penstock, engine: Engine):
        plain = app.task(lambda number: None, name="plain")
        assert not any(plain.enqueue(1).skipped for _ in range(3))


class TestInBulk:
    def test_doubles_inside_of_one_bulk(self, app: Penstock, sync: Any, engine: Engine, clock: Clock):
        made = app.enqueue_many(sync.call(number % 3) for number in range(9))
        assert [job.skipped for job in made] == [False] * 3 + [True] * 6
        assert [job.id for job in made[:3]] * 3 == [job.id for job in made]
        assert clock.fetch("select count(*) from penstock.jobs") == [(3,)]

    def test_mixed_with_jobs_that_have_no_key(self, app: Penstock, sync: Any, engine: Engine, clock: Clock):
        plain = app.task(lambda number: None, name="plain")
        there = sync.enqueue(1)
        made = app.enqueue_many([plain.call(1), sync.call(1), plain.call(1), sync.call(2), sync.call(2), plain.call(1)])
        assert [job.skipped for job in made] == [False, True, False, False, True, False]
        assert (made[1].id, made[4].id) == (there.id, made[3].id)
        assert [job.task for job in made] == ["plain", "sync", "plain", "sync", "sync", "plain"]
        assert len(engine.claim("default", 20)) == 5
        assert set(clock.fetch("select id, task from penstock.jobs where task = 'sync'")) == {
            (there.id, "sync"), (made[3].id, "sync")}

    def test_many(self, app: Penstock, sync: Any, engine: Engine):
        app.enqueue_many(sync.call(number) for number in range(0, 3_000, 2))
        made = app.enqueue_many(sync.call(number) for number in range(3_000))
        assert [job.skipped for job in made] == [number % 2 == 0 for number in range(3_000)]

    def test_one_look_up_for_each_job(self, app: Penstock, sync: Any, engine: Engine, store_url: str):
        """The plan: the unique index is entered by the key, and the table of keys is never read through."""
        app.enqueue_many(sync.call(number) for number in range(2_000))
        name, params = plan([sync.call(number) for number in range(50)])
        assert name == "enqueue_unique"
        compiled = statement(name, app.store.dialect)
        if app.store.dialect == "sqlite":
            import json

            given = {key: json.dumps(value) if isinstance(value, list) else value for key, value in params.items()}
            with closing(caller(store_url)) as connection:
                lines = [row[3] for part in compiled.parts
                         for row in connection.execute(f"explain query plan {part}", given)]
            keys = [line for line in lines if "unique_keys" in line or line.split()[1:2] == ["u"]]
            assert keys
            assert not [line for line in keys if line.startswith("SCAN")], keys
            return
        with closing(caller(store_url)) as connection:
            connection.execute("analyze")
            found = connection.execute(f"explain (analyze, format json) {compiled.sql}", params).fetchone()[0]
            connection.rollback()
        nodes = list(walk(found[0]["Plan"]))
        assert not [node for node in nodes if node.get("Relation Name") == "unique_keys"
                    and node["Node Type"] == "Seq Scan"]
        (insert,) = [node for node in nodes if node.get("Relation Name") == "unique_keys"]
        assert (insert["Conflict Resolution"], insert["Conflict Arbiter Indexes"], insert["Tuples Inserted"],
                insert["Conflicting Tuples"]) == ("UPDATE", ["unique_keys_pkey"], 0, 50)


def walk(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for each in plan.get("Plans", ()):
        yield from walk(each)


class TestItsEnd:
    @pytest.mark.parametrize("state", ["completed", "cancelled", "discarded"])
    def test_it_is_free_when_the_job_has_ended(self, sync: Any, engine: Engine, clock: Clock, state: str):
        id = sync.enqueue(7).id
        assert end(engine, state) == id
        assert clock.fetch("select count(*) from penstock.unique_keys") == [(0,)]
        assert not sync.enqueue(7).skipped

    @pytest.mark.parametrize("waiting", ["available", "scheduled", "retryable"])
    def test_it_is_free_when_the_job_was_cancelled(self, app: Penstock, sync: Any, engine: Engine, waiting: str):
        id = sync.using(run_after=timedelta(hours=1) if waiting == "scheduled" else None).enqueue(7).id
        if waiting == "retryable":
            end(engine, "retryable", delay_ms=60_000)
        assert app.cancel(id) == JobState.CANCELLED
        assert not sync.enqueue(7).skipped

    def test_it_is_free_when_the_job_was_invalidated(self, app: Penstock, sync: Any, engine: Engine):
        sync.using(tags=["t"]).enqueue(7)
        app.invalidate("t")
        (job,) = engine.claim("default")
        assert job.stale == "invalidated"
        assert sync.enqueue(7).skipped  # its turn has not come yet
        settle(app.store, [Outcome(job.id, job.lease, "cancelled", counted=0, keep_ms=DAY_MS)])
        assert not sync.enqueue(7).skipped

    def test_it_is_kept_while_the_job_goes_on(self, app: Penstock, sync: Any, engine: Engine, clock: Clock):
        id = sync.using(run_after=timedelta(seconds=5)).enqueue(7).id
        steps = [lambda: clock.advance(5), app.upkeep().stage, lambda: end(engine, "retryable", delay_ms=1_000),
                 lambda: clock.advance(1), app.upkeep().stage,
                 lambda: end(engine, "scheduled", counted=0, delay_ms=1_000),
                 lambda: clock.advance(1), app.upkeep().stage, lambda: claimed.extend(engine.claim("default"))]
        claimed: list[Any] = []
        for step in steps:
            assert sync.enqueue(7).id == id
            step()
        assert sync.enqueue(7).id == id
        release(app.store, [(claimed[0].id, claimed[0].lease)])
        assert sync.enqueue(7).id == id

    def test_a_snooze_keeps_it(self, app: Penstock, engine: Engine, clock: Clock):
        task = app.task(lambda: Snooze(timedelta(minutes=1)), name="snoozing", unique=Unique())
        id = task.enqueue().id
        (job,) = engine.claim("default")
        settle(app.store, [engine.execute(job)])
        assert clock.fetch("select state from penstock.jobs") == [("scheduled",)]
        assert task.enqueue().id == id

    def test_a_dead_workers_key_goes_with_its_job(self, app: Penstock, sync: Any, engine: Engine, clock: Clock):
        id = sync.enqueue(7).id
        assert engine.claim("default")
        clock.advance(31)
        assert sync.enqueue(7).id == id
        assert app.upkeep().rescue() == 1
        engine.register()
        assert end(engine, "completed") == id
        assert not sync.enqueue(7).skipped

    def test_one_that_loses_its_last_worker_frees_it(self, app: Penstock, engine: Engine, clock: Clock):
        task = app.task(lambda: None, name="deadly", unique=Unique(), retry=RetryPolicy(max_attempts=1))
        id = task.enqueue().id
        for _ in range(3):
            assert task.enqueue().id == id
            assert engine.claim("default")
            clock.advance(31)
            app.upkeep().rescue()
            engine.register()
        assert clock.fetch("select state from penstock.jobs") == [("discarded",)]
        assert not task.enqueue().skipped


class TestStates:
    def test_kept_beyond_the_end(self, app: Penstock, sync: Any, engine: Engine, clock: Clock):
        launch = sync.using(unique=Unique(states=(*LIVE_STATES, "completed")))
        id = launch.enqueue(7).id
        end(engine, "completed", keep_ms=60_000)
        assert launch.enqueue(7) == Job(id, "sync", "default", skipped=True)
        clock.advance(60)  # the job is pruned then, and its key with it
        assert not launch.enqueue(7).skipped

    def test_not_kept_after_another_end(self, app: Penstock, sync: Any, engine: Engine):
        launch = sync.using(unique=Unique(states=(*LIVE_STATES, "completed")))
        launch.enqueue(7)
        end(engine, "discarded")
        assert not launch.enqueue(7).skipped

    def test_only_while_it_waits_for_its_time(self, app: Penstock, sync: Any, engine: Engine, clock: Clock):
        launch = sync.using(unique=Unique(states=("scheduled",)), run_after=timedelta(seconds=10))
        now = sync.using(unique=Unique(states=("scheduled",)))
        id = launch.enqueue(7).id
        assert launch.enqueue(7).id == id
        assert now.enqueue(7).id == id  # it meets the one that waits
        clock.advance(10)
        app.upkeep().stage()
        assert not launch.enqueue(7).skipped
        assert len(engine.claim("default", 9)) == 1

    def test_what_is_due_at_once_has_no_key_that_it_could_keep(self, app: Penstock, sync: Any, engine: Engine):
        now = sync.using(unique=Unique(states=("scheduled",)))
        assert not any(now.enqueue(7).skipped for _ in range(3))
        assert len(engine.claim("default", 9)) == 3

    def test_sets_that_cannot_be(self):
        with pytest.raises(DeclarationError, match="must include executing, retryable, or a job could leave the set"):
            Unique(states=("scheduled", "available"))
        with pytest.raises(DeclarationError, match="expected states to include 'scheduled', got executing"):
            Unique(states=("executing",))
        with pytest.raises(DeclarationError, match="'complete' is no state of a job; did you mean 'completed'"):
            Unique(states=(*LIVE_STATES, "complete"))


class TestPeriod:
    def test_it_bounds_how_long_a_key_is_kept(self, app: Penstock, sync: Any, engine: Engine, clock: Clock):
        launch = sync.using(unique=Unique(period=timedelta(minutes=5)))
        id = launch.enqueue(7).id
        clock.advance(299.999)
        assert launch.enqueue(7).id == id
        clock.advance(0.001)
        second = launch.enqueue(7)
        assert not second.skipped
        assert launch.enqueue(7).id == second.id
        engine.register()
        end(engine, "completed")  # the first one's end leaves the second one's key alone
        assert launch.enqueue(7).id == second.id

    def test_keys_past_it_are_pruned(self, app: Penstock, sync: Any, engine: Engine, clock: Clock):
        for number in range(5):
            sync.using(unique=Unique(period=timedelta(minutes=5))).enqueue(number)
        sync.enqueue(9)
        clock.advance(300)
        app.upkeep().prune()
        assert clock.fetch("select count(*) from penstock.unique_keys") == [(1,)]

    @pytest.mark.parametrize("period", [timedelta(0), timedelta(seconds=-1), 5])
    def test_one_that_cannot_be(self, period: Any):
        with pytest.raises(DeclarationError, match="expected period to be a timedelta above zero"):
            Unique(period=period)


class TestRequeueing:
    def test_it_takes_its_key_again(self, app: Penstock, sync: Any, engine: Engine):
        id = sync.enqueue(7).id
        end(engine, "discarded")
        assert app.requeue(id)
        assert sync.enqueue(7).id == id
        assert end(engine, "completed") == id
        assert not sync.enqueue(7).skipped

    def test_not_where_another_has_it(self, app: Penstock, sync: Any, engine: Engine, clock: Clock):
        id = sync.enqueue(7).id
        end(engine, "discarded")
        other = sync.enqueue(7).id
        assert not app.requeue(id)
        assert clock.fetch(f"select state from penstock.jobs where id = {id}") == [("discarded",)]
        end(engine, "completed")
        assert app.requeue(id)
        assert sync.enqueue(7).id == id != other

    def test_where_the_others_has_outlived_its_period(self, app: Penstock, sync: Any, engine: Engine, clock: Clock):
        id = sync.enqueue(7).id
        end(engine, "discarded")
        sync.using(unique=Unique(period=timedelta(seconds=10))).enqueue(7)
        assert not app.requeue(id)
        clock.advance(10)
        assert app.requeue(id)
        assert sync.enqueue(7).id == id


class TestRaces:
    def test_of_many_that_race_one_is_enqueued(self, app: Penstock, sync: Any, engine: Engine, clock: Clock):
        together = threading.Barrier(6)

        def enqueue(_: int) -> list[Job]:
            together.wait(60)
            return [sync.enqueue(number) for number in range(15)] + app.enqueue_many(
                sync.call(number) for number in range(30, 0, -1))

        with ThreadPoolExecutor(6) as pool:
            found = [job for jobs in pool.map(enqueue, range(6)) for job in jobs]
        assert clock.fetch("select count(*) from penstock.jobs") == [(31,)]
        assert sum(not job.skipped for job in found) == 31
        assert len({job.id for job in found}) == 31

    def test_whoever_comes_second_waits_for_the_first_one_to_commit(
            self, app: Penstock, sync: Any, engine: Engine, store_url: str, clock: Clock):
        if app.store.dialect == "sqlite":
            return  # there is one writer
        for outcome in ("commit", "rollback"):
            number = 7 if outcome == "commit" else 8
            with closing(caller(store_url)) as connection, ThreadPoolExecutor(1) as pool:
                first = sync.using(connection=connection).enqueue(number)
                second = pool.submit(sync.enqueue, number)
                while not clock.fetch("select 1 from pg_locks where not granted"):
                    assert not second.done()
                getattr(connection, outcome)()
                found = second.result(60)
                assert (found.skipped, found.id == first.id) == (outcome == "commit", outcome == "commit")

    def test_a_skip_holds_the_job_that_was_met_back(
            self, app: Penstock, sync: Any, engine: Engine, store_url: str, clock: Clock):
        """Until the transaction that skipped it has ended: it must not begin before what was changed can be seen."""
        if app.store.dialect == "sqlite":
            return  # its one writer holds every claim back by itself: see below
        id = sync.enqueue(7).id
        other = sync.enqueue(8).id
        for outcome in ("rollback", "commit"):
            with closing(caller(store_url)) as connection:
                assert sync.using(connection=connection).enqueue(7).id == id
                found = engine.claim("default", 9)
                assert [job.id for job in found] == [other]
                release(app.store, [(job.id, job.lease) for job in found], [found[0].lease])
                getattr(connection, outcome)()
        assert [job.id for job in engine.claim("default", 9)] == [id, other]

    def test_a_skip_on_sqlite_holds_every_claim_back(
            self, app: Penstock, sync: Any, engine: Engine, store_url: str):
        if app.store.dialect == "postgres":
            return
        id = sync.enqueue(7).id
        with closing(caller(store_url)) as connection, ThreadPoolExecutor(1) as pool:
            assert sync.using(connection=connection).enqueue(7).id == id
            claiming = pool.submit(engine.claim, "default", 9)
            assert not claiming.done()
            connection.commit()
            assert [job.id for job in claiming.result(60)] == [id]
