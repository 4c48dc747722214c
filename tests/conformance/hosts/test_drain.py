"""`app.drain`: what is due is served within the window, the report says what is not, and nothing is left behind."""

import asyncio
import threading
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from penstock import Concurrency, Penstock, Rate, Report, Retry, Window, current_job
from penstock.domain.errors import ConfigurationError, Stopping, StoreUnavailable
from penstock.events import LoopFailed
from penstock.queue.claim import claim_queue
from penstock.worker import draining
from tests.clock import START_MS, Clock
from tests.conformance.hosts.hours import Hours
from tests.conformance.sync_app import Directory
from tests.conformance.workers import MostAtOnce
from tests.databases import OWN_NAME
from tests.waiting import until

WINDOW = Window(500, 100)
START = datetime.fromtimestamp(START_MS / 1000, UTC)
SLOTS = pytest.mark.parametrize("slots", [1, 3])


@pytest.fixture
def hours(app: Penstock) -> Hours:
    app.monotonic = found = Hours()
    return found


def left_behind(clock: Clock) -> tuple[int, int]:
    """Rows of workers and of leases."""
    ((workers, leases),) = clock.fetch(
        "select (select count(*) from penstock.workers), (select count(*) from penstock.leases)")
    return workers, leases


@SLOTS
def test_jobs_of_every_kind_are_served_and_nothing_is_left(app: Penstock, clock: Clock, slots: int):
    threads: set[threading.Thread] = set()
    seen: list[str] = []

    @app.task
    def plain(left: int) -> None:
        seen.append("plain")
        threads.add(threading.current_thread())
        if left:
            plain.enqueue(left - 1)

    @app.task(queue="mail")
    async def waiting() -> None:
        await asyncio.sleep(0)
        seen.append("waiting")

    @app.task
    def failing() -> None:
        raise Retry(timedelta(minutes=5))

    plain.enqueue(3)
    for _ in range(30):
        waiting.enqueue()
    failing.enqueue()
    waiting.using(tags=["t"]).enqueue()
    app.invalidate("t")
    waiting.using(run_after=timedelta(hours=1)).enqueue()
    report = app.drain(WINDOW, slots=slots)
    assert report == Report(served=4 + 30 + 1 + 1, remaining=0, next_due=START + timedelta(minutes=5))
    assert (seen.count("plain"), seen.count("waiting")) == (4, 30)
    assert left_behind(clock) == (0, 0)
    assert (threads == {threading.current_thread()}) == (slots == 1)
    clock.advance(3600)
    assert app.drain(WINDOW, slots=slots) == Report(2, 0, START + timedelta(minutes=65))


def test_it_leaves_no_thread_and_no_connection_behind(store_url: str, clock: Clock):
    app = Penstock(store_url, now=clock.expression)

    @app.task
    def plain() -> None: ...

    @app.task
    async def waiting() -> None: ...

    with app:
        app.enqueue_many([plain.call(), waiting.call()] * 3)
    before = set(threading.enumerate())
    assert app.drain(WINDOW).served == 6
    assert set(threading.enumerate()) == before
    assert app._store is None, "it was not open before"
    with app:
        plain.enqueue()
        app.drain(WINDOW)
        assert app._store is not None, "it was open before"


@SLOTS
def test_requests_are_folded_admitted_and_served(store_url: str, clock: Clock, slots: int):
    directory = Directory(groups={f"g{number}": {f"p{number}": "name"} for number in range(6)})
    with directory.app(store_url, clock.expression, max_concurrent=4) as app:
        app.migrate()
        directory.sync.request_many([(f"g{number}", f"a{number % 3}") for number in range(6)])
        report = app.drain(WINDOW, slots=slots)
        assert (report.remaining, report.next_due) == (0, None)
        assert clock.fetch("select status, count(*) from penstock.sync_runs group by status") == [("succeeded", 6)]
        assert left_behind(clock) == (0, 0)


@SLOTS
def test_nothing_is_begun_that_cannot_fit(app: Penstock, clock: Clock, hours: Hours, slots: int):
    @app.task
    def work() -> None:
        assert current_job().until == 1490.0
        hours.seconds += 150

    for _ in range(9):
        work.enqueue()
    report = app.drain(WINDOW, slots=slots)
    assert 3 <= report.served <= 2 + slots
    assert report.remaining == 9 - report.served
    assert report.next_due == START, "it is to be called again at once"
    assert left_behind(clock) == (0, 0)


@SLOTS
def test_what_runs_too_long_stops_at_a_checkpoint_and_goes_on_later(
        app: Penstock, clock: Clock, hours: Hours, slots: int):
    stopped = []

    @app.task
    def work() -> None:
        try:
            while hours.seconds < 3000:
                current_job().checkpoint()
                hours.seconds += 40
        except Stopping:
            stopped.append(hours.seconds)
            raise

    work.enqueue()
    assert app.drain(WINDOW, slots=slots) == Report(0, 1, START)
    assert stopped == [1520.0]
    assert clock.fetch("select state, attempt from penstock.jobs") == [("available", 0)]
    assert left_behind(clock) == (0, 0)
    hours.seconds = 5000
    assert app.drain(WINDOW, slots=slots) == Report(1, 0, None)


def test_what_does_not_listen_is_given_back_before_the_end(store_url: str, clock: Clock):
    began, go = threading.Event(), threading.Event()
    with Penstock(store_url, now=clock.expression) as app:
        app.monotonic = hours = Hours()

        @app.task
        def deaf() -> None:
            began.set()
            go.wait(60)

        deaf.enqueue()
        draining = threading.Thread(target=app.drain, args=(WINDOW,), kwargs={"slots": 2})
        draining.start()
        assert began.wait(60)
        hours.seconds = 1500.0
        draining.join(60)
        assert not draining.is_alive()
        assert clock.fetch("select state, attempt from penstock.jobs") == [("available", 0)]
        assert left_behind(clock) == (0, 0)
        go.set()


def test_many_at_once_and_beside_a_worker_serve_everything_once(app: Penstock, clock: Clock):
    ran: list[int] = []

    @app.task
    def note(number: int) -> None:
        ran.append(number)

    app.enqueue_many(note.call(number) for number in range(300))
    reports: list[Report] = []
    handlers = [threading.Thread(target=lambda slots=slots: reports.append(app.drain(WINDOW, slots=slots)))
                for slots in (1, 2, 3, 1)]
    worker = app.worker({"default": 2})
    worker.start()
    for handler in handlers:
        handler.start()
    for handler in handlers:
        handler.join(60)
    worker.stop()
    assert len(reports) == len(handlers)
    assert app.drain(WINDOW).remaining == 0
    assert sorted(ran) == list(range(300))
    assert left_behind(clock) == (0, 0)


def test_only_the_queues_asked_for(app: Penstock):
    task = app.task(name="task")(lambda: None)
    for queue in ("one", "two", "three"):
        task.using(queue=queue).enqueue()
    assert app.drain(WINDOW, ["one", "two"]) == Report(2, 0, None)
    assert app.drain(WINDOW, ["three"]) == Report(1, 0, None)


def test_a_paused_queue_is_nothing_to_call_again_for(app: Penstock):
    task = app.task(name="task")(lambda: None)
    task.enqueue()
    app.pause("default")
    assert app.drain(WINDOW) == Report(0, 0, None)


def test_it_says_when_a_periodic_task_ticks_and_enqueues_its_job(app: Penstock, clock: Clock):
    ran = []
    task = app.task(name="task")(lambda: ran.append(1))
    app.periodic("often", task.call(), every=timedelta(minutes=10))
    first = app.drain(WINDOW)
    assert first.next_due is not None
    clock.advance(600)
    second = app.drain(WINDOW)
    assert (second.served, len(ran)) == (1, 1)
    assert second.next_due == first.next_due + timedelta(minutes=10)


def test_jobs_of_a_lost_worker_are_rescued(app: Penstock, clock: Clock):
    task = app.task(name="task")(lambda: None)
    task.enqueue()
    row = app.store.write(lambda tx: tx.row("worker_start", {"name": "lost", "lease_ms": 1000}))
    assert row is not None
    assert claim_queue(app.store, row[0], "default", 1)
    assert app.drain(WINDOW).served == 0
    clock.advance(2)
    assert app.drain(WINDOW) == Report(1, 0, None)


def test_what_user_code_raises_in_a_step_ends_no_drain(app: Penstock, monkeypatch: pytest.MonkeyPatch):
    told: list[Any] = []
    app.listen(told.append)
    task = app.task(name="task")(lambda: None)
    task.enqueue()

    class Broken:
        def step(self) -> float:
            raise ValueError("subjects() broke off")

    monkeypatch.setattr(app, "dispatcher", Broken)
    assert app.drain(WINDOW).served == 1
    assert {event.error for event in told if isinstance(event, LoopFailed)} == {"ValueError: subjects() broke off"}


def test_within_an_event_loop(app: Penstock):
    @app.task
    async def waiting() -> None:
        await asyncio.sleep(0)

    async def handler() -> list[Report]:
        waiting.enqueue()
        first = await app.adrain(WINDOW)
        waiting.enqueue()
        return [first, app.drain(WINDOW, slots=1)]

    assert asyncio.run(handler()) == [Report(1, 0, None)] * 2


@pytest.mark.parametrize(("arguments", "options", "said"), [
    ((500,), {}, "window: expected a Window"),
    ((WINDOW, "mail"), {}, "queues: expected several names, got 'mail'"),
    ((WINDOW, []), {}, "queues: expected at least one"),
    ((WINDOW, ["Mail!"]), {}, "expected a queue name"),
    ((WINDOW,), {"slots": 0}, "slots: expected at least 1"),
    ((WINDOW,), {"slots": True}, "slots: expected at least 1"),
])
def test_what_cannot_be_is_said(tmp_path: Any, arguments: Any, options: Any, said: str):
    with pytest.raises(ConfigurationError, match=said):
        Penstock(f"sqlite:///{tmp_path}/none.db").drain(*arguments, **options)


@SLOTS
def test_it_ends_when_it_is_asked_to(app: Penstock, clock: Clock, slots: int):
    stopping, began = threading.Event(), threading.Event()

    @app.task
    def work() -> None:
        began.set()
        while True:
            current_job().checkpoint()
            threading.Event().wait(0.002)

    work.enqueue()
    asking = threading.Thread(target=lambda: (began.wait(60), stopping.set()))
    asking.start()
    assert app.drain(WINDOW, slots=slots, stopping=stopping) == Report(0, 1, START)
    asking.join()
    assert clock.fetch("select state, attempt from penstock.jobs") == [("available", 0)]
    assert left_behind(clock) == (0, 0)


@SLOTS
def test_a_store_that_goes_away_ends_the_drain_and_leaves_no_thread(
        app: Penstock, clock: Clock, monkeypatch: pytest.MonkeyPatch, slots: int):
    task = app.task(name="task")(lambda: None)
    task.enqueue()
    before = set(threading.enumerate())
    found = draining.claim_queue

    def away(*given: Any) -> Any:
        monkeypatch.setattr(draining, "claim_queue", found)
        raise StoreUnavailable("the store is away")

    monkeypatch.setattr(draining, "claim_queue", away)
    with pytest.raises(StoreUnavailable, match="the store is away"):
        app.drain(WINDOW, slots=slots)
    assert {thread for thread in set(threading.enumerate()) - before if thread.is_alive()} <= control_threads()
    assert left_behind(clock) == (0, 0)
    assert app.drain(WINDOW, slots=slots).served == 1


def control_threads() -> set[threading.Thread]:
    """Those of the store, which was open before: its pool for the control plane is made when first needed."""
    return {thread for thread in threading.enumerate()
            if not thread.name.startswith(("penstock-slot", "penstock-heartbeat", "penstock-loop"))}


@pytest.mark.parametrize("store_url", ["postgres"], indirect=True)
def test_it_leaves_no_connection_behind(store_url: str, clock: Clock):
    app = Penstock(store_url, now=clock.expression)
    app.task(name="task")(lambda: None)
    app.drain(WINDOW)
    until("the server has seen them go", lambda: clock.fetch(
        "select count(*) from pg_stat_activity where datname = current_database()"
        f" and application_name <> '{OWN_NAME}'") == [(0,)])


@SLOTS
def test_jobs_with_keys_keep_their_order_and_their_number(app: Penstock, clock: Clock, slots: int):
    seen: list[tuple[str, int]] = []
    most, together = MostAtOnce(), threading.Barrier(min(slots, 2), timeout=20)

    @app.task(serial="customer")
    def in_order(customer: str, number: int) -> None:
        seen.append((customer, number))

    @app.task(concurrency=Concurrency(2, by="customer"))
    def few(customer: str) -> None:
        most.enter()
        together.wait()
        most.leave()

    app.enqueue_many(in_order.call(customer, number) for number in range(5) for customer in "abc")
    app.enqueue_many(few.call("a") for _ in range(10))
    assert app.drain(WINDOW, slots=slots) == Report(25, 0, None)
    assert most.most == min(slots, 2)
    for customer in "abc":
        assert [number for name, number in seen if name == customer] == list(range(5))


def test_what_somebody_elses_job_holds_back_is_looked_at_a_lease_later(app: Penstock, clock: Clock):
    @app.task(serial="customer")
    def in_order(customer: str) -> None: ...

    app.enqueue_many([in_order.call("a")] * 2)
    app.dispatcher().step()
    row = app.store.write(lambda tx: tx.row("worker_start", {"name": "another", "lease_ms": 30_000}))
    assert row is not None
    assert len(claim_queue(app.store, row[0], "default", 5)) == 1
    assert app.drain(WINDOW) == Report(0, 1, START + timedelta(seconds=30))
    clock.advance(31)
    assert app.drain(WINDOW) == Report(2, 0, None)


@SLOTS
def test_limits_are_kept_and_what_is_held_of_them_is_given_back(store_url: str, clock: Clock, slots: int):
    most = MostAtOnce()
    with Penstock(store_url) as app:  # permits are given by the database's time, which has to pass
        @app.task(limits=[Concurrency(1, by="crm"), Rate(1, per="hour", by="crm")])
        def call() -> None:
            most.enter()
            threading.Event().wait(0.005)
            most.leave()

        app.enqueue_many([call.call()] * 3)
        before = set(threading.enumerate())
        report = app.drain(WINDOW, slots=slots)
        assert (report.served, most.most) == (1, 1)
        assert report.next_due is not None
        assert not [thread.name for thread in set(threading.enumerate()) - before
                    if thread.name.startswith(("penstock-permits", "penstock-limits", "penstock-slot"))]
        assert clock.fetch("select count(*) from penstock.permit_holders") == [(0,)]


def test_it_says_when_a_subject_is_due_by_the_clock_and_serves_it_then(store_url: str, clock: Clock):
    directory = Directory(groups={"g1": {"p1": "name"}})
    with directory.app(store_url, clock.expression, every=timedelta(hours=6)) as app:
        app.migrate()
        while clock.fetch("select count(*) from penstock.sync_runs") != [(2,)]:
            report = app.drain(WINDOW, slots=1)
            assert report.remaining == 0
            assert report.next_due is not None
            clock.advance(max((report.next_due - START).total_seconds() - (clock.now_ms - START_MS) / 1000, 0.001))
            assert clock.now_ms - START_MS < 7.1 * 3_600_000, "six hours after the first look at an hour's tick"
        runs = clock.fetch("select reasons, requested_at from penstock.sync_runs")
        assert [reasons for reasons, _ in runs] == ['["every"]'] * 2
        assert all((at - START_MS) % 3_600_000 for _, at in runs), "it was woken for them, and not only at ticks"
