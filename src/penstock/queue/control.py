"""What may be asked of jobs from outside: invalidate, cancel, requeue; and of queues: pause, resume, count."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from penstock.domain.errors import InvalidArguments
from penstock.domain.jobs import JobState, Retention, storable
from penstock.domain.listing import JobRow
from penstock.domain.names import name_fault, tag_fault
from penstock.store.port import Row, Store

Ask = tuple[str, dict[str, Any]]
"""The name and the parameters of a statement, to be carried out by the store or on a caller's connection."""


def invalidation(tags: Sequence[str]) -> Ask:
    """Make every job pointless that was enqueued with one of these tags before now: one row is written per tag.

    Such a job settles as cancelled (reason `invalidated`) when its turn comes. Raises `InvalidArguments`.
    """
    faults = [fault for tag in tags if (fault := tag_fault(tag))]
    if faults or not tags:
        raise InvalidArguments("; ".join(faults) or "expected at least one tag, got none")
    return "invalidate", {"tags": list(tags)}


def cancellation(job_id: int, reason: str, retention: Retention) -> Ask:
    """Cancel one job. What waits ends at once, what runs is asked to."""
    keep_ms = retention.keep_ms(JobState.CANCELLED, 0)
    return "cancel", {"id": job_id, "keep_ms": keep_ms, "state": "cancelled", "reason": storable(reason) or "cancelled"}


def is_to_be_asked_again(rows: Sequence[Row]) -> bool:
    """Whether the job changed while its cancellation waited for whoever changed it, and nothing was done."""
    return bool(rows) and rows[0][0] == "again"


def cancelled(rows: Sequence[Row]) -> JobState | None:
    """What came of a cancellation: `CANCELLED`, `EXECUTING` (it was asked to end), or None: there was no such job."""
    return JobState(rows[0][0]) if rows else None


def requeueing(job_id: int) -> Ask:
    """Put a job that has ended back to available, with all its attempts, unless another one has its unique key now."""
    return "requeue", {"id": job_id}


def pause(store: Store, queue: str) -> bool:
    """Let no worker claim from a queue until it is resumed; jobs may still be enqueued, and what runs goes on.

    False if it was paused already. Raises `InvalidArguments` for a name that no queue can have.
    """
    _check(queue)
    return store.write(lambda tx: tx.execute("queue_pause", {"queue": queue})) > 0


def resume(store: Store, queue: str) -> bool:
    """End a pause; False if there was none. Raises `InvalidArguments` for a name that no queue can have."""
    _check(queue)
    changed = store.write(lambda tx: tx.execute("queue_resume", {"queue": queue})) > 0
    store.wake()
    return changed


def _check(queue: str) -> None:
    if fault := name_fault("queue", queue):
        raise InvalidArguments(fault)


def paused(store: Store) -> list[str]:
    """The queues that are paused."""
    return [row[0] for row in store.read(lambda tx: tx.rows("queues_paused"))]


def job(store: Store, job_id: int) -> JobRow | None:
    """One job by its id; None where there is none (any more)."""
    row = store.read(lambda tx: tx.row("job", {"id": job_id}))
    return None if row is None else JobRow(*row)


@dataclass(frozen=True, slots=True)
class Count:
    """How many jobs of a task in a queue are in a state."""

    queue: str
    task: str
    state: str
    jobs: int


def fold_counts(store: Store) -> None:
    """Add what has been counted since into the counters, so that nobody ever has to add up much."""
    if store.look("counts_waiting")[0][0]:
        store.write(lambda tx: tx.execute("counts_fold"))


def counts(store: Store) -> list[Count]:
    """How many jobs there are by queue, task and state, from maintained counters: no large table is read."""
    def read(tx: Any) -> tuple[list[Any], list[Any]]:
        return tx.rows("counts"), tx.rows("executing_counts")

    counted, executing = store.read(read)
    running = {(queue, task): n for queue, task, n in executing}
    found = {(queue, task, state): int(n) for queue, task, state, n in counted}
    for (queue, task), n in running.items():
        found[queue, task, "executing"] = n
        found[queue, task, "available"] = found.get((queue, task, "available"), 0) - n
    return [Count(*key, jobs) for key, jobs in sorted(found.items()) if jobs > 0]
