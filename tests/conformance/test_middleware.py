"""Middleware: what is done around every enqueue and every run, of `def` and `async def` alike."""

import asyncio
from collections.abc import Iterator
from contextvars import ContextVar
from threading import Event
from typing import Any

import msgspec
import pytest

from penstock import Cancel, Chunk, Jobs, Penstock, Retry, Snooze, Unique, current_job
from penstock.domain.errors import DeclarationError, InvalidArguments
from penstock.domain.jobs import After, Call, Claimed, Shape
from penstock.queue.attempt import Attempt, Identity
from penstock.testing import all_enqueued, drain, inline
from penstock.worker.executor import Executor
from tests.caller import transaction
from tests.clock import Clock
from tests.engine import FAR

Log = list[Any]
tenant: ContextVar[str] = ContextVar("tenant", default="nobody")


@pytest.fixture
def log() -> Log:
    return []


@pytest.fixture(params=["def", "async def"])
def work(app: Penstock, log: Log, request: pytest.FixtureRequest) -> Any:
    """A task that notes the context variable, and raises or returns what it is asked to."""
    app.migrate()

    def work(end: str = "") -> object:
        log.append(("body", end, tenant.get()))
        if end == "raise":
            raise ValueError("of the body")
        return Snooze.__name__ if end == "text" else Cancel("of the body") if end == "cancel" else None

    async def awork(end: str = "") -> object:
        await asyncio.sleep(0)
        return work(end)

    return app.task(name="work")(work if request.param == "def" else awork)


class Noting:
    """Notes what it surrounds."""

    def __init__(self, log: Log, name: str = "") -> None:
        self.log = log
        self.name = name

    def around_enqueue(self, calls: list[Call]) -> Iterator[None]:
        self.log.append((f"enqueue{self.name}", len(calls)))
        jobs = yield
        self.log.append((f"enqueued{self.name}", [job.id for job in jobs or ()]))

    def around_run(self, attempt: Attempt) -> Iterator[None]:
        self.log.append((f"begin{self.name}", attempt.task, attempt.attempt))
        token = tenant.set(f"tenant{self.name}")
        try:
            result = yield
        except ValueError as error:
            self.log.append((f"raised{self.name}", str(error)))
            raise
        else:
            self.log.append((f"returned{self.name}", result))
        finally:
            tenant.reset(token)


def states(clock: Clock) -> list[tuple[Any, ...]]:
    return clock.fetch("select state, error_class from penstock.jobs order by id")


def test_it_is_around_the_body_in_order_and_sees_how_it_ended(app: Penstock, work: Any, log: Log, clock: Clock):
    app.use(Noting(log, "1"))
    app.use(Noting(log, "2"))
    job = work.enqueue("text")
    drain(app)
    assert log == [("enqueue1", 1), ("enqueue2", 1), ("enqueued2", [job.id]), ("enqueued1", [job.id]),
                   ("begin1", "work", 1), ("begin2", "work", 1), ("body", "text", "tenant2"), ("returned2", "Snooze"),
                   ("returned1", "Snooze")]
    del log[:]
    with pytest.raises(ValueError, match="of the body"), inline(app):
        work.enqueue("raise")
    assert log[2:] == [("begin1", "work", 1), ("begin2", "work", 1), ("body", "raise", "tenant2"),
                       ("raised2", "of the body"), ("raised1", "of the body")]
    assert states(clock) == [("completed", None)]


def test_what_it_sets_does_not_outlive_the_attempt(app: Penstock, work: Any, log: Log):
    class Setting:
        def around_run(self, attempt: Attempt) -> Iterator[None]:
            log.append(tenant.get())
            tenant.set("left behind")
            yield

    app.use(Setting())
    app.enqueue_many([work.call(), work.call()])
    drain(app)
    assert log == ["nobody", ("body", "", "left behind")] * 2
    assert tenant.get() == "nobody"


@pytest.mark.parametrize(("step", "expected", "ran"), [
    ("return Cancel('no')", ("cancelled", "cancelled"), False),
    ("return Retry()", ("retryable", "Retry"), False),
    ("raise KeyError('before')", ("retryable", "KeyError"), False),
    ("raise Cancel('no')", ("cancelled", "cancelled"), False),
    ("return None", ("retryable", "RuntimeError"), False),
    ("yield; yield", ("retryable", "RuntimeError"), True),
    ("yield; raise KeyError('after')", ("retryable", "KeyError"), True),
    ("yield; return Cancel('no')", ("cancelled", "cancelled"), True),
    ("yield; return 'anything else'", ("completed", None), True),
])
def test_it_may_decide_what_the_attempt_comes_to(app: Penstock, work: Any, log: Log, step: str,
                                                 expected: tuple[str, str | None], ran: bool):
    names: dict[str, Any] = {"Cancel": Cancel, "Retry": Retry}
    exec(f"def around_run(self, attempt):\n    {step}\n    yield", names)
    app.use(Noting(log))
    app.use(type("Deciding", (), {"around_run": names["around_run"]})())
    job = Claimed(1, 1, "work", "default", "{}", 1, 5)
    attempt = Attempt(job, Identity(1, FAR), Event())
    executor = Executor(app.tasks, app.events)
    outcome = asyncio.run(executor.arun(attempt)) if work.is_async else executor.run(attempt)
    assert (outcome.state, outcome.error_class) == expected
    assert log[0] == ("begin", "work", 1)
    assert (("body", "", "tenant") in log) is ran
    raised = outcome.error_class not in (None, "cancelled", "Retry") or step.startswith("raise")
    assert (log[-1][0] == "returned") is not raised  # what is outside is passed on the way out too


def test_an_error_that_it_keeps_is_none(app: Penstock, work: Any, log: Log, clock: Clock):
    class Forgiving:
        def around_run(self, attempt: Attempt) -> Iterator[None]:
            try:
                yield
            except ValueError:
                log.append("forgiven")

    app.use(Forgiving())
    work.enqueue("raise")
    work.enqueue("cancel")
    drain(app)
    assert states(clock) == [("completed", None), ("cancelled", "cancelled")]
    assert log == [("body", "raise", "nobody"), "forgiven", ("body", "cancel", "nobody")]


def test_a_call_with_many_jobs_is_surrounded_once(app: Penstock, log: Log):
    app.migrate()

    @app.task(name="index", chunk=Chunk(size=10, wait=0.01))
    def index(jobs: Jobs[int]) -> None:
        log.append(("body", len(jobs), tenant.get()))

    app.use(Noting(log))
    app.enqueue_many(index.call(number) for number in range(10))
    drain(app)
    assert log[2:] == [("begin", "index", 1), ("body", 10, "tenant"), ("returned", None)]


class Tagging:
    """Gives every call a tag, a context and an urgency."""

    def around_enqueue(self, calls: list[Call]) -> Iterator[None]:
        calls[:] = [call.using(tags=[*call.tags, "all"], priority=call.priority + 1,
                               context={"n": call.given.get("n", 0) % 2}) for call in calls]
        yield


def test_it_changes_calls_one_by_one_in_bulk_and_in_the_callers_transaction(app: Penstock, store_url: str,
                                                                           clock: Clock):
    app.migrate()

    @app.task(name="note", unique=Unique())
    def note(n: int) -> None: ...

    app.use(Tagging())
    jobs = app.enqueue_many(note.using(tags=["mine"]).call(n) for n in range(1100))
    with transaction(store_url) as connection:
        jobs += app.using(connection=connection).enqueue_many([note.call(1100)])
        jobs.append(note.using(connection=connection).enqueue(1101))
    jobs.append(asyncio.run(note.aenqueue(1102)))
    found = all_enqueued(app)
    assert [job.id for job in found] == [job.id for job in jobs]
    assert [(job.priority, job.context["n"]) for job in found] == [(1, n % 2) for n in range(1103)]
    assert {job.tags for job in found} == {("mine", "all"), ("all",)}
    assert note.enqueue(5).skipped


def test_a_job_waits_for_what_took_the_place_of_a_call(app: Penstock):
    app.migrate()

    @app.task(name="note")
    def note(n: int) -> None: ...

    app.use(Tagging())
    first, second = note.call(1), note.call(2)
    held: Shape = {**second.shape, "held": True}
    app.enqueue_many([first, msgspec.structs.replace(second, shape=held, after=After((first,)))])
    assert [(job.arguments["n"], job.state) for job in all_enqueued(app)] == [(1, "available"), (2, "pending")]


@pytest.mark.parametrize(("step", "error"), [
    ("raise KeyError('no')", KeyError), ("calls.pop()", TypeError), ("calls[0] = None", TypeError),
    ("calls[0] = calls[0].using(queue='no queue')", InvalidArguments),
    ("calls[0] = calls[0].using(tags=[''])", InvalidArguments),
    ("calls[0] = calls[0].using(priority=1.5)", InvalidArguments),
    ("calls[0] = calls[0].using(context={'x': 'x' * 5000})", InvalidArguments), ("return", RuntimeError),
])
def test_what_is_wrong_at_enqueue_the_caller_sees_and_nothing_is_enqueued(app: Penstock, work: Any, log: Log,
                                                                          clock: Clock, step: str,
                                                                          error: type[Exception]):
    names: dict[str, Any] = {}
    exec(f"def around_enqueue(self, calls):\n    {step}\n    yield", names)
    app.use(type("Wrong", (), {"around_enqueue": names["around_enqueue"]})())
    with pytest.raises(error):
        work.enqueue()
    with pytest.raises(error):
        asyncio.run(work.aenqueue())
    assert states(clock) == []


def test_an_error_of_the_enqueue_is_not_kept(app: Penstock, work: Any):
    class Keeping:
        def around_enqueue(self, calls: list[Call]) -> Iterator[None]:
            try:
                yield
            except Exception:
                return

    app.use(Keeping())
    app.close()
    with pytest.raises(Exception, match="x"):
        work.using(connection=object()).enqueue()


@pytest.mark.parametrize(("verbs", "fault"), [
    ({}, r"expected around_enqueue\(calls\) or around_run\(attempt\), got neither"),
    ({"around_runs": lambda self: None}, "is its 'around_runs' meant to be one of them"),
    ({"around_run": lambda self, attempt: None}, "got a plain function"),
    ({"around_enqueue": 5}, "got a value of type int"),
])
def test_what_is_no_middleware_is_refused(app: Penstock, verbs: dict[str, Any], fault: str):
    with pytest.raises(DeclarationError, match=fault):
        app.use(type("Wrong", (), verbs)())


def test_one_with_only_one_verb_costs_the_other_nothing(app: Penstock, work: Any, log: Log):
    body = work.body
    app.use(Tagging())
    assert work.body is body
    app.use(Noting(log))
    assert work.body is not body
    assert app.task(name="later")(lambda: current_job()).body is not None
