"""One job with all that is known of it."""

from datetime import timedelta
from typing import Annotated, Any

import pytest

from penstock import Penstock, Result, Secret, current_job
from penstock.queue.arguments.sealing import Keyring
from penstock.testing import drain
from tests.clock import START_MS, Clock

KEY = "k1:" + "A" * 43 + "="


def test_a_job_in_each_state_is_found(app: Penstock, every: dict[str, int]):
    for state, id in every.items():
        found = app.job_found(id)
        assert found is not None
        assert (found.id, found.state, found.timeline[0].what) == (id, state, "enqueued")
    assert app.job_found(999) is None


def test_what_runs_says_who_runs_it_and_who_waits_for_it(app: Penstock, every: dict[str, int]):
    running, waiting = app.job_found(every["executing"]), app.job_found(every["pending"])
    assert running is not None
    assert waiting is not None
    assert (running.worker, running.attempt, running.tags, running.acts) == ("test", 1, ("busy",), ("cancel",))
    assert [(each.id, each.kind, each.state) for each in running.awaited_by] == [(waiting.id, "job", "pending")]
    assert [(each.id, each.kind, each.state) for each in waiting.waits_for] == [(running.id, "job", "executing")]
    assert (waiting.waits, waiting.tags) == (1, ())


def test_its_timeline_is_in_the_order_of_time(app: Penstock, clock: Clock, work: Any):
    job = work.using(run_after=timedelta(minutes=1)).enqueue("fail")
    clock.advance(3_600)
    drain(app)
    found = app.job_found(job.id)
    assert found is not None
    assert [each.what for each in found.timeline] == ["enqueued", "due", "claimed", "discarded", "kept"]
    times = {each.what: each.at - START_MS for each in found.timeline}
    assert (times["enqueued"], times["due"], times["discarded"]) == (0, 60_000, 3_600_000)
    assert (found.error_class, found.error is not None and "it is broken" in found.error) == ("ValueError", True)
    assert found.acts == ("retry",)


def test_a_job_of_a_batch_that_others_wait_for_names_it(app: Penstock, work: Any):
    batch = app.batch([work.call(), work.call()], then=work.call())
    assert batch.then is not None
    then, member = app.job_found(batch.then.id), app.job_found(batch.jobs[0].id)
    assert then is not None
    assert member is not None
    assert member.batch == batch.id
    drain(app)
    assert [job.state for job in app.jobs().jobs] == ["completed"] * 3


def test_progress_and_result_are_shown(app: Penstock):
    @app.task(name="tells", result=Result())
    def tells() -> dict[str, int]:
        current_job().checkpoint(percent=40, note="half", cursor=[1, 2])
        return {"rows": 3}

    job = tells.enqueue()
    drain(app)
    found = app.job_found(job.id)
    assert found is not None
    assert (found.percent, found.note, found.cursor, found.result) == (40, "half", "[1,2]", '{"rows":3}')
    assert found.result_until is not None
    assert found.result_until > found.now


def test_secrets_are_hidden_unless_they_are_to_be_revealed(app: Penstock):
    @app.task(name="secretive")
    def secretive(name: str, password: Annotated[str, Secret]) -> None:
        pass

    job = secretive.enqueue("ann", password="hunter2")
    hidden, revealed = app.job_found(job.id), app.job_found(job.id, reveal=True)
    assert hidden is not None
    assert revealed is not None
    assert ("hunter2" in hidden.arguments, "ann" in hidden.arguments) == (False, True)
    assert "hunter2" in revealed.arguments


def test_what_is_sealed_is_hidden_result_and_all(store_url: str, clock: Clock):
    pytest.importorskip("cryptography")
    with Penstock(store_url, now=clock.expression, encryption=Keyring.read(KEY)) as app:
        @app.task(name="sealed", encrypt=True, result=Result())
        def sealed(text: str) -> str:
            return text

        app.migrate()
        job = sealed.enqueue("the secret")
        drain(app)
        hidden, revealed = app.job_found(job.id), app.job_found(job.id, reveal=True)
        assert hidden is not None
        assert revealed is not None
        assert (hidden.arguments, hidden.result) == ('"(encrypted)"', '"(encrypted)"')
        assert revealed.result == '"the secret"'
