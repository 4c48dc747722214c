"""Claiming and settling: a claim hands out one lease for many jobs, and only that lease settles them."""

from collections.abc import Callable, Iterable, Sequence
from operator import itemgetter

import msgspec

from penstock.domain.jobs import FINAL_STATES, Claimed, JobState, Outcome
from penstock.store.port import Row, Store, Transaction

LOWEST = -(2**62)
_PLACE = itemgetter(8, 0)  # rank, id


def claim(store: Store, worker_id: int, room: dict[str, int]) -> list[Claimed]:
    """Claim up to `room[queue]` jobs of each queue, most urgent first; none for a worker without a row."""
    return [job for queue, count in room.items() for job in claim_queue(store, worker_id, queue, count)]


def claim_queue(store: Store, worker_id: int, queue: str, count: int,
                after: tuple[int, int] = (LOWEST, LOWEST), found: Sequence[tuple[int, int]] = (),
                rows: int | None = None) -> list[Claimed]:
    """Claim up to `count` jobs of one queue whose (rank, id) is above `after`, and those `found` below it.

    Where nothing is ready nothing is written. `rows` is how many ready rows to look at, each of which may stand for
    many jobs: `count` if it is not given.
    """
    if store.looks_first and not _claimable(store, queue):
        return []
    claimed = store.run("claim", {"worker_id": worker_id, "queue": queue, "count": count, "after": after[0],
                                  "after_id": after[1], "found": msgspec.json.encode(found).decode(),
                                  "rows": count if rows is None else rows})
    claimed.sort(key=_PLACE)  # RETURNING has no order
    return [Claimed(id, lease, task, queue, arguments, attempt, most, stale, deadline, rank, more, per_row, waited)
            for id, lease, task, arguments, attempt, most, stale, deadline, rank, more, per_row, waited in claimed]


def _claimable(store: Store, queue: str) -> bool:
    return bool(store.look("claimable", {"queue": queue})[0][0])


def stragglers(store: Store, queue: str, after: tuple[int, int], count: int, *,
               everywhere: bool = True) -> list[tuple[int, int]]:
    """Ready jobs by (rank, id), where that is not above `after`; if not `everywhere`, of those that came of late."""
    params = {"queue": queue, "after": after[0], "after_id": after[1], "count": count}
    rows = store.look("stragglers" if everywhere else "stragglers_new", params)
    return [(rank, id) for rank, id in rows]


def settle(store: Store, outcomes: Sequence[Outcome], ended: Sequence[int] = (),
           told: Callable[[], object] = lambda: None) -> set[int]:
    """Settle many attempts; return the ids of those whose lease had passed to somebody else.

    `ended` are leases under which nothing is left to settle after this. `told` is called where jobs ended that others
    wait for, or that belong to a batch: a dispatcher has something to do.
    """
    finished = [outcome for outcome in outcomes if outcome.state in FINAL_STATES]
    again = [outcome for outcome in outcomes if outcome.state not in FINAL_STATES]
    if not outcomes and not ended:
        return set()
    if finished and not again:
        keep_ms = finished[0].keep_ms
        if all(each.state == "completed" and each.keep_ms == keep_ms and each.result is None
               and each.error_class is None for each in finished):
            return _stale(store.run("settle_completed", _completed(finished, ended)), finished, told)
        if all(each.result is None for each in finished):
            return _stale(store.run("settle_finished", _finished(finished, ended)), finished, told)
    return _stale(store.write(lambda tx: _settled(tx, outcomes, ended)), outcomes, told)


def settle_in(tx: Transaction, outcomes: Sequence[Outcome], ended: Sequence[int] = ()) -> set[int]:
    """The same in a transaction that is open."""
    return _stale(_settled(tx, outcomes, ended), outcomes)


def _settled(tx: Transaction, outcomes: Sequence[Outcome], ended: Sequence[int]) -> list[Row]:
    finished = [outcome for outcome in outcomes if outcome.state in FINAL_STATES]
    again = [outcome for outcome in outcomes if outcome.state not in FINAL_STATES]
    done = tx.batch("settle_again", _again(again)) if again else []
    if finished and all(each.state == "completed" and each.keep_ms == finished[0].keep_ms and each.error_class is None
                        for each in finished):
        ended_rows = tx.batch("settle_completed", _completed(finished, ended))
    else:
        ended_rows = tx.batch("settle_finished", _finished(finished, ended))
    if results := [each for each in finished if each.result is not None]:
        settled = {abs(row[0]) for row in ended_rows}
        record(tx, [each for each in results if each.id in settled])
    return done + ended_rows


def _stale(rows: Sequence[Row], outcomes: Sequence[Outcome], told: Callable[[], object] = lambda: None) -> set[int]:
    """Those of whom no row tells that they were settled. A negative id says that news of it was inserted."""
    if rows and min(rows)[0] < 0:
        told()
    if len(rows) == len(outcomes):
        return set()
    return {outcome.id for outcome in outcomes} - {abs(row[0]) for row in rows}


def record(tx: Transaction, outcomes: Sequence[Outcome]) -> None:
    """Keep the results of jobs that were settled in this transaction."""
    if outcomes:
        tx.batch("results_keep", {
            "ids": [each.id for each in outcomes], "keep_ms": [each.result_ms for each in outcomes],
            "results": [each.result for each in outcomes],
        })


def _completed(outcomes: Sequence[Outcome], ended: Sequence[int]) -> dict[str, object]:
    """Of jobs that went well and are kept equally long, for which there is a shorter statement."""
    return {
        "ids": [each.id for each in outcomes], "leases": [each.lease for each in outcomes],
        "took_ms": [int(each.took_ms) for each in outcomes], "keep_ms": outcomes[0].keep_ms, "ended": list(ended),
    }


def _finished(outcomes: Sequence[Outcome], ended: Sequence[int]) -> dict[str, object]:
    return {
        "ids": [each.id for each in outcomes], "leases": [each.lease for each in outcomes],
        "states": [each.state for each in outcomes], "counted": [each.counted for each in outcomes],
        "took_ms": [round(each.took_ms) for each in outcomes], "keep_ms": [each.keep_ms for each in outcomes],
        "error_classes": [each.error_class for each in outcomes], "errors": [each.error for each in outcomes],
        "ended": list(ended),
    }


def _again(outcomes: Sequence[Outcome]) -> dict[str, Sequence[object]]:
    return {
        "ids": [each.id for each in outcomes], "leases": [each.lease for each in outcomes],
        "states": [each.state for each in outcomes], "counted": [each.counted for each in outcomes],
        "delay_ms": [each.delay_ms for each in outcomes],
        "error_classes": [each.error_class for each in outcomes], "errors": [each.error for each in outcomes],
    }


def release(store: Store, attempts: Iterable[tuple[int, int]], ended: Sequence[int] = ()) -> set[int]:
    """Give attempts, by job and lease, back as if they had never been claimed."""
    return settle(store, [Outcome(id, lease, JobState.AVAILABLE.value, counted=0) for id, lease in attempts], ended)


def held(store: Store, worker_id: int) -> set[tuple[int, int]]:
    """The attempts, by job and lease, that the store says a worker has under way."""
    return {(id, lease) for id, lease in _held(store, worker_id) if id is not None}


def leases_held(store: Store, worker_id: int) -> dict[int, list[int]]:
    """The leases that the store says a worker has, with the jobs that are not yet settled under each."""
    found: dict[int, list[int]] = {}
    for id, lease in _held(store, worker_id):
        found.setdefault(lease, []).extend([] if id is None else [id])
    return found


def _held(store: Store, worker_id: int) -> list[tuple[int | None, int]]:
    rows = store.read(lambda tx: tx.rows("leases_held", {"worker_id": worker_id}))
    return [(id, lease) for id, lease in rows]
