"""Progress in the store: what attempts say of how far they have come, for people and for the attempts after them.

The invariant: only an attempt whose lease still holds its job writes, and never over what a later one has written.
"""

from collections.abc import Iterable

from penstock.domain.progress import Said
from penstock.queue.attempt import Attempt
from penstock.store.port import Store


def save(store: Store, attempts: Iterable[Attempt]) -> None:
    """Write what these attempts have said. What says nothing, or is settled, or has lost its job, writes nothing."""
    last: dict[int, tuple[int, Said]] = {}
    for attempt in attempts:
        if attempt.said is not None:
            for job in attempt.claimed:
                if job.id not in last or last[job.id][0] < job.lease:
                    last[job.id] = job.lease, attempt.said
    if not last:
        return
    rows = [(id, lease, said) for id, (lease, said) in sorted(last.items())]
    columns = {
        "ids": [id for id, _, _ in rows], "leases": [lease for _, lease, _ in rows],
        "percents": [said.percent for _, _, said in rows], "notes": [said.note for _, _, said in rows],
        "cursors": [said.cursor for _, _, said in rows],
    }
    store.run("progress_save", columns)


def cursor_of(store: Store, job_id: int) -> str | None:
    """The last cursor of a job, as JSON; None where there is none."""
    rows = store.look("progress_cursor", {"id": job_id})
    return rows[0][0] if rows else None
