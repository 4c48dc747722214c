"""Lists of jobs: each state in its order, filters, pages that meet, and searches that end at a bound."""

from datetime import timedelta
from typing import Any

import pytest

from penstock import Penstock
from penstock.domain.errors import InvalidArguments
from penstock.domain.listing import JobFilter, JobListed
from penstock.queue.listing import pages, search
from penstock.queue.listing.places import places_around
from tests.clock import Clock

STATES = ["scheduled", "pending", "available", "executing", "retryable", "completed", "cancelled", "discarded"]


def ids(jobs: list[JobListed]) -> list[int]:
    return [job.id for job in jobs]


def all_pages(app: Penstock, limit: int, **wanted: Any) -> list[int]:
    found: list[int] = []
    after: str | None = None
    for _ in range(100):
        page = app.jobs(**wanted, after=after, limit=limit)
        found += ids(page.jobs)
        after = page.after
        if after is None:
            return found
    raise AssertionError(f"{found} and no end")


class TestStates:
    def test_all_jobs_come_newest_first_in_the_states_that_they_are_in(self, app: Penstock, every: dict[str, int]):
        page = app.jobs()
        assert {job.state: job.id for job in page.jobs} == every
        assert ids(page.jobs) == sorted(every.values(), reverse=True)
        assert (page.after, page.looked_at, page.cut_short) == (None, 8, False)

    @pytest.mark.parametrize("state", STATES)
    def test_each_state_is_listed_by_itself(self, app: Penstock, every: dict[str, int], state: str):
        page = app.jobs(state)
        assert [(job.id, job.state) for job in page.jobs] == [(every[state], state)]
        assert page.after is None

    def test_a_row_says_what_is_known_without_arguments(self, app: Penstock, clock: Clock, every: dict[str, int]):
        (executing,) = app.jobs("executing").jobs
        assert (executing.task, executing.queue, executing.attempt, executing.tags) == ("work", "default", 1, ("busy",))
        assert (executing.attempted_at, executing.worker) == (clock.now_ms, "test")
        (discarded,) = app.jobs("discarded").jobs
        assert (discarded.error_class, discarded.finished_at) == ("ValueError", clock.now_ms)
        (available,) = app.jobs("available").jobs
        assert available.tags == ("one", "two")

    def test_what_waits_for_its_time_comes_soonest_first(self, app: Penstock, work: Any):
        hours = [3, 1, 2, 1, 1]
        jobs = [work.using(run_after=timedelta(hours=each)).enqueue().id for each in hours]
        expected = [jobs[1], jobs[3], jobs[4], jobs[2], jobs[0]]
        assert ids(app.jobs("scheduled").jobs) == expected
        assert all_pages(app, 2, state="scheduled") == expected


class TestFilters:
    @pytest.mark.parametrize(("wanted", "expected"), [
        ({"task": "again"}, {"retryable"}), ({"queue": "other"}, {"retryable"}), ({"tag": "two"}, {"available"}),
        ({"error_class": "ValueError"}, {"discarded"}), ({"error_class": "KeyError"}, {"retryable"}),
        ({"error_class": "KeyError", "state": "retryable"}, {"retryable"}),
        ({"state": "executing", "tag": "busy"}, {"executing"}), ({"state": "executing", "tag": "none"}, set()),
        ({"state": "discarded", "task": "again"}, set()), ({"state": "completed", "queue": "default"}, {"completed"}),
        ({"task": "nothing"}, set()),
    ])
    def test_only_what_fits_all_of_them_is_listed(
            self, app: Penstock, every: dict[str, int], wanted: dict[str, Any], expected: set[str]):
        assert {job.state for job in app.jobs(**wanted).jobs} == expected
        assert app.count_jobs(JobFilter(**wanted)).number == len(expected)

    def test_a_time_is_that_of_the_enqueue(self, app: Penstock, clock: Clock, work: Any):
        jobs, times = [], []
        for _ in range(9):
            jobs.append(work.enqueue().id)
            times.append(clock.now_ms)
            clock.advance(600)
        assert ids(app.jobs(since=times[2], until=times[5]).jobs) == jobs[4:1:-1]
        assert all_pages(app, 2, since=times[2], until=times[5]) == jobs[4:1:-1]
        assert app.jobs(until=times[0]).jobs == [] == app.jobs(since=clock.now_ms).jobs
        assert ids(app.jobs("available", since=times[7]).jobs) == jobs[:6:-1]

    def test_a_time_is_found_without_looking_at_all_before_it(self, app: Penstock, clock: Clock, work: Any):
        times = []
        for _ in range(12):
            app.enqueue_many([work.call() for _ in range(50)])
            times.append(clock.now_ms)
            clock.advance(600)
        page = app.jobs(since=times[3], until=times[4], limit=100)
        assert {job.enqueued_at for job in page.jobs} == {times[3]}
        assert (len(page.jobs), page.after) == (50, None)
        assert page.looked_at <= 50 + 2 * 64
        low, high = app.store.read(lambda tx: places_around(tx, times[7]))
        assert (low <= page.jobs[-1].id + 200 <= high, high - low <= 64) == (True, True)

    @pytest.mark.parametrize(("wanted", "says"), [
        ({"state": "complete"}, "did you mean 'completed'"), ({"since": 1.5}, "since: expected milliseconds"),
        ({"task": "a\0b"}, "task: expected text"), ({"limit": 0}, "limit: expected"), ({"after": "nonsense"}, "cursor"),
        ({"after": "WzFd"}, "cursor"),
    ])
    def test_what_cannot_be_is_refused(self, app: Penstock, wanted: dict[str, Any], says: str):
        with pytest.raises(InvalidArguments, match=says):
            app.jobs(**wanted)


class TestPages:
    def test_pages_meet_without_a_gap_whatever_comes_in_between(self, app: Penstock, work: Any):
        jobs = [job.id for job in app.enqueue_many([work.call() for _ in range(7)])]
        first = app.jobs(limit=3)
        work.enqueue()
        second = app.jobs(limit=3, after=first.after)
        third = app.jobs(limit=3, after=second.after)
        assert ids([*first.jobs, *second.jobs, *third.jobs]) == jobs[::-1]
        assert third.after is None

    def test_a_cursor_of_another_list_is_refused(self, app: Penstock, work: Any):
        app.enqueue_many([work.call() for _ in range(3)])
        after = app.jobs(limit=1).after
        with pytest.raises(InvalidArguments, match="same filter"):
            app.jobs("scheduled", after=after)

    @pytest.mark.parametrize("state", [None, "scheduled"])
    def test_a_search_that_finds_too_little_says_how_far_it_looked(
            self, app: Penstock, clock: Clock, work: Any, monkeypatch: pytest.MonkeyPatch, state: str | None):
        monkeypatch.setattr(search, "_FIRST_LOOK", 3)
        monkeypatch.setattr(pages, "MOST_LOOKED", 10)
        monkeypatch.setattr(search.searched, "__defaults__", (10,))
        delay = None if state is None else timedelta(hours=1)
        jobs = app.enqueue_many([work.using(run_after=delay, tags=["rare"] if n in (2, 29) else []).call()
                                 for n in range(30)])
        rare = {jobs[2].id, jobs[29].id}
        found, after, looks = set(), None, []
        while True:
            page = app.jobs(state, tag="rare", after=after)
            found |= set(ids(page.jobs))
            looks.append((page.looked_at, page.cut_short))
            after = page.after
            if after is None:
                break
            assert page.back_to == clock.now_ms + (3_600_000 if state else 0)
        assert found == rare
        assert looks[:3] == [(10, True)] * 3
        assert sum(looked for looked, _ in looks) == 30


class TestCounts:
    def test_counts_of_a_state_come_from_counters_and_have_no_bound(self, app: Penstock, every: dict[str, int]):
        for state in STATES:
            assert str(app.count_jobs(JobFilter(state=state), most=1)) == "1"
        assert app.count_jobs(JobFilter(), most=1).number == 8

    def test_others_end_at_a_bound(self, app: Penstock, work: Any):
        app.enqueue_many([work.using(tags=["t"]).call() for _ in range(12)])
        assert str(app.count_jobs(JobFilter(tag="t"), most=12)) == "12"
        assert str(app.count_jobs(JobFilter(tag="t"), most=11)) == "11+"
