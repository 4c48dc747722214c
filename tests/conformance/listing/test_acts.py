"""Acts on one job, on some and on all that fit: each changes what it is for, and nothing that has moved on."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from penstock import Penstock, Unique
from penstock.app import SYNC_QUEUE, piecewise
from penstock.domain.errors import InvalidArguments
from penstock.domain.listing import FITS, JobFilter
from penstock.events import JobsActedOn
from penstock.queue.listing import acts
from penstock.testing import drain
from tests.clock import Clock
from tests.conformance.workers import Workers

States = Callable[..., list[str]]


class TestOneJob:
    @pytest.mark.parametrize("state", FITS["discard"])
    def test_what_waits_is_given_up_and_keeps_its_error(
            self, app: Penstock, every: dict[str, int], states: States, workers: Workers, state: str):
        assert app.discard(every[state], "nobody wants it")
        found = app.job(every[state])
        assert found is not None
        assert (found.state, found.error_class) == ("discarded", "KeyError" if state == "retryable" else "discarded")
        assert found.error is not None
        assert found.error.startswith("discarded: nobody wants it")
        assert ("once more" in found.error) == (state == "retryable")
        assert app.jobs("discarded").jobs[0].id == every[state]
        assert workers.counts_agree()
        assert workers.told(JobsActedOn) == [JobsActedOn("discard", str(every[state]), 1, 0, 0)]

    @pytest.mark.parametrize("state", ["executing", "completed", "cancelled", "discarded"])
    def test_what_runs_or_has_ended_is_not(self, app: Penstock, clock: Clock, every: dict[str, int], states: States,
                                           state: str):
        assert not app.discard(every[state])
        assert states(every[state]) == [state]
        assert clock.fetch("select * from penstock.cancellations") == []

    def test_one_that_is_not_there_is_not(self, app: Penstock, work: Any):
        assert not app.discard(123)
        assert not app.run_now(123)

    def test_a_job_that_waits_for_one_that_was_discarded_is_cancelled(self, app: Penstock, work: Any, states: States):
        first = work.using(run_after=timedelta(hours=1)).enqueue()
        second = work.using(after=[first]).enqueue()
        app.discard(first.id)
        drain(app)
        assert states(first.id, second.id) == ["discarded", "cancelled"]

    def test_a_unique_key_is_free_again(self, app: Penstock, work: Any):
        unique = app.task(lambda: None, name="once", unique=Unique())
        first = unique.using(run_after=timedelta(hours=1)).enqueue()
        assert app.discard(first.id)
        assert not unique.enqueue().skipped

    @pytest.mark.parametrize("state", ["scheduled", "retryable"])
    def test_what_waits_for_its_time_runs_now(self, app: Penstock, every: dict[str, int], workers: Workers, state: str):
        assert app.run_now(every[state])
        app.upkeep().step()
        assert workers.job(every[state]) == "available"
        assert workers.counts_agree()
        assert workers.told(JobsActedOn) == [JobsActedOn("run_now", str(every[state]), 1, 0, 0)]

    def test_what_is_due_already_keeps_its_place(self, app: Penstock, clock: Clock, work: Any):
        job = work.using(run_after=timedelta(minutes=1)).enqueue()
        clock.advance(90)
        assert app.run_now(job.id)
        assert clock.fetch("select run_at from penstock.live_jobs") == [(clock.now_ms - 30_000,)]

    @pytest.mark.parametrize("state", ["pending", "available", "executing", "completed", "cancelled", "discarded"])
    def test_nothing_else_does(self, app: Penstock, every: dict[str, int], states: States, state: str):
        assert not app.run_now(every[state])
        assert states(every[state]) == [state]


class TestSomeJobs:
    @pytest.mark.parametrize(("act", "becomes"), [
        ("retry", {"completed": "available", "discarded": "available", "cancelled": "available"}),
        ("cancel", dict.fromkeys(["scheduled", "pending", "available", "retryable"], "cancelled")),
        ("discard", dict.fromkeys(FITS["discard"], "discarded")), ("run_now", {}),
    ])
    def test_each_act_does_what_it_is_for_and_refuses_the_rest(
            self, app: Penstock, every: dict[str, int], states: States, workers: Workers, act: str,
            becomes: dict[str, str]):
        acted = app.act_on_ids(act, [*every.values(), 999])
        asked = act == "cancel"
        done = len(FITS[act]) - asked
        assert (acted.done, acted.asked, acted.refused, acted.after) == (done, asked, 9 - done - asked, None)
        assert states(*every.values()) == [becomes.get(state, state) for state in every]
        assert workers.counts_agree()
        assert workers.told(JobsActedOn) == [JobsActedOn(act, "1, 2, 3, 4, 5 …", done, asked, 9 - done - asked)]

    def test_more_than_a_thousand_are_for_a_filter(self, app: Penstock, work: Any):
        with pytest.raises(InvalidArguments, match="at most 1,000"):
            app.act_on_ids("cancel", range(1_001))
        with pytest.raises(InvalidArguments, match="did you mean 'cancel'"):
            app.act_on_ids("cancle", [1])

    def test_a_key_that_another_job_has_by_now_refuses_the_retry(self, app: Penstock, states: States, work: Any):
        once = app.task(lambda: None, name="once", unique=Unique())
        first = once.enqueue()
        app.cancel(first.id)
        second = once.enqueue()
        assert app.act_on_ids("retry", [first.id]).refused == 1
        assert states(first.id, second.id) == ["cancelled", "available"]


class TestAllThatFit:
    def test_all_that_fit_are_acted_on_batch_by_batch(
            self, app: Penstock, work: Any, workers: Workers, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setattr(acts, "_BATCH", 7)
        monkeypatch.setattr(acts, "_TOGETHER", 3)
        app.enqueue_many([work.using(tags=["old"] if n % 2 else []).call("fail") for n in range(50)])
        drain(app)
        wanted = JobFilter(state="discarded", tag="old")
        assert app.count_jobs(wanted).number == 25
        done, after, calls = 0, None, 0
        while calls == 0 or after is not None:
            acted = app.act_on_jobs("retry", wanted, after, seconds=0)
            done, after, calls = done + acted.done, acted.after, calls + 1
        assert (done, calls > 3) == (25, True)
        assert workers.states() == {"available": 25, "discarded": 25}
        assert workers.counts_agree()

    def test_what_comes_to_fit_later_is_left(self, app: Penstock, work: Any, states: States,
                                            monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setattr(acts, "_BATCH", 2)
        jobs = app.enqueue_many([work.call() for _ in range(4)])
        acted = app.act_on_jobs("cancel", JobFilter(state="available"), seconds=0)
        later = work.enqueue()
        assert app.act_on_jobs("cancel", JobFilter(state="available"), acted.after).after is None
        assert states(*(job.id for job in jobs), later.id) == ["cancelled"] * 4 + ["available"]

    @pytest.mark.parametrize("state", ["executing", "scheduled", "retryable", "pending"])
    def test_each_order_can_be_gone_through(self, app: Penstock, every: dict[str, int], states: States, state: str):
        acted = app.act_on_jobs("cancel", JobFilter(state=state))
        assert (acted.done + acted.asked, acted.after) == (1, None)
        assert states(every[state]) == ["executing" if state == "executing" else "cancelled"]

    @pytest.mark.parametrize(("act", "state"), [("retry", None), ("retry", "available"), ("discard", "executing")])
    def test_the_filter_has_to_name_a_state_that_the_act_is_for(self, app: Penstock, work: Any, act: str,
                                                               state: str | None):
        with pytest.raises(InvalidArguments, match="state: expected one of"):
            app.act_on_jobs(act, JobFilter(state=state))

    def test_what_moved_on_while_it_was_looked_for_is_refused(
            self, app: Penstock, work: Any, states: States, monkeypatch: pytest.MonkeyPatch):
        job = work.using(run_after=timedelta(hours=1)).enqueue()
        monkeypatch.setattr(acts, "_act", lambda *given, act=acts._act: (app.cancel(job.id), act(*given)))
        acted = app.act_on_jobs("run_now", JobFilter(state="scheduled"))
        assert (acted.done, acted.refused) == (0, 1)
        assert states(job.id) == ["cancelled"]


class TestTheRestAsAJob:
    @pytest.fixture(autouse=True)
    def _small(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Batches of 20, one at once and one a piece."""
        monkeypatch.setattr(acts, "_BATCH", 20)
        monkeypatch.setattr(piecewise, "_SECONDS_AT_ONCE", 0)
        monkeypatch.setattr(piecewise, "_PIECE_SECONDS", 0)

    def test_few_are_done_at_once(self, app: Penstock, work: Any):
        app.enqueue_many([work.call() for _ in range(10)])
        acted, job = app.act_on_all("cancel", JobFilter(state="available"))
        assert (acted.done, acted.after, job) == (10, None, None)

    def test_many_are_done_piece_by_piece(self, app: Penstock, work: Any, workers: Workers):
        app.enqueue_many([work.call() for _ in range(2_000)])
        acted, job = app.act_on_all("cancel", JobFilter(state="available"), "by mistake")
        assert (acted.done, workers.states()["cancelled"]) == (20, 20)
        drained = drain(app, SYNC_QUEUE, raising=True)
        assert [each.id for each in drained.ran] == [job]
        assert workers.states() == {"cancelled": 2_000, "completed": 1}
        found = app.job_found(job or 0)
        assert found is not None
        assert (found.percent, found.note) == (100, "cancel: 2,000 done, 0 asked to end, 0 refused")
        assert workers.counts_agree()

    def test_one_that_is_interrupted_goes_on_from_there(self, app: Penstock, work: Any, workers: Workers,
                                                        monkeypatch: pytest.MonkeyPatch):
        app.enqueue_many([work.call() for _ in range(200)])
        _, job = app.act_on_all("cancel", JobFilter(state="available"))
        begun, batches = acts.searched, []

        def searched(tx: Any, search: Any, limit: int) -> Any:
            batches.append(search.last)
            if len(batches) == 4:
                raise OSError("the line is cut")
            return begun(tx, search, limit)

        monkeypatch.setattr(acts, "searched", searched)
        drain(app, SYNC_QUEUE)
        assert workers.states() == {"cancelled": 80, "available": 120, "retryable": 1}
        later = work.enqueue()
        drain(app, SYNC_QUEUE, with_scheduled=True, raising=True)
        assert workers.states() == {"cancelled": 200, "available": 1, "completed": 1}
        assert workers.job(later.id) == "available"
        found = app.job_found(job or 0)
        assert found is not None
        assert found.note == "cancel: 200 done, 0 asked to end, 0 refused"
        assert batches[4] == batches[3], "it begins where it was interrupted"

    def test_it_does_not_act_on_itself(self, app: Penstock, work: Any, workers: Workers):
        jobs = app.enqueue_many([work.call() for _ in range(25)])
        workers.start({SYNC_QUEUE: 1})
        _, job = app.act_on_all("cancel", JobFilter(state="available"))
        workers.wait_for({"cancelled": len(jobs), "completed": 1})
        assert workers.job(job or 0, "task") == "penstock.act"


class TestBesideWorkers:
    def test_what_is_cancelled_while_workers_claim_ends_once_either_way(self, app: Penstock, work: Any,
                                                                        workers: Workers):
        jobs = app.enqueue_many([work.call() for _ in range(120)])
        workers.start({"default": 4})
        acted = app.act_on_jobs("cancel", JobFilter(state="available"))
        workers.wait_until_settled()
        assert acted.after is None
        states = workers.states()
        assert sum(states.values()) == len(jobs)
        assert acted.done <= states.get("cancelled", 0) <= acted.done + acted.asked
        assert workers.counts_agree()
