"""What workers tell of themselves, what each has under way, and the stacks of its slots where somebody asks."""

import asyncio
import os
import socket
import threading
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from penstock import JobState, Penstock, current_job
from penstock.domain.limits import Window
from penstock.domain.stacks import Stacks
from penstock.queue.workers import MOST_JOBS
from penstock.schedule.upkeep import Upkeep
from penstock.worker.inline import registered
from tests.clock import START_MS, Clock
from tests.conformance import process_app as bodies
from tests.conformance.workers import Workers
from tests.engine import Engine
from tests.waiting import until


def a_worker(app: Penstock, queues: Any, lease_ms: int = 30_000) -> int:
    app.migrate()
    return app.store.write(lambda tx: registered(tx, "host:1", lease_ms, queues))


def test_a_worker_tells_its_slots_its_process_and_its_memory(app: Penstock) -> None:
    id = a_worker(app, {"mail": 3, "default": 10})
    (found,) = app.workers()
    assert found == app.worker_found(id)
    assert (found.host, found.pid, found.alive) == (socket.gethostname(), os.getpid(), True)
    assert found.slots == {"mail": 3, "default": 10}
    assert found.queues == ("default", "mail")
    assert found.started_at == found.seen_at == found.now == START_MS
    assert found.rss_bytes is not None
    assert found.rss_bytes > 1_000_000
    assert (found.jobs, found.since) == (0, None)


def test_slots_add_up_by_queue_while_their_workers_live(app: Penstock, clock: Clock) -> None:
    a_worker(app, {"mail": 3, "default": 10})
    a_worker(app, {"mail": 2}, lease_ms=10**9)
    a_worker(app, ["mail"])
    assert app.live_slots() == {"mail": 5, "default": 10}

    @app.task(name="send", queue="mail")
    def send() -> None: ...

    send.enqueue()
    Upkeep(app.store, app.events, 1.0).step()
    assert [(each.queue, each.slots) for each in app.backlog()] == [("mail", 5)]
    clock.advance(31)
    assert app.live_slots() == {"mail": 2}


def test_a_drain_has_queues_and_no_slots_of_its_own(app: Penstock) -> None:
    (found,) = [app.worker_found(a_worker(app, ["mail"]))]
    assert found is not None
    assert (found.queues, found.slots) == (("mail",), None)


def test_a_heartbeat_tells_when_it_was_and_the_memory_by_then(app: Penstock, clock: Clock) -> None:
    id = a_worker(app, {"default": 1})
    clock.advance(5)
    params = {"worker_id": id, "lease_ms": 30_000, "rss_bytes": 7}
    assert app.store.write(lambda tx: tx.execute("worker_renew_telling", params)) == 1
    found = app.worker_found(id)
    assert found is not None
    assert (found.seen_at, found.expires_at, found.rss_bytes) == (START_MS + 5_000, START_MS + 35_000, 7)


def test_one_that_no_longer_renews_is_seen_until_it_is_removed(app: Penstock, clock: Clock) -> None:
    id = a_worker(app, {"default": 1})
    clock.advance(31)
    found = app.worker_found(id)
    assert found is not None
    assert not found.alive
    Upkeep(app.store, app.events, 1.0).rescue()
    assert app.worker_found(id) is None
    assert app.workers() == []


def test_workers_come_page_by_page(app: Penstock) -> None:
    ids = [a_worker(app, {"default": 1}) for _ in range(3)]
    first = app.workers(limit=2)
    assert [each.id for each in first] == ids[:2]
    assert [each.id for each in app.workers(after=first[-1].id, limit=2)] == ids[2:]


def test_jobs_under_way_are_told_with_their_time(app: Penstock, clock: Clock) -> None:
    @app.task(name="work")
    def work(n: int) -> None: ...

    engine = Engine(app, clock)
    jobs = [work.enqueue(n) for n in range(3)]
    engine.claim("default", 2)
    clock.advance(4)
    found = app.worker_found(engine.worker_id)
    assert found is not None
    assert (found.jobs, found.since) == (2, START_MS)
    told = app.worker_jobs(engine.worker_id)
    assert [(each.id, each.task, each.queue, each.attempt, each.running_ms) for each in told] == [
        (job.id, "work", "default", 1, 4_000) for job in jobs[:2]]


def test_more_jobs_than_are_counted_are_counted_so_far(app: Penstock, clock: Clock) -> None:
    @app.task(name="work")
    def work(n: int) -> None: ...

    engine = Engine(app, clock)
    app.enqueue_many(work.call(n) for n in range(MOST_JOBS + 5))
    engine.claim("default", MOST_JOBS + 5)
    found = app.worker_found(engine.worker_id)
    assert found is not None
    assert found.jobs == MOST_JOBS
    assert len(app.worker_jobs(engine.worker_id)) == MOST_JOBS


def test_nobody_is_asked_where_no_worker_lives(app: Penstock, clock: Clock) -> None:
    id = a_worker(app, {"default": 1})
    assert not app.ask_stacks(id + 1)
    clock.advance(31)
    assert not app.ask_stacks(id)
    assert app.stacks(id) is None


def test_an_answer_stays_until_it_is_asked_for_again(app: Penstock, clock: Clock) -> None:
    id = a_worker(app, {"default": 1}, lease_ms=10**9)
    assert app.ask_stacks(id)
    (asked,) = [app.stacks(id)]
    assert asked is not None
    assert asked.answered_at is None

    def look() -> list[Any]:
        return app.store.look("asked_of_worker", {"worker_id": id})

    ((job, asked_at),) = look()
    assert (job, asked_at) == (None, START_MS)
    text = msgspec.json.encode(Stacks((), 2)).decode()
    answer = {"worker_id": id, "asked_at": asked_at, "stacks": text}
    app.store.write(lambda tx: tx.execute("stacks_answer", answer))
    found = app.stacks(id)
    assert found is not None
    assert (found.answered_at, found.left) == (START_MS, 2)
    assert look() == []
    app.ask_stacks(id)
    assert len(look()) == 1
    clock.advance(61)  # whoever asked has gone away by now
    assert look() == []


def test_asks_are_pruned(app: Penstock, clock: Clock) -> None:
    gone, old = a_worker(app, {"default": 1}), a_worker(app, {"default": 1}, lease_ms=10**9)
    app.ask_stacks(gone)
    clock.advance(31)
    upkeep = Upkeep(app.store, app.events, 1.0)
    upkeep.rescue()
    app.ask_stacks(old)
    upkeep.prune()
    assert app.stacks(gone) is None
    assert app.stacks(old) is not None
    clock.advance(601)
    upkeep.prune()
    assert app.stacks(old) is None


@pytest.fixture
def entered() -> threading.Semaphore:
    return threading.Semaphore(0)


def test_a_worker_shows_where_its_slots_are(workers: Workers, entered: threading.Semaphore) -> None:
    app, go = workers.app, workers.go

    def waits_here(secret: str) -> None:
        entered.release()
        go.wait(60)

    @app.task(name="blocking")
    def blocking(secret: str) -> None:
        waits_here(secret)

    @app.task(name="awaiting")
    async def awaiting() -> None:
        entered.release()
        await asyncio.to_thread(go.wait, 60)

    app.migrate()
    jobs = {blocking.enqueue("hush-hush").id: "thread", awaiting.enqueue().id: "loop"}
    workers.start({"default": 2})
    for _ in jobs:
        assert entered.acquire(timeout=30)
    (worker,) = app.workers()
    assert app.ask_stacks(worker.id)

    def answered() -> Any:
        found = app.stacks(worker.id)
        return found if found is not None and found.answered_at is not None else None

    found = until("the worker answers", answered)
    assert {slot.job_id: slot.runs for slot in found.slots} == jobs
    by_task = {slot.task: slot.frames for slot in found.slots}
    assert "blocking (conformance/test_worker_rows.py:" in by_task["blocking"][0]
    assert any("waits_here (conformance/test_worker_rows.py:" in frame for frame in by_task["blocking"])
    assert "awaiting (conformance/test_worker_rows.py:" in by_task["awaiting"][0]
    assert "hush-hush" not in str(found)


def test_periodic_tasks_are_told_with_their_next_and_missed_ticks(app: Penstock, clock: Clock) -> None:
    @app.task(name="report", queue="mail")
    def report() -> None: ...

    app.migrate()
    app.periodic("reports", report.call(), every=timedelta(minutes=10))
    (found,) = app.periodic_tasks()
    assert (found.name, found.task, found.queue, found.missed, found.declared) == (
        "reports", "report", "mail", "once", True)
    assert found.overdue == 0
    assert found.next_at is not None
    assert found.next_at == found.following_at

    app.pause_periodic("reports")
    app.resume_periodic("reports")
    clock.advance(25 * 60)
    (late,) = app.periodic_tasks()
    assert late.overdue in (2, 3)  # by where in its ten minutes the clock began
    assert late.next_at == found.next_at
    assert late.following_at is not None
    assert late.following_at > late.now

    app.pause_periodic("reports")
    (paused,) = app.periodic_tasks()
    assert (paused.next_at, paused.overdue, paused.paused_at) == (None, 0, late.now)

    app.periodics.clear()
    (unknown,) = app.periodic_tasks()
    assert (unknown.name, unknown.declared, unknown.task) == ("reports", False, None)


def answer_of(app: Penstock, worker_id: int) -> Any:
    """Ask a worker for its stacks until something runs that it tells of. To ask again wipes the answer before."""
    def answered() -> Any:
        found = app.stacks(worker_id)
        if found is not None and found.answered_at is not None and found.slots:
            return found
        if found is None or found.answered_at is not None:
            app.ask_stacks(worker_id)
        return None

    return until("the worker answers", answered)


def test_a_body_in_a_process_tells_where_it_is(workers: Workers, tmp_path: Path) -> None:
    app = workers.app
    bodies.declare(app, bodies.until_there)
    app.migrate()
    said, wanted = tmp_path / "said", tmp_path / "wanted"
    jobs = [app.tasks["until_there"].enqueue(f"{said}{n}", str(wanted)) for n in range(2)]
    workers.start({"default": 2})
    pids = [int(until("the body has begun", lambda n=n: Path(f"{said}{n}").exists() and  # type: ignore[misc]
                      Path(f"{said}{n}").read_text().strip())) for n in range(2)]
    (worker,) = app.workers()
    found = answer_of(app, worker.id)
    wanted.touch()
    assert {(slot.job_id, slot.runs, slot.pid) for slot in found.slots} == {
        (job.id, "process", pid) for job, pid in zip(jobs, pids, strict=True)}
    for slot in found.slots:
        assert slot.frames[0].startswith("until_there (conformance/process_app.py:"), slot.frames
        assert str(said) not in str(slot.frames)
    workers.wait_for({"completed": 2})


def test_one_whose_body_holds_the_interpreter_cannot_and_keeps_nobody_waiting(workers: Workers, tmp_path: Path) -> None:
    app = workers.app
    bodies.declare(app, bodies.holds)
    app.migrate()
    said, wanted = tmp_path / "said", tmp_path / "wanted"
    os.mkfifo(wanted)
    app.tasks["holds"].enqueue(str(said), str(wanted))
    workers.start({"default": 1})
    pid = until("the body has begun", lambda: said.exists() and said.read_text().strip())
    (worker,) = app.workers()
    found = answer_of(app, worker.id)
    assert [(slot.runs, slot.pid, slot.frames) for slot in found.slots] == [("process", int(pid), ())]
    wanted.open("w").close()
    workers.wait_for({"completed": 1})


@pytest.mark.parametrize("slots", [1, 2])
@pytest.mark.parametrize("colour", ["thread", "loop"])
def test_a_drain_tells_what_its_slots_are_doing(app: Penstock, slots: int, colour: str) -> None:
    entered, go = threading.Event(), threading.Event()

    @app.task(name="thread")
    def blocking() -> None:
        entered.set()
        assert go.wait(60)

    @app.task(name="loop")
    async def awaiting() -> None:
        entered.set()
        await asyncio.to_thread(go.wait, 60)

    app.migrate()
    job = app.tasks[colour].enqueue()
    before = set(threading.enumerate())
    drain = threading.Thread(target=lambda: app.drain(Window(total=120, headroom=1), slots=slots))
    drain.start()
    try:
        assert entered.wait(60)
        (worker,) = app.workers()
        found = answer_of(app, worker.id)
    finally:
        go.set()
        drain.join(60)
    (slot,) = found.slots
    assert (slot.job_id, slot.runs) == (job.id, colour)
    body = "blocking" if colour == "thread" else "awaiting"
    assert f"{body} (conformance/test_worker_rows.py:" in slot.frames[0], slot.frames
    assert not {thread for thread in threading.enumerate() if thread.name == "penstock-watch-attempts"} - before


def test_a_body_in_the_callers_thread_is_told_that_it_is_cancelled(app: Penstock) -> None:
    entered = threading.Event()

    @app.task(name="long")
    def long() -> None:
        job = current_job()
        entered.set()
        until("it is to end", lambda: job.ended)
        job.check()

    app.migrate()
    job = long.enqueue()
    drain = threading.Thread(target=lambda: app.drain(Window(total=120, headroom=1), slots=1))
    drain.start()
    assert entered.wait(60)
    assert app.cancel(job) == JobState.EXECUTING
    drain.join(60)
    found = app.job(job)
    assert found is not None
    assert (found.state, found.error_class) == ("cancelled", "cancelled")
