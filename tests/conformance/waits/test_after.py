"""Jobs that run after others: however these come to their ends, none runs too early, and none waits for ever."""

from collections.abc import Callable
from contextlib import closing
from datetime import timedelta
from typing import Any

import pytest

from penstock import JobState, Penstock, Retention, RetryPolicy, Snooze, Step, Unique, Window
from penstock.domain.errors import InvalidArguments
from penstock.domain.jobs import Outcome
from penstock.queue.claim import settle
from tests.caller import caller, transaction
from tests.clock import Clock
from tests.engine import Engine

States = Callable[..., list[str]]
Drained = Callable[[], list[str]]


class TestOrder:
    def test_a_job_runs_after_those_it_names(self, note: Any, drained: Drained, states: States):
        first, second = note.enqueue("first"), note.enqueue("second")
        last = note.using(after=[first, second.id], priority=100).enqueue("last")
        assert states(last) == ["pending"]
        assert drained() == ["first", "second", "last"]

    def test_a_graph_goes_in_one_enqueue_in_any_order(self, app: Penstock, note: Any, drained: Drained):
        a = note.call("a")
        b, c = note.using(after=[a]).call("b"), note.using(after=a).call("c")
        d = note.using(after=[b, c, a]).call("d")
        jobs = app.enqueue_many([d, c, a, b])
        assert [job.id for job in jobs] == sorted(job.id for job in jobs)
        found = drained()
        assert (found[0], set(found[1:3]), found[3]) == ("a", {"b", "c"}, "d")

    def test_so_it_does_in_thousands(self, app: Penstock, note: Any, clock: Clock):
        first = [note.call(f"{n}") for n in range(800)]
        app.enqueue_many([*[note.using(after=first[n:n + 2]).call(f"after {n}") for n in range(0, 800, 2)], *first])
        assert clock.fetch("select state, waits, count(*) from penstock.live_jobs group by 1, 2 order by 1") == [
            ("available", None, 800), ("pending", 2, 400)]
        assert clock.fetch("select count(*) from penstock.live_jobs where awaited") == [(800,)]
        assert app.drain(Window(total=60, headroom=1)).served == 1200
        assert clock.fetch("select distinct state from penstock.jobs") == [("completed",)]

    def test_a_chain_goes_one_by_one(self, app: Penstock, note: Any, drained: Drained):
        again = note.call("again")
        app.chain([note.call("one"), again, note.call("two"), again])
        assert drained() == ["one", "again", "two", "again"]

    def test_a_job_that_has_ended_is_waited_for_no_longer(self, note: Any, drained: Drained):
        first = note.enqueue("first")
        drained()
        note.using(after=[first]).enqueue("after")
        assert drained() == ["after"]

    def test_what_is_due_later_is_so_after_its_wait(self, note: Any, drained: Drained, states: States, clock: Clock):
        first = note.enqueue("first")
        later = note.using(after=[first], run_after=timedelta(hours=1)).enqueue("later")
        assert (drained(), states(later)) == (["first"], ["scheduled"])
        clock.advance(3600)
        assert drained() == ["later"]

    def test_a_keyed_job_joins_its_line_after_its_wait(self, app: Penstock, note: Any, ran: list[str],
                                                       drained: Drained):
        @app.task(serial="key")
        def keyed(key: str) -> None:
            ran.append(f"keyed {key}")

        first = note.enqueue("first")
        keyed.using(after=[first]).enqueue("x")
        keyed.enqueue("y")
        found = drained()
        assert sorted(found) == ["first", "keyed x", "keyed y"]
        assert found.index("first") < found.index("keyed x")


class TestHowItEnds:
    @pytest.mark.parametrize("text", ["bad", "off"])
    def test_what_waits_for_one_that_did_not_complete_is_cancelled_through_and_through(
            self, app: Penstock, note: Any, drained: Drained, states: States, text: str):
        first = note.enqueue(text)
        second = note.using(after=[first]).enqueue("second")
        third = note.using(after=[second]).enqueue("third")
        anyway = note.using(after=[second], on_failure="run").enqueue("anyway")
        assert drained() == [text, "anyway"]
        assert states(second, third, anyway) == ["cancelled", "cancelled", "completed"]
        row = app.job(second.id)
        assert row is not None
        assert row.error_class == "dependency"
        assert str(first.id) in (row.error or "")

    def test_a_cancelled_job_can_be_requeued_and_runs(self, app: Penstock, note: Any, drained: Drained):
        second = note.using(after=[note.enqueue("bad")]).enqueue("second")
        drained()
        assert app.requeue(second.id)
        assert drained() == ["second"]

    def test_a_requeued_job_is_waited_for_as_any(self, app: Penstock, note: Any, drained: Drained):
        first = note.enqueue("first")
        drained()
        app.requeue(first.id)
        note.using(after=[first], priority=9).enqueue("after")
        assert drained() == ["first", "after"]

    def test_a_job_that_is_not_there_cancels_with_what_to_do(self, app: Penstock, note: Any, drained: Drained,
                                                                 clock: Clock):
        pruned = note.enqueue("first")
        drained()
        clock_prune(app, clock, pruned.id)
        waiting = note.using(after=[pruned]).enqueue("after")
        anyway = note.using(after=[pruned], on_failure="run").enqueue("anyway")
        assert drained() == ["anyway"]
        row = app.job(waiting.id)
        assert row is not None
        assert (row.state, row.error_class) == ("cancelled", "dependency")
        assert f"{pruned.id}, which is not there" in (row.error or "")
        assert "Requeue" in (row.error or "")
        assert app.requeue(waiting.id)
        assert drained() == ["after"]
        assert anyway.id

    def test_a_retry_and_a_snooze_are_no_ends(self, app: Penstock, ran: list[str], drained: Drained, clock: Clock,
                                              note: Any):
        @app.task(name="twice", retry=RetryPolicy(max_attempts=3))
        def twice(text: str) -> None:
            ran.append(text)
            clock.advance(3600)
            if len(tries) < 2:
                tries.append(text)
                raise ValueError(text) if text == "fails" else Snooze(timedelta(seconds=1))

        tries: list[str] = []
        for text in ("fails", "snoozes"):
            tries.clear()
            note.using(after=[twice.enqueue(text)]).enqueue("after")
            found = []
            while "after" not in found:
                found += drained()
                clock.advance(3600)
            assert found == [text, text, text, "after"]

    def test_what_is_invalidated_or_cancelled_while_it_waits_ends_those_after_it(
            self, app: Penstock, note: Any, drained: Drained, states: States):
        first = note.using(tags=["t"]).enqueue("first")
        after = note.using(after=[first]).enqueue("after")
        app.invalidate("t")
        second = note.enqueue("second")
        held = note.using(after=[second]).enqueue("held")
        last = note.using(after=[held]).enqueue("last")
        assert app.cancel(held.id) == JobState.CANCELLED
        assert app.cancel(held.id) is None
        assert drained() == ["second"]
        assert states(first, after, held, last) == ["cancelled"] * 4

    def test_a_rescued_job_is_still_waited_for(self, app: Penstock, note: Any, drained: Drained, clock: Clock):
        engine = Engine(app, clock)
        first = note.enqueue("first")
        note.using(after=[first]).enqueue("after")
        engine.dispatch()
        engine.claim("default")
        clock.advance(300)
        assert drained() == ["first", "after"]

    def test_a_job_that_runs_at_most_once_is_waited_for_until_it_has_said_how_it_ended(
            self, app: Penstock, ran: list[str], drained: Drained, note: Any):
        @app.task(name="once", delivery="at_most_once")
        def once(text: str) -> None:
            ran.append(text)
            if text == "meanwhile":
                note.using(after=[job]).enqueue("after")
                app.dispatcher().step()
                app.dispatcher().step()
                assert not app.store.look("queues_ready")

        job = once.enqueue("before")
        note.using(after=[job]).enqueue("after")
        assert drained() == ["before", "after"]
        job = once.enqueue("meanwhile")
        assert drained() == ["meanwhile", "after"]

    def test_one_whose_worker_was_lost_ends_those_after_it(self, app: Penstock, note: Any, drained: Drained,
                                                          states: States, clock: Clock):
        @app.task(name="once", delivery="at_most_once")
        def once() -> None: ...

        engine = Engine(app, clock)
        job = once.enqueue()
        after = note.using(after=[job]).enqueue("after")
        engine.dispatch()
        (claimed,) = engine.claim("default")
        settle(app.store, [Outcome(claimed.id, claimed.lease, "discarded", keep_ms=9**9, error_class="AtMostOnce")])
        assert (drained(), states(after)) == ([], ["pending"])
        clock.advance(300)
        app.upkeep().rescue()
        assert (drained(), states(after)) == ([], ["cancelled"])

    def test_a_skipped_call_stands_for_the_job_that_it_met(self, app: Penstock, note: Any, drained: Drained):
        unique = note.using(unique=Unique())
        met = unique.enqueue("same")
        double = unique.call("same")
        jobs = app.enqueue_many([note.using(after=[double]).call("after"), double])
        assert jobs[1] == type(met)(met.id, "note", "default", skipped=True)
        assert drained() == ["same", "after"]

    def test_a_job_whose_key_was_met_waits_for_nothing_more(self, app: Penstock, note: Any, drained: Drained,
                                                           clock: Clock):
        unique = note.using(unique=Unique())
        unique.enqueue("same")
        assert note.using(unique=Unique(), after=[note.enqueue("other")]).enqueue("same").skipped
        assert clock.fetch("select * from penstock.job_waits") == []
        assert sorted(drained()) == ["other", "same"]

    def test_a_waiting_job_keeps_its_unique_key(self, note: Any, drained: Drained):
        first = note.enqueue("first")
        held = note.using(after=[first], unique=Unique()).enqueue("held")
        assert note.using(unique=Unique()).enqueue("held").id == held.id
        assert drained() == ["first", "held"]
        assert not note.using(unique=Unique()).enqueue("held").skipped
        drained()

    def test_the_jobs_that_end_together_release_together(self, app: Penstock, note: Any, states: States, clock: Clock):
        engine = Engine(app, clock)
        first = [note.enqueue("first"), note.enqueue("second")]
        last = note.using(after=first).enqueue("last")
        engine.dispatch()
        (one,), (two,) = engine.claim("default"), engine.claim("default")
        news: list[bool] = []
        for job, released in ((one, "pending"), (two, "available")):
            settle(app.store, [Outcome(job.id, job.lease, "completed")], told=lambda: news.append(True))
            engine.dispatch()
            assert states(last) == [released]
        assert news == [True, True]
        assert [job.id for job in engine.claim("default")] == [last.id]

    def test_it_is_kept_as_long_as_its_task_says(self, app: Penstock, note: Any, drained: Drained, clock: Clock):
        @app.task(name="kept", retention=Retention(cancelled=timedelta(days=9)))
        def kept() -> None: ...

        job = kept.using(after=[note.enqueue("bad")]).enqueue()
        drained()
        assert clock.fetch(f"select prune_at - finished_at from penstock.finished_jobs where id = {job.id}") == [
            (9 * 86_400_000,)]


def clock_prune(app: Penstock, clock: Clock, id: int) -> None:
    """Remove what has ended, as upkeep does when its time is over."""
    clock.advance(40 * 86_400)
    app.upkeep().prune()
    assert app.job(id) is None


class TestTransactions:
    def test_a_graph_joins_the_callers_transaction(self, app: Penstock, store_url: str, note: Any, drained: Drained):
        first = note.call("first")
        with transaction(store_url) as connection:
            app.using(connection=connection).enqueue_many([note.using(after=[first]).call("second"), first])
            app.using(connection=connection).chain([note.call("a"), note.call("b")])
        found = drained()
        assert [text for text in found if text in "ab"] == ["a", "b"]
        assert found.index("first") < found.index("second")

    def test_what_is_rolled_back_is_not_waited_for_for_ever(self, app: Penstock, store_url: str, note: Any,
                                                           drained: Drained, states: States):
        if store_url.startswith("sqlite"):
            pytest.skip("SQLite gives the number to the next job")
        with closing(caller(store_url)) as connection:
            first = note.using(connection=connection).enqueue("first")
            connection.rollback()
        after = note.using(after=[first]).enqueue("after")
        assert (drained(), states(after)) == ([], ["cancelled"])

    def test_a_waiting_job_that_a_transaction_has_locked_is_released_after_it(
            self, app: Penstock, store_url: str, note: Any, drained: Drained, states: States):
        if store_url.startswith("sqlite"):
            pytest.skip("SQLite has one writer")
        first = note.enqueue("first")
        held = note.using(after=[first]).enqueue("held")
        with closing(caller(store_url)) as connection:
            connection.execute("select 1 from penstock.live_jobs for update")
            app.dispatcher().step()  # it marks what is waited for later
            connection.rollback()
            app.dispatcher().step()
            connection.execute(f"select 1 from penstock.live_jobs where id = {held.id} for update")
            assert (drained(), states(held)) == (["first"], ["pending"])
            connection.rollback()
        assert drained() == ["held"]


class TestWorkflows:
    def test_steps_run_after_those_they_name(self, app: Penstock, note: Any, drained: Drained):
        jobs = app.workflow({"load": Step(note.call("load"), after=("extract", "clean")),
                             "extract": note.call("extract"),
                             "clean": Step(note.call("clean"), after="extract")})
        assert list(jobs) == ["load", "extract", "clean"]
        assert drained() == ["extract", "clean", "load"]

    def test_a_step_runs_anyway_if_it_is_to(self, app: Penstock, note: Any, drained: Drained):
        app.workflow({"a": note.call("bad"), "b": Step(note.call("b"), after="a", on_failure="run"),
                      "c": Step(note.call("c"), after="a")})
        assert drained() == ["bad", "b"]

    @pytest.mark.parametrize(("after", "said"), [
        ({"a": "b", "b": "a"}, "cycle: a -> b -> a"), ({"a": "b", "b": "c", "c": "b"}, "cycle: b -> c -> b"),
        ({"a": "a"}, "cycle: a -> a"),
        ({"first": "secnd", "second": ()}, "'first' is to run after 'secnd', which is no step"),
    ])
    def test_a_cycle_and_an_unknown_name_are_told_before_anything_is_written(
            self, app: Penstock, note: Any, clock: Clock, after: dict[str, Any], said: str):
        with pytest.raises(InvalidArguments) as told:
            app.workflow({name: Step(note.call(name), after=each) for name, each in after.items()})
        assert said in str(told.value)
        assert clock.fetch("select 1 from penstock.live_jobs") == []


class TestBadInput:
    def test_a_call_that_is_not_enqueued_with_it(self, app: Penstock, note: Any, clock: Clock):
        with pytest.raises(InvalidArguments, match="not enqueued with it"):
            note.using(after=[note.call("other")]).enqueue("x")
        assert clock.fetch("select 1 from penstock.live_jobs") == []

    @pytest.mark.parametrize("given", ["job 7", [None], [0], [True], [1.5]])
    def test_what_is_no_job(self, note: Any, given: Any):
        with pytest.raises(InvalidArguments, match="after: expected jobs"):
            note.using(after=given)

    def test_another_word_for_on_failure(self, note: Any):
        with pytest.raises(InvalidArguments, match="'cancel' or 'run', got 'ignore'"):
            note.using(after=[1], on_failure="ignore")

    def test_doubles_that_would_wait_for_themselves(self, app: Penstock, note: Any, clock: Clock):
        unique = note.using(unique=Unique())
        with pytest.raises(InvalidArguments, match="cycle of note -> note"):
            app.chain([unique.call("same"), note.call("between"), unique.call("same")])
        assert clock.fetch("select 1 from penstock.live_jobs") == []
