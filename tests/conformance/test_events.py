"""Events of jobs: what is told of every single one is told once, when it is so, and to those alone who ask."""

from datetime import timedelta
from typing import Any

import pytest

from penstock import Cancel, Chunk, Jobs, Penstock, Snooze, Unique
from penstock.events import FREQUENT, Event
from penstock.testing import drain
from tests.conformance.workers import Workers


@pytest.fixture
def told(app: Penstock) -> list[Event]:
    app.migrate()
    found: list[Event] = []
    app.listen(found.append, Event)
    return found


def said(told: list[Event], *, without: str = "") -> list[tuple[Any, ...]]:
    """The names of the events and the first of what each says, without those that begin as `without` does."""
    return [(type(event).__name__, getattr(event, "job_id", None)) for event in told
            if not without or not type(event).__name__.startswith(without)]


@pytest.mark.parametrize("kind", ["def", "async def", "chunk"])
def test_every_attempt_is_told_of(app: Penstock, told: list[Event], workers: Workers, kind: str):
    def work(end: str = "") -> Any:
        return {"cancel": Cancel("no"), "snooze": Snooze(timedelta(hours=1))}.get(end)

    async def awork(end: str = "") -> Any:
        return work(end)

    def chunk(jobs: Jobs[str]) -> Any:
        return {job: end for job in jobs if (end := work(job.arguments)) is not None}

    task: Any = (app.task(name="work", chunk=Chunk(size=10, wait=0.01))(chunk) if kind == "chunk" else
                 app.task(name="work")(work if kind == "def" else awork))
    ids = [job.id for job in app.enqueue_many(task.call(end) for end in ("", "cancel", "snooze"))]
    assert said(told) == [("JobEnqueued", id) for id in ids]
    del told[:]
    worker = workers.start({"default": 3})
    workers.wait_for({"completed": 1, "cancelled": 1, "scheduled": 1})
    worker.stop()
    assert sorted(said(told, without="Worker")) == sorted([
        *(("JobStarted", id) for id in ids), ("JobCompleted", ids[0]), ("JobStopped", ids[1]), ("JobPutOff", ids[2])])


def test_what_people_ask_is_told_of(app: Penstock, told: list[Event]):
    @app.task(name="work", unique=Unique(args=()))
    def work() -> None: ...

    job = work.enqueue()
    assert work.enqueue().skipped
    assert app.cancel(job.id, "by ann") == "cancelled"
    assert app.requeue(job.id)
    app.invalidate("offer:7", "offer:8")
    app.pause("default")
    app.resume("default")
    drain(app)
    assert [str(event) for event in told] == [
        f"JobEnqueued(job_id={job.id}, task='work', queue='default', skipped=False)",
        f"JobEnqueued(job_id={job.id}, task='work', queue='default', skipped=True)",
        f"CancelAsked(job_id={job.id}, state='cancelled', reason='by ann')",
        f"JobRequeued(job_id={job.id})", "TagsInvalidated(tags=('offer:7', 'offer:8'))",
        "PauseChanged(about='queue default', paused=True)", "PauseChanged(about='queue default', paused=False)",
        f"JobStarted(job_id={job.id}, task='work', attempt=1)", str(told[-1])]
    assert str(told[-1]).startswith(f"JobCompleted(job_id={job.id}, task='work', attempt=1, took_ms=")


def test_where_nobody_listens_they_are_not_made(app: Penstock, monkeypatch: pytest.MonkeyPatch):
    app.migrate()
    app.listen(lambda event: None)

    def refuse(*args: object, **values: object) -> None:
        raise AssertionError("made though nobody listens")

    for kind in FREQUENT:
        monkeypatch.setattr(kind, "__init__", refuse)

    @app.task(name="work")
    def work() -> Snooze:
        return Snooze(timedelta(hours=1))

    work.enqueue()
    drain(app)
