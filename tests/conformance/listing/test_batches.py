"""The jobs of a batch, found from its number on; and batches themselves, by key."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from penstock import Penstock
from penstock.domain.errors import InvalidArguments
from penstock.domain.listing import JobFilter
from penstock.queue.listing import search
from penstock.testing import drain
from tests.conformance.listing.test_pages import all_pages, ids


@pytest.fixture
def batch(app: Penstock, work: Any) -> int:
    """Six jobs, of which two fail and one is put off, between other jobs in the same states."""
    for how in ("well", "fail"):
        work.enqueue(how)
    calls = [*(work.call(how) for how in ("well", "fail", "well", "fail", "well")),
             work.using(run_after=timedelta(hours=1)).call("well")]
    made = app.batch(calls, work.call("well"))
    for how in ("well", "fail"):
        work.enqueue(how)
    work.using(run_after=timedelta(hours=1)).enqueue()
    drain(app)
    app.dispatcher().step()
    return made.id


class TestItsJobs:
    def test_they_come_as_they_were_enqueued_and_nothing_else_does(self, app: Penstock, batch: int):
        page = app.jobs(batch=batch)
        assert [job.state for job in page.jobs] == ["completed", "discarded", "completed", "discarded", "completed",
                                                    "scheduled"]
        assert ids(page.jobs) == sorted(ids(page.jobs))
        assert (page.after, page.cut_short) == (None, False)

    @pytest.mark.parametrize(("state", "count"), [("completed", 3), ("discarded", 2), ("cancelled", 0),
                                                  ("scheduled", 1), ("available", 0), ("executing", 0)])
    def test_each_state_is_listed_and_counted_by_itself(self, app: Penstock, batch: int, state: str, count: int):
        assert [job.state for job in app.jobs(state, batch=batch).jobs] == [state] * count
        counted = app.count_jobs(JobFilter(state=state, batch=batch))
        assert (counted.number, counted.more) == (count, False)

    @pytest.mark.parametrize("limit", [1, 2, 3, 4, 6])
    @pytest.mark.parametrize("state", [None, "completed", "discarded"])
    def test_pages_meet_and_end_where_all_are_found(self, app: Penstock, work: Any, batch: int, limit: int,
                                                    state: str | None):
        app.enqueue_many(work.call("well") for _ in range(20))
        whole = ids(app.jobs(state, batch=batch).jobs)
        assert all_pages(app, limit, state=state, batch=batch) == whole

    def test_an_old_batch_is_found_at_once_and_nobody_looks_on_for_more(self, app: Penstock, work: Any, batch: int,
                                                                        monkeypatch: pytest.MonkeyPatch):
        app.enqueue_many(work.call("well") for _ in range(100))
        monkeypatch.setattr(search, "_FIRST_LOOK", 10)
        page = app.jobs(batch=batch, limit=8)
        assert (len(page.jobs), page.after) == (6, None)
        assert page.looked_at <= 10

    def test_what_joins_it_later_is_found_as_well(self, app: Penstock, work: Any):
        batch = app.batch([work.call("well")], open=True)
        work.enqueue()
        late = work.using(batch=batch.id).enqueue()
        assert ids(app.jobs(batch=batch.id).jobs) == [batch.jobs[0].id, late.id]

    def test_those_that_failed_can_be_retried_together(self, app: Penstock, batch: int,
                                                       states: Callable[..., list[str]]):
        failed = ids(app.jobs("discarded", batch=batch).jobs)
        acted = app.act_on_jobs("retry", JobFilter(state="discarded", batch=batch))
        assert (acted.done, acted.after) == (2, None)
        assert states(*failed) == ["available", "available"]
        assert len(app.jobs("discarded").jobs) == 2

    @pytest.mark.parametrize("number", [-1, "7", 2**62, True])
    def test_what_is_no_number_is_refused(self, app: Penstock, number: Any):
        with pytest.raises(InvalidArguments, match="batch: expected the number of a batch"):
            app.jobs(batch=number)


class TestBatches:
    def test_they_come_newest_first_page_by_page_with_the_task_of_their_first_job(self, app: Penstock, work: Any):
        made = [app.batch([work.call("well")] * count).id for count in (1, 2)] + [app.batch([], open=True).id]
        app.dispatcher().step()
        found = app.batches()
        assert [(each.id, each.total, each.open, each.task) for each in found] == [
            (made[2], 0, True, None), (made[1], 2, False, "work"), (made[0], 1, False, "work")]
        assert all(each.made_at is not None for each in found)
        assert [each.id for each in app.batches(limit=2)] == made[:0:-1]
        assert [each.id for each in app.batches(before=made[1], limit=2)] == made[:1]

    def test_how_far_each_is_and_when_it_was_made(self, app: Penstock, batch: int):
        (listed,) = app.batches()
        status = app.batch_status(batch)
        assert status is not None
        assert (listed.total, listed.completed, listed.discarded, listed.pending) == (6, 3, 2, 1)
        assert (listed.made_at, listed.finished_at) == (status.made_at, None)

    def test_who_waits_for_its_end_is_told(self, app: Penstock, work: Any, batch: int):
        after = work.using(after=[batch]).enqueue()
        app.dispatcher().step()
        waiting = app.batch_awaited_by(batch)
        assert [each.state for each in waiting] == ["pending", "pending"]
        assert waiting[-1].id == after.id

    @pytest.mark.parametrize("limit", [0, 1_001, "5"])
    def test_a_limit_that_is_none_is_refused(self, app: Penstock, work: Any, limit: Any):
        with pytest.raises(InvalidArguments, match="limit: expected a number from 1 to 1,000"):
            app.batches(limit=limit)
