"""Replacing while others claim, settle, stage and enqueue: nothing is missed, nobody waits, and the newest wins."""

import asyncio
import threading
from collections import defaultdict
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, contextmanager
from datetime import timedelta
from typing import Any

import msgspec
import psycopg
import pytest

from penstock import Job, Penstock, Unique
from penstock.domain.jobs import Claimed, Outcome
from penstock.queue.claim import LOWEST, claim, settle
from penstock.store.postgres.arrays import written
from penstock.store.statements import numbered
from tests.caller import caller
from tests.clock import Clock
from tests.conformance.test_replace import all_is_well, ends, notes, told
from tests.engine import Engine
from tests.waiting import until

on_postgres = pytest.mark.parametrize("store_url", ["postgres"], indirect=True)
REPLACE = Unique(args=("customer",), conflict="replace")


@pytest.fixture
def sync(app: Penstock) -> Any:
    @app.task(name="sync", unique=REPLACE)
    def sync(customer: int, note: str = "") -> None: ...

    return sync


@pytest.fixture
def engine(app: Penstock, sync: Any, clock: Clock) -> Engine:
    return Engine(app, clock)


@contextmanager
def halfway(app: Penstock, url: str, name: str, **params: Any) -> Iterator[Any]:
    """A statement of the engine's on a connection of its own, carried out and not yet committed."""
    text, names = numbered(app.store.compile(name).sql)
    with closing(psycopg.connect(url)) as connection:
        psycopg.RawCursor(connection).execute(text.encode(), [written(params[each]) for each in names])
        yield connection


def waits(clock: Clock, future: "Future[Job]") -> None:
    """Until somebody waits for a lock."""
    until("the other one waits", lambda: future.done() or clock.fetch("select 1 from pg_locks where not granted"))
    assert not future.done()


@on_postgres
class TestWhatWasCommittedMeanwhile:
    """Between the beginning of a statement and the lock that it waited for."""

    def test_a_claim(self, app: Penstock, sync: Any, engine: Engine, clock: Clock, store_url: str):
        first = sync.enqueue(7, note="old")
        claiming = {"worker_id": engine.worker_id, "queue": "default", "count": 9, "after": LOWEST, "after_id": LOWEST,
                    "found": "[]", "rows": 9}
        with halfway(app, store_url, "claim", **claiming) as other, ThreadPoolExecutor(1) as pool:
            replacing = pool.submit(sync.enqueue, 7, note="new")
            waits(clock, replacing)
            other.commit()
            behind = replacing.result(30)
        assert (behind.id != first.id, behind.replaced) == (True, False)
        all_is_well(clock, app)

    def test_a_stage(self, app: Penstock, sync: Any, engine: Engine, clock: Clock, store_url: str):
        first = sync.using(run_after=timedelta(seconds=5)).enqueue(7, note="old")
        clock.advance(5)
        with halfway(app, store_url, "stage", count=9, after=0) as other, ThreadPoolExecutor(1) as pool:
            replacing = pool.submit(sync.enqueue, 7, note="new")
            waits(clock, replacing)
            other.commit()
            assert replacing.result(30) == Job(first.id, "sync", "default", replaced=True)
        all_is_well(clock, app)
        assert notes(engine.claim("default", 9)) == ["new"]

    def test_a_cancellation(self, app: Penstock, sync: Any, engine: Engine, clock: Clock, store_url: str):
        first = sync.using(run_after=timedelta(seconds=5)).enqueue(7, note="old")
        with (halfway(app, store_url, "cancel", id=first.id, keep_ms=5, reason="", state="cancelled") as other,
              ThreadPoolExecutor(1) as pool):
            replacing = pool.submit(sync.enqueue, 7, note="new")
            waits(clock, replacing)
            other.commit()
            again = replacing.result(30)
        assert (again.id != first.id, again.replaced) == (True, False)
        all_is_well(clock, app)

    @pytest.mark.parametrize("outcome", ["commit", "rollback"])
    def test_the_enqueue_of_what_is_met(self, app: Penstock, sync: Any, engine: Engine, clock: Clock, store_url: str,
                                        outcome: str):
        with closing(caller(store_url)) as connection, ThreadPoolExecutor(1) as pool:
            first = sync.using(connection=connection).enqueue(7, note="old")
            replacing = pool.submit(sync.enqueue, 7, note="new")
            waits(clock, replacing)
            getattr(connection, outcome)()
            found = replacing.result(30)
            assert (found.replaced, found.id == first.id) == (outcome == "commit", outcome == "commit")
        all_is_well(clock, app)
        assert notes(engine.claim("default", 9)) == ["new"]


@on_postgres
class TestAnOpenTransaction:
    @pytest.mark.parametrize("outcome", ["commit", "rollback"])
    def test_it_holds_back_what_it_replaces(self, app: Penstock, sync: Any, engine: Engine, clock: Clock,
                                            store_url: str, outcome: str):
        """And nobody waits for it: neither claims nor stages nor admissions."""
        lined = app.task(name="lined", serial="customer", unique=REPLACE)(lambda customer, note="": None)
        met = {task.name: task.enqueue(7, note="old").id for task in (sync, lined)}
        later = sync.using(run_after=timedelta(seconds=5)).enqueue(8, note="old")
        other = sync.enqueue(9, note="other")
        with closing(caller(store_url)) as connection:
            using = app.using(connection=connection)
            made = using.enqueue_many([sync.call(7, note="new"), lined.call(7, note="new"), sync.call(8, note="new")])
            assert [job.id for job in made] == [met["sync"], met["lined"], later.id]
            assert all(job.replaced for job in made)
            clock.advance(5)
            engine.register()
            told(engine)
            (job,) = engine.claim("default", 9)
            assert job.id == other.id
            ends(engine, job)
            getattr(connection, outcome)()
        clock.advance(1)
        told(engine)
        found = engine.claim("default", 9)
        assert sorted(job.id for job in found) == sorted([*met.values(), later.id])
        assert notes(found) == ["new" if outcome == "commit" else "old"] * 3
        all_is_well(clock, app)

    @pytest.mark.parametrize("outcome", ["commit", "rollback"])
    def test_a_cancellation_waits_for_what_it_is_to_cancel(self, app: Penstock, engine: Engine, clock: Clock,
                                                           store_url: str, outcome: str):
        """Whose rows lie elsewhere then; and the two never wait for each other."""
        lined = app.task(name="lined", serial="line", unique=REPLACE)(lambda customer, line="a": None)
        met = lined.enqueue(7)
        with closing(caller(store_url)) as connection, ThreadPoolExecutor(1) as pool:
            assert lined.using(unique=Unique(args=("customer",)), connection=connection).enqueue(7).skipped
            cancelling = pool.submit(app.cancel, met.id)
            until("it waits", lambda: clock.fetch("select 1 from pg_locks where not granted"))
            assert lined.using(connection=connection).enqueue(7, line="b").replaced
            getattr(connection, outcome)()
            assert cancelling.result(30) == "cancelled"
        all_is_well(clock, app)
        told(engine)
        assert clock.fetch("select line from penstock.lines") == []

    @pytest.mark.parametrize("outcome", ["commit", "rollback"])
    def test_it_keeps_no_settle_waiting(self, app: Penstock, sync: Any, engine: Engine, clock: Clock, store_url: str,
                                        outcome: str):
        sync.enqueue(7, note="old")
        (running,) = engine.claim("default", 9)
        with closing(caller(store_url)) as connection:
            behind = sync.using(connection=connection).enqueue(7, note="new")
            ends(engine, running)
            told(engine)
            assert engine.claim("default", 9) == []
            getattr(connection, outcome)()
        app.upkeep().step()
        told(engine)
        if outcome == "commit":
            (job,) = engine.claim("default", 9)
            assert (job.id, notes([job])) == (behind.id, ["new"])
        else:
            assert not sync.enqueue(7).replaced
        all_is_well(clock, app)

    def test_one_that_is_released_from_its_wait_is_held_back_too(self, app: Penstock, sync: Any, engine: Engine,
                                                                 clock: Clock, store_url: str):
        sync.enqueue(7, note="old")
        (running,) = engine.claim("default", 9)
        behind = sync.enqueue(7, note="new")
        told(engine)
        with closing(caller(store_url)) as connection:
            assert sync.using(connection=connection).enqueue(7, note="newest").id == behind.id
            ends(engine, running)
            told(engine)
            assert engine.claim("default", 9) == []
            connection.commit()
        told(engine)
        assert notes(engine.claim("default", 9)) == ["newest"]
        all_is_well(clock, app)


@on_postgres
class TestASnapshotThatIsOlder:
    """A caller with REPEATABLE READ sees what was; the database refuses what it would get wrong."""

    @pytest.fixture
    def theirs(self, store_url: str, sync: Any, engine: Engine) -> Iterator[Any]:
        with closing(psycopg.connect(store_url)) as connection:
            connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
            yield connection

    def test_what_was_claimed_since_is_not_replaced(self, app: Penstock, sync: Any, engine: Engine, clock: Clock,
                                                    theirs: Any):
        sync.enqueue(7, note="old")
        theirs.execute("select count(*) from penstock.live_jobs")
        assert engine.claim("default", 9)
        with pytest.raises(psycopg.errors.SerializationFailure):
            sync.using(connection=theirs).enqueue(7, note="new")
        theirs.rollback()
        behind = sync.using(connection=theirs).enqueue(7, note="new")
        theirs.commit()
        assert not behind.replaced
        all_is_well(clock, app)

    def test_what_was_given_back_since_goes_first(self, app: Penstock, sync: Any, engine: Engine, clock: Clock,
                                                  theirs: Any):
        sync.enqueue(7, note="old")
        (running,) = engine.claim("default", 9)
        theirs.execute("select count(*) from penstock.live_jobs")
        ends(engine, running, "available", counted=0)
        behind = sync.using(connection=theirs).enqueue(7, note="new")
        theirs.commit()
        told(engine)
        (job,) = engine.claim("default", 9)
        assert notes([job]) == ["old"]
        ends(engine, job)
        told(engine)
        assert [each.id for each in engine.claim("default", 9)] == [behind.id]
        all_is_well(clock, app)


def test_it_may_be_awaited(app: Penstock, sync: Any, engine: Engine, clock: Clock):
    async def enqueue() -> list[Job]:
        return [await sync.aenqueue(7, note=note) for note in ("old", "new")]

    first, again = asyncio.run(enqueue())
    assert again == Job(first.id, "sync", "default", replaced=True)
    all_is_well(clock, app)
    assert notes(engine.claim("default", 9)) == ["new"]


class Crowd:
    """Enqueuers and workers at once. Each key has one enqueuer that counts upwards; two bulk callers take turns at
    others, in opposite orders."""

    KEYS, TIMES, WORKERS = 4, 12, 2

    def __init__(self, engine: Engine, sync: Any) -> None:
        self.engine, self.app, self.sync = engine, engine.app, sync
        self.ran: dict[int, list[int]] = defaultdict(list)
        self.running: set[int] = set()
        self.lock = threading.Lock()
        self.enqueued = threading.Event()
        self.together = threading.Barrier(self.KEYS + 2 + self.WORKERS, timeout=60)

    def counts_up(self, key: int) -> None:
        self.together.wait()
        for number in range(self.TIMES):
            self.sync.enqueue(key, note=str(number))

    def in_bulk(self, step: int) -> None:
        self.together.wait()
        keys = range(100, 130)[::step]
        for number in range(self.TIMES):
            jobs = self.app.enqueue_many(self.sync.call(key, note=str(number)) for key in keys)
            assert len({job.id for job in jobs}) == len(keys)

    def works(self, _: int) -> None:
        self.together.wait()
        while not self.enqueued.is_set() or self.left():
            for job in claim(self.app.store.control, self.engine.worker_id, {"default": 5}):
                self.run(job)

    def run(self, job: Claimed) -> None:
        arguments = msgspec.json.decode(job.arguments)
        key = arguments["customer"]
        with self.lock:
            assert key not in self.running, "of one key one runs"
            self.running.add(key)
            self.ran[key].append(int(arguments["note"]))
            self.running.remove(key)
        assert settle(self.app.store.control, [Outcome(job.id, job.lease, "completed", keep_ms=60_000)]) == set()

    def left(self) -> bool:
        told(self.engine)
        return bool(self.app.store.look("jobs_waiting", {"task": None})) or bool(
            [each for each in self.app.counts() if each.state not in ("completed",)])


def test_a_crowd_misses_nothing(app: Penstock, sync: Any, engine: Engine, clock: Clock):
    crowd = Crowd(engine, sync)
    with ThreadPoolExecutor(crowd.KEYS + 2 + crowd.WORKERS) as pool:
        enqueuers: list[Callable[[], None]] = [*(lambda key=key: crowd.counts_up(key) for key in range(crowd.KEYS)),
                                               lambda: crowd.in_bulk(1), lambda: crowd.in_bulk(-1)]
        workers = [pool.submit(crowd.works, number) for number in range(crowd.WORKERS)]
        enqueuing = [pool.submit(each) for each in enqueuers]
        try:
            for each in enqueuing:
                each.result(120)
        finally:
            crowd.enqueued.set()
        for each in workers:
            each.result(120)
    for key in range(crowd.KEYS):
        assert crowd.ran[key] == sorted(set(crowd.ran[key])), "never anything older after what is newer"
        assert crowd.ran[key][-1] == crowd.TIMES - 1, "the last is not missed"
    assert all(crowd.ran[key][-1] == crowd.TIMES - 1 for key in range(100, 130))
    assert clock.fetch("select count(*) from penstock.unique_keys") == [(0,)]
    all_is_well(clock, app)
