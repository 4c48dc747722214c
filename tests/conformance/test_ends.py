"""How attempts end: by what they return or raise, by time, by silence; each is told apart."""

import asyncio
import signal
import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from penstock import Cancel, Penstock, Retention, Retry, RetryPolicy, Snooze, current_job
from penstock.domain.errors import DeadlinePassed, JobCancelled, JobError, JobStalled, JobTimedOut, NoCurrentJob
from penstock.domain.jobs import Outcome
from penstock.events import JobAbandoned, JobFailed, StaleSettle, WorkerExhausted
from penstock.queue.claim import settle
from tests.clock import Clock
from tests.conformance.workers import Workers
from tests.engine import Engine
from tests.processes import penstock, python
from tests.waiting import until

SOON = timedelta(milliseconds=40)
AGAIN = RetryPolicy(max_attempts=3, base_seconds=10, jitter=0)
APP = "tests.conformance.ending_app"


@pytest.fixture
def app(store_url: str, clock: Clock) -> Iterator[Penstock]:
    with Penstock(store_url, now=clock.expression, poll_seconds=0.05, patience_seconds=0.1, abandoned_limit=2) as app:
        yield app


@pytest.fixture
def workers(app: Penstock, clock: Clock) -> Iterator[Workers]:
    found = Workers(app, clock)
    yield found
    found.close()


SIGNALS: list[tuple[Any, tuple[Any, ...]]] = [
    (Snooze(timedelta(seconds=30)), ("scheduled", 0, 30_000, None, None)),
    (Snooze(timedelta(seconds=-5), reason="not yet"), ("scheduled", 0, 0, None, "not yet")),
    (Cancel(), ("cancelled", 1, None, "cancelled", "the task cancelled itself")),
    (Cancel("the offer is gone"), ("cancelled", 1, None, "cancelled", "the offer is gone")),
    (Retry(), ("retryable", 1, 10_000, "Retry", "the task asked to be tried again")),
    (Retry(timedelta(seconds=3), reason="busy"), ("retryable", 1, 3_000, "Retry", "busy")),
]


@pytest.mark.parametrize("colour", ["thread", "event loop"])
@pytest.mark.parametrize("way", ["returned", "raised"])
def test_what_a_task_says_of_its_own_end(app: Penstock, workers: Workers, clock: Clock, way: str, colour: str):
    def say(number: int) -> Any:
        told = SIGNALS[number][0]
        if way == "raised":
            raise told
        return told

    async def asay(number: int) -> Any:
        await asyncio.sleep(0)
        return say(number)

    function: Any = say if colour == "thread" else asay
    task = app.task(function, name="say", retry=AGAIN)
    jobs = app.enqueue_many(task.call(number) for number in range(len(SIGNALS)))
    workers.start()
    until("all were settled", lambda: not {"available", "executing"} & workers.states().keys())
    for job, (_, expected) in zip(jobs, SIGNALS, strict=True):
        state, attempt, run_at, *error = workers.job(job.id, "state, attempt, run_at, error_class, error")
        delay = None if state == "cancelled" else run_at - clock.now_ms
        assert (state, attempt, delay, *error) == expected


def test_a_task_that_asks_to_be_tried_again_runs_out_of_attempts(app: Penstock, clock: Clock):
    @app.task(retry=RetryPolicy(max_attempts=2), name="work")
    def work() -> Any:
        return Retry(timedelta(0), reason="still busy")

    work.enqueue()
    engine = Engine(app, clock)
    for _ in range(2):
        (job,) = engine.claim("default")
        settle(app.store, [engine.execute(job)])
        app.upkeep().stage()
    assert clock.fetch("select state, attempt, error_class, error from penstock.jobs") == [
        ("discarded", 2, "Retry", "still busy")]


def test_a_snooze_costs_no_attempt_however_often(app: Penstock, clock: Clock):
    app.task(lambda: Snooze(timedelta(seconds=1)), name="work", retry=RetryPolicy(max_attempts=1)).enqueue()
    engine = Engine(app, clock)
    for _ in range(5):
        (job,) = engine.claim("default")
        assert job.attempt == 1
        settle(app.store, [engine.execute(job)])
        clock.advance(1)
        app.upkeep().stage()


class TestRequeueing:
    @pytest.mark.parametrize("ended", ["discarded", "cancelled", "completed"])
    def test_what_has_ended_may_run_again_with_all_its_attempts(self, app: Penstock, clock: Clock, ended: str):
        work = app.task(lambda: None, name="work", retry=RetryPolicy(max_attempts=2), queue="other")
        id = work.using(priority=3).enqueue().id
        engine = Engine(app, clock)
        (job,) = engine.claim("other")
        settle(app.store, [Outcome(job.id, job.lease, ended, keep_ms=86_400_000, error_class="E", error="e")])
        clock.advance(60)
        engine.register()
        assert app.requeue(id)
        assert not app.requeue(id)  # it is live
        (again,) = engine.claim("other")
        assert (again.id, again.attempt, again.max_attempts, again.lease > job.lease) == (id, 1, 2, True)
        assert settle(app.store, [Outcome(id, job.lease, "completed")]) == {id}
        assert settle(app.store, [Outcome(id, again.lease, "completed", keep_ms=1)]) == set()
        assert not app.requeue(id + 100)


OUTCOMES = {
    "timeout": (JobTimedOut, "retryable", 1, "JobTimedOut"),
    "stale": (JobStalled, "retryable", 1, "JobStalled"),
    "deadline": (DeadlinePassed, "cancelled", 1, "deadline"),
    "cancelled": (JobCancelled, "cancelled", 1, "cancelled"),
}


class TestBeforeItsTime:
    """A timeout, a silence, a deadline and a cancellation are four things, for whoever runs and for whoever reads."""

    def declare(self, app: Penstock, kind: str, function: Any) -> Any:
        return app.task(function, name="work", retry=AGAIN, timeout=SOON if kind == "timeout" else None,
                        stale_after=SOON if kind == "stale" else None, deadline=SOON if kind == "deadline" else None)

    def expire(self, app: Penstock, workers: Workers, kind: str, began: threading.Event, id: int) -> None:
        workers.start({"default": 1})
        assert began.wait(20)
        if kind == "cancelled":
            app.cancel(id)

    @pytest.mark.parametrize("kind", OUTCOMES)
    def test_a_thread_that_asks_is_told(self, app: Penstock, workers: Workers, kind: str):
        began, heard = threading.Event(), []

        def work() -> None:
            began.set()
            try:
                while not workers.go.wait(0.005):
                    current_job().check()
            except JobError as error:
                heard.append(type(error))
                raise

        id = self.declare(app, kind, work).enqueue().id
        self.expire(app, workers, kind, began, id)
        error, *expected = OUTCOMES[kind]
        until("it was settled", lambda: workers.job(id) == expected[0])
        assert list(workers.job(id, "state, attempt, error_class")) == expected
        assert heard == [error]
        assert not workers.told(JobAbandoned)

    @pytest.mark.parametrize("kind", OUTCOMES)
    def test_a_coroutine_is_cancelled(self, app: Penstock, workers: Workers, kind: str):
        began, tidied = threading.Event(), threading.Event()

        async def work() -> None:
            began.set()
            try:
                await asyncio.Event().wait()
            finally:
                await asyncio.sleep(0)
                tidied.set()

        id = self.declare(app, kind, work).enqueue().id
        self.expire(app, workers, kind, began, id)
        _, *expected = OUTCOMES[kind]
        until("it was settled", lambda: workers.job(id) == expected[0])
        assert list(workers.job(id, "state, attempt, error_class")) == expected
        assert tidied.is_set()

    @pytest.mark.parametrize("kind", ["timeout", "stale", "deadline"])
    @pytest.mark.parametrize("colour", ["thread", "event loop"])
    def test_one_that_does_not_listen_is_abandoned(self, app: Penstock, workers: Workers, kind: str, colour: str):
        began, after = threading.Event(), threading.Event()

        def work() -> None:
            began.set()
            workers.go.wait(20)

        async def awork() -> None:
            began.set()
            while not workers.go.is_set():
                try:
                    await asyncio.to_thread(workers.go.wait, 20)
                except asyncio.CancelledError:
                    continue

        @app.task(queue="default")
        def other() -> None:
            after.set()

        @app.task(queue="default")
        async def aother() -> None:
            after.set()

        id = self.declare(app, kind, work if colour == "thread" else awork).enqueue().id
        self.expire(app, workers, kind, began, id)
        _, *expected = OUTCOMES[kind]
        until("it was settled without it", lambda: workers.job(id) == expected[0])
        assert list(workers.job(id, "state, attempt, error_class")) == expected
        until("it was reported", lambda: workers.told(JobAbandoned))
        assert [(each.job_id, each.task, each.abandoned) for each in workers.told(JobAbandoned)] == [(id, "work", 1)]
        (other if colour == "thread" else aother).enqueue()
        assert after.wait(20), "its slot was not replaced"
        before = workers.job(id, "state, attempt, error_class, run_at")
        workers.go.set()
        until("its late end was refused", lambda: workers.told(StaleSettle))
        assert workers.job(id, "state, attempt, error_class, run_at") == before

    def test_a_checkpoint_ends_the_silence(self, app: Penstock, workers: Workers):
        @app.task(stale_after=timedelta(milliseconds=150), retry=RetryPolicy(max_attempts=1))
        def work() -> None:
            for step in range(20):
                pause.wait(0.02)  # 0.4 s in all
                current_job().checkpoint(percent=step)

        pause = threading.Event()
        work.enqueue()
        workers.start()
        workers.wait_for({"completed": 1})

    def test_a_cancelled_one_that_does_not_listen_still_times_out(self, app: Penstock, workers: Workers):
        began = threading.Event()

        @app.task(timeout=timedelta(milliseconds=300))
        def work() -> None:
            began.set()
            workers.go.wait(20)

        id = work.enqueue().id
        workers.start()
        assert began.wait(20)
        app.cancel(id)
        until("it was abandoned, as what it was told first", lambda: workers.job(id) == "cancelled")
        assert [each.reason for each in workers.told(JobAbandoned)] == ["cancelled"]

    def test_after_too_many_a_worker_claims_no_more(self, app: Penstock, workers: Workers):
        @app.task(timeout=SOON)
        def stuck() -> None:
            workers.go.wait(20)

        @app.task
        def work() -> None: ...

        app.enqueue_many(stuck.call() for _ in range(2))
        worker = workers.start()
        assert worker.exhausted.wait(20)
        until("it was told", lambda: workers.told(WorkerExhausted))
        assert [each.abandoned for each in workers.told(WorkerExhausted)] == [2]
        id = work.enqueue().id
        worker.wake()
        workers.go.set()
        worker.stop()
        assert workers.job(id) == "available"


@pytest.fixture
def ending(store_url: str) -> Iterator[Penstock]:
    """The tasks of the app for processes, to enqueue with."""
    from tests.conformance import ending_app

    with Penstock(store_url) as app:
        for task in ending_app.app.tasks.values():
            if not task.name.startswith("penstock."):
                app.task(task.function, name=task.name, retry=task.rules.retry, delivery=task.rules.delivery)
        yield app


def test_a_worker_process_that_is_exhausted_ends_to_be_started_again(
        ending: Penstock, store_url: str, clock: Clock, tmp_path: Path):
    ending.tasks[f"{APP}.stuck"].enqueue()
    with penstock("--app", APP, "worker", folder=tmp_path, PENSTOCK_URL=store_url) as child:
        child.line("stuck")
        assert child.wait() == 75, child.rest()
    assert clock.fetch("select state, error_class from penstock.jobs") == [("retryable", "JobTimedOut")]
    assert clock.fetch("select count(*) from penstock.workers") == [(0,)]


class TestAtMostOnce:
    @pytest.mark.parametrize("colour", ["thread", "event loop"])
    def test_it_is_settled_before_its_body_and_told_again_after_it(
            self, app: Penstock, workers: Workers, clock: Clock, colour: str):
        began = threading.Event()
        kept = Retention(completed=timedelta(hours=2), discarded=timedelta(days=9))

        def work(number: int) -> Any:
            began.set()
            workers.go.wait(20)
            if number:
                raise ValueError("no")
            return None

        async def awork(number: int) -> Any:
            return await asyncio.to_thread(work, number)

        function: Any = work if colour == "thread" else awork
        task = app.task(function, name="work", delivery="at_most_once", retention=kept, retry=AGAIN)
        well, badly = (task.enqueue(number).id for number in (0, 1))
        workers.start()
        until("both have begun", lambda: workers.states() == {"discarded": 2})
        assert workers.job(well, "state, attempt, error_class") == ("discarded", 1, "AtMostOnce")
        assert workers.counts_agree()
        workers.go.set()
        workers.wait_for({"completed": 1, "discarded": 1})
        assert workers.job(well, "attempt, error_class, error") == (1, None, None)
        until("the failure was told", lambda: workers.job(badly, "error_class") == "ValueError")
        assert workers.counts_agree()
        assert [event.state for event in workers.told(JobFailed)] == ["discarded"]
        rows = dict(clock.fetch("select id, prune_at from penstock.finished_jobs"))  # type: ignore[arg-type]
        assert rows == {well: clock.now_ms + 2 * 3_600_000, badly: clock.now_ms + 9 * 86_400_000}

    def test_what_it_says_of_its_own_end_cannot_make_it_run_again(self, app: Penstock, workers: Workers):
        def work(number: int) -> Any:
            return SIGNALS[number][0]

        task = app.task(work, name="work", delivery="at_most_once")
        jobs = app.enqueue_many(task.call(number) for number in (0, 2, 4))
        workers.start()
        workers.wait_for({"discarded": 2, "cancelled": 1})
        assert workers.job(jobs[1].id) == "cancelled"
        assert workers.counts_agree()

    def test_one_that_was_abandoned_is_told_of_once(self, app: Penstock, workers: Workers):
        def work() -> None:
            workers.go.wait(20)

        id = app.task(work, name="work", delivery="at_most_once", timeout=SOON).enqueue().id
        workers.start({"default": 1})
        until("it was abandoned", lambda: workers.told(JobAbandoned))
        until("it was told", lambda: workers.job(id, "state, attempt, error_class") == ("discarded", 1, "JobTimedOut"))
        assert not workers.told(StaleSettle)
        workers.go.set()
        until("its late end was refused", lambda: workers.told(StaleSettle))
        assert workers.job(id, "state, attempt, error_class") == ("discarded", 1, "JobTimedOut")
        assert workers.counts_agree()
        until("no lease is left", lambda: workers.clock.fetch("select count(*) from penstock.leases") == [(0,)])

    def test_one_that_has_become_pointless_does_not_begin(self, app: Penstock, workers: Workers):
        def never() -> bool:
            return False

        id = app.task(lambda: None, name="work", delivery="at_most_once", valid_if=never).enqueue().id
        workers.start()
        workers.wait_for({"cancelled": 1})
        assert workers.job(id, "error_class, attempt") == ("invalid", 1)  # it was settled as begun

    def test_a_worker_that_is_killed_in_between_leaves_it_as_it_began(
            self, ending: Penstock, store_url: str, clock: Clock, tmp_path: Path):
        ending.tasks[f"{APP}.once"].enqueue()
        with penstock("--app", APP, "worker", folder=tmp_path, PENSTOCK_URL=store_url) as first:
            first.line("once")
            first.signal(signal.SIGKILL)
            first.wait()
        last = ending.tasks[f"{APP}.last"].enqueue().id
        with penstock("--app", APP, "worker", folder=tmp_path, PENSTOCK_URL=store_url) as second:
            until("the lost one's row is gone", lambda: clock.fetch("select count(*) from penstock.workers") == [(1,)])
            second.line("last")
            until("it was settled", lambda: clock.fetch(
                f"select state from penstock.jobs where id = {last}") == [("completed",)])
            second.signal(signal.SIGTERM)
            assert second.wait() == 0
            assert "once" not in [*second.said, *second.rest()]
        assert clock.fetch(f"select state, attempt, error_class, error from penstock.jobs where id <> {last}") == [
            ("discarded", 1, "AtMostOnce",
             "it began, and never said how it ended: the worker was lost, and it runs at most once")]


@pytest.mark.parametrize("colour", ["thread", "event loop"])
def test_an_attempt_of_its_own_ack_is_persisted_before_the_slot_goes_on(
        app: Penstock, workers: Workers, colour: str):
    """With one slot, a body sees the attempts before it as settled."""
    seen: list[int] = []

    def work() -> None:
        rows = workers.app.store.read(lambda tx: tx.rows("job", {"id": jobs[0].id - 1 + len(seen)}))
        seen.append(sum(row[4] == "completed" for row in rows))

    async def awork() -> None:
        await asyncio.to_thread(work)

    function: Any = work if colour == "thread" else awork
    task = app.task(function, name="work", ack="each")
    jobs = app.enqueue_many(task.call() for _ in range(6))
    workers.start({"default": 1})
    workers.wait_for({"completed": 6})
    assert seen == [0, 1, 1, 1, 1, 1]
    assert not workers.told(StaleSettle)
    until("no lease is left", lambda: workers.clock.fetch("select count(*) from penstock.leases") == [(0,)])


class TestTheCurrentJob:
    def test_it_knows_its_job(self, app: Penstock, workers: Workers):
        seen: list[Any] = []

        @app.task(queue="q", retry=RetryPolicy(max_attempts=7))
        def work() -> None:
            job = current_job()
            seen.append((job.id, job.task.rpartition(".")[2], job.queue, job.attempt, job.max_attempts))

        @app.task(queue="q", name="awork", retry=RetryPolicy(max_attempts=7))
        async def awork() -> None:
            await asyncio.sleep(0)
            job = current_job()
            seen.append((job.id, job.task, job.queue, job.attempt, job.max_attempts))
            await asyncio.to_thread(lambda: seen.append(current_job().id))

        one, two = work.enqueue().id, awork.enqueue().id
        workers.start()
        workers.wait_for({"completed": 2})
        assert sorted(seen, key=str) == sorted([(one, "work", "q", 1, 7), (two, "awork", "q", 1, 7), two], key=str)

    def test_there_is_none_outside(self):
        with pytest.raises(NoCurrentJob, match="expected to run inside a job, got a plain call"):
            current_job()

    def test_what_it_tells_is_kept_while_it_runs(self, app: Penstock, workers: Workers, clock: Clock):
        """Though nothing else ends meanwhile, which would save it along the way."""
        told = threading.Event()

        @app.task
        def work() -> None:
            current_job().checkpoint(percent=40, note="read \0 the page")
            current_job().checkpoint(percent=41.5, note="rendered")
            told.set()
            workers.go.wait(20)
            current_job().checkpoint(note="sent")

        id = work.enqueue().id
        workers.start()
        assert told.wait(20)
        columns = "job_id, percent, note, told_at"
        until("its last word was saved", lambda: clock.fetch(f"select {columns} from penstock.progress") == [
            (id, 41.5, "rendered", clock.now_ms)], 5)
        workers.go.set()
        workers.wait_for({"completed": 1})
        until("the last of all too", lambda: clock.fetch("select note from penstock.progress") == [("sent",)], 5)
        clock.advance(3_601)
        app.upkeep().prune()
        assert clock.fetch("select count(*) from penstock.progress") == [(0,)]


def test_the_child_app_can_be_loaded(store_url: str, tmp_path: Path):
    with python(f"from {APP} import app\nprint(len(app.tasks))", folder=tmp_path, PENSTOCK_URL=store_url) as child:
        assert child.wait() == 0, child.rest()
