"""A worker, whole: real threads, real loops, real time; short leases, and events instead of sleeps."""

import asyncio
import logging
import threading
from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest

from penstock import Penstock, RetryPolicy
from penstock.app import SYNC_QUEUE
from penstock.domain.errors import StaleLease, Stopping, StoreUnavailable
from penstock.events import Event, JobFailed, JobsRescued, LoopFailed, StaleSettle, WorkerReplaced, WorkerStopped
from penstock.queue.attempt import current
from penstock.queue.claim import claim_queue
from penstock.worker import Worker, claiming
from tests.clock import Clock
from tests.waiting import until

DEADLINE_SECONDS = 20.0
Serving = Callable[..., Worker]


@pytest.fixture
def app(store_url: str) -> Iterator[Penstock]:
    """An app on real time: a lease of 0.6 s is renewed each 0.2 s."""
    with Penstock(store_url, lease_seconds=0.6, poll_seconds=0.05, grace_seconds=10) as app:
        yield app


@pytest.fixture
def go() -> threading.Event:
    """What tasks that wait wait for."""
    return threading.Event()


@pytest.fixture
def serving(app: Penstock, go: threading.Event) -> Iterator[Serving]:
    """Starts a worker, which is stopped at the end at the latest."""
    workers: list[Worker] = []

    def start(queues: dict[str, int] | None = None) -> Worker:
        worker = app.worker(queues)
        workers.append(worker)
        worker.start()
        return worker

    yield start
    go.set()
    for worker in workers:
        worker.stop()


@pytest.fixture
def events(app: Penstock) -> list[Event]:
    told: list[Event] = []
    app.listen(told.append)
    return told


def states(clock: Clock) -> dict[str, int]:
    return dict(clock.fetch("select state, count(*) from penstock.jobs group by state"))  # type: ignore[arg-type]


def all_completed(clock: Clock, count: int) -> Callable[[], bool]:
    return lambda: states(clock) == {"completed": count}


def test_it_runs_what_it_finds_and_what_comes(app: Penstock, clock: Clock, serving: Serving):
    ran: list[int] = []

    @app.task
    def plain(number: int) -> None:
        ran.append(number)

    @app.task(queue="other")
    async def asynchronous(number: int) -> None:
        await asyncio.to_thread(str)
        ran.append(number)

    plain.enqueue(1)
    worker = serving()
    worker.start()
    asynchronous.enqueue(2)
    app.enqueue_many(plain.call(number) for number in range(3, 50))
    until("all jobs completed", all_completed(clock, 49))
    worker.stop()
    worker.stop()
    assert sorted(ran) == list(range(1, 50))
    assert clock.fetch("select count(*) from penstock.workers") == [(0,)]


def test_never_more_at_once_than_slots(app: Penstock, clock: Clock, serving: Serving):
    lock, running, most = threading.Lock(), 0, 0
    together = threading.Barrier(3)

    @app.task
    def work() -> None:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        together.wait(10)  # three do run at once
        with lock:
            running -= 1

    app.enqueue_many(work.call() for _ in range(30))
    worker = serving({"default": 3})
    until("all jobs completed", all_completed(clock, 30))
    worker.stop()
    assert most == 3


@pytest.mark.parametrize("colour", ["threads", "event loop"])
def test_the_heartbeat_goes_on_while_tasks_block_everything(
        app: Penstock, clock: Clock, events: list[Event], colour: str, serving: Serving, go: threading.Event):
    """For three times the lease: every slot's thread is busy, or a task blocks the event loop of all others."""
    runs: list[str] = []

    @app.task
    def busy() -> None:
        runs.append("busy")
        go.wait(DEADLINE_SECONDS)

    @app.task(name="blocking")
    async def blocking() -> None:
        runs.append("blocking")
        go.wait(DEADLINE_SECONDS)  # as an async task must not

    app.enqueue_many((busy if colour == "threads" else blocking).call() for _ in range(2))
    worker = serving({"default": 2})
    until("a task blocks", lambda: runs)
    (id, first), = clock.fetch("select id, expires_at from penstock.workers")
    until("renewals", lambda: clock.fetch("select expires_at from penstock.workers")[0][0] > first + 1_800)
    go.set()
    until("both completed", all_completed(clock, 2))
    worker.stop()
    assert len(runs) == 2
    assert not [event for event in events if isinstance(event, WorkerReplaced | StaleSettle | JobsRescued)]
    assert id


def test_a_soft_stop_waits_for_what_runs(app: Penstock, clock: Clock, serving: Serving, go: threading.Event):
    began = threading.Event()

    @app.task
    def work() -> None:
        began.set()
        go.wait(DEADLINE_SECONDS)

    work.enqueue()
    worker = serving()
    assert began.wait(DEADLINE_SECONDS)
    stopping = threading.Thread(target=worker.stop)
    stopping.start()
    until("claiming has ended", lambda: "penstock-claim" not in {thread.name for thread in threading.enumerate()})
    later = work.enqueue()
    go.set()
    stopping.join(DEADLINE_SECONDS)
    assert not stopping.is_alive()
    assert clock.fetch("select id, state, attempt from penstock.jobs order by id") == [
        (later.id - 1, "completed", 1), (later.id, "available", 0)]


@pytest.mark.parametrize("colour", ["thread", "event loop"])
def test_a_soft_stop_gives_back_what_does_not_end(
        store_url: str, clock: Clock, colour: str, caplog: pytest.LogCaptureFixture, go: threading.Event):
    began = threading.Event()
    with Penstock(store_url, grace_seconds=0.2) as app:
        events: list[Event] = []
        app.listen(events.append)

        @app.task
        def work() -> None:
            began.set()
            go.wait(DEADLINE_SECONDS)

        @app.task(name="waiting")
        async def waiting() -> None:
            began.set()
            await asyncio.Event().wait()

        (work if colour == "thread" else waiting).enqueue()
        worker = app.worker()
        worker.start()
        assert began.wait(DEADLINE_SECONDS)
        worker.stop()
        assert clock.fetch("select state, attempt, worker_id, lease from penstock.jobs") == [
            ("available", 0, None, None)]
        assert [event.given_back for event in events if isinstance(event, WorkerStopped)] == [1]
        assert not [event for event in events if isinstance(event, JobFailed)]
        go.set()


def test_a_task_that_asks_whether_to_go_on_stops_at_once(app: Penstock, clock: Clock, serving: Serving):
    began, stopped = threading.Event(), threading.Event()

    @app.task
    def work() -> None:
        began.set()
        pause = threading.Event()
        try:
            for _ in range(2_000):
                current.get().check()
                pause.wait(0.01)
        except Stopping:
            stopped.set()
            raise

    work.enqueue()
    worker = serving()
    assert began.wait(DEADLINE_SECONDS)
    worker.stop()
    assert stopped.is_set()
    assert clock.fetch("select state, attempt from penstock.jobs") == [("available", 0)]


def test_a_worker_whose_row_is_gone_begins_again_as_another(
        app: Penstock, clock: Clock, events: list[Event], serving: Serving, go: threading.Event):
    began, outcomes = threading.Event(), []

    @app.task(retry=RetryPolicy(base_seconds=0))
    def work() -> None:
        attempt = current.get()
        if attempt.job.attempt > 1:
            outcomes.append("second")
            return
        began.set()
        go.wait(DEADLINE_SECONDS)
        try:
            attempt.check()
        except StaleLease:
            outcomes.append("stale")
            raise

    work.enqueue()
    worker = serving({"default": 2})
    assert began.wait(DEADLINE_SECONDS)
    (lost,), = clock.fetch("select id from penstock.workers")
    assert app.store.write(lambda tx: tx.execute("worker_stop", {"worker_id": lost})) == 1
    until("the job ran again, in the same process, under another identity", lambda: "second" in outcomes)
    until("the second attempt settled", all_completed(clock, 1))
    go.set()
    until("the first one's end was dropped", lambda: [event for event in events if isinstance(event, StaleSettle)])
    worker.stop()
    assert sorted(outcomes) == ["second", "stale"]
    assert len([event for event in events if isinstance(event, WorkerReplaced)]) == 1
    assert states(clock) == {"completed": 1}


def test_a_slot_that_a_lost_attempt_holds_is_not_given_away(
        app: Penstock, clock: Clock, events: list[Event], serving: Serving, go: threading.Event):
    """The only slot is taken by an attempt whose lease is lost: its job must not be claimed to wait behind it."""
    began = threading.Event()

    @app.task
    def work() -> None:
        if not began.is_set():
            began.set()
            go.wait(DEADLINE_SECONDS)

    work.enqueue()
    worker = serving({"default": 1})
    assert began.wait(DEADLINE_SECONDS)
    (lost,), = clock.fetch("select id from penstock.workers")
    app.store.write(lambda tx: tx.execute("worker_stop", {"worker_id": lost}))
    until("the job was rescued", lambda: states(clock) == {"available": 1})
    until("the worker began again", lambda: [event for event in events if isinstance(event, WorkerReplaced)])
    (renewed,), = clock.fetch("select max(expires_at) from penstock.workers")
    until("time went by", lambda: clock.fetch("select max(expires_at) from penstock.workers")[0][0] > renewed)
    assert states(clock) == {"available": 1}
    go.set()
    until("the job ran when the slot was free", all_completed(clock, 1))
    worker.stop()


def test_a_claim_whose_answer_was_lost_is_given_back(
        app: Penstock, clock: Clock, events: list[Event], monkeypatch: pytest.MonkeyPatch, serving: Serving):
    """Committed, and nobody knows: the worker lives, so nobody would rescue these jobs."""
    ran = threading.Event()

    @app.task
    def work() -> None:
        assert current.get().job.attempt == 1
        ran.set()

    lost: list[Any] = []

    def losing(*arguments: Any) -> Any:
        claimed = claim_queue(*arguments)
        if claimed and not lost:
            lost.extend(claimed)
            raise StoreUnavailable("the connection was lost while COMMIT was answered")
        return claimed

    monkeypatch.setattr(claiming, "claim_queue", losing)
    work.enqueue()
    worker = serving()
    assert ran.wait(DEADLINE_SECONDS)
    until("it ran and settled", all_completed(clock, 1))
    worker.stop()
    assert len(lost) == 1
    assert [event for event in events if isinstance(event, LoopFailed) and event.loop == "claim"]
    assert JobsRescued(available=1, discarded=0) in events


class Unspeakable(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no words for it")


@pytest.mark.parametrize("error", [Unspeakable(), SystemExit(3), KeyboardInterrupt(), ValueError("\ud800 and \0"),
                                   RecursionError("x" * 100_000)], ids=lambda error: type(error).__name__)
def test_whatever_a_task_raises_its_slot_goes_on(
        app: Penstock, clock: Clock, events: list[Event], error: BaseException, serving: Serving):
    @app.task(retry=RetryPolicy(max_attempts=2, base_seconds=0, jitter=0))
    def bad() -> None:
        raise error

    @app.task
    def good() -> None: ...

    bad.enqueue()
    worker = serving({"default": 1})
    until("both attempts failed", lambda: states(clock) == {"discarded": 1})
    good.enqueue()
    until("the slot went on", lambda: states(clock) == {"discarded": 1, "completed": 1})
    worker.stop()
    assert [event.state for event in events if isinstance(event, JobFailed)] == ["retryable", "discarded"]
    ((name, message),) = clock.fetch("select error_class, error from penstock.jobs where state = 'discarded'")
    assert name == type(error).__name__
    assert len(message) <= 8_002


def test_a_coroutine_that_nothing_awaits_is_no_success(app: Penstock, clock: Clock, serving: Serving):
    async def hidden() -> None: ...

    @app.task(retry=RetryPolicy(max_attempts=1))
    def work() -> Any:
        return hidden()

    work.enqueue()
    worker = serving()
    until("it failed", lambda: states(clock) == {"discarded": 1})
    worker.stop()
    assert "declare it `async def`" in clock.fetch("select error from penstock.jobs")[0][0]


def test_jobs_enqueue_jobs(app: Penstock, clock: Clock, serving: Serving):
    @app.task
    def count_down(number: int) -> None:
        if number:
            count_down.enqueue(number - 1)

    @app.task
    async def acount_down(number: int) -> None:
        if number:
            await acount_down.aenqueue(number - 1)

    count_down.enqueue(10)
    acount_down.enqueue(10)
    worker = serving()
    until("all jobs completed", all_completed(clock, 22))
    worker.stop()


def test_an_idle_worker_writes_nothing(app: Penstock, clock: Clock, serving: Serving):
    """A write of one process wakes every other, whose look for work must not be a write again."""
    @app.task
    def work() -> None: ...

    workers = [serving(), serving()]
    work.enqueue()
    until("settled", all_completed(clock, 1))
    lease = clock.fetch("select seq from sqlite_sequence where name = 'penstock_leases'"
                        if app.store.dialect == "sqlite" else "select last_value from penstock.lease_seq")
    (first,), = clock.fetch("select max(expires_at) from penstock.workers")
    until("many polls", lambda: clock.fetch("select max(expires_at) from penstock.workers")[0][0] > first + 500)
    assert lease == clock.fetch("select seq from sqlite_sequence where name = 'penstock_leases'"
                                if app.store.dialect == "sqlite" else "select last_value from penstock.lease_seq")
    for worker in workers:
        worker.stop()


def test_a_worker_that_could_not_start_may_be_started_again(app: Penstock, monkeypatch: pytest.MonkeyPatch):
    @app.task
    def work() -> None: ...

    worker = app.worker()
    with monkeypatch.context() as patch:
        patch.setattr(worker, "_register", lambda: (_ for _ in ()).throw(StoreUnavailable("away")))
        with pytest.raises(StoreUnavailable):
            worker.start()
    worker.start()
    worker.stop()


def test_a_stop_while_the_store_is_away_still_ends_every_thread(
        app: Penstock, clock: Clock, monkeypatch: pytest.MonkeyPatch, events: list[Event], serving: Serving):
    @app.task
    def work() -> None: ...

    worker = serving()

    def away(work: Any) -> Any:
        raise StoreUnavailable("away")

    with monkeypatch.context() as patch:
        patch.setattr(app.store.control, "write", away)
        worker.stop()
    assert [event for event in events if isinstance(event, LoopFailed) and event.loop == "stop"]
    assert [event for event in events if isinstance(event, WorkerStopped)]
    assert not [thread.name for thread in threading.enumerate()
                if thread.name.startswith(("penstock-slot", "penstock-claim", "penstock-heartbeat"))]


def test_a_store_that_goes_away_for_a_while_does_not_end_a_worker(
        app: Penstock, store_url: str, clock: Clock, events: list[Event], serving: Serving):
    if app.store.dialect == "sqlite":
        return  # a file does not go away

    @app.task
    def work() -> None: ...

    worker = serving()
    work.enqueue()
    until("the first", all_completed(clock, 1))
    with psycopg.connect(store_url, autocommit=True) as admin:
        for _ in range(3):
            admin.execute("select pg_terminate_backend(pid) from pg_stat_activity"
                          " where datname = current_database() and application_name = 'penstock'")
    while True:
        try:
            work.enqueue()
            break
        except StoreUnavailable:
            pass  # nobody can tell whether it was enqueued
    until("the second", lambda: clock.fetch("select count(*) from penstock.jobs where state = 'completed'")[0][0] >= 2)
    worker.stop()


def test_default_queues_are_those_of_the_tasks(app: Penstock):
    app.task(lambda: None, name="a", queue="a")
    app.task(lambda: None, name="b", queue="b")
    worker = app.worker()
    assert set(worker._queues) == {"a", "b"}
    assert SYNC_QUEUE not in worker._queues
    assert logging.getLogger("penstock").name
