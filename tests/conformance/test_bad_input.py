"""Bad input: it is refused with a clear error, or its job is kept, visible, until somebody can make sense of it."""

import threading
from datetime import timedelta
from typing import Any

import pytest

from penstock import Penstock, RetryPolicy
from penstock.domain.errors import ConfigurationError, DeclarationError, InvalidArguments
from penstock.domain.jobs import Call
from penstock.events import JobFailed, JobsRescued, LoopFailed, StaleSettle
from tests.clock import Clock
from tests.conformance.workers import Workers
from tests.engine import Engine
from tests.waiting import until

LEASE_SECONDS = 900  # longer than what these tests move the clock by, unless they mean to end it


@pytest.fixture
def settings() -> dict[str, Any]:
    return {"poll_seconds": 0.05, "lease_seconds": LEASE_SECONDS}


class TestAnUnknownTask:
    @pytest.mark.parametrize("asynchronous", [False, True])
    def test_it_is_held_visibly_and_run_by_a_worker_that_knows_it(
            self, app: Penstock, workers: Workers, clock: Clock, store_url: str, asynchronous: bool):
        ran: list[int] = []

        def send(number: int) -> None:
            ran.append(number)

        async def asend(number: int) -> None:
            ran.append(number)

        function: Any = asend if asynchronous else send
        with Penstock(store_url, now=clock.expression, poll_seconds=0.05, lease_seconds=LEASE_SECONDS) as newer:
            task = newer.task(function, name="send_mail", retry=RetryPolicy(max_attempts=1))
            ids = [task.enqueue(number).id for number in range(3)]
            app.task(lambda: None, name="send_fax")
            workers.start({"default": 2})
            workers.wait_for({"retryable": 3})
            for id in ids:
                state, attempt, error_class, error, run_at = workers.job(
                    id, "state, attempt, error_class, error, run_at")
                assert (state, attempt, error_class, run_at - clock.now_ms) == ("retryable", 0, "UnknownTask", 60_000)
                assert "declares no task 'send_mail'; did you mean 'send_fax'?" in error
                assert "the job waits for a worker that does" in error
            assert len(workers.told(JobFailed)) == 3
            assert workers.counts_agree()
            workers.close()
            others = Workers(newer, clock)
            others.start({"default": 2})
            clock.advance(60)
            others.wait_for({"completed": 3})
            others.close()
        assert sorted(ran) == [0, 1, 2]
        assert workers.job(ids[0], "attempt, error_class") == (1, None)

    def test_a_worker_that_meets_one_goes_on(self, app: Penstock, workers: Workers):
        gone = app.task(lambda: None, name="gone")
        known = app.task(lambda: None, name="known")
        app.enqueue_many(task.call() for _ in range(20) for task in (gone, known))
        del app.tasks["gone"]
        workers.start({"default": 1})
        workers.wait_for({"completed": 20, "retryable": 20})
        assert not workers.told(LoopFailed)

    def test_one_may_be_cancelled_like_any_other(self, app: Penstock, workers: Workers):
        id = app.task(lambda: None, name="gone").enqueue().id
        del app.tasks["gone"]
        workers.start({"default": 1})
        workers.wait_for({"retryable": 1})
        app.cancel(id)
        assert workers.states() == {"cancelled": 1}


ARGUMENTS = ["not JSON", "[1]", '{"number":"x"}', '{"number":1,"more":2}', "{}", '{"number":null}', "", '{"number":1}}',
             '{"number":' + "[" * 5_000 + "]" * 5_000 + "}"]


@pytest.mark.parametrize("asynchronous", [False, True])
def test_arguments_that_no_longer_fit_fail_the_attempt_and_keep_the_job(
        app: Penstock, workers: Workers, asynchronous: bool):
    """As another version of the code, or another program, may have left them in the store."""
    def work(number: int) -> None:
        raise AssertionError("it ran")

    async def awork(number: int) -> None:
        raise AssertionError("it ran")

    function: Any = awork if asynchronous else work
    task = app.task(function, name="work", retry=RetryPolicy(max_attempts=2, base_seconds=5, jitter=0))
    call = task.call(1)
    ids = [job.id for job in app.enqueue_many(Call(call.shape, arguments) for arguments in ARGUMENTS)]
    workers.start({"default": 2})
    workers.wait_for({"retryable": len(ids)})
    workers.clock.advance(5)
    workers.wait_for({"discarded": len(ids)})
    for id, arguments in zip(ids, ARGUMENTS, strict=True):
        error_class, error, attempt, stored = workers.job(id, "error_class, error, attempt, arguments")
        assert (error_class, attempt, stored) == ("InvalidArguments", 2, arguments)
        assert ("work: expected an envelope" if arguments == "[1]" else "work(number: int)") in error
    assert not workers.told(LoopFailed)


class TestPayloads:
    def test_up_to_the_limit_and_not_beyond(self, app: Penstock, workers: Workers):
        lengths: list[int] = []

        @app.task(name="work")
        def work(text: str) -> None:
            lengths.append(len(text))

        most = 256 * 1024 - len('{"text":""}')
        work.enqueue("x" * most)
        with pytest.raises(InvalidArguments, match=r"expected arguments of at most 262,144 bytes as JSON, got 262,145"):
            work.enqueue("x" * (most + 1))
        with pytest.raises(InvalidArguments, match="store what is large elsewhere and pass its key"):
            app.enqueue_many([work.call("y"), work.call("ü" * (most // 2 + 1))])
        workers.start()
        workers.wait_for({"completed": 1})
        assert lengths == [most]

    def test_the_limit_is_a_setting(self, store_url: str, clock: Clock):
        with Penstock(store_url, now=clock.expression, payload_limit_bytes=20) as app:
            task = app.task(lambda text: None, name="work")
            task.enqueue("x" * 9)
            with pytest.raises(InvalidArguments, match="at most 20 bytes as JSON, got 21"):
                task.enqueue("x" * 10)


QUEUES = ["", "Mail", "mail queue", "m" * 65, "mail\n", "mäil", "mail/x", "mail\0"]


@pytest.mark.parametrize("queue", QUEUES)
def test_queue_names_that_cannot_be(app: Penstock, queue: str):
    with pytest.raises(DeclarationError, match="expected a queue name of 1 to 64 of a-z 0-9 _ . -, got"):
        app.task(lambda: None, name="work", queue=queue)
    task = app.task(lambda: None, name="work")
    with pytest.raises(InvalidArguments, match="expected a queue name of 1 to 64"):
        task.using(queue=queue)
    with pytest.raises(ConfigurationError, match="expected a queue name of 1 to 64"):
        app.worker({queue: 1})
    for ask in (app.pause, app.resume):
        with pytest.raises(InvalidArguments, match="expected a queue name of 1 to 64"):
            ask(queue)


@pytest.mark.parametrize("queue", ["a", "0", "mail", "mail.high-prio_2", "-", "m" * 64])
def test_queue_names_that_can(app: Penstock, workers: Workers, queue: str):
    app.task(lambda: None, name="work", queue=queue).enqueue()
    workers.start({queue: 1})
    workers.wait_for({"completed": 1})


class TestAClockThatJumps:
    """The database's clock, back and forth, under workers that go on: every job runs, once where none was lost."""

    @pytest.fixture
    def work(self, app: Penstock) -> Any:
        self.ran: list[int] = []

        @app.task(name="work")
        def work(number: int) -> None:
            self.ran.append(number)

        return work

    @pytest.mark.parametrize("jump", [timedelta(days=1), timedelta(days=-999), timedelta(seconds=-3)], ids=str)
    def test_what_is_enqueued_before_and_after(self, app: Penstock, work: Any, workers: Workers, jump: timedelta):
        for number in range(5):
            work.enqueue(number)
        worker = workers.start({"default": 2})
        workers.wait_for({"completed": 5})
        workers.clock.advance(jump / timedelta(seconds=1))
        worker._heartbeat.wake()  # which would look by itself within a third of the lease
        for number in range(5, 10):
            work.enqueue(number)
        workers.wait_until_settled()
        assert sorted(self.ran) == list(range(10))

    def test_what_is_due_later_waits_for_the_clock_to_catch_up(self, app: Penstock, work: Any, workers: Workers):
        work.using(run_after=timedelta(seconds=10)).enqueue(1)
        workers.clock.advance(-60)
        work.using(run_after=timedelta(seconds=10)).enqueue(2)
        workers.start({"default": 1})
        workers.clock.advance(10)
        workers.wait_for({"scheduled": 1, "completed": 1})
        assert self.ran == [2]
        workers.clock.advance(60)
        workers.wait_for({"completed": 2})

    def test_a_worker_whose_lease_is_over_by_a_jump_begins_again(self, app: Penstock, workers: Workers):
        """Its jobs are given to others, as if it had been silent for so long; its late word changes nothing."""
        began = threading.Event()
        attempts: list[int] = []

        @app.task(name="held")
        def held() -> None:
            from penstock import current_job

            attempts.append(current_job().attempt)
            if len(attempts) == 1:
                began.set()
                workers.go.wait(60)

        id = held.enqueue().id
        worker = workers.start({"default": 2})
        assert began.wait(60)
        workers.clock.advance(86_400)
        worker.wake()
        until("its jobs were rescued", lambda: workers.told(JobsRescued))
        worker._heartbeat.wake()
        workers.wait_for({"completed": 1})
        workers.go.set()
        until("the first one's late word was refused", lambda: workers.told(StaleSettle))
        assert attempts == [1, 2]
        assert workers.job(id, "state, attempt") == ("completed", 2)

    def test_a_lease_of_a_clock_that_was_ahead_ends_when_it_has_caught_up(
            self, app: Penstock, work: Any, clock: Clock):
        engine = Engine(app, clock)
        work.enqueue(1)
        assert engine.claim("default")
        clock.advance(-3_600)  # the lease seems to last an hour more
        assert app.upkeep().rescue() == 0
        clock.advance(3_600 + 31)
        assert app.upkeep().rescue() == 1
        engine.register()
        assert [job.attempt for job in engine.claim("default")] == [2]
