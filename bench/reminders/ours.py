"""Our arm: `python -m bench.reminders.ours VERB URL …` prints one line of JSON.

`fill URL WAITING` schedules three reminders for each offer and enqueues one mail of each for now. `send URL MAILS
SLOTS` sends those; each makes its offer's other reminders pointless by one row. `stale URL SLOTS` is eight days later,
when what became pointless settles: that is work which the mails have caused, so it is measured too.
"""

import sys
import time
from datetime import timedelta
from typing import Any

import psycopg

from bench.reminders.mail import address, deliver
from bench.tally import Tally, say
from penstock import Penstock

QUEUE = "mail"
DAYS = (1, 3, 7)
_LATER = "(extract(epoch from clock_timestamp() + interval '8 days') * 1000)::bigint"
_WAITING = "select 1 from penstock.jobs where state not in ('completed', 'cancelled', 'discarded') limit 1"
_ENDED = "select state, count(*) from penstock.jobs group by state"


def declared(url: str, tally: Tally, now: str | None = None) -> tuple[Penstock, Any]:
    """The app, and the one task of it, which is that of the other arms with `invalidate` in place of the search."""
    app = Penstock(url, now=now)

    @app.task(name="remind", queue=QUEUE, timeout=timedelta(minutes=1))
    def remind(offer: int, address: str) -> None:
        tally.begins()
        deliver(offer, address)
        app.invalidate(f"offer:{offer}")
        tally.ends()

    return app, remind


def fill(url: str, waiting: int) -> None:
    app, remind = declared(url, Tally(0))
    offers = range(waiting // len(DAYS))
    with app:
        app.migrate()
        began = time.perf_counter()
        for days in (*DAYS, 0):
            app.enqueue_many(remind.using(run_after=timedelta(days=days), tags=[f"offer:{offer}"])
                             .call(offer, address(offer)) for offer in offers)
        took = time.perf_counter() - began
    say(waiting=len(offers) * len(DAYS), due=len(offers), seconds=took)


def send(url: str, mails: int, slots: int) -> None:
    """The clock runs from the first mail to the moment when the worker has stopped, having saved everything."""
    tally = Tally(mails)
    app, _ = declared(url, tally)
    with app:
        worker = app.worker({QUEUE: slots})
        worker.start()
        tally.done.wait()
        worker.stop()
        seconds = time.perf_counter() - tally.began
    say(mails=mails, seconds=seconds, states=_states(url))


def stale(url: str, slots: int) -> None:
    """The clock runs from the worker's start until no reminder waits any more. None of them may be sent."""
    tally = Tally(0)
    app, _ = declared(url, tally, now=_LATER)
    with app, psycopg.connect(url, autocommit=True) as looking:
        worker = app.worker({QUEUE: slots})
        began = time.perf_counter()
        worker.start()
        while looking.execute(_WAITING).fetchone():
            time.sleep(0.05)
        seconds = time.perf_counter() - began
        worker.stop()
    if tally.began:
        raise SystemExit("a reminder was sent of an offer that was marked: expected none")
    say(seconds=seconds, states=_states(url))


def _states(url: str) -> dict[str, int]:
    with psycopg.connect(url) as connection:
        return dict(connection.execute(_ENDED).fetchall())


def main() -> None:
    verb, url, *rest = sys.argv[1:]
    match verb:
        case "fill":
            fill(url, int(rest[0]))
        case "send":
            send(url, int(rest[0]), int(rest[1]))
        case "stale":
            stale(url, int(rest[0]))
        case _:
            raise SystemExit(f"{verb}: expected fill, send or stale")


if __name__ == "__main__":
    main()
