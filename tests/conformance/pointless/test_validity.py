"""Jobs that have become pointless: by a tag's mark, or by their own predicate.

Nothing is searched for: such a job settles as cancelled, with its reason, when its turn comes.
"""

import asyncio
from contextlib import closing
from datetime import timedelta
from typing import Any

import pytest

from penstock import Penstock, RetryPolicy
from penstock.domain.errors import DeclarationError, InvalidArguments
from penstock.domain.jobs import Outcome
from penstock.events import JobSkipped
from penstock.queue.claim import settle
from tests.caller import caller
from tests.clock import Clock
from tests.conformance.workers import Workers
from tests.engine import Engine
from tests.waiting import until

ONCE = RetryPolicy(max_attempts=1)


class TestInvalidating:
    def test_what_was_enqueued_before_is_pointless_and_what_comes_after_is_not(
            self, app: Penstock, work: Any, ran: list[Any], workers: Workers):
        before = work.using(tags=["offer:7", "mail"]).enqueue(1)
        other = work.using(tags=["offer:8"]).enqueue(2)
        app.invalidate("offer:7")
        after = work.using(tags=["offer:7"]).enqueue(3)
        workers.start()
        workers.wait_until_settled()
        assert ran == [2, 3]
        assert workers.job(before.id, "state, attempt, error_class, error") == (
            "cancelled", 0, "invalidated", "invalidated before it ran")
        assert [workers.job(job.id) for job in (other, after)] == ["completed", "completed"]
        until("it was told", lambda: workers.told(JobSkipped))
        assert workers.told(JobSkipped) == [JobSkipped(job_id=before.id, task="work", reason="invalidated")]

    def test_one_row_is_written_however_many_jobs_wait(self, app: Penstock, work: Any, engine: Engine, clock: Clock):
        app.enqueue_many(work.using(run_after=timedelta(days=1), tags=["t"]).call(number) for number in range(300))
        before = clock.fetch("select count(*), min(lease), max(lease) from penstock.live_jobs")
        app.invalidate("t")
        app.invalidate("t")
        assert clock.fetch("select count(*) from penstock.tag_marks") == [(1,)]
        assert clock.fetch("select count(*), min(lease), max(lease) from penstock.live_jobs") == before
        assert clock.fetch("select count(*) from penstock.finished_jobs") == [(0,)]

    def test_several_tags_at_once(self, app: Penstock, work: Any, engine: Engine):
        for tag in "abc":
            work.using(tags=[tag]).enqueue(1)
        app.invalidate("a", "c", "a")
        assert engine.reasons() == ["invalidated", None, "invalidated"]

    def test_a_job_that_waits_for_its_time_or_its_retry(
            self, app: Penstock, work: Any, engine: Engine, clock: Clock):
        work.using(tags=["t"], run_after=timedelta(seconds=5)).enqueue(1)
        work.using(tags=["t"]).enqueue(2)
        (job,) = engine.claim("default")
        settle(app.store, [Outcome(job.id, job.lease, "retryable", delay_ms=5_000)])
        app.invalidate("t")
        clock.advance(5)
        assert app.upkeep().stage() == 2
        assert engine.reasons() == ["invalidated", "invalidated"]

    def test_what_runs_goes_on_but_is_not_tried_again(self, app: Penstock, work: Any, engine: Engine, clock: Clock):
        work.using(tags=["t"]).enqueue(1)
        (job,) = engine.claim("default")
        app.invalidate("t")
        assert settle(app.store, [Outcome(job.id, job.lease, "retryable", delay_ms=0)]) == set()
        app.upkeep().stage()
        assert engine.reasons() == ["invalidated"]

    def test_a_requeued_job_counts_as_new(self, app: Penstock, work: Any, engine: Engine):
        id = work.using(tags=["t"]).enqueue(1).id
        app.invalidate("t")
        (job,) = engine.claim("default")
        settle(app.store, [Outcome(job.id, job.lease, "cancelled", counted=0, keep_ms=60_000)])
        assert app.requeue(id)
        assert engine.reasons() == [None]
        app.invalidate("t")
        assert engine.reasons() == ["invalidated"]

    def test_in_the_callers_transaction(self, app: Penstock, work: Any, engine: Engine, store_url: str):
        work.using(tags=["t"]).enqueue(1)
        with closing(caller(store_url)) as connection:
            app.using(connection=connection).invalidate("t")
            connection.rollback()
        assert engine.reasons() == [None]
        with closing(caller(store_url)) as connection:
            app.using(connection=connection).invalidate("t")
            work.using(connection=connection, tags=["t"]).enqueue(2)  # after it, in the same transaction
            connection.commit()
        assert engine.reasons() == ["invalidated", None]

    def test_an_enqueue_that_commits_after_a_later_mark_may_lose_but_is_settled(
            self, app: Penstock, work: Any, engine: Engine, store_url: str):
        """Of transactions that overlap either may win: the number of the enqueue decides, not its commit."""
        if app.store.dialect == "sqlite":
            return  # there is one writer: no two writing transactions overlap
        with closing(caller(store_url)) as connection:
            work.using(connection=connection, tags=["t"]).enqueue(1)
            app.invalidate("t")
            connection.commit()
        assert engine.reasons() == ["invalidated"]

    def test_marks_of_two_transactions_that_overlap(self, app: Penstock, work: Any, engine: Engine, store_url: str):
        """The later number stays, whichever commits last."""
        if app.store.dialect == "sqlite":
            return  # there is one writer
        with closing(caller(store_url)) as connection:
            number = connection.execute("select nextval('penstock.job_seq')").fetchone()[0]
            work.using(tags=["t"]).enqueue(1)
            app.invalidate("t")
            connection.execute("insert into penstock.tag_marks values ('t', %s, 0) on conflict (tag) do update"
                               " set number = greatest(excluded.number, penstock.tag_marks.number)", [number])
            connection.commit()
        assert engine.reasons() == ["invalidated"]

    def test_a_mark_goes_when_no_older_job_lives(self, app: Penstock, work: Any, engine: Engine, clock: Clock):
        def marks() -> list[str]:
            return [tag for (tag,) in clock.fetch("select tag from penstock.tag_marks order by tag")]

        app.invalidate("early")
        id = work.using(tags=["late"]).enqueue(1).id
        app.invalidate("late")
        app.upkeep().prune()
        assert marks() == ["early", "late"]  # made just now: transactions that began before may be under way
        clock.advance(61)
        app.upkeep().prune()
        assert marks() == ["late"]
        app.cancel(id)
        app.upkeep().prune()
        assert marks() == []

    def test_tags_that_cannot_be(self, app: Penstock, work: Any):
        for tags in ([""], ["x" * 201], ["a\0b"], [5]):
            with pytest.raises(InvalidArguments, match="expected a tag of 1 to 200 characters, got"):
                work.using(tags=tags)
            with pytest.raises(InvalidArguments, match="expected a tag of 1 to 200 characters, got"):
                app.invalidate(*tags)
        with pytest.raises(InvalidArguments, match="expected at least one tag"):
            app.invalidate()

    @pytest.mark.parametrize("tag", ["offer:7", "%s ' \" \\ :name", "🦦", "{a,b}", "x" * 200, "null", "NULL", " "])
    def test_any_other_tag_is_taken_as_it_is(self, app: Penstock, work: Any, engine: Engine, tag: str):
        work.using(tags=[tag, "other"]).enqueue(1)
        work.using(tags="other").enqueue(2)
        app.invalidate(tag)
        assert engine.reasons() == ["invalidated", None]


class TestAPredicate:
    def test_it_is_asked_just_before_the_body(self, app: Penstock, workers: Workers):
        asked: list[Any] = []
        ran: list[Any] = []

        def wanted(number: int, flag: bool = True) -> bool:
            asked.append((number, flag))
            return number % 2 == 0

        async def awanted(number: int) -> bool:
            await asyncio.to_thread(asked.append, number)
            return number % 2 == 0

        @app.task(valid_if=wanted, name="plain")
        def plain(number: int, flag: bool = True) -> None:
            ran.append(number)

        @app.task(valid_if=awanted, name="asynchronous")
        async def asynchronous(number: int) -> None:
            ran.append(number)

        @app.task(valid_if=wanted, name="mixed")
        async def mixed(number: int, flag: bool = False) -> None:
            ran.append(number)

        ids = [plain.enqueue(1, False).id, plain.enqueue(2).id, asynchronous.enqueue(3).id, asynchronous.enqueue(4).id,
               mixed.enqueue(5, True).id, mixed.enqueue(number=6, flag=True).id]
        workers.start()
        workers.wait_until_settled()
        assert sorted(ran) == [2, 4, 6]
        assert sorted(asked, key=str) == [(1, False), (2, True), (5, True), (6, True), 3, 4]
        assert [workers.job(id, "state, attempt, error_class") for id in ids] == [
            ("cancelled", 0, "invalid"), ("completed", 1, None)] * 3

    def test_one_that_fails_fails_the_attempt(self, app: Penstock, workers: Workers):
        def broken(number: int) -> bool:
            raise LookupError("no such offer")

        @app.task(valid_if=broken, retry=ONCE)
        def work(number: int) -> None:
            raise AssertionError

        id = work.enqueue(1).id
        workers.start()
        workers.wait_for({"discarded": 1})
        assert workers.job(id, "error_class, attempt") == ("LookupError", 1)

    def test_one_that_a_thread_cannot_wait_for_is_refused(self, app: Penstock):
        async def valid() -> bool:
            return False

        with pytest.raises(DeclarationError, match="valid_if is `async def`, for which a `def` task cannot wait"):
            @app.task(valid_if=valid)
            def work() -> None: ...
