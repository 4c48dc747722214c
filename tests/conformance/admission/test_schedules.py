"""Subjects are requested by the clock: evenly spread, at least as often as the sync says, once however many look."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from penstock import Penstock
from penstock.app.declaring import SYNC_QUEUE
from penstock.domain.errors import DeclarationError
from penstock.schedule import subjects
from penstock.sync import Change, Complete, Done, Layer, Run, Subject, Sync
from tests.clock import Clock

HOUR = timedelta(hours=1)


class Value(Layer[dict[str, Any]]):
    key = "id"

    def source(self, run: Run) -> Any:
        yield {"id": run.subject.key}
        return Complete(1)

    def render(self, record: dict[str, Any], run: Run) -> dict[str, Any]:
        return record

    def create(self, changes: list[Change], run: Run) -> list[Done]:
        return [Done(change.key) for change in changes]

    update = delete = create


class Numbered:
    """A sync whose subjects are so many; an error instead where one is set."""

    def __init__(self, app: Penstock, count: int, **options: Any) -> None:
        self.count, self.error = count, None
        found = self

        class Values(Sync[str]):
            layers = [Value]

            def subjects(self) -> Iterator[Subject]:
                if found.error:
                    raise found.error
                return (Subject(f"s{number}", account="acme") for number in range(found.count))

        self.error: Exception | None
        app.sync("values", **options)(Values)
        self.app = app

    def look(self) -> None:
        subjects.look(self.app.store, self.app.definition("values"))

    def pass_time(self, clock: Clock, seconds: float) -> int:
        """Move on, dispatch, and say how many subjects were requested since; their runs end at once."""
        clock.advance(seconds)
        while self.app.dispatcher().step() == 0:
            pass
        found = clock.fetch("select id from penstock.sync_runs where status in ('pending', 'running')")
        clock.fetch("update penstock.sync_runs set status = 'succeeded' where status in ('pending', 'running')"
                    " returning 1")
        return len(found)


def test_each_subject_is_requested_once_a_period_and_they_are_spread_over_it(app: Penstock, clock: Clock):
    numbered = Numbered(app, 80, every=HOUR)
    numbered.look()
    first = [numbered.pass_time(clock, 900) for _ in range(4)]
    assert sum(first) == 80
    assert max(first) < 40
    assert [numbered.pass_time(clock, 900) for _ in range(4)] == pytest.approx(first, abs=3)


def test_a_subject_that_was_requested_otherwise_counts(app: Penstock, clock: Clock):
    numbered = Numbered(app, 1, every=HOUR)
    numbered.look()
    assert numbered.pass_time(clock, 3600) == 1
    (due_at,) = clock.fetch("select due_at from penstock.sync_subjects")[0]
    clock.advance((due_at - clock.now_ms) / 1000 - 60)
    app.definition("values").sync.requesting.request("s0", account="acme")  # type: ignore[union-attr]
    assert numbered.pass_time(clock, 1) == 1
    assert numbered.pass_time(clock, 3000) == 0
    assert numbered.pass_time(clock, 599) == 1


def test_what_was_missed_is_made_up_for_once_and_they_stay_spread(app: Penstock, clock: Clock):
    numbered = Numbered(app, 40, every=HOUR)
    numbered.look()
    assert numbered.pass_time(clock, 24 * 3600) == 40
    assert max(numbered.pass_time(clock, 900) for _ in range(4)) < 25


def test_new_subjects_are_found_and_those_that_are_gone_are_left_out(app: Penstock, clock: Clock):
    numbered = Numbered(app, 3, every=HOUR)
    numbered.look()
    numbered.count = 2
    clock.advance(1)
    numbered.look()
    assert clock.fetch("select subject from penstock.sync_subjects order by subject") == [("s0",), ("s1",)]
    numbered.error = ValueError("away")
    with pytest.raises(ValueError, match="away"):
        numbered.look()
    assert numbered.pass_time(clock, 3600) == 2


def test_the_job_that_looks_comes_by_itself(app: Penstock, clock: Clock):
    Numbered(app, 3, every=HOUR)
    assert list(app.periodics) == ["penstock.subjects.values"]
    assert app.periodics["penstock.subjects.values"].schedule.spec == "every 900 s"
    assert app.tasks[subjects.LOOK_TASK].queue == SYNC_QUEUE


def test_a_tick_of_cron_requests_all(app: Penstock, clock: Clock):
    numbered = Numbered(app, 1100, cron="0 3 * * *", timezone="Europe/London")
    assert app.periodics["penstock.request-subjects.values"].schedule.spec == "0 3 * * * Europe/London"
    subjects.request_all(app, app.definition("values"))
    assert clock.fetch("select count(*) from penstock.sync_requests") == [(1100,)]
    assert numbered.pass_time(clock, 1) == 1100


@pytest.mark.parametrize("options", [{"every": HOUR, "cron": "0 3 * * *"}, {"every": timedelta(0)}, {"cron": "often"},
                                     {"cron": "0 3 * * *", "timezone": "Mars"}])
def test_a_schedule_that_cannot_be_is_refused(app: Penstock, options: dict[str, Any]):
    with pytest.raises(DeclarationError):
        Numbered(app, 1, **options)
