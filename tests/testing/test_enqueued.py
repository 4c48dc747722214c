"""Assertions about what is enqueued, and what they say when they fail."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from penstock import Penstock
from penstock.domain.errors import InvalidArguments, UnknownConnection, UnknownTask
from penstock.queue.task import Task
from penstock.testing import FakeClock, all_enqueued, assert_enqueued, drain, refute_enqueued
from tests.caller import caller

NOON = datetime(2027, 3, 1, 12, tzinfo=UTC)


@dataclass
class Offer:
    id: int
    until: datetime


@pytest.fixture
def remind(shop: Penstock) -> Task[..., None]:
    @shop.task(name="remind", queue="mail")
    def remind(offer: int, address: str = "nobody", *, at: datetime | None = None, terms: Offer | None = None,
               **more: int) -> None: ...

    return remind


def told(call: Any) -> str:
    with pytest.raises(AssertionError) as raised:
        call()
    return str(raised.value)


def test_all_that_waits_is_listed_with_its_arguments(shop: Penstock, remind: Task[..., None]):
    with FakeClock(shop, NOON):
        remind.using(priority=3, tags=["offer:7", "mail"], run_after=timedelta(days=1)).enqueue(7, at=NOON)
        shop.task(name="other")(lambda: None).enqueue()
        one, two = all_enqueued(shop)
        assert all_enqueued(shop, remind) == all_enqueued(shop, "remind") == [one]
        assert (one.task, one.queue, one.priority, one.state) == ("remind", "mail", 3, "scheduled")
        assert (one.arguments, one.tags) == ({"offer": 7, "at": "2027-03-01T12:00:00Z"}, ("offer:7", "mail"))
        assert (one.enqueued_at, one.run_at, one.attempt) == (NOON, NOON + timedelta(days=1), 0)
        assert (two.task, two.state, two.tags) == ("other", "available", ())
        drain(shop)
        assert all_enqueued(shop) == [one]


def test_only_what_is_given_has_to_match(shop: Penstock, remind: Task[..., None]):
    offer = Offer(7, NOON)
    remind.using(priority=3, tags=["offer:7", "mail"]).enqueue(7, "ada@example.com", terms=offer, extra=1)
    (job,) = assert_enqueued(shop, remind)
    assert job.arguments["address"] == "ada@example.com"
    assert_enqueued(shop, "remind", 7, count=1)
    assert_enqueued(shop, remind, 7, "ada@example.com", queue="mail", priority=3, tags="offer:7")
    assert_enqueued(shop, remind, arguments={"address": "ada@example.com", "terms": offer}, tags=["mail", "offer:7"])
    assert_enqueued(shop, remind, arguments={"extra": 1})
    refute_enqueued(shop, remind, 8)
    refute_enqueued(shop, remind, 7, "bob@example.com")
    refute_enqueued(shop, remind, 7, queue="default")
    refute_enqueued(shop, remind, priority=2)
    refute_enqueued(shop, remind, tags=["offer:7", "offer:8"])


def test_an_argument_that_was_not_given_is_its_default(shop: Penstock, remind: Task[..., None]):
    remind.enqueue(7)
    assert_enqueued(shop, remind, 7, "nobody", arguments={"at": None})
    refute_enqueued(shop, remind, 7, "somebody")


def test_a_wait_counts_from_the_enqueue_and_a_moment_is_a_moment(shop: Penstock, remind: Task[..., None]):
    with FakeClock(shop, NOON) as clock:
        remind.using(run_after=timedelta(days=1)).enqueue(7)
        clock.advance(timedelta(hours=5))
        assert_enqueued(shop, remind, run_after=timedelta(days=1))
        assert_enqueued(shop, remind, run_after=NOON + timedelta(days=1, seconds=1))
        refute_enqueued(shop, remind, run_after=NOON + timedelta(days=1, seconds=2))
        refute_enqueued(shop, remind, run_after=timedelta(hours=19))
        assert_enqueued(shop, remind, run_after=timedelta(hours=19), within=timedelta(hours=6))


def test_a_count_is_exact(shop: Penstock, remind: Task[..., None]):
    assert_enqueued(shop, remind, count=0)
    shop.enqueue_many(remind.call(offer) for offer in (7, 7, 8))
    assert len(assert_enqueued(shop, remind, 7, count=2)) == 2
    assert told(lambda: assert_enqueued(shop, remind, 7, count=3)).startswith(
        "expected 3 jobs remind(offer=7), got 2; enqueued are, nearest first:\n  #")
    assert "expected 1 job remind(), got 3" in told(lambda: assert_enqueued(shop, remind, count=1))


def test_a_failure_lists_what_is_enqueued_nearest_first(shop: Penstock, remind: Task[..., None]):
    with FakeClock(shop, NOON):
        assert told(lambda: assert_enqueued(shop, remind, 7)) == (
            "expected at least one job remind(offer=7), got none; nothing is enqueued")
        other = shop.task(name="other")(lambda: None).enqueue().id
        far = remind.using(queue="slow", priority=-1, run_after=timedelta(days=1)).enqueue(9).id
        near = remind.using(tags="offer:8").enqueue(8, "ada@example.com").id
        message = told(lambda: assert_enqueued(shop, remind, 7, queue="mail", tags="offer:8", run_after=timedelta(0)))
    assert message == (
        "expected at least one job remind(offer=7) queue='mail' tags=['offer:8'] run_after=0:00:00, got none; enqueued"
        " are, nearest first:\n"
        f"  #{near} remind(offer=8, address='ada@example.com') in 'mail', available, tags offer:8"
        " [offer: expected 7, got 8]\n"
        f"  #{far} remind(offer=9) in 'slow', scheduled, priority -1, due 1 day, 0:00:00 after its enqueue"
        " [offer: expected 7, got 9; queue: expected 'mail', got 'slow'; tags: 'offer:8' is missing;"
        " run_after: expected 0:00:00, got 1 day, 0:00:00]\n"
        f"  #{other} other() in 'default', available")


def test_a_long_list_is_cut(shop: Penstock, remind: Task[..., None]):
    shop.enqueue_many(remind.call(offer) for offer in range(30))
    lines = told(lambda: assert_enqueued(shop, remind, 99)).splitlines()
    assert (len(lines), lines[-1]) == (12, "  and 20 more")
    lines = told(lambda: refute_enqueued(shop, remind)).splitlines()
    assert (len(lines), lines[-1]) == (12, "  and 20 more")


def test_a_refutation_lists_what_it_met(shop: Penstock, remind: Task[..., None]):
    job = remind.enqueue(7)
    remind.enqueue(8)
    assert told(lambda: refute_enqueued(shop, remind, 7)) == (
        f"expected no job remind(offer=7), got 1:\n  #{job.id} remind(offer=7) in 'mail', available")


def test_a_name_that_no_job_can_have_is_no_reason_to_pass(shop: Penstock, remind: Task[..., None], store_url: str):
    with pytest.raises(UnknownTask, match="did you mean 'remind'"):
        refute_enqueued(shop, "remnid")
    with Penstock(store_url) as other:
        theirs = other.task(name="remind")(lambda: None)
        with pytest.raises(UnknownTask, match="a task that this app declares"):
            refute_enqueued(shop, theirs)
    with pytest.raises(UnknownTask):
        all_enqueued(shop, print)  # type: ignore[arg-type]

    @shop.task
    def plain(offer: int) -> None: ...

    with pytest.raises(InvalidArguments, match="'ofer'"):
        refute_enqueued(shop, plain, arguments={"ofer": 7})
    with pytest.raises(InvalidArguments, match="too many"):
        refute_enqueued(shop, plain, 1, 2)
    with pytest.raises(InvalidArguments):
        refute_enqueued(shop, plain, object())
    with pytest.raises(InvalidArguments, match="a time with a zone"):
        refute_enqueued(shop, plain, run_after=NOON.replace(tzinfo=None))


def test_a_transaction_sees_its_own(shop: Penstock, remind: Task[..., None], store_url: str):
    shop.migrate()
    connection = caller(store_url)
    remind.using(connection=connection, tags="offer:7").enqueue(7)
    assert_enqueued(shop, remind, 7, tags="offer:7", connection=connection)
    refute_enqueued(shop, remind, 8, connection=connection)
    refute_enqueued(shop, remind)
    connection.rollback()
    refute_enqueued(shop, remind, connection=connection)
    connection.close()
    with pytest.raises(UnknownConnection):
        all_enqueued(shop, connection=object())
