"""Workers gather the jobs of chunk tasks: until there are enough of them, or the first has waited; and never at the
cost of others. `LONG` is a wait that no test lives to see the end of."""

import asyncio
import threading
from datetime import timedelta
from typing import Any

import pytest

from penstock import Cancel, Chunk, Jobs, Outcomes, Penstock, Rate, RetryPolicy, Window, current_job
from penstock.events import JobAbandoned, JobsRescued, StaleSettle
from penstock.testing import drain
from penstock.worker import lane
from tests.conformance.workers import MostAtOnce, Workers
from tests.waiting import until

LONG = 600.0


class Seen:
    """The calls that a task served, each as the numbers that it was given."""

    def __init__(self) -> None:
        self.calls: list[list[int]] = []

    def __call__(self, jobs: Jobs[int]) -> None:
        self.calls.append([job.arguments for job in jobs])

    @property
    def numbers(self) -> list[int]:
        return sorted(number for call in self.calls for number in call)


@pytest.fixture
def seen() -> Seen:
    return Seen()


def declared(app: Penstock, seen: Seen, colour: str = "thread", *, size: int = 10, wait: float = LONG,
             name: str = "index") -> Any:
    def work(jobs: Jobs[int]) -> None:
        seen(jobs)

    async def awork(jobs: Jobs[int]) -> None:
        await asyncio.sleep(0)
        seen(jobs)

    if colour == "thread":
        return app.task(name=name, chunk=Chunk(size, wait))(work)
    return app.task(name=name, chunk=Chunk(size, wait))(awork)


@pytest.mark.parametrize("colour", ["thread", "event loop"])
def test_until_there_are_enough(app: Penstock, workers: Workers, seen: Seen, colour: str):
    index = declared(app, seen, colour)
    app.enqueue_many(index.call(number) for number in range(25))
    workers.start({"default": 2})
    workers.wait_for({"completed": 20, "executing": 5})
    assert sorted(map(len, seen.calls)) == [10, 10]
    app.enqueue_many(index.call(number) for number in range(25, 30))
    workers.wait_for({"completed": 30})
    assert sorted(map(len, seen.calls)) == [10, 10, 10]
    assert seen.numbers == list(range(30))
    assert workers.counts_agree()


def test_or_until_the_first_of_them_has_waited(app: Penstock, workers: Workers, seen: Seen):
    index = declared(app, seen, wait=0.05)
    app.enqueue_many(index.call(number) for number in range(13))
    workers.start({"default": 2})
    workers.wait_for({"completed": 13})
    assert max(map(len, seen.calls)) <= 10
    assert seen.numbers == list(range(13))


def test_without_a_wait_what_was_claimed_together_goes_together(app: Penstock, workers: Workers, seen: Seen):
    index = declared(app, seen, wait=0, size=1000)
    app.enqueue_many(index.call(number) for number in range(2_000))
    workers.start({"default": 4})
    workers.wait_for({"completed": 2_000})
    assert len(seen.calls) < 40  # the first few of a worker that knows nothing yet are small
    assert seen.numbers == list(range(2_000))
    assert not workers.told(StaleSettle)


def test_enough_is_claimed_for_every_slot(app: Penstock, workers: Workers, seen: Seen):
    """Three calls of fifty, all at once: none of them begins with less, and none waits for another."""
    together = threading.Barrier(3)

    @app.task(chunk=Chunk(size=50, wait=LONG))
    def index(jobs: Jobs[int]) -> None:
        together.wait(60)
        seen(jobs)

    app.enqueue_many(index.call(number) for number in range(300))
    workers.start({"default": 3})
    workers.wait_for({"completed": 300})
    assert {len(call) for call in seen.calls} == {50}


def test_several_leases_in_one_call_end_with_it(app: Penstock, workers: Workers, seen: Seen):
    index = declared(app, seen, size=6)
    workers.start({"default": 1})
    for number in range(6):
        index.enqueue(number)
        if number < 5:
            workers.wait_for({"executing": number + 1})
    workers.wait_for({"completed": 6})
    assert seen.calls == [[0, 1, 2, 3, 4, 5]]
    until("no lease is left", lambda: not workers.clock.fetch("select 1 from penstock.leases"))


class TestBesideOthers:
    def test_plain_tasks_of_the_queue_go_on(self, app: Penstock, workers: Workers, seen: Seen):
        """Whatever waits for more of its kind holds no slot."""
        index = declared(app, seen)

        @app.task
        def plain(number: int) -> None: ...

        app.enqueue_many(task.call(number) for number in range(30) for task in (index, plain))
        app.enqueue_many(index.call(number) for number in range(30, 35))
        workers.start({"default": 1})
        workers.wait_for({"completed": 60, "executing": 5})
        app.enqueue_many(plain.call(number) for number in range(20))
        workers.wait_for({"completed": 80, "executing": 5})
        assert {len(call) for call in seen.calls} == {10}

    def test_every_kind_in_one_queue_within_its_slots(self, app: Penstock, workers: Workers):
        inside = MostAtOnce()

        @app.task(chunk=Chunk(size=5, wait=0.02))
        def index(jobs: Jobs[int]) -> None:
            inside.enter()
            inside.leave()

        @app.task(chunk=Chunk(size=7, wait=0))
        async def aindex(jobs: Jobs[int]) -> None:
            inside.enter()
            await asyncio.sleep(0)
            inside.leave()

        @app.task
        def plain(number: int) -> None:
            inside.enter()
            inside.leave()

        @app.task
        async def aplain(number: int) -> None:
            inside.enter()
            await asyncio.sleep(0)
            inside.leave()

        tasks: list[Any] = [index, aindex, plain, aplain]
        app.enqueue_many(tasks[number % 4].call(number) for number in range(400))
        workers.start({"default": 3})
        workers.wait_for({"completed": 400})
        assert inside.most <= 3
        assert not workers.told(StaleSettle)
        assert workers.counts_agree()

    def test_what_was_claimed_for_chunks_and_is_none_is_given_back(self, app: Penstock, workers: Workers, seen: Seen,
                                                                   monkeypatch: pytest.MonkeyPatch):
        """A worker that expected a hundred jobs to go into one slot does not keep a hundred that each need one; nor do
        those that it has gathered keep the others from their slots, where it claims nothing ahead."""
        monkeypatch.setattr(lane, "AHEAD_SECONDS", 1e-9)  # any job takes longer
        index = declared(app, seen, size=100)

        @app.task
        def plain(number: int) -> None:
            workers.go.wait(60)

        app.enqueue_many(index.using(priority=1).call(number) for number in range(4))
        app.enqueue_many(plain.call(number) for number in range(150))
        workers.start({"default": 2})
        until("most are left for others", lambda: workers.states().get("available", 0) >= 140
              and workers.states().get("executing", 0) >= 6)
        workers.go.set()
        workers.wait_for({"completed": 150, "executing": 4})


class TestStopping:
    def test_what_is_gathered_is_given_back(self, app: Penstock, workers: Workers, seen: Seen):
        index = declared(app, seen)
        jobs = app.enqueue_many(index.call(number) for number in range(4))
        worker = workers.start({"default": 1})
        workers.wait_for({"executing": 4})
        worker.stop()
        assert seen.calls == []
        assert [workers.job(job.id, "state, attempt") for job in jobs] == [("available", 0)] * 4
        assert workers.counts_agree()

    def test_a_call_that_looks_ends_and_gives_all_of_its_jobs_back(self, app: Penstock, workers: Workers):
        begun = threading.Event()

        @app.task(chunk=Chunk(size=3))
        def index(jobs: Jobs[int]) -> None:
            begun.set()
            while True:
                current_job().check()
                workers.go.wait(0.01)

        jobs = app.enqueue_many(index.call(number) for number in range(3))
        worker = workers.start({"default": 3})
        assert begun.wait(60)
        worker.stop()
        assert [workers.job(job.id, "state, attempt") for job in jobs] == [("available", 0)] * 3

    def test_a_lost_worker_loses_none(self, app: Penstock, workers: Workers, seen: Seen):
        """Neither what it had gathered nor what it ran; another worker takes all."""
        index = declared(app, seen, size=5)
        app.enqueue_many(index.call(number) for number in range(4))
        workers.start({"default": 1})
        workers.wait_for({"executing": 4})
        workers.clock._connection.execute(  # as if it had been out of reach for too long
            "delete from penstock.workers" if app.store.dialect == "postgres" else "delete from penstock_workers")
        app.upkeep().rescue()
        until("they are rescued, by this or by the worker's own upkeep", lambda: workers.told(JobsRescued))
        workers.start({"default": 1})
        index.enqueue(4)
        until("all have run", lambda: workers.states() == {"completed": 5} or workers.clock.advance(31))
        assert set(seen.numbers) == set(range(5))


class TestCancelling:
    def test_one_that_is_gathered_does_not_begin(self, app: Penstock, workers: Workers, seen: Seen):
        index = declared(app, seen, size=3)
        jobs = app.enqueue_many(index.call(number) for number in range(2))
        worker = workers.start({"default": 1})
        workers.wait_for({"executing": 2})
        assert app.cancel(jobs[0].id) == "executing"
        until("the worker has heard of it", lambda: worker._watching._asked == {jobs[0].id})
        index.enqueue(2)
        workers.wait_for({"completed": 2, "cancelled": 1})
        assert seen.calls == [[1, 2]]

    def test_one_of_a_call_that_runs_is_told_of_it_and_not_tried_again(self, app: Penstock, workers: Workers):
        told = threading.Event()

        @app.task(chunk=Chunk(size=3), retry=RetryPolicy(base_seconds=0, jitter=0))
        def index(jobs: Jobs[int]) -> Outcomes:
            told.set()
            until("it shows", lambda: sum(job.cancelled for job in jobs) == 2)
            return {job: Cancel("as asked") if job.arguments == 0 else ValueError() for job in jobs if job.cancelled}

        jobs = app.enqueue_many(index.call(number) for number in range(3))
        workers.start({"default": 3})
        assert told.wait(60)
        app.cancel(jobs[0].id)
        app.cancel(jobs[1].id)
        workers.wait_for({"completed": 1, "cancelled": 2})
        assert workers.job(jobs[2].id) == "completed"

    def test_a_call_whose_jobs_are_all_cancelled_is_told_to_end(self, app: Penstock, workers: Workers):
        begun = threading.Event()

        @app.task(chunk=Chunk(size=2))
        async def index(jobs: Jobs[int]) -> None:
            begun.set()
            await asyncio.Event().wait()

        jobs = app.enqueue_many(index.call(number) for number in range(2))
        workers.start({"default": 2})
        assert begun.wait(60)
        for job in jobs:
            app.cancel(job.id)
        workers.wait_for({"cancelled": 2})


def test_a_call_that_does_not_listen_is_abandoned_with_all_of_its_jobs(app: Penstock, workers: Workers):
    @app.task(chunk=Chunk(size=3), timeout=timedelta(seconds=0.05), retry=RetryPolicy(max_attempts=1))
    def index(jobs: Jobs[int]) -> None:
        workers.go.wait(60)

    app.enqueue_many(index.call(number) for number in range(3))
    workers.start({"default": 3})
    until("it was abandoned", lambda: workers.states() == {"discarded": 3})
    assert len(workers.told(JobAbandoned)) >= 1
    assert set(workers.clock.fetch("select error_class from penstock.jobs")) == {("JobTimedOut",)}


def test_a_call_spends_one_permit(app: Penstock, workers: Workers, seen: Seen):
    """However many jobs it has: they spend together what one would, and the next call has to wait."""
    @app.task(chunk=Chunk(size=50, wait=LONG), limits=[Rate(1, per="hour")])
    def index(jobs: Jobs[int]) -> None:
        seen(jobs)

    app.enqueue_many(index.call(number) for number in range(100))
    drain(app)
    (call,) = seen.calls
    assert len(call) > 1
    assert workers.states() == {"completed": len(call), "scheduled": 100 - len(call)}


def test_a_drain_waits_for_nothing_more(app: Penstock, workers: Workers, seen: Seen):
    index = declared(app, seen)
    declared(app, seen, "event loop", name="aindex")
    app.enqueue_many(app.tasks[name].call(number) for number in range(13) for name in ("index", "aindex"))
    for slots in (1, 3):
        report = app.drain(Window(60, headroom=1), slots=slots)
        assert (report.served, report.remaining) == (26 if slots == 1 else 15, 0)
        app.enqueue_many(index.call(number) for number in range(15))
    assert max(map(len, seen.calls)) == 10
    assert workers.clock.fetch("select 1 from penstock.leases") == []
