"""Batches: what is asked of them by their ids. The dispatcher counts; see `penstock.admission.waits`."""

from dataclasses import dataclass, replace
from typing import Any

from penstock.domain.errors import InvalidArguments
from penstock.domain.jobs import Batch
from penstock.queue.together import batch_id
from penstock.store.port import Row, Store

Ask = tuple[str, dict[str, Any]]
LONGEST_PAGE = 1_000
_HIGHEST = 2**62


@dataclass(frozen=True, slots=True)
class BatchStatus:
    """How far a batch is. Times are milliseconds since 1970, by the database's clock.

    `pending` are all that have not ended. Of an `open` one more jobs may come from anywhere. `made_at` is when it was
    first counted.
    """

    id: int
    open: bool
    total: int
    completed: int
    cancelled: int
    discarded: int
    finished_at: int | None
    made_at: int | None = None
    task: str | None = None
    """Of its first job; only told in a list, where it is known."""

    @property
    def pending(self) -> int:
        return self.total - self.completed - self.cancelled - self.discarded

    @property
    def percent(self) -> float:
        """How many of the jobs have ended, of a hundred; 100 for an empty one."""
        return 100.0 if not self.total else 100.0 * (self.total - self.pending) / self.total


def number() -> Ask:
    """A number that no job or batch has."""
    return "job_numbers", {"count": 1}


def closing(batch: Batch | int) -> Ask:
    """No more jobs come but from within the batch. Raises `InvalidArguments`."""
    return "batch_told", {"batch": batch_id(batch), "what": "closed", "jobs": 1}


def drawn(rows: list[Row]) -> int:
    return int(rows[0][0])


def status(store: Store, batch: Batch | int) -> BatchStatus | None:
    """How far a batch is, to the newest news; None where there is none (any more). Raises `InvalidArguments`."""
    id = batch_id(batch)
    for row in store.look("batch_status", {"id": id}):
        return _status(int(id or 0), *row)
    return None


def listed(store: Store, below: int | None, count: int) -> list[BatchStatus]:
    """Batches, the newest first, as they were counted last; those with a number below `below`.

    Raises `InvalidArguments` for a count that is no number of rows.
    """
    if type(count) is not int or not 0 < count <= LONGEST_PAGE:
        raise InvalidArguments(f"limit: expected a number from 1 to {LONGEST_PAGE:,}, got {count!r}")
    rows = store.look("batches_listed", {"below": _HIGHEST if below is None else below, "count": count})
    firsts = store.look("batch_firsts", {"ids": [row[0] + 1 for row in rows]}) if rows else []
    tasks = {int(batch): str(task) for batch, task in firsts}
    return [replace(_status(*row), task=tasks.get(row[0])) for row in rows]


def _status(id: int, closed: Any, total: Any, completed: Any, cancelled: Any, discarded: Any, finished_at: int | None,
            made_at: int | None) -> BatchStatus:
    return BatchStatus(id, not closed, int(total), int(completed), int(cancelled), int(discarded), finished_at, made_at)
