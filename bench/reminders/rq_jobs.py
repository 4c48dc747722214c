"""What RQ's workers run. Each sent mail makes its offer's other reminders pointless: they are searched for and removed.

RQ has no index over its scheduled jobs, so all of them are gone through by its public API, a page at a time. How far
the searches have come is told to Redis at most once a second, for the measurement.
"""
# mypy: disable-error-code="import-not-found"

import itertools
import time
from collections.abc import Iterator
from typing import Any

from rq import get_current_job
from rq.job import Job
from rq.registry import ScheduledJobRegistry

from bench.reminders.mail import deliver

QUEUE = "mail"
PAGE = 1000
BEGUN, PAGES, ENDED = "bench:begun", "bench:pages", "bench:ended"
_TELL_SECONDS = 1.0


def remind(offer: int, address: str) -> None:
    """Send the mail, then fetch all scheduled jobs to find those of the same offer."""
    connection = _begun()
    deliver(offer, address)
    for job in [job for ids in _pages(connection) for job in Job.fetch_many(ids, connection=connection)
                if job is not None and job.args[0] == offer]:
        job.delete()
    connection.incr(ENDED)


def remind_by_id(offer: int, address: str) -> None:
    """The same where the job's id says whose offer it is, so that only ids are read."""
    connection = _begun()
    deliver(offer, address)
    for id in [id for ids in _pages(connection) for id in ids if id.startswith(id_of(offer, ""))]:
        Job.fetch(id, connection=connection).delete()
    connection.incr(ENDED)


def id_of(offer: int, number: object) -> str:
    """The id of an offer's reminder."""
    return f"offer-{offer}-{number}"


def _begun() -> Any:
    job = get_current_job()
    assert job is not None
    job.connection.incr(BEGUN)
    return job.connection


def _pages(connection: Any) -> Iterator[list[str]]:
    registry = ScheduledJobRegistry(QUEUE, connection=connection)
    untold, told_at = 0, time.monotonic()
    for start in itertools.count(0, PAGE):
        ids = registry.get_job_ids(start, start + PAGE - 1)
        if ids:
            yield ids
            untold += 1
        if not ids or time.monotonic() - told_at > _TELL_SECONDS:
            connection.incrby(PAGES, untold)
            untold, told_at = 0, time.monotonic()
        if not ids:
            return
