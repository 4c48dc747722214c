"""Batches: their callback runs once, when all of their jobs have ended for good, however these came."""

import asyncio
from collections.abc import Callable
from contextlib import closing
from datetime import timedelta
from typing import Any

import pytest

from penstock import Batch, BatchStatus, Penstock, Unique, Window
from penstock.domain.errors import InvalidArguments
from penstock.domain.jobs import Outcome
from penstock.queue.claim import settle
from tests.caller import caller, transaction
from tests.clock import Clock
from tests.engine import Engine

Drained = Callable[[], list[str]]


def told(status: BatchStatus | None) -> tuple[int, int, int, int, int]:
    assert status is not None
    return status.total, status.pending, status.completed, status.cancelled, status.discarded


class TestTheCallback:
    def test_it_runs_once_when_all_have_ended_well_or_not(self, app: Penstock, note: Any, drained: Drained):
        batch = app.batch([note.call(text) for text in ("a", "bad", "off", "b")], note.call("then"))
        assert told(app.batch_status(batch)) == (4, 4, 0, 0, 0)
        found = drained()
        assert (len(found), found[-1]) == (5, "then")
        status = app.batch_status(batch.id)
        assert status is not None
        assert told(status) == (4, 0, 2, 1, 1)
        assert (status.percent, status.open, status.finished_at is not None) == (100.0, False, True)

    def test_it_is_told_which_batch_it_is(self, app: Penstock, note: Any, ran: list[str], drained: Drained):
        @app.task(name="report")
        def report(batch_id: int) -> None:
            ran.append(f"{batch_id}: {told(app.batch_status(batch_id))}")

        batch = app.batch([note.call("a"), note.call("b")], report)
        assert batch.then is not None
        assert [job.task for job in batch.jobs] == ["note", "note"]
        assert drained()[-1] == f"{batch.id}: (2, 0, 2, 0, 0)"

    def test_an_empty_batch_calls_it_at_once(self, app: Penstock, note: Any, drained: Drained):
        batch = app.batch([], note.call("then"))
        assert (batch.jobs, drained()) == ((), ["then"])
        status = app.batch_status(batch)
        assert status is not None
        assert (told(status), status.percent) == ((0, 0, 0, 0, 0), 100.0)

    def test_a_batch_needs_none(self, app: Penstock, note: Any, drained: Drained):
        batch = app.batch([note.call("a")])
        assert (batch.then, drained()) == (None, ["a"])
        assert told(app.batch_status(batch)) == (1, 0, 1, 0, 0)

    @pytest.mark.parametrize(("text", "runs"), [("fine", True), ("bad", False)])
    def test_other_jobs_may_wait_for_a_batch_and_run_if_all_were_completed(
            self, app: Penstock, note: Any, drained: Drained, text: str, runs: bool):
        batch = app.batch([note.call(text)])
        before = note.using(after=[batch]).enqueue("before its end")
        found = drained()
        after = note.using(after=[batch.id]).enqueue("after its end")
        found += drained()
        assert found == ([text, "before its end", "after its end"] if runs else [text])
        row = app.job(before.id)
        assert row is not None
        assert (row.error_class is None) == runs
        assert after.id

    def test_a_batch_whose_jobs_wait_for_each_other(self, app: Penstock, note: Any, drained: Drained):
        first = note.call("bad")
        batch = app.batch([note.using(after=[first]).call("second"), first], note.call("then"))
        assert drained() == ["bad", "then"]
        assert told(app.batch_status(batch)) == (2, 0, 0, 1, 1)

    def test_a_batch_may_wait_for_a_batch(self, app: Penstock, note: Any, drained: Drained):
        first = app.batch([note.call("a"), note.call("b")])
        app.batch([note.using(after=[first]).call("c")], note.call("then"))
        assert [text for text in drained() if text in ("c", "then")] == ["c", "then"]

    def test_jobs_that_run_at_most_once_count_when_they_have_said_how_they_ended(
            self, app: Penstock, note: Any, ran: list[str], drained: Drained):
        @app.task(name="once", delivery="at_most_once")
        def once() -> None:
            app.dispatcher().step()
            status = app.batch_status(batch)
            assert status is not None
            ran.append(f"{status.pending} of {status.total}")

        batch = app.batch([once.call()], note.call("then"))
        assert drained() == ["1 of 1", "then"]
        assert told(app.batch_status(batch)) == (1, 0, 1, 0, 0)

    def test_jobs_that_were_there_already_do_not_belong_to_it(self, app: Penstock, note: Any, drained: Drained):
        unique = note.using(unique=Unique())
        met = unique.enqueue("same")
        batch = app.batch([unique.call("same"), note.call("other")], note.call("then"))
        assert [job.skipped for job in batch.jobs] == [True, False]
        assert batch.jobs[0].id == met.id
        assert told(app.batch_status(batch)) == (1, 1, 0, 0, 0)
        app.batch([unique.call("same")], note.call("nothing new"))
        assert set(drained()) == {"same", "other", "then", "nothing new"}


class TestMoreJobs:
    def test_jobs_add_to_their_own_batch(self, app: Penstock, note: Any, ran: list[str], drained: Drained):
        @app.task(name="walk")
        def walk(batch_id: int, depth: int) -> None:
            ran.append(f"depth {depth}")
            if depth:
                app.enqueue_many([walk.using(batch=batch_id).call(batch_id, depth - 1) for _ in range(2)])

        batch = app.batch(open=True, then=note.call("then"))
        walk.using(batch=batch).enqueue(batch.id, 2)
        app.close_batch(batch)
        found = drained()
        assert (len(found), found.count("depth 0"), found[-1]) == (8, 4, "then")
        assert told(app.batch_status(batch)) == (7, 0, 7, 0, 0)

    def test_an_open_batch_ends_no_sooner_than_it_is_closed(self, app: Penstock, note: Any, drained: Drained):
        batch = app.batch([note.call("a")], note.call("then"), open=True)
        assert drained() == ["a"]
        status = app.batch_status(batch)
        assert status is not None
        assert (status.open, status.pending) == (True, 0)
        app.enqueue_many([note.using(batch=batch).call(text) for text in "bc"])
        note.using(batch=batch.id).enqueue("d")
        app.close_batch(batch.id)
        assert sorted(drained()) == ["b", "c", "d", "then"]
        assert told(app.batch_status(batch)) == (4, 0, 4, 0, 0)

    def test_a_job_that_is_requeued_goes_on_and_the_callback_is_not_called_again(
            self, app: Penstock, note: Any, drained: Drained):
        batch = app.batch([note.call("a"), note.using(run_after=timedelta(days=9)).call("b")], note.call("then"))
        drained()
        app.requeue(batch.jobs[0].id)
        assert told(app.batch_status(batch)) == (2, 2, 0, 0, 0)
        assert drained() == ["a"]
        app.cancel(batch.jobs[1].id)
        assert drained() == ["then"]
        app.requeue(batch.jobs[1].id)
        assert drained() == ["b"]
        assert told(app.batch_status(batch)) == (2, 0, 2, 0, 0)

    def test_so_many_that_they_are_copied(self, app: Penstock, note: Any, clock: Clock):
        batch = app.batch([note.call(f"{n}") for n in range(1500)], note.call("then"))
        assert told(app.batch_status(batch)) == (1500, 1500, 0, 0, 0)
        if app.store.dialect == "postgres":  # ready rows stand for a hundred each, as for jobs of no batch
            assert clock.fetch("select count(*) from penstock.ready_jobs") == [(15,)]
        assert app.drain(Window(total=60, headroom=1)).served == 1501
        assert told(app.batch_status(batch)) == (1500, 0, 1500, 0, 0)


class TestWhere:
    def test_it_joins_the_callers_transaction(self, app: Penstock, store_url: str, note: Any, drained: Drained):
        with transaction(store_url) as connection:
            within = app.using(connection=connection)
            batch = within.batch([note.call("a")], note.call("then"), open=True)
            within.enqueue_many([note.using(batch=batch).call("b")])
            within.close_batch(batch)
        assert sorted(drained()[:2]) == ["a", "b"]
        assert told(app.batch_status(batch)) == (2, 0, 2, 0, 0)
        with closing(caller(store_url)) as connection:
            gone = app.using(connection=connection).batch([note.call("a")], note.call("then"))
            connection.rollback()
        assert (app.batch_status(gone), drained()) == (None, [])

    def test_async_code_has_the_same(self, app: Penstock, note: Any, drained: Drained):
        async def compose() -> Batch:
            batch = await app.abatch([note.call("a")], note.call("then"), open=True)
            jobs = await app.achain([note.using(after=[batch]).call("b"), note.call("c")])
            steps = await app.aworkflow({"d": note.using(after=jobs).call("d")})
            assert list(steps) == ["d"]
            await app.aclose_batch(batch)
            return batch

        batch = asyncio.run(compose())
        found = drained()
        assert [text for text in found if text != "then"] == ["a", "b", "c", "d"]
        assert told(app.batch_status(batch)) == (1, 0, 1, 0, 0)

    def test_it_is_remembered_for_thirty_days(self, app: Penstock, note: Any, drained: Drained, clock: Clock):
        batch, open_ = app.batch([note.call("a")]), app.batch(open=True)
        drained()
        clock.advance(29 * 86_400)
        app.upkeep().prune()
        assert app.batch_status(batch) is not None
        clock.advance(2 * 86_400)
        app.upkeep().prune()
        assert app.batch_status(batch) is None
        assert app.batch_status(open_) is not None

    def test_what_comes_to_one_that_is_forgotten_makes_none(self, app: Penstock, note: Any, drained: Drained,
                                                            clock: Clock):
        batch = app.batch([note.using(run_after=timedelta(days=40)).call("late")])
        app.cancel(batch.jobs[0].id)
        drained()
        clock.advance(29 * 86_400)
        assert app.requeue(batch.jobs[0].id)
        clock.advance(2 * 86_400)
        app.upkeep().prune()
        assert app.batch_status(batch) is None
        assert drained() == ["late"]
        assert app.batch_status(batch) is None
        note.using(batch=batch).enqueue("b")
        assert drained() == ["b"]
        clock.advance(31 * 86_400)
        app.upkeep().prune()
        assert clock.fetch("select * from penstock.batches") == [], "nothing is kept of it for ever"

    def test_no_step_takes_more_than_so_much_news(self, app: Penstock, note: Any, clock: Clock,
                                                 monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setattr("penstock.admission.waits._NEWS_BATCH", 3)
        monkeypatch.setattr("penstock.admission.waits._WAITS_BATCH", 2)
        engine = Engine(app, clock)
        first = note.enqueue("first")
        for n in range(5):
            app.batch([note.using(after=[first]).call(f"{n}")], note.using(after=[first]).call(f"then {n}"))
        step = app.dispatcher().step
        while step() == 0.0:
            pass
        (job,) = engine.claim("default")
        settle(app.store, [Outcome(job.id, job.lease, "discarded")])
        steps = 1
        while step() == 0.0:
            steps += 1
        assert steps > 5
        assert clock.fetch("select state, count(*) from penstock.jobs group by state order by state") == [
            ("cancelled", 10), ("discarded", 1)]


class TestBadInput:
    def test_calls_of_another_batch(self, app: Penstock, note: Any):
        with pytest.raises(InvalidArguments, match="belong to no batch"):
            app.batch([note.using(batch=7).call("a")])

    @pytest.mark.parametrize("given", ["7", 0, True, 1.5])
    def test_what_is_no_batch(self, app: Penstock, note: Any, given: Any):
        with pytest.raises(InvalidArguments, match="expected a Batch or its id"):
            note.using(batch=given)
        with pytest.raises(InvalidArguments, match="expected a Batch or its id"):
            app.batch_status(given)
