"""Claiming and settling: a claim hands out a lease, and only that lease settles."""

from collections.abc import Iterable, Sequence

import msgspec

from penstock.domain.jobs import Claimed, JobState, Settled
from penstock.store.port import Store, Transaction


def claim(store: Store, worker_id: int, room: dict[str, int]) -> list[Claimed]:
    """Claim up to `room[queue]` jobs of each queue, most urgent first, under one new lease.

    Nothing is claimed for a worker whose row is gone. Where nothing is available nothing is written either: a lease
    taken in vain would be a write that wakes every process that waits for one.
    """
    available = store.read(lambda tx: tx.row("claimable", {"queues": list(room)}))
    if available is None or not available[0]:
        return []

    def work(tx: Transaction) -> list[Claimed]:
        found: list[Claimed] = []
        row = tx.row("next_lease")
        assert row is not None
        lease = row[0]
        for queue, count in room.items():
            rows = tx.rows("claim", {"worker_id": worker_id, "queue": queue, "count": count, "lease": lease})
            rows.sort(key=lambda job: (-job[6], job[0]))  # RETURNING has no order
            found += [Claimed(job[0], lease, *job[1:6]) for job in rows]
        return found

    return store.write(work)


def settle(store: Store, rows: Sequence[Settled]) -> set[int]:
    """Settle many attempts in one statement; return the ids of those whose lease had passed to somebody else."""
    encoded = msgspec.json.encode(rows).decode()
    done = {row[0] for row in store.write(lambda tx: tx.rows("settle", {"settled": encoded}))}
    return {row["id"] for row in rows} - done


def release(store: Store, attempts: Iterable[tuple[int, int]]) -> set[int]:
    """Give attempts, by job and lease, back as if they had never been claimed."""
    return settle(store, [
        Settled(id=id, lease=lease, state=JobState.AVAILABLE.value, delay_ms=0, given_back=1, error_class=None,
                error=None)
        for id, lease in attempts
    ])


def held(store: Store, worker_id: int) -> set[tuple[int, int]]:
    """The attempts, by job and lease, that the store says a worker has under way."""
    return {(id, lease) for id, lease in store.read(lambda tx: tx.rows("claims_held", {"worker_id": worker_id}))}
