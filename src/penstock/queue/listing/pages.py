"""A page of a list of jobs, and how many there are: from counters where these tell, else by a bounded search."""

from penstock.domain.errors import InvalidArguments
from penstock.domain.listing import Counted, JobFilter, JobsPage
from penstock.queue import batches, control
from penstock.queue.listing.search import MOST_LOOKED, begun, counted, searched
from penstock.store.port import Store

LONGEST_PAGE = 1_000
MOST_COUNTED = 10_000


def page(store: Store, wanted: JobFilter, after: str | None, limit: int) -> JobsPage:
    """Raises `InvalidArguments` for a cursor that is none, and for a limit that is no number of rows."""
    if type(limit) is not int or not 0 < limit <= LONGEST_PAGE:
        raise InvalidArguments(f"limit: expected a number from 1 to {LONGEST_PAGE:,}, got {limit!r}")
    expected = _expected(store, wanted, after)
    found = store.read(lambda tx: searched(tx, begun(tx, wanted, after, expected), limit))
    return JobsPage([hit.job for hit in found.hits], None if found.over else found.last.text(), found.looked_at,
                    found.back_to, not found.over and len(found.hits) < limit and found.looked_at >= MOST_LOOKED)


def count(store: Store, wanted: JobFilter, most: int) -> Counted:
    """How many jobs fit: all of them where counters tell (of a state, a task and a queue), else at most `most`, among
    twice as many that are looked at."""
    if type(most) is not int or most < 1:
        raise InvalidArguments(f"most: expected a number of 1 or more, got {most!r}")
    if wanted.given.keys() <= {"state", "task", "queue"}:
        return Counted(sum(each.jobs for each in control.counts(store)
                           if wanted.state in (None, each.state) and wanted.task in (None, each.task)
                           and wanted.queue in (None, each.queue)), False)
    expected = _expected(store, wanted, None)
    found = store.read(lambda tx: counted(tx, begun(tx, wanted, None, expected), most, 2 * most))
    return Counted(min(found.fitting, most), not found.over or found.fitting > most, found.looked_at)


def _expected(store: Store, wanted: JobFilter, after: str | None) -> int | None:
    """How many jobs of a batch can fit at most, so that nobody looks on for more; None where that is not known. What
    waits may have become less since the page before."""
    status = None if wanted.batch is None else batches.status(store, wanted.batch)
    if status is None:
        return None
    ended = {None: status.total, "completed": status.completed, "cancelled": status.cancelled,
             "discarded": status.discarded}
    return ended.get(wanted.state, status.pending if after is None else None)
