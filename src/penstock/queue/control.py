"""What may be asked of jobs from outside: invalidate, cancel, requeue; and of queues: pause, resume, count."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from penstock.domain.errors import InvalidArguments
from penstock.domain.jobs import JobState, Retention
from penstock.domain.names import tag_fault
from penstock.queue.enqueue import carried_out
from penstock.store.port import Store


def invalidate(store: Store, tags: Sequence[str], connection: Any = None) -> None:
    """Make every job pointless that was enqueued with one of these tags before now: one row is written per tag.

    Such a job settles as cancelled (reason `invalidated`) when its turn comes. Raises `InvalidArguments`.
    """
    if faults := [fault for tag in tags if (fault := tag_fault(tag))] or ([] if tags else ["expected at least one tag"]):
        raise InvalidArguments("; ".join(faults))
    carried_out(store, "invalidate", {"tags": list(tags)}, connection, wake=False)


def cancel(store: Store, job_id: int, reason: str, retention: Retention, connection: Any = None) -> JobState | None:
    """Cancel one job. What waits ends at once (`CANCELLED`); what runs is asked to (`EXECUTING`); None: no such job."""
    keep_ms = retention.keep_ms(JobState.CANCELLED, 0)
    rows = carried_out(store, "cancel", {"id": job_id, "keep_ms": keep_ms, "reason": reason or "cancelled"}, connection)
    return JobState(rows[0][0]) if rows else None


def requeue(store: Store, job_id: int, connection: Any = None) -> bool:
    """Put a job that has ended back to available, with all its attempts; False if there is no such job, or another
    one has its unique key now."""
    return bool(carried_out(store, "requeue", {"id": job_id}, connection))


def pause(store: Store, queue: str) -> None:
    """Let no worker claim from a queue until it is resumed; jobs may still be enqueued, and what runs goes on."""
    store.write(lambda tx: tx.execute("queue_pause", {"queue": queue}))


def resume(store: Store, queue: str) -> None:
    """End a pause."""
    store.write(lambda tx: tx.execute("queue_resume", {"queue": queue}))
    store.wake()


def paused(store: Store) -> list[str]:
    """The queues that are paused."""
    return [row[0] for row in store.read(lambda tx: tx.rows("queues_paused"))]


@dataclass(frozen=True, slots=True)
class Count:
    """How many jobs of a task in a queue are in a state."""

    queue: str
    task: str
    state: str
    jobs: int


def fold_counts(store: Store) -> None:
    """Add what has been counted since into the counters, so that nobody ever has to add up much."""
    if store.read(lambda tx: tx.rows("counts_waiting"))[0][0]:
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
