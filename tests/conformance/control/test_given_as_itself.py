"""A job is given as itself or by its id wherever one is asked for; anything else is refused by name."""

import asyncio
from collections.abc import Callable
from contextlib import closing
from datetime import timedelta
from typing import Any

import pytest

from penstock import Job, JobState, Penstock, Result
from penstock.domain.errors import InvalidArguments
from penstock.testing import drain, inline
from tests.caller import caller

VERBS: dict[str, Callable[[Penstock, Any], object]] = {
    "job": lambda app, job: app.job(job),
    "job_found": lambda app, job: app.job_found(job),
    "why_job": lambda app, job: app.why_job(job).waits,
    "cancel": lambda app, job: app.cancel(job),
    "requeue": lambda app, job: app.requeue(job),
    "discard": lambda app, job: app.discard(job),
    "run_now": lambda app, job: app.run_now(job),
    "act_on_ids": lambda app, job: app.act_on_ids("cancel", [job]),
    "result": lambda app, job: app.result(job, timeout=60),
}


@pytest.fixture
def job(app: Penstock) -> Job:
    @app.task(name="later")
    def later() -> None: ...

    app.migrate()
    return later.using(run_after=timedelta(hours=1)).enqueue()


@pytest.mark.parametrize("verb", [name for name in VERBS if name != "result"])
def test_a_job_does_for_its_id(app: Penstock, job: Job, verb: str) -> None:
    other = app.tasks["later"].using(run_after=timedelta(hours=1)).enqueue()
    by_itself, by_id = VERBS[verb](app, job), VERBS[verb](app, other.id)
    if verb in ("job", "job_found"):
        assert (by_itself.id, by_id.id) == (job.id, other.id)  # type: ignore[attr-defined]
    else:
        assert by_itself == by_id
        assert by_itself is not None


def test_in_a_callers_transaction_as_well(app: Penstock, job: Job, store_url: str) -> None:
    with closing(caller(store_url)) as connection:
        using = app.using(connection=connection)
        assert using.cancel(job) == JobState.CANCELLED
        connection.rollback()
        with pytest.raises(InvalidArguments, match="expected a Job"):
            using.cancel(str(job.id))  # type: ignore[arg-type]
        with pytest.raises(InvalidArguments, match="expected a Job"):
            asyncio.run(using.acancel(str(job.id)))  # type: ignore[arg-type]


def test_its_result_is_had_by_itself_too(app: Penstock) -> None:
    @app.task(name="seven", result=Result())
    def seven() -> int:
        return 7

    app.migrate()
    found = seven.enqueue()
    drain(app)
    assert app.result(found) == asyncio.run(app.aresult(found)) == app.result(found.id) == 7
    with inline(app) as ran:
        found = seven.enqueue()
        assert ran.result(found) == app.result(found.id) == 7


@pytest.mark.parametrize("verb", VERBS)
def test_what_is_neither_is_refused_by_name(app: Penstock, verb: str) -> None:
    app.migrate()
    for wrong in ("12", None, 1.0, True, 2**70, object()):
        with pytest.raises(InvalidArguments,
                           match="expected a Job, as enqueue gives it, or its id, a whole number, got"):
            VERBS[verb](app, wrong)
