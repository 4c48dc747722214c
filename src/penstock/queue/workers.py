"""The workers as they stand: what each has told of itself, what it has under way, and its stacks on demand."""

from dataclasses import dataclass

import msgspec

from penstock.domain.stacks import SlotStack, Stacks
from penstock.store.port import Row, Store, Transaction

MOST_JOBS = 200
"""Jobs that a worker has under way are counted, and listed, up to here."""

_MOST_WORKERS = 1_000


@dataclass(frozen=True, slots=True)
class WorkerRow:
    """One worker. Times are milliseconds since 1970, by the database's clock, which said `now` when it was read.

    One whose `expires_at` is past has stopped renewing, and its jobs are about to be rescued. `slots` are by queue; a
    drain says none. `jobs` are those that it has claimed and not yet settled, `MOST_JOBS` at most, the oldest `since`
    then. What a worker of an older version does not tell is None.
    """

    id: int
    name: str
    host: str | None
    pid: int | None
    started_at: int
    seen_at: int | None
    expires_at: int
    rss_bytes: int | None
    queues: tuple[str, ...] | None
    slots: dict[str, int] | None
    jobs: int
    since: int | None
    now: int

    @property
    def alive(self) -> bool:
        return self.expires_at >= self.now


@dataclass(frozen=True, slots=True)
class WorkerJob:
    """A job that a worker has claimed: it runs, or is about to. `running_ms` is the time since it was claimed."""

    id: int
    task: str
    queue: str
    attempt: int
    running_ms: int
    percent: float | None
    note: str | None


@dataclass(frozen=True, slots=True)
class StacksAnswer:
    """The stacks that somebody asked for, and the answer, once the worker has given it. Times as those of a worker."""

    asked_at: int
    answered_at: int | None
    slots: tuple[SlotStack, ...]
    left: int
    now: int


def workers(store: Store, after: int, count: int) -> list[WorkerRow]:
    """Workers with an id above `after`, in the order of ids: those that started first come first."""
    return [_row(row) for row in store.look("workers_told", {"after": after, "count": count, "most": MOST_JOBS})]


def worker(store: Store, worker_id: int) -> WorkerRow | None:
    found = workers(store, worker_id - 1, 1)
    return found[0] if found and found[0].id == worker_id else None


def worker_jobs(store: Store, worker_id: int) -> list[WorkerJob]:
    """What a worker has under way, the longest first; `MOST_JOBS` at most."""
    rows = store.look("worker_jobs", {"worker_id": worker_id, "count": MOST_JOBS})
    return [WorkerJob(id, task, queue, attempt, max(now - claimed_at, 0), percent, note)
            for id, task, queue, attempt, claimed_at, percent, note, now in rows]


def slots_by_queue(store: Store) -> dict[str, int]:
    """The slots of each queue in the workers that live; a drain has none of its own."""
    slots: dict[str, int] = {}
    for (text,) in store.look("worker_slots", {"count": _MOST_WORKERS}):
        for queue, count in msgspec.json.decode(text, type=dict[str, int]).items():
            slots[queue] = slots.get(queue, 0) + count
    return slots


def ask_stacks(store: Store, worker_id: int) -> bool:
    """Ask a worker what its slots are doing; False where no such worker lives."""
    def work(tx: Transaction) -> bool:
        tx.execute("stacks_ask", {"worker_id": worker_id})
        row = tx.row("stacks_asked", {"worker_id": worker_id})
        return row is not None

    asked = store.write(work)
    if asked:
        store.wake()
    return asked


def stacks(store: Store, worker_id: int) -> StacksAnswer | None:
    """What was asked and answered last; None where nobody has asked of late."""
    rows = store.look("stacks", {"worker_id": worker_id})
    if not rows:
        return None
    asked_at, answered_at, text, now = rows[0]
    told = Stacks(()) if text is None else msgspec.json.decode(text, type=Stacks)
    return StacksAnswer(asked_at, answered_at, told.slots, told.left, now)


def _row(row: Row) -> WorkerRow:
    id, name, host, pid, started_at, seen_at, expires_at, rss_bytes, queues, slots, jobs, since, now = row
    return WorkerRow(id, name, host, pid, started_at, seen_at, expires_at, rss_bytes,
                     None if queues is None else msgspec.json.decode(queues, type=tuple[str, ...]),
                     None if slots is None else msgspec.json.decode(slots, type=dict[str, int]), jobs, since, now)
