"""Inline mode: jobs run in the caller, at once, with all that surrounds a job; nothing is stored."""

import asyncio
import sqlite3
import threading
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from penstock import Cancel, Chunk, Jobs, Outcomes, Penstock, Retry, RetryPolicy, Snooze, Unique, current_job
from penstock.domain.errors import InvalidArguments, JobCancelled, JobError, NoCurrentJob, UnknownConnection
from penstock.testing import Ran, all_enqueued, inline, refute_enqueued
from tests.waiting import until


@dataclass
class Offer:
    id: int
    until: datetime


@pytest.fixture
def shop(tmp_path: Path) -> Penstock:
    """An app whose store cannot be opened: inline mode needs none."""
    return Penstock(f"sqlite:///{tmp_path}/no/such/folder.db")


def test_a_job_runs_in_the_caller_with_its_arguments_decoded(shop: Penstock):
    seen: list[Any] = []

    @shop.task
    def remind(offer: Offer, *others: int, quiet: bool = False) -> str:
        seen.append((offer, others, quiet, threading.current_thread(), current_job().id, current_job().attempt))
        return f"reminded of {offer.id}"

    offer = Offer(7, datetime(2027, 3, 1, tzinfo=UTC))
    with inline(shop) as inlined:
        job = remind.enqueue(offer, 1, 2, quiet=True)
    assert seen == [(offer, (1, 2), True, threading.current_thread(), job.id, 1)]
    assert seen[0][0] is not offer
    assert inlined.jobs == [job]
    assert isinstance(job, Ran)
    assert (job.state, job.returned, job.task, job.queue) == ("completed", "reminded of 7", remind.name, "default")


def test_outside_of_the_block_the_app_is_as_it_was(tmp_path: Path):
    with Penstock(f"sqlite:///{tmp_path}/store.db") as shop:
        task = shop.task(name="task")(lambda: None)
        with inline(shop), inline(shop):
            task.enqueue()
        assert all_enqueued(shop) == []
        task.enqueue()
        assert len(all_enqueued(shop)) == 1
        with pytest.raises(NoCurrentJob):
            current_job()


def test_the_inner_of_two_blocks_has_its_jobs(shop: Penstock):
    task = shop.task(name="task")(lambda: None)
    with inline(shop) as outer:
        with inline(shop) as inner:
            task.enqueue()
        task.enqueue()
    assert (len(outer.jobs), len(inner.jobs)) == (1, 1)


def test_arguments_that_do_not_fit_are_refused_as_ever(shop: Penstock):
    @shop.task
    def charge(pounds: int) -> None: ...

    with inline(shop) as inlined, pytest.raises(InvalidArguments):
        charge.enqueue("ten")  # type: ignore[arg-type]
    assert inlined.jobs == []


def test_an_error_comes_out_where_the_job_was_enqueued(shop: Penstock):
    error = ValueError("no such offer")

    @shop.task
    def charge(pounds: int) -> None:
        if pounds > 5:
            raise error

    with inline(shop) as inlined:
        with pytest.raises(ValueError, match="no such offer") as raised:
            shop.enqueue_many(charge.call(pounds) for pounds in (5, 6, 7))
        assert raised.value is error
    assert [(job.state, job.error, job.error_class) for job in inlined.jobs] == [
        ("completed", None, None), ("retryable", error, "ValueError")]


def test_a_job_with_no_attempt_left_is_discarded(shop: Penstock):
    @shop.task(retry=RetryPolicy(max_attempts=1))
    def fail() -> None:
        raise LookupError

    @shop.task(delivery="at_most_once")
    def fail_once() -> None:
        raise LookupError

    with inline(shop) as inlined:
        for task in (fail, fail_once):
            with pytest.raises(LookupError):
                task.enqueue()
    assert [job.state for job in inlined.jobs] == ["discarded", "discarded"]


@pytest.mark.parametrize(("signal", "state"), [
    (Snooze(timedelta(minutes=5)), "scheduled"), (Cancel("sold out"), "cancelled"), (Retry(), "retryable")])
@pytest.mark.parametrize("way", ["return", "raise"])
def test_a_signal_is_seen_and_not_raised(shop: Penstock, signal: Any, state: str, way: str):
    @shop.task
    def decide() -> Any:
        if way == "raise":
            raise signal
        return signal

    with inline(shop) as inlined:
        decide.enqueue()
    (job,) = inlined.jobs
    assert (job.state, job.signal, job.returned, job.error) == (state, signal, None, None)


def test_a_job_that_ends_as_cancelled_raises_nothing(shop: Penstock):
    @shop.task
    def stop() -> None:
        raise JobCancelled("somebody asked")

    with inline(shop) as inlined:
        stop.enqueue()
    assert [job.state for job in inlined.jobs] == ["cancelled"]


def test_a_job_that_is_pointless_is_not_run(shop: Penstock):
    ran = []

    @shop.task(valid_if=lambda offer: offer != 7)
    def remind(offer: int) -> None:
        ran.append(offer)

    with inline(shop) as inlined:
        remind.enqueue(7)
        remind.enqueue(8)
    assert (ran, [job.error_class for job in inlined.jobs]) == ([8], ["invalid", None])


def test_a_job_for_later_runs_at_once(shop: Penstock):
    ran = []
    task = shop.task(name="later")(lambda: ran.append(1))
    with inline(shop):
        task.using(run_after=timedelta(days=3), tags="offer:7", priority=3).enqueue()
    assert ran == [1]


def test_a_job_enqueued_by_a_job_runs_inside_of_it(shop: Penstock):
    told = []

    @shop.task
    def inner() -> None:
        told.append(("inner", current_job().id))

    @shop.task
    def outer() -> None:
        told.append(("begin", current_job().id))
        inner.enqueue()
        told.append(("end", current_job().id))

    with inline(shop) as inlined:
        outer.enqueue()
    assert told == [("begin", 1), ("inner", 2), ("end", 1)]
    assert [job.task for job in inlined.jobs] == [inner.name, outer.name]


@pytest.mark.parametrize("kind", ["sync", "async"])
def test_a_chain_without_end_says_so(shop: Penstock, kind: str):
    @shop.task
    def again() -> None:
        again.using(run_after=timedelta(days=1)).enqueue()

    @shop.task
    async def aagain() -> None:
        await aagain.aenqueue()

    with inline(shop), pytest.raises(JobError, match="a chain of 40, each enqueued by the one before"):
        (again if kind == "sync" else aagain).enqueue()


def test_an_async_task_runs_on_a_loop_of_its_own(shop: Penstock):
    @shop.task
    async def fetch(number: int) -> int:
        await asyncio.to_thread(str)
        return number * current_job().id

    with inline(shop) as inlined:
        fetch.enqueue(20)
        fetch.enqueue(21)
    assert [job.returned for job in inlined.jobs] == [20, 42]


def test_an_async_task_may_be_enqueued_beneath_a_running_loop(shop: Penstock):
    @shop.task
    async def fetch(number: int) -> int:
        await asyncio.to_thread(str)
        if number:
            fetch.enqueue(number - 1)
        return number

    async def caller() -> None:
        fetch.enqueue(2)

    with inline(shop) as inlined:
        asyncio.run(caller())
    assert [job.returned for job in inlined.jobs] == [0, 1, 2]


def test_async_code_awaits_its_jobs_on_its_own_loop(shop: Penstock):
    @shop.task
    async def fetch() -> tuple[asyncio.AbstractEventLoop, int]:
        await asyncio.to_thread(str)
        return asyncio.get_running_loop(), current_job().id

    @shop.task
    def plain() -> threading.Thread:
        return threading.current_thread()

    async def caller() -> None:
        one, two = [await fetch.aenqueue(), await plain.aenqueue()]
        assert isinstance(one, Ran)
        assert isinstance(two, Ran)
        assert one.returned == (asyncio.get_running_loop(), one.id)
        assert two.returned is threading.current_thread()
        with pytest.raises(NoCurrentJob):
            current_job()

    with inline(shop):
        asyncio.run(caller())


def test_an_error_of_an_async_job_comes_out_of_its_aenqueue(shop: Penstock):
    @shop.task
    async def fail() -> None:
        raise LookupError("no such offer")

    async def caller() -> None:
        with pytest.raises(LookupError, match="no such offer"):
            await fail.aenqueue()

    with inline(shop):
        asyncio.run(caller())
        with pytest.raises(LookupError):
            fail.enqueue()


def test_a_caller_that_is_cancelled_ends_its_job(shop: Penstock):
    @shop.task
    async def for_ever() -> None:
        await asyncio.Event().wait()

    async def caller() -> None:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(for_ever.aenqueue(), 0.01)

    with inline(shop) as inlined:
        asyncio.run(caller())
    assert [job.error_class for job in inlined.jobs] == ["CancelledError"]


def test_a_job_in_the_callers_transaction_runs_before_it_commits(shop: Penstock):
    connection = sqlite3.connect(":memory:")
    connection.execute("create table offer (id)")
    connection.execute("insert into offer values (7)")
    ran = []
    task = shop.task(name="task")(lambda: ran.append(connection.in_transaction))
    with inline(shop) as inlined:
        task.using(connection=connection).enqueue()
        shop.using(connection=connection).enqueue_many([task.call()])
        asyncio.run(shop.using(connection=connection).aenqueue_many([task.call()]))
        assert ran == [True, True, True]
        with pytest.raises(UnknownConnection):
            task.using(connection=object()).enqueue()
    assert len(inlined.jobs) == 3
    connection.close()


def test_a_double_is_skipped_while_its_key_is_kept(shop: Penstock):
    @shop.task(unique=Unique())
    def step(left: int) -> bool:
        return step.enqueue(left).skipped

    @shop.task(unique=Unique(states=("scheduled", "pending", "available", "executing", "retryable", "completed")))
    def once() -> None: ...

    with inline(shop) as inlined:
        step.enqueue(1)
        step.enqueue(1)
        first, second = once.enqueue(), once.enqueue()
    assert [job.returned for job in inlined.jobs if job.task == step.name] == [True, True]
    assert (second.id, first.skipped, second.skipped) == (first.id, False, True)


def test_jobs_of_a_chunk_that_are_enqueued_together_go_together(shop: Penstock):
    """Up to its size, and where they follow one another; each has what was said of it, and may be skipped."""
    calls: list[list[int]] = []

    @shop.task(chunk=Chunk(size=3), unique=Unique())
    def index(jobs: Jobs[int]) -> Outcomes:
        calls.append([job.arguments for job in jobs])
        return {job: Cancel("odd") for job in jobs if job.arguments % 2}

    @shop.task(chunk=Chunk(size=2))
    async def aindex(jobs: Jobs[int]) -> Outcomes:
        calls.append([-job.arguments for job in jobs])
        return {jobs[0].id: ValueError("refused")} if len(jobs) > 1 else None

    plain = shop.task(name="plain")(lambda: None)
    with inline(shop) as inlined:
        jobs = shop.enqueue_many([*map(index.call, (0, 1, 2, 3)), plain.call(), *map(index.call, (4, 4))])
        asyncio.run(aindex.aenqueue(5))
        assert calls == [[0, 1, 2], [3], [4], [-5]]
        assert [getattr(job, "state", "skipped") for job in jobs] == [
            "completed", "cancelled", "completed", "cancelled", "completed", "completed", "skipped"]
        with pytest.raises(ValueError, match="refused"):
            shop.enqueue_many(map(aindex.call, (6, 7)))
    assert [job.state for job in inlined.jobs[-2:]] == ["retryable", "completed"]


class Interrupted(BaseException):
    """Stands for Ctrl-C, and for how pytest ends a test."""


@pytest.mark.parametrize("kind", ["sync", "async"])
def test_what_ends_the_test_is_no_failure_of_the_job(shop: Penstock, kind: str):
    @shop.task(retry=RetryPolicy(max_attempts=3))
    def interrupted() -> None:
        raise Interrupted

    @shop.task
    async def ainterrupted() -> None:
        raise Interrupted

    with inline(shop), pytest.raises(Interrupted):
        (interrupted if kind == "sync" else ainterrupted).enqueue()


def test_assertions_say_that_inline_mode_is_on(tmp_path: Path):
    from penstock.testing import assert_enqueued

    with Penstock(f"sqlite:///{tmp_path}/store.db") as shop:
        task = shop.task(name="task")(lambda: None)
        with inline(shop):
            task.enqueue()
            refute_enqueued(shop, task)
            with pytest.raises(AssertionError, match="inline mode is on"):
                assert_enqueued(shop, task)


def test_no_thread_is_left(shop: Penstock):
    before = set(threading.enumerate())

    @shop.task
    async def fetch() -> None:
        await asyncio.to_thread(lambda: None)

    async def caller() -> None:
        fetch.enqueue()

    with inline(shop):
        fetch.enqueue()
        asyncio.run(caller())
    until("the threads have ended", lambda: set(threading.enumerate()) <= before)
