"""The fake clock as applications use it: their own app, on both stores."""

from contextlib import closing
from datetime import UTC, datetime, timedelta, timezone
from threading import Event

import pytest

from penstock import Penstock, Report, Window
from penstock.domain.errors import ConfigurationError, InvalidArguments, SchemaMissing
from penstock.testing import FakeClock, all_enqueued, drain
from tests.caller import caller
from tests.waiting import until

NOON = datetime(2027, 3, 1, 12, tzinfo=UTC)


def test_time_stands_still_until_it_is_moved(shop: Penstock):
    @shop.task
    def remind() -> None: ...

    with FakeClock(shop, NOON) as clock:
        assert clock.now == NOON
        remind.using(run_after=timedelta(hours=1)).enqueue()
        assert drain(shop).completed == 0
        clock.advance(timedelta(minutes=59))
        assert drain(shop).completed == 0
        clock.advance(timedelta(minutes=1))
        assert drain(shop).completed == 1
        assert clock.now == NOON + timedelta(hours=1)


def test_it_moves_to_a_moment_in_any_zone_and_back(shop: Penstock):
    with FakeClock(shop, NOON) as clock:
        clock.move_to(datetime(2027, 3, 1, 15, tzinfo=timezone(timedelta(hours=2))))
        assert clock.now == NOON + timedelta(hours=1)
        clock.advance(-timedelta(hours=3))
        assert clock.now == NOON - timedelta(hours=2)


def test_without_a_moment_it_stands_at_the_stores_time(shop: Penstock):
    before = datetime.now(UTC) - timedelta(minutes=1)
    with FakeClock(shop) as clock:
        assert before < clock.now < before + timedelta(minutes=2)
        assert clock.now == clock.now


def test_it_can_run_from_where_it_stands_and_freeze_again(shop: Penstock):
    with FakeClock(shop, NOON) as clock:
        clock.run()
        assert until("time passes", lambda: clock.now > NOON)
        clock.advance(timedelta(days=1))
        assert NOON + timedelta(days=1) < clock.now < NOON + timedelta(days=1, hours=1)
        clock.freeze()
        frozen = clock.now
        clock.freeze()
        assert clock.now == frozen > NOON + timedelta(days=1)


def test_afterwards_the_app_has_its_databases_time_again(shop: Penstock):
    with FakeClock(shop, NOON - timedelta(days=9000)):
        pass
    task = shop.task(name="late")(lambda: None)
    task.enqueue()
    (job,) = all_enqueued(shop)
    assert abs(job.enqueued_at - datetime.now(UTC)) < timedelta(minutes=1)


def test_another_app_may_share_it(shop: Penstock, store_url: str):
    with FakeClock(shop, NOON) as clock, Penstock(store_url, now=clock.expression) as other:
        other.task(name="theirs")(lambda: None).enqueue()
        assert [job.enqueued_at for job in all_enqueued(other)] == [NOON]


def test_one_app_has_one_clock(shop: Penstock):
    with FakeClock(shop), pytest.raises(ConfigurationError, match="now= set"):
        FakeClock(shop)
    with FakeClock(shop, NOON) as clock:
        assert clock.now == NOON


@pytest.mark.parametrize("given", [NOON.replace(tzinfo=None), "2027-03-01"])
def test_a_moment_needs_a_zone(shop: Penstock, given: datetime):
    with pytest.raises(InvalidArguments, match="a time with a zone"):
        FakeClock(shop, given)
    assert shop.settings.now is None
    with FakeClock(shop) as clock:
        with pytest.raises(InvalidArguments, match="a time with a zone"):
            clock.move_to(given)
        with pytest.raises(InvalidArguments, match="a timedelta"):
            clock.advance(5)  # type: ignore[arg-type]


def test_a_store_that_was_not_migrated_is_refused(postgres_url: str):
    with Penstock(postgres_url) as app, pytest.raises(SchemaMissing):
        FakeClock(app)


def test_a_deadline_passes_by_the_clock(shop: Penstock):
    ran = []

    @shop.task(deadline=timedelta(minutes=5))
    def now_or_never() -> None:
        ran.append(1)

    with FakeClock(shop) as clock:
        now_or_never.enqueue()
        clock.advance(timedelta(minutes=6))
        drained = drain(shop)
    assert (drained.cancelled, [job.error_class for job in drained.ran], ran) == (1, ["deadline"], [])


def test_it_decides_when_a_periodic_task_ticks(shop: Penstock):
    at = []
    shop.periodic("report", shop.task(name="report")(lambda: at.append(clock.now)).call(), cron="0 3 * * *")
    with FakeClock(shop, NOON) as clock:
        assert drain(shop, with_periodic=True).completed == 0
        clock.advance(timedelta(days=1))
        assert drain(shop).completed == 0
        assert drain(shop, with_periodic=True).completed == 1
    assert at == [NOON + timedelta(days=1)]


def test_a_callers_transaction_has_the_same_time(shop: Penstock, store_url: str):
    with FakeClock(shop, NOON), closing(caller(store_url)) as connection:
        task = shop.task(name="task")(lambda: None)
        task.using(connection=connection, run_after=timedelta(hours=1)).enqueue()
        connection.commit()
        assert [(job.enqueued_at, job.run_at) for job in all_enqueued(shop)] == [(NOON, NOON + timedelta(hours=1))]


def test_a_real_worker_goes_by_it(shop: Penstock):
    ran = Event()
    task = shop.task(name="task")(ran.set)
    with FakeClock(shop, NOON) as clock:
        worker = shop.worker()
        worker.start()
        try:
            task.using(run_after=timedelta(seconds=20)).enqueue()
            clock.advance(timedelta(seconds=19))
            assert [job.state for job in all_enqueued(shop)] == ["scheduled"]
            clock.advance(timedelta(seconds=1))
            assert ran.wait(30)
        finally:
            worker.stop()


def test_a_worker_outlives_a_leap_beyond_its_lease(store_url: str):
    ran = Event()
    with Penstock(store_url, lease_seconds=0.5) as app, FakeClock(app, NOON) as clock:
        task = app.task(name="task")(ran.set)
        worker = app.worker()
        worker.start()
        try:
            task.using(run_after=timedelta(days=30)).enqueue()
            clock.advance(timedelta(days=30))
            assert ran.wait(60)
        finally:
            worker.stop()


def test_a_drain_goes_by_it(shop: Penstock):
    ran = []
    task = shop.task(name="task")(lambda: ran.append(1))
    with FakeClock(shop, datetime(2027, 1, 1, tzinfo=UTC)) as clock:
        task.using(run_after=timedelta(days=3)).enqueue()
        report = shop.drain(Window(500, 100))
        assert report == Report(0, 0, datetime(2027, 1, 4, tzinfo=UTC))
        assert report.next_due is not None
        clock.move_to(report.next_due)
        assert shop.drain(Window(500, 100)) == Report(1, 0, None)
    assert ran == [1]
