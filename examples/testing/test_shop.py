"""The tests of the shop. The fixtures come with Penstock."""

from datetime import UTC, datetime, timedelta

import pytest

import shop
from penstock import Snooze
from penstock.testing import Drained, assert_enqueued, drain, refute_enqueued


@pytest.fixture(autouse=True)
def empty_outbox():
    shop.outbox.clear()
    shop.closed.clear()


# Inline: what a job does, and nothing else.

def test_a_charge_is_made(penstock_inline):
    job = shop.charge.enqueue("ada", 250)
    assert job.state == "completed"
    assert shop.outbox == ["ada: charged 250"]


def test_a_large_charge_waits_for_the_bank(penstock_inline):
    job = shop.charge.enqueue("ada", 250_000)
    assert isinstance(job.signal, Snooze)
    assert job.signal.delay == timedelta(days=1)


def test_nothing_cannot_be_charged(penstock_inline):
    with pytest.raises(ValueError, match="something to charge"):
        shop.charge.enqueue("ada", 0)


def test_a_closed_offer_is_not_mentioned(penstock_inline):
    shop.closed.add(7)
    assert shop.remind.enqueue(7, "ada@example.com").state == "cancelled"
    assert shop.outbox == []


# Enqueued: what is to happen later.

def test_an_offer_plans_three_reminders(penstock_app):
    shop.offer_made.enqueue(7, "ada@example.com")
    assert drain(penstock_app) == Drained(completed=1)
    assert_enqueued(penstock_app, shop.remind, 7, queue="mail", tags="offer:7", count=3)
    assert_enqueued(penstock_app, shop.remind, arguments={"address": "ada@example.com"}, run_after=timedelta(days=3))
    refute_enqueued(penstock_app, shop.remind, 8)


# Drain and a clock: how jobs play together over a week, in a moment.

def test_who_redeems_is_left_alone(penstock_app, penstock_clock):
    shop.offer_made.enqueue(7, "ada@example.com")
    drain(penstock_app)
    penstock_clock.advance(timedelta(days=1))
    assert drain(penstock_app) == Drained(completed=1)
    assert shop.outbox == ["ada@example.com: offer 7 is waiting"]
    shop.redeem(7)
    penstock_clock.advance(timedelta(days=6))
    assert drain(penstock_app) == Drained(cancelled=2)
    assert len(shop.outbox) == 1


def test_all_reminders_at_once(penstock_app):
    shop.offer_made.enqueue(7, "ada@example.com")
    assert drain(penstock_app, with_scheduled=True) == Drained(completed=4)


def test_a_charge_that_fails_twice_is_given_up(penstock_app, penstock_clock):
    shop.charge.enqueue("ada", 0)
    assert drain(penstock_app) == Drained(retryable=1)
    penstock_clock.advance(timedelta(minutes=1))
    drained = drain(penstock_app)
    assert drained == Drained(discarded=1)
    assert isinstance(drained.ran[0].error, ValueError)


def test_the_report_comes_at_three(penstock_app, penstock_clock):
    penstock_clock.move_to(datetime(2027, 3, 1, 2, 59, tzinfo=UTC))
    assert drain(penstock_app, with_periodic=True) == Drained()
    penstock_clock.advance(timedelta(minutes=1))
    assert drain(penstock_app, with_periodic=True) == Drained(completed=1)
    assert shop.outbox == ["the-house: charged 1"]
