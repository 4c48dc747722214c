"""Batches: what is asked of them by their ids. The dispatcher counts; see `penstock.admission.waits`."""

from dataclasses import dataclass
from typing import Any

from penstock.domain.jobs import Batch
from penstock.queue.together import batch_id
from penstock.store.port import Row, Store

Ask = tuple[str, dict[str, Any]]


@dataclass(frozen=True, slots=True)
class BatchStatus:
    """How far a batch is. Times are milliseconds since 1970, by the database's clock.

    `pending` are all that have not ended. Of an `open` one more jobs may come from anywhere.
    """

    id: int
    open: bool
    total: int
    completed: int
    cancelled: int
    discarded: int
    finished_at: int | None

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
    for closed, total, completed, cancelled, discarded, finished_at in store.look("batch_status", {"id": id}):
        return BatchStatus(int(id or 0), not closed, int(total), int(completed), int(cancelled), int(discarded),
                           finished_at)
    return None
