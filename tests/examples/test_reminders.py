"""The example of case study E: reminders to a real SMTP server, on both stores, as days go by on the store's clock."""

import json
import signal
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from tests.caller import transaction
from tests.clock import Clock
from tests.examples.imported import imported
from tests.processes import penstock as command
from tests.servers.smtp import Mailbox, smtp_server
from tests.waiting import until

EXAMPLE = Path(__file__).parents[2] / "examples" / "reminders"
DAY_SECONDS = 86_400
WAITING = "select count(*) from penstock.jobs where finished_at is null"
SETTLED = """
select id, arguments, state, error_class, attempt from penstock.jobs where finished_at is not null order by id
"""


@pytest.fixture
def mailbox() -> Iterator[Mailbox]:
    with smtp_server() as running:
        yield running


@pytest.fixture
def reminders(store_url: str, mailbox: Mailbox, monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """The example as an application imports it."""
    monkeypatch.setenv("PENSTOCK_URL", store_url)
    monkeypatch.setenv("SMTP_PORT", str(mailbox.port))
    with imported(EXAMPLE / "reminders.py", monkeypatch) as module:
        yield module


@pytest.fixture
def on_the_clock(reminders: ModuleType, clock: Clock) -> ModuleType:
    """The same, living by a clock that stands still until it is moved."""
    object.__setattr__(reminders.app.settings, "now", clock.expression)
    return reminders


def serve(reminders: ModuleType, what: str, look: Callable[[], Any]) -> None:
    """Have a worker serve until `look` is content. It ends before days go by, which its lease would not outlive."""
    worker = reminders.app.worker({"mail": 20})
    worker.start()
    try:
        until(what, look)
    finally:
        worker.stop()


def serve_until(reminders: ModuleType, clock: Clock, left: int) -> None:
    serve(reminders, f"{left} reminders wait", lambda: waiting(clock) == left)


def claim(reminders: ModuleType, store_url: str, *offers: int) -> None:
    with transaction(store_url) as connection:
        for offer in offers:
            reminders.claimed(connection, offer, address(offer))


def address(offer: int) -> str:
    return f"customer-{offer}@example.com"


def mails(*offers: int) -> list[tuple[str, str]]:
    return [(address(offer), f"Offer {offer} is waiting") for offer in offers]


def waiting(clock: Clock) -> int:
    return int(clock.fetch(WAITING)[0][0])


def settled(clock: Clock) -> dict[int, tuple[int, str, str | None]]:
    """Which offers the jobs that have ended were about, what they came to, and why."""
    return {id: (json.loads(arguments)["offer_id"], state, reason)
            for id, arguments, state, reason, _ in clock.fetch(SETTLED)}


def test_days_go_by(on_the_clock: ModuleType, store_url: str, clock: Clock, mailbox: Mailbox):
    reminders = on_the_clock
    claim(reminders, store_url, 1, 2, 3, 4)
    with transaction(store_url) as connection:
        reminders.claimed(connection, 5, address(5))
        connection.rollback()
    assert waiting(clock) == 12, "three reminders for each offer whose claim was committed"
    with transaction(store_url) as connection:
        reminders.redeemed(connection, 1)
    with transaction(store_url) as connection:
        reminders.redeemed(connection, 2)
        connection.rollback()
    reminders.bounced.add(address(3))
    assert waiting(clock) == 12, "nothing is searched for and removed"

    ended = {}  # told day by day, since what was cancelled is kept for one
    for seconds, left in ((DAY_SECONDS, 8), (2 * DAY_SECONDS, 4)):
        clock.advance(seconds)
        serve_until(reminders, clock, left)
        ended |= settled(clock)
    assert sorted(mailbox.mails) == sorted(mails(2, 4) * 2)
    with transaction(store_url) as connection:
        reminders.redeemed(connection, 4)
    clock.advance(4 * DAY_SECONDS)
    serve_until(reminders, clock, 0)
    assert sorted(mailbox.mails) == sorted([*mails(2) * 3, *mails(4) * 2])
    assert Counter((ended | settled(clock)).values()) == {
        (1, "cancelled", "invalidated"): 3, (2, "completed", None): 3, (3, "cancelled", "invalid"): 3,
        (4, "completed", None): 2, (4, "cancelled", "invalidated"): 1,
    }


def test_it_settles_where_every_reminder_is_pointless(
        on_the_clock: ModuleType, store_url: str, clock: Clock, mailbox: Mailbox):
    reminders = on_the_clock
    claim(reminders, store_url, *range(1, 101))
    with transaction(store_url) as connection:
        for offer in range(1, 101):
            reminders.redeemed(connection, offer)
    clock.advance(8 * DAY_SECONDS)
    serve_until(reminders, clock, 0)
    assert Counter(settled(clock).values()) == {(offer, "cancelled", "invalidated"): 3 for offer in range(1, 101)}
    assert mailbox.mails == []


def test_an_offer_claimed_again_is_reminded_of_again(
        on_the_clock: ModuleType, store_url: str, clock: Clock, mailbox: Mailbox):
    reminders = on_the_clock
    claim(reminders, store_url, 1)
    with transaction(store_url) as connection:
        reminders.redeemed(connection, 1)
    claim(reminders, store_url, 1)
    clock.advance(8 * DAY_SECONDS)
    serve_until(reminders, clock, 0)
    assert list(settled(clock).values()) == [(1, "cancelled", "invalidated")] * 3 + [(1, "completed", None)] * 3
    assert mailbox.mails == mails(1) * 3


def test_a_mail_that_nobody_takes_is_tried_again(
        on_the_clock: ModuleType, store_url: str, clock: Clock, mailbox: Mailbox, monkeypatch: pytest.MonkeyPatch):
    reminders = on_the_clock
    claim(reminders, store_url, 1)
    monkeypatch.setenv("SMTP_PORT", "1")  # where no server listens
    clock.advance(DAY_SECONDS)
    serve(reminders, "the server was missed",
          lambda: clock.fetch("select 1 from penstock.jobs where state = 'retryable'"))
    monkeypatch.setenv("SMTP_PORT", str(mailbox.port))
    clock.advance(DAY_SECONDS)
    serve_until(reminders, clock, 2)
    assert mailbox.mails == mails(1)
    assert [row[4] for row in clock.fetch(SETTLED)] == [2], "the second attempt sent it"


def test_its_command_serves(
        reminders: ModuleType, store_url: str, clock: Clock, mailbox: Mailbox, monkeypatch: pytest.MonkeyPatch):
    """The line of its docstring, in a process of its own; what is due is due by the real clock."""
    with transaction(store_url) as connection:
        reminders.app.using(connection=connection).enqueue_many(
            reminders.remind.using(run_after=timedelta(0), tags=[f"offer:{offer}"]).call(offer, address(offer))
            for offer in (1, 2, 3)
        )
    with transaction(store_url) as connection:
        reminders.redeemed(connection, 2)
    with command("--app", "reminders:app", "worker", "--queue", "mail=200", folder=EXAMPLE, PENSTOCK_URL=store_url,
                 SMTP_PORT=str(mailbox.port)) as worker:
        until("nothing waits any more", lambda: waiting(clock) == 0)
        worker.signal(signal.SIGTERM)
        assert worker.wait() == 0, worker.rest()
    assert sorted(mailbox.mails) == mails(1, 3)
    assert sorted(settled(clock).values()) == [
        (1, "completed", None), (2, "cancelled", "invalidated"), (3, "completed", None)]
