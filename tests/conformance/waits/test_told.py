"""What is said of jobs that wait for others, and of batches; and whoever serves jobs serves these to the end."""

import dataclasses
from typing import Any

import pytest

from penstock import Penstock, Window
from penstock.events import BatchEnded, JobSkipped
from penstock.testing import drain, inline
from tests.conformance.workers import Workers
from tests.waiting import until


class TestWhy:
    def test_it_names_the_jobs_and_why_they_have_not_ended(self, app: Penstock, note: Any):
        first = note.using(tags=["t"]).enqueue("first")
        held = note.using(after=[first]).enqueue("held")
        last = note.using(after=[held, 10**9]).enqueue("last")
        answer = app.why_job(held.id)
        assert (answer.waits, answer.state) == ("no worker", "pending")
        facts = {fact.what: fact.says for fact in answer.facts}
        assert facts["then"] == f"it runs after {first.id}, and waits for 1 of them"
        assert facts[f"job {first.id}"].startswith("available: ")
        facts = {fact.what: fact.says for fact in app.why_job(last.id).facts}
        assert facts[f"job {held.id}"].startswith("pending: ")
        assert "there is no job" in facts[f"job {10**9}"]
        drain(app)
        assert "it was to run after" in app.why_job(last.id).reason

    def test_it_names_the_batch_and_what_is_left_of_it(self, app: Penstock, note: Any):
        batch = app.batch([note.call("a"), note.call("b")], note.call("then"), open=True)
        assert batch.then is not None
        app.dispatcher().step()
        facts = {fact.what: fact.says for fact in app.why_job(batch.then.id).facts}
        assert facts[f"batch {batch.id}"] == (
            "2 of its 2 jobs have not ended, and it is open: somebody has to close it")
        app.close_batch(batch)
        drain(app)


class TestEvents:
    def test_the_end_of_a_batch_and_what_was_cancelled_are_told(self, app: Penstock, note: Any):
        heard: list[Any] = []
        app.listen(heard.append, BatchEnded, JobSkipped)
        first = note.call("bad")
        after = note.using(after=[first]).call("after")
        batch = app.batch([first, after, note.call("fine"), note.using(after=[first, after]).call("last")])
        drain(app)
        assert [event for event in heard if isinstance(event, BatchEnded)] == [BatchEnded(batch.id, 4, 1, 2, 1)]
        assert sorted(event.job_id for event in heard if isinstance(event, JobSkipped)) == [
            batch.jobs[1].id, batch.jobs[3].id]
        assert {(event.task, event.reason) for event in heard if isinstance(event, JobSkipped)} == {
            ("note", "dependency")}


class TestServing:
    def test_a_worker_serves_chains_and_batches_without_waiting_for_ticks(
            self, app: Penstock, note: Any, ran: list[str], workers: Workers, monkeypatch: pytest.MonkeyPatch):
        """Ticks are an hour apart, so that only what is told lets the next job of a chain begin."""
        monkeypatch.setattr(app, "settings", dataclasses.replace(app.settings, poll_seconds=3600.0))

        @app.task(name="each", ack="each")
        def each(text: str) -> None:
            ran.append(text)

        app.chain([(each if n % 2 else note).call(f"{n}") for n in range(5)])
        app.batch([note.call("in the batch") for _ in range(5)], note.call("then"))
        workers.start()
        until("all has run", lambda: len(ran) == 11)
        workers.wait_until_settled()
        assert [text for text in ran if text.isdigit()] == ["0", "1", "2", "3", "4"]
        assert ran.index("then") > max(place for place, text in enumerate(ran) if text == "in the batch")

    @pytest.mark.parametrize("slots", [1, 4])
    def test_a_drain_serves_them_to_the_end(self, app: Penstock, note: Any, ran: list[str], slots: int):
        app.chain([note.call(f"{n}") for n in range(3)])
        app.batch([note.call("x"), note.call("y")], note.call("then"))
        report = app.drain(Window(total=60, headroom=1), slots=slots)
        assert (report.served, report.remaining, report.next_due) == (6, 0, None)
        assert sorted(ran) == ["0", "1", "2", "then", "x", "y"]

    def test_inline_mode_runs_them_in_their_order(self, app: Penstock, note: Any, ran: list[str]):
        first = note.call("first")
        with inline(app):
            app.enqueue_many([note.using(after=[first]).call("second"), first])
            jobs = app.workflow({"b": note.call("b")})
            app.chain([note.call("one"), note.call("two")])
            batch = app.batch([note.call("in")], note.call("then"))
        assert ran == ["first", "second", "b", "one", "two", "in", "then"]
        assert list(jobs) == ["b"]
        assert batch.then is not None
