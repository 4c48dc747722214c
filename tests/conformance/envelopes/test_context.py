"""Context: what a caller works for goes along to its jobs, and on to theirs."""

import asyncio
from typing import Any

import pytest

from penstock import Penstock, context, current_context, current_job
from penstock.domain.errors import InvalidArguments
from penstock.testing import all_enqueued, drain, inline
from tests.caller import transaction
from tests.clock import Clock
from tests.conformance.envelopes.conftest import NEW, Apps

Log = list[Any]


@pytest.fixture
def log() -> Log:
    return []


@pytest.fixture(params=["def", "async def"])
def task(app: Penstock, log: Log, request: pytest.FixtureRequest) -> Any:
    """A task that notes its context, and enqueues another job so many times over."""
    def work(more: int) -> None:
        log.append((more, dict(current_job().context), dict(current_context())))
        if more > 1:
            with context(step=more):
                task.enqueue(more - 1)
        elif more:
            task.enqueue(more - 1)

    async def awork(more: int) -> None:
        work(more)

    task = app.task(name="work")(work if request.param == "def" else awork)
    return task


def test_jobs_carry_it_and_hand_it_on(app: Penstock, task: Any, log: Log):
    with context(tenant="acme", locale="de"), context(locale="fr", tags=["a", {"b": None}]):
        task.enqueue(2)
    task.enqueue(0)
    assert dict(current_context()) == {}
    with context(tenant="of whoever drains, and nobody else's"):
        drain(app)
    outer = {"tenant": "acme", "locale": "fr", "tags": ["a", {"b": None}]}
    inner = {**outer, "step": 2}
    assert sorted(log, key=lambda told: (told[0], str(told))) == [
        (0, inner, inner), (0, {}, {}), (1, inner, inner), (2, outer, outer)]


def test_inline_jobs_have_that_of_their_caller(app: Penstock, task: Any, log: Log):
    with inline(app), context(tenant="acme"):
        task.enqueue(1)
    assert log == [(1, {"tenant": "acme"}, {"tenant": "acme"}), (0, {"tenant": "acme"}, {"tenant": "acme"})]


def test_each_call_of_a_bulk_has_its_own(app: Penstock, store_url: str, clock: Clock):
    app.migrate()

    @app.task(name="note")
    def note(number: int) -> None: ...

    calls = []
    for number in range(1200):
        with context(tenant=number % 2):
            calls.append(note.call(number))
    app.enqueue_many(calls)
    with context(tenant="tx"), transaction(store_url) as connection:
        note.using(connection=connection).enqueue(1200)
    with context(tenant="async"):
        asyncio.run(note.aenqueue(1201))
    found = all_enqueued(app)
    assert [job.context["tenant"] for job in found] == [*[0, 1] * 600, "tx", "async"]
    assert [job.arguments["number"] for job in found] == list(range(1202))


def test_without_one_nothing_is_stored_for_it(app: Penstock, task: Any, clock: Clock):
    app.migrate()
    with context():
        task.enqueue(0)
    assert clock.fetch("select arguments from penstock.jobs") == [('{"more":0}',)]


def test_with_sealed_arguments_it_is_sealed_too(apps: Apps, clock: Clock):
    log: Log = []

    def declare(app: Penstock) -> None:
        @app.task(name="pay", encrypt=True)
        def pay() -> None:
            log.append(dict(current_context()))

    engine = apps({"k": NEW}, declare)
    with context(tenant="acme"):
        engine.app.tasks["pay"].enqueue()
    assert "acme" not in str(clock.fetch("select * from penstock.jobs"))
    drain(engine.app)
    assert log == [{"tenant": "acme"}]


@pytest.mark.parametrize(("values", "fault"), [
    ({"tenant": object()}, "expected values that are plain JSON, got tenant: a value of type object"),
    ({"a": "x" * 3000, "b": "y" * 3000}, "expected at most 4,096 bytes as JSON, got 6,015 in a, b"),
])
def test_what_cannot_go_along_is_refused_where_it_is_said(values: dict[str, Any], fault: str):
    with pytest.raises(InvalidArguments, match=fault), context(**values):
        raise AssertionError("not to be reached")
