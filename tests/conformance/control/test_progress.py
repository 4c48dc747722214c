"""What an attempt says of its progress: what is kept, for how long, and who may not write any more."""

from concurrent.futures import Future, ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest

from penstock import Cancel, Penstock, Retry, RetryPolicy, Snooze, current_job
from penstock.domain.errors import InvalidCheckpoint, Stopping, Throttled
from penstock.domain.jobs import Outcome
from penstock.domain.progress import Said
from penstock.queue.attempt import CURSOR_LIMIT_BYTES, Attempt
from penstock.queue.claim import settle, settle_in
from penstock.queue.progress import cursor_of, save
from penstock.store.port import Transaction
from penstock.testing import drain
from tests.clock import Clock
from tests.engine import Engine

AGAIN = RetryPolicy(max_attempts=3, base_seconds=1, jitter=0)


def held(engine: Engine) -> Attempt:
    (job,) = engine.claim("default")
    return engine.attempt(job)


def progress(clock: Clock) -> list[tuple[Any, ...]]:
    return clock.fetch("select percent, note, cursor from penstock.progress")


@pytest.mark.parametrize("end", [
    Snooze(timedelta(0)), Retry(timedelta(0)), Stopping("the worker is stopping"), Throttled(0.1), ValueError("bad"),
], ids=lambda end: type(end).__name__)
@pytest.mark.parametrize("delivery", ["batch", "each"])
def test_the_next_attempt_knows_the_cursor(app: Penstock, clock: Clock, end: Exception, delivery: Any):
    """However the one before ended, if the job goes on."""
    seen: list[Any] = []

    @app.task(retry=AGAIN, ack=delivery)
    def work() -> None:
        job = current_job()
        seen.append(job.cursor)
        if len(seen) == 1:
            job.checkpoint(cursor={"page": 7, "at": [1, None]}, percent=10, note="read")
            job.checkpoint(percent=20)
            raise end

    work.enqueue()
    drain(app, with_scheduled=True)
    clock.advance(10)
    drain(app, with_scheduled=True)
    assert seen == [None, {"page": 7, "at": [1, None]}]
    assert progress(clock) == [(20.0, "read", '{"page":7,"at":[1,null]}')]


def test_async_code_reads_it_without_blocking_its_loop(app: Penstock):
    seen: list[Any] = []

    @app.task(retry=AGAIN)
    async def work() -> object:
        job = current_job()
        try:
            seen.append(job.cursor)
        except Exception as error:
            seen.append(type(error).__name__)
        seen.append(await job.acursor())
        if seen[-1] is None:
            job.checkpoint(cursor=3)
            seen.append(job.cursor)
            return Snooze(timedelta(0))
        seen.append(job.cursor)
        return None

    work.enqueue()
    drain(app, with_scheduled=True)
    drain(app, with_scheduled=True)
    assert seen == ["JobError", None, 3, "JobError", 3, 3]


def test_a_requeued_job_begins_anew(app: Penstock, clock: Clock):
    seen: list[Any] = []

    @app.task(retry=RetryPolicy(max_attempts=1))
    def work() -> object:
        seen.append(current_job().cursor)
        current_job().checkpoint(cursor=5)
        return Cancel()

    id = work.enqueue().id
    drain(app)
    assert progress(clock) == [(None, None, "5")], "it may still be looked at"
    assert app.requeue(id)
    assert progress(clock) == []
    drain(app)
    assert seen == [None, None]


def test_what_has_ended_is_forgotten_after_an_hour_and_what_goes_on_is_not(app: Penstock, clock: Clock):
    @app.task
    def work(over: bool) -> object:
        current_job().checkpoint(cursor=over)
        return None if over else Snooze(timedelta(days=1))

    app.enqueue_many(work.call(over) for over in (True, False))
    drain(app)
    clock.advance(3_601)
    app.upkeep().prune()
    assert progress(clock) == [(None, None, "false")]


def test_a_job_that_runs_at_most_once_can_be_looked_at(app: Penstock, clock: Clock):
    """Though it is settled before its body begins; once it has told how it ended, it is not heard any more."""
    attempts: list[Attempt] = []

    @app.task(delivery="at_most_once")
    def work() -> None:
        job = current_job()
        job.checkpoint(percent=50)
        assert progress(clock) == [(50.0, None, None)]
        job.checkpoint(percent=99)
        attempts.append(job)

    work.enqueue()
    assert drain(app, raising=True).completed == 1
    assert progress(clock) == [(99.0, None, None)]
    attempts[0].say(Said(percent=100.0))
    save(app.store, attempts)
    assert progress(clock) == [(99.0, None, None)]


class TestAStaleAttempt:
    def test_writes_nothing_over_what_a_newer_one_wrote(self, app: Penstock, clock: Clock):
        app.task(lambda: None, name="work").enqueue()
        engine = Engine(app, clock)
        old = held(engine)
        settle(app.store, [Outcome(old.id, old.job.lease, "available", counted=0)])
        new = held(engine)
        assert new.job.lease > old.job.lease
        old.checkpoint(cursor="old")
        save(app.store, [old])
        assert progress(clock) == [], "its job went on to another"
        new.checkpoint(cursor="new")
        save(app.store, [new, old])
        save(app.store, [old])
        assert cursor_of(app.store, new.id) == '"new"'

    def test_that_is_settled_brings_no_row_back(self, app: Penstock, clock: Clock):
        id = app.task(lambda: None, name="work").enqueue().id
        engine = Engine(app, clock)
        attempt = held(engine)
        attempt.checkpoint(cursor=1)
        settle(app.store, [Outcome(id, attempt.job.lease, "completed", keep_ms=1)])
        save(app.store, [attempt])
        assert app.requeue(id)
        save(app.store, [attempt])
        assert progress(clock) == []

    def test_that_is_being_settled_holds_nobody_up(self, app: Penstock, clock: Clock):
        """Its word meets the settle that is under way, and comes too late."""
        app.task(lambda: None, name="work").enqueue()
        attempt = held(Engine(app, clock))
        attempt.checkpoint(cursor=1)
        with ThreadPoolExecutor(1) as thread:
            def work(tx: Transaction) -> Future[None]:
                settle_in(tx, [Outcome(attempt.id, attempt.job.lease, "available", counted=0)])
                saving = thread.submit(save, app.store, [attempt])
                if app.store.dialect == "postgres":  # SQLite has one writer
                    saving.result(60)
                return saving

            app.store.write(work).result(60)
        assert progress(clock) == []

    def test_that_was_rescued_writes_nothing(self, app: Penstock, clock: Clock):
        app.task(lambda: None, name="work").enqueue()
        engine = Engine(app, clock)
        attempt = held(engine)
        clock.advance(60)
        app.upkeep().rescue()
        attempt.checkpoint(cursor=1)
        save(app.store, [attempt])
        assert progress(clock) == []


@pytest.mark.parametrize(("given", "message"), [
    ({"cursor": object()}, "cursor: expected a JSON value: a value of type object cannot be written"),
    ({"cursor": "x" * CURSOR_LIMIT_BYTES}, "expected at most 16,384 bytes as JSON, got 16,386"),
    ({"cursor": "\ud800"}, "cursor: expected a JSON value"),
    ({"percent": "half"}, "percent: expected a number, got 'half'"),
])
def test_what_cannot_be_kept_is_refused_where_it_is_said(app: Penstock, clock: Clock, given: Any, message: str):
    app.task(lambda: None, name="work").enqueue()
    attempt = held(Engine(app, clock))
    attempt.checkpoint(cursor=1)
    with pytest.raises(InvalidCheckpoint, match=message):
        attempt.checkpoint(**given)
    save(app.store, [attempt])
    assert progress(clock) == [(None, None, "1")]


def test_a_note_is_made_fit_for_the_store(app: Penstock, clock: Clock):
    app.task(lambda: None, name="work").enqueue()
    attempt = held(Engine(app, clock))
    attempt.checkpoint(note="a\0b\ud800" + "x" * 9_000)
    save(app.store, [attempt])
    ((_, note, _),) = progress(clock)
    assert len(note) < 9_000


def test_why_shows_it(app: Penstock, clock: Clock):
    app.task(lambda: None, name="work").enqueue()
    attempt = held(Engine(app, clock))
    attempt.checkpoint(cursor=["y" * 300], percent=12.5, note="page 4")
    save(app.store, [attempt])
    facts = {fact.what: fact.says for fact in app.why_job(attempt.id).facts}
    assert facts["progress"] == "12.5 % page 4"
    assert facts["cursor"].startswith('["yyy')
    assert len(facts["cursor"]) == 201
    row = app.job(attempt.id)
    assert row is not None
    assert row.cursor == f'["{"y" * 300}"]'
