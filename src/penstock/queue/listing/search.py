"""A look at jobs that fit a filter, in the order of an index: bounded in rows, and it says where it ended.

Finished jobs and all jobs come newest first, by their numbers; what is executing by its lease, the one claimed longest
ago first; what waits for its time the soonest first; those of a batch from its own number upwards. A filter that
few of many fit costs no more than any other.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from penstock.domain.listing import JobFilter, JobListed
from penstock.queue.listing.cursors import HIGHEST, LOWEST, Cursor, read
from penstock.queue.listing.places import LATE_MS, places_around
from penstock.store.port import Row, Transaction

MOST_LOOKED = 5_000
"""So many rows are looked at for a page, or a batch of acts."""
_FIRST_LOOK = 500
_GROWTH = 4
_STATEMENTS = {"newest": "jobs_newest", "batch": "jobs_of_batch", "uncompleted": "jobs_uncompleted", "due": "jobs_due",
               "executing": "jobs_executing"}
_TAGS = msgspec.json.Decoder(tuple[str, ...] | None)
_PLACED = ("due", "executing")


@dataclass(frozen=True, slots=True)
class Hit:
    """A job that fits. `keyed`: it has a unique key."""

    job: JobListed
    keyed: bool
    place: int


@dataclass(slots=True)
class Search:
    """What one search has come to by now. `last` is where the next one goes on; `over`: there is nothing further, or
    all are found that there can be (`expected`), with those of the pages before."""

    wanted: JobFilter
    last: Cursor
    expected: int | None = None
    hits: list[Hit] = field(default_factory=list)
    fitting: int = 0
    looked_at: int = 0
    back_to: int | None = None
    over: bool = False


def order_of(wanted: JobFilter) -> str:
    """In which order the jobs that fit come."""
    if wanted.state in ("scheduled", "retryable"):
        return "due"
    if wanted.state in ("discarded", "cancelled"):
        return "uncompleted"
    return "executing" if wanted.state == "executing" else "newest" if wanted.batch is None else "batch"


def begun(tx: Transaction, wanted: JobFilter, after: str | None, expected: int | None = None) -> Search:
    """A search from the beginning, or from where a page ended. Raises `InvalidArguments`."""
    order = order_of(wanted)
    if after is not None:
        return Search(wanted, read(after, order), expected)
    if order in _PLACED:
        return Search(wanted, Cursor(order))
    above = None if wanted.since is None else places_around(tx, wanted.since - LATE_MS)[0]
    if wanted.batch is not None:
        above = max(wanted.batch + 1, above or 0)  # its jobs have higher numbers than it
        if order == "batch":
            return Search(wanted, Cursor(order, 0, above - 1), expected)
    below = HIGHEST if wanted.until is None else places_around(tx, wanted.until + LATE_MS)[1]
    return Search(wanted, Cursor(order, 0, below, above), expected)


def searched(tx: Transaction, search: Search, count: int, most: int = MOST_LOOKED) -> Search:
    """Look on until there are `count` hits, or `most` rows have been looked at; a few rows first, then more."""
    look = max(_FIRST_LOOK, count + 1)
    while not search.over and len(search.hits) < count and search.looked_at < most:
        _look(tx, search, count - len(search.hits), min(look, most - search.looked_at))
        look *= _GROWTH
    return search


def counted(tx: Transaction, search: Search, most: int, most_looked: int) -> Search:
    """Look on until more than `most` fit, or so many rows have been looked at; nothing is fetched but numbers."""
    while not search.over and search.fitting <= most and search.looked_at < most_looked:
        _look(tx, search, 0, min(MOST_LOOKED, most_looked - search.looked_at))
    return search


def _look(tx: Transaction, search: Search, count: int, look: int) -> None:
    rows = tx.rows(_STATEMENTS[search.last.order], _asked(search, count, look))
    looked, last_at, last_id, hits = rows[0][:4]
    found = [_hit(row) for row in rows if row[4] is not None]
    search.looked_at += looked
    search.fitting += hits
    search.hits += found
    last = search.last
    before = 0 if last.order in _PLACED else last.place  # so many were on the pages before
    if count and hits > len(found):  # some that were looked at fit and are for the next page
        end = found[-1]
        place, id = end.place if last.order in _PLACED else before + len(found), end.job.id
        at = end.job.run_at if last.order == "due" else end.job.enqueued_at
    else:
        search.over = looked < look or (search.expected is not None and before + hits >= search.expected)
        if not looked:
            return
        place, id, at = (last_at if last.order in _PLACED else before + hits), last_id, last_at
    search.last = Cursor(last.order, place, id, last.above)
    search.back_to = None if last.order == "executing" else int(at)


def _asked(search: Search, count: int, look: int) -> dict[str, Any]:
    wanted, last = search.wanted, search.last
    asked: dict[str, Any] = {
        "task": wanted.task, "queue": wanted.queue, "tag": wanted.tag, "error_class": wanted.error_class,
        "since": LOWEST if wanted.since is None else wanted.since,
        "until": HIGHEST if wanted.until is None else wanted.until, "count": count, "look": look,
    }
    if last.order != "newest":
        asked["batch"] = wanted.batch
    if last.order in _PLACED:
        asked |= {"place": last.place, "id": last.id}
    elif last.order == "batch":
        asked["id"] = last.id
    else:
        asked |= {"below": last.id, "above": LOWEST if last.above is None else last.above}
    if last.order in ("newest", "batch"):
        asked |= {"live": wanted.state != "completed", "ended": wanted.state in (None, "completed")}
    return asked if last.order == "executing" else asked | {"state": wanted.state}


def _hit(row: Row) -> Hit:
    tags, keyed, worker, percent, place = row[16:]
    told = (*row[4:16], _TAGS.decode(tags or "null") or (), worker, percent)
    return Hit(JobListed(*told), bool(keyed), int(place))


def named(tx: Transaction, ids: Sequence[int]) -> dict[int, tuple[str, str, bool]]:
    """The task, the state and whether there is a unique key, of each of these jobs that is there."""
    return {id: (task, state, bool(keyed)) for id, task, state, keyed in tx.rows("jobs_named", {"ids": list(ids)})}
